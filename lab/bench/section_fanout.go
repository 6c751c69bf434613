package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Columns and rows of the fan-out tables, which the targets refer to.
const (
	colDelivered = "events/s, all watchers"
	colPerEvent  = "server ns/event"
	colWatcher   = "KB/watcher, idle"
	rowEach      = ", limit, encoded for each"
	rowOnce      = ", limit, encoded once"
	colRatio     = "rate with a stopped one, of that without"
)

// watchersRow is the name of the row of so many watchers.
func watchersRow(n int) string { return plural(n, "watcher") }

// fanout measures many watchers of one busy switch.
func (b *bench) fanout(ctx context.Context) error {
	s := b.sheet("3. Fan-out",
		column{colDelivered, whole}, column{"operations/s", whole}, column{colPerEvent, decimals(1)}, column{"client ns/event", decimals(1)},
		column{colWatcher, decimals(1)}, column{"KB/watcher, busy", decimals(1)})
	s.notef("The limit is a server without a switch, which encodes each event once for all watchers or once for each.")
	s.notef("Watchers of all events of a switch with %s routes, which a client replaces as quickly as the slowest watcher follows. They count events and do not "+
		"decode their routes; the client's time is theirs and the programming client's. Memory is live heap and stacks of the server, beyond what it needs at rest without watchers; busy, that includes what the programming needs; %d watchers share a connection. "+
		"The server's time includes the programming.", whole(float64(b.sizes.fanRoutes)), b.sizes.watchersPerConn)
	stopped := b.sheet("3. Fan-out: one watcher stopped dead", column{colRatio, decimals(3)}, column{"its memory, MB", decimals(2)})
	idle := b.sheet("3. Fan-out: idle watchers", column{colWatcher, decimals(1)}, column{"resident MB", decimals(1)}, column{"resident MB, without", decimals(1)})
	for round := range b.rounds {
		for _, n := range b.sizes.watchers {
			if err := b.busyWatchers(ctx, s, n, round); err != nil {
				return fmt.Errorf("%d watchers: %w", n, err)
			}
		}
		for _, each := range []bool{false, true} {
			if err := b.limitWatchers(ctx, s, b.sizes.compared, each, round); err != nil {
				return fmt.Errorf("limit: %w", err)
			}
		}
		if err := b.stoppedWatcher(ctx, stopped, round); err != nil {
			return fmt.Errorf("a stopped watcher: %w", err)
		}
		if err := b.idleWatchers(ctx, idle, round); err != nil {
			return fmt.Errorf("idle watchers: %w", err)
		}
	}
	return nil
}

// fanRig is a switch with routes and a client with watchers.
type fanRig struct {
	*rig
	fan  *child
	base memory // without watchers, at rest
}

// newFanRig starts one with so many watchers.
func (b *bench) newFanRig(ctx context.Context, role string, settings any, watchers, routes int) (_ *fanRig, err error) {
	base, err := b.newRig(ctx, role, settings)
	if err != nil {
		return nil, err
	}
	r := &fanRig{rig: base}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if r.fan, err = r.client(ctx, "fan"); err != nil {
		return nil, err
	}
	if err := r.fan.call(ctx, "table", tableArgs{File: b.table, Routes: routes}, nil); err != nil {
		return nil, err
	}
	if err := r.fan.call(ctx, "run", runArgs{Action: changes[0].action}, nil); err != nil {
		return nil, err
	}
	if role == "switch" {
		if _, err := r.whileBusy(ctx); err != nil { // which fills whatever a switch keeps for good
			return nil, err
		}
		if err := r.server.call(ctx, "memory", none{}, &r.base); err != nil {
			return nil, err
		}
	}
	err = r.fan.call(ctx, "open", openArgs{Watchers: watchers, PerConnection: b.sizes.watchersPerConn}, nil)
	return r, err
}

// newSwitchFan starts a switch with so many watchers.
func (b *bench) newSwitchFan(ctx context.Context, watchers, routes int) (*fanRig, error) {
	return b.newFanRig(ctx, "switch", switchSettings{Watchers: watchers + 10}, watchers, routes)
}

// limitWatchers measures what events cost a server without a switch.
func (b *bench) limitWatchers(ctx context.Context, s *sheet, n int, each bool, round int) error {
	r, err := b.newFanRig(ctx, "limit", limitSettings{Each: each}, n, b.sizes.fanRoutes)
	if err != nil {
		return err
	}
	defer r.stop()
	row := watchersRow(n) + rowOnce
	if each {
		row = watchersRow(n) + rowEach
	}
	return b.fanOnce(ctx, s, r, row, round)
}

// fanOnce measures the rate of events.
func (b *bench) fanOnce(ctx context.Context, s *sheet, r *fanRig, row string, round int) error {
	var f fanned
	if err := r.fan.call(ctx, "churn", fanArgs{Seconds: b.sizes.fanSeconds}, &f); err != nil {
		return err
	}
	b.sayf("fanout, round %d of %d: %s: %s events/s", round+1, b.rounds, row, whole(f.Events/f.Seconds))
	s.add(row, colDelivered, f.Events/f.Seconds)
	s.add(row, "operations/s", f.Operations/f.Seconds)
	s.add(row, colPerEvent, f.ServerCPU/f.Events*1e9)
	s.add(row, "client ns/event", f.ClientCPU/f.Events*1e9)
	return nil
}

// whileBusy is how much more the server needs in the midst of work, in bytes.
func (r *fanRig) whileBusy(ctx context.Context) (float64, error) {
	churn := make(chan error, 1)
	go func() { churn <- r.fan.call(ctx, "churn", fanArgs{Seconds: 0.1, Tail: 0.7}, nil) }()
	time.Sleep(fanWarm + 400*time.Millisecond)
	var now memory
	err := r.server.call(ctx, "memory", none{}, &now)
	return now.working() - r.base.working(), errors.Join(err, <-churn)
}

// grown is how much more the server needs than without watchers, in bytes.
func (r *fanRig) grown(ctx context.Context) (float64, error) {
	var now memory
	err := r.server.call(ctx, "memory", none{}, &now)
	return now.working() - r.base.working(), err
}

// busyWatchers measures so many watchers.
func (b *bench) busyWatchers(ctx context.Context, s *sheet, n, round int) error {
	r, err := b.newSwitchFan(ctx, n, b.sizes.fanRoutes)
	if err != nil {
		return err
	}
	defer r.stop()
	idle, err := r.grown(ctx)
	if err != nil {
		return err
	}
	row := watchersRow(n)
	if err := b.fanOnce(ctx, s, r, row, round); err != nil {
		return err
	}
	busy, err := r.whileBusy(ctx)
	if err != nil {
		return err
	}
	if n >= 100 { // of fewer it is lost in what the server needs anyway
		s.add(row, colWatcher, idle/float64(n)/1e3)
		s.add(row, "KB/watcher, busy", busy/float64(n)/1e3)
	}
	return nil
}

// stoppedWatcher measures the rate of the others with and without a watcher that does not read.
func (b *bench) stoppedWatcher(ctx context.Context, s *sheet, round int) error {
	r, err := b.newSwitchFan(ctx, b.sizes.stopped, b.sizes.fanRoutes)
	if err != nil {
		return err
	}
	defer r.stop()
	var rates [2]float64
	var needs [2]float64
	for _, on := range []bool{false, true, true, false} { // so that a drift of the machine cancels out
		if err := r.fan.call(ctx, "stall", stallArgs{on}, nil); err != nil {
			return err
		}
		var f fanned
		if err := r.fan.call(ctx, "churn", fanArgs{Seconds: b.sizes.fanSeconds / 2}, &f); err != nil {
			return err
		}
		which := 0
		if on {
			which = 1
		}
		rates[which] += f.Events / f.Seconds / 2
		if needs[which], err = r.grown(ctx); err != nil {
			return err
		}
	}
	b.sayf("fanout, round %d of %d: with a stopped watcher %.3f of the rate without", round+1, b.rounds, rates[1]/rates[0])
	row := watchersRow(b.sizes.stopped)
	s.add(row, colRatio, rates[1]/rates[0])
	s.add(row, "its memory, MB", (needs[1]-needs[0])/1e6)
	return nil
}

// idleWatchers measures many watchers that have nothing to do.
func (b *bench) idleWatchers(ctx context.Context, s *sheet, round int) error {
	r, err := b.newSwitchFan(ctx, b.sizes.idle, 1000)
	if err != nil {
		return err
	}
	defer r.stop()
	var now memory
	if err := r.server.call(ctx, "memory", none{}, &now); err != nil {
		return err
	}
	row := watchersRow(b.sizes.idle)
	each := (now.working() - r.base.working()) / float64(b.sizes.idle) / 1e3
	b.sayf("fanout, round %d of %d: %s: %.1f KB each", round+1, b.rounds, row, each)
	s.add(row, colWatcher, each)
	s.add(row, "resident MB", float64(now.Resident)/1e6)
	s.add(row, "resident MB, without", float64(r.base.Resident)/1e6)
	return nil
}
