package model

import (
	"cmp"
	"net/netip"
	"slices"
)

// neighbor is a gateway on a link. The pointer is its identity: one that is used again after nobody used it is another one to hardware.
type neighbor struct {
	link  *link
	addr  netip.Addr
	state string
	entry bool // somebody made an entry
}

// Neighbor states, as far as they make a difference (NUD_VALID, and those that outlive the loss of carrier).
const (
	NeighborNone      = "none"
	NeighborFailed    = "failed"
	NeighborReachable = "reachable"
	NeighborStale     = "stale"
	NeighborPermanent = "permanent"
)

func (n *neighbor) valid() bool { return n.state != NeighborNone && n.state != NeighborFailed }

// Neighbor is a neighbour as listed.
type Neighbor struct {
	Link      string
	Addr      netip.Addr
	State     string
	Automatic bool // nobody made an entry
	Offloaded bool // hardware forwards to it
}

// neighbor returns the neighbour that a next hop is to use. It resolves at once.
func (m *Model) neighbor(l *link, addr netip.Addr) *neighbor {
	n := m.knownNeighbor(l, addr)
	if n == nil {
		n = &neighbor{link: l, addr: addr, state: NeighborNone}
		m.neighbors = append(m.neighbors, n)
	}
	if !n.entry {
		m.resolveNeighbor(n)
	}
	return n
}

// knownNeighbor returns the neighbour of that name, or nil.
func (m *Model) knownNeighbor(l *link, addr netip.Addr) *neighbor {
	if i := slices.IndexFunc(m.neighbors, func(n *neighbor) bool { return n.link == l && n.addr == addr }); i >= 0 {
		return m.neighbors[i]
	}
	return nil
}

// neighborsOn are the neighbours on a link.
func (m *Model) neighborsOn(l *link) (list []*neighbor) {
	for _, n := range m.neighbors {
		if n.link == l {
			list = append(list, n)
		}
	}
	return list
}

// used reports whether a route or a next-hop object uses a neighbour.
func (m *Model) used(n *neighbor) bool {
	if slices.ContainsFunc(m.objects, func(o *object) bool { return o.hop.neighbor == n }) {
		return true
	}
	for _, rows := range m.routes {
		for _, r := range rows {
			if r.object == 0 && slices.ContainsFunc(r.hops, func(h hop) bool { return h.neighbor == n }) {
				return true
			}
		}
	}
	return false
}

// resolveNeighbor makes a neighbour reachable, if its link can be used.
func (m *Model) resolveNeighbor(n *neighbor) {
	if !n.valid() && n.link.usable() {
		m.setNeighbor(n, NeighborReachable)
	}
}

// setNeighbor changes a state; hardware hears whether the neighbour is valid.
func (m *Model) setNeighbor(n *neighbor, state string) {
	was := n.valid()
	if n.state = state; n.valid() != was {
		m.chip.queue = append(m.chip.queue, operation{neighbor: n, usable: !was})
	}
}

// forgetNeighbors forgets those that no route uses and nobody made an entry for. Hardware may have entries that use them all the same.
func (m *Model) forgetNeighbors() {
	for _, n := range slices.Clone(m.neighbors) {
		if !n.entry && !m.used(n) {
			m.chip.queue = append(m.chip.queue, operation{neighbor: n, forgotten: true})
			n.state = NeighborNone
			m.neighbors = slices.DeleteFunc(m.neighbors, func(o *neighbor) bool { return o == n })
		}
	}
}

// neighborsFound resolves the neighbours that routes use on a link that can be used again.
func (m *Model) neighborsFound(l *link) {
	for _, n := range m.neighborsOn(l) {
		if !n.entry && m.used(n) {
			m.resolveNeighbor(n)
		}
	}
}

// neighborsLost drops what is known of the neighbours on a link that went down, or only lost its carrier: permanent entries stay then.
func (m *Model) neighborsLost(l *link, down bool) {
	for _, n := range m.neighborsOn(l) {
		if down || !n.entry || n.state != NeighborPermanent {
			n.entry = false
			m.setNeighbor(n, NeighborNone)
		}
	}
}

// SetNeighbor makes an entry, or changes the one that is there unless exclusive.
func (m *Model) SetNeighbor(link string, addr netip.Addr, state string, exclusive bool) string {
	l := m.link(link)
	switch {
	case l == nil:
		return "ENODEV"
	case !l.up:
		return "ENETDOWN"
	}
	n := m.knownNeighbor(l, addr)
	if n == nil {
		n = &neighbor{link: l, addr: addr, state: NeighborNone}
		m.neighbors = append(m.neighbors, n)
	}
	if exclusive && n.entry {
		return "EEXIST"
	}
	n.entry = true
	m.setNeighbor(n, state)
	return ""
}

// DeleteNeighbor removes an entry, or what resolved by itself. A neighbour that routes use is then resolved anew.
func (m *Model) DeleteNeighbor(link string, addr netip.Addr) string {
	l := m.link(link)
	if l == nil {
		return "ENODEV"
	}
	n := m.knownNeighbor(l, addr)
	if n == nil {
		return "ENOENT"
	}
	n.entry = false
	m.setNeighbor(n, NeighborNone)
	if m.used(n) {
		m.resolveNeighbor(n)
	}
	m.forgetNeighbors()
	return ""
}

// Neighbors lists all neighbours by link and address.
func (m *Model) Neighbors() (list []Neighbor) {
	for _, n := range m.neighbors {
		list = append(list, Neighbor{Link: n.link.name, Addr: n.addr, State: n.state, Automatic: !n.entry, Offloaded: m.forwardsTo(n)})
	}
	slices.SortFunc(list, func(a, b Neighbor) int {
		return cmp.Or(slices.IndexFunc(m.links, func(l *link) bool { return l.name == a.Link })-
			slices.IndexFunc(m.links, func(l *link) bool { return l.name == b.Link }), a.Addr.Compare(b.Addr))
	})
	return list
}

// forwardsTo reports whether an entry or a next-hop object of the chip forwards to a neighbour.
func (m *Model) forwardsTo(n *neighbor) bool {
	to := func(h hop) bool { return h.neighbor == n && m.chip.canUse(h) }
	for _, o := range m.chip.objects {
		if slices.ContainsFunc(o.hops, to) {
			return true
		}
	}
	for k, e := range m.chip.entries {
		if !e.hidden && m.verdict(e, k) == "offload" && slices.ContainsFunc(e.hops(), to) {
			return true
		}
	}
	return false
}

// forget keeps a neighbour as it is until its link cannot be used.
func (c *chip) forget(n *neighbor) {
	c.forgotten[n] = true
	c.loseForgotten(n.link)
}

// loseForgotten makes the neighbours that software has forgotten invalid if their link cannot be used.
func (c *chip) loseForgotten(l *link) {
	for n := range c.forgotten {
		if n.link == l && !c.usable[l] {
			c.valid[n] = false
		}
	}
}

// canUse reports whether hardware can send packets to a next hop (9.5, 9.6).
func (c *chip) canUse(h hop) bool {
	return !h.link.loopback && c.usable[h.link] && (h.neighbor == nil || c.valid[h.neighbor])
}
