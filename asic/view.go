package asic

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/vasic-project/vasic/fib"
)

// Action is what hardware does with packets.
type Action uint8

// Actions.
const (
	Forward Action = iota // sends them to the next hops
	Trap                  // hands them to the CPU
	Drop
)

// String returns the action as the API spells it.
func (a Action) String() string { return [...]string{"forward", "trap", "drop"}[a] }

// Entry is one hardware entry.
type Entry struct {
	Family fib.Family
	Table  uint32 // that its routes are from
	Prefix netip.Prefix
	Action Action
	Routes []fib.Ref   // the first route and its siblings
	Flags  []fib.Flags // of each
	Group  uint32      // number of its next-hop group; 0 for none
	Hops   []EntryHop  // of its group, also those that are not in use

	TrappedSlots uint32 // with Forward, of a resilient group: buckets of next hops that cannot be used; their packets are trapped
}

// EntryHop is a next hop of a group.
type EntryHop struct {
	fib.NextHop
	Slots uint32 // its share of the group: of each flow hash's values so many go there; 0 if it is not in use
}

// View is a look at the hardware tables while nothing is programmed.
type View struct{ c *Chip }

// View calls fn with the hardware held still. It works while the chip is paused, busy or stalled. fn must be quick and must call no method of the chip;
// it may be called with locks of the FIB held.
func (c *Chip) View(fn func(*View)) {
	c.hw.Lock()
	defer c.hw.Unlock()
	fn(&View{c})
}

// At returns the entry of a prefix in the hardware table that a table's routes go to. Where the chip merges tables the entry can be of another one: see
// Entry.Table.
func (v *View) At(family fib.Family, table uint32, pfx netip.Prefix) (e Entry, ok bool) {
	ok = v.AtInto(&e, family, table, pfx)
	return e, ok
}

// AtInto is At into e, whose memory is used again. It leaves e alone where there is no entry.
func (v *View) AtInto(e *Entry, family fib.Family, table uint32, pfx netip.Prefix) bool {
	t := v.existing(family, table)
	if t == nil {
		return false
	}
	n, ok := t.prefixes.Get(pfx)
	if ok {
		v.read(e, n)
	}
	return ok
}

// LookupInto reads into e, whose memory is used again, the entry that a packet to the address meets that is looked up in these tables, in this order: of each
// hardware table the longest prefix, once. It leaves e alone and returns false where there is none.
func (v *View) LookupInto(e *Entry, a netip.Addr, tables []uint32) bool {
	var room [4]*space
	done := room[:0]
	for _, id := range tables {
		t := v.existing(fib.FamilyOf(a), id)
		if t == nil || slices.Contains(done, t.space) {
			continue
		}
		if n, ok := t.prefixes.Lookup(a); ok {
			v.read(e, n)
			return true
		}
		done = append(done, t.space)
	}
	return false
}

// Within returns the entries from routes of a table whose prefixes are within the block, it included, in no order that means something.
func (v *View) Within(family fib.Family, table uint32, block netip.Prefix) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		t := v.existing(family, table)
		if t == nil {
			return
		}
		for _, n := range t.prefixes.Subnets(block) {
			if v.c.tableOf(n) != t {
				continue
			}
			var e Entry
			if v.read(&e, n); !yield(e) {
				return
			}
		}
	}
}

// Count returns how many entries Within returns.
func (v *View) Count(family fib.Family, table uint32, block netip.Prefix) (count int) {
	t := v.existing(family, table)
	if t == nil {
		return 0
	}
	for _, n := range t.prefixes.Subnets(block) {
		if v.c.entries.at(n).table == t.number {
			count++
		}
	}
	return count
}

// Tables returns the ids of the tables that hardware has seen routes of, in ascending order.
func (v *View) Tables(family fib.Family) (ids []uint32) {
	for _, t := range v.c.tables {
		if t.family == family {
			ids = append(ids, t.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Pending reports whether hardware has yet to do something about a prefix: an operation is queued or in flight and not settled, or its entry is to
// follow its next-hop group.
func (v *View) Pending(family fib.Family, table uint32, pfx netip.Prefix) bool {
	if v.c.queue.pending(routeKey{family, table, pfx}) {
		return true
	}
	t := v.existing(family, table)
	if t == nil {
		return false
	}
	n, ok := t.prefixes.Get(pfx)
	if !ok || v.c.entries.at(n).group == 0 {
		return false
	}
	g := v.c.groups.list[v.c.entries.at(n).group]
	return g.dirty || g.flags != v.c.entries.at(n).flags
}

// existing returns the table, or nil if hardware has not seen it.
func (v *View) existing(family fib.Family, id uint32) *table { return v.c.byKey[tableKey{family, id}] }

// read reads an entry into e, whose memory is used again.
func (v *View) read(e *Entry, n uint32) {
	c := v.c
	row, t := c.entries.at(n), c.tableOf(n)
	*e = Entry{
		Family: t.family, Table: t.id, Prefix: c.prefixOf(n), Action: Trap, Group: row.group, Routes: e.Routes[:0], Flags: e.Flags[:0], Hops: e.Hops[:0],
	}
	e.Routes = append(e.Routes, fib.Ref{Generation: row.generation, Row: row.row, Info: c.entries.infos[row.info]})
	e.Flags = append(e.Flags, verdictOf(row.flags).flags)
	for _, m := range c.entries.more(row) {
		e.Routes = append(e.Routes, m.ref)
		e.Flags = append(e.Flags, verdictOf(m.flags).flags)
	}
	if e.Flags[0]&fib.FlagOffload == 0 {
		return
	}
	if row.group == 0 {
		e.Action = Drop
		return
	}
	g := c.groups.list[row.group]
	switch {
	case g.blackhole:
		e.Action = Drop
	case g.flags&fib.FlagOffload != 0:
		e.Action = Forward
	}
	if e.Action == Forward {
		for _, i := range g.buckets {
			if g.slots[i] == 0 {
				e.TrappedSlots++
			}
		}
	}
	for i := range g.hops {
		e.Hops = append(e.Hops, EntryHop{g.hops[i], g.slots[i]})
	}
}
