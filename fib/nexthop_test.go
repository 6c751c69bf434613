package fib

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// object makes a next-hop object via a gateway.
func (r *rig) object(id uint32, gateway string) {
	r.t.Helper()
	_, err := r.SetNextHop(&NextHopObjectSpec{ID: id, Gateway: netip.MustParseAddr(gateway)}, true, true)
	r.must(err)
}

// group makes a group of next-hop objects.
func (r *rig) group(id uint32, members ...GroupMember) {
	r.t.Helper()
	_, err := r.SetNextHop(&NextHopObjectSpec{ID: id, Group: members}, true, true)
	r.must(err)
}

func TestNextHopChangesItsRoutes(t *testing.T) {
	r := newRig(t)
	r.object(1, "10.0.1.2")
	r.object(2, "10.0.2.2")
	r.group(10, GroupMember{1, 1}, GroupMember{2, 3})
	r.must(r.modify(Add, "192.0.2.0/24", 10))
	r.must(r.modify(Add, "198.51.100.0/24", 1))
	r.wantHeard(
		"neighbor 10.0.1.2 d1 true", "nexthop 1 10.0.1.2/1", "neighbor 10.0.2.2 d2 true", "nexthop 2 10.0.2.2/1",
		"nexthop 10 10.0.1.2/1 10.0.2.2/3", "replace 192.0.2.0/24", "replace 198.51.100.0/24",
	)
	r.sink.take()

	r.object(1, "10.0.1.3")
	r.wantHeard("neighbor 10.0.1.3 d1 true", "nexthop 1 10.0.1.3/1", "nexthop 10 10.0.1.3/1 10.0.2.2/3", "neighbor 10.0.1.2 d1 forgotten")
	r.wantEvents("next_hop_replaced 1", "route_replaced 198.51.100.0/24 nhid 1 of 1", "route_replaced 192.0.2.0/24 nhid 10 of 2")

	r.must(r.DeleteNextHop(1))
	r.wantHeard("delete 198.51.100.0/24", "nexthop 10 10.0.2.2/3", "nexthop 1 gone", "neighbor 10.0.1.3 d1 forgotten")
	r.wantEvents("next_hop_deleted 1", "route_deleted 198.51.100.0/24 nhid 1 of 1 silent", "next_hop_replaced 10", "route_replaced 192.0.2.0/24 nhid 10 of 1 silent")

	r.must(r.DeleteNextHop(2))
	r.wantHeard("delete 192.0.2.0/24", "nexthop 10 gone", "nexthop 2 gone", "neighbor 10.0.2.2 d2 forgotten")
	r.wantEvents("next_hop_deleted 2", "next_hop_deleted 10", "route_deleted 192.0.2.0/24 nhid 10 of 1 silent")
	if len(r.nextHops.byID) != 0 || len(r.neighbors.byKey) != 0 {
		t.Errorf("left: %d objects, %d neighbours", len(r.nextHops.byID), len(r.neighbors.byKey))
	}
}

func TestNextHopGoesWithItsLink(t *testing.T) {
	for name, lose := range map[string]func(*rig){
		"down":    func(r *rig) { r.set("d1", false, true) },
		"carrier": func(r *rig) { r.set("d1", true, false) },
		"delete":  func(r *rig) { r.must(r.DeleteLink("d1")) },
		"vrf": func(r *rig) {
			_, err := r.AddLink("red", LinkVRF, 10)
			r.must(err)
			_, err = r.SetLinkMaster("d1", "red")
			r.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.object(1, "10.0.1.2")
			r.object(2, "10.0.2.2")
			r.group(10, GroupMember{1, 1}, GroupMember{2, 1})
			r.must(r.modify(Add, "192.0.2.0/24", 10))
			lose(r)
			var ids []uint32
			r.NextHops(func(v *NextHopView) { ids = append(ids, v.ID) })
			if len(ids) != 2 || ids[0] != 2 || ids[1] != 10 {
				t.Errorf("objects left: %v", ids)
			}
			r.must(r.Get(TableMain, netip.MustParsePrefix("192.0.2.0/24"), netip.Prefix{}, 0, nil, func(v *Route) {
				if len(v.Info.NextHops) != 1 || v.NextHop == nil || len(v.NextHop.Members) != 1 {
					t.Errorf("the route has %d next hops, its object %v", len(v.Info.NextHops), v.NextHop)
				}
			}))
		})
	}
}

// A request that is refused leaves everything as it was, also when it is hardware that refuses.
func TestNextHopRefusals(t *testing.T) {
	r := newRig(t)
	r.object(1, "10.0.1.2")
	r.object(2, "2001:db8:1::2")
	_, err := r.SetNextHop(&NextHopObjectSpec{ID: 3, Blackhole: true}, true, false)
	r.must(err)
	r.group(10, GroupMember{1, 1})
	r.group(11, GroupMember{2, 1}, GroupMember{1, 1})
	r.must(r.modify(Add, "2001:db8:9::/48", 2))
	r.forget()
	gateway := netip.MustParseAddr("10.0.1.9")
	for name, c := range map[string]struct {
		spec            NextHopObjectSpec
		create, replace bool
		want            error
	}{
		"exists":                {NextHopObjectSpec{ID: 1, Gateway: gateway}, true, false, ErrNextHopExists},
		"missing":               {NextHopObjectSpec{ID: 7, Gateway: gateway}, false, true, ErrNextHopNotFound},
		"member missing":        {NextHopObjectSpec{ID: 20, Group: []GroupMember{{99, 1}}}, true, false, ErrNextHopNotFound},
		"group in a group":      {NextHopObjectSpec{ID: 20, Group: []GroupMember{{10, 1}}}, true, false, ErrInvalid},
		"member twice":          {NextHopObjectSpec{ID: 20, Group: []GroupMember{{1, 1}, {1, 1}}}, true, false, ErrInvalid},
		"blackhole among other": {NextHopObjectSpec{ID: 20, Group: []GroupMember{{1, 1}, {3, 1}}}, true, false, ErrInvalid},
		"group for a single":    {NextHopObjectSpec{ID: 1, Group: []GroupMember{{3, 1}}}, true, true, ErrInvalid},
		"single for a group":    {NextHopObjectSpec{ID: 10, Gateway: gateway}, true, true, ErrInvalid},
		"another type of group": {NextHopObjectSpec{ID: 10, Group: []GroupMember{{1, 1}}, Resilient: true}, true, true, ErrInvalid},
		"IPv4 for IPv6 routes":  {NextHopObjectSpec{ID: 2, Gateway: gateway}, true, true, ErrInvalid},
		"no link":               {NextHopObjectSpec{ID: 20, Device: "d9"}, true, false, ErrLinkNotFound},
		"unreachable":           {NextHopObjectSpec{ID: 20, Gateway: netip.MustParseAddr("10.9.9.9")}, true, false, ErrGatewayUnreachable},
		"no buckets":            {NextHopObjectSpec{ID: 20, Group: []GroupMember{{1, 1}}, Resilient: true, HasBuckets: true}, true, false, ErrInvalid},
	} {
		if _, err := r.SetNextHop(&c.spec, c.create, c.replace); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	r.hardware.refuse = "nexthop"
	if _, err := r.SetNextHop(&NextHopObjectSpec{ID: 1, Gateway: gateway}, true, true); !errors.Is(err, errRefused) {
		t.Errorf("refused by hardware: %v", err)
	}
	r.hardware.refuse = ""
	r.wantEvents()
	for prefix, id := range map[string]uint32{"192.0.2.0/24": 77, "2001:db8:8::/48": 1, "2001:db8:7::/48": 11} {
		if err := r.modify(Add, prefix, id); err == nil {
			t.Errorf("%s took object %d", prefix, id)
		}
	}
	if err := r.modify(Add, "192.0.2.0/24", 1, "10.0.1.2"); !errors.Is(err, ErrInvalid) {
		t.Errorf("an object and a gateway: %v", err)
	}
	r.must(r.modify(Add, "192.0.2.0/24", 3))
	r.must(r.Get(TableMain, netip.MustParsePrefix("192.0.2.0/24"), netip.Prefix{}, 0, nil, func(v *Route) {
		if v.Info.Effect() != TypeBlackhole {
			t.Errorf("a route to a blackhole is of type %d", v.Info.Effect())
		}
	}))
}

func bucketOwners(t *testing.T, r *rig, id uint32) (owners []uint32) {
	t.Helper()
	r.must(r.Buckets(id, func(v BucketView) { owners = append(owners, v.NextHopID) }))
	return owners
}

// Buckets stay with their next hop as long as that may be: while they are not idle for long enough.
func TestReplaceOfAResilientGroupKeepsWhatIsNotGiven(t *testing.T) {
	r := newRig(t)
	_, err := r.SetNextHop(&NextHopObjectSpec{ID: 1, Gateway: netip.MustParseAddr("10.0.1.2"), Device: "d1"}, true, false)
	r.must(err)
	for _, step := range []struct {
		spec NextHopObjectSpec
		want ResilientView
		ok   bool
	}{
		{NextHopObjectSpec{HasBuckets: true, Buckets: 8, HasIdleTimer: true, IdleTimer: 500, HasUnbalancedTimer: true, UnbalancedTimer: 70}, ResilientView{8, 500, 70, 0}, true},
		{NextHopObjectSpec{}, ResilientView{8, 500, 70, 0}, true},
		{NextHopObjectSpec{HasIdleTimer: true}, ResilientView{8, 0, 70, 0}, true},
		{NextHopObjectSpec{HasBuckets: true, Buckets: 8, HasUnbalancedTimer: true}, ResilientView{8, 0, 0, 0}, true},
		{NextHopObjectSpec{HasBuckets: true, Buckets: 128}, ResilientView{8, 0, 0, 0}, false},
	} {
		step.spec.ID, step.spec.Group, step.spec.Resilient = 10, []GroupMember{{1, 1}}, true
		if _, err := r.SetNextHop(&step.spec, true, true); (err == nil) != step.ok {
			t.Errorf("%+v: %v", step.spec, err)
		}
		r.must(r.NextHop(10, func(v *NextHopView) {
			if *v.Resilient != step.want {
				t.Errorf("%+v made %+v", step.spec, *v.Resilient)
			}
		}))
		buckets := 0
		r.must(r.Buckets(10, func(b BucketView) {
			if b.NextHopID == 1 {
				buckets++
			}
		}))
		if buckets != 8 {
			t.Errorf("%d buckets", buckets)
		}
	}
}

func TestResilientGroupKeepsBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.object(1, "10.0.1.2")
		r.object(2, "10.0.2.2")
		r.object(3, "10.0.2.3")
		set := func(members ...GroupMember) {
			t.Helper()
			_, err := r.SetNextHop(&NextHopObjectSpec{ID: 10, Group: members, Resilient: true, HasBuckets: true, Buckets: 4}, true, true)
			r.must(err)
		}
		want := func(want ...uint32) {
			t.Helper()
			got := bucketOwners(t, r, 10)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("buckets of %v, want %v", got, want)
				}
			}
		}
		set(GroupMember{1, 1}, GroupMember{2, 1})
		want(2, 2, 1, 1)
		time.Sleep(time.Minute)
		set(GroupMember{1, 1}, GroupMember{3, 1}) // those of 2 are free at once
		want(3, 3, 1, 1)
		set(GroupMember{1, 3}, GroupMember{3, 1})
		want(3, 3, 1, 1)
		r.must(r.NextHop(10, func(v *NextHopView) {
			if v.Resilient.UnbalancedTime != 0 || v.Resilient.IdleTimer != 12000 || v.Resilient.Buckets != 4 {
				t.Errorf("parameters: %+v", *v.Resilient)
			}
		}))
		time.Sleep(time.Minute)
		r.must(r.NextHop(10, func(v *NextHopView) {
			if v.Resilient.UnbalancedTime != 6000 {
				t.Errorf("out of balance for %d cs", v.Resilient.UnbalancedTime)
			}
		}))
		time.Sleep(time.Minute)
		synctest.Wait() // buckets move by themselves
		want(1, 3, 1, 1)
		r.must(r.DeleteNextHop(3))
		want(1, 1, 1, 1)
	})
}

func TestReplayAnnouncesObjectsAndRules(t *testing.T) {
	r := newRig(t)
	r.object(1, "10.0.1.2")
	r.must(r.modify(Add, "192.0.2.0/24", 1))
	r.Detach()
	r.forget()
	r.must(func() error { _, err := r.Attach(); return err }())
	heard := r.hardware.take()
	want := "nexthop 1 10.0.1.2/1\nrule IPv4 0 255 true\nrule IPv4 32766 254 true\nrule IPv4 32767 253 true\nrule IPv6 0 255 true"
	if len(heard) < len(want) || heard[:len(want)] != want {
		t.Errorf("replay began with\n%.300s", heard)
	}
	r.Detach()
	r.hardware.refuse = "nexthop"
	if _, err := r.Attach(); !errors.Is(err, errRefused) {
		t.Errorf("a refused replay: %v", err)
	}
}
