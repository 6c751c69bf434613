package asic

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/vasic-project/vasic/fib"
)

// tableKey names a table of routes.
type tableKey struct {
	family fib.Family
	id     uint32
}

// table is a table of routes as hardware knows it.
type table struct {
	tableKey
	number uint32
	rank   int // among those of its space: routes of a lower one come first
	*space
}

// spaceKey names a hardware table: tables local, main and default share the one of main.
type spaceKey tableKey

// space is a hardware table: it maps each prefix to its entry.
type space struct {
	prefixes bart.Table[uint32]
	tables   []*table // that share it, by rank
}

// merged are the tables that share one in hardware, by rank (mlxsw_sp_fix_tb_id).
var merged = []uint32{fib.TableLocal, fib.TableMain, fib.TableDefault}

// table returns the table of that id, making it if need be.
func (c *Chip) table(family fib.Family, id uint32) *table {
	key := tableKey{family, id}
	if t := c.lastTable; t != nil && t.tableKey == key {
		return t
	}
	t := c.byKey[key]
	if t == nil {
		t = c.newTable(key)
	}
	c.lastTable = t
	return t
}

func (c *Chip) newTable(key tableKey) *table {
	shared := spaceKey(key)
	rank := max(slices.Index(merged, key.id), 0)
	if !c.profile.simulated && slices.Contains(merged, key.id) {
		shared.id = fib.TableMain
	}
	s := c.spaces[shared]
	if s == nil {
		s = &space{}
		c.spaces[shared] = s
	}
	t := &table{tableKey: key, number: uint32(len(c.tables)), rank: rank, space: s} //nolint:gosec // as many as table ids at most
	c.tables, c.byKey[key] = append(c.tables, t), t
	s.tables = append(s.tables, t)
	slices.SortFunc(s.tables, func(a, b *table) int { return a.rank - b.rank })
	return t
}

// entry is one row of a hardware table. It has no pointers: the first route's content, the further siblings and the neighbours in lists are numbers.
type entry struct {
	age        uint64 // grows from entry to entry
	generation uint64 // of the first route
	addr       [16]byte
	row        uint32 // of the first route
	info       uint32 // number of the first route's fib.Info
	more       uint32 // number of the list of further siblings; 0 for none
	table      uint32 // number of the table that the routes are from
	group      uint32 // number of its next-hop group; 0 for none
	next, prev uint32 // entries of the same group; 0 at the ends
	tos        uint8
	bits       uint8 // prefix length
	flags      fib.Flags
}

// flagShort is with FlagTrap in an entry and in a group: the group found no room.
const flagShort fib.Flags = 1 << 7

// verdictOf is what is reported of such flags.
func verdictOf(flags fib.Flags) verdict {
	if flags&flagShort != 0 {
		return verdict{flags: flags &^ flagShort, reason: fib.ReasonTableFull}
	}
	return verdict{flags: flags}
}

// member is one route of an entry.
type member struct {
	ref   fib.Ref
	flags fib.Flags
}

// entries holds the entries of all tables by number, from 1.
type entries struct {
	rows  fib.Slab[entry]
	count int
	age   uint64

	more     [][]member // by number; the further siblings of an entry
	moreFree []uint32

	infos    []*fib.Info
	infoRefs []uint32
	infoFree []uint32
	byInfo   map[*fib.Info]uint32
	lastInfo uint32
}

func (es *entries) at(n uint32) *entry { return es.rows.At(n) }

func newEntries() entries {
	return entries{
		more: make([][]member, 1), infos: make([]*fib.Info, 1), infoRefs: make([]uint32, 1), byInfo: make(map[*fib.Info]uint32),
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
			n = uint32(len(es.infos)) //nolint:gosec // as many as entries at most
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

// alloc makes an entry for a prefix.
func (es *entries) alloc(pfx netip.Prefix) uint32 {
	es.count++
	n, e := es.rows.Alloc()
	e.addr, e.bits = pfx.Addr().As16(), uint8(pfx.Bits()) //nolint:gosec // up to 128
	return n
}

func (es *entries) release(n uint32) {
	es.count--
	es.unset(n)
	es.rows.Free(n)
}

// set makes the entry hold the members, as a new one.
func (es *entries) set(n uint32, t *table, tos uint8, members []member) {
	es.age++
	e := es.at(n)
	e.age, e.tos, e.table = es.age, tos, t.number
	es.change(n, members)
}

// change makes the entry hold other members; its age stays.
func (es *entries) change(n uint32, members []member) {
	first := &members[0]
	info := es.hold(first.ref.Info)
	es.unset(n)
	e := es.at(n)
	e.generation, e.row, e.info, e.flags = first.ref.Generation, first.ref.Row, info, first.flags
	if len(members) == 1 {
		return
	}
	m := uint32(len(es.more)) //nolint:gosec // as many as entries at most
	if k := len(es.moreFree); k > 0 {
		m = es.moreFree[k-1]
		es.moreFree = es.moreFree[:k-1]
	} else {
		es.more = append(es.more, nil)
	}
	es.more[m] = slices.Clone(members[1:])
	e.more = m
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

// tableOf returns the table that an entry's routes are from.
func (c *Chip) tableOf(n uint32) *table { return c.tables[c.entries.at(n).table] }

// prefixOf returns the prefix of an entry.
func (c *Chip) prefixOf(n uint32) netip.Prefix {
	e := c.entries.at(n)
	a := netip.AddrFrom16(e.addr)
	if c.tables[e.table].family == fib.IPv4 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, int(e.bits))
}

// rowsFor is the room that a prefix takes.
func (c *Chip) rowsFor(family fib.Family, pfx netip.Prefix) demand {
	p := c.profile
	switch host := p.hostRoutes && pfx.IsSingleIP(); {
	case host && family == fib.IPv6:
		return demand{hostRows, p.hostRows6}
	case host:
		return demand{hostRows, 1}
	case family == fib.IPv6 && pfx.Bits() > 64:
		return demand{fibRows6, p.longRows}
	}
	return demand{fibRows(family), 1}
}

// newest returns the numbers of all entries, the newest first.
func (c *Chip) newest() []uint32 {
	list := make([]uint32, 0, c.entries.count)
	c.entries.rows.All(func(n uint32, e *entry) {
		if e.info != 0 {
			list = append(list, n)
		}
	})
	slices.SortFunc(list, func(a, b uint32) int {
		if c.entries.at(a).age > c.entries.at(b).age {
			return -1
		}
		return 1
	})
	return list
}
