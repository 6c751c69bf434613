package fib

import (
	"net/netip"
	"syscall"
)

// resolve checks a request against links and addresses and returns the Infos of its rows, each with a reference that the caller releases:
// one for IPv4 (fib_create_info), one for each next hop for IPv6 (ip6_route_info_create).
func (f *family) resolve(s *Spec) ([]*Info, *Error) {
	want := Info{Type: s.Type, Protocol: s.Protocol, PrefSrc: s.PrefSrc, Metrics: s.Metrics}
	if want.Type == TypeUnspec {
		want.Type = TypeUnicast
	}
	if want.Protocol == 0 {
		want.Protocol = ProtocolBoot
	}
	if s.PrefSrc.IsValid() && !f.fib.links.local(s.PrefSrc) && (want.Type != TypeLocal || s.PrefSrc != s.Prefix.Addr()) {
		return nil, &Error{Err: ErrAddressNotLocal, Errno: syscall.EINVAL, Kernel: f.rules.badSource, Detail: s.PrefSrc.String()}
	}
	if len(s.NextHops) > MaxNextHops {
		return nil, errTooManyHops
	}
	if want.Type.rejects() && len(s.NextHops) > 0 && f.af == IPv4 {
		return nil, invalid("Gateway, device and multipath can not be specified for this route type", "")
	}
	f.resolved, f.hops = f.resolved[:0], f.hops[:0]
	if f.af == IPv4 {
		want.Scope = s.scope()
	}
	key, common := wayOf(f.af, s, &want)
	if common {
		if info := f.recall(key); info != nil {
			f.resolved = append(f.resolved, info)
			return f.resolved, nil
		}
	}
	if s.NextHopID != 0 {
		if err := f.object(s, &want); err != nil {
			return nil, err
		}
		f.resolved = append(f.resolved, f.infos.intern(&want))
		return f.resolved, nil
	}
	if f.af == IPv4 {
		if err := f.hops4(s, &want); err != nil {
			return nil, err
		}
		want.NextHops = f.hops
		f.resolved = append(f.resolved, f.infos.intern(&want))
	} else {
		if err := f.hops6(s, &want); err != nil {
			return nil, err
		}
		for i := range f.hops {
			want.NextHops = f.hops[i : i+1]
			f.resolved = append(f.resolved, f.infos.intern(&want))
		}
	}
	if common {
		f.remember(key, f.resolved[0])
	}
	return f.resolved, nil
}

// hop starts to resolve a next hop: its link is the one that it names, or still nil.
func (f *family) hop(n *NextHopSpec) (NextHop, *Error) {
	hop := NextHop{Gateway: n.Gateway, Weight: max(n.Weight, 1), Onlink: n.Onlink}
	if n.Device == "" {
		return hop, nil
	}
	if hop.Link = f.fib.links.byName[n.Device]; hop.Link == nil {
		return hop, errNoLink(n.Device)
	}
	return hop, nil
}

// hops4 resolves the next hops of an IPv4 route into f.hops (fib_check_nh).
func (f *family) hops4(s *Spec, want *Info) *Error {
	if want.Type.rejects() {
		return nil
	}
	if len(s.NextHops) == 0 {
		return errNoWay("a route of this type needs a next hop")
	}
	if want.Scope > ScopeHost {
		return invalid("Invalid scope", "")
	}
	if want.Scope == ScopeHost && len(s.NextHops) != 1 {
		return invalid("Route with host scope can not have multiple nexthops", "")
	}
	for i := range s.NextHops {
		n := &s.NextHops[i]
		hop, err := f.hop(n)
		if err != nil {
			return err
		}
		switch {
		case want.Scope == ScopeHost && n.Gateway.IsValid():
			err = invalid("Route with host scope can not have a gateway", "")
		case hop.Link == nil && !n.Gateway.IsValid():
			err = errNoWay("a next hop needs a gateway or a device")
		case want.Scope == ScopeHost: // local addresses may be on a link that is down
		case !n.Gateway.IsValid():
			if !hop.Link.Up {
				err = errLinkDown("Device for nexthop is not up", hop.Link)
			}
		case n.Gateway.Is6():
			err = f.other.via6FromIPv4(&hop)
		default:
			err = f.gateway4(&hop, want.Scope, s.Table)
		}
		if err != nil {
			return err
		}
		f.hops = append(f.hops, hop)
	}
	return nil
}

// gateway4 finds the link that reaches an IPv4 gateway (fib_check_nh_v4_gw): only a connected route will do, of the route's own table or of
// those that every packet sees.
func (f *family) gateway4(hop *NextHop, scope Scope, table uint32) *Error {
	switch {
	case scope >= ScopeLink:
		return invalid("Nexthop has invalid scope", "")
	case hop.Onlink && hop.Link == nil:
		return &Error{Err: ErrLinkNotFound, Errno: syscall.ENODEV, Kernel: "Nexthop device required for onlink"}
	case hop.Onlink && !hop.Link.Up:
		return errLinkDown("Nexthop device is not up", hop.Link)
	case hop.Onlink:
		return nil
	}
	device := hop.Link
	if f.reach4(hop, device, table) {
		return nil
	}
	for _, id := range f.asked {
		if f.reach4(hop, device, id) {
			return nil
		}
	}
	return &Error{Err: ErrGatewayUnreachable, Errno: syscall.ENETUNREACH, Kernel: "Nexthop has invalid gateway", Detail: hop.Gateway.String()}
}

// reach4 sets the link of a next hop whose gateway is reached by a route of the table.
func (f *family) reach4(hop *NextHop, device *Link, table uint32) bool {
	t := f.tables.any[table]
	if t == nil {
		return false
	}
	head, ok := t.heads.Lookup(hop.Gateway)
	if !ok {
		return false
	}
	link := f.connected4(head, device) // nearly always the connected route itself
	if link == nil {
		for _, head := range t.heads.Supernets(netip.PrefixFrom(hop.Gateway, 32)) {
			if link = f.connected4(head, device); link != nil {
				break
			}
		}
	}
	if link == nil {
		return false
	}
	hop.Link = link
	return true
}

// connected4 returns the link of the first row from head on that reaches its destination without a gateway, by device if that is not nil.
func (f *family) connected4(head uint32, device *Link) *Link {
	for n := head; n != 0; n = f.rows.At(n).next {
		info := f.infoOf(n)
		if info.Scope < ScopeLink || len(info.NextHops) == 0 || info.Effect() != TypeUnicast && info.Type != TypeLocal {
			continue
		}
		for i := range info.NextHops {
			if link := info.NextHops[i].Link; link.Up && (device == nil || device == link) {
				return link
			}
		}
	}
	return nil
}

// hops6 resolves the next hops of an IPv6 route into f.hops (fib6_nh_init).
func (f *family) hops6(s *Spec, want *Info) *Error {
	if want.Type.rejects() {
		f.hops = append(f.hops, NextHop{Link: f.fib.links.order[0], Weight: 1}) // rejecting routes hang on lo
		return nil
	}
	if len(s.NextHops) == 0 {
		return errNoWay("a route of this type needs a next hop")
	}
	for i := range s.NextHops {
		n := &s.NextHops[i]
		hop, err := f.hop(n)
		if err != nil {
			return err
		}
		switch {
		case s.multipath() && !n.Gateway.IsValid():
			err = invalid("Device only routes can not be added for IPv6 using the multipath API", "")
		case n.Gateway.IsValid():
			err = f.gateway6(&hop, s.Table)
		case hop.Link == nil:
			err = errNoWay("a next hop needs a gateway or a device")
		}
		if err == nil && !hop.Link.Up && want.Type != TypeLocal {
			err = errLinkDown("Nexthop device is not up", hop.Link)
		}
		if err != nil {
			return err
		}
		for j := range f.hops { // ip6_route_info_append
			if f.hops[j].Link == hop.Link && f.hops[j].Gateway == hop.Gateway {
				return errExists
			}
		}
		f.hops = append(f.hops, hop)
	}
	return nil
}

// gateway6 finds the link that reaches an IPv6 gateway (ip6_validate_gw, ip6_route_check_nh).
func (f *family) gateway6(hop *NextHop, table uint32) *Error {
	f.reach = -1
	switch {
	case hop.Gateway.IsMulticast() || hop.Gateway.IsUnspecified():
		return invalid("Invalid gateway address", hop.Gateway.String())
	case f.fib.links.local(hop.Gateway):
		return invalid("Gateway can not be a local address", hop.Gateway.String())
	case hop.Onlink && hop.Link == nil:
		return &Error{Err: ErrLinkNotFound, Errno: syscall.ENODEV, Kernel: "Nexthop device required for onlink"}
	case hop.Onlink && !hop.Link.Up:
		return errLinkDown("Nexthop device is not up", hop.Link)
	case hop.Onlink:
		return nil
	case hop.Gateway.IsLinkLocalUnicast() && hop.Link == nil:
		return invalid("Egress device not specified", hop.Gateway.String())
	case hop.Gateway.IsLinkLocalUnicast():
		return nil
	}
	if link, bits := f.connected6(hop, table); link != nil {
		hop.Link, f.reach = link, bits
		return nil
	}
	for _, id := range f.asked {
		if link, _ := f.connected6(hop, id); link != nil {
			hop.Link = link
			return nil
		}
	}
	return &Error{Err: ErrGatewayUnreachable, Errno: syscall.EHOSTUNREACH, Detail: hop.Gateway.String()}
}

// connected6 returns the link of the best route to the gateway in one table, and the length of that route's prefix; nil where that is no route, rejects or has a
// gateway itself.
func (f *family) connected6(hop *NextHop, table uint32) (link *Link, bits int) {
	t := f.tables.any[table]
	if t == nil {
		return nil, 0
	}
	for pfx, head := range t.heads.Supernets(netip.PrefixFrom(hop.Gateway, 128)) {
		for n := head; n != 0; n = f.rows.At(n).next {
			info := f.infoOf(n)
			if info.Effect().rejects() || info.hasGateway() {
				return nil, 0
			}
			if link := info.NextHops[0].Link; link.Up && (hop.Link == nil || hop.Link == link) {
				return link, pfx.Bits()
			}
		}
	}
	return nil, 0
}

// via6FromIPv4 resolves the IPv6 gateway of an IPv4 route. It is called on the IPv6 family with the IPv4 lock held, which comes first in the lock order.
func (f *family) via6FromIPv4(hop *NextHop) *Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.gateway6(hop, TableMain)
	if err == nil && !hop.Link.Up {
		err = errLinkDown("Nexthop device is not up", hop.Link)
	}
	return err
}

// errNoWay is what the kernel says to a route that names no link at all: no such device.
func errNoWay(detail string) *Error {
	return &Error{Err: ErrLinkNotFound, Errno: syscall.ENODEV, Detail: detail}
}

func errLinkDown(kernel string, l *Link) *Error {
	return &Error{Err: ErrLinkDown, Errno: syscall.ENETDOWN, Kernel: kernel, Detail: l.Name}
}
