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

// operation is what the chip has to do: something with the entry of key, or, with link, note that a link can be used or not.
type operation struct {
	kind      int
	key       key
	rows      []*row
	last      bool // remove: no route of the prefix remains
	promotion bool
	ticket    int // of the request that waits for it; 0 for none

	link   *link
	usable bool
}

// Reasons why hardware fails.
const (
	tableFull   = "table_full"
	injected    = "injected"
	unsupported = "unsupported"
)

// entry is what the chip holds of a prefix. The flags are those that it gave.
type entry struct {
	rows  []*row
	flags []string
	tos   uint8
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
	queue      []operation
	entries    map[key]*entry
	failed     map[key]bool // something has failed here since the last replace; hardware and FIB may differ
}

func newChip(profile string, sizes [2]uint64) chip {
	return chip{
		netdevsim: profile == "netdevsim", sizes: sizes, nextSizes: sizes, usable: make(map[*link]bool), entries: make(map[key]*entry),
		failed: make(map[key]bool),
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
	for k := range m.chip.entries {
		occupancy[k.family()]++
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

// Step does up to n operations, and the changes of links before, between and right behind them. It returns how many operations it did.
func (m *Model) Step(n int) (done int) {
	for len(m.chip.queue) > 0 {
		op := m.chip.queue[0]
		if op.link == nil && op.kind != flush {
			if done == n {
				break
			}
			done++
		}
		m.chip.queue = m.chip.queue[1:]
		switch {
		case op.link != nil:
			m.linkChanged(op.link, op.usable)
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

// failure says why an operation fails before the chip looks at the routes, "" if it does not.
func (m *Model) failure(k key) string {
	full := m.Occupancy()[k.family()] >= m.chip.sizes[k.family()]
	switch {
	case m.chip.fail:
		return injected
	case !m.chip.netdevsim && m.chip.entries[k] == nil && full:
		return tableFull
	}
	return ""
}

// replace follows 5.6 and 9.2: a failure leaves an older entry as it is; else the new routes get their flags, then the old ones lose theirs.
func (m *Model) replace(op operation) {
	old := m.chip.entries[op.key]
	reason := m.failure(op.key)
	e := m.judge(op.rows, op.key, op.rows[0].tos)
	if reason == "" && e.flags[0] == "offload_failed" {
		reason = unsupported
	}
	if m.chip.failed[op.key] = reason != ""; reason != "" {
		m.flagAll(op, "offload_failed", reason, false)
		return
	}
	switch {
	case e.flags[0] == "":
		delete(m.chip.entries, op.key)
	case old != nil:
		m.chip.release(op.key.family())
		m.chip.entries[op.key] = e
	default:
		m.chip.entries[op.key] = e
	}
	for i, r := range op.rows {
		m.flag(op.key, r, e.flags[i], "", false)
	}
	if old != nil {
		for _, r := range minus(old.rows, op.rows) {
			m.flag(op.key, r, "", "", false)
		}
	}
}

// appendTo follows 5.7 and 9.9.
func (m *Model) appendTo(op operation) {
	e := m.chip.entries[op.key]
	m.chip.failed[op.key] = m.chip.failed[op.key] || m.chip.fail || e == nil
	switch {
	case m.chip.fail:
		m.flagAll(op, "offload_failed", injected, false)
	case e == nil:
		m.flagAll(op, "offload_failed", unsupported, false)
	default:
		joined := m.judge(op.rows, op.key, e.tos)
		e.rows, e.flags = slices.Concat(e.rows, op.rows), slices.Concat(e.flags, joined.flags)
		for i, r := range op.rows {
			m.flag(op.key, r, joined.flags[i], "", m.chip.netdevsim)
		}
	}
}

// remove follows 5.8: netdevsim empties the entry when as many siblings leave as it has, whichever they are.
func (m *Model) remove(op operation) {
	e := m.chip.entries[op.key]
	if e == nil {
		return
	}
	var rest entry
	if !op.last && (!m.chip.netdevsim || len(op.rows) < len(e.rows)) {
		rest.tos = e.tos
		for i, r := range e.rows {
			if !slices.Contains(op.rows, r) {
				rest.rows, rest.flags = append(rest.rows, r), append(rest.flags, e.flags[i])
			}
		}
	}
	m.chip.entries[op.key] = &rest
	if len(rest.rows) == 0 {
		delete(m.chip.entries, op.key)
	}
}

// release gives one entry of netdevsim's accounting back.
func (c *chip) release(family int) { c.counted[family] = max(c.counted[family], 1) - 1 }

// judge says which flags rows get. netdevsim traps everything (5.9); a switch decides as 9.4 and 9.5 say, with a link that can be used for a
// neighbour that is known.
func (m *Model) judge(rows []*row, k key, tos uint8) *entry {
	e := &entry{rows: slices.Clone(rows), tos: tos}
	for _, r := range rows {
		e.flags = append(e.flags, m.verdict(r, k, tos))
	}
	return e
}

func (m *Model) verdict(r *row, k key, tos uint8) string {
	forwards := slices.ContainsFunc(r.hops, func(h hop) bool { return !h.link.loopback && m.chip.usable[h.link] })
	switch {
	case m.chip.netdevsim:
		return "trap"
	case r.typ == Throw || r.typ == Multicast && k.family() == ipv4:
		return "offload_failed"
	case r.typ == Multicast:
		return ""
	case tos == 0 && (r.typ == Blackhole || r.typ == Unicast && forwards):
		return "offload"
	}
	return "trap"
}

// linkChanged judges the routes on the link again (9.7).
func (m *Model) linkChanged(l *link, usable bool) {
	if m.chip.usable[l] == usable {
		return
	}
	m.chip.usable[l] = usable
	m.unordered(func() {
		for k, e := range m.chip.entries {
			for i, flags := range m.judge(e.rows, k, e.tos).flags {
				if flags != e.flags[i] {
					e.flags[i] = flags
					m.flag(k, e.rows[i], flags, "", false)
				}
			}
		}
	})
}

// clear empties the chip (5.15).
func (m *Model) clear() {
	m.unordered(func() {
		for k, e := range m.chip.entries {
			for _, r := range e.rows {
				m.flag(k, r, "", "", false)
			}
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
	c.failDelete = false
	c.fail, c.sizes, c.counted, m.attached = false, c.nextSizes, [2]uint64{}, true
	for _, k := range m.keys() {
		op := operation{kind: replace, key: k, rows: candidate(m.routes[k])}
		if !c.admit(op) {
			m.Rest()
			m.clear()
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
	if !slices.Contains(m.routes[k], r) {
		return
	}
	old, oldReason := r.flags, r.reason
	r.flags, r.reason = flags, reason
	failureChanged := (old == "offload_failed") != (flags == "offload_failed") || oldReason != reason
	notify := m.notify[k.family()]
	if notify == 1 && (old != flags || oldReason != reason) || notify == 2 && failureChanged {
		m.events = append(m.events, Event{Kind: Flagged, Silent: silent || old == flags, Route: m.view(k, m.routes[k], r)})
	}
}

// Entry is what the chip holds of a prefix.
type Entry struct {
	Table  uint32
	Prefix string
	Hops   [][]Hop // of the first row and its siblings, the first one with the flags that the chip gave; a row without any has an empty one
	Route  uint64  // the route that belongs there, if the entry is just that; else 0
}

// Entries are all hardware entries, in no order.
func (m *Model) Entries() (list []Entry) {
	for k, e := range m.chip.entries {
		shown := Entry{Table: k.table, Prefix: k.prefix.String()}
		if slices.Equal(e.rows, candidate(m.routes[k])) {
			shown.Route = e.rows[0].id
		}
		for i, r := range e.rows {
			hops := r.shown()
			if len(hops) == 0 {
				hops = []Hop{{}}
			}
			hops[0].Flags = e.flags[i]
			shown.Hops = append(shown.Hops, hops)
		}
		list = append(list, shown)
	}
	return list
}

// Unexplained names a prefix whose entry is not its candidate though nothing has failed there since the entry was made, "" if there is none. It
// is for a chip at rest. A chip that is not told about routes is empty, and multicast is not for a switch.
func (m *Model) Unexplained() string {
	for _, k := range m.keys() {
		rows := candidate(m.routes[k])
		ignored := !m.chip.netdevsim && rows[0].typ == Multicast
		if e := m.chip.entries[k]; m.attached && !m.chip.failed[k] && !ignored && (e == nil || !slices.Equal(e.rows, rows)) {
			return k.prefix.String()
		}
	}
	for k := range m.chip.entries {
		if !m.attached || len(m.routes[k]) == 0 {
			return k.prefix.String() + " no more"
		}
	}
	return ""
}
