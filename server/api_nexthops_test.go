package server_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

const (
	multipathGroup = vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_MULTIPATH
	resilientGroup = vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_RESILIENT
)

func (r *apiRig) createObject(o *vasicv1.NextHopObject) (*vasicv1.NextHopObject, error) {
	res, err := r.hops.CreateNextHop(r.ctx(), &vasicv1.CreateNextHopRequest{NextHop: o})
	return res.GetNextHop(), err
}

func (r *apiRig) replaceObject(o *vasicv1.NextHopObject) (*vasicv1.NextHopObject, error) {
	res, err := r.hops.ReplaceNextHop(r.ctx(), &vasicv1.ReplaceNextHopRequest{NextHop: o})
	return res.GetNextHop(), err
}

func (r *apiRig) deleteObject(id uint32) error {
	_, err := r.hops.DeleteNextHop(r.ctx(), &vasicv1.DeleteNextHopRequest{Id: id})
	return err
}

func (r *apiRig) objects(req *vasicv1.ListNextHopsRequest) []*vasicv1.NextHopObject {
	r.t.Helper()
	return listed(r.t, must(r.hops.ListNextHops(r.ctx(), req))(r.t), (*vasicv1.ListNextHopsResponse).GetNextHops)
}

func (r *apiRig) objectIDs(req *vasicv1.ListNextHopsRequest) (ids []uint32) {
	r.t.Helper()
	for _, o := range r.objects(req) {
		ids = append(ids, o.Id)
	}
	return ids
}

// members are next hops of a group with equal weights.
func members(ids ...uint32) (list []*vasicv1.NextHopGroupMember) {
	for _, id := range ids {
		list = append(list, &vasicv1.NextHopGroupMember{Id: id})
	}
	return list
}

// twoObjects makes 1 and 2, and 10, a group of both.
func (r *apiRig) twoObjects() {
	r.t.Helper()
	must(r.createObject(&vasicv1.NextHopObject{Id: 1, Gateway: "10.0.1.2"}))(r.t)
	must(r.createObject(&vasicv1.NextHopObject{Id: 2, Gateway: "10.0.2.2", Device: "swp2"}))(r.t)
	must(r.createObject(&vasicv1.NextHopObject{Id: 10, Group: members(1, 2)}))(r.t)
}

func nhid(id uint32) func(*vasicv1.Route) { return func(r *vasicv1.Route) { r.NextHopId = id } }

func TestNextHopObjectsAreMadeAndListed(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		for _, c := range []struct{ in, out *vasicv1.NextHopObject }{
			{&vasicv1.NextHopObject{Id: 1, Gateway: "10.0.1.2", Protocol: 186}, &vasicv1.NextHopObject{Id: 1, Family: family4, Gateway: "10.0.1.2", Device: "swp1", Protocol: 186, Scope: 253}},
			{&vasicv1.NextHopObject{Id: 2, Device: "swp2"}, &vasicv1.NextHopObject{Id: 2, Family: family4, Device: "swp2", Scope: 254}},
			{
				&vasicv1.NextHopObject{Id: 3, Gateway: "2001:db8:7::9", Device: "swp2", Onlink: true, Family: family6},
				&vasicv1.NextHopObject{Id: 3, Family: family6, Gateway: "2001:db8:7::9", Device: "swp2", Onlink: true, Scope: 253},
			},
			{&vasicv1.NextHopObject{Id: 4, Blackhole: true, Trap: true, Dead: true}, &vasicv1.NextHopObject{Id: 4, Family: family4, Blackhole: true}},
			{
				&vasicv1.NextHopObject{Id: 10, Group: []*vasicv1.NextHopGroupMember{{Id: 2, Weight: 256}, {Id: 1}}},
				&vasicv1.NextHopObject{Id: 10, Family: family4, Group: []*vasicv1.NextHopGroupMember{{Id: 2, Weight: 256}, {Id: 1, Weight: 1}}, GroupType: multipathGroup},
			},
			{
				&vasicv1.NextHopObject{Id: 11, Group: members(1, 2), GroupType: resilientGroup, Resilient: &vasicv1.ResilientParameters{Buckets: proto.Uint32(4), UnbalancedTimer: proto.Uint32(7)}},
				&vasicv1.NextHopObject{
					Id: 11, Family: family4, Group: []*vasicv1.NextHopGroupMember{{Id: 1, Weight: 1}, {Id: 2, Weight: 1}}, GroupType: resilientGroup,
					Resilient: &vasicv1.ResilientParameters{Buckets: proto.Uint32(4), IdleTimer: proto.Uint32(12000), UnbalancedTimer: proto.Uint32(7)},
				},
			},
		} {
			got := must(r.createObject(c.in))(t)
			got.Offload, got.Trap = false, false // hardware's business
			if !proto.Equal(got, c.out) {
				t.Errorf("%v\nbecame %v\nwant   %v", c.in, got, c.out)
			}
			r.quiet()
			again := must(r.hops.GetNextHop(r.ctx(), &vasicv1.GetNextHopRequest{Id: c.in.Id}))(t).NextHop
			if !again.Offload || again.Trap {
				t.Errorf("not in hardware: %v", again)
			}
		}
		if chosen := must(r.createObject(&vasicv1.NextHopObject{Device: "swp1"}))(t); chosen.Id == 0 {
			t.Errorf("no id was chosen: %v", chosen)
		} else if err := r.deleteObject(chosen.Id); err != nil {
			t.Error(err)
		}
		wantEqual(t, "all", r.objectIDs(&vasicv1.ListNextHopsRequest{}), []uint32{1, 2, 3, 4, 10, 11})
		wantEqual(t, "groups", r.objectIDs(&vasicv1.ListNextHopsRequest{Groups: true}), []uint32{10, 11})
		wantEqual(t, "swp2", r.objectIDs(&vasicv1.ListNextHopsRequest{Device: "swp2"}), []uint32{2, 3})
		wantEqual(t, "protocol", r.objectIDs(&vasicv1.ListNextHopsRequest{Protocol: proto.Uint32(186)}), []uint32{1})
		wantEqual(t, "IPv6", r.objectIDs(&vasicv1.ListNextHopsRequest{Family: family6}), []uint32{3})
		var buckets []string
		for _, b := range listed(t, must(r.hops.ListBuckets(r.ctx(), &vasicv1.ListBucketsRequest{}))(t), (*vasicv1.ListBucketsResponse).GetBuckets) {
			buckets = append(buckets, fmt.Sprintf("%d/%d to %d offload=%t trap=%t", b.Id, b.Index, b.NextHopId, b.Offload, b.Trap))
		}
		if len(buckets) != 4 || buckets[0][:8] != "11/0 to " {
			t.Errorf("buckets %q", buckets)
		}
	})
}

func TestRoutesFollowTheirNextHopObject(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.twoObjects()
		r.add(apiRoute("192.0.2.0/24", nhid(10)), apiRoute("192.0.3.0/24", nhid(1)), good4())
		r.quiet()
		route := r.get("192.0.2.0/24")
		if !route.Offload || route.NextHopId != 10 || len(route.NextHops) != 2 || !route.NextHops[1].Offload || len(route.NextHopObject.GetGroup()) != 2 || !route.NextHopObject.Offload {
			t.Errorf("with a group: %v", route)
		}
		wantEqual(t, "filter", prefixes(r.list(&vasicv1.RouteFilter{NextHopId: 1})), []string{"192.0.3.0/24"})
		watch := r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		watch.until("synced")
		routesOnly := r.watch(&vasicv1.WatchRequest{LiveOnly: true, Filter: &vasicv1.WatchFilter{Table: 254}})
		routesOnly.until("synced")
		must(r.replaceObject(&vasicv1.NextHopObject{Id: 1, Gateway: "10.0.1.3"}))(t)
		r.quiet()
		if hops := r.get("192.0.3.0/24").NextHops; hops[0].Gateway != "10.0.1.3" || !hops[0].Offload {
			t.Errorf("the route did not follow: %v", hops)
		}
		r.set("nexthop_compat_mode", &vasicv1.Settings{})
		if route := r.get("192.0.3.0/24"); len(route.NextHops) != 0 || route.NextHopObject.GetGateway() != "10.0.1.3" {
			t.Errorf("without compat mode: %v", route)
		}
		must(r.createObject(&vasicv1.NextHopObject{Id: 5, Blackhole: true}))(t)
		if err := r.deleteObject(1); err != nil {
			t.Fatal(err)
		}
		line := func(e *vasicv1.Event) string {
			kind := vasicv1.EventKind_name[int32(e.Kind)][len("EVENT_KIND_"):]
			if e.NextHopObject != nil {
				return fmt.Sprintf("%s %d %d", kind, e.NextHopObject.Id, len(e.NextHopObject.Group))
			}
			return fmt.Sprintf("%s %s nhid %d, %d hops, silent=%t", kind, e.Route.Prefix, e.Route.NextHopId, len(e.Route.NextHops), e.Silent)
		}
		var got []string
		for _, e := range watch.events(8) {
			got = append(got, line(e))
		}
		wantEqual(t, "events", got, []string{
			"NEXT_HOP_REPLACED 1 0", "ROUTE_REPLACED 192.0.3.0/24 nhid 1, 1 hops, silent=false", "ROUTE_REPLACED 192.0.2.0/24 nhid 10, 2 hops, silent=false",
			"NEXT_HOP_ADDED 5 0", "NEXT_HOP_DELETED 1 0", "ROUTE_DELETED 192.0.3.0/24 nhid 1, 0 hops, silent=true", "NEXT_HOP_REPLACED 10 1",
			"ROUTE_REPLACED 192.0.2.0/24 nhid 10, 0 hops, silent=true",
		})
		got = nil
		for _, e := range routesOnly.events(4) { // objects are in no table
			got = append(got, line(e))
		}
		wantEqual(t, "events about routes", got, []string{
			"ROUTE_REPLACED 192.0.3.0/24 nhid 1, 1 hops, silent=false", "ROUTE_REPLACED 192.0.2.0/24 nhid 10, 2 hops, silent=false",
			"ROUTE_DELETED 192.0.3.0/24 nhid 1, 0 hops, silent=true", "ROUTE_REPLACED 192.0.2.0/24 nhid 10, 0 hops, silent=true",
		})
		res := must(r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: &vasicv1.RouteFilter{NextHopId: 10}}))(t)
		if res.Deleted != 1 {
			t.Errorf("flush by id: %v", res)
		}
	})
}

func TestNextHopEventsOfAFamily(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		w := r.watch(&vasicv1.WatchRequest{LiveOnly: true, Filter: &vasicv1.WatchFilter{
			Family: family6, Kinds: []vasicv1.EventKind{vasicv1.EventKind_EVENT_KIND_NEXT_HOP_ADDED},
		}})
		w.until("synced")
		must(r.createObject(&vasicv1.NextHopObject{Id: 1, Device: "swp1"}))(t)
		must(r.createObject(&vasicv1.NextHopObject{Id: 2, Device: "swp1", Family: family6}))(t)
		if e := w.events(1)[0]; e.NextHopObject.GetId() != 2 || e.Route != nil {
			t.Errorf("got %v", e)
		}
	})
}

func TestNextHopRefusals(t *testing.T) {
	inAPIBubble(t, server.Config{Profile: "netdevsim", Resources: map[string]uint64{"nexthops": 4}}, func(t *testing.T, r *apiRig) {
		r.twoObjects() // 1 + 1 + 2
		must(r.createLink("swp3"))(t)
		r.quiet()
		before := r.everything()
		create := func(o *vasicv1.NextHopObject) error {
			_, err := r.createObject(o)
			return err
		}
		replace := func(o *vasicv1.NextHopObject) error {
			_, err := r.replaceObject(o)
			return err
		}
		route := func(route *vasicv1.Route) error {
			_, err := r.modify(actionAdd, route)
			return err
		}
		buckets := func(id uint32) error {
			_, err := must(r.hops.ListBuckets(r.ctx(), &vasicv1.ListBucketsRequest{Id: id}))(t).Recv()
			return err
		}
		says := func(want refused, kernel string) refused {
			want.kernel = kernel
			return want
		}
		missing := refused{codes.NotFound, "NEXT_HOP_NOT_FOUND", "ENOENT", "", "", "99"}
		for i, c := range []struct {
			err  error
			want refused
		}{
			{create(nil), malformed("next_hop", "is missing")},
			{create(&vasicv1.NextHopObject{Id: 9}), says(malformed("next_hop", "has neither"), "Invalid address family")},
			{create(&vasicv1.NextHopObject{Id: 9, Family: family4}), says(malformed("next_hop", "has neither"), "Device attribute required for non-blackhole and non-fdb nexthops")},
			{create(&vasicv1.NextHopObject{Id: 9, Family: 3, Device: "swp1"}), unknownEnum("next_hop.family", "3")},
			{create(&vasicv1.NextHopObject{Id: 9, Device: "swp1", Protocol: 256}), outOfRange("next_hop.protocol", "256")},
			{create(&vasicv1.NextHopObject{Id: 9, Gateway: "10.0.1"}), malformed("next_hop.gateway", `"10.0.1"`)},
			{create(&vasicv1.NextHopObject{Id: 9, Gateway: "0.0.0.0"}), says(malformed("next_hop.gateway", "0.0.0.0"), "Invalid gateway")},
			{create(&vasicv1.NextHopObject{Id: 9, Gateway: "10.0.1.2", Family: family6}), says(mismatch("next_hop.gateway", `"10.0.1.2" is not an IPv6 address`), "Invalid gateway")},
			{create(&vasicv1.NextHopObject{Id: 9, Device: "swp1", Onlink: true}), says(malformed("next_hop.onlink", ""), "ONLINK flag can not be set for nexthop without a gateway")},
			{create(&vasicv1.NextHopObject{Id: 9, Device: "swp1", Blackhole: true}), says(malformed("next_hop.blackhole", ""), "Blackhole attribute can not be used with gateway, oif, encap or fdb")},
			{create(&vasicv1.NextHopObject{Id: 9, Device: "swp1", Group: members(1)}), says(malformed("next_hop.group", ""), "No other attributes can be set in nexthop groups")},
			{create(&vasicv1.NextHopObject{Id: 9, Family: family4, Group: members(1)}), says(malformed("next_hop.family", ""), "Invalid family for group")},
			{create(&vasicv1.NextHopObject{Id: 9, Group: members(0)}), says(malformed("next_hop.group.id", "is missing"), "Invalid nexthop id")},
			{create(&vasicv1.NextHopObject{Id: 9, Group: []*vasicv1.NextHopGroupMember{{Id: 1, Weight: 257}}}), says(outOfRange("next_hop.group.weight", "257"), "Invalid value for weight")},
			{create(&vasicv1.NextHopObject{Id: 9, Group: members(1), GroupType: 3}), unknownEnum("next_hop.group_type", "3")},
			{create(&vasicv1.NextHopObject{Id: 9, Device: "swp1", GroupType: multipathGroup}), says(malformed("next_hop.group_type", ""), "Group type must be specified with a group")},
			{create(&vasicv1.NextHopObject{Id: 9, Group: members(1), Resilient: &vasicv1.ResilientParameters{}}), malformed("next_hop.resilient", "is for resilient groups")},
			{
				create(&vasicv1.NextHopObject{Id: 9, Group: members(1), GroupType: resilientGroup, Resilient: &vasicv1.ResilientParameters{Buckets: proto.Uint32(0)}}),
				says(outOfRange("next_hop.resilient.buckets", "0 is not between 1 and 65535"), "Number of buckets needs to be non-0"),
			},
			{
				create(&vasicv1.NextHopObject{Id: 9, Group: members(1), GroupType: resilientGroup, Resilient: &vasicv1.ResilientParameters{Buckets: proto.Uint32(65536)}}),
				outOfRange("next_hop.resilient.buckets", "65536"),
			},
			{create(&vasicv1.NextHopObject{Id: 1, Gateway: "10.0.1.2"}), refused{codes.AlreadyExists, "NEXT_HOP_EXISTS", "EEXIST", "", "", "1"}},
			{create(&vasicv1.NextHopObject{Id: 9, Group: members(1, 99)}), refused{codes.NotFound, "NEXT_HOP_NOT_FOUND", "EINVAL", "Invalid nexthop id", "", "99"}},
			{create(&vasicv1.NextHopObject{Id: 9, Group: members(1, 1)}), refused{codes.InvalidArgument, "MALFORMED", "EINVAL", "Nexthop id can not be used twice in a group", "", ""}},
			{create(&vasicv1.NextHopObject{Id: 9, Device: "swp9"}), noLink("", `"swp9"`)},
			{create(&vasicv1.NextHopObject{Id: 9, Device: "swp3"}), refused{codes.FailedPrecondition, "LINK_DOWN", "ENETDOWN", "Nexthop device is not up", "", "swp3"}},
			{create(&vasicv1.NextHopObject{Id: 9, Device: "swp1"}), refused{codes.ResourceExhausted, "TABLE_FULL", "ENOSPC", "netdevsim: Exceeded number of supported nexthops", "", ""}},
			{replace(&vasicv1.NextHopObject{Id: 1, Gateway: "10.0.1.3"}), refused{codes.ResourceExhausted, "TABLE_FULL", "ENOSPC", "netdevsim: Exceeded number of supported nexthops", "", ""}},
			{replace(&vasicv1.NextHopObject{Device: "swp1"}), says(malformed("next_hop.id", "is missing"), "Invalid nexthop id")},
			{r.deleteObject(0), says(malformed("id", "is missing"), "Invalid nexthop id")},
			{r.deleteObject(99), missing},
			{func() error {
				_, err := r.hops.GetNextHop(r.ctx(), &vasicv1.GetNextHopRequest{Id: 99})
				return err
			}(), missing},
			{buckets(99), missing},
			{buckets(1), refused{codes.NotFound, "NEXT_HOP_NOT_FOUND", "EINVAL", "Not a nexthop group", "", ""}},
			{buckets(10), refused{codes.NotFound, "NEXT_HOP_NOT_FOUND", "EINVAL", "Nexthop group not of type resilient", "", ""}},
			{route(apiRoute("192.0.2.0/24", nhid(77))), refused{codes.NotFound, "NEXT_HOP_NOT_FOUND", "EINVAL", "Nexthop id does not exist", "", "77"}},
			{route(apiRoute("192.0.2.0/24", nhid(1), dev("swp1"))), says(malformed("route.next_hop_id", ""), "Nexthop specification and nexthop id are mutually exclusive")},
			{route(apiRoute("2001:db8:9::/64", nhid(1))), refused{codes.InvalidArgument, "MALFORMED", "EINVAL", "IPv6 routes can not use an IPv4 nexthop", "", ""}},
		} {
			c.want.checkErr(named{t, fmt.Sprint("case ", i)}, c.err)
		}
		r.unchanged(before)
	})
}
