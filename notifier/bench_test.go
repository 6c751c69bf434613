package notifier_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/vasic-project/vasic/notifier"
)

var benchPayload = appendPayload(nil, 0, 64)

func encodeBench(_ int, revision uint64, dst []byte) ([]byte, meta) {
	return append(dst, benchPayload...), meta{revision: revision}
}

// BenchmarkAppend is the cost of an event of 64 bytes to the writer, with batches of several sizes and nobody reading.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 16, 1024} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			l := notifier.New[meta](notifier.Config{})
			b.ReportAllocs()
			for n := 0; n < b.N; n += batch {
				l.Append(min(batch, b.N-n), encodeBench)
			}
			perSecond(b, float64(b.N))
		})
	}
}

// BenchmarkAppendWithStuckReaders is the same with readers that have stopped reading. It should cost the same.
func BenchmarkAppendWithStuckReaders(b *testing.B) {
	l := notifier.New[meta](notifier.Config{})
	for range 100 {
		newReader(b, l, 0)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += 1024 {
		l.Append(min(1024, b.N-n), encodeBench)
	}
	perSecond(b, float64(b.N))
}

// BenchmarkFanOut is the cost of an event that one writer appends and every reader reads, all of them together. The
// writer waits for the readers after every 64 batches, so that none falls off.
func BenchmarkFanOut(b *testing.B) {
	for _, filtered := range []bool{false, true} {
		for _, readers := range []int{1, 100} {
			b.Run(fmt.Sprintf("readers=%d/filtered=%t", readers, filtered), func(b *testing.B) {
				benchmarkFanOut(b, readers, filtered)
			})
		}
	}
}

func benchmarkFanOut(b *testing.B, readers int, filtered bool) {
	const batch, window = 256, 64 * 256
	l := notifier.New[meta](notifier.Config{})
	var match func(*meta) bool
	if filtered {
		match = func(m *meta) bool { return m.revision&1 == 0 }
	}
	var caughtUp, done sync.WaitGroup
	caughtUp.Add(readers)
	for range readers {
		r := newReader(b, l, 0)
		done.Go(func() {
			var batch notifier.Batch
			for {
				before := r.Cursor()
				err := r.Next(b.Context(), &batch, 32<<10, match)
				if errors.Is(err, notifier.ErrClosed) {
					return
				}
				if err != nil {
					b.Error(err)
					return
				}
				for w := before / window; w < batch.Last/window; w++ {
					caughtUp.Done()
				}
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		k := min(batch, b.N-n)
		l.Append(k, encodeBench)
		if n += k; n%window == 0 {
			caughtUp.Wait()
			caughtUp.Add(readers)
		}
	}
	l.Close()
	done.Wait()
	perSecond(b, float64(b.N)*float64(readers))
}

func perSecond(b *testing.B, events float64) {
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
}
