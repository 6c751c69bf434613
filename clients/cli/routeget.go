package cli

import (
	"context"
	"errors"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// lookup is a parsed `route get`.
type lookup struct {
	dst      prefix
	tos      uint32
	table    uint32
	vrf      string // whose table to look in; empty: table says it
	fibmatch bool   // show the route as it is in the table
}

// parseLookup reads what stands behind `route get`. table is of this switch; ip has no word for it.
func parseLookup(words []string, f vasicv1.Family, warnf func(string, ...any)) (*lookup, error) {
	var l lookup
	seen := false
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "tos", abbreviates(word, "dsfield"):
			w := p.word()
			var ok bool
			if l.tos, ok = parseTos(w); !ok && p.err == nil {
				p.fail(wrongArgument(w, "TOS value is invalid"))
			}
		case word == "fibmatch":
			l.fibmatch = true
		case word == "table":
			w := p.word()
			var ok bool
			if l.table, ok = tableNames.parse(w, 32); !ok && p.err == nil {
				p.fail(wrongArgument(w, "table id value is invalid"))
			}
		case word == "vrf":
			l.vrf = p.word()
		case word == "from", word == "iif", word == "mark", word == "oif", word == "dev", word == "notify", word == "connected",
			word == "uid", word == "as", word == "sport", word == "dport", word == "ipproto":
			p.fail(notSupported("route get " + word))
		case word == "help":
			p.fail(helpError(usageRoute))
		default:
			if word == "to" {
				word = p.word()
			}
			if p.err != nil {
				break
			}
			dst, err := parsePrefix(word, f)
			if err != nil {
				p.fail(err)
				break
			}
			l.dst, f, seen = dst.in(f), dst.in(f).family, true
		}
	}
	switch {
	case p.err != nil:
		return nil, p.err
	case !seen:
		return nil, usageError("need at least a destination address")
	case !l.dst.host():
		warnf("Warning: /%d as prefix is invalid, only /%d (or none) is supported.", l.dst.bits, l.dst.addr.BitLen())
	}
	return &l, nil
}

// routeGet shows which route a packet takes.
func (s *session) routeGet(ctx context.Context, words []string) error {
	l, err := parseLookup(words, s.options.family, s.warnf)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if l.vrf != "" {
		if l.table, err = vrfTable(ctx, c, l.vrf); err != nil {
			return err
		}
	}
	address := l.dst.addr.String()
	resp, err := c.Routes.LookupRoute(ctx, &vasicv1.LookupRouteRequest{Address: address, Table: l.table, Tos: l.tos})
	if errors.Is(err, vasic.ErrRouteNotFound) || errors.Is(err, vasic.ErrTableNotFound) {
		return netlinkError("ENETUNREACH")
	}
	if err != nil {
		return err
	}
	route := resp.GetRoute()
	switch route.GetType() {
	case vasicv1.RouteType_ROUTE_TYPE_BLACKHOLE:
		return netlinkError("EINVAL")
	case vasicv1.RouteType_ROUTE_TYPE_UNREACHABLE:
		return netlinkError("EHOSTUNREACH")
	case vasicv1.RouteType_ROUTE_TYPE_PROHIBIT:
		return netlinkError("EACCES")
	case vasicv1.RouteType_ROUTE_TYPE_THROW:
		return netlinkError("ENETUNREACH")
	}
	line := routeLine{Route: route}
	if !l.fibmatch {
		if line, err = lookedUp(ctx, c, route, address); err != nil {
			return err
		}
	}
	p := s.newPrinter()
	p.open("", '[')
	p.route(line, routeStyle{details: s.options.details, oneLine: s.options.oneLine})
	p.close(']')
	return p.finish(nil)
}

// netlinkError is a refusal that the command finds in the answer, as the kernel would word it.
func netlinkError(errno string) error {
	return &exitError{code: exitRefused, text: "RTNETLINK answers: " + errnos[errno]}
}

// lookedUp is how ip shows the route that a packet to address takes: with the address in place of the prefix, one next hop and
// the source address that the packet would get.
func lookedUp(ctx context.Context, c *vasic.Client, r *vasicv1.Route, address string) (routeLine, error) {
	local := r.Type == vasicv1.RouteType_ROUTE_TYPE_LOCAL
	out := &vasicv1.Route{
		Prefix: r.Prefix, Table: r.Table, Type: r.Type, Protocol: r.Protocol, Scope: r.Scope, Metric: r.Metric, Metrics: r.Metrics,
		Prefsrc: r.Prefsrc,
	}
	line := routeLine{Route: out, dst: address, lookup: true}
	six := familyOf(address) == family6
	if six {
		line.from = "::"
	} else {
		line.cache = &cacheLine{}
		switch {
		case local:
			line.cache.flags = []string{"local"}
		case r.Type == vasicv1.RouteType_ROUTE_TYPE_BROADCAST:
			line.cache.flags = []string{"local", "brd"}
		}
	}
	if local {
		out.NextHops = []*vasicv1.NextHop{{Device: "lo"}}
		out.Prefsrc = address
		return line, nil
	}
	nh := usableHop(r.NextHops)
	if nh == nil {
		return line, nil
	}
	out.NextHops = []*vasicv1.NextHop{nh}
	if out.Prefsrc == "" {
		to := nh.Gateway
		if familyOf(to) != familyOf(address) || to == "" {
			to = address
		}
		src, err := sourceAddress(ctx, c, nh.Device, to)
		if err != nil {
			return line, err
		}
		out.Prefsrc = src
	}
	return line, nil
}

// usableHop is the next hop that a packet may take: the first that is up, or else the first. The kernel chooses by a hash of
// the packet, of which there is none here.
func usableHop(hops []*vasicv1.NextHop) *vasicv1.NextHop {
	for _, nh := range hops {
		if !nh.Dead && !nh.Linkdown {
			return nh
		}
	}
	if len(hops) > 0 {
		return hops[0]
	}
	return nil
}

// sourceAddress is the address of device from which a packet to an address leaves: the first in whose prefix that lies, or else
// the first of the family. It is empty if the device has none.
func sourceAddress(ctx context.Context, c *vasic.Client, device, to string) (string, error) {
	resp, err := c.Links.ListAddresses(ctx, &vasicv1.ListAddressesRequest{Link: device})
	if err != nil {
		return "", err
	}
	first := ""
	for _, a := range resp.GetAddresses() {
		p, err := parsePrefix(a.GetPrefix(), familyAny)
		if err != nil || p.family != familyOf(to) {
			continue
		}
		if p.holds(to) {
			return p.addr.String(), nil
		}
		if first == "" {
			first = p.addr.String()
		}
	}
	return first, nil
}
