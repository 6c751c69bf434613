// Package model is a switch written down in the slowest and most obvious way: what the software FIB holds, what it tells, what the chip holds and
// which flags that gives, one operation after the other. It follows the sections of SEMANTICS named in its comments (2 IPv4, 3 IPv6, 4
// notifications, 5 netdevsim, 6 flags, 7 devices, 9 mlxsw) and shares no code with the packages that it is compared with.
//
// A route is a row, or for IPv6 multipath one row for each sibling. The rows of a prefix in a table are a slice in the kernel's order. The
// first row and its siblings are the prefix's candidate; whenever an edit changes the candidate, one operation goes into the chip's queue.
//
// What it leaves out: resilient groups, source prefixes and transport metrics.
//
// Vasic differs from the kernel on purpose, and so does the model: promotions are always admitted (5.3), a route that was in hardware before keeps
// its flag (5.6), and the candidate is always the head of the list (3.6).
package model

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
)

// Route types, protocols, scopes and tables, with rtnetlink's numbers.
const (
	Unicast     = 1
	Local       = 2
	Broadcast   = 3
	Multicast   = 5
	Blackhole   = 6
	Unreachable = 7
	Prohibit    = 8
	Throw       = 9

	protocolKernel = 2
	protocolBoot   = 3

	scopeLink = 253
	scopeHost = 254

	TableDefault = 253
	TableMain    = 254
	TableLocal   = 255
)

// Families.
const (
	ipv4 = iota
	ipv6
)

// Hop is a next hop. In a request Device may be empty where Gateway decides.
type Hop struct {
	Gateway netip.Addr
	Device  string
	Weight  int
	Flags   string // of a sibling of an IPv6 multipath route, else empty
}

// Route is a route as a listing or an event shows it.
type Route struct {
	ID       uint64 // names the route; a replace keeps it
	Table    uint32
	Prefix   netip.Prefix
	TOS      uint8
	Metric   uint32
	Type     uint8
	Protocol uint8
	Scope    uint8
	PrefSrc  netip.Addr
	Hops     []Hop
	Flags    string // "", "offload", "trap" or "offload_failed", of the first next hop
	Reason   string // why it failed
	Object   uint32 // of its next-hop object; 0 for none
	Older    bool   // it failed, and hardware has another entry in its place
}

// String is everything but the ID.
func (r Route) String() string {
	type route Route
	r.ID = 0
	return fmt.Sprintf("%+v", route(r))
}

// Same reports whether everything but the ID is equal.
func (r Route) Same(o Route) bool {
	r.ID, o.ID = 0, 0
	return reflect.DeepEqual(r, o)
}

// Kinds of event.
const (
	Added    = "added"
	Replaced = "replaced"
	Deleted  = "deleted"
	Flagged  = "flags changed"
)

// Event is what a watcher is told.
type Event struct {
	Kind                       string
	NLFlags                    uint16
	Requested, Silent, Partial bool
	Route                      Route
	Object                     *Object // of events about next-hop objects, which have no route
	Unordered                  bool    // it may change places with its unordered neighbours
}

// Same reports whether everything but the ID and Unordered is equal.
func (e Event) Same(o Event) bool {
	same := e.Route.Same(o.Route)
	e.Route, o.Route, e.Unordered, o.Unordered = Route{}, Route{}, false, false
	return same && reflect.DeepEqual(e, o)
}

// row is an IPv4 route, or an IPv6 route or sibling. The pointer is its identity.
type row struct {
	id       uint64 // of the route
	tos      uint8
	metric   uint32
	typ      uint8
	protocol uint8
	scope    uint8
	prefsrc  netip.Addr
	hops     []hop
	object   uint32 // that the hops are of; 0 for none
	serial   int    // grows from row to row
	flags    string
	reason   string
	older    bool
}

// hop is a next hop of a row.
type hop struct {
	gateway  netip.Addr
	link     *link
	weight   int
	neighbor *neighbor // nil exactly where there is no gateway
}

func (r *row) hasGateway() bool { return len(r.hops) > 0 && r.hops[0].gateway.IsValid() }

// canBeSibling: 3.2.
func (r *row) canBeSibling() bool { return r.object == 0 && r.hasGateway() }

func (r *row) uses(l *link) bool {
	return slices.ContainsFunc(r.hops, func(h hop) bool { return h.link == l })
}

// shown are the next hops as they are shown.
func (r *row) shown() (hops []Hop) {
	for _, h := range r.hops {
		hops = append(hops, h.shown())
	}
	return hops
}

func (h hop) shown() Hop { return Hop{Gateway: h.gateway, Device: h.link.name, Weight: h.weight} }

// same: the same fib_info (2.2).
func (r *row) same(o *row) bool {
	return r.typ == o.typ && r.protocol == o.protocol && r.scope == o.scope && r.prefsrc == o.prefsrc && r.object == o.object &&
		(r.object != 0 || slices.Equal(r.hops, o.hops))
}

// key is a prefix in a table.
type key struct {
	table  uint32
	prefix netip.Prefix
}

func (k key) family() int { return familyOf(k.prefix.Addr()) }

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

// Model is the switch.
type Model struct {
	links     []*link
	neighbors []*neighbor // that routes use, or that have an entry
	objects   []*object   // by id
	joined    []*object   // groups, in the order in which they got their members
	routes    map[key][]*row
	tables    map[[2]uint32]bool // by family and id: those that had a route once
	lastID    uint64
	lastRow   int
	attached  bool
	notify    [2]int // fib_notify_on_flag_change
	chip      chip
	events    []Event
	ticket    int // of the request that is being carried out
	settled   []Settled
}

// New is a switch of profile "netdevsim" or "switch" with link lo, which is down.
func New(profile string, sizes [2]uint64, notify [2]int) *Model {
	m := &Model{routes: make(map[key][]*row), tables: make(map[[2]uint32]bool), attached: true, notify: notify, chip: newChip(profile, sizes)}
	for _, table := range []uint32{TableMain, TableLocal} {
		m.tables[[2]uint32{ipv4, table}], m.tables[[2]uint32{ipv6, table}] = true, true
	}
	lo := &link{name: "lo", loopback: true, carrier: true, addrs: []address{{prefix: netip.MustParsePrefix("::1/128")}}}
	m.links = []*link{lo}
	m.kernelRoute(TableLocal, netip.MustParsePrefix("::1/128"), 0, lo.route6(Local))
	return m
}

// SetNotify sets fib_notify_on_flag_change of IPv4 and IPv6.
func (m *Model) SetNotify(settings [2]int) { m.notify = settings }

// Events returns what was published since the last call.
func (m *Model) Events() []Event {
	events := m.events
	m.events = nil
	return events
}

// Routes lists all routes: IPv4 before IPv6, tables by id modulo 256, prefixes as the kernel dumps them (2.9, 3.9).
func (m *Model) Routes() (list []Route) {
	for _, k := range m.keys() {
		listed := make(map[uint64]bool)
		for _, r := range m.routes[k] {
			if !listed[r.id] {
				listed[r.id] = true
				list = append(list, m.view(k, m.routes[k], r))
			}
		}
	}
	return list
}

// keys are all prefixes that have routes, in dump order.
func (m *Model) keys() (keys []key) {
	for k := range m.routes {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		byTable := cmp.Or(a.family()-b.family(), int(a.table%256)-int(b.table%256))
		switch {
		case byTable != 0:
			return byTable
		case a.family() == ipv4: // addresses ascending, of one the longest first
			return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), b.prefix.Bits()-a.prefix.Bits())
		case a.prefix.Bits() < b.prefix.Bits() && a.prefix.Overlaps(b.prefix): // a prefix after all that it contains
			return 1
		case a.prefix.Bits() > b.prefix.Bits() && a.prefix.Overlaps(b.prefix):
			return -1
		}
		return a.prefix.Addr().Compare(b.prefix.Addr())
	})
	return keys
}

// view is the route of row r, which is in list. Siblings are listed from r on, around the ring (4.5).
func (m *Model) view(k key, list []*row, r *row) Route {
	v := Route{
		ID: r.id, Table: k.table, Prefix: k.prefix, TOS: r.tos, Metric: r.metric, Type: r.typ, Protocol: r.protocol, Scope: r.scope,
		PrefSrc: r.prefsrc, Hops: r.shown(), Flags: r.flags, Reason: r.reason, Older: r.older, Object: r.object,
	}
	group := siblings(list, r)
	if len(group) < 2 {
		return v
	}
	v.Hops = nil
	at := slices.Index(group, r)
	for _, s := range slices.Concat(group[at:], group[:at]) {
		v.Hops = append(v.Hops, s.shown()...)
		v.Hops[len(v.Hops)-1].Flags = s.flags
	}
	return v
}

// siblings are the rows of r's route in list order; r alone if it has no others.
func siblings(list []*row, r *row) (group []*row) {
	for _, s := range list {
		if s.id == r.id {
			group = append(group, s)
		}
	}
	return group
}

// candidate is what belongs in hardware of a list.
func candidate(list []*row) []*row {
	if len(list) == 0 {
		return nil
	}
	return siblings(list, list[0])
}

// minus are the rows of list that are not in without.
func minus(list, without []*row) (rest []*row) {
	for _, r := range list {
		if !slices.Contains(without, r) {
			rest = append(rest, r)
		}
	}
	return rest
}

// edit makes list the rows of k, and queues the operation that leads from the candidate before to that of now. It reports false, and changes
// nothing, if the chip refuses.
func (m *Model) edit(k key, list []*row, deleting bool) bool {
	before, after := candidate(m.routes[k]), candidate(list)
	left, joined := minus(before, after), minus(after, before)
	op := operation{key: k}
	switch {
	case len(after) == 0:
		op.kind, op.rows, op.last = remove, before, true
	case len(left) == len(before) || len(left) > 0 && len(joined) > 0:
		op.kind, op.rows, op.promotion = replace, after, deleting
	case len(left) > 0:
		op.kind, op.rows = remove, left
	case len(joined) > 0:
		op.kind, op.rows = appendTo, joined
	}
	switch {
	case !m.attached || len(op.rows) == 0:
	case op.kind == remove && m.chip.failDelete: // a delete cannot be vetoed (2.6), but costs hardware everything (5.4)
		m.chip.queue = append(m.chip.queue, operation{kind: flush, key: k})
	case !m.chip.admit(op):
		return false
	default:
		m.unask() // a delete of several next hops is settled with the last
		op.ticket = m.ticket
		m.chip.queue = append(m.chip.queue, op)
	}
	m.routes[k] = list
	if len(list) == 0 {
		delete(m.routes, k)
	}
	return true
}

// deleteRows takes rows out and tells about it in one event.
func (m *Model) deleteRows(k key, rows []*row, requested, silent bool) {
	rest := minus(m.routes[k], rows)
	m.publishDelete(k, rows, rest, requested, silent)
	m.edit(k, rest, true)
}

// publishDelete says that rows leave, and rest stays.
func (m *Model) publishDelete(k key, rows, rest []*row, requested, silent bool) {
	m.events = append(m.events, Event{
		Kind: Deleted, Requested: requested, Silent: silent, Partial: len(siblings(rest, rows[0])) > 0, Route: m.view(k, rows, rows[0]),
	})
}
