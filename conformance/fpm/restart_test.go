package fpm_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vasic-project/vasic/clients/fpm"
	"github.com/vasic-project/vasic/server"
)

// settleTime is enough for every retry after something was away.
const settleTime = 20 * time.Second

func TestAfterAReconnectWhatIsInHardwareIsAnsweredAgain(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.say(at(1).set())
		z.say(at(2).set())
		z.close()
		generation := r.routes()[p1.prefix].Generation
		z = r.connect()
		synctest.Wait()
		z.expect() // not before zebra asks: its messages may be new
		restarted := p1
		restarted.pid = 77
		z.say(restarted.set())
		if answers := z.take(); len(answers) != 1 || answers[0].pid != 77 || answers[0].flags != flagOffload {
			t.Errorf("answered %v", answers)
		}
		time.Sleep(fpm.DefaultSweepAfter - time.Second)
		z.say(at(1).set())
		z.expect("10.100.1.0/24 offload")
		time.Sleep(fpm.DefaultSweepAfter - time.Second) // the walk may pause
		if n := len(r.routes()); n != 3 {
			t.Errorf("the switch has %d routes before the end of the silence", n)
		}
		time.Sleep(2 * time.Second)
		routes := r.routes()
		if len(routes) != 2 || routes[at(2).prefix] != nil {
			t.Errorf("the switch has %d routes after the sweep", len(routes))
		}
		if routes[p1.prefix].Generation != generation {
			t.Error("a route was programmed again though it is what it was")
		}
		z.expect()
	})
}

func TestARouteThatFlapsDoesNotKeepTheSweepFromComing(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.close()
		z = r.connect()
		for i := range 60 {
			z.say(at(i).set())
			time.Sleep(time.Second)
		}
		if r.routes()[p1.prefix] != nil {
			t.Error("a route that zebra has not confirmed for a minute is still there")
		}
	})
}

func TestANewConnectionSupersedesTheOld(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		old := r.connect()
		old.say(object(5, "10.0.12.2", 2))
		s := spec{prefix: "203.0.113.0/24", hopID: 5}
		old.say(s.set())
		old.expect("203.0.113.0/24 offload")
		z := r.connect()
		synctest.Wait()
		if !old.over() {
			t.Error("the old connection is still open")
		}
		z.say(s.set()) // ids of the old connection are void
		z.expect()
		z.say(object(5, "10.0.12.2", 2))
		z.expect("203.0.113.0/24 offload")
	})
}

func TestTheSwitchIsRestarted(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.say(at(1).set())
		z.take()
		r.stopSwitch()
		r.startSwitch(server.Config{})
		z.say(at(2).set())
		z.say(at(1).unset())
		time.Sleep(settleTime)
		last := lastOf(z.take())
		if last[p1.prefix] != "203.0.113.0/24 offload" && last[p1.prefix] != "" || last[at(2).prefix] != "10.100.2.0/24 offload" {
			t.Errorf("zebra was told at last %v", last)
		}
		routes := r.routes()
		if len(routes) != 2 || routes[p1.prefix] == nil || routes[at(2).prefix] == nil {
			t.Errorf("the switch has %v", routes)
		}
	})
}

func TestASwitchThatStaysAwayLosesItsRoutes(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
		r.stopSwitch()
		time.Sleep(fpm.DefaultSwitchGrace - time.Second)
		z.expect()
		time.Sleep(2 * time.Second)
		z.expect("203.0.113.0/24 failed")
		r.startSwitch(server.Config{})
		time.Sleep(settleTime)
		z.expect("203.0.113.0/24 offload")
	})
}

func TestASwitchThatComesBackEmptyAndPausedIsNotBelieved(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
		r.stopSwitch()
		minute := time.Minute
		r.startSwitch(server.Config{Latency: &minute})
		time.Sleep(settleTime)
		z.expect("203.0.113.0/24 failed")
		time.Sleep(10 * time.Minute)
		z.expect("203.0.113.0/24 offload")
	})
}

func TestAnUpdateAfterTheSwitchWasAwayIsNoFailure(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		time.Sleep(settleTime)
		r.stopSwitch()
		r.startSwitch(server.Config{})
		time.Sleep(settleTime)
		z.take()
		r.pause()
		other := p1
		other.gateway = "10.0.12.3"
		z.say(other.set())
		time.Sleep(time.Minute)
		z.expect() // hardware still has the route as it was
		r.resume()
		z.expect("203.0.113.0/24 offload")
	})
}

func TestWhatZebraBelievesSinceAnEarlierConnectionIsDeniedIfItIsNotSo(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
		z.close()
		r.stopRouter()
		r.stopSwitch()
		r.startSwitch(server.Config{})
		time.Sleep(settleTime)
		r.pause()
		r.startRouter(fpm.Config{})
		z = r.connect()
		z.say(p1.set())
		z.expect()
		time.Sleep(fpm.DefaultSweepAfter + time.Second)
		z.expect("203.0.113.0/24 failed")
		z.say(at(1).set()) // which zebra cannot believe to be there
		time.Sleep(time.Minute)
		z.expect()
		r.resume()
		z.expect("203.0.113.0/24 offload", "10.100.1.0/24 offload")
	})
}

func TestAnUpdateThatIsOnItsWayWhenTheSwitchIsLostIsDenied(t *testing.T) {
	other := p1
	other.gateway = "10.0.12.3"
	for name, update := range map[string][][]byte{"one message": {other.set()}, "delete and new": {p1.unset(), other.set()}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
				z := r.connect()
				z.say(p1.set())
				z.expect("203.0.113.0/24 offload")
				time.Sleep(time.Minute)
				r.stopSwitch()
				time.Sleep(time.Second)
				z.say(update...)
				z.expect()
				time.Sleep(time.Minute)
				z.expect("203.0.113.0/24 failed")
			})
		})
	}
}

func TestTheBridgeIsRestarted(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		z.say(spec{prefix: "2001:db8::/32", hops: []hop{{"2001:db8:12::2", 2, 1}, {"2001:db8:13::3", 3, 1}}}.set())
		z.say(at(1).set())
		generation := r.routes()[p1.prefix].Generation
		r.stopRouter()
		z.close()
		r.startRouter(fpm.Config{})
		time.Sleep(time.Minute)
		if n := len(r.routes()); n != 3 {
			t.Errorf("the switch has %d routes though zebra has said nothing", n)
		}
		z = r.connect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
		time.Sleep(time.Minute)
		if routes := r.routes(); len(routes) != 1 || routes[p1.prefix].Generation != generation {
			t.Errorf("the switch has %v", routes)
		}
	})
}

func TestAMalformedFrameEndsTheConnectionAndChangesNothing(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		bad := closed(attribute(at(2).header(newRoute, bgp, 1), 4, []byte{1, 2})) // an interface index of two bytes
		z.say(bytes.Join([][]byte{p1.set(), at(1).set()}, nil))
		z.write(frameOf(at(3).set(), bad))
		synctest.Wait()
		if !z.over() {
			t.Error("the connection goes on")
		}
		if routes := r.routes(); len(routes) != 2 || routes[at(3).prefix] != nil {
			t.Errorf("the switch has %v", routes)
		}
	})
}

func TestAPeerThatDoesNotReadMeetsADeadlineAndDoesNotStopTheReader(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		conn, err := r.lis.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		const routes = 18000
		for i := range routes {
			if _, err := conn.Write(frameOf(at(i).set())); err != nil {
				t.Fatalf("after %d routes: %v", i, err)
			}
		}
		synctest.Wait()
		if n := len(r.routes()); n != routes {
			t.Errorf("the switch has %d routes", n)
		}
		time.Sleep(fpm.DefaultWriteTimeout + time.Second)
		if _, err := conn.Write(frameOf(p1.set())); err == nil {
			t.Error("the connection goes on though nobody reads its answers")
		}
	})
}

// lastOf is the last answer about each prefix.
func lastOf(answers []answer) map[string]string {
	last := map[string]string{}
	for _, a := range answers {
		last[name(a.table, a.prefix)] = a.String()
	}
	return last
}
