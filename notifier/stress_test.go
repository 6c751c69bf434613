package notifier_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vasic-project/vasic/notifier"
)

// TestReadersSeeEveryRevisionOnce has writers and readers at work at the same time. With room for everything nobody may
// fall off; with little room whoever does must be told. It runs once on real threads and once in virtual time, where
// readers also sleep.
func TestReadersSeeEveryRevisionOnce(t *testing.T) {
	tests := []struct {
		name     string
		capacity int
		roomy    bool
	}{
		{"room for everything", 64 << 20, true},
		{"room for little", 64 << 10, false},
		{"room for almost nothing", 4 << 10, false},
	}
	for _, tt := range tests {
		for seed := range uint64(2) {
			s := stress{capacity: tt.capacity, roomy: tt.roomy, seed: seed}
			t.Run(fmt.Sprintf("%s, threads, seed %d", tt.name, seed), func(t *testing.T) {
				s.pause = func(r *rand.Rand) {
					for range r.IntN(100) {
						runtime.Gosched()
					}
				}
				s.run(t)
			})
			t.Run(fmt.Sprintf("%s, virtual time, seed %d", tt.name, seed), func(t *testing.T) {
				s.pause = func(r *rand.Rand) { time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond) }
				synctest.Test(t, s.run)
			})
		}
	}
}

type stress struct {
	capacity int
	roomy    bool
	seed     uint64
	pause    func(*rand.Rand)
}

func (s stress) run(t *testing.T) {
	const writers, readers, appends = 3, 24, 150
	l := notifier.New[meta](notifier.Config{Epoch: 3, CapacityBytes: s.capacity})
	var writing, reading sync.WaitGroup
	for i := range writers {
		random := rand.New(rand.NewPCG(s.seed, uint64(i)))
		writing.Go(func() { s.write(t, l, random, appends) })
	}
	for i := range readers {
		random := rand.New(rand.NewPCG(s.seed, uint64(100+i)))
		reading.Go(func() {
			if err := s.read(t.Context(), l, random); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	writing.Wait()
	l.Close()
	reading.Wait()
	st := l.Stats()
	if st.Readers != 0 || st.Bytes > s.capacity {
		t.Errorf("at the end: %+v", st)
	}
	if !s.roomy && st.DroppedEvents == 0 {
		t.Errorf("nothing has been dropped, the test is too small")
	}
}

func (s stress) write(t *testing.T, l *notifier.Log[meta], random *rand.Rand, appends int) {
	for range appends {
		n := 1 + random.IntN(20)
		var first uint64
		last := l.Append(n, func(i int, revision uint64, dst []byte) ([]byte, meta) {
			if i == 0 {
				first = revision
			}
			if revision != first+uint64(i) {
				t.Errorf("revision %d is event %d after revision %d", revision, i, first)
			}
			return appendPayload(dst, revision, random.IntN(150)), meta{revision: revision, kind: kindOf(revision)}
		})
		if last != first+uint64(n)-1 || l.Head() < last {
			t.Errorf("Append of %d from %d returned %d, head is %d", n, first, last, l.Head())
		}
		if st := l.Stats(); st.Bytes > s.capacity || st.Oldest > st.Head+1 {
			t.Errorf("stats %+v", st)
		}
		if random.IntN(4) == 0 {
			s.pause(random)
		}
	}
}

// read joins, leaves, stalls and resumes until the log is closed and read to its end. It holds one old batch in ten to
// the end and judges it once more then.
func (s stress) read(ctx context.Context, l *notifier.Log[meta], random *rand.Rand) error {
	var match func(*meta) bool
	if random.IntN(2) == 0 {
		kind := random.Uint32N(kinds)
		match = func(m *meta) bool { return m.kind == kind }
	}
	type held struct {
		batch  notifier.Batch
		cursor uint64
	}
	var old []held
	after := uint64(0)
	r, err := l.NewReader(3, after)
	for {
		var compacted *notifier.CompactedError
		if errors.As(err, &compacted) {
			if s.roomy || compacted.Requested != after || compacted.Oldest <= after+1 {
				return fmt.Errorf("after %d: %w", after, err)
			}
			if r != nil {
				r.Close()
			}
			// Take up at the oldest event kept, or where a new snapshot would be.
			after = compacted.Oldest - 1
			if random.IntN(2) == 0 {
				after = l.Head()
			}
			// An Append under way may have dropped events that are not at the head yet.
			after = min(after, l.Head())
			r, err = l.NewReader(3, after)
			continue
		}
		if errors.Is(err, notifier.ErrClosed) {
			break
		}
		if err != nil {
			return err
		}

		var b notifier.Batch
		if err = r.Next(ctx, &b, random.IntN(3000), match); err != nil {
			continue
		}
		if err := checkBatch(&b, after, match); err != nil {
			return err
		}
		if random.IntN(10) == 0 {
			old = append(old, held{b, after})
		}
		after = b.Last
		switch random.IntN(20) {
		case 0: // stall
			s.pause(random)
		case 1: // leave and resume
			r.Close()
			s.pause(random)
			r, err = l.NewReader(3, after)
		}
	}
	if after != l.Head() || r.Cursor() != after {
		return fmt.Errorf("at the end: revision %d, cursor %d, head %d", after, r.Cursor(), l.Head())
	}
	r.Close()
	for _, h := range old {
		if err := checkBatch(&h.batch, h.cursor, match); err != nil {
			return fmt.Errorf("batch has changed: %w", err)
		}
	}
	return nil
}

// TestNoWakeUpIsLost appends each event just when the reader, having read the one before, is about to wait.
func TestNoWakeUpIsLost(t *testing.T) {
	l := notifier.New[meta](notifier.Config{})
	r := newReader(t, l, 0)
	var reading sync.WaitGroup
	defer reading.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reading.Go(func() {
		var b notifier.Batch
		for r.Next(ctx, &b, 100, nil) == nil {
		}
	})
	for i := range 30000 {
		head := appendEvents(l, 1, 20)
		for spins, start := 0, time.Now(); r.Cursor() < head; spins++ {
			if i%2 == 0 || spins > 1000 {
				runtime.Gosched()
			}
			if spins > 1000 && time.Since(start) > 5*time.Second {
				t.Fatalf("the reader waits at revision %d, head is %d", r.Cursor(), head)
			}
		}
	}
}

// TestNothingIsLostAtTheEnd closes the log right after the last event, while readers are about to wait.
func TestNothingIsLostAtTheEnd(t *testing.T) {
	for range 3000 {
		l := notifier.New[meta](notifier.Config{})
		var reading sync.WaitGroup
		for range 2 {
			r := newReader(t, l, 0)
			reading.Go(func() {
				defer r.Close()
				var b notifier.Batch
				var err error
				for err == nil {
					err = r.Next(t.Context(), &b, 100, nil)
				}
				if !errors.Is(err, notifier.ErrClosed) || r.Cursor() != 1 {
					t.Errorf("at revision %d of 1: %v", r.Cursor(), err)
				}
			})
		}
		runtime.Gosched()
		appendEvents(l, 1, 20)
		l.Close()
		reading.Wait()
	}
}

// TestLogAgreesWithAListOfEvents performs random operations, one at a time, on a log and on what it stands for: the list
// of all events, of which those before the oldest one are lost.
func TestLogAgreesWithAListOfEvents(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			capacity := 1 << (8 + random.IntN(10))
			l := notifier.New[meta](notifier.Config{CapacityBytes: capacity})
			readers := map[*notifier.Reader[meta]]uint64{} // and where they should be
			head, fallen := uint64(0), map[*notifier.Reader[meta]]bool{}
			for range 400 {
				switch op := random.IntN(10); {
				case op < 4:
					n := random.IntN(10)
					appendEvents(l, n, random.IntN(1+min(capacity/8, 600)))
					head += uint64(n)
				case op < 5:
					after := random.Uint64N(head + 3)
					r, err := l.NewReader(0, after)
					var future *notifier.FutureError
					var compacted *notifier.CompactedError
					wantFuture, wantCompacted := after > head, after+1 < l.Stats().Oldest
					if errors.As(err, &future) != wantFuture || errors.As(err, &compacted) != wantCompacted ||
						(err == nil) != (!wantFuture && !wantCompacted) {
						t.Fatalf("NewReader after %d, head %d, oldest %d: %v", after, head, l.Stats().Oldest, err)
					}
					if err == nil {
						readers[r] = after
					}
				default:
					for r, after := range readers { // any one
						if after == head {
							break
						}
						var match func(*meta) bool
						if kind := random.Uint32N(2 * kinds); kind < kinds {
							match = func(m *meta) bool { return m.kind == kind }
						}
						var b notifier.Batch
						err := r.Next(t.Context(), &b, random.IntN(2000), match)
						if after+1 < l.Stats().Oldest {
							var compacted *notifier.CompactedError
							if !errors.As(err, &compacted) {
								t.Fatalf("Next after %d, oldest %d: %v", after, l.Stats().Oldest, err)
							}
							fallen[r] = true
							if random.IntN(2) == 0 {
								r.Close()
								delete(readers, r)
							}
							break
						}
						if err == nil {
							err = checkBatch(&b, after, match)
						}
						if err != nil {
							t.Fatal(err)
						}
						readers[r] = b.Last
						break
					}
				}
				lag := uint64(0)
				for _, after := range readers {
					lag = max(lag, head-after)
				}
				s := l.Stats()
				if s.Head != head || s.Bytes > capacity || s.Readers != len(readers) || s.MaxLag != lag ||
					s.Compacted != uint64(len(fallen)) {
					t.Fatalf("head %d, %d readers, lag %d, %d fallen: %+v", head, len(readers), lag, len(fallen), s)
				}
			}
		})
	}
}
