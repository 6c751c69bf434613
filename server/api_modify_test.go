package server_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

const (
	unreachable = vasicv1.RouteType_ROUTE_TYPE_UNREACHABLE
	throw       = vasicv1.RouteType_ROUTE_TYPE_THROW

	tableFull   = vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL
	injected    = vasicv1.FailureReason_FAILURE_REASON_INJECTED
	unsupported = vasicv1.FailureReason_FAILURE_REASON_UNSUPPORTED
)

func TestAnswersComeInTheOrderOfTheOperations(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		w := r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		w.until("synced")
		s := r.stream()
		batch := []*vasicv1.RouteOperation{ // both families in turn, ids of all kinds, a refusal in the middle
			{Id: 7, Action: actionAdd, Route: good4()},
			{Id: 7, Action: actionAdd, Route: good6()},
			{Id: 0, Action: actionAdd, Route: good4()}, // exists
			{Id: math.MaxUint64, Action: actionAdd, Route: apiRoute("192.0.2.0/24", via("10.0.1.2"))},
			{Id: 1, Action: actionReplace, Route: good4()}, // equal: changes nothing
			{Id: 2, Action: actionReplace, Route: good6()}, // equal, but IPv6
			{Id: 3, Action: actionAdd, Route: apiRoute("192.0.2.1/24")},
			{Id: 4, Action: actionDelete, Route: apiRoute("192.0.2.0/24")},
		}
		s.send(batch...)
		first := s.next(len(batch))
		wantEqual(t, "answers", answers(first), []answer{
			{7, statusAccepted, 0}, {7, statusAccepted, 0}, {0, statusRefused, 0}, {math.MaxUint64, statusAccepted, 0}, {1, statusAccepted, 0},
			{2, statusAccepted, 0}, {3, statusRefused, 0}, {4, statusAccepted, 0},
		})
		s.closeSend()
		if more := s.rest(); len(more) > 0 {
			t.Errorf("more answers than were asked for: %v", more)
		}

		// Each accepted operation that changed something has one event, at its revision.
		var want, got []string
		for i, a := range first {
			if a.Status == statusAccepted && a.RouteId != 0 {
				want = append(want, fmt.Sprintf("%d %s id %d", a.Revision, batch[i].Route.Prefix, a.RouteId))
			}
		}
		for _, e := range w.events(5) {
			got = append(got, fmt.Sprintf("%d %s id %d", e.Revision, e.Route.Prefix, e.Route.Id))
			if e.Kind != vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED && !slices.ContainsFunc(first, func(a *vasicv1.OperationResult) bool {
				return a.Revision == e.Revision && a.Generation == e.Route.Generation
			}) {
				t.Errorf("no answer has revision %d and generation %d", e.Revision, e.Route.Generation)
			}
		}
		wantEqual(t, "events", got, want)
		if same := first[4]; same.RouteId != 0 || same.Generation != 0 || same.Revision != first[3].Revision {
			t.Errorf("an operation that changes nothing is answered with %v", same)
		}
		if gone := first[7]; gone.RouteId != first[3].RouteId || gone.Generation != 0 {
			t.Errorf("a delete is answered with %v", gone)
		}
		if first[5].RouteId != first[1].RouteId || first[5].Generation <= first[1].Generation {
			t.Errorf("a replace is answered with %v after %v", first[5], first[1])
		}
	})
}

func TestHardwareSettlesEachOperationOnce(t *testing.T) {
	cfg := server.Config{Resources: map[string]uint64{"IPv4/fib": 9}} // 6 of the links
	inAPIBubble(t, cfg, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		r.pause()
		s := r.stream()
		s.send(
			op(1, actionAdd, good4()),
			op(2, actionAdd, good4(metric(5))),     // behind 1
			op(3, actionReplace, good4()),          // equal to 1
			op(4, actionReplace, good4(proto8(4))), // supersedes 1
			op(5, actionAdd, good6()),
			op(6, actionAdd, apiRoute("203.0.113.0/24", kind(unreachable))),
			op(7, actionAdd, apiRoute("2001:db8:c::/48", kind(throw))),
			op(8, actionAdd, apiRoute("192.0.2.0/25", via("10.0.1.2"))),
			op(9, actionAdd, apiRoute("192.0.2.128/25", via("10.0.1.2"))),          // one too many
			op(10, actionAdd, apiRoute("10.0.1.0/24", metric(9), via("10.0.2.2"))), // behind a connected one
			op(11, actionDelete, good4(proto8(4))),                                 // supersedes 4; 2 comes forward
			&vasicv1.RouteOperation{Id: 12, Action: actionDelete, Route: good6()},  // not asked for
		)
		a := func(id uint64) answer { return answer{id, statusAccepted, 0} }
		before := func(id uint64) answer { return answer{id, statusNotSelected, 0} }
		first := []answer{a(1), a(2), before(2), a(3), before(3), a(4), a(5), a(6), a(7), a(8), a(9), a(10), before(10), a(11), a(12)}
		wantEqual(t, "at once", answers(s.next(len(first))), first)
		s.closeSend()
		later := []answer{
			{1, statusSuperseded, 0}, {4, statusSuperseded, 0}, {5, statusSuperseded, 0}, {6, statusTrapped, 0}, {7, statusTrapped, 0},
			{8, statusOffloaded, 0}, {9, statusFailed, tableFull}, {11, statusRemoved, 0},
		}
		for i := range later { // exactly as far as hardware has come
			step := must(r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: 1}))(t)
			if step.Done != 1 {
				t.Errorf("step did %d operations", step.Done)
			}
			wantEqual(t, "later", answers(s.next(1)), later[i:i+1])
		}
		r.resume()
		if more := s.rest(); len(more) > 0 {
			t.Errorf("too many answers: %v", more)
		}
	})
}

func TestAnInjectedFailureIsAnAnswerAndNoRefusal(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.set("fail_route_offload", &vasicv1.Settings{FailRouteOffload: true})
		s := r.stream()
		s.send(op(1, actionAdd, good4()), op(2, actionAdd, good6()))
		s.closeSend()
		results := answers(s.rest())
		slices.SortFunc(results, func(a, b answer) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.status, b.status)) })
		wantEqual(t, "answers", results, []answer{{1, statusAccepted, 0}, {1, statusFailed, injected}, {2, statusAccepted, 0}, {2, statusFailed, injected}})
		for _, prefix := range []string{"198.51.100.0/24", "2001:db8:b::/48"} {
			route := must(r.routes.GetRoute(r.ctx(), &vasicv1.GetRouteRequest{Prefix: prefix}))(t).Route
			if !route.OffloadFailed || route.FailureReason != injected || route.Offload || route.Trap {
				t.Errorf("not marked: %v", route)
			}
		}
	})
}

// Whatever is sent and however hardware gets on: one first answer in order, one final one if asked for, and nothing else.
func TestEveryOperationIsAnsweredExactlyAsAskedFor(t *testing.T) {
	const total, batches = 600, 40
	inAPIBubble(t, server.Config{QueueCapacity: 64, Resources: map[string]uint64{"IPv4/fib": 10}}, func(t *testing.T, r *apiRig) {
		rng := rand.New(rand.NewPCG(1, 2))
		r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: seconds(0.001)})
		s := r.stream()
		asked := make([]bool, total)
		go func() {
			defer s.closeSend()
			for b := range batches {
				var ops []*vasicv1.RouteOperation
				for i := range total / batches {
					id := b*total/batches + i
					asked[id] = rng.IntN(2) == 0
					ops = append(ops, &vasicv1.RouteOperation{Id: uint64(id), Action: vasicv1.RouteAction(rng.IntN(8)), Route: anyRoute(rng), ReportHardware: asked[id]}) //nolint:gosec // small
				}
				s.send(ops...)
				time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond) // virtual: hardware is now ahead, now behind
			}
		}()
		results := s.rest()
		var order []uint64
		accepted, final := map[uint64]bool{}, map[uint64]vasicv1.OperationStatus{}
		seen := map[vasicv1.OperationStatus]int{}
		for _, res := range results {
			seen[res.Status]++
			switch {
			case res.Status == statusAccepted || res.Status == statusRefused:
				order = append(order, res.Id)
				accepted[res.Id] = res.Status == statusAccepted
			case final[res.Id] != 0:
				t.Errorf("operation %d settled as %v and as %v", res.Id, final[res.Id], res.Status)
			case !asked[res.Id] || !accepted[res.Id]:
				t.Errorf("operation %d settled as %v (asked for: %v; accepted before: %v)", res.Id, res.Status, asked[res.Id], accepted[res.Id])
			default:
				final[res.Id] = res.Status
			}
		}
		if len(order) != total || !slices.IsSorted(order) {
			t.Errorf("%d first answers, sorted %v", len(order), slices.IsSorted(order))
		}
		for id := range uint64(total) {
			if asked[id] && accepted[id] && final[id] == 0 {
				t.Errorf("operation %d never settled", id)
			}
		}
		for status := statusAccepted; status <= statusSuperseded; status++ {
			if seen[status] == 0 {
				t.Errorf("the test met no %v: %v", status, seen)
			}
		}
	})
}

// Hardware is often done with the first operations of a batch before the last is looked at.
func TestAnAcceptanceComesBeforeTheHardwareResult(t *testing.T) {
	const total = 4000
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		var batch []*vasicv1.RouteOperation
		for i := range total / 2 { // families in turn, and so one by one
			batch = append(batch, op(uint64(2*i), actionAdd, apiRoute(prefixNumber(i), kind(blackhole))), //nolint:gosec // small
				op(uint64(2*i+1), actionAdd, apiRoute(fmt.Sprintf("2001:db8:%x::/48", 0x1000+i), kind(blackhole)))) //nolint:gosec // small
		}
		s := r.stream()
		s.send(batch...)
		s.closeSend()
		accepted, settled := uint64(0), 0
		for _, res := range s.rest() {
			switch {
			case res.Status == statusAccepted && res.Id == accepted:
				accepted++
			case res.Status == statusOffloaded && res.Id < accepted:
				settled++
			default:
				t.Fatalf("%v after %d were accepted", res, accepted)
			}
		}
		if accepted != total || settled != total {
			t.Errorf("%d accepted, %d settled", accepted, settled)
		}
	})
}

// anyRoute is one of a few routes, so that requests meet.
func anyRoute(rng *rand.Rand) *vasicv1.Route {
	if rng.IntN(3) == 0 {
		return apiRoute(fmt.Sprintf("2001:db8:f%d::/48", rng.IntN(3)), via(fmt.Sprintf("2001:db8:%d::%d", 1+rng.IntN(2), 2+rng.IntN(3))))
	}
	prefix := fmt.Sprintf("198.51.%d.0/24", rng.IntN(5))
	if rng.IntN(4) == 0 {
		return apiRoute(prefix, kind(vasicv1.RouteType(6+rng.IntN(4)))) //nolint:gosec // small
	}
	return apiRoute(prefix, via(fmt.Sprintf("10.0.%d.2", 1+rng.IntN(2))), metric(uint32(rng.IntN(2)))) //nolint:gosec // small
}

// An IPv6 delete that lists next hops is carried out one by one, and is still one operation.
func TestAnIPv6DeleteOfSeveralNextHopsSettlesOnce(t *testing.T) {
	gateways := []string{"2001:db8:1::2", "2001:db8:1::3", "2001:db8:1::4", "2001:db8:1::5"}
	for n := 2; n <= len(gateways); n++ {
		t.Run(fmt.Sprint(n, "of", len(gateways)), func(t *testing.T) {
			inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
				r.add(apiRoute("2001:db8:b::/48", via(gateways...)))
				synctest.Wait()
				s := r.stream()
				s.send(op(1, actionDelete, apiRoute("2001:db8:b::/48", via(gateways[:n]...))))
				s.closeSend()
				results, err := s.drain()
				if err != nil {
					t.Errorf("the stream ended with %v", err)
				}
				wantEqual(t, "answers", answers(results), []answer{{1, statusAccepted, 0}, {1, statusRemoved, 0}})
			})
		})
	}
}

// As the kernel does, a delete goes on behind a next hop that is not there. It is refused all the same, which is final.
func TestAnIPv6DeleteWithAMissingNextHopIsAnsweredOnce(t *testing.T) {
	for _, gateways := range [][]string{{"2001:db8:1::2", "2001:db8:1::9"}, {"2001:db8:1::9", "2001:db8:1::2"}} {
		inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
			r.add(apiRoute("2001:db8:b::/48", via("2001:db8:1::2", "2001:db8:1::3")))
			synctest.Wait()
			s := r.stream()
			s.send(op(1, actionDelete, apiRoute("2001:db8:b::/48", via(gateways...))))
			s.closeSend()
			results := s.rest()
			wantEqual(t, "answers", answers(results), []answer{{1, statusRefused, 0}})
			notFound("ESRCH", "").check(t, refusalOfResult(results[0]))
			if left := r.list(&vasicv1.RouteFilter{ExactPrefix: "2001:db8:b::/48"}); len(left) != 1 || len(left[0].NextHops) != 1 {
				t.Errorf("left: %v", left)
			}
		})
	}
}
