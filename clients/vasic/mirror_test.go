package vasic_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	replaced     = vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED
	flagsChanged = vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED
)

// switchModel is a switch as far as events show one: routes, some of them with siblings, and the events that they cause.
type switchModel struct {
	routes   map[uint64]*vasicv1.Route
	nextID   uint64
	revision uint64
}

// change does something and returns the event.
func (m *switchModel) change(t *rapid.T) *vasicv1.Event {
	m.revision++
	var id uint64
	if len(m.routes) > 0 {
		id = rapid.SampledFrom(slices.Sorted(maps.Keys(m.routes))).Draw(t, "id")
	}
	e := &vasicv1.Event{Revision: m.revision}
	old := m.routes[id]
	action := rapid.IntRange(0, 5).Draw(t, "action")
	switch {
	case old == nil || action == 0:
		m.nextID++
		e.Kind = added
		e.Route = &vasicv1.Route{Id: m.nextID, Prefix: fmt.Sprintf("2001:db8:%x::/48", m.nextID), NextHops: []*vasicv1.NextHop{hop(0)}}
		m.routes[m.nextID] = e.Route
	case action == 1:
		e.Kind, e.Route = replaced, proto.CloneOf(old)
		e.Route.Generation++
		m.routes[id] = e.Route
	case action == 2:
		e.Kind, e.Route = flagsChanged, proto.CloneOf(old)
		first := e.Route.NextHops[0]
		if len(e.Route.NextHops) > 1 {
			first.SiblingOffload = !first.SiblingOffload
		}
		e.Route.Offload = !e.Route.Offload
		rotate(t, e.Route)
		m.routes[id] = e.Route
	case action == 3 && len(old.NextHops) < 8: // a sibling joins
		e.Kind, e.Route = added, proto.CloneOf(old)
		if len(old.NextHops) == 1 {
			e.Route.NextHops[0].SiblingOffload = old.Offload
		}
		m.nextID++
		e.Route.NextHops = slices.Insert(e.Route.NextHops, 0, hop(m.nextID))
		e.Route.Offload = false
		m.routes[id] = e.Route
	case action == 4 && len(old.NextHops) > 1: // siblings leave
		e.Kind, e.Partial = deleted, true
		stay := proto.CloneOf(old)
		n := rapid.IntRange(1, len(old.NextHops)-1).Draw(t, "leaving")
		e.Route = proto.CloneOf(old)
		e.Route.NextHops = e.Route.NextHops[:n]
		e.Route.Generation++
		stay.Generation = e.Route.Generation
		stay.NextHops = stay.NextHops[n:]
		stay.Offload = stay.NextHops[0].SiblingOffload
		if len(stay.NextHops) == 1 {
			stay.NextHops[0].SiblingOffload = false
		}
		m.routes[id] = stay
	default:
		e.Kind, e.Route = deleted, old
		delete(m.routes, id)
	}
	return e
}

func hop(n uint64) *vasicv1.NextHop {
	return &vasicv1.NextHop{Gateway: fmt.Sprintf("fe80::%x", n), Device: "swp1"}
}

// rotate lets the event be about any of the siblings.
func rotate(t *rapid.T, r *vasicv1.Route) {
	n := rapid.IntRange(0, len(r.NextHops)-1).Draw(t, "rotation")
	r.NextHops = append(slices.Clone(r.NextHops[n:]), r.NextHops[:n]...)
	if len(r.NextHops) > 1 {
		r.Offload = r.NextHops[0].SiblingOffload
	}
}

// canonical is r with its next hops in order and with flags that do not depend on it.
func canonical(r *vasicv1.Route) *vasicv1.Route {
	r = proto.CloneOf(r)
	if len(r.NextHops) > 1 {
		r.Offload = false
	}
	slices.SortFunc(r.NextHops, func(a, b *vasicv1.NextHop) int { return cmp.Compare(a.Gateway, b.Gateway) })
	return r
}

func TestAMirrorIsWhatTheSwitchHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &switchModel{routes: make(map[uint64]*vasicv1.Route)}
		for range rapid.IntRange(0, 10).Draw(t, "before") {
			m.change(t)
		}
		var mirror vasic.Mirror
		mirror.Apply(&vasic.Snapshot{Routes: []*vasicv1.Route{route(99999, "void")}})
		mirror.Apply(&vasic.Reset{Reason: vasic.ResetFirst, Epoch: 7, Revision: m.revision})

		// The list is read while changes go on, so its pieces are of different moments.
		var missed []*vasicv1.Event
		for _, id := range slices.Sorted(maps.Keys(m.routes)) {
			if r := m.routes[id]; r != nil {
				mirror.Apply(&vasic.Snapshot{Routes: []*vasicv1.Route{r}})
			}
			for range rapid.IntRange(0, 2).Draw(t, "meanwhile") {
				missed = append(missed, m.change(t))
			}
		}
		if mirror.Synced() {
			t.Fatal("complete before Synced")
		}
		mirror.Apply(&vasic.Events{Events: missed})
		mirror.Apply(&vasic.Synced{Revision: m.revision})
		for range rapid.IntRange(0, 30).Draw(t, "after") {
			mirror.Apply(&vasic.Events{Events: []*vasicv1.Event{m.change(t)}})
		}
		m.revision++
		mirror.Apply(&vasic.Bookmark{Revision: m.revision})

		if !mirror.Synced() || mirror.Revision() != m.revision || mirror.Epoch() != 7 || mirror.Len() != len(m.routes) {
			t.Fatalf("synced %t, epoch %d, revision %d of %d, %d routes of %d",
				mirror.Synced(), mirror.Epoch(), mirror.Revision(), m.revision, mirror.Len(), len(m.routes))
		}
		for r := range mirror.All() {
			if want := m.routes[r.GetId()]; want == nil || !proto.Equal(canonical(r), canonical(want)) {
				t.Fatalf("got  %v\nwant %v", r, want)
			}
			if mirror.Route(r.GetId()) != r {
				t.Fatalf("route %d is not found", r.GetId())
			}
		}
	})
}

func TestAMirrorDoesNotChangeWhatItIsFed(t *testing.T) {
	r := &vasicv1.Route{Id: 1, NextHops: []*vasicv1.NextHop{hop(1), hop(2)}, OffloadFailed: true, FailureReason: vasicv1.FailureReason_FAILURE_REASON_INJECTED}
	before := proto.CloneOf(r)
	var mirror vasic.Mirror
	leave := event(2, deleted, &vasicv1.Route{Id: 1, NextHops: []*vasicv1.NextHop{hop(1)}})
	leave.Partial = true
	mirror.Apply(&vasic.Events{Events: []*vasicv1.Event{event(1, added, r), leave}})
	if !proto.Equal(r, before) {
		t.Errorf("changed to %v", r)
	}
	if got, want := mirror.Route(1), (&vasicv1.Route{Id: 1, NextHops: []*vasicv1.NextHop{hop(2)}}); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAPartialDeleteThatASnapshotContainsChangesNothing(t *testing.T) {
	r := &vasicv1.Route{Id: 1, NextHops: []*vasicv1.NextHop{hop(2)}, Generation: 3, Offload: true}
	var mirror vasic.Mirror
	leave := event(2, deleted, &vasicv1.Route{Id: 1, NextHops: []*vasicv1.NextHop{hop(1)}, Generation: 2})
	leave.Partial = true
	mirror.Apply(&vasic.Snapshot{Routes: []*vasicv1.Route{r}})
	mirror.Apply(&vasic.Events{Events: []*vasicv1.Event{leave}})
	if got := mirror.Route(1); !proto.Equal(got, r) {
		t.Errorf("got %v, want %v", got, r)
	}
}
