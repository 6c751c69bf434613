package main

import (
	"context"
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Names of rows and columns of the whole path, which the targets refer to.
const (
	rowVasic = "vasic"
	rowLimit = "limit"
	rowPlain = "plain limit"
	rowKern  = "kernel, netlink"
	rowIP    = "kernel, ip -batch"

	colRate   = "routes/s"
	colServer = "server ns/route"
	colClient = "client ns/route"
	colWatch  = "watcher ns/route"
)

// path measures the way of a route from request to decoded flag event, beside the limit, the plain limit and the kernel.
func (b *bench) path(ctx context.Context) error {
	s := b.sheet("1. Whole path",
		column{colRate, whole}, column{"accepted/s", whole}, column{colServer, whole}, column{colClient, whole}, column{colWatch, whole},
		column{"events lost %", decimals(1)})
	s.notef("From the first request to the last flag event that a watcher has decoded (of deletes: the last deletion event, and hardware at rest). %d operations "+
		"a message; the client is never more than %s routes ahead of the watcher. `limit` is a gRPC server without a switch and `plain limit` the same with stock protobuf-go at both ends.", b.batch, whole(paceRoutes))
	kernel := kernelMissing()
	if kernel != "" {
		b.sayf("path: the kernel is not measured: %s", kernel)
		s.notef("The kernel was not measured: %s.", kernel)
	} else {
		s.notef("The kernel's rows are of a fresh network namespace: batches of %d requests by netlink, and a listener with a large buffer that decodes the notifications; and `ip -batch` "+
			"with %s routes beside `ip monitor`. The kernel works in the time of its client.", kernelBatch, whole(float64(b.sizes.ipBatch)))
	}
	for round := range b.rounds {
		for _, who := range []struct{ row, role string }{{rowVasic, "switch"}, {rowLimit, "limit"}, {rowPlain, "plain"}} {
			if err := b.pathOf(ctx, s, who.row, who.role, round); err != nil {
				return fmt.Errorf("%s: %w", who.row, err)
			}
		}
		if kernel != "" {
			continue
		}
		if err := b.kernelPath(ctx, s, round); err != nil {
			return fmt.Errorf("kernel: %w", err)
		}
	}
	b.pathRatios(s)
	return nil
}

// pathOf measures one server.
func (b *bench) pathOf(ctx context.Context, s *sheet, row, role string, round int) error {
	r, err := b.newLoadRig(ctx, role, tableArgs{Routes: b.sizes.path})
	if err != nil {
		return err
	}
	defer r.stop()
	for _, what := range changes {
		c, err := r.change(ctx, what, false)
		if err != nil {
			return err
		}
		b.sayf("path, round %d of %d: %s %s: %s routes/s", round+1, b.rounds, row, what.name, whole(c.perSecond()))
		name := row + ", " + what.name
		s.add(name, colRate, c.perSecond())
		s.add(name, "accepted/s", c.routes/c.accepted)
		s.add(name, colServer, c.nanos(c.server))
		s.add(name, colClient, c.nanos(c.loader))
		s.add(name, colWatch, c.nanos(c.watcher))
	}
	return nil
}

// kernelPath measures the kernel.
func (b *bench) kernelPath(ctx context.Context, s *sheet, round int) error {
	k, err := startChild(ctx, "kernel", none{}, nil, kernelNamespace)
	if err != nil {
		b.sayf("path: the kernel is not measured: %v", err)
		s.notef("The kernel was not measured: this machine does not allow it.")
		return nil
	}
	defer k.stop()
	if err := k.call(ctx, "table", tableArgs{File: b.table, Routes: b.sizes.path}, nil); err != nil {
		return err
	}
	for _, what := range changes {
		var done kernelRan
		if err := k.call(ctx, "run", runArgs{Action: what.action, Shift: what.shift}, &done); err != nil {
			return err
		}
		b.sayf("path, round %d of %d: kernel %s: %s routes/s", round+1, b.rounds, what.name, whole(float64(done.Routes)/done.Seconds))
		name, n := rowKern+", "+what.name, float64(done.Routes)
		s.add(name, colRate, n/done.Seconds)
		s.add(name, colClient, done.SenderCPU/n*1e9)
		s.add(name, colWatch, done.ListenCPU/n*1e9)
		s.add(name, "events lost %", 100*(1-float64(done.Heard)/n))
	}
	if err := k.call(ctx, "table", tableArgs{File: b.table, Routes: b.sizes.ipBatch}, nil); err != nil {
		return err
	}
	var done ipRan
	if err := k.call(ctx, "ip", none{}, &done); err != nil {
		return err
	}
	b.sayf("path, round %d of %d: ip -batch: %s routes/s", round+1, b.rounds, whole(float64(done.Routes)/done.Seconds))
	name, n := rowIP+", adds", float64(done.Routes)
	s.add(name, colRate, n/done.Seconds)
	s.add(name, colClient, done.BatchCPU/n*1e9)
	s.add(name, colWatch, done.MonitorCPU/n*1e9)
	s.add(name, "events lost %", 100*(1-float64(done.Printed)/n))
	return nil
}

// pathRatios compares vasic with the others, round by round.
func (b *bench) pathRatios(s *sheet) {
	ratios := b.sheet("1. Whole path: vasic's rate as a multiple of the others'", column{"adds", decimals(2)}, column{"replaces", decimals(2)}, column{"deletes", decimals(2)})
	for _, other := range []string{rowLimit, rowPlain, rowKern, rowIP} {
		for _, what := range changes {
			if rates := s.get(other+", "+what.name, colRate); len(rates) > 0 {
				ratios.set("of "+other, what.name, s.get(rowVasic+", "+what.name, colRate).over(rates))
			}
		}
	}
}

// addAll adds the table to a switch.
func (r *loadRig) addAll(ctx context.Context, one bool) error {
	_, err := r.change(ctx, changes[0], one)
	return err
}

// deleteAll deletes it.
func (r *loadRig) deleteAll(ctx context.Context) (cost, error) {
	for _, what := range changes {
		if what.action == vasicv1.RouteAction_ROUTE_ACTION_DELETE {
			return r.change(ctx, what, false)
		}
	}
	return cost{}, nil
}
