package model

import (
	"net/netip"
	"slices"
)

// resolve checks a request against links and addresses and returns its rows: one for IPv4, one for each next hop for IPv6.
func (m *Model) resolve(k key, w Want) (rows []*row, errno string) {
	r := row{tos: w.TOS, metric: w.Metric, typ: w.Type, protocol: w.Protocol, prefsrc: w.PrefSrc}
	if r.typ == 0 {
		r.typ = Unicast
	}
	if r.protocol == 0 {
		r.protocol = protocolBoot
	}
	if k.family() == ipv6 && r.metric == 0 {
		r.metric = 1024
	}
	if w.PrefSrc.IsValid() && !m.local(w.PrefSrc) {
		return nil, "EINVAL"
	}
	if w.Object != 0 {
		return m.resolveObject(k, w, &r)
	}
	list := w.List || len(w.Hops) > 1
	rejects := r.typ >= Blackhole && r.typ <= Throw
	switch {
	case rejects && k.family() == ipv4:
		return []*row{&r}, ""
	case rejects: // hangs on lo
		r.hops = []hop{{link: m.links[0], weight: 1}}
		return []*row{&r}, ""
	}
	for _, want := range w.Hops {
		h, errno := m.hop(k, want, list)
		if errno != "" {
			return nil, errno
		}
		if k.family() == ipv6 && slices.ContainsFunc(r.hops, func(o hop) bool { return o.link == h.link && o.gateway == h.gateway }) {
			return nil, "EEXIST"
		}
		r.hops = append(r.hops, h)
	}
	if k.family() == ipv4 {
		if !list && !w.Hops[0].Gateway.IsValid() {
			r.scope = scopeLink
		}
		return []*row{&r}, ""
	}
	for _, h := range r.hops {
		sibling := r
		sibling.hops = []hop{h}
		rows = append(rows, &sibling)
	}
	return rows, ""
}

// resolveObject makes the row of a route with a next-hop object.
func (m *Model) resolveObject(k key, w Want, r *row) (rows []*row, errno string) {
	o := m.object(w.Object)
	if o == nil || len(w.Hops) > 0 || r.typ != Unicast || k.family() == ipv6 && o.isIPv4() {
		return nil, "EINVAL"
	}
	r.object, r.hops = o.id, o.hops()
	return []*row{r}, ""
}

// hop finds the link of a next hop of a new route.
func (m *Model) hop(k key, want Hop, list bool) (h hop, errno string) {
	h = hop{gateway: want.Gateway, weight: max(want.Weight, 1)}
	if want.Device != "" {
		if h.link = m.link(want.Device); h.link == nil {
			return h, "ENODEV"
		}
	}
	switch {
	case !h.gateway.IsValid() && list && k.family() == ipv6:
		return h, "EINVAL"
	case !h.gateway.IsValid():
	case familyOf(h.gateway) == ipv6 && m.local(h.gateway):
		return h, "EINVAL"
	case h.gateway.IsLinkLocalUnicast() && h.link != nil:
	default:
		if h.link = m.reach(k, h.gateway, h.link); h.link == nil && familyOf(h.gateway) == ipv6 {
			return h, "EHOSTUNREACH"
		} else if h.link == nil {
			return h, "ENETUNREACH"
		}
	}
	if !h.link.up {
		return h, "ENETDOWN"
	}
	if h.gateway.IsValid() {
		h.neighbor = m.neighbor(h.link, h.gateway)
	}
	return h, ""
}

// reach returns the link, by device if that is given, by which a route without a gateway leads to the gateway: in the route's own table, and in
// those that the rules name, the longest prefix first. For IPv6, the first route of a prefix decides if it has a gateway or rejects.
func (m *Model) reach(k key, gateway netip.Addr, device *link) *link {
	tables := []uint32{TableLocal, TableMain}
	if familyOf(gateway) == ipv4 {
		tables = append(tables, TableDefault)
	}
	if familyOf(gateway) == k.family() {
		tables = append([]uint32{k.table}, tables...)
	}
	for _, table := range tables {
		for bits := gateway.BitLen(); bits >= 0; bits-- {
			prefix, _ := gateway.Prefix(bits)
			for _, r := range m.routes[key{table, prefix}] {
				if familyOf(gateway) == ipv6 && (r.hasGateway() || r.typ >= Blackhole) {
					break
				}
				if familyOf(gateway) == ipv4 && (r.scope < scopeLink || r.typ != Unicast && r.typ != Local) {
					continue
				}
				hops := r.hops
				if familyOf(gateway) == ipv6 {
					hops = hops[:1]
				}
				for _, h := range hops {
					if h.link.up && (device == nil || device == h.link) {
						return h.link
					}
				}
			}
		}
	}
	return nil
}

// local reports whether the address is one of the switch's own.
func (m *Model) local(a netip.Addr) bool {
	return slices.ContainsFunc(m.links, func(l *link) bool {
		return slices.ContainsFunc(l.addrs, func(b address) bool { return b.prefix.Addr() == a })
	})
}
