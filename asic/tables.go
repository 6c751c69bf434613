package asic

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/vasic-project/vasic/fib"
)

// tableKey names a hardware table.
type tableKey struct {
	family fib.Family
	id     uint32
}

// table maps each prefix to its entry.
type table struct {
	key     tableKey
	entries bart.Table[uint32]
}

// entry is one row of a hardware table. It has no pointers: the first route's content and the further siblings are numbers, too.
type entry struct {
	age        uint64 // grows from entry to entry
	generation uint64 // of the first route
	row        uint32 // of the first route
	info       uint32 // number of the first route's fib.Info
	more       uint32 // number of the list of further siblings; 0 for none
	tos        uint8
	flags      fib.Flags
}

// member is one route of an entry.
type member struct {
	ref   fib.Ref
	flags fib.Flags
}

// entries holds the entries of all tables by number. It is owned by the programming goroutine.
type entries struct {
	rows  []*[entryChunk]entry // chunks never move, so growing copies nothing
	used  uint32
	free  []uint32
	count [2]int // by family
	age   uint64

	more     [][]member // by number; the further siblings of an entry
	moreFree []uint32

	infos    []*fib.Info
	infoRefs []uint32
	infoFree []uint32
	byInfo   map[*fib.Info]uint32
	lastInfo uint32
}

const entryChunk = 4096

func (es *entries) at(n uint32) *entry { return &es.rows[n/entryChunk][n%entryChunk] }

func newEntries() entries {
	return entries{
		more: make([][]member, 1), infos: make([]*fib.Info, 1), infoRefs: make([]uint32, 1),
		byInfo: make(map[*fib.Info]uint32),
	}
}

// hold numbers an Info and takes a reference.
func (es *entries) hold(info *fib.Info) uint32 {
	if n := es.lastInfo; n != 0 && es.infos[n] == info {
		es.infoRefs[n]++
		return n
	}
	n, ok := es.byInfo[info]
	if !ok {
		if k := len(es.infoFree); k > 0 {
			n = es.infoFree[k-1]
			es.infoFree = es.infoFree[:k-1]
		} else {
			n = uint32(len(es.infos))
			es.infos, es.infoRefs = append(es.infos, nil), append(es.infoRefs, 0)
		}
		es.infos[n] = info
		es.byInfo[info] = n
	}
	es.infoRefs[n]++
	es.lastInfo = n
	return n
}

func (es *entries) letGo(n uint32) {
	if es.infoRefs[n]--; es.infoRefs[n] > 0 {
		return
	}
	delete(es.byInfo, es.infos[n])
	es.infos[n] = nil
	es.infoFree = append(es.infoFree, n)
}

// alloc makes an entry of the family.
func (es *entries) alloc(family fib.Family) uint32 {
	es.count[family]++
	if k := len(es.free); k > 0 {
		n := es.free[k-1]
		es.free = es.free[:k-1]
		return n
	}
	if es.used%entryChunk == 0 {
		es.rows = append(es.rows, new([entryChunk]entry))
	}
	es.used++
	return es.used - 1
}

func (es *entries) release(family fib.Family, n uint32) {
	es.count[family]--
	es.unset(n)
	*es.at(n) = entry{}
	es.free = append(es.free, n)
}

// set makes the entry hold the members.
func (es *entries) set(n uint32, tos uint8, members []member) {
	es.unset(n)
	es.age++
	first := &members[0]
	*es.at(n) = entry{
		age: es.age, generation: first.ref.Generation, row: first.ref.Row, info: es.hold(first.ref.Info), tos: tos, flags: first.flags,
	}
	if len(members) == 1 {
		return
	}
	m := uint32(len(es.more))
	if k := len(es.moreFree); k > 0 {
		m = es.moreFree[k-1]
		es.moreFree = es.moreFree[:k-1]
	} else {
		es.more = append(es.more, nil)
	}
	es.more[m] = slices.Clone(members[1:])
	es.at(n).more = m
}

// change makes the entry hold other members; its age stays.
func (es *entries) change(n uint32, members []member) {
	age := es.at(n).age
	es.set(n, es.at(n).tos, members)
	es.at(n).age = age
}

// unset lets go of what the entry holds.
func (es *entries) unset(n uint32) {
	e := es.at(n)
	if e.info != 0 {
		es.letGo(e.info)
	}
	if e.more != 0 {
		es.more[e.more] = nil
		es.moreFree = append(es.moreFree, e.more)
	}
	e.info, e.more = 0, 0
}

// members appends the routes of an entry.
func (es *entries) members(n uint32, dst []member) []member {
	e := es.at(n)
	dst = append(dst, member{ref: fib.Ref{Generation: e.generation, Row: e.row, Info: es.infos[e.info]}, flags: e.flags})
	if e.more != 0 {
		dst = append(dst, es.more[e.more]...)
	}
	return dst
}

// setFlags stores the flags of member i.
func (es *entries) setFlags(n uint32, i int, flags fib.Flags) {
	if i == 0 {
		es.at(n).flags = flags
		return
	}
	es.more[es.at(n).more][i-1].flags = flags
}

// place is an entry with its key.
type place struct {
	table  *table
	prefix netip.Prefix
	n      uint32
}

// table returns the hardware table of an operation, making it if need be.
func (c *Chip) table(family fib.Family, id uint32) *table {
	key := tableKey{family, id}
	t := c.tables[key]
	if t == nil {
		t = &table{key: key}
		c.tables[key] = t
	}
	return t
}

// places returns all entries, the newest first.
func (c *Chip) places() []place {
	list := make([]place, 0, c.entries.count[0]+c.entries.count[1])
	for _, t := range c.tables {
		for pfx, n := range t.entries.All() {
			list = append(list, place{t, pfx, n})
		}
	}
	slices.SortFunc(list, func(a, b place) int {
		if c.entries.at(a.n).age > c.entries.at(b.n).age {
			return -1
		}
		return 1
	})
	return list
}

// Entry is one hardware entry as Entries lists it.
type Entry struct {
	Family fib.Family
	Table  uint32
	Prefix netip.Prefix
	Routes []fib.Ref   // the first route and its siblings
	Flags  []fib.Flags // of each
}

// Entries calls fn for every entry, the newest first. It may be called only from a function that Inspect runs.
func (c *Chip) Entries(fn func(Entry)) {
	for _, p := range c.places() {
		e := Entry{Family: p.table.key.family, Table: p.table.key.id, Prefix: p.prefix}
		for _, m := range c.entries.members(p.n, nil) {
			e.Routes = append(e.Routes, m.ref)
			e.Flags = append(e.Flags, m.flags)
		}
		fn(e)
	}
}
