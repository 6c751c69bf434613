package fib

import (
	"net/netip"
	"sync/atomic"
)

// LinkKind is what a link is.
type LinkKind uint8

// Kinds of links.
const (
	LinkDummy LinkKind = iota // a port of the switch; lo is one, too
	LinkVRF
)

// Link is a network interface. Name, Index, Loopback, Kind and Table never change; the rest is read with either family's lock held and written with both.
type Link struct {
	Name     string
	Index    uint32 // from 1, which is lo; never used again
	Loopback bool
	Kind     LinkKind
	Table    uint32 // of a VRF

	Up      bool // administratively up
	Carrier bool
	Gone    bool  // removed; only routes that are just leaving still point here
	Master  *Link // the VRF that it belongs to

	addrs          []address
	ignoreLinkdown *[2]atomic.Bool // by family, of all links: net.ipv*.conf.all.ignore_routes_with_linkdown
}

// Dead reports whether the link is down or gone.
func (l *Link) Dead() bool { return !l.Up || l.Gone }

// LinkDown reports whether the link can carry no packets.
func (l *Link) LinkDown() bool { return l.Dead() || !l.Carrier }

// HopState says whether next hop n of a route of the family is unusable (RTNH_F_DEAD) and whether its link has no carrier (RTNH_F_LINKDOWN).
// Routes to the switch's own addresses are always well (fib_sync_down_dev, fib6_ifdown).
func (i *Info) HopState(family Family, n int) (dead, linkdown bool) {
	if i.Scope == ScopeHost || i.Type == TypeLocal || i.Type == TypeAnycast {
		return false, false
	}
	l := i.NextHops[n].Link
	linkdown = l.LinkDown()
	return l.Dead() || linkdown && l.ignoreLinkdown[family].Load(), linkdown
}

// address is an address of a link.
type address struct {
	prefix    netip.Prefix // with host bits
	secondary bool         // IPv4: another address of the subnet came first
}

// Address is an address of a link as listed.
type Address struct {
	Link      string
	Prefix    netip.Prefix // with host bits
	Secondary bool         // IPv4: another address of the subnet came first, and takes this one along when it goes
}

// links are all links by name and index. Guarded as Link is.
type links struct {
	byName map[string]*Link
	order  []*Link // by index
	last   uint32

	ignoreLinkdown [2]atomic.Bool // by family
}

func (ls *links) add(name string, loopback bool) *Link {
	ls.last++
	l := &Link{Name: name, Index: ls.last, Loopback: loopback, Carrier: true, ignoreLinkdown: &ls.ignoreLinkdown}
	ls.byName[name] = l
	ls.order = append(ls.order, l)
	return l
}

// local reports whether the address is one of the switch's own.
func (ls *links) local(a netip.Addr) bool {
	for _, l := range ls.order {
		for i := range l.addrs {
			p := l.addrs[i].prefix
			if p.Addr() == a || (l.Loopback && a.Is4() && p.Contains(a)) {
				return true
			}
		}
	}
	return false
}
