package fpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Flags of a route (rtm_flags) that say what hardware made of it.
const (
	routeOffload       = 0x4000     // RTM_F_OFFLOAD
	routeTrap          = 0x8000     // RTM_F_TRAP
	routeOffloadFailed = 0x20000000 // RTM_F_OFFLOAD_FAILED
)

// appendAnswer appends a frame with zebra's own message and the flags of the verdict. Zebra reads one message of a frame, and
// takes it only with NLM_F_REQUEST and the table and protocol that it wrote.
func appendAnswer(b, message []byte, v verdict, trap TrapAnswer) []byte {
	start := len(b) + frameHeaderLen
	b = appendFrame(b, message)
	m := b[start:]
	binary.NativeEndian.PutUint16(m[flagsOffset:], binary.NativeEndian.Uint16(m[flagsOffset:])|flagRequest)
	at := m[messageHeaderLen+routeFlags:]
	flags := binary.NativeEndian.Uint32(at) &^ (routeOffload | routeTrap | routeOffloadFailed)
	switch v {
	case offloaded:
		flags |= routeOffload
	case trapped:
		flags |= routeTrap
		if trap == AnswerOffloadTrap {
			flags |= routeOffload
		}
	case failed:
		flags |= routeOffloadFailed
	}
	binary.NativeEndian.PutUint32(at, flags)
	return b
}

// writeAnswers writes what zebra has to be told, until the connection is over. Reading goes on meanwhile.
func (c *connection) writeAnswers() {
	var b []byte
	for {
		var wait time.Duration
		c.locked(func() { b, wait = c.collect(b[:0], time.Now()) })
		if len(b) > 0 {
			_ = c.conn.SetWriteDeadline(time.Now().Add(c.config.WriteTimeout)) // Write fails where this does
			if _, err := c.conn.Write(b); err != nil {
				c.end(fmt.Errorf("writing answers: %w", err))
				return
			}
			continue
		}
		var later <-chan time.Time
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-c.wake:
		case <-later:
		case <-c.closed:
			return
		}
	}
}

// collect appends answers that are due, and says how long to wait for those that a fault holds back; 0 if there are none.
// Called with mu held.
func (c *connection) collect(b []byte, now time.Time) (_ []byte, wait time.Duration) {
	if c.connection != c {
		return b, 0
	}
	faults := &c.faults
	ends := []int{}
	one := func(message []byte, v verdict) {
		b = appendAnswer(b, message, v, c.config.Trap)
		ends = append(ends, len(b))
	}
	for c.rib.outdated.len() > 0 && len(b) < answerBytes {
		if o := c.rib.outdated.pop(); faults.cover(o.prefix) && c.happens(faults.Stale) {
			c.metrics.faults[faultStale].Inc()
			one(o.message, offloaded)
		}
	}
	for len(b) < answerBytes {
		e, mature := c.held.ready(now)
		if !mature {
			if c.rib.answers.len() == 0 {
				break
			}
			e = c.rib.answers.pop()
		}
		e.due = false
		v := c.rib.judge(e)
		if v == undecided || v == e.told {
			continue
		}
		hit := faults.cover(e.key.prefix)
		switch {
		case hit && faults.Never:
			c.metrics.faults[faultNever].Inc()
			continue // until the faults change
		case hit && !mature && (faults.Delay > 0 || faults.Jitter > 0):
			e.due = true
			c.metrics.faults[faultDelay].Inc()
			c.held.hold(e, now.Add(faults.Delay+time.Duration(c.chance.Float64()*float64(faults.Jitter))))
			continue
		}
		c.rib.tell(e, v)
		if hit && c.happens(faults.Lost) {
			c.metrics.faults[faultLost].Inc()
			continue
		}
		one(e.message, v)
		c.metrics.answers[v].Inc()
		c.metrics.answerSeconds.Observe(now.Sub(e.since).Seconds())
		if hit && c.happens(faults.Duplicate) {
			c.metrics.faults[faultDuplicate].Inc()
			one(e.message, v)
		}
	}
	if faults.Reorder > 1 && len(ends) > 1 {
		c.metrics.faults[faultReorder].Inc()
		b = reversed(b, ends, faults.Reorder)
	}
	return b, c.held.wait(now)
}

// happens draws whether something of that probability happens. Called with mu held.
func (r *Router) happens(probability float64) bool {
	return probability > 0 && r.chance.Float64() < probability
}

// reversed turns each run of n frames around. ends are where the frames end in b.
func reversed(b []byte, ends []int, n int) []byte {
	out := make([]byte, 0, len(b))
	start := 0
	for run := range slices.Chunk(ends, n) {
		for i, end := range slices.Backward(run) {
			from := start
			if i > 0 {
				from = run[i-1]
			}
			out = append(out, b[from:end]...)
		}
		start = run[len(run)-1]
	}
	return out
}

// errNoConnection is what Disconnect returns where there is nothing to end.
var errNoConnection = errors.New("fpm: zebra is not connected")

// Disconnect ends zebra's connection. Zebra connects again after three seconds, and sends everything anew.
func (r *Router) Disconnect() error {
	r.mu.Lock()
	c := r.connection
	r.mu.Unlock()
	if c == nil {
		return errNoConnection
	}
	c.end(errDisconnected)
	return nil
}
