package fib

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// LinkInfo is the state of a link as listed.
type LinkInfo struct {
	Name     string
	Index    uint32
	Loopback bool
	Up       bool
	Carrier  bool
	Kind     LinkKind
	Table    uint32 // of a VRF
	Master   string // name of the VRF that it belongs to; empty for none
}

func (l *Link) info() LinkInfo {
	info := LinkInfo{Name: l.Name, Index: l.Index, Loopback: l.Loopback, Up: l.Up, Carrier: l.Carrier, Kind: l.Kind, Table: l.Table}
	if l.Master != nil {
		info.Master = l.Master.Name
	}
	return info
}

// readLinks runs read with a lock that keeps links and addresses as they are.
func (f *FIB) readLinks(read func() error) error {
	f.linksMu.Lock()
	defer f.linksMu.Unlock()
	return read()
}

// Links lists the links by index.
func (f *FIB) Links() (list []LinkInfo) {
	_ = f.readLinks(func() error {
		for _, l := range f.links.order {
			list = append(list, l.info())
		}
		return nil
	})
	return list
}

// Link returns the state of one link. Error: ErrLinkNotFound.
func (f *FIB) Link(name string) (info LinkInfo, err error) {
	err = f.readLinks(func() error {
		l := f.links.byName[name]
		if l == nil {
			return errNoLink(name)
		}
		info = l.info()
		return nil
	})
	return info, err
}

// AddLink makes a link, which is down and has carrier. A VRF has a table. Errors: ErrLinkExists, or hardware's to the rule that the first VRF brings.
func (f *FIB) AddLink(name string, kind LinkKind, table uint32) (info LinkInfo, err error) {
	err = f.changeLinks(func() error {
		if f.links.byName[name] != nil {
			return &Error{Err: ErrLinkExists, Errno: syscall.EEXIST, Detail: fmt.Sprintf("%q", name)}
		}
		if kind == LinkVRF {
			if err := f.addL3mdevRules(); err != nil {
				return err
			}
		}
		l := f.links.add(name, false)
		l.Kind, l.Table = kind, table
		info = l.info()
		return nil
	})
	return info, err
}

// SetLink sets the states that are not nil. Errors: ErrLinkNotFound.
func (f *FIB) SetLink(name string, up, carrier *bool) (info LinkInfo, err error) {
	err = f.changeLinks(func() error {
		l := f.links.byName[name]
		if l == nil {
			return errNoLink(name)
		}
		if carrier != nil {
			f.setCarrier(l, *carrier)
		}
		switch {
		case up != nil && *up && !l.Up:
			f.linkUp(l)
			f.hardware.LinkChanged(l, !l.LinkDown()) // before the operations that linkUp collected
		case up != nil && !*up && l.Up:
			f.linkDown(l)
			f.tellLinkLost(l) // after them
		default:
			f.hardware.LinkChanged(l, !l.LinkDown())
		}
		info = l.info()
		return nil
	})
	return info, err
}

// setCarrier sets whether a link has carrier. That alone changes no route, but those of next-hop objects on the link, which go.
func (f *FIB) setCarrier(l *Link, on bool) {
	if l.Carrier == on {
		return
	}
	l.Carrier = on
	switch {
	case !l.Up:
	case on:
		f.neighbors.found(l)
	default:
		f.nextHopsLost(l)
		f.neighbors.lost(l, true)
	}
}

// DeleteLink removes a link with all that depends on it. Errors: ErrLinkNotFound, ErrLinkNotRemovable.
func (f *FIB) DeleteLink(name string) error {
	return f.changeLinks(func() error {
		l := f.links.byName[name]
		switch {
		case l == nil:
			return errNoLink(name)
		case l.Loopback:
			return &Error{Err: ErrLinkNotRemovable, Errno: syscall.EOPNOTSUPP, Detail: fmt.Sprintf("%q", name)}
		}
		for _, port := range slices.Clone(f.links.order) {
			if port.Master == l {
				f.setMaster(port, nil)
			}
		}
		if l.Up {
			f.linkDown(l)
		}
		f.nextHopsLost(l)
		for _, a := range slices.Clone(l.addrs) {
			if a.prefix.Addr().Is4() && slices.Contains(l.addrs, a) {
				f.deleteAddress4(l, a)
			}
		}
		f.families[IPv4].linkLost4(l, true, true)
		f.families[IPv4].flushEvents()
		f.families[IPv6].linkLost6(l, true)
		f.families[IPv6].flushEvents()
		f.tellLinkLost(l)
		l.Gone = true
		delete(f.links.byName, name)
		f.links.order = slices.DeleteFunc(f.links.order, func(o *Link) bool { return o == l })
		return nil
	})
}

// tellLinkLost tells hardware behind the operations collected so far that the link is of no use any more.
func (f *FIB) tellLinkLost(l *Link) {
	for _, fam := range f.families {
		fam.commit()
	}
	f.hardware.LinkChanged(l, false)
	f.neighbors.lost(l, false)
}

// linkUp makes the routes of the link's addresses, IPv4 first. Static routes do not come back.
func (f *FIB) linkUp(l *Link) {
	l.Up = true
	f.neighbors.found(l)
	if l.Loopback {
		f.loopbackAddresses(l)
	}
	for _, a := range l.addrs {
		if a.prefix.Addr().Is4() {
			f.addressRoutes4(l, a)
		}
	}
	f.families[IPv4].flushEvents()
	for _, a := range l.addrs {
		if a.prefix.Addr().Is6() {
			f.addressRoutes6(l, a)
		}
	}
	if !l.Loopback && l.Kind != LinkVRF { // addrconf_add_mroute
		f.families[IPv6].kernelRoute(l, l.localTable(), TypeMulticast, netip.MustParsePrefix("ff00::/8"), netip.Addr{}, metricIPv6Prefix)
	}
	f.families[IPv6].flushEvents()
}

// loopbackAddresses gives lo the addresses that it gets when it goes up (inetdev_event, init_loopback).
func (f *FIB) loopbackAddresses(l *Link) {
	for _, text := range [...]string{"127.0.0.1/8", "::1/128"} {
		pfx := netip.MustParsePrefix(text)
		if !slices.ContainsFunc(l.addrs, func(a address) bool { return a.prefix.Addr().Is4() == pfx.Addr().Is4() }) {
			l.addrs = append(l.addrs, address{prefix: pfx})
		}
	}
}

// linkDown removes the routes that the link's going down makes useless, IPv4 first, and its IPv6 addresses. The events still say
// what the routes were while the link was up.
func (f *FIB) linkDown(l *Link) {
	f.nextHopsLost(l)
	f.families[IPv4].linkLost4(l, false, false)
	f.families[IPv4].flushEvents()
	f.families[IPv6].linkLost6(l, false)
	gone := slices.Clone(l.addrs)
	l.addrs = slices.DeleteFunc(l.addrs, func(a address) bool { return a.prefix.Addr().Is6() })
	for _, a := range gone {
		if a.prefix.Addr().Is6() && !f.links.local(a.prefix.Addr()) {
			f.families[IPv6].forgetSource(l, a.prefix.Addr())
		}
	}
	f.families[IPv6].flushEvents()
	l.Up = false
}

// linkLost4 follows fib_sync_down_dev and fib_flush: a route goes, silently, when all its next hops are dead; with gone when any is on the
// link. Routes of scope host stay unless force is set.
func (f *family) linkLost4(l *Link, force, gone bool) {
	f.sweep(func(i *Info) bool {
		if !i.uses(l) || i.NextHopID != 0 || i.Scope == ScopeHost && !force {
			return false
		}
		return gone || !slices.ContainsFunc(i.NextHops, func(n NextHop) bool { return n.Link != l && !n.Link.Dead() })
	}, true)
}

// sweep removes the IPv4 routes whose Info is selected, from the highest prefix down as fib_table_flush does.
func (f *family) sweep(selected func(*Info) bool, silent bool) {
	for _, t := range f.order {
		entries := f.having(t, selected)
		slices.SortFunc(entries, descending)
		for _, e := range entries {
			f.load(t, e.prefix)
			for _, n := range slices.Clone(f.list) {
				if selected(f.infoOf(n)) {
					_ = f.remove(t, e.prefix, []uint32{n}, false, silent, nil, &Answer{})
					f.load(t, e.prefix)
				}
			}
		}
	}
}

// descending is the order in which fib_table_flush goes through prefixes.
func descending(a, b entry) int {
	return cmp.Or(b.prefix.Addr().Compare(a.prefix.Addr()), b.prefix.Bits()-a.prefix.Bits())
}

// linkLost6 follows fib6_ifdown: single routes on the link go; a multipath route goes, one sibling after the other, when its last
// living next hop does; with gone every row on the link goes.
func (f *family) linkLost6(l *Link, gone bool) {
	silent := f.skipDown.Load() && !gone
	dead := func(n uint32) bool {
		link := f.infoOf(n).NextHops[0].Link
		return link == l || link.Dead()
	}
	f.forEach(func(i *Info) bool { return i.NextHopID == 0 && i.uses(l) }, func(t *table, pfx netip.Prefix, n uint32) {
		leaving := []uint32{n}
		if group := f.group(n, nil); len(group) > 1 && !gone {
			if slices.ContainsFunc(group, func(m uint32) bool { return !dead(m) }) {
				return
			}
			leaving = group
		}
		for _, m := range leaving {
			_ = f.remove(t, pfx, []uint32{m}, false, silent, nil, &Answer{})
			f.load(t, pfx)
		}
	})
}

// forEach calls visit for every row whose Info is selected, in the order of the kernel's dump, with the prefix's rows loaded. Rows that visit removes are not visited.
func (f *family) forEach(selected func(*Info) bool, visit func(t *table, pfx netip.Prefix, n uint32)) {
	for _, t := range f.order {
		entries := f.having(t, selected)
		slices.SortFunc(entries, f.rules.dumpOrder)
		for _, e := range entries {
			f.load(t, e.prefix)
			for _, n := range slices.Clone(f.list) {
				if slices.Contains(f.list, n) && selected(f.infoOf(n)) {
					visit(t, e.prefix, n)
				}
			}
		}
	}
}
