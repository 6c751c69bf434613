package server_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

// settle programs one route and waits for hardware.
func (r *apiRig) settle(action vasicv1.RouteAction, route *vasicv1.Route) *vasicv1.OperationResult {
	r.t.Helper()
	res := must(r.routes.ModifyRoute(r.ctx(), &vasicv1.ModifyRouteRequest{Action: action, Route: route, WaitForHardware: true}))(r.t)
	return res.Result
}

// settleLater is settle for a goroutine of its own. The channel is closed when the call has ended.
func (r *apiRig) settleLater(action vasicv1.RouteAction, route *vasicv1.Route) <-chan *vasicv1.OperationResult {
	settled := make(chan *vasicv1.OperationResult, 1)
	go func() {
		defer close(settled)
		res, err := r.routes.ModifyRoute(r.ctx(), &vasicv1.ModifyRouteRequest{Action: action, Route: route, WaitForHardware: true})
		if err != nil {
			r.t.Error(err)
			return
		}
		settled <- res.Result
	}()
	return settled
}

// get reads one route of table main.
func (r *apiRig) get(prefix string) *vasicv1.Route {
	r.t.Helper()
	return must(r.routes.GetRoute(r.ctx(), &vasicv1.GetRouteRequest{Prefix: prefix}))(r.t).Route
}

func TestEachActionDoesWhatItSays(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		for _, family := range []struct {
			prefix         string
			first, second  string
			metric, better uint32
		}{{"198.51.100.0/24", "10.0.1.2", "10.0.2.2", 0, 5}, {"2001:db8:b::/48", "2001:db8:1::2", "2001:db8:2::2", 1024, 2000}} {
			p := family.prefix
			added := r.settle(actionAdd, apiRoute(p, via(family.first)))
			route := r.get(p)
			if added.Status != statusOffloaded || added.RouteId != route.Id || added.Generation != route.Generation || added.Revision == 0 {
				t.Errorf("add: %v of %v", added, route)
			}
			if !route.Offload || route.GetMetric() != family.metric || route.NextHops[0].Device != "swp1" || route.Table != 254 || route.Protocol != 3 {
				t.Errorf("added: %v", route)
			}
			replaced := r.settle(actionReplace, apiRoute(p, via(family.second)))
			if route = r.get(p); replaced.RouteId != added.RouteId || replaced.Generation <= added.Generation || route.NextHops[0].Device != "swp2" {
				t.Errorf("replace: %v of %v", replaced, route)
			}
			changed := r.settle(actionChange, apiRoute(p, via(family.first)))
			if route = r.get(p); changed.RouteId != added.RouteId || changed.Generation != route.Generation || route.NextHops[0].Device != "swp1" {
				t.Errorf("change: %v of %v", changed, route)
			}
			appended := r.settle(actionAppend, apiRoute(p, via(family.second)))
			prepended := r.settle(actionPrepend, apiRoute(p, via(family.second), metric(family.better)))
			if prepended.Status != statusNotSelected || prepended.RouteId == added.RouteId {
				t.Errorf("prepend behind: %v", prepended)
			}
			list := r.list(&vasicv1.RouteFilter{ExactPrefix: p})
			if family.metric == 0 { // IPv4: a route of its own, behind; IPv6: a sibling
				if len(list) != 3 || appended.Status != statusNotSelected || appended.RouteId != list[1].Id {
					t.Errorf("append: %v of %v", appended, list)
				}
				first := r.settle(actionPrepend, apiRoute(p, via(family.second), proto8(4)))
				if list = r.list(&vasicv1.RouteFilter{ExactPrefix: p}); first.Status != statusOffloaded || list[0].Id != first.RouteId || len(list) != 4 {
					t.Errorf("prepend: %v of %v", first, list)
				}
			} else if len(list) != 2 || len(list[0].NextHops) != 2 || appended.Status != statusOffloaded || appended.RouteId != added.RouteId {
				t.Errorf("append: %v of %v", appended, list)
			}
			for range list {
				first := r.get(p)
				deleted := r.settle(actionDelete, apiRoute(p))
				if deleted.Status != statusRemoved || deleted.RouteId != first.Id || deleted.Generation != 0 {
					t.Errorf("delete: %v of %v", deleted, first)
				}
			}
			if list := r.list(&vasicv1.RouteFilter{ExactPrefix: p}); len(list) > 0 {
				t.Errorf("left: %v", list)
			}
		}
	})
}

func TestOutputOnlyFieldsOfARequestDoNotMatter(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.add(good4())
		synctest.Wait()
		back := r.get("198.51.100.0/24")
		listed := proto.CloneOf(back)
		listed.Id, listed.Generation, listed.OffloadFailed, listed.FailureReason = 999, 999, true, tableFull
		listed.NextHops[0].Dead, listed.NextHops[0].Trap, listed.NextHops[0].SiblingTrap = true, true, true
		if res := r.settle(actionReplace, listed); res.Status != statusNotSelected || res.RouteId != 0 {
			t.Errorf("what was listed is taken for another route: %v", res)
		}
		if again := r.get("198.51.100.0/24"); !proto.Equal(again, back) {
			t.Errorf("%v became %v", back, again)
		}
	})
}

func TestWaitingForHardwareTellsHowItEnded(t *testing.T) {
	inAPIBubble(t, server.Config{Resources: map[string]uint64{"IPv6/fib": 5}}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		for _, c := range []struct {
			action vasicv1.RouteAction
			route  *vasicv1.Route
			status vasicv1.OperationStatus
			reason vasicv1.FailureReason
		}{
			{actionAdd, good4(), statusOffloaded, 0},
			{actionAdd, good4(metric(9)), statusNotSelected, 0},
			{actionReplace, good4(), statusNotSelected, 0},
			{actionAdd, good4(tos(16)), statusTrapped, 0},
			{actionAdd, apiRoute("203.0.113.0/24", kind(blackhole)), statusOffloaded, 0},
			{actionAdd, apiRoute("203.0.112.0/24", kind(unreachable)), statusTrapped, 0},
			{actionAdd, apiRoute("203.0.111.0/24", kind(throw)), statusFailed, unsupported},
			{actionAdd, good6(source("2001:db8:f::/48")), statusFailed, unsupported},
			{actionAdd, good6(), statusFailed, tableFull}, // the table is full with what the links need
			{actionDelete, good6(), statusRemoved, 0},
			{actionDelete, good4(metric(9)), statusNotSelected, 0},
			{actionDelete, good4(tos(16)), statusRemoved, 0},
		} {
			res := r.settle(c.action, c.route)
			if res.Status != c.status || res.FailureReason != c.reason || res.Id != 0 || res.Revision == 0 {
				t.Errorf("%v %v: %v, want %v %v", c.action, c.route, res, c.status, c.reason)
			}
		}
	})
}

func TestAWaiterIsToldThatItsRouteWasSuperseded(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.pause()
		first := r.settleLater(actionAdd, good4())
		synctest.Wait()
		must(r.modify(actionReplace, good4(proto8(4))))(t)
		r.resume()
		if res := <-first; res.GetStatus() != statusSuperseded {
			t.Errorf("settled as %v", res)
		}
	})
}

func TestADeadlineWhileWaitingLeavesTheRouteAccepted(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.pause()
		ctx, cancel := context.WithTimeout(r.ctx(), time.Second)
		defer cancel()
		_, err := r.routes.ModifyRoute(ctx, &vasicv1.ModifyRouteRequest{Action: actionAdd, Route: good4(), WaitForHardware: true})
		refused{code: codes.DeadlineExceeded}.checkErr(t, err)
		if route := r.get("198.51.100.0/24"); route.Offload || route.Trap || route.OffloadFailed {
			t.Errorf("hardware is paused and yet: %v", route)
		}
		r.resume()
		synctest.Wait()
		if route := r.get("198.51.100.0/24"); !route.Offload {
			t.Errorf("not programmed after the deadline: %v", route)
		}
	})
}

func TestARefusedDeleteInHardwareIsAWarning(t *testing.T) {
	inAPIBubble(t, server.Config{Profile: "netdevsim"}, func(t *testing.T, r *apiRig) {
		r.add(good4(), good6())
		r.quiet()
		r.set("fail_route_delete", &vasicv1.Settings{FailRouteDelete: true})
		if res := must(r.modify(actionDelete, good4()))(t); res.Status != statusAccepted || res.Warning != "netdevsim: Failed to process route deletion" {
			t.Errorf("IPv4: %v", res)
		}
		if res := must(r.modify(actionDelete, good6()))(t); res.Status != statusAccepted || res.Warning != "" {
			t.Errorf("IPv6, for which the kernel has no warning: %v", res)
		}
		r.quiet()
		for _, route := range r.list(nil) {
			if route.Trap || route.Offload {
				t.Errorf("hardware should have lost all its routes: %v", route)
			}
		}
	})
}

// A waiter that is told more than once must not stop the programming goroutine. This test is not in a bubble, where that would be the end of
// the whole test run.
func TestAWaitedForIPv6DeleteOfSeveralNextHopsDoesNotStopTheSwitch(t *testing.T) {
	s, err := server.New(server.Config{Links: apiPorts(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := serveAPI(t, s)
	t.Cleanup(func() { r.cc.Close() })
	gateways := []string{"2001:db8:1::2", "2001:db8:1::3", "2001:db8:1::4", "2001:db8:1::5"}
	r.settle(actionAdd, apiRoute("2001:db8:b::/48", via(gateways...)))
	if res := r.settle(actionDelete, apiRoute("2001:db8:b::/48", via(gateways...))); res.Status != statusRemoved {
		t.Errorf("settled as %v", res)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := r.routes.ModifyRoute(ctx, &vasicv1.ModifyRouteRequest{Action: actionAdd, Route: good6(), WaitForHardware: true}); err != nil {
		t.Fatalf("the programming goroutine hangs: %v", err) // and so would Stop
	}
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}
