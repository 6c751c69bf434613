package fib

import (
	"net/netip"
	"syscall"
)

// View is a look at a family while nothing of it changes.
type View struct{ f *family }

// View calls fn with the family locked: fn must not call the FIB, and not keep the view.
func (f *FIB) View(af Family, fn func(View)) {
	fam := f.families[af]
	fam.mu.Lock()
	defer fam.mu.Unlock()
	fn(View{fam})
	fam.siblings = fam.siblings[:0]
}

// LookupTables returns the tables that a look-up of a packet of no VRF asks, in order. They must be neither changed nor kept.
func (v View) LookupTables() []uint32 { return v.f.asked }

// Lookup returns the route that a packet to the address takes that is looked up in these tables, in this order; nil if there is none. It is good until the
// next call.
func (v View) Lookup(a netip.Addr, tables []uint32, tos uint8) *Route {
	f := v.f
	for _, id := range tables {
		t := f.tables.any[id]
		if t == nil {
			continue
		}
		if pfx, n, ok := f.lookup(t, a, tos); ok && f.infoOf(n).Type != TypeThrow {
			f.siblings = f.siblings[:0]
			return f.showing(t, pfx, n)
		}
	}
	return nil
}

// Lookup shows visit the route that a packet to the address takes: the tables of the rules unless one is given, longest prefix, then the first
// route whose TOS is that of the packet or 0. A throw route ends the look-up in its table. visit runs with the lock held.
func (f *FIB) Lookup(a netip.Addr, table uint32, tos uint8, visit func(*Route)) (err error) {
	f.View(FamilyOf(a), func(v View) {
		tables := v.LookupTables()
		if table != 0 {
			tables = []uint32{table}
		}
		if r := v.Lookup(a, tables, tos); r != nil {
			visit(r)
		} else {
			err = &Error{Err: ErrNotFound, Errno: syscall.ENETUNREACH, Detail: a.String()}
		}
	})
	return err
}

// lookup leaves the prefix's rows in f.list.
func (f *family) lookup(t *table, a netip.Addr, tos uint8) (netip.Prefix, uint32, bool) {
	host := netip.PrefixFrom(a, a.BitLen())
	pfx, head, ok := t.heads.LookupPrefixLPM(host) // nearly always that is it
	if !ok {
		return netip.Prefix{}, 0, false
	}
	if n := f.carrier(head, tos); n != 0 {
		return pfx, n, true
	}
	for pfx, head := range t.heads.Supernets(host) {
		if n := f.carrier(head, tos); n != 0 {
			return pfx, n, true
		}
	}
	return netip.Prefix{}, 0, false
}

// carrier loads the prefix whose first row is head and returns the first row that can carry packets of that TOS; 0 if none can.
func (f *family) carrier(head uint32, tos uint8) uint32 {
	f.loadFrom(head)
	for _, n := range f.list {
		if r := f.rows.At(n); (r.tos == 0 || r.tos == tos) && f.alive(f.infoOf(n)) {
			return n
		}
	}
	return 0
}
