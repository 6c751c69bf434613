package server_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/conformance/guarantee"
	"github.com/vasic-project/vasic/server"
)

// TestEveryWatcherIsGivenEveryGuarantee has watchers join, leave, stall and resume while clients churn routes and somebody turns knobs, with a log
// that is too small for those who stall and with a chip that is slow and too small. It runs on real threads and in virtual time.
func TestEveryWatcherIsGivenEveryGuarantee(t *testing.T) {
	threads := func(r *rand.Rand) {
		for range r.IntN(50) {
			runtime.Gosched()
		}
	}
	virtual := func(r *rand.Rand) { time.Sleep(time.Duration(r.IntN(3)) * 50 * time.Millisecond) } // in step with bookmarks
	for seed, profile := range []string{"switch", "netdevsim"} {
		cfg := func(latency time.Duration) server.Config {
			return server.Config{
				Profile: profile, LogBytes: 96 << 10, QueueCapacity: 64, Latency: &latency, NotifyIPv4: 1, NotifyIPv6: 1,
				Resources: map[string]uint64{"IPv4/fib": 40, "IPv6/fib": 40}, MaxWatchers: 30,
			}
		}
		t.Run(profile+", threads", func(t *testing.T) {
			newWatchRun(newAPIRig(t, cfg(0)), uint64(seed), 120, threads).all(t) //nolint:gosec // small
		})
		t.Run(profile+", virtual time", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				newWatchRun(newAPIRig(t, cfg(time.Millisecond)), uint64(seed), 120, virtual).all(t) //nolint:gosec // small
			})
		})
	}
}

// all has everybody at work until the switch is at rest, and then judges what was seen.
func (run *watchRun) all(t *testing.T) {
	const writers, watchers, mirrors = 3, 16, 2
	var working, watching sync.WaitGroup
	failed := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	ctx := t.Context()
	watching.Go(func() { failed(run.observe(ctx)) })
	seen := make([]*watchWatcher, watchers)
	for i := range seen {
		seen[i] = newWatchWatcher(run, i)
		watching.Go(func() { failed(seen[i].watch(ctx)) })
	}
	copies := make([]vasic.Mirror, mirrors)
	for i := range copies {
		watching.Go(func() { failed(run.mirror(ctx, i, &copies[i])) })
	}
	for i := range writers {
		working.Go(func() { failed(run.write(ctx, i)) })
	}
	working.Go(func() { failed(run.disturb(ctx)) })
	working.Wait()
	run.rest()
	watching.Wait()
	if t.Failed() {
		return
	}

	log := run.witness.Events()
	compacted, resumed := 0, 0
	for i, w := range slices.Concat(seen, []*watchWatcher{{Recorder: &run.witness}}) {
		run.judge(t, fmt.Sprintf("watcher %d, filter %v", i, w.filter), w.Recording, log)
		compacted, resumed = compacted+w.compacted, resumed+w.resumed
	}
	for i := range copies {
		var routes []*vasicv1.Route
		for r := range copies[i].All() {
			routes = append(routes, r)
		}
		run.judge(t, fmt.Sprintf("mirror %d", i), guarantee.Recording{Sessions: []guarantee.Session{{Responses: []*vasicv1.WatchResponse{
			{Created: &vasicv1.Created{Epoch: copies[i].Epoch(), Revision: run.head}}, {Snapshot: &vasicv1.Snapshot{Routes: routes}},
			{Synced: &vasicv1.Synced{Revision: run.head}},
		}}}}, log)
	}
	t.Logf("%d events, %d routes at the end; watchers resumed %d times and fell off %d times", len(log), len(run.listed), resumed, compacted)
	if compacted == 0 || resumed == 0 {
		t.Errorf("watchers resumed %d times and fell off %d times: the test is too small", resumed, compacted)
	}
	if m := run.scrape(); m["vasic_log_bytes"] > m["vasic_log_capacity_bytes"] {
		t.Errorf("the log holds %v bytes of %v", m["vasic_log_bytes"], m["vasic_log_capacity_bytes"])
	}
}

func (run *watchRun) judge(t *testing.T, who string, rec guarantee.Recording, log []*vasicv1.Event) {
	t.Helper()
	rec.Log, rec.Rest = log, run.listed
	rec.Epoch = run.witness.Recording.Sessions[0].Responses[0].GetCreated().GetEpoch()
	rec.Notify = map[vasicv1.Family]uint32{vasicv1.Family_FAMILY_IPV4: 1, vasicv1.Family_FAMILY_IPV6: 1}
	if err := guarantee.Check(&rec); err != nil {
		t.Errorf("%s: %v", who, err)
	}
}

// watchWatcher watches with one filter, over many streams.
type watchWatcher struct {
	*guarantee.Recorder
	run       *watchRun
	r         *rand.Rand
	filter    *vasicv1.WatchFilter
	resumed   int
	compacted int // times that it fell off the log
}

func newWatchWatcher(run *watchRun, i int) *watchWatcher {
	r := run.random(3, uint64(i)) //nolint:gosec // small
	protocol := uint32(3)
	filters := []*vasicv1.WatchFilter{
		nil, nil, nil, nil,
		{Family: vasicv1.Family_FAMILY_IPV4},
		{Family: vasicv1.Family_FAMILY_IPV6, Table: 254},
		{WithinPrefix: "10.20.0.0/14"},
		{WithinPrefix: "2001:db8:20::/44"},
		{Protocol: &protocol},
		{Kinds: []vasicv1.EventKind{vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED, vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED}},
		{Flags: []vasicv1.RouteFlag{vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD_FAILED}},
	}
	return &watchWatcher{Recorder: &guarantee.Recorder{}, run: run, r: r, filter: filters[i%len(filters)]}
}

// watch comes and goes until it has seen the end.
func (w *watchWatcher) watch(ctx context.Context) error {
	cc := w.run.dial(watchDialOptions...)
	defer cc.Close()
	w.Client = vasic.NewClient(cc).Watches
	defer w.Close()
	fresh := true
	for {
		request := &vasicv1.WatchRequest{Filter: w.filter, BookmarkInterval: durationpb.New(100 * time.Millisecond)}
		if token, ok := w.Token(); ok && !fresh && w.r.IntN(4) > 0 {
			request.ResumeAfter = token
			w.resumed++
		} else {
			request.LiveOnly = w.r.IntN(8) == 0
		}
		if err := w.Open(ctx, request); err != nil {
			return err
		}
		err := w.read()
		switch {
		case err == nil:
			fresh = false
		case errors.Is(err, vasic.ErrCompacted):
			fresh = true
			w.compacted++
		default:
			return err
		}
		if _, over := w.run.end(); over && w.ended() {
			return nil
		}
	}
}

// ended reports whether the watcher has seen all there is.
func (w *watchWatcher) ended() bool {
	head, over := w.run.end()
	token, ok := w.Token()
	return over && ok && token.GetRevision() >= head
}

// read reads some messages, stalling now and then, and once all is over until it has seen the end.
func (w *watchWatcher) read() error {
	for left := 1 + w.r.IntN(60); ; left-- {
		if _, over := w.run.end(); left <= 0 && !over {
			return nil
		}
		if _, err := w.Next(); err != nil || w.ended() {
			return err
		}
		switch w.r.IntN(20) {
		case 0:
			token, _ := w.Token()
			w.run.await(token.GetRevision() + w.r.Uint64N(1500))
		case 1, 2:
			w.run.nap(w.r)
		}
	}
}

// mirror keeps a copy with the client library.
func (run *watchRun) mirror(ctx context.Context, i int, copied *vasic.Mirror) error {
	r := run.random(4, uint64(i)) //nolint:gosec // small
	cc := run.dial(watchDialOptions...)
	defer cc.Close()
	w := vasic.NewClient(cc).Watch(ctx, vasic.WatchOptions{BookmarkInterval: 100 * time.Millisecond})
	defer w.Close()
	for u, err := range w.All(ctx) {
		if err != nil {
			return err
		}
		copied.Apply(u)
		if head, over := run.end(); over && copied.Synced() && copied.Revision() >= head {
			return nil
		}
		if r.IntN(100) == 0 {
			run.await(copied.Revision() + 2000)
		}
	}
	return nil
}

// TestAStuckWatcherHoldsUpNobody has one watcher that reads nothing more once it is synced, while a writer writes many times what the log holds.
// That the writer's batches are answered and the witness sees every event, all with the stuck watch open, is the proof.
func TestAStuckWatcherHoldsUpNobody(t *testing.T) {
	latency := time.Duration(0)
	r := newAPIRig(t, server.Config{LogBytes: 64 << 10, Latency: &latency, NotifyIPv4: 1, NotifyIPv6: 1})
	run := newWatchRun(r, 1, 0, func(*rand.Rand) {})
	cc := r.dial(watchDialOptions...)
	defer cc.Close()
	stuck := &watchWatcher{Recorder: &guarantee.Recorder{Client: vasic.NewClient(cc).Watches}}
	defer stuck.Close()
	if err := stuck.Open(t.Context(), &vasicv1.WatchRequest{}); err != nil {
		t.Fatal(err)
	}
	for must(stuck.Next())(t).GetSynced() == nil {
	}
	place, _ := stuck.Token()
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := run.observe(t.Context()); err != nil {
			t.Error(err)
		}
	})

	client := vasic.NewClient(r.cc)
	const batches, size = 100, 32
	for b := range batches {
		var ops []vasic.Operation
		for i := range size {
			ops = append(ops, vasic.Operation{Action: actionReplace, Route: apiRoute(prefixNumber(i), via("10.0.1.2"), metric(1+uint32(i)), proto8(3+uint32(b%2)))}) //nolint:gosec // small
		}
		results, err := client.Apply(t.Context(), ops, vasic.WaitForHardware())
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(results, func(res vasic.Result) bool { return res.Err != nil }); i >= 0 {
			t.Fatal(results[i].Err)
		}
		run.await(results[size-1].Revision)
		if m := r.scrape(); m["vasic_log_bytes"] > 64<<10 || m["vasic_watchers"] != 2 {
			t.Fatalf("batch %d: the log holds %v bytes, and %v watch", b, m["vasic_log_bytes"], m["vasic_watchers"])
		}
	}
	run.rest()
	watching.Wait()
	if oldest := r.status().GetOldestRevision(); oldest <= place.GetRevision()+1 {
		t.Errorf("the log starts at %d, the stuck watcher stands at %d: the test is too small", oldest, place.GetRevision())
	}

	var err error
	for err == nil {
		_, err = stuck.Next()
	}
	if !errors.Is(err, vasic.ErrCompacted) {
		t.Errorf("the stuck watcher reads on and ends with %v, want %v", err, vasic.ErrCompacted)
	}
	log := run.witness.Events()
	if want := batches * size * 2; len(log) < want {
		t.Errorf("the witness saw %d events, want %d at least", len(log), want)
	}
	run.judge(t, "the witness", run.witness.Recording, log)
	stuck.Recording.Rest = nil
	run.listed = nil // the stuck watcher did not see the end
	run.judge(t, "the stuck watcher", stuck.Recording, log)
}
