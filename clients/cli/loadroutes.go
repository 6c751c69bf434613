package cli

import (
	"net/netip"
	"slices"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// loadRequest is a parsed `route load FILE [COMMAND] [TYPE] [via ADDRESS,…] [OPTIONS] [--no-wait]`.
type loadRequest struct {
	file    string
	action  vasicv1.RouteAction // of lines that do not say one
	family  vasicv1.Family      // only lines of this family
	noWait  bool                // do not wait for hardware
	typ     string              // of lines that are only a prefix; may be empty
	options []string            // likewise, as behind the prefix of `route add`
	via     []netip.Addr        // likewise, taken in turn

	// table returns the table of a VRF.
	table func(vrf string) (uint32, error)
}

// parseLoad reads what stands behind `route load`.
func parseLoad(words []string, f vasicv1.Family) (*loadRequest, error) {
	l := &loadRequest{action: vasicv1.RouteAction_ROUTE_ACTION_ADD, family: f}
	l.table = func(vrf string) (uint32, error) { return 0, wrongArgument(vrf, invalidVRF) }
	words, l.noWait = without(words, "--no-wait")
	p := parser{words: words}
	l.file = p.word()
	if l.file == "help" {
		return nil, helpError(usageRoute)
	}
	if action, ok := parseAction(p.peek()); ok && len(p.peek()) > 1 {
		l.action = action
		p.word()
	}
	if _, ok := parseRouteType(p.peek()); ok {
		l.typ = p.word()
	}
	for p.more() && p.peek() != "nexthop" {
		if p.take("via") {
			l.gateways(&p)
		} else {
			l.options = append(l.options, p.word())
		}
	}
	l.options = append(l.options, p.words...)
	return l, p.err
}

// gateways reads [FAMILY] ADDRESS[,ADDRESS…].
func (l *loadRequest) gateways(p *parser) {
	f := familyAny
	switch {
	case p.take("inet"):
		f = family4
	case p.take("inet6"):
		f = family6
	}
	for text := range strings.SplitSeq(p.word(), ",") {
		addr, err := parseAddress(text, f)
		if err != nil {
			p.fail(err)
			return
		}
		l.via = append(l.via, addr)
	}
}

// parse has parser read a route and finds the table of its VRF.
func (l *loadRequest) parse(parser *routeParser, action vasicv1.RouteAction, f vasicv1.Family, words []string) (*vasicv1.Route, error) {
	route, err := parser.parse(action, f, words)
	if err == nil && parser.vrf != "" {
		route.Table, err = l.table(parser.vrf)
	}
	return route, err
}

// loadTemplate makes a route of a prefix of one family.
type loadTemplate struct {
	route *vasicv1.Route
	err   error              // why there can be none
	hops  []*vasicv1.NextHop // one for each gateway
	turn  int
}

// template reads the options as those of a route of family f.
func (l *loadRequest) template(f vasicv1.Family) *loadTemplate {
	t := &loadTemplate{}
	words := append([]string{"default"}, l.options...)
	if l.typ != "" {
		words = append([]string{l.typ}, words...)
	}
	if t.route, t.err = l.parse(new(routeParser), l.action, f, words); t.err != nil || len(l.via) == 0 {
		return t
	}
	device := &vasicv1.NextHop{}
	if len(t.route.NextHops) > 0 {
		device = t.route.NextHops[0]
	}
	other := func(a netip.Addr) bool { return a.Is4() != (f == family4) }
	via := slices.DeleteFunc(slices.Clone(l.via), other)
	if len(via) == 0 && f == family4 && device.Device != "" {
		via = l.via // an IPv4 route can have an IPv6 gateway if its device is known
	}
	if len(via) == 0 {
		t.err = usageError("Error: no gateway is " + familyWord(f) + ".")
	}
	for _, addr := range via {
		t.hops = append(t.hops, &vasicv1.NextHop{Gateway: addr.String(), Device: device.Device, Onlink: device.Onlink})
	}
	if f == family4 && l.typ == "" && !slices.Contains(l.options, "scope") {
		scope := uint32(scopeGlobal) // with the gateways left out it was taken for a device-only route
		t.route.Scope = &scope
	}
	return t
}

// of makes the route of a prefix.
func (t *loadTemplate) of(prefix string) (*vasicv1.Route, error) {
	if t.err != nil {
		return nil, t.err
	}
	t.route.Prefix = prefix
	if len(t.hops) > 0 {
		t.route.NextHops = t.hops[t.turn : t.turn+1]
		if t.turn++; t.turn == len(t.hops) {
			t.turn = 0
		}
	}
	return t.route, nil
}

// routeSource turns the lines of a file into operations. A line is a prefix; or a route as `ip route` prints or reads it, which
// may go on in lines that start with white space; or such a route behind `route add` or another command.
type routeSource struct {
	lines  *loadLines
	req    *loadRequest
	four   *loadTemplate
	six    *loadTemplate
	parser routeParser
	words  []string
}

// newRouteSource returns the operations of lines.
func newRouteSource(lines *loadLines, req *loadRequest) (*routeSource, error) {
	s := &routeSource{lines: lines, req: req, four: req.template(family4), six: req.template(family6), parser: routeParser{lenient: true}}
	switch {
	case s.four.err != nil && (s.six.err != nil || req.family == family4):
		return nil, s.four.err
	case s.six.err != nil && req.family == family6:
		return nil, s.six.err
	}
	return s, nil
}

// next returns the next operation; its id is the number of its line, and its route is valid until the call after. An error is
// that of one line, in op.ID, and there may be more lines. ok is false at the end.
func (s *routeSource) next() (op vasic.Operation, ok bool, err error) {
	for {
		line, more := s.lines.next()
		if !more {
			return op, false, nil
		}
		op = vasic.Operation{ID: uint64(s.lines.number), Action: s.req.action}
		line = strings.TrimRight(line, " \t\r")
		if !s.lines.continues() && !strings.ContainsAny(line, " \t#") {
			if line == "" {
				continue
			}
			if op.Route, err = s.prefixLine(line); op.Route == nil && err == nil {
				continue
			}
			return op, true, err
		}
		s.words = appendWords(s.words[:0], line)
		for s.lines.continues() {
			line, _ = s.lines.next()
			s.words = appendWords(s.words, line)
		}
		if len(s.words) == 0 {
			continue
		}
		if op.Route, err = s.routeLine(&op, s.words); op.Route == nil && err == nil {
			continue
		}
		return op, true, err
	}
}

// prefixLine makes the route of a line that is only a prefix; nil if it is not of the family that is wanted.
func (s *routeSource) prefixLine(text string) (*vasicv1.Route, error) {
	// The usual way to write a prefix needs no new string.
	if p, err := netip.ParsePrefix(text); err != nil || p != p.Masked() {
		p, err := parsePrefix(text, s.req.family)
		if err != nil {
			return nil, err
		}
		if p = p.in(s.req.family); p.family == family6 {
			p = p.masked()
		}
		text = p.String()
	}
	f, template := family4, s.four
	if familyOf(text) == family6 {
		f, template = family6, s.six
	}
	if s.req.family != familyAny && s.req.family != f {
		return nil, nil
	}
	return template.of(text)
}

// routeLine makes the route of a line with more words; nil if it is not of the family that is wanted.
func (s *routeSource) routeLine(op *vasic.Operation, words []string) (*vasicv1.Route, error) {
	f := s.req.family
	for len(words) > 1 && (words[0] == "ip" || words[0] == "vasicctl" || words[0][0] == '-') {
		switch words[0] {
		case "-4":
			f = family4
		case "-6":
			f = family6
		}
		words = words[1:]
	}
	if len(words) > 1 && abbreviates(words[0], "route") {
		action, ok := parseAction(words[1])
		if !ok {
			return nil, unknownCommand(words[1], "route")
		}
		op.Action, words = action, words[2:]
	} else if len(words) == 1 {
		return s.prefixLine(words[0])
	}
	route, err := s.req.parse(&s.parser, op.Action, f, words)
	if err != nil || s.req.family == familyAny || s.req.family == familyOf(route.Prefix) {
		return route, err
	}
	return nil, nil
}

// appendWords appends the words of a line, without a comment and without the backslash that ip -o prints for a new line.
func appendWords(words []string, line string) []string {
	line, _, _ = strings.Cut(line, "#")
	for word := range strings.FieldsSeq(line) {
		if word != `\` {
			words = append(words, word)
		}
	}
	return words
}
