package model

import (
	"slices"
)

// Kinds of operation.
const (
	replace = iota
	appendTo
	remove
	flush // a refused delete
)

// operation is what the chip has to do: something with the entry of key, or, with a link or a neighbour, note that it can
// be used or not.
type operation struct {
	kind      int
	key       key
	rows      []*row
	last      bool // remove: no route of the prefix remains
	promotion bool
	ticket    int // of the request that waits for it; 0 for none

	link     *link
	neighbor *neighbor
	usable   bool

	forgotten bool // software does not use the neighbor any more

	object *object // which is what hops say now, or gone
	hops   []hop
	gone   bool
}

// noted reports whether the operation is only a note about a link or a neighbour.
func (op *operation) noted() bool { return op.link != nil || op.neighbor != nil }

// Reasons why hardware fails.
const (
	tableFull   = "table_full"
	injected    = "injected"
	unsupported = "unsupported"
)

// entry is what the chip holds of a prefix of a table. The flags are those that it gave.
type entry struct {
	rows   []*row
	flags  []string
	tos    uint8
	object *hardObject // whose next hops it has, not those of rows; nil for none
	hidden bool        // by one of an earlier table (9.3)
}

// failure is a replace that failed for want of room, or while the hardware table had an entry of the prefix.
type failure struct {
	rows   []*row
	reason string
}

// chip is the hardware, and what is on its way to it.
type chip struct {
	netdevsim  bool
	sizes      [2]uint64
	nextSizes  [2]uint64
	counted    [2]uint64 // netdevsim's accounting (5.1)
	fail       bool      // fail_route_offload
	failDelete bool      // fail_route_delete
	usable     map[*link]bool
	valid      map[*neighbor]bool
	forgotten  map[*neighbor]bool
	objects    map[*object]*hardObject
	queue      []operation
	entries    map[key]*entry
	failed     map[key]bool     // something has failed here since the last replace; hardware and FIB may differ
	failures   map[key]*failure // of the last replace
}

func newChip(profile string, sizes [2]uint64) chip {
	return chip{
		netdevsim: profile == "netdevsim", sizes: sizes, nextSizes: sizes, usable: make(map[*link]bool), valid: make(map[*neighbor]bool), forgotten: make(map[*neighbor]bool), objects: make(map[*object]*hardObject), entries: make(map[key]*entry),
		failed: make(map[key]bool), failures: make(map[key]*failure),
	}
}

// SetFailing sets fail_route_offload and fail_route_delete.
func (m *Model) SetFailing(offload, del bool) { m.chip.fail, m.chip.failDelete = offload, del }

// SetSizes sets the sizes of IPv4/fib and IPv6/fib from the next reload on (5.14).
func (m *Model) SetSizes(sizes [2]uint64) { m.chip.nextSizes = sizes }

// Occupancy is how full IPv4/fib and IPv6/fib are: netdevsim counts its way (5.17), a switch its entries.
func (m *Model) Occupancy() (occupancy [2]uint64) {
	if m.chip.netdevsim {
		return m.chip.counted
	}
	for k, e := range m.chip.entries {
		if !e.hidden {
			occupancy[k.family()]++
		}
	}
	return occupancy
}

// Netdevsim reports whether the profile is that.
func (m *Model) Netdevsim() bool { return m.chip.netdevsim }

// Idle reports whether nothing is queued.
func (m *Model) Idle() bool { return len(m.chip.queue) == 0 }

// admit is the synchronous part (5.1). Promotions are always admitted.
func (c *chip) admit(op operation) bool {
	count := &c.counted[op.key.family()]
	switch {
	case !c.netdevsim:
	case op.kind == replace && *count >= c.sizes[op.key.family()] && !op.promotion:
		return false
	case op.kind == replace:
		*count++
	case op.kind == remove:
		*count = max(*count, 1) - 1
	}
	return true
}

// Step does up to n operations, and what is noted before, between and right behind them. Then routes follow what has become of their next hops. It
// returns how many operations it did.
func (m *Model) Step(n int) (done int) {
	for len(m.chip.queue) > 0 {
		op := m.chip.queue[0]
		if !op.noted() && op.kind != flush {
			if done == n {
				break
			}
			done++
		}
		m.chip.queue = m.chip.queue[1:]
		switch {
		case op.link != nil:
			m.chip.usable[op.link] = op.usable
			m.chip.loseForgotten(op.link)
		case op.forgotten:
			m.chip.forget(op.neighbor)
		case op.neighbor != nil:
			m.chip.valid[op.neighbor] = op.usable
		case op.object != nil:
			m.objectChanged(op)
		case op.kind == flush:
			for k := range m.chip.entries {
				m.chip.release(k.family())
			}
			m.clear()
			for k := range m.routes {
				m.chip.failed[k] = true
			}
		case op.kind == replace:
			m.replace(op)
		case op.kind == appendTo:
			m.appendTo(op)
		default:
			m.remove(op)
		}
		if op.ticket != 0 {
			m.settled = append(m.settled, Settled{op.ticket, m.outcome(op)})
		}
	}
	m.follow()
	return done
}

// Settled is the end of a request for who waits for hardware.
type Settled struct {
	Ticket  int
	Outcome string // and the reason of a failure
}

// Settled returns what was settled since the last call.
func (m *Model) Settled() []Settled {
	settled := m.settled
	m.settled = nil
	return settled
}

// outcome is what became of an operation, as its last row shows.
func (m *Model) outcome(op operation) string {
	r := op.rows[len(op.rows)-1]
	switch {
	case op.kind == remove || op.promotion:
		return "removed"
	case !slices.Contains(m.routes[op.key], r):
		return "superseded"
	}
	return map[string]string{"": "not_selected", "offload": "offloaded", "trap": "trapped", "offload_failed": "failed " + r.reason}[r.flags]
}

// Rest does everything that is queued.
func (m *Model) Rest() int { return m.Step(len(m.chip.queue)) }

// clear empties the chip (5.15).
func (m *Model) clear() {
	m.unordered(func() {
		for k, e := range m.chip.entries {
			if e.hidden {
				continue
			}
			for _, r := range e.rows {
				m.flag(k, r, "", "", false)
			}
			m.olderGone(k)
		}
	})
	m.chip.entries, m.chip.failed = make(map[key]*entry), make(map[key]bool)
}

// unordered marks the events of do.
func (m *Model) unordered(do func()) {
	start := len(m.events)
	do()
	for i := range m.events[start:] {
		m.events[start+i].Unordered = true
	}
}

// Reload follows 5.15 and 5.16: what is queued is done, the chip is emptied, sizes and counters start anew, and all candidates are
// queued. If one is refused, the chip stays empty and is told nothing until a reload succeeds.
func (m *Model) Reload() (errno string) {
	m.Rest()
	m.clear()
	c := &m.chip
	clear(c.objects)
	for _, o := range m.objects {
		o.flags = ""
	}
	c.failDelete, c.failures = false, make(map[key]*failure)
	c.fail, c.sizes, c.counted, m.attached = false, c.nextSizes, [2]uint64{}, true
	for _, o := range m.objects {
		m.tellObject(o)
	}
	for _, k := range m.keys() {
		op := operation{kind: replace, key: k, rows: candidate(m.routes[k])}
		if !c.admit(op) {
			m.Rest()
			m.clear()
			c.failures = make(map[key]*failure)
			c.counted, m.attached = [2]uint64{}, false
			return "EPERM"
		}
		c.queue = append(c.queue, op)
	}
	return ""
}

func (m *Model) flagAll(op operation, flags, reason string, silent bool) {
	for _, r := range op.rows {
		m.flag(op.key, r, flags, reason, silent)
	}
}

// flag follows section 6. Where only the reason of a failure is another one, the kernel says nothing.
func (m *Model) flag(k key, r *row, flags, reason string, silent bool) {
	m.flagOlder(k, r, flags, reason, false, silent)
}

// flagOlder does that, with older saying that hardware has another entry in place of a route that failed.
func (m *Model) flagOlder(k key, r *row, flags, reason string, older, silent bool) {
	if !slices.Contains(m.routes[k], r) {
		return
	}
	same := r.flags == flags // for the kernel
	changed := !same || r.reason != reason || r.older != older
	failureChanged := changed && (same || r.flags == "offload_failed" || flags == "offload_failed")
	r.flags, r.reason, r.older = flags, reason, older
	notify := m.notify[k.family()]
	if notify == 1 && changed || notify == 2 && failureChanged {
		m.events = append(m.events, Event{Kind: Flagged, Silent: silent || same, Route: m.view(k, m.routes[k], r)})
	}
}
