package server_test

import (
	"net/netip"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

const (
	flagNone    = vasicv1.RouteFlag_ROUTE_FLAG_NONE
	flagOffload = vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD
	flagTrap    = vasicv1.RouteFlag_ROUTE_FLAG_TRAP
	flagFailed  = vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD_FAILED

	family4 = vasicv1.Family_FAMILY_IPV4
	family6 = vasicv1.Family_FAMILY_IPV6
)

// variety is a set of routes that differ in everything that filters look at.
func variety(r *apiRig) {
	r.t.Helper()
	r.add(
		apiRoute("198.51.100.0/24", via("10.0.1.2")),
		apiRoute("198.51.100.0/24", via("10.0.2.2"), metric(5), prefsrc("10.0.2.1")),
		apiRoute("198.51.100.0/24", via("10.0.1.3"), tos(16)),
		apiRoute("198.51.100.0/25", via("10.0.2.2"), proto8(186)),
		apiRoute("198.51.100.7/32", via("10.0.1.3", "10.0.2.2"), metric(5)),
		apiRoute("203.0.113.0/24", kind(blackhole), table(100)),
		apiRoute("203.0.113.0/24", kind(throw)),
		apiRoute("192.0.2.0/24", dev("swp2")),
		apiRoute("0.0.0.0/0", via("10.0.1.9")),
		apiRoute("2001:db8:b::/48", via("2001:db8:1::2", "2001:db8:2::2")),
		apiRoute("2001:db8:b:1::/64", via("2001:db8:2::3"), proto8(186)),
		apiRoute("2001:db8:c::/48", kind(blackhole), metric(5)),
		apiRoute("2001:db8:d::/48", via("2001:db8:1::2"), table(100), prefsrc("2001:db8:2::1")),
		apiRoute("2001:db8:e::/48", via("2001:db8:1::2"), source("2001:db8:ffff::/48")),
	)
	r.quiet()
}

// selection is a filter, and the same in other words.
type selection struct {
	filter *vasicv1.RouteFilter
	holds  func(r *vasicv1.Route, p netip.Prefix) bool
}

func hasHop(r *vasicv1.Route, is func(*vasicv1.NextHop) bool) bool {
	return slices.ContainsFunc(r.NextHops, is)
}

func within(p netip.Prefix, container string) bool {
	c := netip.MustParsePrefix(container)
	return p.Bits() >= c.Bits() && c.Contains(p.Addr())
}

var selections = map[string]selection{
	"family IPv4": {&vasicv1.RouteFilter{Family: family4}, func(_ *vasicv1.Route, p netip.Prefix) bool { return p.Addr().Is4() }},
	"family IPv6": {&vasicv1.RouteFilter{Family: family6}, func(_ *vasicv1.Route, p netip.Prefix) bool { return p.Addr().Is6() }},
	"table":       {&vasicv1.RouteFilter{Table: 100}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.Table == 100 }},
	"exact prefix": {&vasicv1.RouteFilter{ExactPrefix: "198.51.100.0/24"}, func(_ *vasicv1.Route, p netip.Prefix) bool {
		return p == netip.MustParsePrefix("198.51.100.0/24")
	}},
	"exact IPv6 prefix": {&vasicv1.RouteFilter{ExactPrefix: "2001:0DB8:b:0::/48"}, func(_ *vasicv1.Route, p netip.Prefix) bool {
		return p == netip.MustParsePrefix("2001:db8:b::/48")
	}},
	"within prefix": {&vasicv1.RouteFilter{WithinPrefix: "198.51.100.0/25"}, func(_ *vasicv1.Route, p netip.Prefix) bool { return within(p, "198.51.100.0/25") }},
	"within everything of IPv4": {&vasicv1.RouteFilter{WithinPrefix: "0.0.0.0/0"}, func(_ *vasicv1.Route, p netip.Prefix) bool {
		return p.Addr().Is4()
	}},
	"within IPv6 prefix": {&vasicv1.RouteFilter{WithinPrefix: "2001:db8:a::/47"}, func(_ *vasicv1.Route, p netip.Prefix) bool { return within(p, "2001:db8:a::/47") }},
	"containing prefix": {&vasicv1.RouteFilter{ContainingPrefix: "198.51.100.0/25"}, func(_ *vasicv1.Route, p netip.Prefix) bool {
		return p.Addr().Is4() && p.Bits() <= 25 && p.Contains(netip.MustParseAddr("198.51.100.0"))
	}},
	"containing IPv6 prefix": {&vasicv1.RouteFilter{ContainingPrefix: "2001:db8:b:1:2::/80"}, func(_ *vasicv1.Route, p netip.Prefix) bool {
		return p.Bits() <= 80 && p.Contains(netip.MustParseAddr("2001:db8:b:1:2::"))
	}},
	"protocol":    {&vasicv1.RouteFilter{Protocol: proto.Uint32(186)}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.Protocol == 186 }},
	"type":        {&vasicv1.RouteFilter{Type: blackhole}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.Type == blackhole }},
	"scope":       {&vasicv1.RouteFilter{Scope: proto.Uint32(253)}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.GetScope() == 253 }},
	"scope of 0":  {&vasicv1.RouteFilter{Scope: proto.Uint32(0)}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.GetScope() == 0 }},
	"tos":         {&vasicv1.RouteFilter{Tos: proto.Uint32(16)}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.Tos == 16 }},
	"tos of 0":    {&vasicv1.RouteFilter{Tos: proto.Uint32(0)}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.Tos == 0 }},
	"metric":      {&vasicv1.RouteFilter{Metric: proto.Uint32(5)}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.GetMetric() == 5 }},
	"metric of 0": {&vasicv1.RouteFilter{Metric: proto.Uint32(0)}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.GetMetric() == 0 }},
	"prefsrc":     {&vasicv1.RouteFilter{Prefsrc: "10.0.2.1"}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.Prefsrc == "10.0.2.1" }},
	"IPv6 prefsrc": {&vasicv1.RouteFilter{Prefsrc: "2001:db8:2:0::1"}, func(r *vasicv1.Route, _ netip.Prefix) bool {
		return r.Prefsrc == "2001:db8:2::1"
	}},
	"device": {&vasicv1.RouteFilter{Device: "swp2"}, func(r *vasicv1.Route, _ netip.Prefix) bool {
		return hasHop(r, func(n *vasicv1.NextHop) bool { return n.Device == "swp2" })
	}},
	"gateway": {&vasicv1.RouteFilter{Gateway: "10.0.2.2"}, func(r *vasicv1.Route, _ netip.Prefix) bool {
		return hasHop(r, func(n *vasicv1.NextHop) bool { return n.Gateway == "10.0.2.2" })
	}},
	"IPv6 gateway": {&vasicv1.RouteFilter{Gateway: "2001:DB8:1::2"}, func(r *vasicv1.Route, _ netip.Prefix) bool {
		return hasHop(r, func(n *vasicv1.NextHop) bool { return n.Gateway == "2001:db8:1::2" })
	}},
	"gateway and device": {&vasicv1.RouteFilter{Gateway: "10.0.2.2", Device: "swp2"}, func(r *vasicv1.Route, _ netip.Prefix) bool {
		return hasHop(r, func(n *vasicv1.NextHop) bool { return n.Gateway == "10.0.2.2" && n.Device == "swp2" })
	}},
	"no flags": {&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagNone}}, func(r *vasicv1.Route, _ netip.Prefix) bool {
		return !r.Offload && !r.Trap && !r.OffloadFailed
	}},
	"offload": {&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagOffload}}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.Offload }},
	"trap":    {&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagTrap}}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.Trap }},
	"failed":  {&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagFailed}}, func(r *vasicv1.Route, _ netip.Prefix) bool { return r.OffloadFailed }},
	"several flags": {&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagFailed, flagNone}}, func(r *vasicv1.Route, _ netip.Prefix) bool {
		return !r.Offload && !r.Trap
	}},
	"everything at once": {&vasicv1.RouteFilter{
		Family: family4, Table: 254, WithinPrefix: "198.0.0.0/8", ContainingPrefix: "198.51.100.9/32", ExactPrefix: "198.51.100.0/24",
		Protocol: proto.Uint32(3), Type: vasicv1.RouteType_ROUTE_TYPE_UNICAST, Scope: proto.Uint32(0), Device: "swp2", Gateway: "10.0.2.2",
		Tos: proto.Uint32(0), Metric: proto.Uint32(5), Prefsrc: "10.0.2.1", Flags: []vasicv1.RouteFlag{flagNone},
	}, func(r *vasicv1.Route, _ netip.Prefix) bool {
		return r.Prefix == "198.51.100.0/24" && r.GetMetric() == 5
	}},
}

// split says what the selection takes of a listing and what it leaves, by id.
func (s selection) split(t *testing.T, all []*vasicv1.Route) (taken, left []uint64) {
	t.Helper()
	for _, route := range all {
		if s.holds(route, netip.MustParsePrefix(route.Prefix)) {
			taken = append(taken, route.Id)
		} else {
			left = append(left, route.Id)
		}
	}
	if len(taken) == 0 || len(left) == 0 {
		t.Fatalf("the test selects %d of %d routes and so shows nothing", len(taken), len(all))
	}
	return taken, left
}

func ids(routes []*vasicv1.Route) []uint64 {
	list := make([]uint64, 0, len(routes))
	for _, route := range routes {
		list = append(list, route.Id)
	}
	return list
}

func TestListRoutesSelectsWhatTheFilterSays(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		variety(r)
		all := r.list(nil)
		wantEqual(t, "an empty filter", ids(r.list(&vasicv1.RouteFilter{})), ids(all))
		for name, s := range selections {
			taken, _ := s.split(t, all)
			wantEqual(t, name, ids(r.list(s.filter)), taken)
		}
		for name, filter := range map[string]*vasicv1.RouteFilter{
			"a link that is not there":      {Device: "swp9"},
			"a table that is not there":     {Table: 7},
			"prefixes of both families":     {WithinPrefix: "198.51.100.0/24", ExactPrefix: "2001:db8:b::/48"},
			"a prefix of the other family":  {Family: family6, ExactPrefix: "198.51.100.0/24"},
			"a gateway on the other link":   {Gateway: "10.0.2.2", Device: "swp1"},
			"a prefix that is not there":    {ExactPrefix: "198.51.100.0/26"},
			"a gateway of the other family": {Family: family4, Gateway: "2001:db8:1::2"},
		} {
			if list := r.list(filter); len(list) > 0 {
				t.Errorf("%s: %v", name, list)
			}
		}
	})
}

func TestFlushRoutesDeletesWhatAListingWithItsFilterShows(t *testing.T) {
	for name, s := range selections {
		t.Run(name, func(t *testing.T) {
			inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
				variety(r)
				taken, left := s.split(t, r.list(nil))
				res := must(r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: s.filter}))(t)
				if res.Deleted != uint64(len(taken)) || res.Revision != r.status().Revision {
					t.Errorf("%v, want %d deleted at revision %d", res, len(taken), r.status().Revision)
				}
				r.quiet()
				wantEqual(t, "left", ids(r.list(nil)), left)
				if s.filter.Flags != nil { // what has come forward may have the flags now
					return
				}
				before := r.everything()
				if again := must(r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: s.filter}))(t); again.Deleted != 0 || again.Revision != res.Revision {
					t.Errorf("flushed again: %v", again)
				}
				r.unchanged(before)
			})
		})
	}
}

// Of several routes of one name a flush takes the very one that a listing shows.
func TestFlushRoutesTakesTheVeryRouteOfSeveralAlike(t *testing.T) {
	alike := []struct {
		route  *vasicv1.Route
		filter *vasicv1.RouteFilter
	}{
		{apiRoute("198.51.100.0/24", dev("swp2")), nil},
		{apiRoute("198.51.100.0/24", dev("swp2"), scope(0)), &vasicv1.RouteFilter{Table: 254, Scope: proto.Uint32(0)}},
		{apiRoute("198.51.100.0/24", dev("swp2"), proto8(4)), &vasicv1.RouteFilter{Protocol: proto.Uint32(4)}},
		{apiRoute("198.51.100.0/24", dev("swp2"), prefsrc("10.0.1.1"), proto8(5)), &vasicv1.RouteFilter{Prefsrc: "10.0.1.1", Protocol: proto.Uint32(5)}},
		{apiRoute("198.51.100.0/24", dev("swp2"), proto8(5)), nil},
		{apiRoute("198.51.100.0/24", dev("swp1"), proto8(5)), &vasicv1.RouteFilter{Device: "swp1", Protocol: proto.Uint32(5)}},
		{apiRoute("198.51.100.0/24", via("10.0.2.2"), scope(200)), nil},
		{apiRoute("198.51.100.0/24", via("10.0.2.3"), scope(200)), &vasicv1.RouteFilter{Gateway: "10.0.2.3"}},
		{apiRoute("198.51.100.0/24", kind(unreachable), scope(200)), nil},
		{apiRoute("198.51.100.0/24", kind(blackhole), scope(200)), &vasicv1.RouteFilter{Type: blackhole, Metric: proto.Uint32(0)}},
		{apiRoute("198.51.100.0/24", kind(blackhole), metric(3), scope(200)), nil},
	}
	for i, c := range alike {
		if c.filter == nil {
			continue
		}
		for _, action := range []vasicv1.RouteAction{actionAppend, actionPrepend} {
			inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
				byNumber := make([]uint64, len(alike))
				for j, a := range alike {
					byNumber[j] = must(r.modify(action, a.route))(t).RouteId
				}
				want := slices.DeleteFunc(ids(r.list(&vasicv1.RouteFilter{ExactPrefix: "198.51.100.0/24"})), func(id uint64) bool { return id == byNumber[i] })
				c.filter.ExactPrefix = "198.51.100.0/24"
				res := must(r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: c.filter}))(t)
				if got := ids(r.list(&vasicv1.RouteFilter{ExactPrefix: "198.51.100.0/24"})); res.Deleted != 1 || !slices.Equal(got, want) {
					t.Errorf("%v, flushed %v: left %v, want %v (%v)", action, c.filter, got, want, res)
				}
			})
		}
	}
}

func TestAFilterThatCannotBeReadIsRefused(t *testing.T) {
	empty := refused{codes.InvalidArgument, "EMPTY_FILTER", "", "", "filter", "selects every route"}
	cases := map[string]struct {
		filter *vasicv1.RouteFilter
		want   refused
	}{
		"unknown family":              {&vasicv1.RouteFilter{Family: 3}, unknownEnum("filter.family", "3")},
		"negative family":             {&vasicv1.RouteFilter{Family: -1}, unknownEnum("filter.family", "-1")},
		"malformed exact prefix":      {&vasicv1.RouteFilter{ExactPrefix: "10.0.0.0"}, malformed("filter.exact_prefix", `"10.0.0.0" is not a prefix`)},
		"exact prefix with host bits": {&vasicv1.RouteFilter{ExactPrefix: "10.0.0.1/8"}, hostBits("filter.exact_prefix", "10.0.0.0/8")},
		"4-in-6 exact prefix":         {&vasicv1.RouteFilter{ExactPrefix: "::ffff:10.0.0.0/104"}, malformed("filter.exact_prefix", "::ffff:10.0.0.0/104")},
		"malformed within prefix":     {&vasicv1.RouteFilter{WithinPrefix: "x"}, malformed("filter.within_prefix", `"x"`)},
		"within prefix with bits":     {&vasicv1.RouteFilter{WithinPrefix: "2001:db8::1/32"}, hostBits("filter.within_prefix", "2001:db8::/32")},
		"malformed containing prefix": {&vasicv1.RouteFilter{ContainingPrefix: "10/8"}, malformed("filter.containing_prefix", `"10/8"`)},
		"containing prefix with bits": {&vasicv1.RouteFilter{ContainingPrefix: "10.0.0.1/8"}, hostBits("filter.containing_prefix", "10.0.0.0/8")},
		"malformed gateway":           {&vasicv1.RouteFilter{Gateway: "10.0.1.2/32"}, malformed("filter.gateway", "10.0.1.2/32")},
		"4-in-6 gateway":              {&vasicv1.RouteFilter{Gateway: "::ffff:10.0.1.2"}, malformed("filter.gateway", "::ffff:10.0.1.2")},
		"malformed prefsrc":           {&vasicv1.RouteFilter{Prefsrc: "swp1"}, malformed("filter.prefsrc", `"swp1"`)},
		"unknown type":                {&vasicv1.RouteFilter{Type: 10}, unknownEnum("filter.type", "10")},
		"negative type":               {&vasicv1.RouteFilter{Type: -1}, unknownEnum("filter.type", "-1")},
		"unspecified flag":            {&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{0}}, unknownEnum("filter.flags", "0")},
		"unknown flag":                {&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagTrap, 5}}, unknownEnum("filter.flags", "5")},
		"protocol too large":          {&vasicv1.RouteFilter{Protocol: proto.Uint32(256)}, outOfRange("filter.protocol", "256 is not between 0 and 255")},
		"scope too large":             {&vasicv1.RouteFilter{Scope: proto.Uint32(256)}, outOfRange("filter.scope", "256 is not between 0 and 255")},
		"tos too large":               {&vasicv1.RouteFilter{Tos: proto.Uint32(256)}, outOfRange("filter.tos", "256 is not between 0 and 25")},
		"no filter":                   {nil, empty},
		"empty filter":                {&vasicv1.RouteFilter{}, empty},
	}
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		variety(r)
		before := r.everything()
		for name, c := range cases {
			t, r := r.in(name)
			_, err := r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: c.filter})
			c.want.checkErr(t, err)
			r.unchanged(before)
			if c.want == empty {
				continue
			}
			stream := must(r.routes.ListRoutes(r.ctx(), &vasicv1.ListRoutesRequest{Filter: c.filter}))(t)
			_, err = stream.Recv()
			c.want.checkErr(t, err)
		}
	})
}
