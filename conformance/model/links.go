package model

import (
	"net/netip"
	"slices"
)

// link is a network interface.
type link struct {
	name        string
	loopback    bool
	up, carrier bool
	addrs       []address
}

func (l *link) usable() bool { return l.up && l.carrier }

type address struct {
	prefix    netip.Prefix
	secondary bool // IPv4: another address of the subnet was first
}

func (a address) family() int { return familyOf(a.prefix.Addr()) }

// link returns the link of that name, or nil.
func (m *Model) link(name string) *link {
	for _, l := range m.links {
		if l.name == name {
			return l
		}
	}
	return nil
}

// AddLink makes a link, which is down and has carrier.
func (m *Model) AddLink(name string) string {
	if m.link(name) != nil {
		return "EEXIST"
	}
	m.links = append(m.links, &link{name: name, carrier: true})
	return ""
}

// SetLink sets the states of a link.
func (m *Model) SetLink(name string, up, carrier bool) string {
	l := m.link(name)
	if l == nil {
		return "ENODEV"
	}
	m.setCarrier(l, carrier)
	switch {
	case up && !l.up: // hardware hears of the link before the routes
		l.up = true
		m.neighborsFound(l)
		m.chip.queue = append(m.chip.queue, operation{link: l, usable: l.usable()})
		start := len(m.chip.queue)
		m.linkUp(l)
		m.ipv4First(start)
	case !up && l.up:
		m.objectsLost(l)
		start := len(m.chip.queue)
		m.linkDown(l)
		l.up = false
		m.ipv4First(start)
		m.chip.queue = append(m.chip.queue, operation{link: l})
		m.neighborsLost(l, true)
	default:
		m.chip.queue = append(m.chip.queue, operation{link: l, usable: l.usable()})
	}
	m.forgetNeighbors()
	return ""
}

// setCarrier changes no route (3.8).
func (m *Model) setCarrier(l *link, carrier bool) {
	if l.carrier == carrier {
		return
	}
	switch l.carrier = carrier; {
	case !l.up:
	case carrier:
		m.neighborsFound(l)
	default:
		m.objectsLost(l)
		m.neighborsLost(l, false)
	}
}

// DeleteLink removes a link. Its IPv4 addresses go one by one, then whatever is left on it.
func (m *Model) DeleteLink(name string) string {
	l := m.link(name)
	if l == nil {
		return "ENODEV"
	}
	m.objectsLost(l)
	start := len(m.chip.queue)
	if l.up {
		m.linkDown(l)
		l.up = false
	}
	for _, a := range slices.Clone(l.addrs) {
		if a.family() == ipv4 && slices.Contains(l.addrs, a) {
			m.deleteAddress4(l, a)
		}
	}
	m.lost4(l, true, true)
	m.lost6(l, true)
	m.ipv4First(start)
	m.chip.queue = append(m.chip.queue, operation{link: l})
	m.neighborsLost(l, true)
	m.forgetNeighbors()
	m.links = slices.DeleteFunc(m.links, func(o *link) bool { return o == l })
	return ""
}

// ipv4First puts the operations of one change of links, from index start on, in the order in which they are handed over.
func (m *Model) ipv4First(start int) {
	slices.SortStableFunc(m.chip.queue[start:], func(a, b operation) int { return a.key.family() - b.key.family() })
}

// linkUp follows 7.2: connected routes come, static ones do not come back.
func (m *Model) linkUp(l *link) {
	for _, family := range []int{ipv4, ipv6} {
		for _, a := range l.addrs {
			if a.family() == family {
				m.addressRoutes(l, a)
			}
		}
	}
	m.kernelRoute(TableLocal, netip.MustParsePrefix("ff00::/8"), 256, l.route6(Multicast))
}

// linkDown follows 7.1 and 3.7. The link loses its IPv6 addresses.
func (m *Model) linkDown(l *link) {
	m.lost4(l, false, false)
	m.lost6(l, false)
	addrs := slices.Clone(l.addrs)
	l.addrs = slices.DeleteFunc(l.addrs, func(a address) bool { return a.family() == ipv6 })
	for _, a := range addrs {
		m.forget(l, a)
	}
}

// lost4 flushes, silently, IPv4 routes with all next hops dead, with gone those with any on the link. Local routes stay unless forced.
func (m *Model) lost4(l *link, force, gone bool) {
	m.flush4(true, func(r *row) bool {
		if !r.uses(l) || r.object != 0 || r.scope == scopeHost && !force {
			return false
		}
		return gone || !slices.ContainsFunc(r.hops, func(h hop) bool { return h.link != l && h.link.up })
	})
}

// flushOrder are all prefixes as the kernel flushes them: table by table, IPv4 from the highest prefix down (2.7).
func (m *Model) flushOrder() []key {
	keys := m.keys()
	slices.SortStableFunc(keys, func(a, b key) int {
		if a.family() != ipv4 || b.family() != ipv4 || a.table != b.table {
			return 0
		}
		return b.prefix.Addr().Compare(a.prefix.Addr())
	})
	return keys
}

// flush4 removes IPv4 routes.
func (m *Model) flush4(silent bool, selected func(*row) bool) {
	for _, k := range m.flushOrder() {
		for _, r := range m.routes[k] {
			if k.family() == ipv4 && selected(r) {
				m.deleteRows(k, []*row{r}, false, silent)
			}
		}
	}
}

// lost6 removes IPv6 rows on the link: single ones, all siblings one by one when the last living one goes, with gone each by itself (3.7).
func (m *Model) lost6(l *link, gone bool) {
	dead := func(r *row) bool { return r.uses(l) || !r.hops[0].link.up }
	for _, k := range m.keys() {
		if k.family() == ipv4 {
			continue
		}
		for _, r := range m.routes[k] {
			if !r.uses(l) || r.object != 0 || !slices.Contains(m.routes[k], r) {
				continue
			}
			leaving := []*row{r}
			if !gone {
				leaving = siblings(m.routes[k], r)
			}
			if len(leaving) > 1 && slices.ContainsFunc(leaving, func(s *row) bool { return !dead(s) }) {
				continue
			}
			for _, s := range leaving {
				m.deleteRows(k, []*row{s}, false, false)
			}
		}
	}
}

// AddAddress gives a link an address.
func (m *Model) AddAddress(name string, prefix netip.Prefix) string {
	l := m.link(name)
	if l == nil {
		return "ENODEV"
	}
	a := address{prefix: prefix}
	for _, b := range l.addrs {
		if b.prefix == prefix || a.family() == ipv6 && b.prefix.Addr() == prefix.Addr() {
			return "EEXIST"
		}
		a.secondary = a.secondary || a.family() == ipv4 && b.prefix.Masked() == prefix.Masked()
	}
	l.addrs = append(l.addrs, a)
	if a.family() == ipv4 || l.up {
		m.addressRoutes(l, a)
	}
	return ""
}

// DeleteAddress takes it away.
func (m *Model) DeleteAddress(name string, prefix netip.Prefix) string {
	l := m.link(name)
	if l == nil {
		return "ENODEV"
	}
	i := slices.IndexFunc(l.addrs, func(a address) bool { return a.prefix == prefix })
	if i < 0 {
		return "EADDRNOTAVAIL"
	}
	a := l.addrs[i]
	if a.family() == ipv4 {
		m.deleteAddress4(l, a)
		m.forgetNeighbors()
		return ""
	}
	l.addrs = slices.Delete(l.addrs, i, i+1)
	m.removeKernelRoute(TableLocal, netip.PrefixFrom(a.prefix.Addr(), 128), l.route6(Local))
	if !slices.ContainsFunc(l.addrs, func(b address) bool { return b.prefix.Masked() == prefix.Masked() }) {
		m.removeKernelRoute(TableMain, prefix.Masked(), l.route6(Unicast))
	}
	m.forget(l, a)
	return ""
}

// addressRoutes makes the routes of an address: local, and on a link that is up the connected one and the broadcast one.
func (m *Model) addressRoutes(l *link, a address) {
	addr := a.prefix.Addr()
	if a.family() == ipv6 {
		m.kernelRoute(TableMain, a.prefix.Masked(), 256, l.route6(Unicast))
		m.kernelRoute(TableLocal, netip.PrefixFrom(addr, 128), 0, l.route6(Local))
		return
	}
	m.kernelRoute(TableLocal, netip.PrefixFrom(addr, 32), 0, l.route4(Local, l.primary(a.prefix)))
	if l.up && !a.secondary && a.prefix.Bits() < 32 {
		m.kernelRoute(TableMain, a.prefix.Masked(), 0, l.route4(Unicast, addr))
		if a.prefix.Bits() < 31 {
			m.kernelRoute(TableLocal, broadcast(a.prefix), 0, l.route4(Broadcast, addr))
		}
	}
}

// deleteAddress4 takes the secondaries along, then the routes of the address that no other one has, then those that name it as their source,
// and with the last address all that is left on the link (2.7).
func (m *Model) deleteAddress4(l *link, a address) {
	for _, b := range slices.Clone(l.addrs) {
		if !a.secondary && b.secondary && b.prefix.Masked() == a.prefix.Masked() {
			m.deleteAddress4(l, b)
		}
	}
	source := l.primary(a.prefix)
	l.addrs = slices.DeleteFunc(l.addrs, func(b address) bool { return b == a })
	if !a.secondary {
		m.removeKernelRoute(TableMain, a.prefix.Masked(), l.route4(Unicast, source))
		shared := slices.ContainsFunc(l.addrs, func(b address) bool { return b.family() == ipv4 && broadcast(b.prefix) == broadcast(a.prefix) })
		if a.prefix.Bits() < 31 && !shared {
			m.removeKernelRoute(TableLocal, broadcast(a.prefix), l.route4(Broadcast, source))
		}
	}
	m.removeKernelRoute(TableLocal, netip.PrefixFrom(a.prefix.Addr(), 32), l.route4(Local, source))
	if !m.local(a.prefix.Addr()) {
		m.flush4(false, func(r *row) bool { return r.prefsrc == a.prefix.Addr() })
	}
	if !slices.ContainsFunc(l.addrs, func(b address) bool { return b.family() == ipv4 }) {
		m.lost4(l, true, false)
	}
}

// forget takes an IPv6 address that is gone out of the routes on its link that name it as their source, in place.
func (m *Model) forget(l *link, a address) {
	if a.family() == ipv4 || m.local(a.prefix.Addr()) {
		return
	}
	for _, k := range m.keys() {
		for _, r := range m.routes[k] {
			if r.prefsrc == a.prefix.Addr() && r.uses(l) {
				r.prefsrc = netip.Addr{}
				m.events = append(m.events, Event{Kind: Replaced, Silent: true, Route: m.view(k, m.routes[k], r)})
			}
		}
	}
}

// primary is the first address of the subnet on the link.
func (l *link) primary(prefix netip.Prefix) netip.Addr {
	for _, a := range l.addrs {
		if !a.secondary && a.prefix.Masked() == prefix.Masked() {
			return a.prefix.Addr()
		}
	}
	return prefix.Addr()
}

// broadcast is the last address of a subnet.
func broadcast(prefix netip.Prefix) netip.Prefix {
	a := prefix.Masked().Addr()
	for next := a; prefix.Contains(next); next = next.Next() {
		a = next
	}
	return netip.PrefixFrom(a, 32)
}

func (l *link) route4(typ uint8, source netip.Addr) *row {
	r := &row{typ: typ, protocol: protocolKernel, scope: scopeLink, prefsrc: source, hops: []hop{{link: l, weight: 1}}}
	if typ == Local {
		r.scope = scopeHost
	}
	return r
}

func (l *link) route6(typ uint8) *row {
	return &row{typ: typ, protocol: protocolKernel, hops: []hop{{link: l, weight: 1}}}
}

// kernelRoute adds a route of the switch's own; one that is there already is left alone (4.7).
func (m *Model) kernelRoute(table uint32, prefix netip.Prefix, metric uint32, r *row) {
	r.metric = metric
	k, verb := key{table, prefix}, Append
	if k.family() == ipv6 {
		verb = Prepend
	}
	m.insert(k, []*row{r}, verb, false, false)
}

func (m *Model) removeKernelRoute(table uint32, prefix netip.Prefix, r *row) {
	k := key{table, prefix}
	if i := slices.IndexFunc(m.routes[k], r.same); i >= 0 {
		m.deleteRows(k, m.routes[k][i:i+1:i+1], false, false)
	}
}
