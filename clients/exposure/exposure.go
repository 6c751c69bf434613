// Package exposure measures what a routing daemon risks that advertises a route as soon as the switch has accepted it, instead of
// waiting for the flag that says that hardware has it.
//
// A prefix of a table is exposed while software forwards by a route for it and hardware does not carry that route: its first route, in
// the kernel's order, is a unicast one and has neither the flag OFFLOAD nor the flag TRAP. Routes that hardware is never asked to carry
// expose nothing: those that do not forward (local, broadcast, blackhole and so on), IPv6 multicast prefixes, those behind a better route
// of their prefix, those of the tables main and default while local, or main, has the same prefix, because in hardware these tables are
// one; and IPv6 routes with a source prefix as long as hardware has not refused them. A window is the time during which a prefix is exposed without
// a break. It opens when a route is added, is replaced, moves up because the one in front of it left, or loses its flags; it closes
// when hardware has the route, and also when no route is left.
//
// A Tracker is fed by the events of a switch, in order, and makes a Report of them at any moment. Time is what the events say, which
// is the switch's clock. It relies on the switch publishing every change of flags (notification setting 1); Told says since when.
//
// A Tracker belongs to one goroutine at a time.
package exposure

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// Options select prefixes. The zero value selects all.
type Options struct {
	// Family is the only one.
	Family vasicv1.Family
	// Table is the only one; 0 means every table.
	Table uint32
	// Within holds all prefixes, it included; invalid means everything.
	Within netip.Prefix
	// Protocol is that of routes that count: a prefix whose first route is of another one is not exposed.
	Protocol *uint32
}

// Cause is why a window opened.
type Cause int

// Causes of a window.
const (
	// Added: the prefix is new to hardware, which drops its packets or follows a less specific route.
	Added Cause = iota
	// Replaced: hardware follows a route that software has replaced, deleted or put behind another one.
	Replaced
	// Lost: hardware had the route, and then did not.
	Lost

	causes = iota
)

// String is a word for it.
func (c Cause) String() string { return [...]string{"added", "replaced", "lost"}[c] }

// Tracker follows the prefixes of a switch.
type Tracker struct {
	options  Options
	mirror   vasic.Mirror
	prefixes map[name]*state
	untold   map[vasicv1.Family]bool // families whose changes of flags are not published

	begin, now int64 // in nanoseconds since 1970 by the switch's clock; 0: nothing came yet
	ahead      int64 // the switch's clock, of that of this machine
	met        bool  // ahead is known
	gaps       uint64
	seen       int // prefixes that count and had a route
	exposed    int
	shared     [sharedTables]bool // which of the tables that are one in hardware had a route
	fresh      []listed           // of a list that is not complete yet
	closed     []time.Duration    // lengths of the windows that are over
	all        Windows            // likewise
	byCause    [causes]Windows
	failed     Windows
}

// name is what names a prefix.
type name struct {
	prefix, source string
	table          uint32
}

// state is what is known of a prefix.
type state struct {
	routes []rank // in the kernel's order
	counts bool   // its table is selected; otherwise it is known because it can hide others
	known  bool   // flags are what the switch says

	open   bool
	since  int64
	cause  Cause
	failed bool // in the present window hardware refused the route

	windows Windows // that are over
	refused bool    // in some window hardware refused the route
}

// rank is what decides a route's place among those of its prefix.
type rank struct {
	id          uint64
	tos, metric uint32
}

// New returns a tracker that knows no route.
func New(options Options) *Tracker {
	return &Tracker{options: options, prefixes: make(map[name]*state), untold: make(map[vasicv1.Family]bool)}
}

// Apply takes over an update of a watch whose filter has neither kinds nor flags; at is now, in nanoseconds since 1970 by the clock
// of this machine. How far the switch's clock is ahead of that is found out by the events.
func (t *Tracker) Apply(u vasic.Update, at int64) {
	switch u := u.(type) {
	case *vasic.Reset:
		t.reset(u, t.Clock(at))
	case *vasic.Snapshot:
		t.pass(t.Clock(at))
		for _, r := range u.Routes {
			if !t.selects(r) {
				continue
			}
			t.mirror.Apply(&vasic.Snapshot{Routes: []*vasicv1.Route{r}})
			s := t.state(r)
			s.place(r, true)
			s.known = !t.untold[family(r)]
			t.fresh = append(t.fresh, listed{s, nameOf(r)})
		}
	case *vasic.Synced:
		t.settle()
	case *vasic.Events:
		for i, e := range u.Events {
			if i == 0 {
				t.meet(e.GetUnixNanos() - at)
				t.settle()
			}
			t.Event(e)
		}
	}
}

// Clock is a time by the clock of this machine as the switch's clock has it, as well as that is known from what Apply took over.
func (t *Tracker) Clock(at int64) int64 { return at + t.ahead }

// meet learns that the switch's clock is ahead by so much or more: an event takes its time to come.
func (t *Tracker) meet(ahead int64) {
	if t.met {
		t.ahead = max(t.ahead, ahead)
		return
	}
	t.met, t.ahead = true, ahead
	if t.begin == 0 {
		return
	}
	// What came so far was a list, with times of this machine.
	t.begin += ahead
	t.now += ahead
	for _, s := range t.prefixes {
		s.since += ahead
	}
}

// Event takes over an event.
func (t *Tracker) Event(e *vasicv1.Event) {
	r := e.GetRoute()
	if r == nil {
		return // of a next-hop object; what it means for routes has events of its own
	}
	t.pass(e.GetUnixNanos())
	if !t.selects(r) {
		return
	}
	s := t.state(r)
	had := s.carried(t)
	t.mirror.Apply(&vasic.Events{Events: []*vasicv1.Event{e}})
	cause := Replaced
	switch e.GetKind() {
	case vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED:
		s.place(r, strings.Contains(r.GetPrefix(), ":") || e.GetNetlinkFlags()&netlinkAppend != 0)
		if !had {
			cause = Added
		}
	case vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED:
		s.place(r, true)
	case vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED:
		s.place(r, true)
		cause = Lost
	case vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED:
		if !e.GetPartial() {
			s.routes = slices.DeleteFunc(s.routes, func(x rank) bool { return x.id == r.GetId() })
		}
	}
	s.known = !t.untold[family(r)]
	t.refresh(s, nameOf(r), cause, t.now)
	t.reveal(nameOf(r))
}

// netlinkAppend is NLM_F_APPEND.
const netlinkAppend = 0x800

// Told says whether the switch publishes every change of flags of a family from now on; at first it is taken to. While it does
// not, nothing counts as exposed. What was accepted meanwhile counts again from its next event on.
func (t *Tracker) Told(f vasicv1.Family, told bool) {
	if t.untold[f] == !told {
		return
	}
	t.untold[f] = !told
	for n, s := range t.prefixes {
		if familyOf(n.prefix) != f {
			continue
		}
		if s.open {
			s.open, s.failed = false, false
			t.exposed--
		}
		s.known = false
	}
}

// Exposed is how many prefixes are exposed now.
func (t *Tracker) Exposed() int { return t.exposed }

// Windows is how many windows have opened.
func (t *Tracker) Windows() uint64 { return t.all.Count + uint64(t.exposed) }

// Seen is how many prefixes have had a route.
func (t *Tracker) Seen() int { return t.seen }

// Begin says when watching began, by the switch's clock, if that was before the first event.
func (t *Tracker) Begin(at int64) {
	if t.begin == 0 {
		t.begin = at
	}
}

// pass lets time go on to at. It never goes back.
func (t *Tracker) pass(at int64) {
	if t.begin == 0 {
		t.begin = at
	}
	t.now = max(t.now, at)
}

// reset forgets the routes, because a list of them follows.
func (t *Tracker) reset(u *vasic.Reset, at int64) {
	if u.Reason != vasic.ResetFirst {
		t.gaps++
	}
	t.mirror.Apply(u)
	t.fresh = nil
	for n, s := range t.prefixes {
		s.routes = nil
		t.refresh(s, n, Lost, t.now) // what was open is known to have been so until the last event
	}
	t.pass(at)
}

// selects says whether a route is one of those that matter, or can hide one.
func (t *Tracker) selects(r *vasicv1.Route) bool {
	o := &t.options
	if o.Family != vasicv1.Family_FAMILY_UNSPECIFIED && o.Family != family(r) {
		return false
	}
	if o.Table != 0 && o.Table != r.GetTable() && (o.Tables() != 0 || r.GetTable() < o.Table || r.GetTable() >= firstShared+sharedTables) {
		return false
	}
	if !o.Within.IsValid() {
		return true
	}
	p, err := netip.ParsePrefix(r.GetPrefix())
	return err == nil && p.Bits() >= o.Within.Bits() && o.Within.Contains(p.Addr())
}

// state returns what is known of a route's prefix.
func (t *Tracker) state(r *vasicv1.Route) *state {
	n := nameOf(r)
	s := t.prefixes[n]
	if s == nil {
		// The strings are parts of larger messages.
		n.prefix, n.source = strings.Clone(n.prefix), strings.Clone(n.source)
		s = &state{counts: t.options.Table == 0 || t.options.Table == n.table}
		t.prefixes[n] = s
		if s.counts {
			t.seen++
		}
		if n.table >= firstShared && n.table < firstShared+sharedTables {
			t.shared[n.table-firstShared] = true
		}
	}
	return s
}

// nameOf is what names a route's prefix.
func nameOf(r *vasicv1.Route) name {
	return name{prefix: r.GetPrefix(), source: r.GetSourcePrefix(), table: r.GetTable()}
}

// place puts a route where the kernel has it: by type of service, greatest first, and metric; among equals last or first. One
// that has its place keeps it.
func (s *state) place(r *vasicv1.Route, last bool) {
	x := rank{id: r.GetId(), tos: r.GetTos(), metric: r.GetMetric()}
	at := len(s.routes)
	for i, y := range s.routes {
		switch {
		case y.id == x.id:
			return
		case at < len(s.routes):
		case y.tos < x.tos, y.tos == x.tos && (y.metric > x.metric || y.metric == x.metric && !last):
			at = i
		}
	}
	s.routes = slices.Insert(s.routes, at, x)
}

// carried says whether hardware has the first route.
func (s *state) carried(t *Tracker) bool {
	return len(s.routes) > 0 && carried(t.mirror.Route(s.routes[0].id))
}

// carried says whether hardware has a route; of an IPv6 multipath route every sibling.
func carried(r *vasicv1.Route) bool {
	if len(r.GetNextHops()) > 1 && family(r) == vasicv1.Family_FAMILY_IPV6 {
		for _, h := range r.GetNextHops() {
			if !h.GetSiblingOffload() && !h.GetSiblingTrap() {
				return false
			}
		}
		return true
	}
	return r.GetOffload() || r.GetTrap()
}

// refresh opens or closes the window of a prefix.
func (t *Tracker) refresh(s *state, n name, cause Cause, at int64) {
	var first *vasicv1.Route
	if len(s.routes) > 0 {
		first = t.mirror.Route(s.routes[0].id)
	}
	exposed := first != nil && s.counts && s.known && !carried(first) && forwards(first) && !t.hidden(n) &&
		(t.options.Protocol == nil || *t.options.Protocol == first.GetProtocol())
	switch {
	case exposed && !s.open:
		s.open, s.since, s.cause = true, at, cause
		t.exposed++
	case !exposed && s.open:
		t.close(s, at)
	}
	if s.open && first.GetOffloadFailed() {
		s.failed, s.refused = true, true
	}
}

// close ends the window of a prefix.
func (t *Tracker) close(s *state, at int64) {
	length := time.Duration(at - s.since)
	s.windows.add(length)
	t.all.add(length)
	t.byCause[s.cause].add(length)
	if s.failed {
		t.failed.add(length)
	}
	t.closed = append(t.closed, length)
	s.open, s.failed = false, false
	t.exposed--
}

func family(r *vasicv1.Route) vasicv1.Family { return familyOf(r.GetPrefix()) }

func familyOf(prefix string) vasicv1.Family {
	if strings.Contains(prefix, ":") {
		return vasicv1.Family_FAMILY_IPV6
	}
	return vasicv1.Family_FAMILY_IPV4
}
