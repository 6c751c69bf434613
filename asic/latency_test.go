package asic_test

import (
	"slices"
	"testing"
	"time"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// took measures how long n operations take together, and the shortest and longest.
func took(t *testing.T, seed uint64, m asic.LatencyModel, n int) (each []time.Duration) {
	t.Helper()
	inBubble(t, asic.Config{Seed: seed}, func(r *rig) {
		r.SetLatency(m)
		for i := range n {
			start := time.Now()
			r.submit(r.replace(i%200, uint32(i+1), &fib.Info{Type: fib.TypeUnreachable}))
			if err := r.Idle(r.t.Context()); err != nil {
				t.Fatal(err)
			}
			each = append(each, time.Since(start))
		}
	})
	return each
}

func sum(list []time.Duration) (s time.Duration) {
	for _, d := range list {
		s += d
	}
	return s
}

func TestLatencyIsDistributedAsTheModelSays(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		m         asic.LatencyModel
		low, high time.Duration // of one
		from, to  time.Duration // of the mean
	}{
		{asic.LatencyModel{Mean: 10 * ms}, 10 * ms, 10 * ms, 10 * ms, 10 * ms},
		{asic.LatencyModel{Distribution: asic.Uniform, Mean: 10 * ms, Spread: 5 * ms}, 5 * ms, 15 * ms, 9 * ms, 11 * ms},
		{asic.LatencyModel{Distribution: asic.Normal, Mean: 10 * ms, Spread: 2 * ms}, 0, 25 * ms, 9 * ms, 11 * ms},
		{asic.LatencyModel{Distribution: asic.Exponential, Mean: 10 * ms}, 0, 200 * ms, 8 * ms, 12 * ms},
	} {
		each := took(t, 1, c.m, 500)
		if mean := sum(each) / 500; slices.Min(each) < c.low || slices.Max(each) > c.high || mean < c.from || mean > c.to {
			t.Errorf("%v: %v to %v, on average %v", c.m.Distribution, slices.Min(each), slices.Max(each), mean)
		}
		if again := took(t, 1, c.m, 500); !slices.Equal(each, again) {
			t.Errorf("%v: another run with the same seed takes other times", c.m.Distribution)
		}
	}
}

func TestRateBoundsOperationsASecond(t *testing.T) {
	for _, rate := range []uint32{10, 1_000, 100_000} {
		inBubble(t, asic.Config{}, func(r *rig) {
			r.SetLatency(asic.LatencyModel{MaxRate: rate})
			n := int(rate / 5)
			start := time.Now()
			r.submit(r.many(n, &fib.Info{Type: fib.TypeBlackhole})...)
			if err := r.Idle(r.t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d < 190*time.Millisecond || d > 210*time.Millisecond {
				t.Errorf("%d operations at %d a second took %v", n, rate, d)
			}
		})
	}
}

func TestNextHopsTakeTimeOfTheirOwn(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.SetLatency(asic.LatencyModel{Mean: time.Millisecond, PerNextHop: time.Second})
		a, b := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3")
		start := time.Now()
		r.submit(r.replace(1, 1, route(via(a, b)...)), r.op(fib.OpDelete, fib.IPv4, 1, 1))
		if err := r.Idle(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 2*time.Second+2*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}
