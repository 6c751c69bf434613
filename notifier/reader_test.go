package notifier_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/vasic-project/vasic/notifier"
)

func TestNewReaderRefusesWhatItCannotContinue(t *testing.T) {
	full := notifier.New[meta](notifier.Config{Epoch: 7, CapacityBytes: 4 << 10})
	appendEvents(full, 1000, 20)
	oldest := full.Stats().Oldest
	if oldest < 500 || oldest > 1000 {
		t.Fatalf("oldest revision is %d", oldest)
	}
	tests := []struct {
		name  string
		epoch uint64
		after uint64
		want  error
	}{
		{"everything that is kept", 7, oldest - 1, nil},
		{"from now on", 7, 1000, nil},
		{"any epoch", 0, 999, nil},
		{"one too old", 7, oldest - 2, &notifier.CompactedError{Requested: oldest - 2, Oldest: oldest}},
		{"from the beginning", 7, 0, &notifier.CompactedError{Requested: 0, Oldest: oldest}},
		{"one too new", 7, 1001, &notifier.FutureError{Requested: 1001, Head: 1000}},
		{"greatest revision", 7, math.MaxUint64, &notifier.FutureError{Requested: math.MaxUint64, Head: 1000}},
		{"another epoch", 8, 1000, &notifier.EpochError{Requested: 8, Current: 7}},
		{"another epoch before anything else", 8, 5000, &notifier.EpochError{Requested: 8, Current: 7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := full.NewReader(tt.epoch, tt.after)
			if fmt.Sprintf("%T %[1]v", err) != fmt.Sprintf("%T %[1]v", tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil {
				return
			}
			defer r.Close()
			if r.Cursor() != tt.after {
				t.Errorf("cursor is %d, want %d", r.Cursor(), tt.after)
			}
		})
	}
	if n := full.Stats().Readers; n != 0 {
		t.Errorf("%d readers are open", n)
	}
}

func TestErrorsAreSentences(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{&notifier.CompactedError{Requested: 3, Oldest: 9},
			"notifier: events after revision 3 have been dropped, the oldest one kept is revision 9"},
		{&notifier.FutureError{Requested: 9, Head: 3},
			"notifier: revision 9 does not exist yet, the newest one is revision 3"},
		{&notifier.EpochError{Requested: 1, Current: 2},
			"notifier: epoch 1 is not the epoch of this log, which is 2"},
	}
	for _, tt := range tests {
		if tt.err.Error() != tt.want {
			t.Errorf("got %q, want %q", tt.err, tt.want)
		}
	}
}

func TestNextFillsBatchesUpToMaxBytes(t *testing.T) {
	odd := func(m *meta) bool { return m.revision%2 == 1 }
	none := func(*meta) bool { return false }
	all := func(*meta) bool { return true }
	tests := []struct {
		name     string
		sizes    []int
		maxBytes int
		match    func(*meta) bool
		want     [][2]uint64 // last revision and number of events of each batch
	}{
		{"exactly two", []int{20, 20, 20, 20}, 40, nil, [][2]uint64{{2, 2}, {4, 2}}},
		{"not quite two", []int{20, 20, 20}, 39, nil, [][2]uint64{{1, 1}, {2, 1}, {3, 1}}},
		{"one at least", []int{20, 20}, 0, nil, [][2]uint64{{1, 1}, {2, 1}}},
		{"one at least with a negative maximum", []int{20, 20}, -5, nil, [][2]uint64{{1, 1}, {2, 1}}},
		{"large one alone", []int{20, 500, 20}, 100, nil, [][2]uint64{{1, 1}, {2, 1}, {3, 1}}},
		{"everything", []int{20, 500, 20}, math.MaxInt, nil, [][2]uint64{{3, 3}}},
		{"filter that matches all", []int{20, 20, 20, 20}, 40, all, [][2]uint64{{2, 2}, {4, 2}}},
		{"filter, not quite two", []int{20, 20, 20}, 39, all, [][2]uint64{{1, 1}, {2, 1}, {3, 1}}},
		{"filter, large one alone", []int{20, 500, 20}, 100, all, [][2]uint64{{1, 1}, {2, 1}, {3, 1}}},
		{"filter does not count what it hides", []int{20, 500, 20, 500, 20}, 40, odd, [][2]uint64{{4, 2}, {5, 1}}},
		{"filter takes one at least", []int{20, 20, 20}, 0, odd, [][2]uint64{{2, 1}, {3, 1}}},
		{"filter that matches nothing", []int{20, 20, 20}, 1, none, [][2]uint64{{3, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := notifier.New[meta](notifier.Config{})
			l.Append(len(tt.sizes), func(i int, revision uint64, dst []byte) ([]byte, meta) {
				return appendPayload(dst, revision, tt.sizes[i]), meta{revision: revision, kind: kindOf(revision)}
			})
			r := newReader(t, l, 0)
			var got [][2]uint64
			for r.Cursor() < l.Head() {
				b := next(t, r, tt.maxBytes, tt.match)
				got = append(got, [2]uint64{b.Last, uint64(b.Events)})
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestNextCrossesSegmentsInOneBatch(t *testing.T) {
	l := notifier.New[meta](notifier.Config{CapacityBytes: 256 << 10}) // segments of 4 KiB
	appendEvents(l, 300, 100)
	appendEvents(l, 1, 10000)
	appendEvents(l, 300, 100)
	for name, match := range map[string]func(*meta) bool{"unfiltered": nil, "filtered": func(*meta) bool { return true }} {
		b := next(t, newReader(t, l, 0), 1<<20, match)
		if b.Events != 601 || len(b.Chunks) < 10 || len(b.Chunks) > 40 {
			t.Errorf("%s: %d events in %d chunks", name, b.Events, len(b.Chunks))
		}
	}
}

func TestEventsWithoutPayloadAreEvents(t *testing.T) {
	l := notifier.New[meta](notifier.Config{CapacityBytes: 1 << 20})
	l.Append(10000, func(_ int, revision uint64, dst []byte) ([]byte, meta) {
		if revision%2 == 0 {
			return nil, meta{revision: revision}
		}
		return dst, meta{revision: revision}
	})
	for _, match := range []func(*meta) bool{nil, func(m *meta) bool { return m.revision > 5 }} {
		var b notifier.Batch
		r, events := newReader(t, l, 0), 0
		for r.Cursor() < l.Head() {
			if err := r.Next(t.Context(), &b, 100, match); err != nil {
				t.Fatal(err)
			}
			events += b.Events
			if len(b.Chunks) != 0 {
				t.Fatalf("%d chunks", len(b.Chunks))
			}
		}
		if want := 10000; match == nil && events != want || match != nil && events != want-5 {
			t.Errorf("%d events", events)
		}
	}
}

func TestFilteredNextBoundsItsWork(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	appendEvents(l, 100000, 12)
	r := newReader(t, l, 0)
	looked, calls := 0, 0
	var b notifier.Batch
	for r.Cursor() < l.Head() {
		before := looked
		if err := r.Next(t.Context(), &b, 1<<20, func(*meta) bool { looked++; return false }); err != nil {
			t.Fatal(err)
		}
		if n := looked - before; n > 10000 || uint64(n) != b.Last-b.First+1 || b.Events != 0 || len(b.Chunks) != 0 {
			t.Fatalf("looked at %d events, batch %+v", n, b)
		}
		calls++
	}
	if looked != 100000 || calls < 10 {
		t.Errorf("looked at %d events in %d calls", looked, calls)
	}
}

func TestReaderThatFallsOffIsToldAndCountedOnce(t *testing.T) {
	l := notifier.New[meta](notifier.Config{CapacityBytes: 4 << 10})
	appendEvents(l, 10, 20)
	r := newReader(t, l, 3)
	appendEvents(l, 1000, 20)
	b := notifier.Batch{Events: 5, Chunks: [][]byte{{1}}}
	for range 2 {
		err := r.Next(t.Context(), &b, 100, nil)
		var compacted *notifier.CompactedError
		if !errors.As(err, &compacted) {
			t.Fatalf("got %v, want a CompactedError", err)
		}
		if want := (notifier.CompactedError{Requested: 3, Oldest: l.Stats().Oldest}); *compacted != want {
			t.Errorf("got %+v, want %+v", *compacted, want)
		}
		if len(b.Chunks) != 0 || b.Events != 0 || r.Cursor() != 3 {
			t.Errorf("batch %+v, cursor %d", b, r.Cursor())
		}
	}
	if s := l.Stats(); s.Compacted != 1 || s.Readers != 1 || s.MaxLag != 1007 {
		t.Errorf("stats: %+v", s)
	}
}

func TestStatsFollowReaders(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	if s := l.Stats(); s.Head != 0 || s.Oldest != 1 || s.Bytes != 0 || s.CapacityBytes != notifier.DefaultCapacityBytes {
		t.Errorf("stats of an empty log: %+v", s)
	}
	appendEvents(l, 10, 20)
	slow, quick := newReader(t, l, 4), newReader(t, l, 8)
	next(t, quick, 1000, nil)
	if s := l.Stats(); s.Readers != 2 || s.MaxLag != 6 {
		t.Errorf("two readers: %+v", s)
	}
	slow.Close()
	slow.Close()
	if s := l.Stats(); s.Readers != 1 || s.MaxLag != 0 {
		t.Errorf("one reader: %+v", s)
	}
	var b notifier.Batch
	if err := slow.Next(t.Context(), &b, 1, nil); !errors.Is(err, notifier.ErrClosed) {
		t.Errorf("Next of a closed reader: %v", err)
	}
}

func TestClosedLogIsReadToItsEnd(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	appendEvents(l, 10, 20)
	r := newReader(t, l, 0)
	l.Close()
	l.Close()
	if last := appendEvents(l, 1, 20); last != 10 {
		t.Errorf("Append to a closed log returned %d, want 10", last)
	}
	late := newReader(t, l, 6)
	for _, r := range []*notifier.Reader[meta]{r, late} {
		for r.Cursor() < 10 {
			next(t, r, 60, nil)
		}
		var b notifier.Batch
		if err := r.Next(t.Context(), &b, 60, nil); !errors.Is(err, notifier.ErrClosed) {
			t.Errorf("at the end: %v", err)
		}
	}
}

func TestNextLooksAtTheContextFirst(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	appendEvents(l, 10, 20)
	r := newReader(t, l, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var b notifier.Batch
	if err := r.Next(ctx, &b, 60, nil); !errors.Is(err, context.Canceled) || r.Cursor() != 0 {
		t.Errorf("got %v, cursor %d", err, r.Cursor())
	}
}
