package fib

import "net/netip"

// Link is a network interface. Name, Index and Loopback never change; the rest is read with either family's lock held and written with both.
type Link struct {
	Name     string
	Index    uint32 // from 1, which is lo; never used again
	Loopback bool

	Up      bool // administratively up
	Carrier bool
	Gone    bool // removed; only routes that are just leaving still point here

	addrs []address
}

// Dead reports whether next hops on the link are unusable (RTNH_F_DEAD).
func (l *Link) Dead() bool { return !l.Up || l.Gone }

// LinkDown reports whether the link has no carrier (RTNH_F_LINKDOWN).
func (l *Link) LinkDown() bool { return l.Dead() || !l.Carrier }

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
}

func (ls *links) add(name string, loopback bool) *Link {
	ls.last++
	l := &Link{Name: name, Index: ls.last, Loopback: loopback, Carrier: true}
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
