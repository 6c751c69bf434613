package vasic

import (
	"iter"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Mirror is a copy of a switch's routes, kept by the updates of a watch whose filter has neither kinds nor flags. The zero
// value is an empty copy. It belongs to one goroutine at a time.
//
// It keeps the route messages of the updates, and does not change them; nobody else may either. The order of the next hops of
// an IPv6 route means nothing, because each event puts the one that it is about first. NextHop.dead and linkdown can be out of
// date, because links change them without an event, and so can flags whose changes the switch is set not to publish.
type Mirror struct {
	routes   map[uint64]*vasicv1.Route // by Route.id
	epoch    uint64
	revision uint64
	synced   bool
}

// Apply takes over one update. Updates of one watch must come in order and without gaps.
func (m *Mirror) Apply(u Update) {
	switch u := u.(type) {
	case *Reset:
		*m = Mirror{epoch: u.Epoch}
	case *Snapshot:
		for _, r := range u.Routes {
			m.set(r)
		}
	case *Events:
		for _, e := range u.Events {
			m.event(e)
		}
	case *Synced:
		m.synced = true
		m.revision = max(m.revision, u.Revision)
	case *Bookmark:
		m.revision = max(m.revision, u.Revision)
	case *Reconnected:
		m.epoch = u.Epoch
	}
}

// Synced says whether the copy is complete: a list has ended, and none has started since.
func (m *Mirror) Synced() bool { return m.synced }

// Revision is the newest revision that the copy contains.
func (m *Mirror) Revision() uint64 { return m.revision }

// Epoch is the life of the switch that the copy is of.
func (m *Mirror) Epoch() uint64 { return m.epoch }

// Len is the number of routes.
func (m *Mirror) Len() int { return len(m.routes) }

// Route returns the route with that Route.id, or nil.
func (m *Mirror) Route(id uint64) *vasicv1.Route { return m.routes[id] }

// All ranges over the routes, in no order.
func (m *Mirror) All() iter.Seq[*vasicv1.Route] { return maps.Values(m.routes) }

func (m *Mirror) set(r *vasicv1.Route) {
	if m.routes == nil {
		m.routes = make(map[uint64]*vasicv1.Route)
	}
	m.routes[r.GetId()] = r
}

func (m *Mirror) event(e *vasicv1.Event) {
	m.revision = max(m.revision, e.GetRevision())
	id := e.GetRoute().GetId()
	switch e.GetKind() {
	case vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED,
		vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED,
		vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED:
		m.set(e.GetRoute())
	case vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED:
		if old := m.routes[id]; e.GetPartial() && old != nil {
			m.routes[id] = without(old, e.GetRoute())
		} else {
			delete(m.routes, id)
		}
	}
}

// without is a copy of r, an IPv6 multipath route, that lacks the next hops of left and has its generation. Siblings of a route
// differ in gateway or device. A route that has none of them was listed after they left, as one of ListRoutes can be, and stays
// what it is.
func without(r, left *vasicv1.Route) *vasicv1.Route {
	type name struct{ gateway, device string }
	gone := make(map[name]bool, len(left.GetNextHops()))
	for _, h := range left.GetNextHops() {
		gone[name{h.GetGateway(), h.GetDevice()}] = true
	}
	isGone := func(h *vasicv1.NextHop) bool { return gone[name{h.GetGateway(), h.GetDevice()}] }
	if !slices.ContainsFunc(r.GetNextHops(), isGone) {
		return r
	}
	r = proto.CloneOf(r)
	r.Generation = left.GetGeneration()
	r.NextHops = slices.DeleteFunc(r.NextHops, isGone)
	if len(r.NextHops) == 0 {
		return r
	}
	// The flags of a multipath route are those of its first sibling; those of its siblings are not told when only one is left.
	first := r.NextHops[0]
	r.Offload, r.Trap, r.OffloadFailed = first.SiblingOffload, first.SiblingTrap, first.SiblingOffloadFailed
	if !r.OffloadFailed {
		r.FailureReason = vasicv1.FailureReason_FAILURE_REASON_UNSPECIFIED
	}
	if len(r.NextHops) == 1 {
		first.SiblingOffload, first.SiblingTrap, first.SiblingOffloadFailed = false, false, false
	}
	return r
}
