package fpm

import (
	"net/netip"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// tableRange is the share that a router has in the tables of its switch: its table t is the switch's offset + t, up to last.
type tableRange struct {
	offset, last uint32
}

// holds says whether the switch's table is in the range, and which of the router's it is.
func (t tableRange) holds(table uint32) (uint32, bool) {
	return table - t.offset, table > t.offset && table <= t.last
}

// fits says whether the router's table is in the range.
func (t tableRange) fits(table uint32) bool { return table <= t.last-t.offset }

// accepted is an operation that the switch has accepted, and whose events have not come.
type accepted struct {
	revision uint64
	entry    *entry
}

// reset forgets what the switch has, because a list of it follows. Operations without an answer are given up: what became of
// them is in the list, or in the events that follow it.
func (r *rib) reset() {
	r.synced = false
	r.revision = 0
	r.awaiting = queue[accepted]{}
	for _, e := range r.entries {
		e.actual, e.result = actual{}, result{}
		e.ops, e.revision = 0, 0
	}
}

// list takes over a route of the list.
func (r *rib) list(m *vasicv1.Route) {
	if e := r.entryOf(m, true); e != nil {
		e.actual = actual{id: m.GetId(), generation: m.GetGeneration(), content: contentOfRoute(m), verdict: verdictOf(m)}
		e.actual.flagged = e.actual.verdict != undecided
	}
}

// sync ends the list, which is complete up to the revision, and queues all that differs from it.
func (r *rib) sync(revision uint64) {
	r.synced, r.lost = true, false
	r.revision = max(r.revision, revision)
	for _, e := range r.entries {
		e.postponed = false
		r.abandon(e)
		r.markDirty(e)
		r.evaluate(e)
	}
}

// desync notes that what the switch has is not known any more.
func (r *rib) desync() { r.synced = false }

// lose notes that the switch has been away for too long: zebra must not rely on what it was told.
func (r *rib) lose() {
	if r.synced {
		return
	}
	r.lost = true
	for _, e := range r.entries {
		r.evaluate(e)
	}
}

// observe takes over events in the order of the switch's log.
func (r *rib) observe(events []*vasicv1.Event) {
	if len(events) > 0 {
		r.revision = max(r.revision, events[len(events)-1].GetRevision())
	}
	touched := r.touched[:0]
	for _, ev := range events {
		m := ev.GetRoute()
		e := r.entryOf(m, ev.GetKind() != vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED)
		if e == nil {
			continue
		}
		e.actual.stood = e.stands()
		e.actual.take(ev, m)
		touched = append(touched, e)
	}
	for _, e := range touched { // when all are taken: one may be about the same entry as the next
		r.abandon(e)
		if r.settled(e) {
			r.settle(e)
		}
	}
	clear(touched)
	r.touched = touched
	r.advance(r.revision)
}

// abandon gives up an entry that was only there because the switch had a route.
func (r *rib) abandon(e *entry) {
	if !e.adopted || e.actual.id != 0 {
		return
	}
	e.adopted = false
	if e.epoch != r.epoch {
		r.stale--
	}
}

// take changes what the switch has by an event.
func (a *actual) take(ev *vasicv1.Event, m *vasicv1.Route) {
	switch ev.GetKind() {
	case vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED, vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED:
		// A silent replacement leaves generation and flags as they are.
		flagged := a.flagged && a.generation == m.GetGeneration()
		stood := a.stood && a.id == m.GetId()
		*a = actual{id: m.GetId(), generation: m.GetGeneration(), content: contentOfRoute(m), verdict: verdictOf(m), flagged: flagged, stood: stood}
	case vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED:
		if a.id == m.GetId() {
			a.verdict, a.flagged, a.stood = verdictOf(m), true, false
		}
	case vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED:
		switch {
		case a.id != m.GetId():
		case ev.GetPartial():
			a.generation = m.GetGeneration()
			for _, h := range m.GetNextHops() {
				a.content.remove(hopOf(h))
			}
		default:
			*a = actual{}
		}
	}
}

// advance notes that all events up to the revision have come.
func (r *rib) advance(revision uint64) {
	r.revision = max(r.revision, revision)
	for r.awaiting.len() > 0 && r.awaiting.first().revision <= r.revision {
		e := r.awaiting.pop().entry
		if r.settled(e) {
			r.settle(e)
		}
	}
}

// settle goes on with an entry whose state in the switch is known again.
func (r *rib) settle(e *entry) {
	if e.postponed {
		e.postponed = false
		r.markDirty(e)
	}
	r.evaluate(e)
	r.forget(e)
}

// answer takes over a first answer of the switch to an operation, and says whether the operation was accepted.
func (r *rib) answer(op operation, res *vasic.Result) bool {
	e := op.entry
	e.ops--
	if res.Status == vasicv1.OperationStatus_OPERATION_STATUS_REFUSED {
		if !op.remove {
			e.refused = true
			r.markDirty(e)
		}
		if r.settled(e) {
			r.settle(e)
		}
		return false
	}
	if !op.remove {
		e.result = result{generation: res.Generation}
	}
	if e.revision = max(e.revision, res.Revision); e.revision > r.revision {
		r.awaiting.push(accepted{e.revision, e})
	} else if r.settled(e) {
		r.settle(e)
	}
	return true
}

// decide takes over what hardware made of a generation that an operation has made.
func (r *rib) decide(e *entry, generation uint64, v verdict) {
	if generation == 0 || e.result.generation != generation {
		return // replaced meanwhile
	}
	e.result.verdict = v
	r.evaluate(e)
}

// entryOf finds the entry of a route that the switch has, or makes one; nil if it is none of the router's.
func (r *rib) entryOf(m *vasicv1.Route, create bool) *entry {
	table, ok := r.tables.holds(m.GetTable())
	if !ok || m.GetMetric() != r.metric || m.GetTos() != 0 {
		return nil
	}
	k := key{table: table}
	var err error
	if k.prefix, err = netip.ParsePrefix(m.GetPrefix()); err != nil {
		return nil
	}
	if m.GetSourcePrefix() != "" {
		if k.source, err = netip.ParsePrefix(m.GetSourcePrefix()); err != nil {
			return nil
		}
	}
	e := r.entries[k]
	if e == nil && create {
		e = &entry{key: k, adopted: true}
		r.entries[k] = e
		r.stale++
	}
	return e
}

// verdictOf is what hardware made of a route that the switch has.
func verdictOf(m *vasicv1.Route) verdict {
	v := offloaded
	switch {
	case m.GetOffloadFailed():
		return failed
	case m.GetOffload():
	case m.GetTrap():
		v = trapped
	default:
		return undecided
	}
	for _, h := range m.GetNextHops() { // siblings of an IPv6 multipath route
		if h.GetSiblingOffloadFailed() {
			return failed
		}
	}
	return v
}
