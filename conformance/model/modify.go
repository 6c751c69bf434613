package model

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Verb is what a request does.
type Verb int

// Verbs, in the order of RouteAction.
const (
	Add Verb = iota
	Replace
	Change
	Append
	Prepend
	Delete
)

// Want is a request. In a Delete what is zero is not compared.
type Want struct {
	Verb     Verb
	Table    uint32
	Prefix   netip.Prefix
	TOS      uint8
	Metric   uint32 // 0: 0 for IPv4, 1024 for IPv6
	Type     uint8
	Protocol uint8 // 0: boot
	PrefSrc  netip.Addr
	Hops     []Hop
	Object   uint32 // the id of a next-hop object, instead of Hops
	List     bool   // the next hops are a list even if there is one
	Ticket   int    // names the request to who waits for hardware; 0: nobody
}

// GoString writes a request down for the log of a test.
func (w Want) GoString() string {
	type want Want
	return fmt.Sprintf("%+v", want(w))
}

const (
	nlReplace = 0x100
	nlExcl    = 0x200
	nlCreate  = 0x400
	nlAppend  = 0x800
)

// Modify carries out a request and returns the name of its errno, "" if it was accepted.
func (m *Model) Modify(w Want) (errno string) {
	m.ticket = w.Ticket
	if errno = m.modify(w); errno != "" {
		m.unask()
	}
	m.ticket = 0
	m.forgetNeighbors()
	return errno
}

// unask makes nobody wait for what the present request has queued.
func (m *Model) unask() {
	for i := range m.chip.queue {
		if m.chip.queue[i].ticket == m.ticket {
			m.chip.queue[i].ticket = 0
		}
	}
}

func (m *Model) modify(w Want) string {
	k := key{w.Table, w.Prefix}
	table := [2]uint32{uint32(k.family()), w.Table} //nolint:gosec // 0 or 1
	if w.Verb == Delete {
		if !m.tables[table] {
			return "ESRCH"
		}
		return m.delete(k, w)
	}
	rows, errno := m.resolve(k, w)
	if errno != "" {
		return errno
	}
	m.tables[table] = true
	return m.insert(k, rows, w.Verb, k.family() == ipv6 && (w.List || len(w.Hops) > 1), true)
}

// insert adds rows of one route. list: they came as a list of IPv6 next hops (3.4), of which the first is inserted as the verb says and the
// others are plain creates; if one of those or the chip refuses, users see what had been inserted come and go.
func (m *Model) insert(k key, rows []*row, verb Verb, list, requested bool) (errno string) {
	place := map[int]func([]*row, *row, Verb) placed{ipv4: place4, ipv6: place6}[k.family()]
	event := Event{Kind: Added, Requested: requested}
	now := m.routes[k]
	var in []*row
	for i, r := range rows {
		v := verb
		if i > 0 {
			v = Prepend
		}
		p := place(now, r, v)
		if p.errno != "" || p.same {
			errno = p.errno
			break
		}
		if i == 0 {
			event.NLFlags = p.nl
			if p.replaced {
				event.Kind = Replaced
			}
		}
		m.lastRow++
		if r.serial = m.lastRow; r.id == 0 {
			m.lastID++
			r.id = m.lastID
		}
		now, in = p.list, append(in, r)
	}
	if len(in) == 0 {
		return errno
	}
	shown := in[0]
	if list {
		shown = siblings(now, in[0])[0]
		event.NLFlags = nlCreate
		switch verb {
		case Replace, Change:
			event.NLFlags = nlReplace
		case Append:
			event.NLFlags |= nlAppend
		}
	}
	event.Route = m.view(k, now, shown)
	if errno == "" && m.edit(k, now, false) {
		m.events = append(m.events, event)
		return ""
	}
	if list && verb != Replace && verb != Change {
		m.events = append(m.events, event)
		for _, r := range in {
			now = minus(now, []*row{r})
			gone := operation{kind: remove, key: k, rows: []*row{r}} // hardware never saw it, and is told all the same (3.4)
			switch {
			case errno == "" || !m.attached || len(now) == 0 || now[0].id != r.id:
			case m.chip.failDelete:
				m.chip.queue = append(m.chip.queue, operation{kind: flush, key: k})
			case m.chip.admit(gone):
				m.chip.queue = append(m.chip.queue, gone)
			}
			m.publishDelete(k, []*row{r}, now, requested, false)
		}
	}
	return cmp.Or(errno, "EPERM")
}

// placed is a list with one more row.
type placed struct {
	list     []*row
	nl       uint16
	replaced bool
	same     bool // it was there already
	errno    string
}

// put inserts r, in front or behind, and sorts so that equal ones keep their order.
func put(list []*row, r *row, front bool, order func(a, b *row) int) []*row {
	if front {
		list = append([]*row{r}, list...)
	} else {
		list = append(slices.Clone(list), r)
	}
	slices.SortStableFunc(list, order)
	return list
}

// place4 follows 2.1 and 2.2.
func place4(list []*row, r *row, verb Verb) placed {
	order := func(a, b *row) int { return cmp.Or(int(b.tos)-int(a.tos), cmp.Compare(a.metric, b.metric)) }
	var equal []*row
	for _, o := range list {
		if order(o, r) == 0 {
			equal = append(equal, o)
		}
	}
	identical := slices.IndexFunc(equal, r.same)
	replaces := verb == Replace || verb == Change
	switch {
	case len(equal) == 0 && verb == Change:
		return placed{errno: "ENOENT"}
	case len(equal) == 0:
		return placed{list: put(list, r, false, order), nl: nlExcl | nlCreate}
	case verb == Add:
		return placed{errno: "EEXIST"}
	case replaces && identical == 0:
		return placed{same: true}
	case identical >= 0:
		return placed{errno: "EEXIST"}
	case replaces:
		r.id = equal[0].id
		list = slices.Clone(list)
		list[slices.Index(list, equal[0])] = r
		return placed{list: list, nl: nlReplace, replaced: true}
	case verb == Append:
		return placed{list: put(list, r, false, order), nl: nlCreate | nlAppend}
	}
	return placed{list: put(list, r, true, order), nl: nlCreate}
}

// place6 follows 3.1 to 3.3.
func place6(list []*row, r *row, verb Verb) placed {
	order := func(a, b *row) int { return cmp.Compare(a.metric, b.metric) }
	var equal []*row
	for _, o := range list {
		if o.metric == r.metric {
			equal = append(equal, o)
		}
	}
	nl := uint16(nlCreate)
	if verb == Append {
		nl |= nlAppend
	}
	switch {
	case len(equal) == 0 && verb == Change:
		return placed{errno: "ENOENT"}
	case len(equal) == 0:
		return placed{list: put(list, r, false, order), nl: nl | nlExcl}
	case verb == Add:
		return placed{errno: "EEXIST"}
	case verb == Replace || verb == Change:
		old := equal[0]
		if i := slices.IndexFunc(equal, func(o *row) bool { return o.canBeSibling() == r.canBeSibling() }); i >= 0 {
			old = equal[i]
		}
		r.id = old.id
		var now []*row
		for _, o := range list {
			switch {
			case o == old:
				now = append(now, r)
			case o.id != old.id:
				now = append(now, o)
			}
		}
		return placed{list: now, nl: nlReplace, replaced: true}
	}
	for _, o := range equal {
		if o.object == r.object && (r.object != 0 || o.hops[0].link == r.hops[0].link && o.hops[0].gateway == r.hops[0].gateway) {
			return placed{errno: "EEXIST"}
		}
	}
	if i := slices.IndexFunc(equal, (*row).canBeSibling); i >= 0 && r.canBeSibling() {
		r.id = equal[i].id
	}
	return placed{list: put(list, r, false, order), nl: nl}
}

// delete follows 2.5 and 3.5.
func (m *Model) delete(k key, w Want) (errno string) {
	selectors := [][]Hop{w.Hops}
	if k.family() == ipv6 && (w.List || len(w.Hops) > 1) { // each next hop is a request of its own
		selectors = nil
		for _, h := range w.Hops {
			selectors = append(selectors, []Hop{h})
		}
	}
	for _, hops := range selectors {
		i := slices.IndexFunc(m.routes[k], func(r *row) bool {
			if k.family() == ipv4 {
				return selects4(r, w, hops)
			}
			return selects6(r, w, hops)
		})
		if i < 0 {
			errno = cmp.Or(errno, m.missing(hops))
			continue
		}
		leaving := m.routes[k][i : i+1]
		if k.family() == ipv6 && (len(hops) == 0 || !hops[0].Gateway.IsValid()) {
			leaving = siblings(m.routes[k], leaving[0])
		}
		m.deleteRows(k, slices.Clone(leaving), true, false)
	}
	return errno
}

// missing says why nothing was found.
func (m *Model) missing(hops []Hop) string {
	if len(hops) == 1 && hops[0].Device != "" && m.link(hops[0].Device) == nil {
		return "ENODEV"
	}
	return "ESRCH"
}

func selects4(r *row, w Want, hops []Hop) bool {
	if r.tos != w.TOS || w.Metric != 0 && r.metric != w.Metric || w.Type != 0 && r.typ != w.Type || w.Protocol != 0 && r.protocol != w.Protocol ||
		w.PrefSrc.IsValid() && r.prefsrc != w.PrefSrc {
		return false
	}
	switch {
	case w.Object != 0:
		return r.object == w.Object
	case len(hops) == 0:
		return true
	case len(r.hops) == 0 || r.object != 0:
		return false
	case len(hops) == 1 && !w.List: // the first next hop
		return selectsHop(r.hops[0], hops[0])
	case len(hops) < len(r.hops):
		return false
	}
	for i, h := range r.hops {
		if !selectsHop(h, hops[i]) {
			return false
		}
	}
	return true
}

func selects6(r *row, w Want, hops []Hop) bool {
	return (w.Metric == 0 || r.metric == w.Metric) && (w.Protocol == 0 || r.protocol == w.Protocol) &&
		(r.object == 0 || w.Object == 0 || r.object == w.Object) && (r.object != 0 || len(hops) == 0 || selectsHop(r.hops[0], hops[0]))
}

func selectsHop(have hop, want Hop) bool {
	return (want.Device == "" || have.link.name == want.Device) && (!want.Gateway.IsValid() || have.gateway == want.Gateway)
}
