package asic

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/vasic-project/vasic/fib"
)

// TestEntriesKeepPrefixesAndSiblings makes, changes and releases entries of all kinds of prefixes, and reads them.
func TestEntriesKeepPrefixesAndSiblings(t *testing.T) {
	type kept struct {
		n       uint32
		family  fib.Family
		prefix  netip.Prefix
		members []member
	}
	r := rand.New(rand.NewPCG(1, 2))
	es, there, infos := newEntries(), []kept(nil), []*fib.Info{{}, {}, {}}
	table := &table{}
	some := func() (list []member) {
		for range 1 + r.IntN(3)*r.IntN(2) {
			list = append(list, member{fib.Ref{Generation: r.Uint64(), Row: r.Uint32(), Info: infos[r.IntN(3)]}, fib.Flags(r.IntN(8))}) //nolint:gosec // small
		}
		return list
	}
	anyPrefix := func() (fib.Family, netip.Prefix) {
		a := netip.AddrFrom4([4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
		if r.IntN(2) == 0 {
			a = netip.AddrFrom16([16]byte{0: 0x20, 1: byte(r.Uint32()), 7: byte(r.Uint32()), 8: byte(r.Uint32()), 15: byte(r.Uint32())})
		}
		return fib.FamilyOf(a), netip.PrefixFrom(a, r.IntN(a.BitLen()+1)).Masked()
	}
	check := func(want *kept) {
		t.Helper()
		if p := es.prefix(want.n, want.family); p != want.prefix {
			t.Fatalf("entry %d is of %v, want %v", want.n, p, want.prefix)
		}
		if got := es.members(want.n, nil); !slices.Equal(got, want.members) {
			t.Fatalf("%v has %v, want %v", want.prefix, got, want.members)
		}
	}
	for range 5000 {
		at := r.IntN(len(there) + 1)
		if at == len(there) || len(there) < 10 {
			family, prefix := anyPrefix()
			there = append(there, kept{es.alloc(prefix), family, prefix, some()})
			at = len(there) - 1
			es.set(there[at].n, table, 0, there[at].members)
			check(&there[at])
			continue
		}
		e := &there[at]
		check(e)
		switch r.IntN(4) {
		case 0:
			es.release(e.n)
			there = slices.Delete(there, at, at+1)
		case 1:
			i := r.IntN(len(e.members))
			e.members[i].flags ^= fib.FlagTrap
			es.setFlags(e.n, i, e.members[i].flags)
			check(e)
		default:
			e.members = some()
			es.change(e.n, e.members)
			check(e)
		}
	}
	for i := range there {
		check(&there[i])
		es.release(there[i].n)
	}
	es.extras.All(func(n uint32, x *extra) { t.Errorf("extra %d is left: %+v", n, x) })
	if es.count != 0 || len(es.byInfo) != 0 {
		t.Errorf("left: %d entries, %d infos", es.count, len(es.byInfo))
	}
}
