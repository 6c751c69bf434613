package notifier_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vasic-project/vasic/notifier"
)

// These tests run in virtual time: synctest.Wait returns when every other goroutine waits for good.

func TestNextWaitsForAnAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := notifier.New[meta](notifier.Config{})
		start := time.Now()
		const readers = 50
		woken := make(chan time.Duration, readers)
		for range readers {
			r := newReader(t, l, 0)
			go func() {
				var b notifier.Batch
				if err := r.Next(t.Context(), &b, 100, nil); err != nil || b.First != 1 || b.Last != 2 {
					t.Errorf("woken with %+v, %v", b, err)
				}
				woken <- time.Since(start)
			}()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(woken) != 0 {
			t.Fatalf("%d readers did not wait", len(woken))
		}
		appendEvents(l, 2, 20)
		synctest.Wait()
		if len(woken) != readers {
			t.Fatalf("%d readers were woken", len(woken))
		}
		for range readers {
			if after := <-woken; after != time.Hour {
				t.Errorf("woken after %v", after)
			}
		}
	})
}

func TestNextIsWokenAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := notifier.New[meta](notifier.Config{})
		r := newReader(t, l, 0)
		go func() {
			for range 100 {
				time.Sleep(time.Second)
				appendEvents(l, 1, 20)
			}
		}()
		start := time.Now()
		for i := range 100 {
			b := next(t, r, 1000, nil)
			if at := time.Since(start); b.Events != 1 || at != time.Duration(i+1)*time.Second {
				t.Fatalf("batch %d has %d events, at %v", i, b.Events, at)
			}
		}
	})
}

func TestNextReturnsWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := notifier.New[meta](notifier.Config{})
		appendEvents(l, 5, 20)
		r := newReader(t, l, 5)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var b notifier.Batch
		if err := r.Next(ctx, &b, 100, nil); !errors.Is(err, context.DeadlineExceeded) || b.Last != 5 || b.Events != 0 {
			t.Errorf("got %v, batch %+v", err, b)
		}
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
		appendEvents(l, 1, 20) // the reader has lost nothing
		if b := next(t, r, 100, nil); b.First != 6 {
			t.Errorf("goes on at revision %d, want 6", b.First)
		}
	})
}

func TestCloseWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := notifier.New[meta](notifier.Config{})
		errs := make(chan error, 3)
		for range 3 {
			r := newReader(t, l, 0)
			go func() {
				var b notifier.Batch
				errs <- r.Next(t.Context(), &b, 100, nil)
			}()
		}
		synctest.Wait()
		l.Close()
		for range 3 {
			if err := <-errs; !errors.Is(err, notifier.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestStuckReaderHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := notifier.New[meta](notifier.Config{CapacityBytes: 64 << 10})
		appendEvents(l, 10, 20)
		stuck, quick := newReader(t, l, 0), newReader(t, l, 10)
		release := make(chan struct{})
		done := make(chan error)
		go func() {
			var b notifier.Batch
			err := stuck.Next(t.Context(), &b, 1000, func(*meta) bool { <-release; return true })
			if err == nil {
				err = checkBatch(&b, 0, nil)
			}
			done <- err
		}()
		synctest.Wait()
		for range 1000 {
			appendEvents(l, 100, 20)
			for quick.Cursor() < l.Head() {
				next(t, quick, 1<<20, nil)
			}
		}
		close(release)
		if err := <-done; err != nil { // its batch is from memory that the log has long dropped
			t.Error(err)
		}
	})
}
