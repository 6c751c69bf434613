package vasic_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vasic-project/vasic/clients/vasic"
)

func TestARefusedWatchEndsAndATemporaryRefusalDoesNot(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{script(errTooMany), script(errMalformed)}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		expect(t, w, "disconnected: ResourceExhausted, attempt 1")
		for range 2 {
			if u, err := w.Next(t.Context()); !errors.Is(err, vasic.ErrMalformed) {
				t.Errorf("got %v, %v; want MALFORMED", u, err)
			}
		}
		var list []error
		for _, err := range w.All(t.Context()) {
			list = append(list, err)
		}
		if len(list) != 1 || !errors.Is(list[0], vasic.ErrMalformed) {
			t.Errorf("All gives %v, want one error", list)
		}
	})
}

func TestAStreamThatEndsWellOrStartsBadlyIsTriedAgain(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		func(watchStream) error { return nil },
		script(nil, synced(1)),
		script(nil, created(7, 1), synced(1)),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		expect(t, w, "disconnected: Unavailable, attempt 1", "disconnected: Internal, attempt 2",
			"reconnected: epoch 7 revision 1 resumed false", "reset: first list, epoch 7 revision 1", "synced 1")
	})
}

func TestASilentStreamIsGivenUp(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{
		script(nil, created(7, 1), synced(1)),
		script(nil, created(7, 1), synced(1)),
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{BookmarkInterval: 5 * time.Second})
		defer w.Close()
		expect(t, w, "reset: first list, epoch 7 revision 1", "synced 1")
		start := time.Now()
		expect(t, w, "disconnected: Unavailable, attempt 1")
		if took := time.Since(start); took != 25*time.Second {
			t.Errorf("given up after %v, want 25s", took)
		}
		expect(t, w, "reconnected: epoch 7 revision 1 resumed true", "synced 1")
	})
}

func TestASlowCallerIsNotTakenForASilentSwitch(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{func(s watchStream) error {
		_ = s.Send(created(7, 1))
		_ = s.Send(synced(1))
		for revision := uint64(2); s.Context().Err() == nil; revision++ {
			_ = s.Send(bookmark(revision))
			sleep(s.Context(), 10*time.Second)
		}
		return nil
	}}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		expect(t, w, "reset: first list, epoch 7 revision 1", "synced 1")
		for revision := 2; revision < 20; revision++ {
			time.Sleep(time.Hour)
			expect(t, w, fmt.Sprintf("bookmark %d", revision))
		}
	})
}

func TestNextCanBeCancelledAndTheWatchGoesOn(t *testing.T) {
	f := &fakeSwitch{watches: []func(watchStream) error{script(nil, created(7, 1), synced(1))}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{})
		defer w.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		for range 2 {
			<-ctx.Done()
			if _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the context's error", err)
			}
		}
		expect(t, w, "reset: first list, epoch 7 revision 1", "synced 1")
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
}

func TestTheContextOrCloseEndsTheWatch(t *testing.T) {
	f := &fakeSwitch{}
	for range 2 {
		f.watches = append(f.watches, script(nil, created(7, 1), synced(1), synced(2), synced(3), synced(4), synced(5), synced(6), synced(7)))
	}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		w := c.Watch(ctx, vasic.WatchOptions{})
		expect(t, w, "reset: first list, epoch 7 revision 1")
		cancel()
		if _, err := w.Next(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want cancelled", err)
		}
		w.Close()

		w = c.Watch(t.Context(), vasic.WatchOptions{})
		expect(t, w, "reset: first list, epoch 7 revision 1")
		w.Close()
		w.Close()
		if _, err := w.Next(t.Context()); !errors.Is(err, vasic.ErrClosed) {
			t.Errorf("got %v, want closed", err)
		}
		synctest.Wait()
	})
}

// sleep is time.Sleep that a context ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
