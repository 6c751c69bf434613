package cli

import vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"

// selector says which routes `route show` and `route flush` mean. A field that is nil or empty selects all.
type selector struct {
	family  vasicv1.Family // familyAny: both
	table   uint32         // 0: every table
	within  *prefix        // root
	contain *prefix        // match
	exact   *prefix
	source  *prefix // from
	proto   *uint32
	scope   *uint32
	tos     *uint32
	metric  *uint32
	typ     vasicv1.RouteType
	device  string
	via     *prefix
	prefsrc *prefix
	nhid    uint32 // 0: whatever says where packets go
	vrf     string // whose table is meant; empty: table says it
	reason  bool   // selects nothing: show why hardware does not carry a route
	cached  bool   // the kernel's cached routes, of which a switch has none
}

// parseSelector reads a SELECTOR. As in ip, what is not said is table main and IPv4, unless a prefix says the family.
func parseSelector(words []string, f vasicv1.Family) (*selector, error) {
	s := &selector{family: f, table: tableMain}
	p := parser{words: words}
	for p.more() {
		s.keyword(&p, p.word())
	}
	if p.err != nil {
		return nil, p.err
	}
	for _, dst := range []*prefix{s.exact, s.within, s.contain} {
		if dst != nil && s.family == familyAny {
			s.family = dst.family
		}
	}
	if s.family == familyAny && s.table != 0 {
		s.family = family4
	}
	return s, nil
}

// keyword reads one condition; the order decides what an abbreviation means and is iproute2's.
func (s *selector) keyword(p *parser, word string) {
	switch {
	case abbreviates(word, "table"):
		s.parseTable(p)
	case abbreviates(word, "vrf"):
		s.vrf, s.table = p.word(), tableMain
	case word == "nhid":
		w := p.word()
		n, ok := parseUint(w, 32)
		s.value(p, 0, ok, w, `"id" value is invalid`)
		s.nhid = uint32(n)
	case abbreviates(word, "cached"), abbreviates(word, "cloned"):
		s.cached = true
	case word == "tos", abbreviates(word, "dsfield"):
		w := p.word()
		tos, ok := parseTos(w)
		s.tos = s.value(p, tos, ok, w, "TOS value is invalid")
	case abbreviates(word, "protocol"):
		if w := p.word(); w != "all" {
			n, ok := protocolNames.parse(w, 8)
			s.proto = s.value(p, n, ok, w, `invalid "protocol"`)
		}
	case abbreviates(word, "scope"):
		if w := p.word(); w != "all" {
			n, ok := scopeNames.parse(w, 8)
			s.scope = s.value(p, n, ok, w, `invalid "scope"`)
		}
	case abbreviates(word, "type"):
		w := p.word()
		t, ok := parseRouteType(w)
		s.value(p, 0, ok, w, "node type value is invalid")
		s.typ = t
	case word == "dev", word == "oif":
		s.device = p.word()
	case word == "iif", word == "mark", abbreviates(word, "realms") && len(word) > 1:
		p.fail(notSupported(word))
	case abbreviates(word, "metric"), abbreviates(word, "priority"), word == "preference":
		n := p.number(32, "metric")
		s.metric = &n
	case word == "via":
		s.prefix(p, &s.via, p.word())
	case word == "src":
		s.prefix(p, &s.prefsrc, p.word())
	case abbreviates(word, "from"):
		s.prefix(p, &s.source, p.word())
	case word == "reason":
		s.reason = true
	case word == "help":
		p.fail(helpError(usageRoute))
	default:
		if word == "to" {
			word = p.word()
		}
		switch {
		case abbreviates(word, "root"):
			s.prefix(p, &s.within, p.word())
		case abbreviates(word, "match"):
			s.prefix(p, &s.contain, p.word())
		case abbreviates(word, "exact"):
			s.prefix(p, &s.exact, p.word())
		default:
			s.prefix(p, &s.exact, word)
		}
	}
}

// parseTable reads the argument of table.
func (s *selector) parseTable(p *parser) {
	w := p.word()
	n, ok := tableNames.parse(w, 32)
	s.vrf = ""
	switch {
	case ok:
		s.table = n
	case w == "all":
		s.table = 0
	case w == "cache":
		s.cached = true
	case w == "help":
		p.fail(helpError(usageRoute))
	default:
		s.value(p, 0, false, w, "table id value is invalid")
	}
}

// value returns a copy of n, or fails with why if it is not ok.
func (s *selector) value(p *parser, n uint32, ok bool, word, why string) *uint32 {
	if !ok && p.err == nil {
		p.fail(wrongArgument(word, why))
	}
	return &n
}

// prefix reads word into a field.
func (s *selector) prefix(p *parser, field **prefix, word string) {
	if p.err != nil {
		return
	}
	x, err := parsePrefix(word, s.family)
	if err != nil {
		p.fail(err)
		return
	}
	*field = &x
}

// filter is what the switch can select by itself: never less than the selector means.
func (s *selector) filter(f vasicv1.Family) *vasicv1.RouteFilter {
	out := &vasicv1.RouteFilter{Family: f, Table: s.table, Protocol: s.proto, Scope: s.scope, Tos: s.tos, Metric: s.metric, Type: s.typ, NextHopId: s.nhid}
	text := func(p *prefix) string {
		if p == nil {
			return ""
		}
		return p.in(f).masked().String()
	}
	out.ExactPrefix, out.WithinPrefix, out.ContainingPrefix = text(s.exact), text(s.within), text(s.contain)
	if s.device != "lo" { // IPv6 routes that lead nowhere are lo's only in what is printed
		out.Device = s.device
	}
	if s.via != nil && s.via.host() {
		out.Gateway = s.via.addr.String()
	}
	if s.prefsrc != nil && s.prefsrc.host() {
		out.Prefsrc = s.prefsrc.addr.String()
	}
	return out
}

// decidedBySwitch says whether filter selects exactly what the selector means, so that keep need not be asked. Of routes with
// several next hops dev and via select none in iproute2, but some in a filter.
func (s *selector) decidedBySwitch() bool {
	return s.device == "" && s.via == nil && s.source == nil && (s.prefsrc == nil || s.prefsrc.host())
}

// keep says whether a route that filter has selected is meant.
func (s *selector) keep(r *vasicv1.Route) bool {
	return (s.device == "" || s.device == onlyDevice(r)) &&
		(s.via == nil || singleNextHop(r) && s.via.holds(r.NextHops[0].Gateway)) &&
		(s.prefsrc == nil || s.prefsrc.holds(r.Prefsrc)) &&
		(s.source == nil || s.source.in(family6).masked().String() == r.SourcePrefix)
}

// holds says whether the text of an address lies within p.
func (p prefix) holds(addr string) bool {
	a, ok := parseIP(addr, familyAny)
	if !ok {
		return false
	}
	q := prefix{family: familyOf(addr), addr: a, bits: a.BitLen()}
	return p.in(q.family).contains(q)
}

// onlyDevice is the device that ip shows for a route with at most one next hop.
func onlyDevice(r *vasicv1.Route) string {
	switch {
	case singleNextHop(r):
		return r.NextHops[0].Device
	case hangsOnLo(r):
		return "lo"
	}
	return ""
}

// style leaves out what is the same for every selected route, as ip does.
func (s *selector) style(o options) routeStyle {
	return routeStyle{
		details:    o.details,
		oneLine:    o.oneLine,
		reason:     s.reason,
		hideTable:  s.table != 0,
		hideDevice: s.device != "",
		hideProto:  s.proto != nil,
		hideScope:  s.scope != nil,
		hideVia:    s.via != nil && s.via.host(),
		hideSource: s.prefsrc != nil && s.prefsrc.host(),
		hideMetric: s.metric != nil,
		hideTos:    s.tos != nil,
	}
}

// families are those that the selector means, one by one.
func (s *selector) families() []vasicv1.Family {
	if s.family == familyAny {
		return []vasicv1.Family{family4, family6}
	}
	return []vasicv1.Family{s.family}
}

// deleteSelector is the route that, in a delete, means r and no other of its name.
func deleteSelector(r *vasicv1.Route) *vasicv1.Route {
	sel := &vasicv1.Route{
		Prefix: r.Prefix, Table: r.Table, Metric: r.Metric, Tos: r.Tos, Type: r.Type, Protocol: r.Protocol, Scope: r.Scope,
		Prefsrc: r.Prefsrc, SourcePrefix: r.SourcePrefix, NextHopId: r.NextHopId,
	}
	if r.NextHopId != 0 {
		return sel // its next hops are the object's
	}
	sel.Multipath = len(r.NextHops) > 1
	for _, nh := range r.NextHops {
		sel.NextHops = append(sel.NextHops, &vasicv1.NextHop{Gateway: nh.Gateway, Device: nh.Device, Weight: nh.Weight})
	}
	return sel
}
