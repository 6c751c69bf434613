package guarantee

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Ordered judges this promise: within a stream, revisions strictly grow from event to event, and all are greater than the revision that the stream started
// after. There is one order for everybody: the event of a revision is the same for every watcher.
func Ordered(r *Recording) error {
	return r.each(func(_ int, s *Session) error {
		last := s.start()
		return s.events(func(e *vasicv1.Event, _ bool) error {
			if e.GetRevision() <= last {
				return fmt.Errorf("comes after revision %d", last)
			}
			last = e.GetRevision()
			if known := r.event(s, last); known != nil && !proto.Equal(known, e) {
				return fmt.Errorf("is not what others saw:\n  %v\n  %v", e, known)
			}
			return nil
		})
	})
}

// event returns the event of a revision from the log, nil where the log does not have it.
func (r *Recording) event(s *Session, revision uint64) *vasicv1.Event {
	if s.created().GetEpoch() != r.Epoch || revision == 0 || revision > uint64(len(r.Log)) {
		return nil
	}
	return r.Log[revision-1]
}

// Unique judges this promise: nothing comes twice. Over streams of one epoch, each of which continues the one before, every revision comes at most once. A route
// is in a snapshot at most once. An event that is in the snapshot already does not come after it: an added or replaced route is newer than
// the snapshot's, and, where every change of flags is published, changed flags are not those that the route had.
func Unique(r *Recording) error {
	seen := make(map[uint64]bool)
	return r.each(func(i int, s *Session) error {
		before, ok := r.chained(i)
		if !ok || before.created().GetEpoch() != s.created().GetEpoch() {
			clear(seen)
		}
		listed := make(map[uint64]*vasicv1.Route)
		for _, m := range s.Responses {
			for _, route := range m.GetSnapshot().GetRoutes() {
				if listed[route.GetId()] != nil {
					return fmt.Errorf("route %d is in the snapshot twice", route.GetId())
				}
				listed[route.GetId()] = route
			}
		}
		return s.events(func(e *vasicv1.Event, _ bool) error {
			if seen[e.GetRevision()] {
				return errors.New("comes a second time")
			}
			seen[e.GetRevision()] = true
			old := listed[e.GetRoute().GetId()]
			delete(listed, e.GetRoute().GetId()) // what follows is compared with this event, by Causal
			if old == nil || e.GetSilent() {
				return nil
			}
			switch e.GetKind() {
			case vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED, vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED:
				kept := e.GetRoute().GetNextHopId() != 0 && e.GetRoute().GetGeneration() == old.GetGeneration() // its next-hop object is another one now
				if e.GetRoute().GetGeneration() <= old.GetGeneration() && !kept {
					return fmt.Errorf("is in the snapshot, as generation %d", old.GetGeneration())
				}
			case vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED:
				if r.Notify[familyOf(old)] == notifyAll && e.GetRoute().GetGeneration() == old.GetGeneration() && sameFlags(e.GetRoute(), old) {
					return errors.New("is in the snapshot, with the same flags")
				}
			}
			return nil
		})
	})
}

// Bookmarkable judges this promise: the revision of synced, bookmark or closing covers all that came before it, in this stream and in those that it continues,
// and nothing that comes after it: it is not smaller than any revision before, and smaller than that of every later event. Synced covers
// at least what there was when the stream was opened. Without a filter a mark is exactly the last event's revision, unless a snapshot has
// just ended.
func Bookmarkable(r *Recording) error {
	return r.each(func(i int, s *Session) error {
		last := s.start()
		if before, ok := r.chained(i); ok && before.created().GetEpoch() == s.created().GetEpoch() {
			if place, ok := before.place(); ok && place < last {
				return fmt.Errorf("resumes after %d, but the stream before it had only come to %d", last, place)
			}
		}
		marked := last
		for _, m := range s.Responses {
			for _, e := range m.GetEvents() {
				if e.GetRevision() <= marked {
					return fmt.Errorf("event %d comes after a mark of %d", e.GetRevision(), marked)
				}
				last = e.GetRevision()
			}
			mark, ok := markOf(m)
			if !ok {
				continue
			}
			switch {
			case mark < last:
				return fmt.Errorf("a mark of %d comes after revision %d", mark, last)
			case m.GetSynced() != nil && mark < s.created().GetRevision():
				return fmt.Errorf("synced at %d, but revision %d existed when the stream was opened", mark, s.created().GetRevision())
			case mark > last && unfiltered(s.Request.GetFilter()) && (!s.lists() || m.GetSynced() == nil):
				return fmt.Errorf("a mark of %d skips what came after revision %d", mark, last)
			}
			marked, last = mark, mark
		}
		return nil
	})
}
