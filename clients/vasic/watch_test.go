package vasic_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	added   = vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED
	deleted = vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED
)

var (
	errBroken    = status.Error(codes.Unavailable, "broken")
	errCompacted = refusal(codes.OutOfRange, vasicv1.ErrorReason_ERROR_REASON_REVISION_COMPACTED, nil)
	errEpoch     = refusal(codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_EPOCH_MISMATCH, nil)
	errFuture    = refusal(codes.OutOfRange, vasicv1.ErrorReason_ERROR_REASON_REVISION_IN_FUTURE, nil)
	errMalformed = refusal(codes.InvalidArgument, vasicv1.ErrorReason_ERROR_REASON_MALFORMED, nil)
	errStopping  = refusal(codes.Unavailable, vasicv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, nil)
	errTooMany   = refusal(codes.ResourceExhausted, vasicv1.ErrorReason_ERROR_REASON_TOO_MANY_WATCHERS, nil)
)

// show is an update in one line.
func show(u vasic.Update) string {
	switch u := u.(type) {
	case *vasic.Reset:
		return fmt.Sprintf("reset: %v, epoch %d revision %d", u.Reason, u.Epoch, u.Revision)
	case *vasic.Snapshot:
		var prefixes []string
		for _, r := range u.Routes {
			prefixes = append(prefixes, r.GetPrefix())
		}
		return "snapshot " + strings.Join(prefixes, " ")
	case *vasic.Events:
		var all []string
		for _, e := range u.Events {
			all = append(all, fmt.Sprintf("%d %s", e.GetRevision(), e.GetRoute().GetPrefix()))
		}
		return "events " + strings.Join(all, ", ")
	case *vasic.Synced:
		return fmt.Sprintf("synced %d", u.Revision)
	case *vasic.Bookmark:
		return fmt.Sprintf("bookmark %d", u.Revision)
	case *vasic.Closing:
		return fmt.Sprintf("closing %d", u.Revision)
	case *vasic.Disconnected:
		e, _ := vasic.AsError(u.Err)
		return fmt.Sprintf("disconnected: %v, attempt %d", e.Code, u.Attempt)
	case *vasic.Reconnected:
		return fmt.Sprintf("reconnected: epoch %d revision %d resumed %t", u.Epoch, u.Revision, u.Resumed)
	}
	return fmt.Sprintf("%T", u)
}

// expect reads as many updates as are wanted and compares them.
func expect(t *testing.T, w *vasic.Watcher, want ...string) {
	t.Helper()
	for i, want := range want {
		u, err := w.Next(t.Context())
		if err != nil {
			t.Fatalf("update %d: got error %v, want %q", i, err, want)
		}
		if got := show(u); got != want {
			t.Fatalf("update %d: got %q, want %q", i, got, want)
		}
	}
}

// expectToken compares the token; nil means that there must be none.
func expectToken(t *testing.T, w *vasic.Watcher, want *vasic.Token) {
	t.Helper()
	got, ok := w.Token()
	if ok != (want != nil) || ok && got != *want {
		t.Errorf("token: got %v, %t; want %v", got, ok, want)
	}
}

func TestAWatchListsAndThenFollows(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{script(nil,
		created(7, 10), snapshot(route(1, "10.0.0.0/8")), snapshot(route(2, "10.1.0.0/16")),
		events(event(11, added, route(3, "10.2.0.0/16"))), synced(12),
		events(event(13, added, route(4, "10.3.0.0/16")), event(14, deleted, route(1, "10.0.0.0/8"))), bookmark(20),
	)}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		filter := &vasicv1.WatchFilter{Table: 254}
		w := c.Watch(t.Context(), vasic.WatchOptions{Filter: filter, BookmarkInterval: time.Second})
		defer w.Close()
		expectToken(t, w, nil)
		expect(t, w, "reset: first list, epoch 7 revision 10", "snapshot 10.0.0.0/8", "snapshot 10.1.0.0/16", "events 11 10.2.0.0/16")
		expectToken(t, w, nil)
		expect(t, w, "synced 12")
		expectToken(t, w, &vasic.Token{Epoch: 7, Revision: 12})
		expect(t, w, "events 13 10.3.0.0/16, 14 10.0.0.0/8")
		expectToken(t, w, &vasic.Token{Epoch: 7, Revision: 14})
		expect(t, w, "bookmark 20")
		expectToken(t, w, &vasic.Token{Epoch: 7, Revision: 20})

		r := f.request(0)
		if r.GetResumeAfter() != nil || r.GetLiveOnly() || r.GetFilter().GetTable() != 254 || r.GetBookmarkInterval().AsDuration() != time.Second {
			t.Errorf("request: %v", r)
		}
	})
}

func TestABrokenStreamResumesAfterTheLastEvent(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		script(errBroken, created(7, 10), snapshot(route(1, "10.0.0.0/8")), synced(10), events(event(11, added, route(2, "10.1.0.0/16")))),
		script(errBroken),
		script(nil, created(7, 12), events(event(12, added, route(3, "10.2.0.0/16"))), synced(12)),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		expect(t, w,
			"reset: first list, epoch 7 revision 10", "snapshot 10.0.0.0/8", "synced 10", "events 11 10.1.0.0/16",
			"disconnected: Unavailable, attempt 1", "disconnected: Unavailable, attempt 2",
			"reconnected: epoch 7 revision 12 resumed true", "events 12 10.2.0.0/16", "synced 12")
		for _, n := range []int{1, 2} {
			if r := f.request(n).GetResumeAfter(); r.GetEpoch() != 7 || r.GetRevision() != 11 {
				t.Errorf("request %d resumes after %v, want epoch 7 revision 11", n, r)
			}
		}
	})
}

func TestReconnectionsBackOffUpToTheCapAndStartAnew(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{script(errBroken, created(7, 1), synced(1))}}
	for range 20 {
		f.watches = append(f.watches, script(errBroken))
	}
	f.watches = append(f.watches, script(errBroken, created(7, 1), synced(1)), script(nil, created(7, 1), synced(1)))
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		expect(t, w, "reset: first list, epoch 7 revision 1", "synced 1")
		last := time.Duration(0)
		for attempt := 1; attempt <= 21; attempt++ {
			u, err := w.Next(t.Context())
			d, ok := u.(*vasic.Disconnected)
			if !ok || d.Attempt != attempt {
				t.Fatalf("got %v, %v; want attempt %d", u, err, attempt)
			}
			if d.RetryIn < 80*time.Millisecond || d.RetryIn > 6*time.Second || last < time.Second && d.RetryIn <= last {
				t.Errorf("attempt %d waits %v after %v", attempt, d.RetryIn, last)
			}
			last = d.RetryIn
		}
		if last < 4*time.Second {
			t.Errorf("the cap is not reached: %v", last)
		}
		expect(t, w, "reconnected: epoch 7 revision 1 resumed true", "synced 1", "disconnected: Unavailable, attempt 1",
			"reconnected: epoch 7 revision 1 resumed true", "synced 1")
		for n := 1; n < len(f.at); n++ {
			if gap := f.at[n].Sub(f.at[n-1]); gap < 80*time.Millisecond {
				t.Errorf("request %d came %v after the one before", n, gap)
			}
		}
	})
}

func TestCompactionListsAgain(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		script(errCompacted, created(7, 10), synced(10)),
		script(nil, created(7, 99), snapshot(route(1, "10.0.0.0/8")), synced(99)),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		start := time.Now()
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		expect(t, w, "reset: first list, epoch 7 revision 10", "synced 10", "disconnected: OutOfRange, attempt 1")
		expectToken(t, w, nil)
		u, _ := w.Next(t.Context())
		if r, ok := u.(*vasic.Reconnected); !ok || r.Resumed {
			t.Errorf("got %v, want a reconnection that does not resume", u)
		}
		u, _ = w.Next(t.Context())
		if r, ok := u.(*vasic.Reset); !ok || r.Reason != vasic.ResetCompacted || !errors.Is(r.Err, vasic.ErrCompacted) {
			t.Errorf("got %v, want a reset because of compaction", u)
		}
		expect(t, w, "snapshot 10.0.0.0/8", "synced 99")
		expectToken(t, w, &vasic.Token{Epoch: 7, Revision: 99})
		if f.request(1).GetResumeAfter() != nil {
			t.Errorf("the list was asked for with a token")
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("listing again waited %v, though the switch is well", took)
		}
	})
}

func TestAResumeThatIsRefusedListsAgain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errCompacted, "events compacted"},
		{errEpoch, "epoch changed"},
		{errFuture, "epoch changed"},
	} {
		f := &fakeSwitch{watches: []func(watchStream) error{
			script(errBroken, created(7, 10), synced(10)),
			script(c.err),
			script(nil, created(8, 3), synced(3)),
		}}
		inBubble(t, f, func(t *testing.T, cl *vasic.Client) {
			w := cl.Watch(t.Context(), vasic.WatchOptions{})
			defer w.Close()
			expect(t, w, "reset: first list, epoch 7 revision 10", "synced 10", "disconnected: Unavailable, attempt 1",
				"disconnected: "+status.Code(c.err).String()+", attempt 2",
				"reconnected: epoch 8 revision 3 resumed false", "reset: "+c.want+", epoch 8 revision 3", "synced 3")
			expectToken(t, w, &vasic.Token{Epoch: 8, Revision: 3})
		})
	}
}

func TestAnotherEpochThanAskedForListsAgain(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		script(nil, created(8, 10), synced(10)), // should have been refused
		script(nil, created(8, 10), synced(10)),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{Resume: &vasic.Token{Epoch: 7, Revision: 5}})
		defer w.Close()
		expect(t, w, "disconnected: FailedPrecondition, attempt 1", "reconnected: epoch 8 revision 10 resumed false",
			"reset: epoch changed, epoch 8 revision 10", "synced 10")
	})
}

func TestAListThatBreaksOffStartsOver(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		script(errBroken),
		script(errBroken, created(7, 10), snapshot(route(1, "10.0.0.0/8")), events(event(11, added, route(2, "10.1.0.0/16")))),
		script(nil, created(7, 12), snapshot(route(1, "10.0.0.0/8"), route(2, "10.1.0.0/16")), synced(12)),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		expect(t, w, "disconnected: Unavailable, attempt 1", "reconnected: epoch 7 revision 10 resumed false",
			"reset: first list, epoch 7 revision 10", "snapshot 10.0.0.0/8", "events 11 10.1.0.0/16",
			"disconnected: Unavailable, attempt 2", "reconnected: epoch 7 revision 12 resumed false",
			"reset: list interrupted, epoch 7 revision 12", "snapshot 10.0.0.0/8 10.1.0.0/16", "synced 12")
		for n := range 3 {
			if f.request(n).GetResumeAfter() != nil {
				t.Errorf("request %d has a token", n)
			}
		}
	})
}

func TestAStoredTokenIsUsed(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		script(errBroken, created(7, 10), events(event(6, added, route(1, "10.0.0.0/8")))),
		script(nil, created(7, 10), synced(10)),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{Resume: &vasic.Token{Revision: 5}, LiveOnly: true})
		defer w.Close()
		expectToken(t, w, &vasic.Token{Revision: 5})
		expect(t, w, "events 6 10.0.0.0/8", "disconnected: Unavailable, attempt 1", "reconnected: epoch 7 revision 10 resumed true", "synced 10")
		expectToken(t, w, &vasic.Token{Epoch: 7, Revision: 10})
		if r := f.request(0); r.GetResumeAfter().GetEpoch() != 0 || r.GetResumeAfter().GetRevision() != 5 || r.GetLiveOnly() {
			t.Errorf("first request: %v", r)
		}
		if r := f.request(1).GetResumeAfter(); r.GetEpoch() != 7 || r.GetRevision() != 6 {
			t.Errorf("second request resumes after %v, want epoch 7 revision 6", r)
		}
	})
}

func TestLiveOnlyResumesAndTellsOfGaps(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		script(errBroken, created(7, 10)),
		script(errCompacted),
		script(nil, created(7, 50), events(event(51, added, route(1, "10.0.0.0/8")))),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{LiveOnly: true})
		defer w.Close()
		expect(t, w, "reset: first list, epoch 7 revision 10")
		expectToken(t, w, &vasic.Token{Epoch: 7, Revision: 10})
		expect(t, w, "disconnected: Unavailable, attempt 1", "disconnected: OutOfRange, attempt 2",
			"reconnected: epoch 7 revision 50 resumed false", "reset: events compacted, epoch 7 revision 50", "events 51 10.0.0.0/8")
		if r := f.request(1); r.GetLiveOnly() || r.GetResumeAfter().GetRevision() != 10 {
			t.Errorf("second request: %v", r)
		}
		if r := f.request(2); !r.GetLiveOnly() || r.GetResumeAfter() != nil {
			t.Errorf("third request: %v", r)
		}
	})
}

func TestClosingIsDeliveredAndTheNextEpochIsListed(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		script(errStopping, created(7, 10), synced(10), closing(10)),
		script(errEpoch),
		script(nil, created(8, 0), synced(0)),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		expect(t, w, "reset: first list, epoch 7 revision 10", "synced 10", "closing 10")
		u, _ := w.Next(t.Context())
		if d, ok := u.(*vasic.Disconnected); !ok || !errors.Is(d.Err, vasic.ErrShuttingDown) {
			t.Errorf("got %v, want a disconnection because the switch stops", u)
		}
		expect(t, w, "disconnected: FailedPrecondition, attempt 2", "reconnected: epoch 8 revision 0 resumed false",
			"reset: epoch changed, epoch 8 revision 0", "synced 0")
	})
}
