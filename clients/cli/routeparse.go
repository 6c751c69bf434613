package cli

import (
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// routeParser reads the words behind `route add` and its kin into route. The same one can be used for many routes: reset keeps
// what it has allocated.
type routeParser struct {
	route vasicv1.Route

	metric, scope uint32
	metrics       vasicv1.RouteMetrics
	hops          []*vasicv1.NextHop // to be used again
	hopCount      int

	family   vasicv1.Family
	dst      prefix
	vrf      string // whose table the route is for; empty: route.Table says it
	dstSeen  bool
	via      bool
	list     bool // nexthop was said
	table    bool
	hasScope bool
	lenient  bool // words that ip prints, but does not read, are skipped
}

// parse reads words. The result is valid until the next parse.
func (r *routeParser) parse(action vasicv1.RouteAction, f vasicv1.Family, words []string) (*vasicv1.Route, error) {
	r.reset(f)
	p := parser{words: words}
	for p.more() {
		r.keyword(&p, p.word())
	}
	switch {
	case p.err != nil:
		return nil, p.err
	case !r.dstSeen:
		return nil, usageError(usageRoute)
	}
	return r.finish(action), nil
}

// reset forgets the route before.
func (r *routeParser) reset(f vasicv1.Family) {
	route := &r.route
	route.Prefix, route.Prefsrc, route.SourcePrefix = "", "", ""
	route.Table, route.Tos, route.Protocol, route.NextHopId = 0, 0, 0, 0
	route.Type, route.Multipath = vasicv1.RouteType_ROUTE_TYPE_UNSPECIFIED, false
	route.Metric, route.Scope, route.Metrics = nil, nil, nil
	route.NextHops = route.NextHops[:0]
	r.hopCount = 0
	r.family, r.dst, r.vrf = f, prefix{}, ""
	r.dstSeen, r.via, r.list, r.table, r.hasScope = false, false, false, false, false
}

// keyword reads the option that word names, or the type and the destination. The order decides what an abbreviation means and
// is iproute2's.
func (r *routeParser) keyword(p *parser, word string) {
	switch {
	case word == "src":
		r.route.Prefsrc = r.address(p, r.family)
	case word == "as", word == "expires":
		p.fail(notSupported(word))
	case word == "via":
		if r.via {
			p.fail(wrongArgument(word, "use nexthop syntax to specify multiple via"))
			return
		}
		r.via = true
		r.hop(0).Gateway = r.gateway(p)
	case word == "from":
		src, err := parsePrefix(p.word(), r.family)
		if err != nil {
			p.fail(err)
			return
		}
		if r.family == familyAny {
			r.family = src.family
		}
		r.route.SourcePrefix = src.in(family6).masked().String()
	case word == "tos", abbreviates(word, "dsfield"):
		w := p.word()
		tos, ok := parseTos(w)
		if !ok && p.err == nil {
			p.fail(wrongArgument(w, `"tos" value is invalid`))
		}
		r.route.Tos = tos
	case abbreviates(word, "metric"), abbreviates(word, "priority"), word == "preference":
		r.metric = p.number(32, "metric")
		r.route.Metric = &r.metric
	case word == "scope":
		w := p.word()
		var ok bool
		if r.scope, ok = scopeNames.parse(w, 8); !ok && p.err == nil {
			p.fail(wrongArgument(w, `invalid "scope" value`))
		}
		r.hasScope = true
	case r.transport(p, word):
		r.route.Metrics = &r.metrics
	case word == "onlink":
		r.hop(0).Onlink = true
	case word == "nexthop":
		r.nextHops(p)
	case word == "nhid":
		w := p.word()
		n, ok := parseUint(w, 32)
		if !ok && p.err == nil {
			p.fail(wrongArgument(w, `"id" value is invalid`))
		}
		r.route.NextHopId = uint32(n)
	case abbreviates(word, "protocol"):
		w := p.word()
		var ok bool
		if r.route.Protocol, ok = protocolNames.parse(w, 8); !ok && p.err == nil {
			p.fail(wrongArgument(w, `"protocol" value is invalid`))
		}
	case abbreviates(word, "table"):
		w := p.word()
		var ok bool
		if r.route.Table, ok = tableNames.parse(w, 32); !ok && p.err == nil {
			p.fail(wrongArgument(w, `"table" value is invalid`))
		}
		r.table, r.vrf = r.route.Table != 0, ""
	case abbreviates(word, "vrf"):
		r.vrf, r.table = p.word(), true
	case word == "dev", word == "oif":
		r.hop(0).Device = p.word()
	case abbreviates(word, "pref"):
		r.preference(p)
	case word == "encap", word == "ttl-propagate", abbreviates(word, "fastopen_no_cookie"):
		p.fail(notSupported(word))
	case r.lenient && printedOnly(word):
	case r.lenient && word == "nh_info":
		for p.more() && p.peek() != "nexthop" {
			p.word()
		}
	default:
		r.destination(p, word)
	}
}

// destination reads [to] [TYPE] PREFIX.
func (r *routeParser) destination(p *parser, word string) {
	if word == "to" {
		word = p.word()
	}
	if word != "" && (word[0] < '0' || word[0] > '9') {
		if t, ok := parseRouteType(word); ok {
			r.route.Type = t
			word = p.word()
		}
	}
	switch {
	case p.err != nil:
		return
	case abbreviates(word, "help"):
		p.fail(helpError(usageRoute))
		return
	case r.dstSeen:
		p.fail(garbage("to", word))
		return
	}
	dst, err := parsePrefix(word, r.family)
	if err != nil {
		p.fail(err)
		return
	}
	r.dst, r.dstSeen = dst, true
	if r.family == familyAny {
		r.family = dst.family
	}
}

// gateway reads [FAMILY] ADDRESS.
func (r *routeParser) gateway(p *parser) string {
	f := r.family
	switch {
	case p.take("inet"):
		f = family4
	case p.take("inet6"):
		f = family6
	case p.peek() == "mpls", p.peek() == "link", p.peek() == "bridge":
		p.fail(notSupported("via " + p.peek()))
	}
	return r.address(p, f)
}

// address reads an address of family f; if the route has no family yet, it gets the address's.
func (r *routeParser) address(p *parser, f vasicv1.Family) string {
	w := p.word()
	if p.err != nil {
		return ""
	}
	addr, err := parseAddress(w, f)
	if err != nil {
		p.fail(err)
		return ""
	}
	text := addr.String()
	if r.family == familyAny {
		r.family = familyOf(text)
	}
	return text
}

// hop returns the next hop at index i, which is at most one behind the last.
func (r *routeParser) hop(i int) *vasicv1.NextHop {
	if i == r.hopCount {
		if i == len(r.hops) {
			r.hops = append(r.hops, new(vasicv1.NextHop))
		}
		nh := r.hops[i]
		nh.Gateway, nh.Device, nh.Weight, nh.Onlink = "", "", 0, false
		r.hopCount++
	}
	return r.hops[i]
}

// nextHops reads what stands behind the first nexthop, up to the end of the words.
func (r *routeParser) nextHops(p *parser) {
	if r.hopCount > 0 {
		p.fail(&exitError{code: exitRefused, text: `Error: "via", "dev" and "onlink" cannot stand before "nexthop"; write them behind it.`})
		return
	}
	r.list = true
	for p.err == nil {
		if !p.more() {
			p.fail(usageError(`Error: unexpected end of line after "nexthop"`))
			return
		}
		r.nextHop(p, r.hop(r.hopCount))
		if !p.more() {
			return
		}
		if !p.take("nexthop") {
			p.fail(usageError(fmt.Sprintf(`Error: "nexthop" or end of line is expected instead of %q`, p.peek())))
		}
	}
}

// nextHop reads one next hop, up to the first word that does not belong to it.
func (r *routeParser) nextHop(p *parser, nh *vasicv1.NextHop) {
	for p.more() {
		switch {
		case p.take("via"):
			nh.Gateway = r.gateway(p)
		case p.take("dev"):
			nh.Device = p.word()
		case p.take("weight"):
			w := p.word()
			n, ok := parseUint(w, 32)
			if (!ok || n == 0 || n > 256) && p.err == nil {
				p.fail(wrongArgument(w, `"weight" is invalid`))
			}
			nh.Weight = uint32(n)
		case p.take("onlink"):
			nh.Onlink = true
		case p.peek() == "encap", p.peek() == "realms", p.peek() == "as":
			p.fail(notSupported(p.peek()))
		case r.lenient && printedOnly(p.peek()):
			p.word()
		default:
			return
		}
	}
}

// preference reads the router preference of IPv6, of which this switch knows the one that every route has.
func (r *routeParser) preference(p *parser) {
	switch w := p.word(); w {
	case "medium", "0", "":
	case "low", "high":
		p.fail(notSupported("pref " + w))
	default:
		p.fail(wrongArgument(w, `"pref" value is invalid`))
	}
}

// finish puts the route together, with ip's choices for what was not said.
func (r *routeParser) finish(action vasicv1.RouteAction) *vasicv1.Route {
	route, del := &r.route, action == vasicv1.RouteAction_ROUTE_ACTION_DELETE
	dst := r.dst.in(r.family)
	if r.family == familyAny {
		r.family = dst.family
	}
	if r.family == family6 {
		dst = dst.masked() // as the kernel does; of IPv4 it refuses host bits
	}
	route.Prefix = dst.String()
	if !r.lenient || route.NextHopId == 0 { // of a route that ip has printed, the next hops are the object's
		route.NextHops = append(route.NextHops, r.hops[:r.hopCount]...)
		route.Multipath = r.list
	}

	if route.Type == vasicv1.RouteType_ROUTE_TYPE_UNSPECIFIED && !del {
		route.Type = vasicv1.RouteType_ROUTE_TYPE_UNICAST
	}
	if !r.table {
		route.Table = tableMain
		switch route.Type {
		case vasicv1.RouteType_ROUTE_TYPE_LOCAL, vasicv1.RouteType_ROUTE_TYPE_BROADCAST, vasicv1.RouteType_ROUTE_TYPE_ANYCAST:
			route.Table = tableLocal
		}
	}
	if route.Protocol == 0 && !del {
		route.Protocol = protocolBoot
	}
	if r.family == family4 {
		r.defaultScope(del)
		if r.hasScope {
			route.Scope = &r.scope
		}
	}
	return route
}

// defaultScope chooses the scope of an IPv4 route that says none. A delete that does not say it either, by its type, deletes
// routes of any scope.
func (r *routeParser) defaultScope(del bool) {
	if r.hasScope {
		return
	}
	r.hasScope = true
	switch r.route.Type {
	case vasicv1.RouteType_ROUTE_TYPE_LOCAL:
		r.scope = scopeHost
	case vasicv1.RouteType_ROUTE_TYPE_BROADCAST, vasicv1.RouteType_ROUTE_TYPE_MULTICAST, vasicv1.RouteType_ROUTE_TYPE_ANYCAST:
		r.scope = scopeLink
	case vasicv1.RouteType_ROUTE_TYPE_UNICAST:
		if r.scope = scopeGlobal; !r.via && !r.list && r.route.NextHopId == 0 {
			r.scope = scopeLink
		}
		r.hasScope = !del
	default:
		r.scope = scopeGlobal
		r.hasScope = !del
	}
}

// printedOnly says whether ip prints word in a route, but does not read it: the flags.
func printedOnly(word string) bool {
	switch word {
	case "dead", "linkdown", "unresolved", "offload", "trap", "rt_offload", "rt_trap", "rt_offload_failed":
		return true
	}
	return false
}
