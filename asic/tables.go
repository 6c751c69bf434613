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

// entry returns the number of the prefix's entry, 0 for none.
func (s *space) entry(pfx netip.Prefix) uint32 {
	n, _ := s.prefixes.Get(pfx)
	return n
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

// flagShort is with FlagTrap in an entry and in a group: the group found no room.
const flagShort fib.Flags = 1 << 7

// verdictOf is what is reported of such flags.
func verdictOf(flags fib.Flags) verdict {
	if flags&flagShort != 0 {
		return verdict{flags: flags &^ flagShort, reason: fib.ReasonTableFull}
	}
	return verdict{flags: flags}
}

// tableOf returns the table that an entry's routes are from.
func (c *Chip) tableOf(n uint32) *table { return c.tables[c.entries.at(n).table] }

// prefixOf returns the prefix of an entry.
func (c *Chip) prefixOf(n uint32) netip.Prefix { return c.entries.prefix(n, c.tableOf(n).family) }

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
