package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// rig is a server with the clients of one measurement.
type rig struct {
	server   *child
	settings clientSettings
	children []*child
}

// newRig starts a server in one of its roles.
func (b *bench) newRig(ctx context.Context, role string, settings any) (*rig, error) {
	var at served
	s, err := startChild(ctx, role, settings, &at)
	if err != nil {
		return nil, err
	}
	return &rig{
		server: s, children: []*child{s},
		settings: clientSettings{Target: at.Address, Plain: role == "plain", Batch: b.batch, ServerPID: s.pid},
	}, nil
}

// stop ends all processes, clients first.
func (r *rig) stop() {
	for i := len(r.children) - 1; i >= 0; i-- {
		r.children[i].stop()
	}
}

// client starts a client in one of its roles.
func (r *rig) client(ctx context.Context, role string) (*child, error) {
	return r.clientThatSays(ctx, role, nil)
}

// clientThatSays starts a client that has something to say at its start.
func (r *rig) clientThatSays(ctx context.Context, role string, hello any) (*child, error) {
	c, err := startChild(ctx, role, r.settings, hello)
	if err != nil {
		return nil, err
	}
	r.children = append(r.children, c)
	return c, nil
}

// loadRig is a rig with a programming client, its table made, and a watcher.
type loadRig struct {
	*rig
	load, watch, query *child
	pace               served // where the watcher says how far it is
	table              tableMade
	shift              int
}

// newLoadRig starts one.
func (b *bench) newLoadRig(ctx context.Context, role string, t tableArgs) (_ *loadRig, err error) {
	base, err := b.newRig(ctx, role, none{})
	if err != nil {
		return nil, err
	}
	r := &loadRig{rig: base}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if r.load, err = r.client(ctx, "load"); err != nil {
		return nil, err
	}
	if r.watch, err = r.clientThatSays(ctx, "watch", &r.pace); err != nil {
		return nil, err
	}
	if role == "switch" {
		if r.query, err = r.client(ctx, "query"); err != nil {
			return nil, err
		}
	}
	err = r.makeTable(ctx, b, t)
	return r, err
}

// makeTable makes another table.
func (r *loadRig) makeTable(ctx context.Context, b *bench, t tableArgs) error {
	t.File = b.table
	return r.load.call(ctx, "table", t, &r.table)
}

// cost is what a change of a whole table took.
type cost struct {
	seconds                 float64
	accepted                float64 // seconds until the last answer
	server, loader, watcher float64 // seconds of processor time
	routes                  float64
}

// perSecond is the rate of routes.
func (c cost) perSecond() float64 { return c.routes / c.seconds }

// nanos is processor time a route, in nanoseconds.
func (c cost) nanos(seconds float64) float64 { return seconds / c.routes * 1e9 }

// change does something with the whole table, from the first request to the last event that the watcher has decoded, and until hardware is at rest.
// It checks that the events are about the right routes.
func (r *loadRig) change(ctx context.Context, what change, one bool) (c cost, err error) {
	if what.action == vasicv1.RouteAction_ROUTE_ACTION_REPLACE {
		r.shift++
	}
	if err := r.watch.call(ctx, "expect", expectArgs{what.seen, r.table.Routes}, nil); err != nil {
		return c, err
	}
	var meters [3]*meter
	for i, child := range []*child{r.server, r.load, r.watch} {
		if meters[i], err = newMeter(child.pid); err != nil {
			return c, err
		}
	}
	var done ran
	var events seen
	loadErr := r.load.call(ctx, "run", runArgs{Action: what.action, Shift: r.shift, One: one, Pace: r.pace.Address}, &done)
	watchErr := r.watch.call(ctx, "await", none{}, &events)
	if err := errors.Join(loadErr, watchErr); err != nil {
		return c, err
	}
	end := time.Unix(0, events.End)
	if what.seen == vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED && r.query != nil { // which hardware follows
		if err := r.query.call(ctx, "idle", none{}, nil); err != nil {
			return c, err
		}
		end = time.Now()
	}
	for i, to := range []*float64{&c.server, &c.loader, &c.watcher} {
		if *to, err = meters[i].seconds(); err != nil {
			return c, err
		}
	}
	if events.Sum != r.table.Sum {
		return c, fmt.Errorf("%s: the events are about other routes than the requests", what.name)
	}
	start := time.Unix(0, done.Start)
	c.seconds, c.accepted, c.routes = end.Sub(start).Seconds(), time.Unix(0, done.Accepted).Sub(start).Seconds(), float64(r.table.Routes)
	return c, nil
}
