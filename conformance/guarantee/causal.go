package guarantee

import (
	"errors"
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Causal judges this promise: an event comes after what it follows from. A route that is added has an id that was never used before, or for IPv6 that of a route
// which it joins. A route that is replaced, deleted or has its flags changed is there. Adding and replacing make the generation grow; a
// silent replace, which changes what a route says in place, keeps it; after a partial delete it is the newest of the next hops that remain.
// Changed flags are of the generation that the last of these said: none of a generation that has not been announced, none of one that
// is outdated. After its deletion there is nothing more of an id in this epoch, in no snapshot either.
//
// All this holds for each stream by itself if its filter asks neither for kinds, flags nor protocol and it did not start live. Of other
// streams it says that nothing comes after a deletion, that an IPv4 id is added once, and that its generation never shrinks.
func Causal(r *Recording) error {
	h := history{}
	return r.each(func(i int, s *Session) error {
		before, continued := r.chained(i)
		if s.created().GetEpoch() != h.epoch {
			h, continued = history{epoch: s.created().GetEpoch(), deleted: make(map[uint64]bool), newest: make(map[uint64]uint64)}, false
		}
		switch {
		case continued && before.created().GetEpoch() == s.created().GetEpoch():
		case s.start() == 0 || s.lists():
			h.present = make(map[uint64]uint64)
		default:
			h.present = nil
		}
		if !lasting(s.Request.GetFilter()) {
			h.present = nil
		}
		for _, m := range s.Responses {
			for _, route := range m.GetSnapshot().GetRoutes() {
				if err := h.listed(route); err != nil {
					return fmt.Errorf("snapshot: route %d: %w", route.GetId(), err)
				}
			}
		}
		return s.events(func(e *vasicv1.Event, _ bool) error { return h.event(e) })
	})
}

// history is what is known of the routes of an epoch by their id.
type history struct {
	epoch   uint64
	deleted map[uint64]bool
	newest  map[uint64]uint64 // generations seen, of IPv4 routes
	present map[uint64]uint64 // generations; nil where not every event is seen
}

// aged checks that an IPv4 route does not grow younger.
func (h *history) aged(route *vasicv1.Route) error {
	id, generation := route.GetId(), route.GetGeneration()
	if familyOf(route) == vasicv1.Family_FAMILY_IPV6 {
		return nil
	}
	if generation < h.newest[id] {
		return fmt.Errorf("generation %d after %d", generation, h.newest[id])
	}
	h.newest[id] = generation
	return nil
}

func (h *history) listed(route *vasicv1.Route) error {
	if h.deleted[route.GetId()] {
		return errors.New("was deleted before")
	}
	if h.present != nil {
		h.present[route.GetId()] = route.GetGeneration()
	}
	return h.aged(route)
}

func (h *history) event(e *vasicv1.Event) error {
	route := e.GetRoute()
	if route == nil {
		return nil
	}
	id, generation := route.GetId(), route.GetGeneration()
	_, seen := h.newest[id]
	if h.deleted[id] {
		return errors.New("the route was deleted before")
	}
	if err := h.aged(route); err != nil {
		return err
	}
	old, there := h.present[id]
	added := e.GetKind() == vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED
	switch {
	case added && familyOf(route) == vasicv1.Family_FAMILY_IPV4 && (there || seen):
		return errors.New("the route was there before")
	case h.present == nil:
	case !there && !added:
		return errors.New("no such route was announced")
	case e.GetKind() == vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED && generation != old:
		return fmt.Errorf("flags of generation %d, but the route is of generation %d", generation, old)
	case e.GetKind() == vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED && e.GetSilent() && generation != old:
		return fmt.Errorf("a silent replace made generation %d of %d", generation, old)
	case there && route.GetNextHopId() != 0 && !added && generation == old: // its next-hop object is another one now
	case there && (added || e.GetKind() == vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED && !e.GetSilent()) && generation <= old:
		return fmt.Errorf("a new generation %d after %d", generation, old)
	case e.GetKind() == vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED && (generation > old || !e.GetPartial() && generation < old):
		return fmt.Errorf("a delete of generation %d, but the route is of generation %d", generation, old)
	}
	if e.GetKind() == vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED && !e.GetPartial() {
		h.deleted[id] = true
		delete(h.present, id)
	} else if h.present != nil {
		h.present[id] = generation
	}
	return nil
}
