package server

import (
	"slices"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// treatment is what becomes of packets to a destination on one side.
type treatment uint8

const (
	ignores  treatment = iota // there is no route, or no entry
	forwards                  // they leave by a port
	handles                   // the CPU handles them: it delivers them, or in hardware a trap gives them to it
	drops
)

// comparison is what there is to know of a destination for a verdict.
type comparison struct {
	software treatment
	hardware treatment
	same     bool // hardware's entry was made from the very route that software uses
	pending  bool // an operation on either is in the queue
}

// verdict judges. Packets that hardware traps get to the CPU, which does with them what software says; so a trap is never wrong, but slow where software forwards.
func (c comparison) verdict() vasicv1.Verdict {
	trapped := c.hardware == handles && c.software == forwards
	switch {
	case c.pending && (trapped || !c.same):
		return vasicv1.Verdict_VERDICT_PENDING
	case trapped:
		return vasicv1.Verdict_VERDICT_TRAPPED
	case c.same, c.hardware == handles:
		return vasicv1.Verdict_VERDICT_CONSISTENT
	}
	lost := c.software == ignores || c.software == drops
	switch {
	case c.hardware == forwards, c.hardware == drops && !lost:
		return vasicv1.Verdict_VERDICT_MISROUTED
	case c.hardware == ignores && !lost:
		return vasicv1.Verdict_VERDICT_BLACKHOLED
	}
	return vasicv1.Verdict_VERDICT_CONSISTENT
}

// treatmentBy is what software does with packets of a route.
func treatmentBy(r *fib.Route) treatment {
	switch r.Info.Effect() {
	case fib.TypeUnicast:
		return forwards
	case fib.TypeLocal, fib.TypeBroadcast, fib.TypeAnycast, fib.TypeMulticast:
		return handles
	case fib.TypeBlackhole, fib.TypeUnreachable, fib.TypeProhibit:
		return drops
	}
	return ignores // throw: this table says nothing
}

// treatmentOf is what hardware does with packets of an entry.
func treatmentOf(e *asic.Entry) treatment {
	switch e.Action {
	case asic.Forward:
		return forwards
	case asic.Trap:
		return handles
	}
	return drops
}

// ignored reports whether the route is none for a unicast table: hardware takes no IPv6 multicast prefix, and says nothing of it.
func ignored(r *fib.Route) bool { return r.Family == fib.IPv6 && r.Prefix.Addr().IsMulticast() }

// usable reports whether a route can carry packets: it needs no next hop, or has one that is not dead.
func usable(r *fib.Route) bool {
	switch treatmentBy(r) {
	case drops, ignores:
		return true
	}
	for i := range r.Siblings {
		if dead, _ := r.Siblings[i].Info.HopState(r.Family, 0); !dead {
			return true
		}
	}
	for i := range r.Info.NextHops {
		if dead, _ := r.Info.HopState(r.Family, i); !dead {
			return true
		}
	}
	return len(r.Info.NextHops) == 0
}

// madeFrom reports whether the entry was made from the route as it is now.
func madeFrom(e *asic.Entry, r *fib.Route) bool {
	if e.Table != r.Table || e.Prefix != r.Prefix || r.Source.IsValid() || len(e.Routes) != max(len(r.Siblings), 1) || newest(e) != r.Generation {
		return false
	}
	// A change of a next-hop object changes its routes without giving them new generations; and it is hardware that is on trial.
	switch e.Action {
	case asic.Drop:
		return treatmentBy(r) == drops
	case asic.Trap:
		return true
	}
	for i := range e.Hops {
		if e.Hops[i].Slots > 0 && !leadsTo(r, &e.Hops[i].NextHop) {
			return false
		}
	}
	return treatmentBy(r) == forwards
}

// hides reports whether the entry at the route's prefix is there because software asks its table first: local, main and default are one table in hardware.
func hides(e *asic.Entry, r *fib.Route) bool {
	return r.Table >= fib.TableDefault && e.Table > r.Table && e.Table <= fib.TableLocal && !r.Source.IsValid()
}

// newest is the generation of an entry: that of the newest of its routes, as Route.generation is.
func newest(e *asic.Entry) (generation uint64) {
	for i := range e.Routes {
		generation = max(generation, e.Routes[i].Generation)
	}
	return generation
}

// leadsTo reports whether the route has a next hop with that link and gateway.
func leadsTo(r *fib.Route, nh *fib.NextHop) bool {
	same := func(h fib.NextHop) bool { return h.Link == nh.Link && h.Gateway == nh.Gateway }
	return slices.ContainsFunc(r.Info.NextHops, same) ||
		slices.ContainsFunc(r.Siblings, func(s fib.Sibling) bool { return slices.ContainsFunc(s.Info.NextHops, same) })
}
