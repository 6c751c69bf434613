package server_test

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

func TestGetRouteReadsTheFirstRouteOfAName(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		variety(r)
		all := r.list(nil)
		for _, c := range []struct {
			name string
			req  *vasicv1.GetRouteRequest
			is   func(*vasicv1.Route) bool
		}{
			{"the first with tos 0", &vasicv1.GetRouteRequest{Prefix: "198.51.100.0/24"}, func(v *vasicv1.Route) bool { return v.Tos == 0 && v.GetMetric() == 0 }},
			{"main by name", &vasicv1.GetRouteRequest{Prefix: "198.51.100.0/24", Table: 254}, func(v *vasicv1.Route) bool { return v.Tos == 0 && v.GetMetric() == 0 }},
			{"metric", &vasicv1.GetRouteRequest{Prefix: "198.51.100.0/24", Metric: proto.Uint32(5)}, func(v *vasicv1.Route) bool { return v.GetMetric() == 5 }},
			{"tos", &vasicv1.GetRouteRequest{Prefix: "198.51.100.0/24", Tos: 16}, func(v *vasicv1.Route) bool { return v.Tos == 16 }},
			{"table", &vasicv1.GetRouteRequest{Prefix: "203.0.113.0/24", Table: 100}, func(v *vasicv1.Route) bool { return v.Type == blackhole }},
			{"IPv6", &vasicv1.GetRouteRequest{Prefix: "2001:DB8:b::/48"}, func(v *vasicv1.Route) bool { return len(v.NextHops) == 2 }},
			{"IPv6 metric", &vasicv1.GetRouteRequest{Prefix: "2001:db8:b::/48", Metric: proto.Uint32(1024)}, func(v *vasicv1.Route) bool { return len(v.NextHops) == 2 }},
			{"source", &vasicv1.GetRouteRequest{Prefix: "2001:db8:e::/48", SourcePrefix: "2001:db8:ffff::/48"}, func(v *vasicv1.Route) bool {
				return v.SourcePrefix == "2001:db8:ffff::/48"
			}},
			{"any source", &vasicv1.GetRouteRequest{Prefix: "2001:db8:b::/48", SourcePrefix: "::/0"}, func(v *vasicv1.Route) bool { return len(v.NextHops) == 2 }},
		} {
			res, err := r.routes.GetRoute(r.ctx(), c.req)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			p := netip.MustParsePrefix(c.req.Prefix).String()
			at := slices.IndexFunc(all, func(v *vasicv1.Route) bool { return v.Prefix == p && c.is(v) && (c.req.Table != 100 || v.Table == 100) })
			if at < 0 || !proto.Equal(all[at], res.Route) {
				t.Errorf("%s: got %v", c.name, res.Route)
			}
		}
	})
}

func TestGetRouteRefusals(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		refusalState(r)
		before := r.everything()
		for name, c := range map[string]struct {
			req  *vasicv1.GetRouteRequest
			want refused
		}{
			"empty":                       {&vasicv1.GetRouteRequest{}, malformed("prefix", "prefix: is missing")},
			"malformed prefix":            {&vasicv1.GetRouteRequest{Prefix: "192.0.2.0"}, malformed("prefix", `"192.0.2.0" is not a prefix`)},
			"4-in-6 prefix":               {&vasicv1.GetRouteRequest{Prefix: "::ffff:192.0.2.0/120"}, malformed("prefix", "::ffff:192.0.2.0/120")},
			"host bits":                   {&vasicv1.GetRouteRequest{Prefix: "192.0.2.1/24"}, hostBits("prefix", "192.0.2.0/24")},
			"malformed source":            {&vasicv1.GetRouteRequest{Prefix: "2001:db8:a::/48", SourcePrefix: "x"}, malformed("source_prefix", `"x"`)},
			"source of IPv4":              {&vasicv1.GetRouteRequest{Prefix: "192.0.2.0/24", SourcePrefix: "2001:db8::/32"}, mismatch("source_prefix", "only IPv6 routes")},
			"IPv4 source":                 {&vasicv1.GetRouteRequest{Prefix: "2001:db8:a::/48", SourcePrefix: "10.0.0.0/8"}, mismatch("source_prefix", "only IPv6 routes")},
			"tos too large":               {&vasicv1.GetRouteRequest{Prefix: "192.0.2.0/24", Tos: 256}, outOfRange("tos", "256 is not between 0 and 252")},
			"other metric":                {&vasicv1.GetRouteRequest{Prefix: "192.0.2.0/24", Metric: proto.Uint32(1)}, notFound("ESRCH", "")},
			"other tos":                   {&vasicv1.GetRouteRequest{Prefix: "192.0.2.0/24", Tos: 4}, notFound("ESRCH", "")},
			"other prefix length":         {&vasicv1.GetRouteRequest{Prefix: "192.0.2.0/25"}, notFound("ESRCH", "")},
			"IPv6 that is not there":      {&vasicv1.GetRouteRequest{Prefix: "2001:db8:b::/48"}, notFound("ESRCH", "")},
			"source that no route has":    {&vasicv1.GetRouteRequest{Prefix: "2001:db8:a::/48", SourcePrefix: "2001:db8::/32"}, notFound("ESRCH", "")},
			"table that is not there":     {&vasicv1.GetRouteRequest{Prefix: "192.0.2.0/24", Table: 100}, noTable},
			"IPv6 table that isn't there": {&vasicv1.GetRouteRequest{Prefix: "2001:db8:a::/48", Table: 100}, noTable},
		} {
			t, r := r.in(name)
			_, err := r.routes.GetRoute(r.ctx(), c.req)
			c.want.checkErr(t, err)
		}
		r.unchanged(before)
	})
}

func TestLookupRouteAnswersForOneAddress(t *testing.T) {
	inAPIBubble(t, server.Config{LoopbackUp: true}, func(t *testing.T, r *apiRig) {
		variety(r)
		r.add(apiRoute("198.51.0.0/16", via("10.0.1.2"), table(100)), apiRoute("2001:db8::/32", kind(unreachable), table(253)))
		for _, c := range []struct {
			req    *vasicv1.LookupRouteRequest
			prefix string
			metric uint32
			table  uint32
		}{
			{&vasicv1.LookupRouteRequest{Address: "198.51.100.200"}, "198.51.100.0/24", 0, 254},
			{&vasicv1.LookupRouteRequest{Address: "198.51.100.7"}, "198.51.100.7/32", 5, 254},
			{&vasicv1.LookupRouteRequest{Address: "198.51.100.8"}, "198.51.100.0/25", 0, 254},
			{&vasicv1.LookupRouteRequest{Address: "198.51.100.8", Table: 100}, "198.51.0.0/16", 0, 100},
			{&vasicv1.LookupRouteRequest{Address: "198.51.100.200", Tos: 16}, "198.51.100.0/24", 0, 254},
			{&vasicv1.LookupRouteRequest{Address: "10.0.1.1"}, "10.0.1.1/32", 0, 255},     // local before main
			{&vasicv1.LookupRouteRequest{Address: "127.1.2.3"}, "127.0.0.0/8", 0, 255},    // local
			{&vasicv1.LookupRouteRequest{Address: "10.0.1.255"}, "10.0.1.255/32", 0, 255}, // broadcast
			{&vasicv1.LookupRouteRequest{Address: "10.0.1.77"}, "10.0.1.0/24", 0, 254},
			{&vasicv1.LookupRouteRequest{Address: "8.8.8.8"}, "0.0.0.0/0", 0, 254},
			{&vasicv1.LookupRouteRequest{Address: "2001:db8:b:1::9"}, "2001:db8:b:1::/64", 1024, 254},
			{&vasicv1.LookupRouteRequest{Address: "2001:db8:1::1"}, "2001:db8:1::1/128", 0, 255},
			{&vasicv1.LookupRouteRequest{Address: "2001:db8:abcd::1", Table: 253}, "2001:db8::/32", 1024, 253}, // which no rule of IPv6 asks
		} {
			res, err := r.routes.LookupRoute(r.ctx(), c.req)
			if err != nil {
				t.Errorf("%v: %v", c.req, err)
				continue
			}
			if v := res.Route; v.Prefix != c.prefix || v.GetMetric() != c.metric || v.Table != c.table || v.Tos != c.req.Tos {
				t.Errorf("%v: got %v", c.req, v)
			}
		}
	})
}

func TestLookupRouteRefusals(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.add(apiRoute("203.0.113.0/24", kind(throw)))
		synctest.Wait()
		before := r.everything()
		nothing := func(address string) refused {
			return refused{codes.NotFound, "ROUTE_NOT_FOUND", "ENETUNREACH", "", "", address}
		}
		for name, c := range map[string]struct {
			req  *vasicv1.LookupRouteRequest
			want refused
		}{
			"empty":                {&vasicv1.LookupRouteRequest{}, malformed("address", "address: ")},
			"a prefix":             {&vasicv1.LookupRouteRequest{Address: "192.0.2.0/24"}, malformed("address", `"192.0.2.0/24" is not an address`)},
			"4-in-6":               {&vasicv1.LookupRouteRequest{Address: "::ffff:192.0.2.1"}, malformed("address", "::ffff:192.0.2.1")},
			"a zone":               {&vasicv1.LookupRouteRequest{Address: "fe80::1%swp1"}, malformed("address", "fe80::1%swp1")},
			"tos too large":        {&vasicv1.LookupRouteRequest{Address: "192.0.2.1", Tos: 256}, outOfRange("tos", "256 is not between 0 and 255")},
			"no route":             {&vasicv1.LookupRouteRequest{Address: "192.0.2.1"}, nothing("192.0.2.1")},
			"no IPv6 route":        {&vasicv1.LookupRouteRequest{Address: "2001:db8:9::9"}, nothing("2001:db8:9::9")},
			"throw, nothing after": {&vasicv1.LookupRouteRequest{Address: "203.0.113.1"}, nothing("203.0.113.1")},
			"no table":             {&vasicv1.LookupRouteRequest{Address: "10.0.1.7", Table: 100}, nothing("10.0.1.7")},
		} {
			t, r := r.in(name)
			_, err := r.routes.LookupRoute(r.ctx(), c.req)
			c.want.checkErr(t, err)
		}
		r.unchanged(before)
	})
}

func TestListRoutesGoesInTheKernelsOrder(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		s := r.stream()
		for i := range 3000 { // more than one piece; every length, nested in each other
			a4, a6 := netip.AddrFrom4([4]byte{198, byte(i >> 6), byte(i << 2), 0}), netip.AddrFrom16([16]byte{0: 0x20, 2: byte(i >> 6), 3: byte(i << 2)})
			p4, _ := a4.Prefix(9 + i%24)
			p6, _ := a6.Prefix(17 + i%112)
			for _, p := range []netip.Prefix{p4, p6} {
				s.send(&vasicv1.RouteOperation{Action: actionReplace, Route: apiRoute(p.String(), kind(blackhole), table(uint32(100+i%3)))}) //nolint:gosec // small
			}
		}
		s.closeSend()
		s.rest()
		got := r.list(nil)
		if len(got) < 3000 {
			t.Fatalf("only %d routes", len(got))
		}
		want := slices.Clone(got)
		slices.SortStableFunc(want, func(a, b *vasicv1.Route) int {
			p, q := netip.MustParsePrefix(a.Prefix), netip.MustParsePrefix(b.Prefix)
			switch {
			case p.Addr().Is4() != q.Addr().Is4():
				return p.Addr().BitLen() - q.Addr().BitLen()
			case a.Table != b.Table:
				return cmp.Compare(a.Table, b.Table)
			case p == q:
				return 0
			case p.Addr().Is6() && p.Contains(q.Addr()) && p.Bits() < q.Bits():
				return 1
			case p.Addr().Is6() && q.Contains(p.Addr()) && q.Bits() < p.Bits():
				return -1
			}
			return cmp.Or(p.Addr().Compare(q.Addr()), q.Bits()-p.Bits())
		})
		wantEqual(t, "order", prefixes(got), prefixes(want))
		byID := ids(got)
		slices.Sort(byID)
		if len(slices.Compact(byID)) != len(got) {
			t.Error("a route is listed twice")
		}
		var largest int
		stream := must(r.routes.ListRoutes(r.ctx(), &vasicv1.ListRoutesRequest{}))(t)
		for res, err := stream.Recv(); err == nil; res, err = stream.Recv() {
			largest = max(largest, len(res.Routes))
		}
		if largest > 1100 { // "about 1,000"
			t.Errorf("a message with %d routes", largest)
		}
	})
}

func TestAListingCanBeCancelled(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		s := r.stream()
		for i := range 6000 { // more than fits on the way to a client that does not read
			s.send(&vasicv1.RouteOperation{Action: actionAdd, Route: apiRoute(prefixNumber(i), kind(blackhole))})
		}
		s.closeSend()
		s.rest()
		ctx, cancel := context.WithCancel(r.ctx())
		stream := must(r.narrow().routes.ListRoutes(ctx, &vasicv1.ListRoutesRequest{}))(t)
		must(stream.Recv())(t)
		r.quiet()
		cancel()
		for {
			if _, err := stream.Recv(); err != nil {
				if status.Code(err) != codes.Canceled {
					t.Errorf("ended with %v", err)
				}
				return
			}
		}
	})
}

// One delete for each route, in the order in which they are listed. An IPv6 multipath route leaves next hop by next hop, as with
// `ip route flush`.
func TestAFlushIsAsManyDeletesInTheOrderOfTheListing(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		variety(r)
		listed := r.list(&vasicv1.RouteFilter{Protocol: proto.Uint32(3)})
		w := r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		w.until("synced")
		res := must(r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: &vasicv1.RouteFilter{Protocol: proto.Uint32(3)}}))(t)
		var want, got []string
		for _, route := range listed {
			parts := 1
			if strings.Contains(route.Prefix, ":") {
				parts = len(route.NextHops)
			}
			for i := range parts {
				want = append(want, fmt.Sprint(route.Prefix, " ", route.Id, " ", i < parts-1))
			}
		}
		for len(got) == 0 || w.last < res.Revision {
			e := w.events(1)[0]
			if e.Kind != vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED || !e.Requested || e.Silent || e.NetlinkFlags != 0 {
				t.Errorf("event %v", e)
			}
			got = append(got, fmt.Sprint(e.Route.Prefix, " ", e.Route.Id, " ", e.Partial))
		}
		wantEqual(t, "events", got, want)
	})
}
