package server_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

func TestAWatchIsCreatedListsSyncsAndFollows(t *testing.T) {
	inAPIBubble(t, server.Config{Epoch: 77, NotifyIPv4: fib.NotifyAll}, func(t *testing.T, r *apiRig) {
		variety(r)
		w := r.watch(&vasicv1.WatchRequest{})
		first := must(w.next())(t)
		head := r.status().Revision
		if c := first.Created; c.GetEpoch() != 77 || c.GetRevision() != head {
			t.Fatalf("first message %v, want epoch 77 and revision %d", first, head)
		}
		var listed []string
		for _, route := range r.list(nil) {
			listed = append(listed, "snapshot "+describe(route))
		}
		wantEqual(t, "snapshot", w.until("synced"), append(listed, fmt.Sprint("synced ", head)))

		// A connected route is listed without prefsrc in IPv6, so its prefix is free for the test of the four kinds.
		now := uint64(time.Now().UnixNano()) //nolint:gosec // after 1970
		r.settle(actionAdd, apiRoute("192.0.2.0/25", via("10.0.1.2")))
		r.settle(actionReplace, apiRoute("192.0.2.0/25", via("10.0.2.2")))
		r.settle(actionDelete, apiRoute("192.0.2.0/25"))
		var got []string
		for _, e := range w.events(5) {
			got = append(got, fmt.Sprintf("%d %v %s %#x %v", e.Revision-head, e.Kind, describe(e.Route), e.NetlinkFlags, e.Requested))
			if e.UnixNanos != int64(now) || e.Silent || e.Partial { //nolint:gosec // small
				t.Errorf("event %v", e)
			}
		}
		wantEqual(t, "events", got, []string{
			"1 EVENT_KIND_ROUTE_ADDED 192.0.2.0/25 0x600 true",
			"2 EVENT_KIND_FLAGS_CHANGED 192.0.2.0/25 offload 0x0 false",
			"3 EVENT_KIND_ROUTE_REPLACED 192.0.2.0/25 0x100 true",
			"4 EVENT_KIND_FLAGS_CHANGED 192.0.2.0/25 offload 0x0 false",
			"5 EVENT_KIND_ROUTE_DELETED 192.0.2.0/25 offload 0x0 true",
		})
	})
}

func TestAnEmptySnapshotIsNoMessage(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		w := r.watch(&vasicv1.WatchRequest{Filter: &vasicv1.WatchFilter{Table: 100}})
		head := r.status().Revision
		wantEqual(t, "messages", w.until("synced"), []string{fmt.Sprint("created ", head), fmt.Sprint("synced ", head)})
	})
}

func TestResumingGetsExactlyWhatFollows(t *testing.T) {
	inAPIBubble(t, server.Config{Epoch: 77}, func(t *testing.T, r *apiRig) {
		variety(r)
		head := r.status().Revision
		live := r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		wantEqual(t, "live only", live.until("synced"), []string{fmt.Sprint("created ", head), fmt.Sprint("synced ", head)})
		for i := range 20 {
			r.add(apiRoute(fmt.Sprintf("198.18.%d.0/24", i), via("10.0.1.2")))
		}
		want := []string{}
		for _, e := range live.events(20) {
			want = append(want, lines(&vasicv1.WatchResponse{Events: []*vasicv1.Event{e}})...)
		}
		synced := fmt.Sprint("synced ", head+20)
		for _, token := range []*vasicv1.ResumeToken{{Epoch: 77, Revision: head}, {Revision: head + 7}, {Epoch: 77, Revision: head + 20}} {
			for _, liveOnly := range []bool{false, true} { // which says nothing about resuming
				got := r.watch(&vasicv1.WatchRequest{ResumeAfter: token, LiveOnly: liveOnly}).until("synced")
				wantEqual(t, fmt.Sprint("resumed after ", token), got, append(append([]string{fmt.Sprint("created ", head+20)}, want[token.Revision-head:]...), synced))
			}
		}
		if from0 := r.watch(&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{}}).until("synced"); len(from0) != int(head+20)+2 { //nolint:gosec // small
			t.Errorf("from revision 0 on: %d lines, want %d", len(from0), head+22)
		}
	})
}

func TestBookmarksComeWhenNothingElseDoes(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		head := r.status().Revision
		for interval, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 100 * time.Millisecond: 100 * time.Millisecond, time.Hour: time.Hour} {
			req := &vasicv1.WatchRequest{LiveOnly: true, Filter: &vasicv1.WatchFilter{Family: family6}}
			if interval != 0 {
				req.BookmarkInterval = durationpb.New(interval)
			}
			w := r.watch(req)
			w.until("synced")
			last := time.Now()
			for range 3 {
				wantEqual(t, "bookmark", w.until("bookmark"), []string{fmt.Sprint("bookmark ", head)})
				if waited := time.Since(last); waited != want {
					t.Errorf("a bookmark after %v, want %v", waited, want)
				}
				last = time.Now()
			}
			// An event that does not match moves the bookmark on, and one that does puts it off.
			time.Sleep(want / 2)
			r.add(apiRoute(fmt.Sprintf("198.18.%d.0/24", head), via("10.0.1.2")))
			head++
			wantEqual(t, "bookmark", w.until("bookmark"), []string{fmt.Sprint("bookmark ", head)})
			time.Sleep(want / 2)
			r.add(apiRoute(fmt.Sprintf("2001:db8:f%d::/48", head), via("2001:db8:1::2")))
			head++
			w.events(1)
			last = time.Now()
			wantEqual(t, "bookmark", w.until("bookmark"), []string{fmt.Sprint("bookmark ", head)})
			if waited := time.Since(last); waited != want {
				t.Errorf("%v after an event, want %v", waited, want)
			}
			w.cancel()
		}
	})
}

func TestWatchRefusals(t *testing.T) {
	kinds := func(k ...vasicv1.EventKind) *vasicv1.WatchRequest {
		return &vasicv1.WatchRequest{Filter: &vasicv1.WatchFilter{Kinds: k}}
	}
	within := func(p string) *vasicv1.WatchRequest {
		return &vasicv1.WatchRequest{Filter: &vasicv1.WatchFilter{WithinPrefix: p}}
	}
	bookmark := func(d *durationpb.Duration) *vasicv1.WatchRequest { return &vasicv1.WatchRequest{BookmarkInterval: d} }
	interval := outOfRange("bookmark_interval", "is not between 100ms and 1h0m0s")
	inAPIBubble(t, server.Config{Epoch: 77}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		head := r.status().Revision
		before := r.everything()
		for name, c := range map[string]struct {
			req  *vasicv1.WatchRequest
			want refused
		}{
			"from the future": {&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{Revision: head + 1}},
				refused{codes.OutOfRange, "REVISION_IN_FUTURE", "", "", "", fmt.Sprint("revision ", head+1)}},
			"of another epoch": {&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{Epoch: 78, Revision: head}},
				refused{codes.FailedPrecondition, "EPOCH_MISMATCH", "", "", "", "epoch 78"}},
			"of another epoch and the future": {&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{Epoch: 78, Revision: head + 1}},
				refused{codes.FailedPrecondition, "EPOCH_MISMATCH", "", "", "", "epoch 78"}},
			"unknown family":         {&vasicv1.WatchRequest{Filter: &vasicv1.WatchFilter{Family: 3}}, unknownEnum("filter.family", "3")},
			"malformed prefix":       {within("10.0.0.0"), malformed("filter.within_prefix", "10.0.0.0")},
			"4-in-6 prefix":          {within("::ffff:10.0.0.0/104"), malformed("filter.within_prefix", "::ffff:10.0.0.0/104")},
			"prefix with host bits":  {within("10.0.0.1/8"), hostBits("filter.within_prefix", "10.0.0.0/8")},
			"protocol too large":     {&vasicv1.WatchRequest{Filter: &vasicv1.WatchFilter{Protocol: proto.Uint32(256)}}, outOfRange("filter.protocol", "256 is not between 0 and 255")},
			"unspecified kind":       {kinds(0), unknownEnum("filter.kinds", "0")},
			"unknown kind":           {kinds(1, 8), unknownEnum("filter.kinds", "8")},
			"negative kind":          {kinds(-1), unknownEnum("filter.kinds", "-1")},
			"unspecified flag":       {&vasicv1.WatchRequest{Filter: &vasicv1.WatchFilter{Flags: []vasicv1.RouteFlag{0}}}, unknownEnum("filter.flags", "0")},
			"unknown flag":           {&vasicv1.WatchRequest{Filter: &vasicv1.WatchFilter{Flags: []vasicv1.RouteFlag{5}}}, unknownEnum("filter.flags", "5")},
			"bookmarks too often":    {bookmark(durationpb.New(100*time.Millisecond - 1)), interval},
			"bookmarks too seldom":   {bookmark(durationpb.New(time.Hour + 1)), interval},
			"bookmarks without time": {bookmark(&durationpb.Duration{}), interval},
			"bookmarks in the past":  {bookmark(durationpb.New(-time.Second)), interval},
			"bookmarks beyond time":  {bookmark(&durationpb.Duration{Seconds: 1 << 60}), interval},
			"no duration":            {bookmark(&durationpb.Duration{Seconds: 1, Nanos: -1}), interval},
		} {
			t, r := r.in(name)
			list, err := r.watch(c.req).end()
			if len(list) > 0 {
				t.Errorf("%v before it ended with %v", list, err)
			}
			c.want.checkErr(t, err)
		}
		synctest.Wait()
		r.unchanged(before)
	})
}

func TestTooManyWatchersAreRefusedUntilOneLeaves(t *testing.T) {
	inAPIBubble(t, server.Config{MaxWatchers: 2}, func(t *testing.T, r *apiRig) {
		a, b := r.watch(&vasicv1.WatchRequest{}), r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		a.until("synced")
		b.until("synced")
		if n := r.status().Watchers; n != 2 {
			t.Errorf("%d watchers", n)
		}
		_, err := r.watch(&vasicv1.WatchRequest{}).end()
		refused{codes.ResourceExhausted, "TOO_MANY_WATCHERS", "", "", "", "2 watches are open"}.checkErr(t, err)
		a.cancel()
		synctest.Wait()
		// What was refused for another reason does not take a place for ever.
		for range 3 {
			_, err := r.watch(&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{Revision: 1 << 40}}).end()
			refused{codes.OutOfRange, "REVISION_IN_FUTURE", "", "", "", ""}.checkErr(t, err)
		}
		r.watch(&vasicv1.WatchRequest{}).until("synced")
		b.cancel()
		synctest.Wait()
		if n := r.status().Watchers; n != 1 {
			t.Errorf("%d watchers are left", n)
		}
	})
}

func TestACompactedRevisionCannotBeResumedFrom(t *testing.T) {
	inAPIBubble(t, server.Config{LogBytes: 64 << 10}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		slow := r.narrow().watch(&vasicv1.WatchRequest{LiveOnly: true}) // which does not read on
		slow.until("synced")
		fast := r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		fast.until("synced")
		s := r.stream()
		for range 160 {
			s.send(slices.Repeat([]*vasicv1.RouteOperation{{Action: actionAdd, Route: good4()}, {Action: actionDelete, Route: good4()}}, 25)...)
			s.next(50)
			fast.events(50)
		}
		status := r.status()
		if status.OldestRevision < 1000 {
			t.Fatalf("the oldest revision is %d: nothing was compacted", status.OldestRevision)
		}
		compacted := refused{codes.OutOfRange, "REVISION_COMPACTED", "", "", "", ""}
		for _, after := range []uint64{0, 1, status.OldestRevision - 2} {
			_, err := r.watch(&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{Revision: after}}).end()
			compacted.checkErr(t, err)
		}
		resumed := r.watch(&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{Revision: status.OldestRevision - 1}}).until("synced")
		if want := int(status.Revision-status.OldestRevision) + 3; len(resumed) != want { //nolint:gosec // small
			t.Errorf("%d lines from the oldest revision on, want %d", len(resumed), want)
		}
		list, err := slow.end()
		compacted.checkErr(t, err)
		if len(list) == 0 || len(list) >= 8000 {
			t.Errorf("the slow watcher had %d of 8000 events", len(list))
		}
	})
}

// A copy made of snapshot and events is the state, whatever happens while the snapshot is made.
func TestASnapshotIsRepairedByWhatFollows(t *testing.T) {
	inAPIBubble(t, server.Config{NotifyIPv4: fib.NotifyAll, NotifyIPv6: fib.NotifyAll}, func(t *testing.T, r *apiRig) {
		rng := rand.New(rand.NewPCG(3, 4))
		churn := func(s *apiStream, n, batch int) {
			var ops []*vasicv1.RouteOperation
			for range n {
				i := rng.IntN(4000)
				route := apiRoute(fmt.Sprintf("198.%d.%d.0/24", i>>8, i&255), via(fmt.Sprintf("10.0.%d.2", 1+rng.IntN(2))), metric(uint32(rng.IntN(2)))) //nolint:gosec // small
				if i%2 == 0 {
					route = apiRoute(fmt.Sprintf("2001:db8:%x::/48", 0x1000+i), via(fmt.Sprintf("2001:db8:%d::2", 1+rng.IntN(2))))
				}
				action := actionReplace
				if rng.IntN(3) == 0 {
					action = actionDelete
				}
				if ops = append(ops, &vasicv1.RouteOperation{Action: action, Route: route}); len(ops) == batch {
					s.send(ops...)
					ops = nil
				}
			}
		}
		s := r.stream()
		churn(s, 6000, 200)
		go func() {
			churn(s, 3000, 3)
			s.closeSend()
		}()
		w := r.watch(&vasicv1.WatchRequest{BookmarkInterval: durationpb.New(time.Second)})
		rest := make(chan struct{})
		go func() {
			s.rest()
			close(rest)
		}()
		mirror := map[uint64]*vasicv1.Route{}
		for quiet := false; !quiet; {
			res := must(w.next())(t)
			for _, route := range res.Snapshot.GetRoutes() {
				if mirror[route.Id] != nil {
					t.Errorf("in the snapshot twice: %v", route)
				}
				mirror[route.Id] = route
			}
			for _, e := range res.Events {
				have := mirror[e.Route.Id]
				if known := have != nil; known == (e.Kind == kindAdded) || e.Kind == kindReplaced && e.Route.Generation <= have.GetGeneration() {
					t.Errorf("%v says nothing new to who has %v", e, have)
				}
				delete(mirror, e.Route.Id)
				if e.Kind != vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED {
					mirror[e.Route.Id] = e.Route
				}
			}
			quiet = res.Bookmark != nil
		}
		<-rest
		list := r.list(nil)
		if len(list) != len(mirror) || len(list) < 1000 {
			t.Errorf("%d routes, the copy has %d", len(list), len(mirror))
		}
		for _, route := range list {
			if !proto.Equal(route, mirror[route.Id]) {
				t.Errorf("%v is in the copy %v", route, mirror[route.Id])
			}
		}
	})
}
