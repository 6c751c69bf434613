package fpm

import (
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// operation is one change of the switch.
type operation struct {
	entry  *entry
	remove bool
}

// plan takes entries off the queue and appends what has to be done about them, until there are limit operations or more.
// Entries whose last operation is not settled come back when it is.
func (r *rib) plan(ops []operation, limit int) []operation {
	for r.queue.len() > 0 && len(ops) < limit {
		e := r.queue.pop()
		e.dirty = false
		if !r.settled(e) {
			e.postponed = true
			continue
		}
		again := e.again
		e.again = false
		have := e.actual.id != 0
		want, known := r.content(e)
		before := len(ops)
		switch {
		case e.message == nil && !e.adopted && have:
			ops = append(ops, operation{e, true})
		case e.message == nil:
			r.forget(e)
		case !known:
		case !r.tables.fits(e.key.table):
			e.refused = true
		case have && e.actual.content == want:
			if again && e.verdict() == failed {
				ops = append(ops, operation{e, true}, operation{e, false})
			}
		case !e.refused:
			ops = append(ops, operation{e, false})
		case have: // what it had leads where zebra does not want it to lead any more
			ops = append(ops, operation{e, true})
		}
		e.ops += len(ops) - before
		r.evaluate(e)
	}
	return ops
}

// request writes the operation's request into m, which is used for the next one when it was sent. The next hops of a route are
// never changed.
func (r *rib) request(op operation, m *vasicv1.Route) vasicv1.RouteAction {
	e := op.entry
	*m = vasicv1.Route{Prefix: e.key.prefix.String(), Table: r.tables.offset + e.key.table, Metric: &r.metric}
	if e.key.source.IsValid() {
		m.SourcePrefix = e.key.source.String()
	}
	if op.remove {
		return vasicv1.RouteAction_ROUTE_ACTION_DELETE
	}
	m.Type, m.Protocol = vasicv1.RouteType(e.kind), uint32(e.protocol)
	if e.kind.rejects() {
		return vasicv1.RouteAction_ROUTE_ACTION_REPLACE
	}
	kind := r.kind(e)
	m.Type = vasicv1.RouteType(kind)
	if !kind.rejects() {
		m.NextHops = r.nextHops(e.paths)
	}
	return vasicv1.RouteAction_ROUTE_ACTION_REPLACE
}

// nextHops are the paths as the switch is told of them.
func (r *rib) nextHops(p *paths) []*vasicv1.NextHop {
	if p.hops != nil && p.names == r.links.version {
		return p.hops
	}
	p.hops, p.names = make([]*vasicv1.NextHop, 0, len(p.list)), r.links.version
	for _, way := range p.list {
		m := &vasicv1.NextHop{Weight: way.weight}
		if way.gateway.IsValid() {
			m.Gateway = way.gateway.String()
		}
		if way.link != 0 {
			m.Device, _ = r.links.name(way.link) // content found it
		}
		// Zebra has resolved the gateway: the switch, whose links need have no addresses, is to take it as it is.
		m.Onlink = m.Gateway != "" && m.Device != ""
		p.hops = append(p.hops, m)
	}
	return p.hops
}
