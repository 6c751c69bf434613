package server_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

func (r *apiRig) createFault(f *vasicv1.Fault) (*vasicv1.Fault, error) {
	res, err := r.faults.CreateFault(r.ctx(), &vasicv1.CreateFaultRequest{Fault: f})
	return res.GetFault(), err
}

func (r *apiRig) deleteFault(id uint64) error {
	_, err := r.faults.DeleteFault(r.ctx(), &vasicv1.DeleteFaultRequest{Id: id})
	return err
}

func (r *apiRig) listFaults() []*vasicv1.Fault {
	r.t.Helper()
	return must(r.faults.ListFaults(r.ctx(), &vasicv1.ListFaultsRequest{}))(r.t).Faults
}

func (r *apiRig) queue(limit uint32) *vasicv1.ListQueueResponse {
	r.t.Helper()
	return must(r.chip.ListQueue(r.ctx(), &vasicv1.ListQueueRequest{Limit: limit}))(r.t)
}

func TestFaultRulesHaveTheirEffect(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		hardwareError := vasicv1.FailureReason_FAILURE_REASON_HARDWARE_ERROR
		fail := must(r.createFault(&vasicv1.Fault{
			Prefix: "198.51.100.0/24", Family: family4, Table: 254, Operation: vasicv1.FaultOperation_FAULT_OPERATION_ADD, Fail: true, Reason: hardwareError, Every: 2,
		}))(t)
		want := &vasicv1.Fault{
			Id: 1, Prefix: "198.51.100.0/24", Family: family4, Table: 254, Operation: vasicv1.FaultOperation_FAULT_OPERATION_ADD, Fail: true, Reason: hardwareError, Every: 2,
		}
		if !proto.Equal(fail, want) {
			t.Errorf("created %v, want %v", fail, want)
		}
		slow := must(r.createFault(&vasicv1.Fault{Prefix: "203.0.113.0/24", Delay: durationpb.New(time.Second), First: 1, Matched: 9, Hits: 9}))(t)
		if slow.Id != 2 || slow.Family != 0 || slow.Hits != 0 || slow.Delay.AsDuration() != time.Second {
			t.Errorf("created %v", slow)
		}
		for i, status := range []vasicv1.OperationStatus{statusOffloaded, statusFailed} {
			p := fmt.Sprintf("198.51.100.%d/32", i)
			if res := r.settle(actionAdd, apiRoute(p, via("10.0.1.2"))); res.Status != status || (status == statusFailed) != (res.FailureReason == hardwareError) {
				t.Errorf("%s: %v", p, res)
			}
		}
		begin := time.Now()
		r.settle(actionAdd, apiRoute("203.0.113.0/24", via("10.0.1.2")))
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the delay was %v", took)
		}
		var lines []string
		for _, f := range r.listFaults() {
			lines = append(lines, fmt.Sprintf("%d matched %d hit %d", f.Id, f.Matched, f.Hits))
		}
		wantEqual(t, "rules", lines, []string{"1 matched 2 hit 1", "2 matched 1 hit 1"})
		if err := r.deleteFault(1); err != nil {
			t.Error(err)
		}
		refused{codes.NotFound, "FAULT_NOT_FOUND", "", "", "", "no fault rule has that id"}.checkErr(t, r.deleteFault(1))
		if err := r.deleteFault(0); err != nil || len(r.listFaults()) != 0 {
			t.Errorf("delete all: %v", err)
		}
		if f := must(r.createFault(&vasicv1.Fault{Stall: true, Probability: 1}))(t); f.Id != 3 {
			t.Errorf("an id is used again: %v", f)
		}
	})
}

func TestAStalledOperationHoldsThoseBehindIt(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		must(r.createFault(&vasicv1.Fault{Prefix: "192.0.2.0/24", Stall: true}))(t)
		accepted := time.Now().UnixNano()
		r.add(apiRoute("192.0.2.0/24", via("10.0.1.2")), good4())
		must(r.setLink(&vasicv1.Link{Name: "swp2"}, "carrier"))(t)
		must(r.createObject(&vasicv1.NextHopObject{Id: 5, Device: "swp1"}))(t)
		synctest.Wait()
		got := r.queue(0)
		var lines []string
		for _, it := range got.Items {
			lines = append(lines, fmt.Sprintf("%s %s%s table %d, %d generations, in flight %t, stalled %t, accepted %t", it.Operation, it.Prefix, it.Subject, it.Table,
				len(it.Generations), it.InFlight, it.Stalled, it.AcceptedUnixNanos >= accepted))
		}
		wantEqual(t, "queue", lines, []string{
			"replace 192.0.2.0/24 table 254, 1 generations, in flight false, stalled true, accepted true",
			"replace 198.51.100.0/24 table 254, 1 generations, in flight false, stalled false, accepted true",
			"link swp2 table 0, 0 generations, in flight false, stalled false, accepted false",
			"nexthop 5 table 0, 0 generations, in flight false, stalled false, accepted false",
		})
		if ops := r.status().QueueLength; got.QueueLength != 4 || ops != 3 { // the link is no operation
			t.Errorf("queue length %d, in the status %d", got.QueueLength, ops)
		}
		if one := r.queue(1); len(one.Items) != 1 || one.QueueLength != got.QueueLength {
			t.Errorf("the first of %d: %v", got.QueueLength, one)
		}
		_, err := r.chip.ListQueue(r.ctx(), &vasicv1.ListQueueRequest{Limit: 10001})
		outOfRange("limit", "10001 is not between 1 and 10000").checkErr(t, err)
		if err := r.deleteFault(0); err != nil {
			t.Error(err)
		}
		r.quiet()
		if route := r.get("198.51.100.0/24"); !route.Offload {
			t.Errorf("after the stall: %v", route)
		}
		if left := r.queue(0); len(left.Items) != 0 || left.QueueLength != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// A stop programs what is queued, so it removes what stalls.
func TestAStopEndsStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newAPIRig(t, server.Config{})
		synctest.Wait()
		must(r.createFault(&vasicv1.Fault{Stall: true}))(t)
		r.add(good4())
		begin := time.Now()
		if err := r.s.Stop(t.Context()); err != nil || time.Since(begin) > time.Second {
			t.Errorf("Stop: %v after %v", err, time.Since(begin))
		}
	})
}

func TestFaultRefusals(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		before := r.everything()
		effect, turn := malformed("fault", "exactly one of fail, delay and stall"), malformed("fault", "more than one of first, every and probability")
		for i, c := range []struct {
			fault *vasicv1.Fault
			want  refused
		}{
			{nil, malformed("fault", "is missing")},
			{&vasicv1.Fault{}, effect},
			{&vasicv1.Fault{Fail: true, Stall: true}, effect},
			{&vasicv1.Fault{Delay: durationpb.New(1), Stall: true}, effect},
			{&vasicv1.Fault{Fail: true, Family: 7}, unknownEnum("fault.family", "7")},
			{&vasicv1.Fault{Fail: true, Prefix: "x"}, malformed("fault.prefix", `"x"`)},
			{&vasicv1.Fault{Fail: true, Prefix: "10.0.0.1/24"}, hostBits("fault.prefix", "10.0.0.0/24")},
			{&vasicv1.Fault{Fail: true, Operation: 6}, unknownEnum("fault.operation", "6")},
			{&vasicv1.Fault{Fail: true, Operation: -1}, unknownEnum("fault.operation", "-1")},
			{&vasicv1.Fault{Fail: true, Reason: 5}, unknownEnum("fault.reason", "5")},
			{&vasicv1.Fault{Stall: true, Reason: 1}, malformed("fault.reason", "is for fail")},
			{&vasicv1.Fault{Delay: durationpb.New(0)}, outOfRange("fault.delay", "0s")},
			{&vasicv1.Fault{Delay: durationpb.New(time.Hour + 1)}, outOfRange("fault.delay", "at most 1h0m0s")},
			{&vasicv1.Fault{Fail: true, First: 1, Every: 2}, turn},
			{&vasicv1.Fault{Fail: true, First: 1, Probability: 0.5}, turn},
			{&vasicv1.Fault{Fail: true, Probability: 1.5}, outOfRange("fault.probability", "1.5 is not between 0 and 1")},
			{&vasicv1.Fault{Fail: true, Probability: -0.1}, outOfRange("fault.probability", "-0.1")},
			{&vasicv1.Fault{Fail: true, Probability: math.NaN()}, outOfRange("fault.probability", "NaN")},
		} {
			_, err := r.createFault(c.fault)
			c.want.checkErr(named{t, fmt.Sprint("case ", i)}, err)
		}
		r.unchanged(before)
		for range 1000 {
			must(r.createFault(&vasicv1.Fault{Fail: true, Table: 9}))(t)
		}
		_, err := r.createFault(&vasicv1.Fault{Fail: true})
		refused{codes.ResourceExhausted, "OUT_OF_RANGE", "", "", "", "too many fault rules"}.checkErr(t, err)
	})
}
