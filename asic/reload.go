package asic

import (
	"context"

	"github.com/vasic-project/vasic/fib"
)

// Reload empties the chip, puts new resource sizes into force, and programs the FIB's candidates again, as `devlink dev reload` does. It
// finishes what is queued first, also while the chip is paused, up to what a fault rule stalls: that and what is behind it is abandoned. It returns when the replay
// is queued, with the number of entries. fail_route_offload and fail_route_delete are switched off. Once begun it goes on to its end, whatever becomes of ctx. While the chip is held it
// returns at once.
//
// Errors: ErrReloadForbidden: nothing was changed. ErrReloadFailed, or what Admit said to a replayed route: the chip is empty and
// takes no routes until a reload succeeds.
func (c *Chip) Reload(ctx context.Context, f *fib.FIB, place ...Place) (replayed int, err error) {
	if err := c.reloading.lock(ctx); err != nil {
		return 0, err
	}
	done := make(chan reloaded, 1)
	begun := false
	at(place, func() {
		if c.Knob(DontAllowReload) {
			return
		}
		begun = true
		f.Detach()
		c.reloadFailed.Store(true) // until it has not
		c.queue.pushReset(item{kind: itemRun, subject: func() { c.reload(f, done) }})
	})
	if !begun {
		c.reloading.unlock()
		return 0, errReloadBanned
	}
	if c.Stats().Held {
		return 0, nil
	}
	select {
	case r := <-done:
		return r.entries, r.err
	case <-c.done:
		return 0, ErrStopped
	}
}

// reloaded is the end of a reload.
type reloaded struct {
	entries int
	err     error
}

// reload does what Reload does when all before it is done, and says how it ended. Like all that follows up to the end it holds the hardware.
func (c *Chip) reload(f *fib.FIB, done chan<- reloaded) {
	c.reset()
	c.SetKnob(FailRouteOffload, false)
	c.SetKnob(FailRouteDelete, false)
	c.resources.apply()
	if c.Knob(FailReload) {
		c.reloadEnds(done, reloaded{err: errReloadBroken})
		return
	}
	c.hw.Unlock() // the FIB's locks come first
	n, err := f.Attach()
	c.hw.Lock()
	if err == nil {
		c.reloadFailed.Store(false)
		c.reloadEnds(done, reloaded{entries: n})
		return
	}
	c.queue.pushReset(item{kind: itemRun, subject: func() { // what was queued goes, too
		c.reset()
		c.resources.apply()
		c.reloadEnds(done, reloaded{err: err})
	}})
}

func (c *Chip) reloadEnds(done chan<- reloaded, r reloaded) {
	c.reloading.unlock()
	done <- r
}

// Knob is a switch that netdevsim has in debugfs. Knobs are read when an operation or a reload reaches the chip.
type Knob int

// The knobs.
const (
	FailRouteOffload Knob = iota // every route programmed fails
	FailRouteDelete              // every delete is refused, and hardware loses everything
	FailReload                   // reloads fail half-way
	DontAllowReload              // reloads are refused
	knobCount
)

// Knob returns whether a knob is on.
func (c *Chip) Knob(k Knob) bool { return c.knobs[k].Load() }

// SetKnob turns a knob.
func (c *Chip) SetKnob(k Knob, on bool) { c.knobs[k].Store(on) }
