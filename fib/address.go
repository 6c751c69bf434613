package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// changeLinks runs change with links and both families locked.
func (f *FIB) changeLinks(change func() error) error {
	f.linksMu.Lock()
	defer f.linksMu.Unlock()
	f.lockBoth()
	defer f.unlockBoth()
	return change()
}

// Addresses lists the addresses, by link and creation. link "" means all.
func (f *FIB) Addresses(link string) (list []Address, err error) {
	err = f.readLinks(func() error {
		if link != "" && f.links.byName[link] == nil {
			return errNoLink(link)
		}
		for _, l := range f.links.order {
			if link != "" && l.Name != link {
				continue
			}
			for _, a := range l.addrs {
				list = append(list, Address{Link: l.Name, Prefix: a.prefix, Secondary: a.secondary})
			}
		}
		return nil
	})
	return list, err
}

// AddAddress gives a link an address, with the routes that the kernel makes of it. Errors: ErrLinkNotFound, ErrAddressExists.
func (f *FIB) AddAddress(link string, pfx netip.Prefix) (Address, error) {
	a := address{prefix: pfx}
	err := f.changeLinks(func() error {
		l := f.links.byName[link]
		if l == nil {
			return errNoLink(link)
		}
		for _, have := range l.addrs {
			if have.prefix == pfx || pfx.Addr().Is6() && have.prefix.Addr() == pfx.Addr() {
				return &Error{Err: ErrAddressExists, Errno: syscall.EEXIST, Detail: fmt.Sprintf("%v on %q", pfx, link)}
			}
		}
		if pfx.Addr().Is6() {
			f.addAddress6(l, a)
			return nil
		}
		a.secondary = l.primary(pfx) != pfx.Addr()
		f.addAddress4(l, a)
		return nil
	})
	return Address{Link: link, Prefix: pfx, Secondary: a.secondary}, err
}

// DeleteAddress takes an address away. Errors: ErrLinkNotFound, ErrAddressNotFound.
func (f *FIB) DeleteAddress(link string, pfx netip.Prefix) error {
	return f.changeLinks(func() error {
		l := f.links.byName[link]
		if l == nil {
			return errNoLink(link)
		}
		i := slices.IndexFunc(l.addrs, func(a address) bool { return a.prefix == pfx })
		if i < 0 {
			return &Error{Err: ErrAddressNotFound, Errno: syscall.EADDRNOTAVAIL, Detail: fmt.Sprintf("%v on %q", pfx, link)}
		}
		if pfx.Addr().Is6() {
			f.deleteAddress6(l, l.addrs[i])
		} else {
			f.deleteAddress4(l, l.addrs[i])
		}
		return nil
	})
}

// primary returns the link's first IPv4 address in the subnet, or pfx's own where there is none.
func (l *Link) primary(pfx netip.Prefix) netip.Addr {
	for _, a := range l.addrs {
		if !a.secondary && a.prefix.Masked() == pfx.Masked() {
			return a.prefix.Addr()
		}
	}
	return pfx.Addr()
}

// addAddress4 follows inet_insert_ifa.
func (f *FIB) addAddress4(l *Link, a address) {
	l.addrs = append(l.addrs, a)
	f.addressRoutes4(l, a)
}

// addressRoutes4 follows fib_add_ifaddr.
func (f *FIB) addressRoutes4(l *Link, a address) {
	fam := f.families[IPv4]
	addr := a.prefix.Addr()
	fam.kernelRoute(l, l.localTable(), TypeLocal, netip.PrefixFrom(addr, 32), l.primary(a.prefix), 0)
	if !l.Up || a.secondary || a.prefix.Bits() == 32 {
		return
	}
	table, kind := l.subnetRoute()
	fam.kernelRoute(l, table, kind, a.prefix.Masked(), addr, 0)
	if a.prefix.Bits() < 31 {
		fam.kernelRoute(l, l.localTable(), TypeBroadcast, broadcast(a.prefix), addr, 0)
	}
}

// subnetRoute says which route an IPv4 subnet on the link gets: local on lo, connected elsewhere.
func (l *Link) subnetRoute() (uint32, Type) {
	if l.Loopback {
		return TableLocal, TypeLocal
	}
	return l.mainTable(), TypeUnicast
}

// broadcast returns the last address of an IPv4 subnet as a host prefix.
func broadcast(pfx netip.Prefix) netip.Prefix {
	b := pfx.Addr().As4()
	for i := pfx.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.PrefixFrom(netip.AddrFrom4(b), 32)
}

// deleteAddress4 follows inet_del_ifa and fib_del_ifaddr: the secondaries of a primary go first; then its routes, unless another address
// needs them; then the routes that name it as their source; and with the last address of a link all that is left on it.
func (f *FIB) deleteAddress4(l *Link, a address) {
	if !a.secondary {
		for _, s := range slices.Clone(l.addrs) {
			if s.secondary && s.prefix.Masked() == a.prefix.Masked() {
				f.deleteAddress4(l, s)
			}
		}
	}
	fam := f.families[IPv4]
	addr, source := a.prefix.Addr(), l.primary(a.prefix)
	l.addrs = slices.DeleteFunc(l.addrs, func(b address) bool { return b == a })
	if !a.secondary {
		table, kind := l.subnetRoute()
		fam.removeKernelRoute(l, table, kind, a.prefix.Masked(), source)
		last := broadcast(a.prefix)
		if a.prefix.Bits() < 31 && !slices.ContainsFunc(l.addrs, func(b address) bool { return b.prefix.Addr().Is4() && broadcast(b.prefix) == last }) {
			fam.removeKernelRoute(l, l.localTable(), TypeBroadcast, last, source)
		}
	}
	fam.removeKernelRoute(l, l.localTable(), TypeLocal, netip.PrefixFrom(addr, 32), source)
	if !f.links.local(addr) {
		fam.sweep(func(i *Info) bool { return i.PrefSrc == addr }, false)
	}
	if !slices.ContainsFunc(l.addrs, func(b address) bool { return b.prefix.Addr().Is4() }) {
		f.families[IPv4].linkLost4(l, true, false)
	}
}

// addAddress6 follows inet6_addr_add. Without the link up there are no routes yet.
func (f *FIB) addAddress6(l *Link, a address) {
	l.addrs = append(l.addrs, a)
	if l.Up {
		f.addressRoutes6(l, a)
	} else if l.Loopback {
		f.localRoute6(l, a)
	}
}

// addressRoutes6 makes the prefix route and the local route of an address.
func (f *FIB) addressRoutes6(l *Link, a address) {
	f.families[IPv6].kernelRoute(l, l.mainTable(), TypeUnicast, a.prefix.Masked(), netip.Addr{}, metricIPv6Prefix)
	f.localRoute6(l, a)
}

func (f *FIB) localRoute6(l *Link, a address) {
	f.families[IPv6].kernelRoute(l, l.localTable(), TypeLocal, netip.PrefixFrom(a.prefix.Addr(), 128), netip.Addr{}, 0)
}

// deleteAddress6 follows ipv6_del_addr: the local route, the prefix route unless another address shares it, and the address as a
// preferred source, which routes lose without notice (rt6_remove_prefsrc).
func (f *FIB) deleteAddress6(l *Link, a address) {
	fam := f.families[IPv6]
	l.addrs = slices.DeleteFunc(l.addrs, func(b address) bool { return b == a })
	fam.removeKernelRoute(l, l.localTable(), TypeLocal, netip.PrefixFrom(a.prefix.Addr(), 128), netip.Addr{})
	if !slices.ContainsFunc(l.addrs, func(b address) bool { return b.prefix.Masked() == a.prefix.Masked() }) {
		fam.removeKernelRoute(l, l.mainTable(), TypeUnicast, a.prefix.Masked(), netip.Addr{})
	}
	if !f.links.local(a.prefix.Addr()) {
		fam.forgetSource(l, a.prefix.Addr())
	}
}

// kernelInfo is what a route that the switch makes itself says.
func kernelInfo(l *Link, kind Type, source netip.Addr) Info {
	info := Info{Type: kind, Protocol: ProtocolKernel, PrefSrc: source, NextHops: []NextHop{{Link: l, Weight: 1}}}
	if source.Is4() {
		info.Scope = ScopeLink
		if kind == TypeLocal {
			info.Scope = ScopeHost
		}
	}
	return info
}

// kernelRoute inserts a route of the switch's own (fib_magic, addrconf_prefix_route). One that is there already is left alone.
func (f *family) kernelRoute(l *Link, table uint32, kind Type, pfx netip.Prefix, source netip.Addr, metric uint32) {
	want := kernelInfo(l, kind, source)
	info := f.infos.intern(&want)
	d := draft{table: f.table(table, netip.Prefix{}), prefix: pfx, metric: metric, verb: Append}
	if f.rules.siblings {
		d.verb = Prepend
	}
	var a Answer
	f.insert(&d, []*Info{info}, nil, &a)
	f.infos.release(info)
}

// removeKernelRoute removes what kernelRoute inserted, if it is there.
func (f *family) removeKernelRoute(l *Link, table uint32, kind Type, pfx netip.Prefix, source netip.Addr) {
	want := kernelInfo(l, kind, source)
	info := f.infos.intern(&want)
	t := f.table(table, netip.Prefix{})
	f.load(t, pfx)
	if i := slices.IndexFunc(f.list, func(n uint32) bool { return f.rows.At(n).info == info.index }); i >= 0 {
		_ = f.remove(t, pfx, []uint32{f.list[i]}, false, false, nil, &Answer{})
	}
	f.infos.release(info)
}

// forgetSource takes a preferred source out of all routes on the link that name it.
func (f *family) forgetSource(l *Link, source netip.Addr) {
	f.forEach(func(i *Info) bool { return i.PrefSrc == source && i.uses(l) }, func(t *table, pfx netip.Prefix, n uint32) {
		r := f.rows.At(n)
		old := f.infos.list[r.info]
		want := *old
		want.PrefSrc = netip.Addr{}
		r.info = f.infos.intern(&want).index
		f.infos.release(old)
		e := f.event(RouteReplaced)
		e.Silent = true
		f.view(&e.Route, t, pfx, n)
	})
}
