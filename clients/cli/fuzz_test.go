package cli

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// FuzzRoute: no words make the parser panic, and what ip would print of a route that was read is read as the same route.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{
		"192.0.2.0/24 via 10.0.1.2 dev d1", "unicast 10/8 tos EF dev d1 table 100 proto bgp scope link src 10.0.1.1 metric 7",
		"2001:db8::/32 from 2001:db8:9::/48 nexthop via 2001:db8::1 dev d1 weight 3 onlink nexthop via 2001:db8::2",
		"blackhole default", "local 2001:db8::1 dev lo", "1.2.3.4/255.255.255.0 via inet6 fe80::1 dev d2 onlink",
		"192.0.2.0/24 dev d1 mtu lock 1400 advmss 1300 rtt 1.25s rttvar 20ms rto_min 2500ms window 5 cwnd 3 quickack 1", "nexthop", "to", "via inet6",
		"198.51.100.0/24 d 10 p 5 t 100 v", "::ffff:1.2.3.4/96 dev d1", "192.0.2.0/24 nhid 10 vrf red", "2001:db8::/32 nhid 5 via 2001:db8::1 metric 3",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		var parser routeParser
		for _, action := range []vasicv1.RouteAction{vasicv1.RouteAction_ROUTE_ACTION_DELETE, vasicv1.RouteAction_ROUTE_ACTION_ADD} {
			r, err := parser.parse(action, familyAny, words)
			if err != nil || action == vasicv1.RouteAction_ROUTE_ACTION_DELETE {
				continue
			}
			if parser.vrf != "" {
				r.Table = 10 // which the switch would tell
			}
			if dst := netip.MustParsePrefix(r.Prefix); dst != dst.Masked() {
				continue // the switch refuses it
			}
			first := normal(proto.CloneOf(r))
			text := printed(first, false, options{details: true}, routeStyle{})
			again := routeParser{lenient: true}
			r, err = again.parse(action, familyOf(first.Prefix), strings.Fields(text))
			if err != nil {
				t.Fatalf("%q: %q: %v", line, text, err)
			}
			if second := normal(proto.CloneOf(r)); !proto.Equal(first, second) {
				t.Fatalf("%q: %q:\nfirst  %v\nsecond %v", line, text, first, second)
			}
		}
	})
}

// normal brings what the text of a route does not tell into one form.
func normal(r *vasicv1.Route) *vasicv1.Route {
	if r.Metrics.SizeVT() == 0 {
		r.Metrics = nil
	}
	six := familyOf(r.Prefix) == family6
	if r.Metric == nil || *r.Metric == 0 {
		r.Metric = nil
		if six {
			r.Metric = ptr(0)
		}
	}
	if r.Protocol == 0 {
		r.Protocol = protocolBoot
	}
	if r.NextHopId != 0 {
		r.NextHops = nil // the object's
	}
	r.Multipath = len(r.NextHops) > 1
	for _, nh := range r.NextHops {
		nh.Weight = max(nh.Weight, 1)
		if !r.Multipath {
			nh.Weight = 0
		}
	}
	if len(r.NextHops) == 0 && six && r.NextHopId == 0 {
		r.NextHops = []*vasicv1.NextHop{{Device: "lo"}}
	}
	if m := r.Metrics; m != nil {
		// Text has six digits of a time, and MTU 0 with a lock is not printed.
		m.Rtt, m.Rttvar, m.RtoMin = min(m.Rtt, 999999), min(m.Rttvar, 999999), min(m.RtoMin, 999999)
		m.MtuLocked = m.MtuLocked && m.Mtu != 0
		if m.SizeVT() == 0 {
			r.Metrics = nil
		}
	}
	return r
}

// FuzzObjects: no words make the parsers of neighbours, next-hop objects and rules panic, and what ip would print of a next-hop
// object that was read is read as the same object.
func FuzzObjects(f *testing.F) {
	for _, s := range []string{
		"id 1 via 10.0.1.2 dev d1 onlink proto bgp", "id 2 via inet6 2001:db8::1 dev d1", "id 3 blackhole", "id 10 group 1/2,5 type mpath",
		"id 11 group 1,3/2 type resilient buckets 4 idle_timer 60 unbalanced_timer 300 proto 7", "groups dev d1 vrf red", "id 4 nhid 5",
		"10.0.1.2 lladdr 2:0:0:0:0:1 dev d1 nud stale", "to 10.0.0.0/8 nud all nud none", "pref 100 table 100 from all", "order 5 lookup main type unicast",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		if n, err := parseNeighbor(words, familyAny); err == nil && (n.Address == "" || n.Device == "") {
			t.Fatalf("%q: %v", line, n)
		}
		if sel, err := parseNeighSelector(words, familyAny, len(line)%2 == 0); err == nil {
			sel.keep(&vasicv1.Neighbor{Address: "10.0.1.2", Device: "d1"})
		}
		for _, buckets := range []bool{false, true} {
			if sel, err := parseNextHopSelector(words, buckets); err == nil {
				sel.keep(object1, familyAny, nil)
			}
		}
		if r, err := parseRule(words, familyAny, true); err == nil && r.Table == 0 {
			t.Fatalf("%q: %v", line, r)
		}
		_, _ = parseRuleSelector(words, family6)

		var parser, again nextHopParser
		if parser.parse(words, familyAny) != nil {
			return
		}
		first := normalObject(&parser.object)
		var out bytes.Buffer
		p := newPrinter(&out, options{})
		p.nextHopObject(nextHopLine{NextHopObject: first}, true)
		if err := p.w.Flush(); err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(out.String(), "unbalanced_time 0 ", "", 1) // which is not read
		text = strings.Replace(text, "scope global ", "", 1)
		if err := again.parse(strings.Fields(text), first.Family); err != nil {
			t.Fatalf("%q: %q: %v", line, text, err)
		}
		if second := normalObject(&again.object); !proto.Equal(first, second) {
			t.Fatalf("%q: %q:\nfirst  %v\nsecond %v", line, text, first, second)
		}
	})
}

// normalObject brings what the text of a next-hop object does not tell into one form.
func normalObject(o *vasicv1.NextHopObject) *vasicv1.NextHopObject {
	o = proto.CloneOf(o)
	o.Scope = scopeGlobal
	if o.GroupType == multipath || o.GroupType == resilient && len(o.Group) == 0 {
		o.GroupType = 0
	}
	if o.GroupType != resilient {
		o.Resilient = nil
	} else {
		// Text has six digits of a time.
		r := o.Resilient
		o.Resilient = &vasicv1.ResilientParameters{
			Buckets: ptr(r.GetBuckets()), IdleTimer: ptr(min(r.GetIdleTimer(), 99999900)), UnbalancedTimer: ptr(min(r.GetUnbalancedTimer(), 99999900)),
		}
	}
	return o
}

// FuzzWords: splitting a line never panics, and words without quotes and white space come back as they were.
func FuzzWords(f *testing.F) {
	f.Add(`route add "a b" 'c' d`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if err != nil {
			return
		}
		again, err := splitWords(strings.Join(words, " "))
		if err == nil && !strings.ContainsAny(line, "\"'") && !slices.Equal(words, again) {
			t.Fatalf("%q: %q and then %q", line, words, again)
		}
	})
}

// FuzzSelector: no words make the parser of selectors panic, and the filter can be made for both families.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"table all root default", "match 10.0.1.1 via 10/8 dev lo", "2001:db8::/32 type blackhole scope all", "exact ::/0 src 10.0.0.0/8 from default"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		sel, err := parseSelector(strings.Fields(line), familyAny)
		if err != nil {
			return
		}
		for _, family := range sel.families() {
			if sel.filter(family) == nil {
				t.Fatal("no filter")
			}
		}
		sel.keep(&vasicv1.Route{Prefix: "192.0.2.0/24", NextHops: []*vasicv1.NextHop{{Gateway: "10.0.1.2", Device: "d1"}}})
	})
}

// FuzzLoad: no file makes the reader panic or loop, every line has one operation at most, and numbers grow.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"1.0.0.0/24\n# x\n2001:db8::/32\n", "192.0.2.0/24 \n\tnexthop via 10.0.1.2 dev d1\n", "route add 1.2.3.0/24\nip -6 route del default\n", "\x1f\x8b\x08", " \n\t\n-\nip\n", "\\",
	} {
		f.Add([]byte(s), "via 10.0.1.2,2001:db8::1 dev d1")
	}
	f.Fuzz(func(t *testing.T, file []byte, words string) {
		req, err := parseLoad(append([]string{"-"}, strings.Fields(words)...), familyAny)
		if err != nil {
			return
		}
		lines, err := newLoadLines(bytes.NewReader(file))
		if err != nil {
			return
		}
		source, err := newRouteSource(lines, req)
		if err != nil {
			return
		}
		for last := uint64(0); ; {
			op, ok, err := source.next()
			if !ok {
				return
			}
			if op.ID <= last || op.ID > uint64(lines.number) {
				t.Fatalf("line %d after %d of %d", op.ID, last, lines.number)
			}
			last = op.ID
			if err == nil && op.Route.Prefix == "" {
				t.Fatalf("line %d: no prefix", op.ID)
			}
		}
	})
}
