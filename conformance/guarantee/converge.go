package guarantee

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Values of fib_notify_on_flag_change.
const (
	notifyAll      = 1
	notifyFailures = 2
)

// Converges judges this promise: whoever starts with the snapshot, or with nothing and revision 0, and then puts a route that an event adds, replaces or flags in
// the place of the one of the same id, takes a deleted route away, and from a partially deleted one the next hops listed, has the routes that
// ListRoutes lists when the switch is at rest. This is so for a filter without kinds, flags and protocol, within what the filter selects.
//
// Flags are equal with notification setting 1. With 2 the flag offload_failed is; with 0 none need be. The order of an IPv6 route's next hops
// means nothing, as each event starts with the one that it is about. What a message says of the first next hop only, of a route that has
// several or had when some were deleted last, is not compared: protocol, prefsrc, metrics and failure reason; flags are, next hop by next hop.
// NextHop.dead, linkdown, offload and trap follow the links without an event and are not compared.
//
// It can be judged only with Rest.
func Converges(r *Recording) error {
	if r.Rest == nil {
		return nil
	}
	var st state
	var last *Session
	err := r.each(func(i int, s *Session) error {
		last = s
		before, continued := r.chained(i)
		switch {
		case continued && before.created().GetEpoch() == s.created().GetEpoch():
		case s.lists() || s.start() == 0:
			st = make(state)
		default:
			st = nil
		}
		if st == nil {
			return nil
		}
		for _, m := range s.Responses {
			st.take(m)
		}
		return nil
	})
	if err != nil || st == nil || !lasting(last.Request.GetFilter()) {
		return err
	}
	if _, ok := last.place(); !ok {
		return errors.New("the last stream ended in its snapshot")
	}
	rest := make(state)
	for _, route := range r.Rest {
		if selects(last.Request.GetFilter(), route) {
			rest[route.GetId()] = copied{route: route}
		}
	}
	return st.compare(rest, r.Notify)
}

// state is a copy of a switch's routes by id. The messages in it are not changed.
type state map[uint64]copied

// copied is a route. rest: it is what remained of one of which next hops were deleted.
type copied struct {
	route *vasicv1.Route
	rest  bool
}

func (st state) take(m *vasicv1.WatchResponse) {
	for _, route := range m.GetSnapshot().GetRoutes() {
		st[route.GetId()] = copied{route: route}
	}
	for _, e := range m.GetEvents() {
		st.event(e)
	}
}

func (st state) event(e *vasicv1.Event) {
	if e.GetRoute() == nil {
		return
	}
	id := e.GetRoute().GetId()
	old, there := st[id]
	switch {
	case e.GetKind() != vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED:
		st[id] = copied{route: e.GetRoute()}
	case e.GetPartial() && there:
		st[id] = copied{route: less(old.route, e.GetRoute()), rest: true}
	default:
		delete(st, id)
	}
}

// less is a route without the next hops of left. If one remains, the route has its flags.
func less(route, left *vasicv1.Route) *vasicv1.Route {
	route = proto.CloneOf(route)
	route.Generation = left.GetGeneration()
	route.NextHops = slices.DeleteFunc(route.NextHops, func(h *vasicv1.NextHop) bool {
		return slices.ContainsFunc(left.GetNextHops(), func(l *vasicv1.NextHop) bool { return compareHops(h, l) == 0 })
	})
	if len(route.NextHops) == 1 {
		h := route.NextHops[0]
		route.Offload, route.Trap, route.OffloadFailed = h.SiblingOffload, h.SiblingTrap, h.SiblingOffloadFailed
		h.SiblingOffload, h.SiblingTrap, h.SiblingOffloadFailed = false, false, false
	}
	return route
}

// compareHops orders next hops by what names them within a route.
func compareHops(a, b *vasicv1.NextHop) int {
	return cmp.Or(cmp.Compare(a.GetGateway(), b.GetGateway()), cmp.Compare(a.GetDevice(), b.GetDevice()))
}

// compare says how st differs from want, beyond what the notification setting allows.
func (st state) compare(want state, notify map[vasicv1.Family]uint32) error {
	for id, w := range want {
		have, there := st[id]
		if !there {
			return fmt.Errorf("route %d is missing: %v", id, w.route)
		}
		rest := have.rest || w.rest
		if !proto.Equal(have.route, w.route) && !proto.Equal(copyable(have.route, rest, notify), copyable(w.route, rest, notify)) {
			return fmt.Errorf("route %d differs:\n  %v\n  %v", id, have.route, w.route)
		}
	}
	for id, have := range st {
		if _, there := want[id]; !there {
			return fmt.Errorf("route %d should be gone: %v", id, have.route)
		}
	}
	return nil
}

// copyable is the part of a route that a copy has.
func copyable(route *vasicv1.Route, rest bool, notify map[vasicv1.Family]uint32) *vasicv1.Route {
	route = proto.CloneOf(route)
	several := hasSiblings(route)
	if several {
		slices.SortFunc(route.NextHops, compareHops)
		route.Offload, route.Trap, route.OffloadFailed = false, false, false
	}
	if several || rest {
		route.Protocol, route.Prefsrc, route.Metrics, route.FailureReason, route.OlderInHardware = 0, "", nil, 0, false
	}
	setting := notify[familyOf(route)]
	if setting != notifyAll {
		route.Offload, route.Trap = false, false
	}
	if setting != notifyAll && setting != notifyFailures {
		route.OffloadFailed, route.FailureReason, route.OlderInHardware = false, 0, false
	}
	if o := route.GetNextHopObject(); o != nil { // its flags change without notice
		o.Dead, o.Linkdown, o.Offload, o.Trap = false, false, false, false
	}
	for _, h := range route.GetNextHops() {
		h.Dead, h.Linkdown, h.Offload, h.Trap = false, false, false, false
		if setting != notifyAll {
			h.SiblingOffload, h.SiblingTrap = false, false
		}
		if setting != notifyAll && setting != notifyFailures {
			h.SiblingOffloadFailed = false
		}
	}
	return route
}

// hasSiblings reports whether the next hops of a route have flags each.
func hasSiblings(route *vasicv1.Route) bool {
	return len(route.GetNextHops()) > 1 && route.GetNextHopId() == 0 && familyOf(route) == vasicv1.Family_FAMILY_IPV6
}

// sameFlags reports whether an event that is about the first next hop of route says what old says about it.
func sameFlags(route, old *vasicv1.Route) bool {
	type flags struct{ offload, trap, failed bool }
	now, before := flags{route.GetOffload(), route.GetTrap(), route.GetOffloadFailed()}, flags{old.GetOffload(), old.GetTrap(), old.GetOffloadFailed()}
	if len(route.GetNextHops()) == 0 || !hasSiblings(old) {
		return now == before
	}
	for _, h := range old.GetNextHops() {
		if compareHops(h, route.GetNextHops()[0]) == 0 {
			return now == flags{h.GetSiblingOffload(), h.GetSiblingTrap(), h.GetSiblingOffloadFailed()}
		}
	}
	return false
}
