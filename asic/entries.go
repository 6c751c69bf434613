package asic

import (
	"encoding/binary"
	"net/netip"

	"github.com/vasic-project/vasic/fib"
)

// entry is one row of a hardware table. It has no pointers, and no more than nearly every entry needs: the first route's content, and what few entries have,
// are numbers.
type entry struct {
	age        uint64 // grows from entry to entry
	generation uint64 // of the first route
	net        uint64 // the first 64 bits of the prefix's address, or an IPv4 address
	row        uint32 // of the first route
	info       uint32 // number of the first route's fib.Info
	extra      uint32 // number of its extra; 0 for none
	table      uint32 // number of the table that the routes are from
	group      uint32 // number of its next-hop group; 0 for none
	next, prev uint32 // entries of the same group; 0 at the ends
	tos        uint8
	bits       uint8 // prefix length
	flags      fib.Flags
}

// extra is what few entries have.
type extra struct {
	host uint64   // the last 64 bits of an IPv6 prefix's address
	more []member // the further siblings
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

	extras fib.Slab[extra]

	infos    []*fib.Info
	infoRefs []uint32
	infoFree []uint32
	byInfo   map[*fib.Info]uint32
	hints    []uint32 // by fib.Info.Number: the number of the Info that had it last
}

func (es *entries) at(n uint32) *entry { return es.rows.At(n) }

func newEntries() entries {
	return entries{
		infos: make([]*fib.Info, 1), infoRefs: make([]uint32, 1), byInfo: make(map[*fib.Info]uint32),
	}
}

// hold numbers an Info and takes a reference.
func (es *entries) hold(info *fib.Info) uint32 {
	n := es.numberOf(info)
	if n == 0 {
		if k := len(es.infoFree); k > 0 {
			n = es.infoFree[k-1]
			es.infoFree = es.infoFree[:k-1]
		} else {
			n = uint32(len(es.infos)) //nolint:gosec // as many as entries at most
			es.infos, es.infoRefs = append(es.infos, nil), append(es.infoRefs, 0)
		}
		es.infos[n] = info
		es.byInfo[info] = n
		for int(info.Number()) >= len(es.hints) {
			es.hints = append(es.hints, 0)
		}
		es.hints[info.Number()] = n
	}
	es.infoRefs[n]++
	return n
}

// numberOf returns the number of an Info, 0 if it has none. Infos of both families can have the same hint, which is then the last one's.
func (es *entries) numberOf(info *fib.Info) uint32 {
	k := info.Number()
	if int(k) >= len(es.hints) {
		return es.byInfo[info]
	}
	if n := es.hints[k]; es.infos[n] == info {
		return n
	}
	n := es.byInfo[info]
	es.hints[k] = n
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
	e.bits = uint8(pfx.Bits()) //nolint:gosec // up to 128
	if pfx.Addr().Is4() {
		a := pfx.Addr().As4()
		e.net = uint64(binary.BigEndian.Uint32(a[:]))
		return n
	}
	a := pfx.Addr().As16()
	e.net = binary.BigEndian.Uint64(a[:8])
	if host := binary.BigEndian.Uint64(a[8:]); host != 0 {
		es.extraOf(e).host = host
	}
	return n
}

// prefix returns the prefix of an entry.
func (es *entries) prefix(n uint32, family fib.Family) netip.Prefix {
	e := es.at(n)
	if family == fib.IPv4 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(e.net)) //nolint:gosec // it was one
		return netip.PrefixFrom(netip.AddrFrom4(a), int(e.bits))
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], e.net)
	if e.extra != 0 {
		binary.BigEndian.PutUint64(a[8:], es.extras.At(e.extra).host)
	}
	return netip.PrefixFrom(netip.AddrFrom16(a), int(e.bits))
}

// more returns the further siblings of an entry.
func (es *entries) more(e *entry) []member {
	if e.extra == 0 {
		return nil
	}
	return es.extras.At(e.extra).more
}

// extraOf returns the extra of an entry, made if need be.
func (es *entries) extraOf(e *entry) (x *extra) {
	if e.extra == 0 {
		e.extra, x = es.extras.Alloc()
		return x
	}
	return es.extras.At(e.extra)
}

// setMore gives an entry further siblings, or none.
func (es *entries) setMore(e *entry, more []member) {
	if e.extra == 0 && len(more) == 0 {
		return
	}
	x := es.extraOf(e)
	if x.more = append([]member(nil), more...); x.host == 0 && len(more) == 0 {
		es.extras.Free(e.extra)
		e.extra = 0
	}
}

func (es *entries) release(n uint32) {
	es.count--
	e := es.at(n)
	if e.info != 0 {
		es.letGo(e.info)
	}
	if e.extra != 0 {
		es.extras.Free(e.extra)
	}
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
	e := es.at(n)
	if e.info != 0 {
		es.letGo(e.info)
	}
	e.generation, e.row, e.info, e.flags = first.ref.Generation, first.ref.Row, info, first.flags
	es.setMore(e, members[1:])
}

// members appends the routes of an entry.
func (es *entries) members(n uint32, dst []member) []member {
	e := es.at(n)
	dst = append(dst, member{ref: fib.Ref{Generation: e.generation, Row: e.row, Info: es.infos[e.info]}, flags: e.flags})
	return append(dst, es.more(e)...)
}

// setFlags stores the flags of member i.
func (es *entries) setFlags(n uint32, i int, flags fib.Flags) {
	if i == 0 {
		es.at(n).flags = flags
		return
	}
	es.more(es.at(n))[i-1].flags = flags
}
