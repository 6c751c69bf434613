package server_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

const (
	kindAdded    = vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED
	kindReplaced = vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED
	kindDeleted  = vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED
	kindFlags    = vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED
)

// watchSelection is a filter, and the same in other words. Of a snapshot the kind is 0.
type watchSelection struct {
	filter *vasicv1.WatchFilter
	holds  func(kind vasicv1.EventKind, r *vasicv1.Route, p netip.Prefix) bool
}

var watchSelections = map[string]watchSelection{
	"no filter": {nil, func(vasicv1.EventKind, *vasicv1.Route, netip.Prefix) bool { return true }},
	"family IPv4": {&vasicv1.WatchFilter{Family: family4}, func(_ vasicv1.EventKind, _ *vasicv1.Route, p netip.Prefix) bool {
		return p.Addr().Is4()
	}},
	"family IPv6": {&vasicv1.WatchFilter{Family: family6}, func(_ vasicv1.EventKind, _ *vasicv1.Route, p netip.Prefix) bool {
		return p.Addr().Is6()
	}},
	"table": {&vasicv1.WatchFilter{Table: 100}, func(_ vasicv1.EventKind, r *vasicv1.Route, _ netip.Prefix) bool { return r.Table == 100 }},
	"within prefix": {&vasicv1.WatchFilter{WithinPrefix: "198.51.0.0/16"}, func(_ vasicv1.EventKind, _ *vasicv1.Route, p netip.Prefix) bool {
		return within(p, "198.51.0.0/16")
	}},
	"within IPv6 prefix": {&vasicv1.WatchFilter{WithinPrefix: "2001:db8:b::/48"}, func(_ vasicv1.EventKind, _ *vasicv1.Route, p netip.Prefix) bool {
		return within(p, "2001:db8:b::/48")
	}},
	"within everything of IPv4": {&vasicv1.WatchFilter{WithinPrefix: "0.0.0.0/0"}, func(_ vasicv1.EventKind, _ *vasicv1.Route, p netip.Prefix) bool {
		return p.Addr().Is4()
	}},
	"nothing": {&vasicv1.WatchFilter{Family: family4, WithinPrefix: "2001:db8::/32"}, func(vasicv1.EventKind, *vasicv1.Route, netip.Prefix) bool { return false }},
	"protocol": {&vasicv1.WatchFilter{Protocol: proto.Uint32(186)}, func(_ vasicv1.EventKind, r *vasicv1.Route, _ netip.Prefix) bool {
		return r.Protocol == 186
	}},
	"protocol 0": {&vasicv1.WatchFilter{Protocol: proto.Uint32(0)}, func(vasicv1.EventKind, *vasicv1.Route, netip.Prefix) bool { return false }},
	"kinds": {&vasicv1.WatchFilter{Kinds: []vasicv1.EventKind{kindAdded, kindDeleted}}, func(k vasicv1.EventKind, _ *vasicv1.Route, _ netip.Prefix) bool {
		return k == 0 || k == kindAdded || k == kindDeleted
	}},
	"replaced": {&vasicv1.WatchFilter{Kinds: []vasicv1.EventKind{kindReplaced}}, func(k vasicv1.EventKind, _ *vasicv1.Route, _ netip.Prefix) bool {
		return k == 0 || k == kindReplaced
	}},
	"flags changed": {&vasicv1.WatchFilter{Kinds: []vasicv1.EventKind{kindFlags, kindFlags}}, func(k vasicv1.EventKind, _ *vasicv1.Route, _ netip.Prefix) bool {
		return k == 0 || k == kindFlags
	}},
	"no flags": {&vasicv1.WatchFilter{Flags: []vasicv1.RouteFlag{flagNone}}, func(_ vasicv1.EventKind, r *vasicv1.Route, _ netip.Prefix) bool {
		return !r.Offload && !r.Trap && !r.OffloadFailed
	}},
	"offload": {&vasicv1.WatchFilter{Flags: []vasicv1.RouteFlag{flagOffload}}, func(_ vasicv1.EventKind, r *vasicv1.Route, _ netip.Prefix) bool { return r.Offload }},
	"trap or failed": {&vasicv1.WatchFilter{Flags: []vasicv1.RouteFlag{flagTrap, flagFailed}}, func(_ vasicv1.EventKind, r *vasicv1.Route, _ netip.Prefix) bool {
		return r.Trap || r.OffloadFailed
	}},
	"everything at once": {&vasicv1.WatchFilter{
		Family: family4, Table: 254, WithinPrefix: "198.0.0.0/8", Protocol: proto.Uint32(3), Kinds: []vasicv1.EventKind{kindFlags},
		Flags: []vasicv1.RouteFlag{flagOffload},
	}, func(k vasicv1.EventKind, r *vasicv1.Route, p netip.Prefix) bool {
		return (k == 0 || k == kindFlags) && within(p, "198.0.0.0/8") && r.Table == 254 && r.Protocol == 3 && r.Offload
	}},
}

func TestAWatchSelectsWhatItsFilterSays(t *testing.T) {
	inAPIBubble(t, server.Config{NotifyIPv4: fib.NotifyAll, NotifyIPv6: fib.NotifyAll}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		start := r.status().Revision
		variety(r)
		must(r.modify(actionReplace, apiRoute("198.51.100.0/25", via("10.0.1.2"), proto8(186))))(t)
		must(r.modify(actionReplace, apiRoute("2001:db8:b:1::/64", via("2001:db8:2::4"))))(t)
		must(r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: &vasicv1.RouteFilter{Device: "swp1", Protocol: proto.Uint32(3)}}))(t)
		r.add(good4(), good6())
		synctest.Wait()

		all := r.watch(&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{Revision: start}})
		must(all.next())(t)                                    // created
		events := all.events(int(r.status().Revision - start)) //nolint:gosec // small
		state := r.list(nil)
		for name, s := range watchSelections {
			prefix := func(route *vasicv1.Route) netip.Prefix { return netip.MustParsePrefix(route.Prefix) }
			var want []string
			for _, route := range state {
				if s.holds(0, route, prefix(route)) {
					want = append(want, "snapshot "+describe(route))
				}
			}
			got := r.watch(&vasicv1.WatchRequest{Filter: s.filter}).until("synced")
			wantEqual(t, "snapshot: "+name, got[1:len(got)-1], want)

			want = nil
			for _, e := range events {
				if s.holds(e.Kind, e.Route, prefix(e.Route)) {
					want = append(want, lines(&vasicv1.WatchResponse{Events: []*vasicv1.Event{e}})...)
				}
			}
			resumed := r.watch(&vasicv1.WatchRequest{Filter: s.filter, ResumeAfter: &vasicv1.ResumeToken{Revision: start}})
			got = resumed.until("synced")
			wantEqual(t, "events: "+name, got[1:len(got)-1], want)
			if end := got[len(got)-1]; end != fmt.Sprint("synced ", events[len(events)-1].Revision) {
				t.Errorf("%s: %s", name, end)
			}
			if len(want) == len(events) != (name == "no filter") || len(want) == 0 && name != "nothing" && name != "protocol 0" {
				t.Errorf("the test selects %d of %d events by %s and so shows nothing", len(want), len(events), name)
			}
		}
		for _, k := range []vasicv1.EventKind{kindAdded, kindReplaced, kindDeleted, kindFlags} {
			if !slices.ContainsFunc(events, func(e *vasicv1.Event) bool { return e.Kind == k }) {
				t.Errorf("the test met no %v", k)
			}
		}
	})
}

func TestAWatchWithAFilterFollowsAsWell(t *testing.T) {
	inAPIBubble(t, server.Config{NotifyIPv4: fib.NotifyFailures, NotifyIPv6: fib.NotifyAll}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		head := r.status().Revision
		failures := r.watch(&vasicv1.WatchRequest{LiveOnly: true, Filter: &vasicv1.WatchFilter{Kinds: []vasicv1.EventKind{kindFlags}}})
		failures.until("synced")
		r.add(good4())
		synctest.Wait()
		r.set("fail_route_offload", &vasicv1.Settings{FailRouteOffload: true})
		r.add(apiRoute("192.0.2.0/24", via("10.0.1.2")))
		synctest.Wait()
		r.add(good6())
		var got []string
		for _, e := range failures.events(2) {
			got = append(got, fmt.Sprint(e.Revision-head, " ", describe(e.Route), " ", e.Route.FailureReason))
		}
		wantEqual(t, "failures", got, []string{
			"3 192.0.2.0/24 offload_failed FAILURE_REASON_INJECTED", "5 2001:db8:b::/48 offload_failed FAILURE_REASON_INJECTED",
		})
		wantEqual(t, "bookmark", failures.until("bookmark"), []string{fmt.Sprint("bookmark ", head+5)})
	})
}
