package asic_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// profile makes a profile that forwards, with what is in text beside.
func profile(t testing.TB, text string) *asic.Profile {
	t.Helper()
	p, err := asic.LoadProfile(strings.NewReader("name: test\nforwarding: switch\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// gateway makes a neighbour on a link.
func gateway(l *fib.Link, addr string) *fib.Neighbor {
	return &fib.Neighbor{Link: l, Addr: netip.MustParseAddr(addr)}
}

// via makes next hops of weight 1 to neighbours.
func via(ns ...*fib.Neighbor) (hops []fib.NextHop) {
	for _, n := range ns {
		hops = append(hops, fib.NextHop{Gateway: n.Addr, Link: n.Link, Weight: 1, Neighbor: n})
	}
	return hops
}

// route makes a unicast Info.
func route(hops ...fib.NextHop) *fib.Info { return &fib.Info{Type: fib.TypeUnicast, NextHops: hops} }

// replace makes a Replace of prefix i for one row.
func (r *rig) replace(i int, row uint32, info *fib.Info) fib.Op {
	op := r.op(fib.OpReplace, fib.IPv4, i, row)
	op.First.Info = info
	return op
}

// at returns the entry of prefix i in table main.
func (r *rig) at(i int) (e asic.Entry, ok bool) {
	pfx := r.op(fib.OpReplace, fib.IPv4, i, 1).Prefix
	r.View(func(v *asic.View) { e, ok = v.At(fib.IPv4, fib.TableMain, pfx) })
	return e, ok
}

// slots lists the slots of the next hops of prefix i.
func (r *rig) slots(i int) (list []uint32) {
	e, _ := r.at(i)
	for _, h := range e.Hops {
		list = append(list, h.Slots)
	}
	return list
}

func (r *rig) expectUsed(want ...string) {
	r.t.Helper()
	var got []string
	for _, res := range r.Resources() {
		if res.Occupancy > 0 {
			got = append(got, fmt.Sprintf("%s=%d", res.Path, res.Occupancy))
		}
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("occupancies %v, want %v", got, want)
	}
}

func TestNeighbourAndLinkDecideBetweenOffloadAndTrap(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		n := gateway(r.port, "10.0.1.2")
		r.submit(r.replace(1, 1, route(via(n)...)))
		r.expect("1:" + trapped)
		for i, step := range []struct {
			do   func()
			want []string
		}{
			{func() { r.NeighborChanged(n, true) }, []string{"1:" + offloaded}},
			{func() { r.NeighborChanged(n, true) }, nil},
			{func() { r.LinkChanged(r.port, false) }, []string{"1:" + trapped}},
			{func() { r.NeighborChanged(n, false) }, nil},
			{func() { r.LinkChanged(r.port, true) }, nil},
			{func() { r.NeighborChanged(n, true) }, []string{"1:" + offloaded}},
			{func() { r.NeighborChanged(n, false) }, []string{"1:" + trapped}},
		} {
			step.do()
			r.expect(step.want...)
			e, _ := r.at(1)
			if forwards := len(step.want) > 0 && step.want[0] == "1:"+offloaded; i != 1 && (n.Offloaded() != forwards || (e.Action == asic.Forward) != forwards) {
				t.Errorf("step %d: neighbour offloaded %v, entry %v", i, n.Offloaded(), e.Action)
			}
		}
	})
}

func TestEachKindOfRouteGetsTheFlagsOfItsKind(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		lo := &fib.Link{Name: "lo", Index: 1, Loopback: true}
		r.LinkChanged(lo, true)
		n := gateway(r.port, "10.0.1.2")
		r.NeighborChanged(n, true)
		for i, c := range []struct {
			info   *fib.Info
			tos    uint8
			want   string
			action asic.Action
		}{
			{route(via(n)...), 0, offloaded, asic.Forward},
			{route(via(n)...), 16, trapped, asic.Trap},
			{route(fib.NextHop{Link: r.port, Weight: 1}), 0, offloaded, asic.Forward},
			{route(fib.NextHop{Link: lo, Weight: 1}), 0, trapped, asic.Trap},
			{&fib.Info{Type: fib.TypeBlackhole}, 0, offloaded, asic.Drop},
			{&fib.Info{Type: fib.TypeBlackhole}, 16, trapped, asic.Trap},
			{&fib.Info{Type: fib.TypeUnreachable}, 0, trapped, asic.Trap},
			{&fib.Info{Type: fib.TypeProhibit}, 0, trapped, asic.Trap},
			{&fib.Info{Type: fib.TypeLocal, NextHops: []fib.NextHop{{Link: lo, Weight: 1}}}, 0, trapped, asic.Trap},
			{&fib.Info{Type: fib.TypeBroadcast, NextHops: []fib.NextHop{{Link: r.port, Weight: 1}}}, 0, trapped, asic.Trap},
			{&fib.Info{Type: fib.TypeThrow}, 0, failed, 255},
			{&fib.Info{Type: fib.TypeMulticast}, 0, failed, 255},
		} {
			op := r.replace(i, uint32(i+1), c.info)
			op.TOS = c.tos
			r.submit(op)
			r.expect(fmt.Sprintf("%d:%s", i+1, c.want))
			if e, ok := r.at(i); ok != (c.action != 255) || ok && e.Action != c.action {
				t.Errorf("case %d: entry %v %v, want %v", i, ok, e.Action, c.action)
			}
		}
	})
}

func TestIPv6KindsDifferFromIPv4(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		for i, c := range []struct {
			kind fib.Type
			want string
		}{{fib.TypeAnycast, trapped}, {fib.TypeThrow, trapped}, {fib.TypeMulticast, offloaded}, {fib.TypeBroadcast, trapped}} {
			op := r.op(fib.OpReplace, fib.IPv6, i, uint32(i+1))
			op.First.Info = &fib.Info{Type: c.kind, NextHops: []fib.NextHop{{Link: r.port, Weight: 1}}}
			r.submit(op)
			r.expect(fmt.Sprintf("%d:%s", i+1, c.want))
		}
		toMany := r.op(fib.OpReplace, fib.IPv6, 8, 8)
		toMany.Prefix = netip.MustParsePrefix("ff0e::/16")
		r.submit(toMany)
		r.expect("8:0")
		fromSomewhere := r.op(fib.OpReplace, fib.IPv6, 9, 9)
		fromSomewhere.Source = fromSomewhere.Prefix
		r.submit(fromSomewhere)
		r.expect("9:" + failed)
	})
}

func TestMultipathKeepsTheValidNextHops(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		a, b, c := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3"), gateway(r.port, "10.0.1.4")
		hops := via(a, b, c)
		hops[1].Weight, hops[2].Weight = 2, 4
		for _, n := range []*fib.Neighbor{a, b, c} {
			r.NeighborChanged(n, true)
		}
		r.submit(r.replace(1, 1, route(hops...)))
		r.expect("1:" + offloaded)
		r.expectUsed("IPv4/fib=1", "groups=1", "group-members=7", "hosts=3")
		for _, step := range []struct {
			n     *fib.Neighbor
			valid bool
			want  []string
			slots []uint32
		}{
			{a, false, nil, []uint32{0, 1, 2}},
			{c, false, nil, []uint32{0, 1, 0}},
			{b, false, []string{"1:" + trapped}, nil},
			{b, true, []string{"1:" + offloaded}, []uint32{0, 1, 0}},
			{a, true, nil, []uint32{1, 2, 0}},
		} {
			r.NeighborChanged(step.n, step.valid)
			r.expect(step.want...)
			if got := r.slots(1); !slices.Equal(got, step.slots) {
				t.Errorf("slots %v, want %v", got, step.slots)
			}
		}
		for n, want := range map[*fib.Neighbor]bool{a: true, b: true, c: false} {
			if n.Offloaded() != want {
				t.Errorf("%v offloaded: %v", n.Addr, n.Offloaded())
			}
		}
	})
}

func TestSlotsAreSharedByProportionWhereThereAreFew(t *testing.T) {
	p := profile(t, "max_group_slots: 8")
	inBubble(t, asic.Config{Profile: p}, func(r *rig) {
		a, b, c := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3"), gateway(r.port, "10.0.1.4")
		hops := via(a, b, c)
		hops[0].Weight, hops[1].Weight, hops[2].Weight = 1, 100, 155
		for _, n := range []*fib.Neighbor{a, b, c} {
			r.NeighborChanged(n, true)
		}
		r.submit(r.replace(1, 1, route(hops...)))
		r.settled()
		if got := r.slots(1); !slices.Equal(got, []uint32{1, 2, 4}) {
			t.Errorf("slots %v", got)
		}
	})
}

func TestRoutesWithTheSameNextHopsShareAGroup(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		a, b := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3")
		r.NeighborChanged(a, true)
		r.NeighborChanged(b, true)
		other := route(via(b, a)...)
		other.Protocol = 186
		r.submit(r.replace(1, 1, route(via(a, b)...)), r.replace(2, 2, other), r.replace(3, 3, route(via(a)...)))
		r.settled()
		r.expectUsed("IPv4/fib=3", "groups=2", "group-members=3", "hosts=2")
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1), r.op(fib.OpDelete, fib.IPv4, 3, 3))
		r.settled()
		r.expectUsed("IPv4/fib=1", "groups=1", "group-members=2", "hosts=2")
		r.submit(r.op(fib.OpDelete, fib.IPv4, 2, 2))
		r.settled()
		r.expectUsed()
		if a.Offloaded() || b.Offloaded() {
			t.Error("a neighbour that no route uses is offloaded")
		}
	})
}

func TestSiblingsAreJudgedAsOne(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		a, b, c := gateway(r.port, "fe80::2"), gateway(r.port, "fe80::3"), gateway(r.port, "fe80::4")
		r.NeighborChanged(b, true)
		op := r.op(fib.OpReplace, fib.IPv6, 1, 1)
		op.First.Info = route(via(a)...)
		r.submit(op)
		r.expect("1:" + trapped)
		more := r.op(fib.OpAppend, fib.IPv6, 1, 2, 3)
		more.First.Info, more.More[0].Info = route(via(b)...), route(via(c)...)
		r.submit(more)
		r.expect("1:"+offloaded, "2:"+offloaded, "3:"+offloaded)
		r.expectUsed("IPv6/fib=1", "groups=1", "group-members=1", "hosts=1")
		leave := r.op(fib.OpDelete, fib.IPv6, 1, 2)
		leave.Last = false
		r.submit(leave)
		r.expect("1:"+trapped, "3:"+trapped, "gone")
		r.NeighborChanged(a, true)
		r.expect("1:"+offloaded, "3:"+offloaded)
	})
}

func TestNextHopObjectChangesAllItsRoutes(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		a, b := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3")
		r.NeighborChanged(a, true)
		object := &fib.NextHopObject{}
		update := func(u fib.NextHopUpdate) {
			u.Object, u.ID = object, 7
			if err := r.AdmitNextHop(&u); err != nil {
				t.Fatal(err)
			}
			r.NextHopChanged(&u)
		}
		flags := func(want fib.Flags) {
			t.Helper()
			if got := object.Flags(); got != want {
				t.Errorf("the object's flags are %d, want %d", got, want)
			}
		}
		info := func() *fib.Info { return &fib.Info{Type: fib.TypeUnicast, NextHopID: 7, NextHops: nil} }
		r.submit(r.replace(9, 9, info()))
		r.expect("9:0") // an object that hardware has not heard of
		update(fib.NextHopUpdate{Hops: via(a)})
		r.submit(r.replace(1, 1, info()), r.replace(2, 2, info()))
		r.expect("1:"+offloaded, "2:"+offloaded)
		flags(fib.FlagOffload)
		update(fib.NextHopUpdate{Hops: via(b)})
		r.expect("2:"+trapped, "1:"+trapped)
		flags(0)
		update(fib.NextHopUpdate{Group: true, Hops: via(a, b), Members: []uint32{1, 2}})
		r.expect("2:"+offloaded, "1:"+offloaded)
		r.expectUsed("IPv4/fib=2", "nexthops=2", "groups=1", "group-members=1", "hosts=1")
		update(fib.NextHopUpdate{Blackhole: true})
		r.expect()
		flags(fib.FlagOffload)
		if e, _ := r.at(1); e.Action != asic.Drop {
			t.Errorf("entry of a blackhole: %v", e.Action)
		}
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1), r.op(fib.OpDelete, fib.IPv4, 2, 2))
		update(fib.NextHopUpdate{Gone: true})
		r.settled()
		r.expectUsed()
	})
}

func TestResilientGroupsKeepTheirBuckets(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		a, b := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3")
		r.NeighborChanged(a, true)
		u := &fib.NextHopUpdate{Object: &fib.NextHopObject{}, ID: 3, Group: true, Hops: via(a, b), Members: []uint32{1, 2}, Buckets: []uint16{0, 1, 0, 1}}
		r.NextHopChanged(u)
		r.submit(r.replace(1, 1, &fib.Info{Type: fib.TypeUnicast, NextHopID: 3}))
		r.expect("1:" + offloaded)
		r.expectUsed("IPv4/fib=1", "nexthops=4", "groups=1", "group-members=4", "hosts=1")
		if got := r.slots(1); !slices.Equal(got, []uint32{2, 0}) {
			t.Errorf("slots %v", got)
		}
		if e, _ := r.at(1); e.Action != asic.Forward || e.TrappedSlots != 2 {
			t.Errorf("%v, trapped slots %d", e.Action, e.TrappedSlots)
		}
	})
}

func TestNetdevsimAccountsForObjectsAndRules(t *testing.T) {
	sizes := map[string]uint64{asic.PathNextHops: 4, asic.PathIPv4Rules: 1}
	inBubble(t, asic.Config{Profile: asic.Netdevsim, Sizes: sizes}, func(r *rig) {
		update := func(id uint32, u fib.NextHopUpdate) error {
			u.ID, u.Object = id, &fib.NextHopObject{}
			err := r.AdmitNextHop(&u)
			if trap := u.Object.Flags() == fib.FlagTrap; trap != (err == nil && !u.Gone) {
				t.Errorf("object %d: trap %v after %v", id, trap, err)
			}
			return err
		}
		hops := []fib.NextHop{{Link: r.port, Weight: 2}}
		for i, c := range []struct {
			id   uint32
			u    fib.NextHopUpdate
			fits bool
			used uint64
		}{
			{1, fib.NextHopUpdate{Hops: hops}, true, 1},
			{2, fib.NextHopUpdate{Group: true, Hops: hops}, true, 3},
			{2, fib.NextHopUpdate{Group: true, Hops: hops}, false, 3}, // the new before the old
			{1, fib.NextHopUpdate{Blackhole: true}, true, 3},
			{3, fib.NextHopUpdate{Group: true, Hops: hops, Buckets: []uint16{0, 0}}, false, 3},
			{2, fib.NextHopUpdate{Gone: true}, true, 1},
			{3, fib.NextHopUpdate{Group: true, Hops: hops, Buckets: []uint16{0, 0}}, true, 3},
		} {
			if err := update(c.id, c.u); (err == nil) != c.fits || r.occupancy(asic.PathNextHops) != c.used {
				t.Errorf("case %d: %v, %d used", i, err, r.occupancy(asic.PathNextHops))
			}
		}
		rule := &fib.Rule{Table: 100, Priority: 5}
		if err := r.AdmitRule(rule, true); err != nil {
			t.Error(err)
		}
		if err := r.AdmitRule(rule, true); err == nil || err.Error() != "the hardware table is full: netdevsim: Exceeded number of supported fib rule entries" {
			t.Errorf("a rule too many: %v", err)
		}
		if err := r.AdmitRule(rule, false); err != nil || r.occupancy(asic.PathIPv4Rules) != 0 {
			t.Errorf("removal: %v, %d rules", err, r.occupancy(asic.PathIPv4Rules))
		}
	})
}

func TestSwitchTakesOrdinaryRulesOnly(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		for _, c := range []struct {
			rule fib.Rule
			ok   bool
		}{
			{fib.Rule{Table: fib.TableLocal}, true}, {fib.Rule{Priority: 32766, Table: fib.TableMain}, true}, {fib.Rule{Priority: 1000, L3mdev: true}, true},
			{fib.Rule{Priority: 5, Table: 100}, false},
		} {
			if err := r.AdmitRule(&c.rule, true); (err == nil) != c.ok {
				t.Errorf("%+v: %v", c.rule, err)
			}
		}
	})
}

func TestGatewayOfTheOtherFamilyIsRefusedWhereTheProfileSaysSo(t *testing.T) {
	for text, ok := range map[string]bool{"": true, "refuse_ipv6_gateway_for_ipv4: true": false} {
		inBubble(t, asic.Config{Profile: profile(t, text)}, func(r *rig) {
			op := r.replace(1, 1, route(via(gateway(r.port, "fe80::2"))...))
			if err := r.Admit(&op); (err == nil) != ok {
				t.Errorf("%q: %v", text, err)
			}
			if op.Promotion = true; r.Admit(&op) != nil {
				t.Error("a promotion was refused")
			}
		})
	}
}
