package server_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

// Clients of all services at once, with a chip that takes its time and fails: nothing races, nothing hangs, and at last hardware has what its flags say.
func TestAllServicesAtOnce(t *testing.T) {
	r := newAPIRig(t, server.Config{
		Latency: ptr(20 * time.Microsecond), AuditInterval: 5 * time.Millisecond, ResolutionDelay: time.Millisecond, Resources: map[string]uint64{"IPv4/fib": 30, "groups": 20},
		RetryFailed: ptr(true),
	})
	for i := range uint32(4) {
		must(r.createObject(&vasicv1.NextHopObject{Id: i + 1, Device: "swp1", Gateway: "10.0.1.9"}))(t)
	}
	must(r.createObject(&vasicv1.NextHopObject{Id: 10, Group: members(1, 2), GroupType: resilientGroup}))(t)
	rec := r.record()
	var wg sync.WaitGroup
	client := func(number uint64, rounds int, call func(chance *rand.Rand)) {
		wg.Go(func() {
			chance := rand.New(rand.NewPCG(1, number)) //nolint:gosec // repeatable on purpose
			for range rounds {
				call(chance)
			}
		})
	}
	ignore := func(any, error) {} // whether a call has sense depends on what the others did
	gateways := []string{"10.0.1.2", "10.0.1.3", "10.0.2.2", "10.0.2.3"}
	for n := range uint64(2) {
		client(n, 300, func(chance *rand.Rand) {
			route := apiRoute(prefixNumber(chance.IntN(60)))
			action := []vasicv1.RouteAction{actionAdd, actionReplace, actionDelete}[chance.IntN(3)]
			switch {
			case action == actionDelete:
			case chance.IntN(2) == 0:
				route.NextHopId = []uint32{1, 2, 3, 10}[chance.IntN(4)]
			default:
				via(gateways[chance.IntN(4)], gateways[chance.IntN(4)])(route)
			}
			ignore(r.modify(action, route))
		})
	}
	client(10, 100, func(chance *rand.Rand) {
		state := []vasicv1.NeighborState{nudFailed, nudReachable}[chance.IntN(2)]
		g := gateways[chance.IntN(4)]
		device := "swp" + g[5:6]
		if chance.IntN(3) == 0 {
			ignore(r.neighs.DeleteNeighbor(r.ctx(), &vasicv1.DeleteNeighborRequest{Address: g, Device: device}))
			return
		}
		ignore(r.replaceNeighbor(g, device, state))
	})
	client(11, 100, func(chance *rand.Rand) {
		ignore(r.replaceObject(&vasicv1.NextHopObject{Id: uint32(1 + chance.IntN(4)), Gateway: gateways[chance.IntN(4)]})) //nolint:gosec // small
		ignore(r.replaceObject(&vasicv1.NextHopObject{Id: 10, Group: members(1, 2, 3)[:1+chance.IntN(3)], GroupType: resilientGroup}))
	})
	client(12, 50, func(chance *rand.Rand) {
		f, err := r.createFault(&vasicv1.Fault{Fail: true, Probability: 0.3, Operation: vasicv1.FaultOperation(chance.IntN(6))}) //nolint:gosec // small
		if err == nil {
			r.listFaults()
			ignore(nil, r.deleteFault(f.Id))
		}
	})
	client(13, 30, func(chance *rand.Rand) {
		ignore(r.setLink(&vasicv1.Link{Name: "swp2", Carrier: chance.IntN(3) > 0, Up: true}, "carrier", "up"))
		ignore(r.update(&vasicv1.Settings{NexthopCompatMode: chance.IntN(2) == 0, Ipv4NotifyOnFlagChange: uint32(chance.IntN(3))}, "nexthop_compat_mode", "ipv4_notify_on_flag_change")) //nolint:gosec // small
	})
	client(14, 40, func(*rand.Rand) {
		r.differences()
		r.compareAddresses(0, "198.0.1.1", "10.0.1.2", "2001:db8:1::2")
		r.queue(0)
		r.everything()
		r.scrape()
	})
	wg.Wait()
	must(r.setLink(&vasicv1.Link{Name: "swp2", Carrier: true}, "carrier"))(t)
	for deadline := time.Now().Add(apiTimeout); r.status().QueueLength > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("the queue does not run empty: %v", r.queue(10))
		}
		time.Sleep(time.Millisecond)
	}
	report := r.audit(&vasicv1.AuditRequest{})
	failed := map[string]bool{}
	for _, route := range r.list(nil) {
		failed[route.Prefix] = failed[route.Prefix] || route.OffloadFailed || route.Trap
	}
	stream := must(r.audits.Audit(r.ctx(), &vasicv1.AuditRequest{}))(t)
	for range report.lines {
		res, err := stream.Recv()
		if err != nil {
			break
		}
		for _, c := range res.Comparisons {
			if c.Software == nil || !failed[c.Software.Prefix] {
				t.Errorf("no flag says so: %s", compared(c))
			}
		}
	}
	r.stopRecording(rec)
	rec.checkOrder()
}
