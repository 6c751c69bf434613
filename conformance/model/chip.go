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
	hidden bool // by one of an earlier table (9.3)
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
	queue      []operation
	entries    map[key]*entry
	failed     map[key]bool     // something has failed here since the last replace; hardware and FIB may differ
	failures   map[key]*failure // of the last replace
}

func newChip(profile string, sizes [2]uint64) chip {
	return chip{
		netdevsim: profile == "netdevsim", sizes: sizes, nextSizes: sizes, usable: make(map[*link]bool), valid: make(map[*neighbor]bool), entries: make(map[key]*entry),
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
		case op.neighbor != nil:
			m.chip.valid[op.neighbor] = op.usable
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

// merged are the tables that share one in the hardware of a switch, the first one first (9.3).
var merged = []uint32{TableLocal, TableMain, TableDefault}

// sharing are the places of a prefix in the hardware table that k is in, in order.
func (m *Model) sharing(k key) (keys []key) {
	if m.chip.netdevsim || !slices.Contains(merged, k.table) {
		return []key{k}
	}
	for _, table := range merged {
		keys = append(keys, key{table, k.prefix})
	}
	return keys
}

// present is the place whose entry is in the hardware table of k; ok is false if there is none.
func (m *Model) present(k key) (at key, ok bool) {
	for _, at := range m.sharing(k) {
		if e := m.chip.entries[at]; e != nil && !e.hidden {
			return at, true
		}
	}
	return key{}, false
}

// failure says why an operation fails before the chip looks at the routes, "" if it does not.
func (m *Model) failure(k key) string {
	_, present := m.present(k)
	full := m.Occupancy()[k.family()] >= m.chip.sizes[k.family()]
	switch {
	case m.chip.fail:
		return injected
	case !m.chip.netdevsim && !present && full:
		return tableFull
	}
	return ""
}

// replace follows 5.6, 9.2 and 9.3: a route that one of an earlier table hides gets no flags; a failure leaves an older entry as it is; else the new
// routes get their flags, then the old ones lose theirs.
func (m *Model) replace(op operation) {
	at, present := m.present(op.key)
	m.chip.failed[op.key] = false
	if present && slices.Index(merged, at.table) < slices.Index(merged, op.key.table) {
		delete(m.chip.failures, op.key)
		m.hide(op.key, op.rows)
		m.flagAll(op, "", "", false)
		return
	}
	reason := m.refusal(op)
	if reason != "" {
		m.fail(op, reason)
		return
	}
	var old []*row
	if present {
		old = m.chip.entries[at].rows
	}
	switch {
	case !present:
	case at == op.key:
		m.chip.release(op.key.family())
	default:
		m.eclipse(at)
	}
	m.write(op)
	for _, r := range minus(old, op.rows) {
		m.flag(at, r, "", "", false)
	}
}

// hide keeps routes of a table out of hardware.
func (m *Model) hide(k key, rows []*row) {
	m.chip.entries[k] = &entry{rows: rows, flags: make([]string, len(rows)), tos: rows[0].tos, hidden: true}
}

// eclipse hides what an entry is for, as a route of an earlier table takes its place. If that is an older one, the route that was to replace it has not
// failed any more.
func (m *Model) eclipse(k key) {
	rows := m.chip.entries[k].rows
	if failed := m.chip.failures[k]; failed != nil {
		rows = failed.rows
		delete(m.chip.failures, k)
		for _, r := range rows {
			m.flag(k, r, "", "", false)
		}
	}
	m.hide(k, rows)
}

// refusal says why a replace fails, "" if it does not.
func (m *Model) refusal(op operation) string {
	if reason := m.failure(op.key); reason != "" {
		return reason
	}
	if m.verdict(op.rows, op.key, op.rows[0].tos) == "offload_failed" {
		return unsupported
	}
	return ""
}

// fail says that a replace has failed. An older entry stays as it is.
func (m *Model) fail(op operation, reason string) {
	_, present := m.present(op.key)
	m.chip.failed[op.key] = true
	delete(m.chip.failures, op.key)
	if present || reason == tableFull {
		m.chip.failures[op.key] = &failure{op.rows, reason}
	}
	for _, r := range op.rows {
		m.flagOlder(op.key, r, "offload_failed", reason, present, false)
	}
}

// write makes an entry of routes, unless they are none for this chip.
func (m *Model) write(op operation) {
	delete(m.chip.failures, op.key)
	e := m.judge(op.rows, op.key, op.rows[0].tos)
	if e.flags[0] != "" {
		m.chip.entries[op.key] = e
	}
	for i, r := range op.rows {
		m.flag(op.key, r, e.flags[i], "", false)
	}
}

// appendTo follows 5.7 and 9.9. Siblings of routes that failed fail like those; netdevsim has them join the older entry.
func (m *Model) appendTo(op operation) {
	e, failed := m.chip.entries[op.key], m.chip.failures[op.key]
	if e != nil && e.hidden {
		m.hide(op.key, slices.Concat(e.rows, op.rows))
		m.flagAll(op, "", "", false)
		return
	}
	reason := ""
	switch {
	case m.chip.fail:
		reason = injected
	case failed != nil && !m.chip.netdevsim:
		reason = failed.reason
	case e == nil:
		reason = unsupported
	}
	if failed != nil {
		failed.rows = slices.Concat(failed.rows, op.rows)
	}
	if reason != "" {
		m.chip.failed[op.key] = true
		m.flagAll(op, "offload_failed", reason, false)
		return
	}
	m.regroup(op.key, e, slices.Concat(e.rows, op.rows))
}

// regroup gives an entry other siblings. netdevsim leaves those that stay alone and says nothing of those that join (5.7, 5.8); a switch judges all
// of them as one group, and says so (9.9).
func (m *Model) regroup(k key, e *entry, rows []*row) {
	now := m.judge(rows, k, e.tos)
	before := *e
	e.rows, e.flags = now.rows, now.flags
	for i, r := range e.rows {
		if was := slices.Index(before.rows, r); was < 0 || before.flags[was] != e.flags[i] {
			m.flag(k, r, e.flags[i], "", m.chip.netdevsim)
		}
	}
}

// remove follows 5.8: netdevsim empties the entry when as many siblings leave as it has, whichever they are.
func (m *Model) remove(op operation) {
	if failed := m.chip.failures[op.key]; failed != nil {
		if failed.rows = minus(failed.rows, op.rows); op.last || len(failed.rows) == 0 {
			delete(m.chip.failures, op.key)
		}
	}
	e := m.chip.entries[op.key]
	if e == nil {
		return
	}
	var rest []*row
	if !op.last && (!m.chip.netdevsim || len(op.rows) < len(e.rows)) {
		rest = minus(e.rows, op.rows)
	}
	switch {
	case len(rest) == 0:
		delete(m.chip.entries, op.key)
		if !e.hidden {
			m.olderGone(op.key)
			m.surface(op.key)
		}
	case e.hidden:
		m.hide(op.key, rest)
	default:
		m.regroup(op.key, e, rest)
	}
}

// olderGone says of routes that failed that the entry that hardware had in their place is gone, too.
func (m *Model) olderGone(k key) {
	for _, at := range m.sharing(k) {
		failed := m.chip.failures[at]
		if failed == nil {
			continue
		}
		for _, r := range failed.rows {
			if r.older {
				m.flag(at, r, r.flags, r.reason, true)
			}
		}
		if failed.reason != tableFull {
			delete(m.chip.failures, at)
		}
	}
}

// surface brings the first route that was hidden by an entry that is gone into hardware.
func (m *Model) surface(k key) {
	for _, at := range m.sharing(k) {
		e := m.chip.entries[at]
		if e == nil {
			continue
		}
		delete(m.chip.entries, at)
		op := operation{key: at, rows: e.rows}
		reason := m.refusal(op)
		if reason == "" {
			m.write(op)
			return
		}
		m.fail(op, reason)
	}
}

// release gives one entry of netdevsim's accounting back.
func (c *chip) release(family int) { c.counted[family] = max(c.counted[family], 1) - 1 }

// judge says which flags the routes of an entry get. netdevsim traps everything (5.9); a switch decides as 9.2, 9.4 and 9.5 say, for all siblings alike.
func (m *Model) judge(rows []*row, k key, tos uint8) *entry {
	e := &entry{rows: slices.Clone(rows), tos: tos}
	for range rows {
		e.flags = append(e.flags, m.verdict(rows, k, tos))
	}
	return e
}

func (m *Model) verdict(rows []*row, k key, tos uint8) string {
	typ := rows[0].typ
	switch {
	case m.chip.netdevsim:
		return "trap"
	case k.family() == ipv6 && k.prefix.Addr().IsMulticast():
		return ""
	case k.family() == ipv4 && (typ == Throw || typ == Multicast):
		return "offload_failed"
	case typ == Local || typ == Broadcast || typ == Unreachable || typ == Prohibit || typ == Throw || tos != 0:
		return "trap"
	case typ == Blackhole || slices.ContainsFunc(rows, m.forwards):
		return "offload"
	}
	return "trap"
}

// forwards reports whether a next hop of a row can be used.
func (m *Model) forwards(r *row) bool { return slices.ContainsFunc(r.hops, m.chip.canUse) }

// follow judges all entries again: what they depend on may have changed (9.7).
func (m *Model) follow() {
	m.unordered(func() {
		for k, e := range m.chip.entries {
			if e.hidden {
				continue
			}
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
	c.failDelete, c.failures = false, make(map[key]*failure)
	c.fail, c.sizes, c.counted, m.attached = false, c.nextSizes, [2]uint64{}, true
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
		if e.hidden {
			continue
		}
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
		ignored := !m.chip.netdevsim && k.family() == ipv6 && k.prefix.Addr().IsMulticast()
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
