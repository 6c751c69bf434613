package asic

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/vasic-project/vasic/fib"
)

// Distribution is how the time of an operation varies.
type Distribution uint8

// Distributions.
const (
	Constant    Distribution = iota // always the mean
	Uniform                         // evenly between mean - spread and mean + spread
	Normal                          // with standard deviation spread
	Exponential                     // with the mean; the spread has no meaning
)

var distributionNames = [...]string{"constant", "uniform", "normal", "exponential"}

// String returns the distribution as profiles spell it.
func (d Distribution) String() string { return distributionNames[d] }

// LatencyModel says how long operations take. A time below 0 counts as 0.
type LatencyModel struct {
	Distribution Distribution
	Mean         time.Duration
	Spread       time.Duration
	PerNextHop   time.Duration // added for each next hop that the operation writes
	MaxRate      uint32        // operations a second, on average; 0: no limit
}

// draw returns the time of one operation that writes so many next hops.
func (m *LatencyModel) draw(chance *rand.Rand, hops int) time.Duration {
	d := float64(m.Mean)
	switch m.Distribution {
	case Constant:
	case Uniform:
		d += float64(m.Spread) * (2*chance.Float64() - 1)
	case Normal:
		d += float64(m.Spread) * chance.NormFloat64()
	case Exponential:
		d *= chance.ExpFloat64()
	}
	d = max(d, 0) + float64(m.PerNextHop)*float64(hops)
	return time.Duration(min(max(d, 0), math.MaxInt64/2))
}

// Latency returns how long operations take.
func (c *Chip) Latency() LatencyModel { return *c.latency.Load() }

// SetLatency sets it from the next operation on.
func (c *Chip) SetLatency(m LatencyModel) { c.latency.Store(&m) }

// rateSlack is how far operations may run ahead of the rate, so that a rate of millions a second needs no timer for each of them.
const rateSlack = time.Millisecond

// work takes as long as an operation that writes so many next hops does, and extra.
func (c *Chip) work(ctx context.Context, hops int, extra time.Duration) {
	m := c.latency.Load()
	d := extra
	if m.Mean > 0 || m.Spread > 0 || m.PerNextHop > 0 {
		d += m.draw(c.chance, hops)
	}
	if m.MaxRate > 0 {
		now := time.Now()
		if c.paced.Before(now) {
			c.paced = now
		}
		c.paced = c.paced.Add(time.Second / time.Duration(m.MaxRate))
		if ahead := c.paced.Sub(now); ahead > d && ahead >= min(rateSlack, time.Second/time.Duration(m.MaxRate)) {
			d = ahead
		}
	}
	c.wait(ctx, d)
}

// wait lets time pass. What was done before is reported first, and the tables can be looked at meanwhile.
func (c *Chip) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	c.handOver()
	c.queue.advance(c.did)
	c.did = 0
	c.hw.Unlock()
	defer c.hw.Lock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// hopsOf is how many next hops an operation writes. The next hops of an object are written with the object.
func hopsOf(op *fib.Op) (n int) {
	for i := range op.Len() {
		if info := op.Ref(i).Info; info.NextHopID == 0 {
			n += len(info.NextHops)
		}
	}
	return n
}
