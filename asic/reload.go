package asic

import (
	"context"
	"fmt"
	"time"

	"github.com/vasic-project/vasic/fib"
)

// Reload empties the chip, puts new resource sizes into force, and programs the FIB's candidates again, as `devlink dev reload` does. It
// finishes what is queued first, also while the chip is paused, and returns when the replay is queued, with the number of
// entries. fail_route_offload and fail_route_delete are switched off.
//
// Errors: ErrReloadForbidden: nothing was changed. ErrReloadFailed, or what Admit said to a replayed route: the chip is empty and
// takes no routes until a reload succeeds.
func (c *Chip) Reload(ctx context.Context, f *fib.FIB) (replayed int, err error) {
	if c.dontAllowReload.Load() {
		return 0, errReloadBanned
	}
	c.reloading.Lock()
	defer c.reloading.Unlock()
	f.Detach()
	c.reloadFailed.Store(true) // until it has not
	if err := c.Inspect(ctx, c.clear); err != nil {
		return 0, fmt.Errorf("empty the chip: %w", err)
	}
	c.failRouteOffload.Store(false)
	c.failRouteDelete.Store(false)
	c.resources.apply()
	if c.failReload.Load() {
		return 0, errReloadBroken
	}
	if replayed, err = f.Attach(); err != nil {
		if emptied := c.Inspect(ctx, c.clear); emptied != nil {
			return 0, fmt.Errorf("empty the chip after %w: %w", err, emptied)
		}
		c.resources.apply()
		return 0, err
	}
	c.reloadFailed.Store(false)
	return replayed, nil
}

// Latency is how long programming one operation takes.
func (c *Chip) Latency() time.Duration { return time.Duration(c.latency.Load()) }

// SetLatency sets it from the next operation on. Negative means none.
func (c *Chip) SetLatency(d time.Duration) { c.latency.Store(int64(max(d, 0))) }

// Knobs are the switches that netdevsim has in debugfs.
type Knobs struct {
	FailRouteOffload bool // every route programmed fails
	FailRouteDelete  bool // every delete is refused, and hardware loses everything
	FailReload       bool // reloads fail half-way
	DontAllowReload  bool // reloads are refused
}

// Knobs returns the switches.
func (c *Chip) Knobs() Knobs {
	return Knobs{
		FailRouteOffload: c.failRouteOffload.Load(), FailRouteDelete: c.failRouteDelete.Load(),
		FailReload: c.failReload.Load(), DontAllowReload: c.dontAllowReload.Load(),
	}
}

// SetKnobs sets all switches. They are read when an operation reaches the chip.
func (c *Chip) SetKnobs(k Knobs) {
	c.failRouteOffload.Store(k.FailRouteOffload)
	c.failRouteDelete.Store(k.FailRouteDelete)
	c.failReload.Store(k.FailReload)
	c.dontAllowReload.Store(k.DontAllowReload)
}
