package asic

import (
	"context"
	"time"

	"github.com/vasic-project/vasic/fib"
)

// fair is how many items are done before entries of changed groups have a turn, while both are there.
const fair = 64

// unit is a piece of the programming goroutine's work. The position of the chip counts all that had an effect.
type unit uint8

const (
	noUnit    unit = iota
	groupUnit      // write groups that are marked
	sliceUnit      // look at entries again, and at groups that lack rows
	itemUnit       // do the first item
)

// Run is the programming goroutine. It hands results to complete, and returns when ctx is done.
func (c *Chip) Run(ctx context.Context, complete func([]fib.Result)) {
	defer close(c.done)
	c.complete = complete
	for c.queue.take(ctx) {
		if f := c.queue.look(); c.delay == 0 && c.next(&f) == itemUnit {
			c.price(f.head)
		}
		if !c.wait(ctx) {
			return
		}
		if c.delay > 0 { // interrupted
			c.queue.settled(progress{upkeep: c.upkeep()}, c.isStalled)
			continue
		}
		if items, many := c.queue.batch(); many {
			c.doMany(ctx, items)
		} else {
			c.turn(c.doOne)
		}
	}
}

// next chooses what is done next. That depends on the state of the chip and on front only, so that it is the same wherever the same calls come at the same
// positions.
func (c *Chip) next(f *front) unit {
	switch {
	case len(c.groups.dirty) > 0: // hardware does what the order of the queue says
		return groupUnit
	case c.upkeep() > 0 && !c.abandoning && (!f.allowed || c.since >= fair && f.running || f.head.kind == itemRun):
		return sliceUnit
	case f.head != nil:
		return itemUnit
	}
	return noUnit
}

// doMany does the items, or those before something that takes time, and hands over what came of them together.
func (c *Chip) doMany(ctx context.Context, items []item) {
	var p progress
	f := front{running: true}
	c.hw.Lock()
	c.urgent, c.resetting = false, false
	for ctx.Err() == nil && (p.units == 0 || !c.queue.interrupt.Load()) {
		f.head, f.allowed = nil, p.items < len(items)
		if f.allowed {
			f.head = &items[p.items]
		} else if len(items) > 0 && len(c.groups.dirty) == 0 {
			break // there may be more by now
		}
		what := c.next(&f)
		if what == noUnit {
			break
		}
		if what == itemUnit {
			if c.price(f.head); c.delay > 0 {
				break
			}
		}
		if !c.do(what, &f, &p) || what == sliceUnit && !f.allowed {
			break
		}
	}
	c.handOver()
	p.upkeep = c.upkeep()
	c.hw.Unlock()
	c.queue.settled(p, c.isStalled)
}

// doOne does one unit in a turn of its own.
func (c *Chip) doOne() {
	var p progress
	f := c.queue.look()
	what := c.next(&f)
	c.hw.Lock()
	c.urgent, c.resetting, c.inTurn = f.urgent, f.reset, true
	if what != itemUnit || c.priced && c.delay == 0 {
		c.do(what, &f, &p)
	}
	c.handOver()
	c.inTurn = false
	p.upkeep = c.upkeep()
	c.hw.Unlock()
	c.queue.settled(p, c.isStalled)
}

// do does a unit and counts it. It returns false if a fault rule delays or stalls it: that its turn came is a unit, too.
func (c *Chip) do(what unit, f *front, p *progress) (done bool) {
	c.decided = false
	switch what {
	case noUnit:
		return true
	case groupUnit:
		before := len(c.groups.dirty)
		done = c.writeDirty()
		c.decided = c.decided || len(c.groups.dirty) < before
	case sliceUnit:
		c.takeUp(drain)
		c.offerRoom()
		c.refresh(drain)
		c.since, done = 0, true
	case itemUnit:
		if done = c.process(f.head); done {
			p.items++
			p.operations += opsAmong(f.head)
			c.priced, c.excused, c.held = false, false, 0
			c.since++
		}
	}
	if done && what != sliceUnit {
		c.offerRoom()
	}
	if c.upkeep() == 0 {
		c.since = 0
	}
	if done || c.decided {
		p.units++
	}
	return done
}

// process does one item. It returns false if a fault rule delays or stalls it.
func (c *Chip) process(it *item) bool {
	switch it.kind {
	case itemOp:
		if !c.abandoning && c.program(it) {
			return true
		}
		if c.abandoning && it.retry == 0 {
			c.abandoned(&it.op)
		}
		return c.abandoning
	case itemNextHop:
		return c.abandoning || c.nextHopChanged(it.subject.(*fib.NextHopUpdate)) || c.abandoning
	case itemLink:
		c.linkChanged(it.subject.(*fib.Link), it.on)
	case itemNeighbor:
		c.neighborChanged(it.subject.(*fib.Neighbor), it.on)
	case itemForget:
		c.neighborForgotten(it.subject.(*fib.Neighbor))
	case itemTryAgain:
		if !c.abandoning {
			c.tryDeletesAgain()
			c.vacated = true
		}
	case itemClear:
		c.clear()
	case itemRun:
		it.subject.(func())()
	}
	return true
}

// handOver gives the collected results away. The hardware can be looked at meanwhile.
func (c *Chip) handOver() {
	if len(c.results) == 0 {
		return
	}
	c.hw.Unlock()
	if c.inTurn {
		c.complete(c.results)
	} else {
		c.turn(func() { c.complete(c.results) })
	}
	c.hw.Lock()
	clear(c.results)
	c.results = c.results[:0]
}

// isStalled reports whether a fault rule holds what is next.
func (c *Chip) isStalled() bool { return c.held != 0 && c.faults.has(c.held) }

// price notes how long the first item takes.
func (c *Chip) price(it *item) {
	if !c.priced {
		c.priced, c.delay = true, c.timeOf(it)
	}
}

// linger lets the delay of a fault rule pass, as wait does. It ends when the rule is deleted, and is interrupted by a pause or a hold: what is left of it is to pass later.
func (c *Chip) linger(ctx context.Context) bool {
	timed, cancel := context.WithTimeout(ctx, c.delay)
	defer cancel()
	start, deleted := time.Now(), false
	err := c.queue.await(timed, nil, func() bool {
		deleted = !c.faults.has(c.delayedBy)
		return deleted || !c.queue.permitted()
	})
	if err == nil {
		c.queue.mu.Unlock()
	}
	if ctx.Err() != nil {
		return false
	}
	if c.delay -= time.Since(start); err != nil || deleted || c.delay <= 0 {
		c.delay, c.delayedBy = 0, 0
	}
	return true
}

// wait lets the time pass that what is next takes, with no lock held. It returns false when ctx is done.
func (c *Chip) wait(ctx context.Context) bool {
	if c.delayedBy != 0 {
		return c.linger(ctx)
	}
	if c.delay > 0 {
		t := time.NewTimer(c.delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return false
		}
		c.delay = 0
	}
	return true
}
