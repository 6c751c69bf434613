package model

import "slices"

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
	if m.judge(op).flags[0] == "offload_failed" {
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
	e := m.judge(op)
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
	before := *e
	e.rows = rows
	m.rejudge(k, e)
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

// judge makes the entry of an operation.
func (m *Model) judge(op operation) *entry {
	e := &entry{rows: op.rows, tos: op.rows[0].tos, object: m.hardObject(op.rows[0])}
	m.rejudge(op.key, e)
	return e
}

// rejudge says which flags the routes of an entry get: all siblings the same.
func (m *Model) rejudge(k key, e *entry) {
	e.flags = slices.Repeat([]string{m.verdict(e, k)}, len(e.rows))
}

// verdict says so: netdevsim traps everything (5.9); a switch decides as 9.2, 9.4 and 9.5 say.
func (m *Model) verdict(e *entry, k key) string {
	typ := e.rows[0].typ
	switch {
	case m.chip.netdevsim:
		return "trap"
	case k.family() == ipv6 && k.prefix.Addr().IsMulticast():
		return ""
	case k.family() == ipv4 && (typ == Throw || typ == Multicast):
		return "offload_failed"
	case typ == Local || typ == Broadcast || typ == Unreachable || typ == Prohibit || typ == Throw || e.tos != 0:
		return "trap"
	case typ == Blackhole || slices.ContainsFunc(e.hops(), m.chip.canUse):
		return "offload"
	}
	return "trap"
}

// hops are the next hops of an entry.
func (e *entry) hops() (hops []hop) {
	if e.object != nil {
		return e.object.hops
	}
	for _, r := range e.rows {
		hops = append(hops, r.hops...)
	}
	return hops
}

// follow judges all entries again: what they depend on may have changed (9.7).
func (m *Model) follow() {
	for o, hard := range m.chip.objects {
		o.flags = ""
		if slices.ContainsFunc(hard.hops, m.chip.canUse) { // 9.8
			o.flags = "offload"
		}
	}
	m.unordered(func() {
		for k, e := range m.chip.entries {
			if e.hidden {
				continue
			}
			was := e.flags
			m.rejudge(k, e)
			for i, flags := range e.flags {
				if flags != was[i] {
					m.flag(k, e.rows[i], flags, "", false)
				}
			}
		}
	})
}
