package server_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

// refusal is a request to program a route that is refused.
type refusal struct {
	name   string
	action vasicv1.RouteAction
	route  *vasicv1.Route
	want   refused
}

func malformed(field, words string) refused {
	return refused{codes.InvalidArgument, "MALFORMED", "EINVAL", "", field, words}
}

func mismatch(field, words string) refused {
	return refused{codes.InvalidArgument, "FAMILY_MISMATCH", "EINVAL", "", field, words}
}

func outOfRange(field, words string) refused {
	return refused{codes.InvalidArgument, "OUT_OF_RANGE", "EINVAL", "", field, words}
}

func unknownEnum(field, words string) refused {
	return refused{codes.InvalidArgument, "UNKNOWN_ENUM", "EINVAL", "", field, words}
}

func hostBits(field, words string) refused {
	return refused{codes.InvalidArgument, "HOST_BITS_SET", "EINVAL", "Invalid prefix for given prefix length", field, words}
}

func contradiction(kernel string) refused {
	return refused{codes.InvalidArgument, "MALFORMED", "EINVAL", kernel, "", kernel}
}

// hops is a route with one next hop.
func hop(nh *vasicv1.NextHop) func(*vasicv1.Route) {
	return func(r *vasicv1.Route) { r.NextHops = append(r.NextHops, nh) }
}

func multipath(r *vasicv1.Route) { r.Multipath = true }

func prefsrc(a string) func(*vasicv1.Route) { return func(r *vasicv1.Route) { r.Prefsrc = a } }
func source(p string) func(*vasicv1.Route)  { return func(r *vasicv1.Route) { r.SourcePrefix = p } }
func scope(v uint32) func(*vasicv1.Route)   { return func(r *vasicv1.Route) { r.Scope = &v } }

func hopLimit(v uint32) func(*vasicv1.Route) {
	return func(r *vasicv1.Route) { r.Metrics = &vasicv1.RouteMetrics{Hoplimit: v} }
}

// good4 and good6 are routes that would be accepted.
func good4(with ...func(*vasicv1.Route)) *vasicv1.Route {
	return apiRoute("198.51.100.0/24", append(with, via("10.0.1.2"))...)
}

func good6(with ...func(*vasicv1.Route)) *vasicv1.Route {
	return apiRoute("2001:db8:b::/48", append(with, via("2001:db8:1::2"))...)
}

var refusalsByForm = []refusal{
	{"no action", 0, good4(), malformed("action", "action: is missing")},
	{"unknown action", 7, good4(), unknownEnum("action", "action: this switch does not know the value 7")},
	{"negative action", -1, good4(), unknownEnum("action", "-1")},
	{"no route", actionAdd, nil, malformed("route", "route: is missing")},
	{"empty route", actionAdd, &vasicv1.Route{}, malformed("route.prefix", "route.prefix: is missing")},
	{"prefix without length", actionAdd, apiRoute("192.0.2.0", via("10.0.1.2")), malformed("route.prefix", `"192.0.2.0" is not a prefix`)},
	{"prefix too long", actionAdd, apiRoute("192.0.2.0/33", via("10.0.1.2")), malformed("route.prefix", "192.0.2.0/33")},
	{"IPv6 prefix too long", actionAdd, apiRoute("2001:db8::/129", via("2001:db8:1::2")), malformed("route.prefix", "2001:db8::/129")},
	{"prefix with a name", actionAdd, apiRoute("default", via("10.0.1.2")), malformed("route.prefix", `"default" is not a prefix`)},
	{"prefix with a zone", actionAdd, apiRoute("fe80::%swp1/64", dev("swp1")), malformed("route.prefix", "fe80::%swp1/64")},
	{"prefix with white space", actionAdd, apiRoute(" 192.0.2.0/24", via("10.0.1.2")), malformed("route.prefix", "192.0.2.0/24")},
	{"4-in-6 prefix", actionAdd, apiRoute("::ffff:192.0.2.0/120", via("10.0.1.2")), malformed("route.prefix", "::ffff:192.0.2.0/120")},
	{"host bits", actionAdd, apiRoute("192.0.2.1/24", via("10.0.1.2")), hostBits("route.prefix", "did you mean 192.0.2.0/24?")},
	{"host bits in a delete", actionDelete, apiRoute("192.0.2.1/24"), hostBits("route.prefix", "did you mean 192.0.2.0/24?")},
	{"IPv4 gateway of an IPv6 route", actionAdd, apiRoute("2001:db8:b::/48", via("10.0.1.2")), mismatch("route.next_hops.gateway", "10.0.1.2")},
	{"malformed gateway", actionAdd, apiRoute("198.51.100.0/24", via("10.0.1")), malformed("route.next_hops.gateway", `"10.0.1" is not an address`)},
	{"4-in-6 gateway", actionAdd, apiRoute("198.51.100.0/24", via("::ffff:10.0.1.2")), malformed("route.next_hops.gateway", "::ffff:10.0.1.2")},
	{"gateway with a zone", actionAdd, apiRoute("2001:db8:b::/48", via("fe80::1%swp1")), malformed("route.next_hops.gateway", "fe80::1%swp1")},
	{"second gateway malformed", actionAdd, apiRoute("198.51.100.0/24", via("10.0.1.2", "x")), malformed("route.next_hops.gateway", `"x"`)},
	{"malformed prefsrc", actionAdd, good4(prefsrc("10.0.1.1/24")), malformed("route.prefsrc", "10.0.1.1/24")},
	{"IPv6 prefsrc of an IPv4 route", actionAdd, good4(prefsrc("2001:db8:1::1")), mismatch("route.prefsrc", "2001:db8:1::1")},
	{"IPv4 prefsrc of an IPv6 route", actionAdd, good6(prefsrc("10.0.1.1")), mismatch("route.prefsrc", "10.0.1.1")},
	{"source prefix of an IPv4 route", actionAdd, good4(source("10.0.0.0/8")), mismatch("route.source_prefix", "only IPv6 routes")},
	{"IPv6 source prefix of an IPv4 route", actionAdd, good4(source("2001:db8::/32")), mismatch("route.source_prefix", "only IPv6 routes")},
	{"IPv4 source prefix of an IPv6 route", actionAdd, good6(source("10.0.0.0/8")), mismatch("route.source_prefix", "only IPv6 routes")},
	{"malformed source prefix", actionAdd, good6(source("2001:db8::")), malformed("route.source_prefix", `"2001:db8::"`)},
	{"source prefix with host bits", actionAdd, good6(source("2001:db8::1/32")), hostBits("route.source_prefix", "2001:db8::/32")},
	{"tos with ECN bits", actionAdd, good4(tos(0x11)), refused{
		codes.InvalidArgument, "OUT_OF_RANGE", "EINVAL", "Invalid dsfield (tos): ECN bits must be 0", "route.tos", "0x11",
	}},
	{"tos too large", actionAdd, good4(tos(256)), outOfRange("route.tos", "256 is not between 0 and 252")},
	{"tos of an IPv6 route", actionAdd, good6(tos(4)), refused{
		codes.InvalidArgument, "FAMILY_MISMATCH", "EINVAL", "Invalid dsfield (tos): option not available for IPv6", "route.tos",
		"an IPv6 route has no type of service",
	}},
	{"protocol too large", actionAdd, good4(proto8(256)), outOfRange("route.protocol", "256 is not between 0 and 255")},
	{"scope too large", actionAdd, good4(scope(256)), outOfRange("route.scope", "256 is not between 0 and 255")},
	{"unknown type", actionAdd, good4(kind(10)), unknownEnum("route.type", "10")},
	{"negative type", actionAdd, good4(kind(-1)), unknownEnum("route.type", "-1")},
	{"weight too large", actionAdd, apiRoute("198.51.100.0/24", hop(&vasicv1.NextHop{Gateway: "10.0.1.2", Weight: 257})),
		outOfRange("route.next_hops.weight", "257 is not between 1 and 256")},
	{"hop limit too large", actionAdd, good4(hopLimit(256)), outOfRange("route.metrics.hoplimit", "256 is not between 0 and 255")},
	{"quickack too large", actionAdd, good4(func(r *vasicv1.Route) { r.Metrics = &vasicv1.RouteMetrics{Quickack: 2} }),
		outOfRange("route.metrics.quickack", "2 is not between 0 and 1")},
	{"too many next hops", actionAdd, apiRoute("198.51.100.0/24", via(strings.Fields(strings.Repeat("10.0.1.2 ", 257))...)),
		outOfRange("route.next_hops", "257 is not between 0 and 256")},
	{"too many IPv6 next hops", actionAdd, apiRoute("2001:db8:b::/48", via(strings.Fields(strings.Repeat("2001:db8:1::2 ", 257))...)),
		outOfRange("route.next_hops", "257 is not between 0 and 256")},
}

func notFound(errno, kernel string) refused {
	return refused{codes.NotFound, "ROUTE_NOT_FOUND", errno, kernel, "", "no route matches"}
}

func noLink(kernel, words string) refused {
	return refused{codes.NotFound, "LINK_NOT_FOUND", "ENODEV", kernel, "", words}
}

func linkDown(kernel string) refused {
	return refused{codes.FailedPrecondition, "LINK_DOWN", "ENETDOWN", kernel, "", "swp3"}
}

var (
	routeExists = refused{codes.AlreadyExists, "ROUTE_EXISTS", "EEXIST", "", "", "a route of that name exists"}
	noTable     = refused{codes.NotFound, "TABLE_NOT_FOUND", "ESRCH", "FIB table does not exist", "", "the table does not exist"}
)

// refusalsByState depend on what refusalState has made.
var refusalsByState = []refusal{
	{"unknown link", actionAdd, apiRoute("198.51.100.0/24", dev("swp9")), noLink("", `no link has that name: "swp9"`)},
	{"unknown link of a delete", actionDelete, apiRoute("192.0.2.0/24", dev("swp9")), noLink("", `"swp9"`)},
	{"unknown IPv6 link", actionAdd, apiRoute("2001:db8:b::/48", dev("swp9")), noLink("", `"swp9"`)},
	{"no next hop", actionAdd, apiRoute("198.51.100.0/24"), noLink("", "a route of this type needs a next hop")},
	{"no IPv6 next hop", actionAdd, apiRoute("2001:db8:b::/48"), noLink("", "a route of this type needs a next hop")},
	{"empty next hop", actionAdd, apiRoute("198.51.100.0/24", hop(&vasicv1.NextHop{})), noLink("", "a next hop needs a gateway or a device")},
	{"link down", actionAdd, apiRoute("198.51.100.0/24", dev("swp3")), linkDown("Device for nexthop is not up")},
	{"IPv6 link down", actionAdd, apiRoute("2001:db8:b::/48", dev("swp3")), linkDown("Nexthop device is not up")},
	{"onlink on a link that is down", actionAdd, apiRoute("198.51.100.0/24", hop(&vasicv1.NextHop{Gateway: "10.9.9.9", Device: "swp3", Onlink: true})),
		linkDown("Nexthop device is not up")},
	{"onlink without a device", actionAdd, apiRoute("198.51.100.0/24", hop(&vasicv1.NextHop{Gateway: "10.9.9.9", Onlink: true})),
		noLink("Nexthop device required for onlink", "Nexthop device required for onlink")},
	{"unreachable gateway", actionAdd, apiRoute("198.51.100.0/24", via("10.9.9.9")),
		refused{codes.FailedPrecondition, "GATEWAY_UNREACHABLE", "ENETUNREACH", "Nexthop has invalid gateway", "", "10.9.9.9"}},
	{"gateway on the other link", actionAdd, apiRoute("198.51.100.0/24", hop(&vasicv1.NextHop{Gateway: "10.0.1.2", Device: "swp2"})),
		refused{codes.FailedPrecondition, "GATEWAY_UNREACHABLE", "ENETUNREACH", "Nexthop has invalid gateway", "", "10.0.1.2"}},
	{"unreachable IPv6 gateway", actionAdd, apiRoute("2001:db8:b::/48", via("2001:db8:9::9")),
		refused{codes.FailedPrecondition, "GATEWAY_UNREACHABLE", "EHOSTUNREACH", "", "", "2001:db8:9::9"}},
	{"own address as IPv6 gateway", actionAdd, apiRoute("2001:db8:b::/48", via("2001:db8:1::1")),
		refused{codes.InvalidArgument, "MALFORMED", "EINVAL", "Gateway can not be a local address", "", "2001:db8:1::1"}},
	{"foreign prefsrc", actionAdd, good4(prefsrc("10.9.9.9")),
		refused{codes.FailedPrecondition, "ADDRESS_NOT_LOCAL", "EINVAL", "Invalid prefsrc address", "", "10.9.9.9"}},
	{"foreign IPv6 prefsrc", actionAdd, good6(prefsrc("2001:db8:9::9")),
		refused{codes.FailedPrecondition, "ADDRESS_NOT_LOCAL", "EINVAL", "Invalid source address", "", "2001:db8:9::9"}},
	{"next hop of a blackhole", actionAdd, good4(kind(blackhole)), contradiction("Gateway, device and multipath can not be specified for this route type")},
	{"scope nowhere", actionAdd, good4(scope(255)), contradiction("Invalid scope")},
	{"gateway of a link route", actionAdd, good4(scope(253)), contradiction("Nexthop has invalid scope")},
	{"gateway of a host route", actionAdd, good4(scope(254)), contradiction("Route with host scope can not have a gateway")},
	{"IPv6 list with a device-only next hop", actionAdd, apiRoute("2001:db8:b::/48", via("2001:db8:1::2"), dev("swp2")),
		contradiction("Device only routes can not be added for IPv6 using the multipath API")},
	{"IPv6 list of one device-only next hop", actionAdd, apiRoute("2001:db8:b::/48", dev("swp2"), multipath),
		contradiction("Device only routes can not be added for IPv6 using the multipath API")},
	{"IPv6 list with a next hop twice", actionAdd, apiRoute("2001:db8:b::/48", via("2001:db8:1::2", "2001:db8:1::2")), routeExists},

	{"add what exists", actionAdd, apiRoute("192.0.2.0/24", via("10.0.2.2")), routeExists},
	{"add what exists in IPv6", actionAdd, apiRoute("2001:db8:a::/48", via("2001:db8:2::2")), routeExists},
	{"append what exists", actionAppend, apiRoute("192.0.2.0/24", via("10.0.1.2")), routeExists},
	{"prepend what exists", actionPrepend, apiRoute("192.0.2.0/24", via("10.0.1.2")), routeExists},
	{"append an IPv6 sibling twice", actionAppend, apiRoute("2001:db8:a::/48", via("2001:db8:1::2")), routeExists},
	{"change what is not there", actionChange, good4(), notFound("ENOENT", "")},
	{"change another metric", actionChange, apiRoute("192.0.2.0/24", via("10.0.1.2"), metric(7)), notFound("ENOENT", "")},
	{"change an IPv6 route that is not there", actionChange, good6(), notFound("ENOENT", "Can not replace route - no match found")},
	{"change another IPv6 metric", actionChange, apiRoute("2001:db8:a::/48", via("2001:db8:1::2"), metric(7)), notFound("ENOENT", "")},
	{"delete what is not there", actionDelete, apiRoute("198.51.100.0/24"), notFound("ESRCH", "")},
	{"delete another metric", actionDelete, apiRoute("192.0.2.0/24", metric(7)), notFound("ESRCH", "")},
	{"delete another protocol", actionDelete, apiRoute("192.0.2.0/24", proto8(186)), notFound("ESRCH", "")},
	{"delete another type", actionDelete, apiRoute("192.0.2.0/24", kind(blackhole)), notFound("ESRCH", "")},
	{"delete another gateway", actionDelete, apiRoute("192.0.2.0/24", via("10.0.1.3")), notFound("ESRCH", "")},
	{"delete another scope", actionDelete, apiRoute("192.0.2.0/24", scope(253)), notFound("ESRCH", "")},
	{"delete another tos", actionDelete, apiRoute("192.0.2.0/24", tos(16)), notFound("ESRCH", "")},
	{"delete another prefsrc", actionDelete, apiRoute("192.0.2.0/24", prefsrc("10.0.1.1")), notFound("ESRCH", "")},
	{"delete other metrics", actionDelete, apiRoute("192.0.2.0/24", hopLimit(9)), notFound("ESRCH", "")},
	{"delete an IPv6 route that is not there", actionDelete, apiRoute("2001:db8:b::/48"), notFound("ESRCH", "")},
	{"delete another source prefix", actionDelete, apiRoute("2001:db8:a::/48", source("2001:db8::/32")), notFound("ESRCH", "")},
	{"delete from no table", actionDelete, apiRoute("192.0.2.0/24", table(100)), noTable},
	{"delete from no IPv6 table", actionDelete, apiRoute("2001:db8:a::/48", table(100)), noTable},
}

// refusalState makes what refusalsByState expect.
func refusalState(r *apiRig) {
	r.t.Helper()
	must(r.links.CreateLink(r.ctx(), &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: "swp3"}}))(r.t)
	r.add(apiRoute("192.0.2.0/24", via("10.0.1.2")), apiRoute("2001:db8:a::/48", via("2001:db8:1::2")))
	r.quiet()
}

// Every refusal says the same, whichever way the operation comes, and changes nothing.
func TestARefusedOperationSaysWhyAndChangesNothing(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		refusalState(r)
		before := r.everything()
		for _, c := range slices.Concat(refusalsByForm, refusalsByState) {
			t, r := r.in(c.name)
			for _, wait := range []bool{false, true} {
				_, err := r.routes.ModifyRoute(r.ctx(), &vasicv1.ModifyRouteRequest{Action: c.action, Route: c.route, WaitForHardware: wait})
				c.want.checkErr(t, err)
			}
			s := r.stream()
			s.send(&vasicv1.RouteOperation{Id: 9, Action: c.action, Route: c.route, ReportHardware: true})
			s.closeSend()
			results := s.rest()
			if len(results) != 1 {
				t.Fatalf("%d answers, want 1: %v", len(results), results)
			}
			if res := results[0]; res.Id != 9 || res.Status != statusRefused || res.Revision != 0 || res.RouteId != 0 || res.Generation != 0 {
				t.Errorf("answered with %v", res)
			}
			c.want.check(t, refusalOfResult(results[0]))
			r.quiet()
			r.unchanged(before)
		}
	})
}

func TestAFullTableRefusesAtOnceInProfileNetdevsim(t *testing.T) {
	cfg := server.Config{Profile: "netdevsim", Resources: map[string]uint64{"IPv4/fib": 8, "IPv6/fib": 9}}
	inAPIBubble(t, cfg, func(t *testing.T, r *apiRig) {
		r.add(good4(), apiRoute("192.0.2.0/24", via("10.0.1.2")))
		r.quiet()
		full := refused{
			codes.ResourceExhausted, "TABLE_FULL", "EPERM", "netdevsim: Exceeded number of supported fib entries", "", "the hardware table is full",
		}
		before := r.everything()
		for _, route := range []*vasicv1.Route{apiRoute("203.0.113.0/24", via("10.0.1.2")), apiRoute("192.0.2.0/24", via("10.0.2.2"))} {
			_, err := r.modify(actionReplace, route)
			full.checkErr(t, err)
			s := r.stream()
			s.send(&vasicv1.RouteOperation{Action: actionReplace, Route: route, ReportHardware: true})
			s.closeSend()
			if results := s.rest(); len(results) != 1 {
				t.Errorf("answers %v", results)
			} else {
				full.check(t, refusalOfResult(results[0]))
			}
		}
		r.quiet()
		r.unchanged(before)
	})
}

func TestRefusalsQuoteNoMoreThanTheyHaveTo(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		s := r.stream()
		for _, prefix := range []string{strings.Repeat("\x01", 100_000), strings.Repeat("ü", 100_000), strings.Repeat("€", 341)} {
			s.send(&vasicv1.RouteOperation{Action: actionAdd, Route: &vasicv1.Route{Prefix: prefix}})
			text := s.next(1)[0].Error.GetMessage()
			if len(text) > 1024 || !strings.HasSuffix(text, " …") || !utf8.ValidString(text) {
				t.Errorf("%d bytes: %.20s … %s", len(text), text, text[max(0, len(text)-20):])
			}
			_, err := r.modify(actionAdd, &vasicv1.Route{Prefix: prefix})
			if text := status.Convert(err).Message(); len(text) > 1024 || !utf8.ValidString(text) {
				t.Errorf("%d bytes of a status", len(text))
			}
		}
	})
}
