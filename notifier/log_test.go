package notifier_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/vasic-project/vasic/notifier"
)

func TestAppendNumbersEventsFromOne(t *testing.T) {
	l := notifier.New[meta](notifier.Config{Epoch: 7})
	if l.Epoch() != 7 || l.Head() != 0 {
		t.Fatalf("new log has epoch %d and head %d", l.Epoch(), l.Head())
	}
	var seen []uint64
	for _, n := range []int{1, 3, 0, -1, 2} {
		before := l.Head()
		last := l.Append(n, func(i int, revision uint64, dst []byte) ([]byte, meta) {
			if revision != before+uint64(i)+1 {
				t.Errorf("event %d after head %d has revision %d", i, before, revision)
			}
			if l.Head() != before {
				t.Errorf("head moved to %d before the Append ended", l.Head())
			}
			seen = append(seen, revision)
			return dst, meta{}
		})
		if last != before+uint64(max(n, 0)) || last != l.Head() {
			t.Errorf("Append(%d) after head %d returned %d, head is %d", n, before, last, l.Head())
		}
	}
	if want := []uint64{1, 2, 3, 4, 5, 6}; !slices.Equal(seen, want) {
		t.Errorf("encoded revisions %v, want %v", seen, want)
	}
}

func TestEncodeMayReturnOtherMemory(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	mine := make([]byte, 0, 64)
	for range 10 {
		l.Append(1, func(_ int, revision uint64, dst []byte) ([]byte, meta) {
			if len(dst) != 0 {
				t.Errorf("dst has %d bytes in it", len(dst))
			}
			mine = appendPayload(mine[:0], revision, 40)
			return mine, meta{}
		})
	}
	next(t, newReader(t, l, 0), 1<<20, nil)
}

func TestAppendThatPanicsKeepsTheEventsBefore(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic got lost")
			}
		}()
		l.Append(3, func(i int, revision uint64, dst []byte) ([]byte, meta) {
			dst = appendPayload(dst, revision, 20)
			if i == 2 {
				panic("no")
			}
			return dst, meta{}
		})
	}()
	if l.Head() != 2 {
		t.Fatalf("head is %d, want 2", l.Head())
	}
	appendEvents(l, 2, 30)
	if b := next(t, newReader(t, l, 0), 1<<20, nil); b.Events != 4 {
		t.Fatalf("read %d events, want 4", b.Events)
	}
}

func TestLogStaysWithinItsCapacity(t *testing.T) {
	tests := []struct {
		name         string
		capacity     int
		minSize      int
		maxSize      int
		events       int
		wantKeptPart float64 // of the capacity, as payload and metadata, at the end; 0: do not look
	}{
		{"tiny", 4 << 10, 12, 40, 5000, 0.5},
		{"tiny with events of half its size", 4 << 10, 12, 2000, 2000, 0},
		{"tiny with events that never fit", 4 << 10, 5000, 6000, 50, 0},
		{"tiny with some events that do not fit", 4 << 10, 12, 5000, 2000, 0},
		{"smaller than any event", 1, 12, 40, 100, 0},
		{"smaller than a segment", 300, 12, 40, 1000, 0},
		{"16 KiB", 16 << 10, 12, 100, 5000, 0.6},
		{"1 MiB of small events", 1 << 20, 12, 100, 50000, 0.85},
		{"1 MiB of events near the size of a segment", 1 << 20, 10000, 14000, 500, 0},
		{"1 MiB of mixed events", 1 << 20, 12, 40000, 2000, 0.4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(tt.capacity)))
			l := notifier.New[meta](notifier.Config{CapacityBytes: tt.capacity})
			sizes := []int{0}
			oldest := uint64(1)
			for int(l.Head()) < tt.events {
				size := tt.minSize + random.IntN(tt.maxSize-tt.minSize)
				head := appendEvents(l, 1, size)
				sizes = append(sizes, size)
				s := l.Stats()
				if s.Bytes > tt.capacity || s.CapacityBytes != tt.capacity {
					t.Fatalf("%d bytes kept of %d", s.Bytes, s.CapacityBytes)
				}
				if s.Head != head || s.Oldest < oldest || s.Oldest > head+1 || s.DroppedEvents != s.Oldest-1 {
					t.Fatalf("head %d, oldest was %d: %+v", head, oldest, s)
				}
				oldest = s.Oldest
			}
			kept := 0
			for _, size := range sizes[oldest:] {
				kept += size + 24
			}
			if kept > tt.capacity {
				t.Errorf("revisions from %d to %d are kept, %d bytes of %d", oldest, l.Head(), kept, tt.capacity)
			}
			if part := float64(kept) / float64(tt.capacity); part < tt.wantKeptPart {
				t.Errorf("only %.2f of the capacity holds events", part)
			}
			if oldest > l.Head() {
				return
			}
			r := newReader(t, l, oldest-1)
			for r.Cursor() < l.Head() {
				next(t, r, 10000, nil)
			}
		})
	}
}

func TestEventLargerThanTheLogEmptiesIt(t *testing.T) {
	l := notifier.New[meta](notifier.Config{CapacityBytes: 4 << 10})
	appendEvents(l, 3, 20)
	atHead := newReader(t, l, 3)
	if last := appendEvents(l, 1, 5<<10); last != 4 {
		t.Fatalf("Append returned %d, want 4", last)
	}
	if s := l.Stats(); s.Oldest != 5 || s.Bytes != 0 {
		t.Errorf("oldest %d, %d bytes kept, want 5 and 0", s.Oldest, s.Bytes)
	}
	var compacted *notifier.CompactedError
	var b notifier.Batch
	if err := atHead.Next(t.Context(), &b, 1, nil); !errors.As(err, &compacted) || compacted.Oldest != 5 {
		t.Errorf("Next before the large event: %v", err)
	}
	after := newReader(t, l, 4)
	appendEvents(l, 2, 20)
	if b := next(t, after, 100, nil); b.First != 5 || b.Last != 6 {
		t.Errorf("after the large event: revisions %d to %d, want 5 to 6", b.First, b.Last)
	}
}

func TestBatchesStayUnchangedWhenTheLogHasMovedOn(t *testing.T) {
	l := notifier.New[meta](notifier.Config{CapacityBytes: 32 << 10})
	type held struct{ now, then []byte }
	var all []held
	r := newReader(t, l, 0)
	for range 200 {
		appendEvents(l, 17, 50)
		for r.Cursor() < l.Head() {
			for _, chunk := range next(t, r, 333, nil).Chunks {
				all = append(all, held{chunk, bytes.Clone(chunk)})
			}
		}
	}
	if l.Stats().Oldest == 1 {
		t.Fatal("the log has dropped nothing")
	}
	for _, h := range all {
		if !bytes.Equal(h.now, h.then) {
			t.Fatalf("a chunk has changed from %x to %x", h.then, h.now)
		}
	}
}

func TestStuckReaderDoesNotKeepWhatHasBeenDropped(t *testing.T) {
	const capacity = 4 << 20
	before := heapBytes()
	l := notifier.New[meta](notifier.Config{CapacityBytes: capacity})
	r := newReader(t, l, 0)
	appendEvents(l, 10, 100)
	held := next(t, r, 1, nil)
	for range 40 {
		appendEvents(l, 8<<10, 100)
		if used := heapBytes() - before; used > capacity*5/4 {
			t.Fatalf("a log of %d bytes uses %d after %d events", capacity, used, l.Head())
		}
	}
	if err := checkBatch(&held, 0, nil); err != nil {
		t.Error(err)
	}
	var b notifier.Batch
	var compacted *notifier.CompactedError
	if err := r.Next(t.Context(), &b, 1, nil); !errors.As(err, &compacted) {
		t.Errorf("Next of the stuck reader: %v", err)
	}
}

// heapBytes is the size of what is reachable.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held on to during the first one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAppendDoesNotAllocateForEachEvent(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	payload := appendPayload(nil, 0, 60)
	allocs := testing.AllocsPerRun(20, func() {
		l.Append(10000, func(_ int, revision uint64, dst []byte) ([]byte, meta) {
			return append(dst, payload...), meta{revision: revision}
		})
	})
	if allocs > 50 { // 10000 events are 840 kB, four segments
		t.Errorf("%v allocations for 10000 events", allocs)
	}
}

func TestNextAllocatesNothingForABatchUsedAgain(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	appendEvents(l, 100000, 60)
	r := newReader(t, l, 0)
	var b notifier.Batch
	allocs := testing.AllocsPerRun(500, func() {
		if err := r.Next(t.Context(), &b, 2000, nil); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations for each Next", allocs)
	}
}
