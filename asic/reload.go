package asic

import (
	"context"
	"fmt"

	"github.com/vasic-project/vasic/fib"
)

// Reload empties the chip, puts new resource sizes into force, and programs the FIB's candidates again, as `devlink dev reload` does. It
// finishes what is queued first, also while the chip is paused, and returns when the replay is queued, with the number of
// entries. fail_route_offload and fail_route_delete are switched off. Once begun it goes on to its end, whatever becomes of ctx.
//
// Errors: ErrReloadForbidden: nothing was changed. ErrReloadFailed, or what Admit said to a replayed route: the chip is empty and
// takes no routes until a reload succeeds.
func (c *Chip) Reload(ctx context.Context, f *fib.FIB) (replayed int, err error) {
	if c.Knob(DontAllowReload) {
		return 0, errReloadBanned
	}
	c.reloading.Lock()
	defer c.reloading.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx) // half a reload would leave the chip empty
	f.Detach()
	c.reloadFailed.Store(true) // until it has not
	if err := c.Inspect(ctx, c.reset); err != nil {
		return 0, fmt.Errorf("empty the chip: %w", err)
	}
	c.SetKnob(FailRouteOffload, false)
	c.SetKnob(FailRouteDelete, false)
	c.resources.apply()
	if c.Knob(FailReload) {
		return 0, errReloadBroken
	}
	if replayed, err = f.Attach(); err != nil {
		if emptied := c.Inspect(ctx, c.reset); emptied != nil {
			return 0, fmt.Errorf("empty the chip after %w: %w", err, emptied)
		}
		c.resources.apply()
		return 0, err
	}
	c.reloadFailed.Store(false)
	return replayed, nil
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
