package server_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

const (
	consistent = vasicv1.Verdict_VERDICT_CONSISTENT
	pending    = vasicv1.Verdict_VERDICT_PENDING
	trapped    = vasicv1.Verdict_VERDICT_TRAPPED
	blackholed = vasicv1.Verdict_VERDICT_BLACKHOLED
	misrouted  = vasicv1.Verdict_VERDICT_MISROUTED
)

// auditReport is what an audit has to say.
type auditReport struct {
	lines    []string
	totals   map[string]uint64
	compared uint64
}

// compared writes a comparison in one line.
func compared(c *vasicv1.Comparison) string {
	line := c.Address
	if line != "" {
		line += " "
	}
	line += vasicv1.Verdict_name[int32(c.Verdict)][len("VERDICT_"):]
	if s := c.Software; s != nil {
		line += fmt.Sprintf(" software %s table %d", s.Prefix, s.Table)
	}
	if h := c.Hardware; h != nil {
		line += fmt.Sprintf(" hardware %s table %d %s", h.Prefix, h.Table, h.Action)
		if c.Software != nil && c.Software.Generation != h.Generation {
			line += " of another route"
		}
		for _, nh := range h.NextHops {
			line += fmt.Sprintf(" %s%%%s", nh.Gateway, nh.Device)
		}
	}
	return line
}

func (r *apiRig) audit(req *vasicv1.AuditRequest) (report auditReport) {
	r.t.Helper()
	stream := must(r.audits.Audit(r.ctx(), req))(r.t)
	report.totals = map[string]uint64{}
	var last *vasicv1.AuditResponse
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.t.Fatal(err)
		}
		if last != nil && (len(last.Totals) > 0 || last.Compared > 0 || res.Progress < last.Progress) {
			r.t.Errorf("%v after %v", res, last)
		}
		last = res
		for _, c := range res.Comparisons {
			report.lines = append(report.lines, compared(c))
		}
	}
	for _, n := range last.GetTotals() {
		report.totals[n.Family.String()[len("FAMILY_"):]+" "+n.Verdict.String()[len("VERDICT_"):]] = n.Count
		report.compared -= n.Count
	}
	if report.compared += last.GetCompared(); report.compared != 0 || last.GetCompared() == 0 {
		r.t.Errorf("the totals are not what was compared: %v", last)
	}
	report.compared = last.GetCompared()
	return report
}

// differences are what an audit reports unless told otherwise.
func (r *apiRig) differences() []string {
	r.t.Helper()
	return r.audit(&vasicv1.AuditRequest{}).lines
}

// compareAddresses compares addresses in one batch.
func (r *apiRig) compareAddresses(table uint32, addresses ...string) (lines []string) {
	r.t.Helper()
	stream := must(r.audits.CompareAddresses(r.ctx()))(r.t)
	if err := stream.Send(&vasicv1.CompareAddressesRequest{Addresses: addresses, Table: table}); err != nil {
		r.t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		r.t.Fatal(err)
	}
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			r.t.Fatal(err)
		}
		for _, c := range res.Comparisons {
			lines = append(lines, compared(c))
		}
	}
}

func TestASwitchAtRestIsConsistent(t *testing.T) {
	for _, profile := range []string{"switch", "netdevsim"} {
		inAPIBubble(t, server.Config{Profile: profile, LoopbackUp: true}, func(t *testing.T, r *apiRig) {
			variety(r)
			r.twoObjects()
			r.add(apiRoute("192.0.9.0/24", nhid(10)))
			r.quiet()
			report := r.audit(&vasicv1.AuditRequest{})
			for _, line := range report.lines {
				t.Log(profile, line)
			}
			for _, bad := range []string{"IPv4 PENDING", "IPv6 PENDING", "IPv4 MISROUTED", "IPv6 MISROUTED"} {
				if report.totals[bad] != 0 {
					t.Errorf("%s: %v", profile, report.totals)
				}
			}
			if profile == "netdevsim" && report.totals["IPV4 TRAPPED"] == 0 {
				t.Errorf("netdevsim forwards: %v", report.totals)
			}
		})
	}
}

func TestAuditTellsWhatHardwareDoesElse(t *testing.T) {
	inAPIBubble(t, server.Config{Resources: map[string]uint64{"IPv4/fib": 9}}, func(t *testing.T, r *apiRig) {
		r.quiet()
		wantEqual(t, "at first", r.differences(), nil)
		r.add(apiRoute("198.51.0.0/16", via("10.0.2.2")), apiRoute("192.0.2.0/24", via("10.0.1.2")))
		r.quiet()
		r.pause()
		r.add(good4())
		must(r.modify(actionReplace, apiRoute("192.0.2.0/24", via("10.0.2.2"))))(t)
		must(r.modify(actionDelete, apiRoute("10.0.2.0/24", table(254))))(t)
		wantEqual(t, "paused", r.differences(), []string{
			"PENDING software 192.0.2.0/24 table 254 hardware 192.0.2.0/24 table 254 forward of another route 10.0.1.2%swp1",
			"PENDING software 198.51.100.0/24 table 254", "PENDING hardware 10.0.2.0/24 table 254 forward %swp2",
		})
		must(r.createFault(&vasicv1.Fault{Fail: true, Prefix: "192.0.2.0/24", Operation: vasicv1.FaultOperation_FAULT_OPERATION_REPLACE}))(t)
		must(r.createFault(&vasicv1.Fault{Fail: true, Prefix: "198.51.100.0/24"}))(t)
		must(r.createFault(&vasicv1.Fault{Fail: true, Operation: vasicv1.FaultOperation_FAULT_OPERATION_DELETE}))(t)
		r.add(apiRoute("203.0.113.0/24", via("10.0.1.2")), apiRoute("203.0.112.0/24", via("10.0.1.2")), apiRoute("203.0.111.0/24", kind(blackhole)))
		r.resume()
		r.quiet()
		want := []string{
			"MISROUTED software 192.0.2.0/24 table 254 hardware 192.0.2.0/24 table 254 forward of another route 10.0.1.2%swp1", // the older route
			"MISROUTED software 198.51.100.0/24 table 254 hardware 198.51.0.0/16 table 254 forward of another route 10.0.2.2%swp2",
			"BLACKHOLED software 203.0.112.0/24 table 254",
			"MISROUTED hardware 10.0.2.0/24 table 254 forward %swp2",
		}
		wantEqual(t, "failed", r.differences(), want)
		if route := r.get("192.0.2.0/24"); !route.OffloadFailed || !route.OlderInHardware {
			t.Errorf("the route's flags do not say so: %v", route)
		}
		if s := r.status(); s.UndeletedEntries != 1 {
			t.Errorf("undeleted: %v", s)
		}
		must(r.replaceNeighbor("10.0.2.2", "swp2", nudFailed))(t)
		r.quiet()
		wantEqual(t, "a neighbour has failed", r.differences(), []string{
			want[0], "TRAPPED software 198.51.0.0/16 table 254 hardware 198.51.0.0/16 table 254 trap",
			"TRAPPED software 198.51.100.0/24 table 254 hardware 198.51.0.0/16 table 254 trap of another route", // the CPU knows the way
			want[2], want[3],
		})
		wantEqual(t, "addresses", r.compareAddresses(0, "10.0.1.77", "192.0.2.7", "198.51.7.7", "198.51.100.7", "203.0.112.7", "203.0.111.7", "10.0.2.9", "8.8.8.8", "10.0.1.1", "ff02::1", "2001:db8:1::7"), []string{
			"10.0.1.77 CONSISTENT software 10.0.1.0/24 table 254 hardware 10.0.1.0/24 table 254 forward %swp1",
			"192.0.2.7 MISROUTED software 192.0.2.0/24 table 254 hardware 192.0.2.0/24 table 254 forward of another route 10.0.1.2%swp1",
			"198.51.7.7 TRAPPED software 198.51.0.0/16 table 254 hardware 198.51.0.0/16 table 254 trap",
			"198.51.100.7 TRAPPED software 198.51.100.0/24 table 254 hardware 198.51.0.0/16 table 254 trap of another route",
			"203.0.112.7 BLACKHOLED software 203.0.112.0/24 table 254",
			"203.0.111.7 CONSISTENT software 203.0.111.0/24 table 254",
			"10.0.2.9 MISROUTED hardware 10.0.2.0/24 table 254 forward %swp2",
			"8.8.8.8 CONSISTENT",
			"10.0.1.1 CONSISTENT software 10.0.1.1/32 table 255 hardware 10.0.1.1/32 table 255 trap",
			"ff02::1 CONSISTENT software ff00::/8 table 255",
			"2001:db8:1::7 CONSISTENT software 2001:db8:1::/64 table 254 hardware 2001:db8:1::/64 table 254 forward %swp1",
		})
		wantEqual(t, "in one table", r.compareAddresses(255, "10.0.1.1", "10.0.1.77"), []string{
			"10.0.1.1 CONSISTENT software 10.0.1.1/32 table 255 hardware 10.0.1.1/32 table 255 trap",
			"10.0.1.77 MISROUTED hardware 10.0.1.0/24 table 254 forward %swp1", // local and main are one table in hardware
		})

		report := r.audit(&vasicv1.AuditRequest{Verdicts: []vasicv1.Verdict{misrouted, consistent}, WithinPrefix: "192.0.0.0/8", Limit: 1})
		wantEqual(t, "with a filter", report.lines, want[:1])
		report = r.audit(&vasicv1.AuditRequest{Family: family4, Table: 255})
		if report.compared != report.totals["IPV4 CONSISTENT"] || len(report.lines) != 0 {
			t.Errorf("table 255: %+v", report)
		}
		if report = r.audit(&vasicv1.AuditRequest{Limit: 2}); len(report.lines) != 2 || report.totals["IPV4 MISROUTED"] != 2 || report.totals["IPV4 TRAPPED"] != 2 {
			t.Errorf("limited: %+v", report)
		}
		if err := r.deleteFault(0); err != nil {
			t.Error(err)
		}
		r.quiet()
		if lines := r.differences(); slices.Contains(lines, want[3]) {
			t.Errorf("the delete was not tried again: %v", lines)
		}
	})
}

func TestAuditSeesTheOldNextHopsOfAnObject(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		must(r.createObject(&vasicv1.NextHopObject{Id: 1, Gateway: "10.0.1.2"}))(t)
		r.add(apiRoute("192.0.2.0/24", nhid(1)))
		r.quiet()
		r.pause()
		must(r.replaceObject(&vasicv1.NextHopObject{Id: 1, Gateway: "10.0.2.2"}))(t)
		wantEqual(t, "paused", r.differences(), []string{"PENDING software 192.0.2.0/24 table 254 hardware 192.0.2.0/24 table 254 forward 10.0.1.2%swp1"})
		must(r.replaceObject(&vasicv1.NextHopObject{Id: 1, Blackhole: true}))(t)
		wantEqual(t, "paused", r.differences(), []string{"PENDING software 192.0.2.0/24 table 254 hardware 192.0.2.0/24 table 254 forward 10.0.1.2%swp1"})
		r.resume()
		r.quiet()
		wantEqual(t, "resumed", r.differences(), nil)
	})
}

func TestAuditKnowsThatLocalHidesMain(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.add(apiRoute("10.0.1.1/32", via("10.0.2.2")), apiRoute("192.0.2.0/24", via("10.0.1.2"), table(100)), apiRoute("192.0.2.0/24", via("10.0.2.2"), table(253)))
		r.quiet()
		wantEqual(t, "differences", r.differences(), nil)
		if route := r.get("10.0.1.1/32"); route.Offload || route.Trap {
			t.Errorf("the hidden route has flags: %v", route)
		}
	})
}

// Many prefixes, in many pieces, while they change: nothing is ever reported but what is under way.
func TestAuditDuringChangesFindsNothingButWhatIsPending(t *testing.T) {
	const n = 3000
	r := newAPIRig(t, server.Config{})
	s := r.stream()
	var add, del []*vasicv1.RouteOperation
	for i := range n {
		route := apiRoute(prefixNumber(i), via("10.0.1.2"))
		add = append(add, &vasicv1.RouteOperation{Action: actionAdd, Route: route})
		del = append(del, &vasicv1.RouteOperation{Action: actionDelete, Route: route})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 5 {
			for _, ops := range [][]*vasicv1.RouteOperation{add, del} {
				s.send(ops...)
				s.next(n)
			}
		}
	}()
	for audits := 0; ; audits++ {
		report := r.audit(&vasicv1.AuditRequest{Family: family4, Verdicts: []vasicv1.Verdict{trapped, blackholed, misrouted}})
		if len(report.lines) > 0 {
			t.Fatalf("%d differences, the first: %s", len(report.lines), report.lines[0])
		}
		select {
		case <-done:
			t.Log(audits, "audits")
			return
		default:
		}
	}
}

func TestMetricsOfTheBackgroundAudit(t *testing.T) {
	inAPIBubble(t, server.Config{AuditInterval: 10 * time.Second}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		at := func(verdict string) string {
			return fmt.Sprintf(`vasic_audit_prefixes{family="IPv4",verdict=%q}`, verdict)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantMetrics(t, "at first", r.scrape(), map[string]float64{at("consistent"): 6, at("misrouted"): 0})
		must(r.createFault(&vasicv1.Fault{Fail: true}))(t)
		r.add(good4())
		time.Sleep(5 * time.Second)
		wantMetrics(t, "before the next audit", r.scrape(), map[string]float64{at("blackholed"): 0})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wantMetrics(t, "after it", r.scrape(), map[string]float64{at("consistent"): 6, at("blackholed"): 1})
		now := r.scrape()["vasic_audit_timestamp_seconds"]
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantMetrics(t, "nothing happened", r.scrape(), map[string]float64{at("blackholed"): 1, "vasic_audit_timestamp_seconds": now + 10})
		must(r.replaceNeighbor("10.0.9.9", "swp1", nudFailed))(t)
		if err := r.deleteFault(0); err != nil {
			t.Error(err)
		}
		must(r.modify(actionReplace, good4(proto8(4))))(t)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantMetrics(t, "mended", r.scrape(), map[string]float64{at("blackholed"): 0, at("consistent"): 7})
		must(r.replaceNeighbor("10.0.1.2", "swp1", nudFailed))(t) // which is published to nobody
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantMetrics(t, "a neighbour failed", r.scrape(), map[string]float64{at("trapped"): 1, at("consistent"): 6, `vasic_neighbors{state="failed"}`: 2})
	})
}

func TestExposureIsTheTimeUntilARouteIsInHardware(t *testing.T) {
	inAPIBubble(t, server.Config{Resources: map[string]uint64{"IPv4/fib": 8}}, func(t *testing.T, r *apiRig) {
		r.quiet()
		start := r.scrape()
		r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: seconds(2)})
		r.set("retry_failed", &vasicv1.Settings{RetryFailed: true})
		r.settle(actionAdd, good4())                                       // 2 s
		r.settle(actionAdd, apiRoute("203.0.113.0/24", kind(unreachable))) // 2 s, trapped
		if res := r.settle(actionAdd, apiRoute("192.0.2.0/24", via("10.0.1.2"))); res.Status != statusFailed {
			t.Errorf("there is room: %v", res)
		}
		if s := r.status(); s.WaitingForRoom != 1 {
			t.Errorf("waiting: %v", s)
		}
		time.Sleep(10 * time.Second)
		must(r.modify(actionDelete, good4()))(t)
		time.Sleep(10 * time.Second)
		if route := r.get("192.0.2.0/24"); !route.Offload {
			t.Errorf("no retry: %v", route)
		}
		offload, trap := `{family="IPv4",outcome="offload"}`, `{family="IPv4",outcome="trap"}`
		wantMetrics(t, "exposure", since(start, r.scrape()), map[string]float64{
			"vasic_route_exposure_seconds_count" + offload: 2, "vasic_route_exposure_seconds_sum" + offload: 2 + 2 + 10 + 2 + 2,
			"vasic_route_exposure_seconds_count" + trap: 1, "vasic_route_exposure_seconds_sum" + trap: 2,
		})
	})
}

func TestAuditRefusals(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		for i, c := range []struct {
			req  *vasicv1.AuditRequest
			want refused
		}{
			{&vasicv1.AuditRequest{Family: 3}, unknownEnum("family", "3")},
			{&vasicv1.AuditRequest{WithinPrefix: "x"}, malformed("within_prefix", `"x"`)},
			{&vasicv1.AuditRequest{WithinPrefix: "10.0.0.1/8"}, hostBits("within_prefix", "10.0.0.0/8")},
			{&vasicv1.AuditRequest{Verdicts: []vasicv1.Verdict{pending, 0}}, unknownEnum("verdicts", "0")},
			{&vasicv1.AuditRequest{Verdicts: []vasicv1.Verdict{6}}, unknownEnum("verdicts", "6")},
		} {
			_, err := must(r.audits.Audit(r.ctx(), c.req))(t).Recv()
			c.want.checkErr(named{t, fmt.Sprint("case ", i)}, err)
		}
		for i, c := range []struct {
			addresses []string
			want      refused
		}{
			{nil, outOfRange("addresses", "0 is not between 1 and 4096")},
			{slices.Repeat([]string{"::1"}, 4097), outOfRange("addresses", "4097")},
			{[]string{"10.0.0.1", "10.0.0.0/8"}, malformed("addresses", `"10.0.0.0/8"`)},
		} {
			stream := must(r.audits.CompareAddresses(r.ctx()))(t)
			if err := stream.Send(&vasicv1.CompareAddressesRequest{Addresses: c.addresses}); err != nil {
				t.Error(err)
			}
			_, err := stream.Recv()
			c.want.checkErr(named{t, fmt.Sprint("case ", i)}, err)
		}
	})
}
