package server

import (
	"net/netip"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// parser turns operations into requests of the FIB. It checks everything that can be checked without looking at the switch's state. The
// next hops of the requests share its memory; they are valid until reset. Strings of the requests are those of the messages.
type parser struct {
	hops []fib.NextHopSpec
}

func (p *parser) reset() { p.hops = p.hops[:0] }

// verbs by RouteAction.
var verbs = [...]fib.Verb{
	vasicv1.RouteAction_ROUTE_ACTION_ADD:     fib.Add,
	vasicv1.RouteAction_ROUTE_ACTION_REPLACE: fib.Replace,
	vasicv1.RouteAction_ROUTE_ACTION_CHANGE:  fib.Change,
	vasicv1.RouteAction_ROUTE_ACTION_APPEND:  fib.Append,
	vasicv1.RouteAction_ROUTE_ACTION_PREPEND: fib.Prepend,
	vasicv1.RouteAction_ROUTE_ACTION_DELETE:  fib.Delete,
}

// operation fills in a request and returns its family.
func (p *parser) operation(action vasicv1.RouteAction, route *vasicv1.Route, q *fib.Request) (fib.Family, *refusal) {
	switch {
	case action == vasicv1.RouteAction_ROUTE_ACTION_UNSPECIFIED:
		return 0, malformed("action", "is missing")
	case action < 0 || int(action) >= len(verbs):
		return 0, unknownEnum("action", int32(action))
	case route == nil:
		return 0, malformed("route", "is missing")
	}
	q.Verb = verbs[action]
	return p.spec(route, &q.Spec)
}

func (p *parser) spec(r *vasicv1.Route, s *fib.Spec) (fib.Family, *refusal) {
	pfx, err := parsePrefix("route.prefix", r.Prefix)
	if err != nil {
		return 0, err
	}
	family := fib.FamilyOf(pfx.Addr())
	*s = fib.Spec{Table: r.Table, Prefix: pfx, NextHopID: r.NextHopId, Multipath: r.Multipath, HasScope: r.Scope != nil}
	if s.Table == 0 {
		s.Table = fib.TableMain
	}
	if r.Metric != nil {
		s.Metric = *r.Metric
	}
	switch {
	case r.Tos > 255:
		return 0, outOfRange("route.tos", uint64(r.Tos), 0, 252)
	case r.Tos != 0 && family == fib.IPv6:
		bad := invalid(vasicv1.ErrorReason_ERROR_REASON_FAMILY_MISMATCH, "route.tos", "an IPv6 route has no type of service")
		bad.kernel = "Invalid dsfield (tos): option not available for IPv6"
		return 0, bad
	case r.Tos&3 != 0:
		bad := invalid(vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE, "route.tos", "the ECN bits of %#x are not 0", r.Tos)
		bad.kernel = "Invalid dsfield (tos): ECN bits must be 0"
		return 0, bad
	case r.Protocol > 255:
		return 0, outOfRange("route.protocol", uint64(r.Protocol), 0, 255)
	case r.Scope != nil && *r.Scope > 255:
		return 0, outOfRange("route.scope", uint64(*r.Scope), 0, 255)
	case r.Type < 0 || r.Type > vasicv1.RouteType_ROUTE_TYPE_THROW:
		return 0, unknownEnum("route.type", int32(r.Type))
	case len(r.NextHops) > fib.MaxNextHops:
		return 0, outOfRange("route.next_hops", uint64(len(r.NextHops)), 0, fib.MaxNextHops)
	case r.NextHopId != 0 && len(r.NextHops) > 0:
		bad := malformed("route.next_hop_id", "does not go with next_hops")
		bad.kernel = "Nexthop specification and nexthop id are mutually exclusive"
		return 0, bad
	}
	s.TOS, s.Protocol, s.Type = uint8(r.Tos), uint8(r.Protocol), fib.Type(r.Type) //nolint:gosec // checked above
	if r.Scope != nil {
		s.Scope = fib.Scope(*r.Scope) //nolint:gosec // checked above
	}
	if r.Prefsrc != "" {
		if s.PrefSrc, err = parseAddr("route.prefsrc", r.Prefsrc, family); err != nil {
			return 0, err
		}
	}
	if s.Source, err = parseSource("route.source_prefix", r.SourcePrefix, family); err != nil {
		return 0, err
	}
	if r.Metrics != nil {
		s.HasMetrics = true
		if s.Metrics, err = parseMetrics(r.Metrics); err != nil {
			return 0, err
		}
	}
	start := len(p.hops)
	for _, nh := range r.NextHops {
		hop, err := parseNextHop(nh, family)
		if err != nil {
			return 0, err
		}
		p.hops = append(p.hops, hop)
	}
	s.NextHops = p.hops[start:len(p.hops):len(p.hops)]
	return family, nil
}

func parseNextHop(nh *vasicv1.NextHop, family fib.Family) (hop fib.NextHopSpec, err *refusal) {
	if nh == nil {
		return hop, malformed("route.next_hops", "an entry is missing")
	}
	if nh.Weight > 256 {
		return hop, outOfRange("route.next_hops.weight", uint64(nh.Weight), 1, 256)
	}
	hop = fib.NextHopSpec{Device: nh.Device, Weight: uint16(max(nh.Weight, 1)), Onlink: nh.Onlink} //nolint:gosec // checked above
	if nh.Gateway == "" {
		return hop, nil
	}
	if hop.Gateway, err = parseAnyAddr("route.next_hops.gateway", nh.Gateway); err != nil {
		return hop, err
	}
	if family == fib.IPv6 && hop.Gateway.Is4() {
		return hop, invalid(vasicv1.ErrorReason_ERROR_REASON_FAMILY_MISMATCH, "route.next_hops.gateway", "an IPv6 route cannot have the IPv4 gateway %q", nh.Gateway)
	}
	return hop, nil
}

func parseMetrics(m *vasicv1.RouteMetrics) (fib.Metrics, *refusal) {
	switch {
	case m.Hoplimit > 255:
		return fib.Metrics{}, outOfRange("route.metrics.hoplimit", uint64(m.Hoplimit), 0, 255)
	case m.Quickack > 1:
		return fib.Metrics{}, outOfRange("route.metrics.quickack", uint64(m.Quickack), 0, 1)
	}
	return fib.Metrics{
		MTU: m.Mtu, MTULocked: m.MtuLocked, AdvMSS: m.Advmss, Window: m.Window, RTT: m.Rtt, RTTVar: m.Rttvar, SSThresh: m.Ssthresh, Cwnd: m.Cwnd,
		InitCwnd: m.Initcwnd, InitRwnd: m.Initrwnd, HopLimit: m.Hoplimit, RTOMin: m.RtoMin, QuickAck: m.Quickack, Reordering: m.Reordering,
	}, nil
}

// parsePrefix reads a prefix in CIDR form without host bits.
func parsePrefix(field, text string) (netip.Prefix, *refusal) {
	pfx, err := parseAnyPrefix(field, text)
	if err != nil {
		return pfx, err
	}
	if pfx != pfx.Masked() {
		bad := invalid(vasicv1.ErrorReason_ERROR_REASON_HOST_BITS_SET, field, "%q has bits set behind its length; did you mean %v?", text, pfx.Masked())
		bad.kernel = "Invalid prefix for given prefix length"
		return pfx, bad
	}
	return pfx, nil
}

// parseSource reads a source prefix, which only IPv6 routes have. "" and ::/0 mean any source: the invalid prefix.
func parseSource(field, text string, family fib.Family) (netip.Prefix, *refusal) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	source, err := parsePrefix(field, text)
	switch {
	case err != nil:
		return source, err
	case family != fib.IPv6 || fib.FamilyOf(source.Addr()) != fib.IPv6:
		return source, invalid(vasicv1.ErrorReason_ERROR_REASON_FAMILY_MISMATCH, field, "only IPv6 routes have an IPv6 source prefix")
	case source.Bits() == 0:
		return netip.Prefix{}, nil
	}
	return source, nil
}

// parseAnyPrefix reads a prefix in CIDR form, host bits allowed.
func parseAnyPrefix(field, text string) (netip.Prefix, *refusal) {
	if text == "" {
		return netip.Prefix{}, malformed(field, "is missing")
	}
	if a, rest, ok := cutIPv4(text); ok && len(rest) >= 2 && rest[0] == '/' {
		if bits, ok := cutNumber(&rest, 1, 32); ok && rest == "" {
			return netip.PrefixFrom(a, bits), nil
		}
	}
	pfx, err := netip.ParsePrefix(text)
	if err != nil || pfx.Addr().Is4In6() {
		return netip.Prefix{}, malformed(field, "%q is not a prefix like 192.0.2.0/24 or 2001:db8::/32", text)
	}
	return pfx, nil
}

// cutIPv4 reads the IPv4 address that text begins with, and returns what follows. What it does not read is for netip to judge, which is slower.
func cutIPv4(text string) (a netip.Addr, rest string, ok bool) {
	var octets [4]byte
	for i := range octets {
		if i > 0 && (text == "" || text[0] != '.') {
			return a, text, false
		}
		n, ok := cutNumber(&text, min(i, 1), 255)
		if !ok {
			return a, text, false
		}
		octets[i] = byte(n) //nolint:gosec // at most 255
	}
	return netip.AddrFrom4(octets), text, true
}

// cutNumber reads a decimal number up to most, of at most three digits, behind the first skip bytes of text, and leaves in text what follows.
func cutNumber(text *string, skip, most int) (n int, ok bool) {
	s, i := *text, skip
	for ; i < len(s) && i < skip+3 && s[i]-'0' <= 9; i++ {
		n = n*10 + int(s[i]-'0')
	}
	*text = s[i:]
	return n, i > skip && n <= most && (s[skip] != '0' || i == skip+1)
}

func parseAnyAddr(field, text string) (netip.Addr, *refusal) {
	if a, rest, ok := cutIPv4(text); ok && rest == "" {
		return a, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Is4In6() || addr.Zone() != "" {
		return netip.Addr{}, malformed(field, "%q is not an address like 192.0.2.1 or 2001:db8::1", text)
	}
	return addr, nil
}

func parseAddr(field, text string, family fib.Family) (netip.Addr, *refusal) {
	addr, err := parseAnyAddr(field, text)
	if err == nil && fib.FamilyOf(addr) != family {
		err = invalid(vasicv1.ErrorReason_ERROR_REASON_FAMILY_MISMATCH, field, "%q is not an %v address", text, family)
	}
	return addr, err
}
