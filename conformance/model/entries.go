package model

import (
	"fmt"
	"slices"
	"strings"
)

// Entry is what the chip holds of a prefix.
type Entry struct {
	Table  uint32
	Prefix string
	Hops   [][]Hop // of the first row and its siblings, the first one with the flags that the chip gave; a row without any has an empty one
	Uses   []Hop   // the next hops that packets go to, in the order of their text, with their shares for weights
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
			if r.object != 0 {
				hops = []Hop{{Device: fmt.Sprintf("nhid %d", r.object)}}
			}
			if len(hops) == 0 {
				hops = []Hop{{}}
			}
			hops[0].Flags = e.flags[i]
			shown.Hops = append(shown.Hops, hops)
		}
		shown.Uses = m.uses(e)
		list = append(list, shown)
	}
	return list
}

// uses are the next hops that an entry forwards to: those that can be used, by their weights (9.6).
func (m *Model) uses(e *entry) (hops []Hop) {
	if e.flags[0] != "offload" || e.rows[0].typ == Blackhole {
		return nil
	}
	common := 0
	for _, h := range e.hops() {
		if m.chip.canUse(h) {
			hops = append(hops, h.shown())
			common = gcd(common, h.weight)
		}
	}
	for i := range hops {
		hops[i].Weight /= common
	}
	SortHops(hops)
	return hops
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// SortHops puts next hops into the order of their text.
func SortHops(hops []Hop) {
	slices.SortFunc(hops, func(a, b Hop) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
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
