package cli

import (
	"bytes"
	"strings"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

func ptr(n uint32) *uint32 { return &n }

const (
	unicast   = vasicv1.RouteType_ROUTE_TYPE_UNICAST
	local     = vasicv1.RouteType_ROUTE_TYPE_LOCAL
	blackhole = vasicv1.RouteType_ROUTE_TYPE_BLACKHOLE
)

// printed prints a route with these options.
func printed(r *vasicv1.Route, deleted bool, o options, style routeStyle) string {
	var out bytes.Buffer
	p := newPrinter(&out, o)
	style.details = o.details
	p.route(routeLine{Route: r, deleted: deleted}, style)
	if err := p.w.Flush(); err != nil {
		panic(err)
	}
	return out.String()
}

// The wanted lines were recorded from ip of iproute2 6.1 with a kernel 6.1.
func TestRoutesPrintAsIpPrintsThem(t *testing.T) {
	for _, tt := range []struct {
		name    string
		route   *vasicv1.Route
		deleted bool
		short   string
		details string
		json    string // with details
	}{
		{
			name: "gateway",
			route: &vasicv1.Route{
				Prefix: "192.0.2.0/24", Table: 254, Type: unicast, Protocol: 3, Scope: ptr(0), Trap: true,
				NextHops: []*vasicv1.NextHop{{Gateway: "10.0.1.2", Device: "d1"}},
			},
			short:   "192.0.2.0/24 via 10.0.1.2 dev d1 rt_trap \n",
			details: "unicast 192.0.2.0/24 via 10.0.1.2 dev d1 table main proto boot scope global rt_trap \n",
			json:    `{"type":"unicast","dst":"192.0.2.0/24","gateway":"10.0.1.2","dev":"d1","table":"main","protocol":"boot","scope":"global","flags":["rt_trap"]}`,
		},
		{
			name: "everything of IPv4",
			route: &vasicv1.Route{
				Prefix: "198.51.100.0/24", Table: 100, Type: unicast, Protocol: 186, Scope: ptr(253), Prefsrc: "10.0.1.1", Metric: ptr(7), Tos: 0xb8,
				Offload: true, Trap: true, OffloadFailed: true,
				NextHops: []*vasicv1.NextHop{{Gateway: "2001:db8:101::2", Device: "d1", Dead: true, Onlink: true, Offload: true, Trap: true, Linkdown: true}},
				Metrics: &vasicv1.RouteMetrics{
					Mtu: 1400, MtuLocked: true, Window: 5, Rtt: 12, Rttvar: 1500, Ssthresh: 12, Cwnd: 3, Advmss: 1300, Reordering: 4, Hoplimit: 33,
					Initcwnd: 4, RtoMin: 5, Initrwnd: 10, Quickack: 1,
				},
			},
			deleted: true,
			short: "Deleted 198.51.100.0/24 tos EF via inet6 2001:db8:101::2 dev d1 table 100 proto bgp scope link src 10.0.1.1 metric 7 " +
				"dead onlink offload trap linkdown rt_offload rt_trap rt_offload_failed mtu lock 1400 window 5 rtt 12ms rttvar 1.5s ssthresh 12 cwnd 3 " +
				"advmss 1300 reordering 4 hoplimit 33 initcwnd 4 rto_min lock 5ms initrwnd 10 quickack 1 \n",
			details: "Deleted unicast 198.51.100.0/24 tos EF via inet6 2001:db8:101::2 dev d1 table 100 proto bgp scope link src 10.0.1.1 metric 7 " +
				"dead onlink offload trap linkdown rt_offload rt_trap rt_offload_failed mtu lock 1400 window 5 rtt 12ms rttvar 1.5s ssthresh 12 cwnd 3 " +
				"advmss 1300 reordering 4 hoplimit 33 initcwnd 4 rto_min lock 5ms initrwnd 10 quickack 1 \n",
			json: `{"deleted":true,"type":"unicast","dst":"198.51.100.0/24","tos":"EF","via":{"family":"inet6","host":"2001:db8:101::2"},"dev":"d1","table":"100",` +
				`"protocol":"bgp","scope":"link","prefsrc":"10.0.1.1","metric":7,"flags":["dead","onlink","offload","trap","linkdown","rt_offload","rt_trap","rt_offload_failed"],` +
				`"metrics":[{"mtu":1400,"window":5,"rtt":12,"rttvar":1500,"ssthresh":12,"cwnd":3,"advmss":1300,"reordering":4,"hoplimit":33,"initcwnd":4,` +
				`"rto_min":5,"initrwnd":10,"quickack":1}]}`,
		},
		{
			name: "multipath",
			route: &vasicv1.Route{
				Prefix: "192.0.2.0/24", Table: 254, Type: unicast, Protocol: 3, Scope: ptr(0), Trap: true,
				NextHops: []*vasicv1.NextHop{{Gateway: "10.0.1.2", Device: "d1", Weight: 1, Dead: true, Linkdown: true}, {Gateway: "10.0.2.2", Device: "d2", Weight: 2}},
			},
			short:   "192.0.2.0/24 rt_trap \n\tnexthop via 10.0.1.2 dev d1 weight 1 dead linkdown \n\tnexthop via 10.0.2.2 dev d2 weight 2 \n",
			details: "unicast 192.0.2.0/24 table main proto boot scope global rt_trap \n\tnexthop via 10.0.1.2 dev d1 weight 1 dead linkdown \n\tnexthop via 10.0.2.2 dev d2 weight 2 \n",
			json: `{"type":"unicast","dst":"192.0.2.0/24","table":"main","protocol":"boot","scope":"global","flags":["rt_trap"],"nexthops":[` +
				`{"gateway":"10.0.1.2","dev":"d1","weight":1,"flags":["dead","linkdown"]},{"gateway":"10.0.2.2","dev":"d2","weight":2,"flags":[]}]}`,
		},
		{
			name: "IPv6 multipath",
			route: &vasicv1.Route{
				Prefix: "2001:db8:1::/64", Table: 254, Type: unicast, Protocol: 3, Metric: ptr(1024), OffloadFailed: true,
				NextHops: []*vasicv1.NextHop{{Gateway: "2001:db8:101::2", Device: "d1", Weight: 1}, {Gateway: "2001:db8:102::2", Device: "d2", Weight: 1}},
			},
			short:   "2001:db8:1::/64 metric 1024 rt_offload_failed pref medium\n\tnexthop via 2001:db8:101::2 dev d1 weight 1 \n\tnexthop via 2001:db8:102::2 dev d2 weight 1 \n",
			details: "unicast 2001:db8:1::/64 table main proto boot scope global metric 1024 rt_offload_failed pref medium\n\tnexthop via 2001:db8:101::2 dev d1 weight 1 \n\tnexthop via 2001:db8:102::2 dev d2 weight 1 \n",
			json: `{"type":"unicast","dst":"2001:db8:1::/64","table":"main","protocol":"boot","scope":"global","metric":1024,"flags":["rt_offload_failed"],"pref":"medium","nexthops":[` +
				`{"gateway":"2001:db8:101::2","dev":"d1","weight":1,"flags":[]},{"gateway":"2001:db8:102::2","dev":"d2","weight":1,"flags":[]}]}`,
		},
		{
			name:    "IPv6 blackhole from a source",
			route:   &vasicv1.Route{Prefix: "2001:db8:1::/64", SourcePrefix: "2001:db8:99::1/128", Table: 254, Type: blackhole, Protocol: 3, Metric: ptr(1024)},
			short:   "blackhole 2001:db8:1::/64 from 2001:db8:99::1 dev lo metric 1024 pref medium\n",
			details: "blackhole 2001:db8:1::/64 from 2001:db8:99::1 dev lo table main proto boot scope global metric 1024 pref medium\n",
			json:    `{"type":"blackhole","dst":"2001:db8:1::/64","from":"2001:db8:99::1","dev":"lo","table":"main","protocol":"boot","scope":"global","metric":1024,"flags":[],"pref":"medium"}`,
		},
		{
			name:    "IPv4 blackhole",
			route:   &vasicv1.Route{Prefix: "192.0.2.0/24", Table: 254, Type: blackhole, Protocol: 3, Scope: ptr(0), Metric: ptr(9)},
			short:   "blackhole 192.0.2.0/24 metric 9 \n",
			details: "blackhole 192.0.2.0/24 table main proto boot scope global metric 9 \n",
			json:    `{"type":"blackhole","dst":"192.0.2.0/24","table":"main","protocol":"boot","scope":"global","metric":9,"flags":[]}`,
		},
		{
			name: "local",
			route: &vasicv1.Route{
				Prefix: "10.0.1.1/32", Table: 255, Type: local, Protocol: 2, Scope: ptr(254), Prefsrc: "10.0.1.1", Trap: true,
				NextHops: []*vasicv1.NextHop{{Device: "d1"}},
			},
			short:   "local 10.0.1.1 dev d1 table local proto kernel scope host src 10.0.1.1 rt_trap \n",
			details: "local 10.0.1.1 dev d1 table local proto kernel scope host src 10.0.1.1 rt_trap \n",
			json:    `{"type":"local","dst":"10.0.1.1","dev":"d1","table":"local","protocol":"kernel","scope":"host","prefsrc":"10.0.1.1","flags":["rt_trap"]}`,
		},
		{
			name: "default with IPv6 metric 0",
			route: &vasicv1.Route{
				Prefix: "::/0", Table: 254, Type: unicast, Protocol: 4, Metric: ptr(0), NextHops: []*vasicv1.NextHop{{Gateway: "2001:db8:101::2", Device: "d1"}},
			},
			short:   "default via 2001:db8:101::2 dev d1 proto static metric 0 pref medium\n",
			details: "unicast default via 2001:db8:101::2 dev d1 table main proto static scope global metric 0 pref medium\n",
			json:    `{"type":"unicast","dst":"default","gateway":"2001:db8:101::2","dev":"d1","table":"main","protocol":"static","scope":"global","metric":0,"flags":[],"pref":"medium"}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := printed(tt.route, tt.deleted, options{}, routeStyle{}); got != tt.short {
				t.Errorf("short:\n got %q\nwant %q", got, tt.short)
			}
			if got := printed(tt.route, tt.deleted, options{details: true}, routeStyle{}); got != tt.details {
				t.Errorf("details:\n got %q\nwant %q", got, tt.details)
			}
			if got := printed(tt.route, tt.deleted, options{details: true, json: true}, routeStyle{}); got != tt.json {
				t.Errorf("json:\n got %s\nwant %s", got, tt.json)
			}
		})
	}
}

// The wanted lines were recorded from ip of iproute2 6.1 with a kernel 6.1.
func TestRoutesWithNextHopObjectsPrintAsIpPrintsThem(t *testing.T) {
	hop1, hop2 := &vasicv1.NextHop{Gateway: "10.0.1.2", Device: "d1", Weight: 1}, &vasicv1.NextHop{Gateway: "10.0.2.2", Device: "d2", Weight: 5, Onlink: true}
	six := &vasicv1.NextHop{Gateway: "2001:db8:102::2", Device: "d2", Weight: 1}
	object2 := &vasicv1.NextHopObject{Id: 2, Family: family6, Gateway: six.Gateway, Device: "d2", Scope: scopeLink, Trap: true}
	group6 := &vasicv1.NextHopObject{Id: 10, Family: family6, GroupType: multipath, Group: []*vasicv1.NextHopGroupMember{{Id: 2, Weight: 1}}, Trap: true}
	group4 := &vasicv1.NextHopObject{Id: 10, Family: family4, GroupType: multipath, Group: []*vasicv1.NextHopGroupMember{{Id: 2}}, Trap: true}
	route4 := func(id uint32, o *vasicv1.NextHopObject, hops ...*vasicv1.NextHop) *vasicv1.Route {
		return &vasicv1.Route{Prefix: "192.0.2.0/24", Table: 254, Type: unicast, Protocol: 3, Scope: ptr(0), Trap: true, NextHopId: id, NextHopObject: o, NextHops: hops}
	}
	route6 := func(id uint32, o *vasicv1.NextHopObject, hops ...*vasicv1.NextHop) *vasicv1.Route {
		return &vasicv1.Route{Prefix: "2001:db8:1::/64", Table: 254, Type: unicast, Protocol: 3, Metric: ptr(1024), NextHopId: id, NextHopObject: o, NextHops: hops}
	}
	gone := route6(10, nil, six)
	gone.Multipath = true
	drop := route4(4, &vasicv1.NextHopObject{Id: 4, Family: family4, Blackhole: true}, &vasicv1.NextHop{Device: "lo"})
	drop.Type = blackhole
	for _, tt := range []struct {
		name    string
		route   *vasicv1.Route
		short   string
		details string
		json    string // with details
	}{
		{
			"next hop", route4(1, object1, hop1),
			"192.0.2.0/24 nhid 1 via 10.0.1.2 dev d1 rt_trap \n",
			"unicast 192.0.2.0/24 nhid 1 via 10.0.1.2 dev d1 table main proto boot scope global rt_trap \n\tnh_info id 1 via 10.0.1.2 dev d1 scope link proto unspec trap \n",
			`{"type":"unicast","dst":"192.0.2.0/24","nhid":1,"gateway":"10.0.1.2","dev":"d1","table":"main","protocol":"boot","scope":"global","flags":["rt_trap"],` +
				`"nh_info":{"id":1,"gateway":"10.0.1.2","dev":"d1","scope":"link","protocol":"unspec","flags":["trap"]}}`,
		},
		{
			"group", route4(10, group10, hop1, hop2),
			"192.0.2.0/24 nhid 10 rt_trap \n\tnexthop via 10.0.1.2 dev d1 weight 1 \n\tnexthop via 10.0.2.2 dev d2 weight 5 onlink \n",
			"unicast 192.0.2.0/24 nhid 10 table main proto boot scope global rt_trap \n\tnh_info id 10 group 1/2,5 scope global proto unspec trap " +
				"\n\tnexthop via 10.0.1.2 dev d1 weight 1 \n\tnexthop via 10.0.2.2 dev d2 weight 5 onlink \n",
			`{"type":"unicast","dst":"192.0.2.0/24","nhid":10,"table":"main","protocol":"boot","scope":"global","flags":["rt_trap"],` +
				`"nh_info":{"id":10,"group":[{"id":1},{"id":2,"weight":5}],"scope":"global","protocol":"unspec","flags":["trap"]},"nexthops":[` +
				`{"gateway":"10.0.1.2","dev":"d1","weight":1,"flags":[]},{"gateway":"10.0.2.2","dev":"d2","weight":5,"flags":["onlink"]}]}`,
		},
		{
			"without compatibility", route4(10, group10),
			"192.0.2.0/24 nhid 10 rt_trap \n",
			"unicast 192.0.2.0/24 nhid 10 table main proto boot scope global rt_trap \n\tnh_info id 10 group 1/2,5 scope global proto unspec trap \n",
			`{"type":"unicast","dst":"192.0.2.0/24","nhid":10,"table":"main","protocol":"boot","scope":"global","flags":["rt_trap"],` +
				`"nh_info":{"id":10,"group":[{"id":1},{"id":2,"weight":5}],"scope":"global","protocol":"unspec","flags":["trap"]}}`,
		},
		{
			"group of one", route4(10, group4, &vasicv1.NextHop{Gateway: "10.0.2.2", Device: "d2", Weight: 1}),
			"192.0.2.0/24 nhid 10 via 10.0.2.2 dev d2 rt_trap \n",
			"unicast 192.0.2.0/24 nhid 10 via 10.0.2.2 dev d2 table main proto boot scope global rt_trap \n\tnh_info id 10 group 2 scope global proto unspec trap \n",
			`{"type":"unicast","dst":"192.0.2.0/24","nhid":10,"gateway":"10.0.2.2","dev":"d2","table":"main","protocol":"boot","scope":"global","flags":["rt_trap"],` +
				`"nh_info":{"id":10,"group":[{"id":2}],"scope":"global","protocol":"unspec","flags":["trap"]}}`,
		},
		{
			"IPv6 next hop", route6(2, object2, six),
			"2001:db8:1::/64 nhid 2 via 2001:db8:102::2 dev d2 metric 1024 pref medium\n",
			"unicast 2001:db8:1::/64 nhid 2 via 2001:db8:102::2 dev d2 table main proto boot scope global metric 1024 pref medium\n" +
				"\tnh_info id 2 via 2001:db8:102::2 dev d2 scope link proto unspec trap \n",
			`{"type":"unicast","dst":"2001:db8:1::/64","nhid":2,"gateway":"2001:db8:102::2","dev":"d2","table":"main","protocol":"boot","scope":"global","metric":1024,` +
				`"flags":[],"pref":"medium","nh_info":{"id":2,"gateway":"2001:db8:102::2","dev":"d2","scope":"link","protocol":"unspec","flags":["trap"]}}`,
		},
		{
			"IPv6 group of one", route6(10, group6, six),
			"2001:db8:1::/64 nhid 10 metric 1024 pref medium\n\tnexthop via 2001:db8:102::2 dev d2 weight 1 \n",
			"unicast 2001:db8:1::/64 nhid 10 table main proto boot scope global metric 1024 pref medium\n" +
				"\tnh_info id 10 group 2 scope global proto unspec trap \n\tnexthop via 2001:db8:102::2 dev d2 weight 1 \n",
			`{"type":"unicast","dst":"2001:db8:1::/64","nhid":10,"table":"main","protocol":"boot","scope":"global","metric":1024,"flags":[],"pref":"medium",` +
				`"nh_info":{"id":10,"group":[{"id":2}],"scope":"global","protocol":"unspec","flags":["trap"]},"nexthops":[` +
				`{"gateway":"2001:db8:102::2","dev":"d2","weight":1,"flags":[]}]}`,
		},
		{
			"IPv6 group that is gone", gone,
			"2001:db8:1::/64 nhid 10 metric 1024 pref medium\n\tnexthop via 2001:db8:102::2 dev d2 weight 1 \n",
			"unicast 2001:db8:1::/64 nhid 10 table main proto boot scope global metric 1024 pref medium\n\tnexthop via 2001:db8:102::2 dev d2 weight 1 \n",
			`{"type":"unicast","dst":"2001:db8:1::/64","nhid":10,"table":"main","protocol":"boot","scope":"global","metric":1024,"flags":[],"pref":"medium","nexthops":[` +
				`{"gateway":"2001:db8:102::2","dev":"d2","weight":1,"flags":[]}]}`,
		},
		{
			"IPv6 without compatibility", route6(10, group6),
			"2001:db8:1::/64 nhid 10 metric 1024 pref medium\n",
			"unicast 2001:db8:1::/64 nhid 10 table main proto boot scope global metric 1024 pref medium\n\tnh_info id 10 group 2 scope global proto unspec trap \n",
			`{"type":"unicast","dst":"2001:db8:1::/64","nhid":10,"table":"main","protocol":"boot","scope":"global","metric":1024,"flags":[],"pref":"medium",` +
				`"nh_info":{"id":10,"group":[{"id":2}],"scope":"global","protocol":"unspec","flags":["trap"]}}`,
		},
		{
			"blackhole", drop,
			"blackhole 192.0.2.0/24 nhid 4 dev lo rt_trap \n",
			"blackhole 192.0.2.0/24 nhid 4 dev lo table main proto boot scope global rt_trap \n\tnh_info id 4 scope global blackhole proto unspec \n",
			`{"type":"blackhole","dst":"192.0.2.0/24","nhid":4,"dev":"lo","table":"main","protocol":"boot","scope":"global","flags":["rt_trap"],` +
				`"nh_info":{"id":4,"scope":"global","blackhole":null,"protocol":"unspec","flags":[]}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, "short", printed(tt.route, false, options{}, routeStyle{}), tt.short)
			expect(t, "details", printed(tt.route, false, options{details: true}, routeStyle{}), tt.details)
			expect(t, "json", printed(tt.route, false, options{details: true, json: true}, routeStyle{}), tt.json)
		})
	}
}

func TestJSONHasIpsLayout(t *testing.T) {
	const want = `[ {
        "type": "unicast",
        "dst": "198.51.100.0/24",
        "via": {
            "family": "inet6",
            "host": "2001:db8:101::2"
        },
        "dev": "d1",
        "protocol": "bgp",
        "scope": "link",
        "flags": [ ],
        "metrics": [ {
                "mtu": 1400
            } ]
    },{
        "type": "unicast",
        "dst": "default",
        "protocol": "boot",
        "scope": "global",
        "flags": [ "rt_offload","rt_trap" ],
        "nexthops": [ {
                "dev": "d1",
                "weight": 1,
                "flags": [ ]
            },{
                "dev": "d2",
                "weight": 1,
                "flags": [ "dead" ]
            } ]
    } ]
`
	var out bytes.Buffer
	p := newPrinter(&out, options{json: true, pretty: true})
	p.open("", '[')
	style := routeStyle{details: true, hideTable: true}
	p.route(routeLine{Route: &vasicv1.Route{
		Prefix: "198.51.100.0/24", Table: 100, Type: unicast, Protocol: 186, Scope: ptr(253),
		NextHops: []*vasicv1.NextHop{{Gateway: "2001:db8:101::2", Device: "d1"}}, Metrics: &vasicv1.RouteMetrics{Mtu: 1400},
	}}, style)
	p.route(routeLine{Route: &vasicv1.Route{
		Prefix: "0.0.0.0/0", Table: 254, Type: unicast, Protocol: 3, Scope: ptr(0), Offload: true, Trap: true,
		NextHops: []*vasicv1.NextHop{{Device: "d1"}, {Device: "d2", Dead: true}},
	}}, style)
	p.close(']')
	p.end()
	if err := p.w.Flush(); err != nil {
		panic(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestWhatASelectorFixesIsNotPrinted(t *testing.T) {
	r := &vasicv1.Route{
		Prefix: "192.0.2.0/24", Table: 100, Type: unicast, Protocol: 4, Scope: ptr(253), Metric: ptr(5), Prefsrc: "10.0.1.1",
		NextHops: []*vasicv1.NextHop{{Gateway: "10.0.1.2", Device: "d1"}},
	}
	for words, want := range map[string]string{
		"table 100":    "192.0.2.0/24 via 10.0.1.2 dev d1 proto static scope link src 10.0.1.1 metric 5 \n",
		"dev d1":       "192.0.2.0/24 via 10.0.1.2 proto static scope link src 10.0.1.1 metric 5 \n",
		"via 10.0.1.2": "192.0.2.0/24 dev d1 proto static scope link src 10.0.1.1 metric 5 \n",
		"via 10/8":     "192.0.2.0/24 via 10.0.1.2 dev d1 proto static scope link src 10.0.1.1 metric 5 \n",
		"proto static": "192.0.2.0/24 via 10.0.1.2 dev d1 scope link src 10.0.1.1 metric 5 \n",
		"scope link":   "192.0.2.0/24 via 10.0.1.2 dev d1 proto static src 10.0.1.1 metric 5 \n",
		"src 10.0.1.1": "192.0.2.0/24 via 10.0.1.2 dev d1 proto static scope link metric 5 \n",
		"metric 5":     "192.0.2.0/24 via 10.0.1.2 dev d1 proto static scope link src 10.0.1.1 \n",
	} {
		sel, err := parseSelector(strings.Fields(words), familyAny)
		if err != nil {
			t.Fatal(err)
		}
		if !sel.keep(r) {
			t.Errorf("%s: does not mean the route", words)
		}
		if got := printed(r, false, options{}, sel.style(options{})); got != want {
			t.Errorf("%s:\n got %q\nwant %q", words, got, want)
		}
	}
}

func TestStringsAreQuotedForJSON(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(&out, options{json: true})
	p.quote("a\"b\\c\x01ä")
	if err := p.w.Flush(); err != nil {
		panic(err)
	}
	if got, want := out.String(), `"a\"b\\c\u0001ä"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
