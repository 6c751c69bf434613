package model_test

import (
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/conformance/guarantee"
	"github.com/vasic-project/vasic/conformance/model"
)

// TestAServerDoesWhatTheModelDoes looks at a whole switch through its API, and holds what watchers are told against every guarantee.
func TestAServerDoesWhatTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSettings(t)
		a := newAPI(t, s)
		mc := start(model.New(s.profile, s.sizes, s.notify), a)
		w := &watchers{a: a}
		actions := mc.actions()
		actions["join"], actions["come back"] = w.join, w.comeBack
		t.Repeat(actions)
		w.judge(t)
	})
}

// watchers are short visits: each takes a list or what it missed, and leaves.
type watchers struct {
	a    *api
	list []*guarantee.Recorder
}

// visit opens a session and stays until it is synced.
func (w *watchers) visit(t *rapid.T, r *guarantee.Recorder, request *vasicv1.WatchRequest) {
	if err := r.Open(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	for must(r.Next())(t).GetSynced() == nil {
	}
	r.Close()
}

func (w *watchers) join(t *rapid.T) {
	r := &guarantee.Recorder{Client: w.a.anyone().Watches}
	w.list = append(w.list, r)
	w.visit(t, r, &vasicv1.WatchRequest{Filter: drawFilter(t)})
}

func (w *watchers) comeBack(t *rapid.T) {
	if len(w.list) > 0 {
		w.resume(t, w.list[rapid.IntRange(0, len(w.list)-1).Draw(t, "who")])
	}
}

func (w *watchers) resume(t *rapid.T, r *guarantee.Recorder) {
	token, ok := r.Token()
	if !ok {
		t.Fatal("a session that was synced has no place to resume from")
	}
	w.visit(t, r, &vasicv1.WatchRequest{Filter: r.Recording.Sessions[0].Request.GetFilter(), ResumeAfter: token})
}

// judge lets everybody see the end, and then compares what they saw.
func (w *watchers) judge(t *rapid.T) {
	w.a.events()
	w.a.routes()
	log := w.a.watcher.Events()
	w.a.watcher.Close()
	for i, r := range append(w.list, &w.a.watcher) {
		if r != &w.a.watcher {
			w.resume(t, r)
		}
		rec := &r.Recording
		rec.Notify, rec.Log, rec.Epoch, rec.Rest = w.a.notify, log, rec.Sessions[0].Responses[0].GetCreated().GetEpoch(), w.a.listed
		if err := guarantee.Check(rec); err != nil {
			t.Fatalf("watcher %d, filter %v: %v", i, rec.Sessions[0].Request.GetFilter(), err)
		}
	}
}

// filters are what watchers ask for; nil is everything.
var filters = map[string]*vasicv1.WatchFilter{
	"":            nil,
	"IPv4":        {Family: vasicv1.Family_FAMILY_IPV4},
	"IPv6":        {Family: vasicv1.Family_FAMILY_IPV6},
	"main":        {Table: model.TableMain},
	"IPv4 prefix": {WithinPrefix: "10.9.1.0/24"},
	"IPv6 prefix": {WithinPrefix: "2001:db8:9:1::/64"},
	"protocol":    {Protocol: proto.Uint32(3)},
	"kind":        {Kinds: []vasicv1.EventKind{vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED}},
	"flags":       {Flags: []vasicv1.RouteFlag{vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD, vasicv1.RouteFlag_ROUTE_FLAG_NONE}},
}

func drawFilter(t *rapid.T) *vasicv1.WatchFilter {
	names := append(slices.Sorted(maps.Keys(filters)), "", "")
	return filters[rapid.SampledFrom(names).Draw(t, "filter")]
}
