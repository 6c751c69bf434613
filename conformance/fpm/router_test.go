package fpm_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/fpm"
	"github.com/vasic-project/vasic/server"
)

// p1 is the route of most tests.
var p1 = spec{prefix: "203.0.113.0/24", gateway: "10.0.12.2", link: 2}

// at is p1 of another prefix.
func at(i int) spec {
	s := p1
	s.prefix = fmt.Sprintf("10.%d.%d.0/24", 100+i/256, i%256)
	return s
}

// loopbackRoutes is how many IPv4 routes a switch has for its lo.
const loopbackRoutes = 3

func TestARouteIsAnsweredWhenHardwareHasIt(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		r.pause()
		z := r.connect()
		z.say(object(5, "10.0.12.2", 2))
		z.say(spec{prefix: "203.0.113.0/24", hopID: 5}.set())
		z.expect()
		r.resume()
		z.expect("203.0.113.0/24 offload")
		route := r.routes()["203.0.113.0/24"]
		if route == nil || route.NextHops[0].Gateway != "10.0.12.2" || route.NextHops[0].Device != "if2" || !route.Offload {
			t.Errorf("the switch has %v", route)
		}
		z.say(p1.unset())
		z.expect()
		if n := len(r.routes()); n != 0 {
			t.Errorf("the switch has %d routes", n)
		}
	})
}

func TestOnlyTheLastMessageIsAnswered(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		r.pause()
		z := r.connect()
		for pid := range uint32(5) {
			s := p1
			s.pid, s.gateway = pid, fmt.Sprintf("10.0.12.%d", pid)
			z.say(s.set())
		}
		z.say(at(1).set())
		z.say(at(1).unset())
		r.resume()
		answers := z.take()
		if len(answers) != 1 || answers[0].pid != 4 || answers[0].String() != "203.0.113.0/24 offload" {
			t.Errorf("answered %v", answers)
		}
		if n := len(r.routes()); n != 1 {
			t.Errorf("the switch has %d routes", n)
		}
	})
}

func TestARouteThatComesBackToWhatItWasIsNotAnsweredTooEarly(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
		r.pause()
		other := p1
		other.gateway = "10.0.12.3"
		z.say(other.set())
		z.say(p1.set())
		z.expect() // hardware has neither of them as asked
		r.resume()
		z.expect("203.0.113.0/24 offload")
	})
}

func TestUpdatesThatOvertakeEachOtherAreNotFailures(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		time.Sleep(settleTime)
		const prefixes = 500
		last := map[string]spec{}
		for i := range 40 * prefixes {
			s := at(i * 7 % prefixes)
			s.gateway, s.pid = fmt.Sprintf("10.0.12.%d", 1+i%9), uint32(i)
			last[s.prefix] = s
			z.write(frameOf(s.set()))
		}
		synctest.Wait()
		told := map[string]answer{}
		for _, a := range z.take() {
			if a.flags != flagOffload {
				t.Fatalf("answered %v, and nothing has failed", a)
			}
			told[a.prefix] = a
		}
		for prefix, s := range last {
			if told[prefix].pid != s.pid {
				t.Errorf("answered %v about message %d at last, want %d", told[prefix], told[prefix].pid, s.pid)
			}
		}
	})
}

func TestARepeatIsAnsweredAgain(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		generation := r.routes()[p1.prefix].Generation
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload", "203.0.113.0/24 offload")
		if again := r.routes()[p1.prefix].Generation; again != generation {
			t.Errorf("a repeat made generation %d of %d", again, generation)
		}
	})
}

func TestADeleteAndANewRouteInOneFrameAreOneReplace(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		id := r.routes()[p1.prefix].Id
		other := p1
		other.gateway, other.protocol = "10.0.12.3", static
		z.say(p1.unset(), other.set())
		z.expect("203.0.113.0/24 offload", "203.0.113.0/24 offload")
		if route := r.routes()[p1.prefix]; route.Id != id || route.NextHops[0].Gateway != "10.0.12.3" || route.Protocol != static {
			t.Errorf("the switch has %v, want a replacement of %d", route, id)
		}
	})
}

func TestAllKindsOfRoutes(t *testing.T) {
	both := []hop{{"10.0.12.2", 2, 3}, {"10.0.13.3", 3, 1}}
	both6 := []hop{{"2001:db8:12::2", 2, 1}, {"2001:db8:13::3", 3, 1}}
	for name, c := range map[string]struct {
		s      spec
		answer string
	}{
		"default":            {spec{prefix: "0.0.0.0/0", gateway: "10.0.12.2", link: 2}, "0.0.0.0/0 offload"},
		"default, IPv6":      {spec{prefix: "::/0", gateway: "fe80::1", link: 2}, "::/0 offload"},
		"table of 32 bits":   {spec{prefix: "192.0.2.0/24", table: 4000000000, gateway: "10.0.12.2", link: 2}, "192.0.2.0/24 table 4000000000 offload"},
		"table 100":          {spec{prefix: "192.0.2.0/24", table: 100, gateway: "10.0.12.2", link: 2}, "192.0.2.0/24 table 100 offload"},
		"multipath":          {spec{prefix: "192.0.2.0/24", hops: both}, "192.0.2.0/24 offload"},
		"multipath, IPv6":    {spec{prefix: "2001:db8::/32", hops: both6}, "2001:db8::/32 offload"},
		"IPv4 over IPv6":     {spec{prefix: "192.0.2.0/24", hops: both6}, "192.0.2.0/24 offload"},
		"blackhole":          {spec{prefix: "192.0.2.0/24", kind: 6}, "192.0.2.0/24 offload"},
		"blackhole, IPv6":    {spec{prefix: "2001:db8::/32", kind: 6}, "2001:db8::/32 offload"},
		"unreachable":        {spec{prefix: "192.0.2.0/24", kind: 7}, "192.0.2.0/24 trap"},
		"prohibit":           {spec{prefix: "192.0.2.0/24", kind: 8}, "192.0.2.0/24 trap"},
		"same hop twice":     {spec{prefix: "2001:db8::/32", hops: append(both6, both6[0])}, "2001:db8::/32 offload"},
		"owner that is deaf": {spec{prefix: "192.0.2.0/24", protocol: kernel, gateway: "10.0.12.2", link: 2}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
				z := r.connect()
				z.say(c.s.set())
				if c.answer == "" {
					z.expect()
				} else {
					z.expect(c.answer)
				}
				if n := len(r.routes()); n != 1 {
					t.Errorf("the switch has %d routes", n)
				}
				z.say(c.s.unset())
				if n := len(r.routes()); n != 0 {
					t.Errorf("the switch still has %d routes", n)
				}
			})
		})
	}
}

func TestNextHopObjects(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		s := spec{prefix: "203.0.113.0/24", hopID: 17}
		z := r.connect()
		z.say(s.set()) // before its group, which is before its members
		z.say(group(17, 12, 18))
		z.say(object(12, "10.0.12.2", 2))
		z.expect()
		if n := len(r.routes()); n != 0 {
			t.Errorf("the switch has %d routes though nobody knows where they lead", n)
		}
		z.say(object(18, "10.0.13.3", 3))
		z.expect("203.0.113.0/24 offload")
		z.say(object(18, "10.0.13.4", 3)) // the route follows, and nothing is new for zebra
		z.expect()
		if hops := r.routes()[s.prefix].NextHops; len(hops) != 2 || hops[1].Gateway != "10.0.13.4" {
			t.Errorf("the switch has %v", hops)
		}
		z.say(dropObject(17))
		z.say(dropObject(18))
		z.say(dropObject(99))
		if n := len(r.routes()); n != 1 {
			t.Errorf("the switch has %d routes; zebra deletes them itself", n)
		}
		z.say(s.unset())
		z.say(s.set()) // the id is not known any more
		z.expect()
		if n := len(r.routes()); n != 0 {
			t.Errorf("the switch has %d routes", n)
		}
	})
}

func TestWhatHardwareRefusesIsToldAndTriedAgain(t *testing.T) {
	inBubble(t, server.Config{Resources: map[string]uint64{"IPv4/fib": loopbackRoutes + 3}}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		for i := range 3 {
			z.say(at(i).set())
		}
		z.expect("10.100.0.0/24 offload", "10.100.1.0/24 offload", "10.100.2.0/24 offload")
		z.say(at(3).set())
		z.expect("10.100.3.0/24 failed")
		time.Sleep(time.Minute)
		z.expect() // tried again and again, with nothing new to say
		z.say(at(1).unset())
		time.Sleep(fpm.DefaultRetry)
		synctest.Wait()
		z.expect("10.100.3.0/24 offload")
	})
}

func TestWhatHardwareLosesIsTold(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{Retry: -1}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.say(at(1).set())
		z.take()
		_, err := r.client.Switch.UpdateResource(t.Context(), &vasicv1.UpdateResourceRequest{Path: "IPv4/fib", Size: loopbackRoutes + 1})
		if err == nil {
			_, err = r.client.Switch.Reload(t.Context(), &vasicv1.ReloadRequest{})
		}
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		// What came back before it was said to be lost need not be said.
		told := map[string]string{p1.prefix: p1.prefix + " offload", at(1).prefix: at(1).prefix + " offload"}
		maps.Copy(told, lastOf(z.take()))
		for k, route := range r.routes() {
			want := k + " offload"
			if route.OffloadFailed {
				want = k + " failed"
			}
			if told[k] != want {
				t.Errorf("zebra was told %q at last, want %q", told[k], want)
			}
		}
	})
}

func TestARouteThatHardwareTrapsLaterIsTakenBackFirst(t *testing.T) {
	for answer, want := range map[fpm.TrapAnswer][]string{
		fpm.AnswerTrap:        {"203.0.113.0/24 failed", "203.0.113.0/24 trap"},
		fpm.AnswerOffloadTrap: {"203.0.113.0/24 offload trap"},
	} {
		t.Run(string(answer), func(t *testing.T) {
			inBubble(t, server.Config{}, fpm.Config{Trap: answer}, func(t *testing.T, r *rig) {
				check := func(z *zebra, want ...string) {
					t.Helper()
					got := []string{}
					for _, a := range z.take() {
						got = append(got, a.String())
					}
					if !slices.Equal(got, want) {
						t.Errorf("zebra was told %q, want %q in this order", got, want)
					}
				}
				z := r.connect()
				z.say(p1.set())
				check(z, "203.0.113.0/24 offload")
				r.setNeighbor(p1, vasicv1.NeighborState_NEIGHBOR_STATE_FAILED)
				check(z, want...)
				s := p1
				s.protocol = static
				z.say(s.set()) // zebra does not count it as offloaded any more
				check(z, want[len(want)-1])
				r.setNeighbor(p1, vasicv1.NeighborState_NEIGHBOR_STATE_REACHABLE)
				check(z, "203.0.113.0/24 offload")

				// What an earlier bridge has said is in doubt until zebra has told all.
				r.stopRouter()
				z.close()
				r.setNeighbor(p1, vasicv1.NeighborState_NEIGHBOR_STATE_FAILED)
				r.startRouter(fpm.Config{Trap: answer})
				z = r.connect()
				z.say(s.set())
				check(z, want[len(want)-1])
				time.Sleep(fpm.DefaultSweepAfter + time.Second)
				if answer == fpm.AnswerTrap {
					check(z, want...)
				}
			})
		})
	}
}

func TestARouteThatSomebodyElseDeletesIsToldAndProgrammedAgain(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
		metric := uint32(fpm.DefaultMetric)
		_, err := r.client.ModifyRoute(t.Context(), vasicv1.RouteAction_ROUTE_ACTION_DELETE, &vasicv1.Route{Prefix: p1.prefix, Metric: &metric})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		z.expect("203.0.113.0/24 failed")
		time.Sleep(fpm.DefaultRetry)
		synctest.Wait()
		z.expect("203.0.113.0/24 offload")
	})
}

func TestALinkThatGoesDownTakesItsRoutesAndGivesThemBack(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
		r.setLink("if2", false)
		z.expect("203.0.113.0/24 failed")
		r.setLink("if2", true)
		time.Sleep(fpm.DefaultRetry)
		synctest.Wait()
		z.expect("203.0.113.0/24 offload")
	})
}

func TestAPathThatTheSwitchRefusesDoesNotLeaveTheOldOne(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(at(1).set())
		other := p1
		other.link = 3
		z.say(other.set())
		z.take()
		r.setLink("if2", false)
		z.take()
		z.say(p1.set())
		z.expect("203.0.113.0/24 failed")
		if route := r.routes()[p1.prefix]; route != nil {
			t.Errorf("the switch has %v, where zebra does not want it to lead", route)
		}
	})
}

func TestAnswersDoNotNeedTheSwitchToPublishFlags(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{KeepNotify: true}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
		r.failOffload(true)
		z.say(at(1).set())
		z.expect("10.100.1.0/24 failed")
		settings, err := r.client.Switch.GetSettings(t.Context(), &vasicv1.GetSettingsRequest{})
		if err != nil || settings.Settings.Ipv4NotifyOnFlagChange != 0 {
			t.Errorf("settings %v, %v", settings, err)
		}
	})
}

func TestTwoRoutersShareASwitch(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{LastTable: 1000, LinkPrefix: "r1-"}, func(t *testing.T, r *rig) {
		second := &rig{t: t, gate: r.gate, client: r.client, s: r.s}
		second.startRouter(fpm.Config{TableOffset: 1000, LinkPrefix: "r2-"})
		defer second.stopRouter()
		synctest.Wait()
		z1, z2 := r.connect(), second.connect()
		z1.say(p1.set())
		z2.say(p1.set())
		z1.expect("203.0.113.0/24 offload")
		z2.expect("203.0.113.0/24 offload")
		beyond := p1
		beyond.table = 1001
		z1.say(beyond.set())
		z1.expect("203.0.113.0/24 table 1001 failed")
		time.Sleep(time.Minute) // neither sweeps the other's
		routes := r.routes()
		for table, device := range map[uint32]string{254: "r1-if2", 1254: "r2-if2"} {
			route := routes[name(table, p1.prefix)]
			if route == nil || route.NextHops[0].Device != device {
				t.Errorf("table %d has %v", table, route)
			}
		}
		if len(routes) != 2 {
			t.Errorf("the switch has %d routes", len(routes))
		}
	})
}
