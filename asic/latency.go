package asic

import (
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

// timeOf returns how long an item takes: an operation as the model says, and anything else no time.
func (c *Chip) timeOf(it *item) time.Duration {
	m := c.latency.Load()
	if *m == (LatencyModel{}) {
		return 0
	}
	switch it.kind {
	case itemNextHop:
		if u := it.subject.(*fib.NextHopUpdate); !u.Gone {
			return c.draw(m, len(u.Hops))
		}
	case itemOp:
		if takes, hops := c.takesTime(it); takes {
			return c.draw(m, hops)
		}
	}
	return 0
}

// takesTime reports whether an operation takes time, and how many next hops it writes.
func (c *Chip) takesTime(it *item) (takes bool, hops int) {
	op := &it.op
	if op.Source.IsValid() {
		return false, 0
	}
	if op.Kind == fib.OpDelete {
		if it.retry != 0 {
			if _, ok := c.deletions.find(it); !ok {
				return false, 0
			}
		}
		return !c.profile.simulated, 0
	}
	if it.retry != 0 && (c.attempt(it) == nil || !c.retryFailed.Load()) {
		return false, 0
	}
	if op.Kind == fib.OpAppend && c.profile.simulated {
		if t := c.byKey[tableKey{op.Family, op.Table}]; t != nil && c.knobFailure() == (verdict{}) {
			if t.entry(op.Prefix) != 0 {
				return false, 0
			}
		}
	}
	return true, hopsOf(op)
}

// draw returns the time of one operation that writes so many next hops, from now on.
func (c *Chip) draw(m *LatencyModel, hops int) (d time.Duration) {
	if m.Mean > 0 || m.Spread > 0 || m.PerNextHop > 0 {
		d = m.draw(c.chance, hops)
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
	return d
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
