package vasic_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	accepted  = vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED
	refused   = vasicv1.OperationStatus_OPERATION_STATUS_REFUSED
	offloaded = vasicv1.OperationStatus_OPERATION_STATUS_OFFLOADED
	failed    = vasicv1.OperationStatus_OPERATION_STATUS_FAILED
	actionAdd = vasicv1.RouteAction_ROUTE_ACTION_ADD
)

// modifyAll serves ModifyRoutes: it answers every operation with accepted, or if its metric is 1 with refused, and where asked
// at the end of the stream with offloaded, or if its metric is 2 with failed. What it received is added to seen.
func modifyAll(seen *[]*vasicv1.ModifyRoutesRequest) func(modifyStream) error {
	return func(s modifyStream) error {
		hardware := &vasicv1.ModifyRoutesResponse{}
		revision := uint64(0)
		for {
			m, err := s.Recv()
			if errors.Is(err, io.EOF) {
				if len(hardware.Results) == 0 {
					return nil
				}
				return s.Send(hardware)
			}
			if err != nil {
				return err
			}
			*seen = append(*seen, m)
			answers := &vasicv1.ModifyRoutesResponse{}
			for _, op := range m.GetOperations() {
				if op.GetRoute().GetMetric() == 1 {
					answers.Results = append(answers.Results, &vasicv1.OperationResult{Id: op.GetId(), Status: refused,
						Error: &vasicv1.OperationError{Code: int32(codes.ResourceExhausted), Reason: "TABLE_FULL", Message: "full"}})
					continue
				}
				revision++
				answers.Results = append(answers.Results, &vasicv1.OperationResult{
					Id: op.GetId(), Status: accepted, Revision: revision, RouteId: revision + 100, Generation: revision + 200, Warning: "warned"})
				if !op.GetReportHardware() {
					continue
				}
				r := &vasicv1.OperationResult{Id: op.GetId(), Status: offloaded}
				if op.GetRoute().GetMetric() == 2 {
					r.Status, r.FailureReason = failed, vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL
				}
				hardware.Results = append(hardware.Results, r)
			}
			if err := s.Send(answers); err != nil {
				return err
			}
		}
	}
}

func withMetric(prefix string, metric uint32) *vasicv1.Route {
	return &vasicv1.Route{Prefix: prefix, Metric: &metric, NextHops: []*vasicv1.NextHop{{Gateway: "10.0.0.1", Device: "swp1"}}}
}

func TestOperationsTravelInBatchesAndAreAnsweredOneByOne(t *testing.T) {
	var seen []*vasicv1.ModifyRoutesRequest
	inBubble(t, &fakeSwitch{modify: modifyAll(&seen)}, func(t *testing.T, c *vasic.Client) {
		var got []string
		p, err := c.NewProgrammer(t.Context(), vasic.ProgrammerOptions{BatchSize: 2, ReportHardware: true, OnResult: func(r vasic.Result) {
			got = append(got, fmt.Sprintf("%d %v %d %d %d %v %q full=%t", r.ID, r.Status, r.Revision, r.RouteID, r.Generation, r.FailureReason, r.Warning, errors.Is(r.Err, vasic.ErrTableFull)))
		}})
		if err != nil {
			t.Fatal(err)
		}
		r := withMetric("10.0.0.0/8", 0)
		for id, metric := range []uint32{0, 1, 2} {
			*r.Metric = metric // the same message again
			if err := p.Send(vasic.Operation{ID: uint64(id), Action: actionAdd, Route: r}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`0 OPERATION_STATUS_ACCEPTED 1 101 201 FAILURE_REASON_UNSPECIFIED "warned" full=false`,
			`1 OPERATION_STATUS_REFUSED 0 0 0 FAILURE_REASON_UNSPECIFIED "" full=true`,
			`2 OPERATION_STATUS_ACCEPTED 2 102 202 FAILURE_REASON_UNSPECIFIED "warned" full=false`,
			`0 OPERATION_STATUS_OFFLOADED 0 0 0 FAILURE_REASON_UNSPECIFIED "" full=false`,
			`2 OPERATION_STATUS_FAILED 0 0 0 FAILURE_REASON_TABLE_FULL "" full=false`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("answers:\ngot  %q\nwant %q", got, want)
		}
		if len(seen) != 2 || len(seen[0].GetOperations()) != 2 || len(seen[1].GetOperations()) != 1 {
			t.Fatalf("batches: %v", seen)
		}
		if got, want := seen[0].GetOperations()[1], (&vasicv1.RouteOperation{Id: 1, Action: actionAdd, Route: withMetric("10.0.0.0/8", 1), ReportHardware: true}); !proto.Equal(got, want) {
			t.Errorf("operation: got %v, want %v", got, want)
		}
		for name, err := range map[string]error{"Send": p.Send(vasic.Operation{}), "Flush": p.Flush(), "Close": p.Close()} {
			if !errors.Is(err, vasic.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
	})
}

func TestSendBlocksWhileTooManyOperationsAreUnanswered(t *testing.T) {
	release := make(chan int)
	f := &fakeSwitch{modify: func(s modifyStream) error {
		for n := range release {
			for range n {
				m, err := s.Recv()
				if err != nil {
					return err
				}
				for _, op := range m.GetOperations() {
					_ = s.Send(&vasicv1.ModifyRoutesResponse{Results: []*vasicv1.OperationResult{{Id: op.GetId(), Status: accepted}}})
				}
			}
		}
		return nil
	}}
	synctest.Test(t, func(t *testing.T) {
		release = make(chan int) // of this bubble
		c := vasic.NewClient(serve(t, f))
		p, err := c.NewProgrammer(t.Context(), vasic.ProgrammerOptions{BatchSize: 2, MaxInFlight: 5})
		if err != nil {
			t.Fatal(err)
		}
		sent := 0
		go func() {
			for p.Send(vasic.Operation{Action: actionAdd, Route: route(0, "10.0.0.0/8")}) == nil {
				sent++
			}
		}()
		step := func(batches, want int) {
			t.Helper()
			if batches > 0 {
				release <- batches
			}
			synctest.Wait()
			if sent != want {
				t.Errorf("%d operations were taken, want %d", sent, want)
			}
		}
		step(0, 5) // two batches are on their way, the third is full and waits
		time.Sleep(time.Hour)
		step(0, 5)
		step(1, 7)
		step(2, 11)
		close(release)
		synctest.Wait()
		if e, ok := vasic.AsError(p.Close()); !ok || e.Code != codes.Unavailable {
			t.Errorf("the stream ended early, and Close says %v", e)
		}
	})
}

func TestAStreamErrorReachesEveryCall(t *testing.T) {
	f := &fakeSwitch{modify: func(s modifyStream) error {
		_, _ = s.Recv()
		return errStopping
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		p, err := c.NewProgrammer(t.Context(), vasic.ProgrammerOptions{BatchSize: 1, MaxInFlight: 1})
		if err != nil {
			t.Fatal(err)
		}
		op := vasic.Operation{Action: actionAdd, Route: route(0, "10.0.0.0/8")}
		if err := p.Send(op); err != nil {
			t.Fatal(err)
		}
		if err := p.Send(op); !errors.Is(err, vasic.ErrShuttingDown) {
			t.Errorf("Send: got %v", err)
		}
		if err := p.Flush(); !errors.Is(err, vasic.ErrShuttingDown) {
			t.Errorf("Flush: got %v", err)
		}
		err = p.Close()
		if _, ok := vasic.AsError(err); !ok || !errors.Is(err, vasic.ErrShuttingDown) {
			t.Errorf("Close: got %v", err)
		}
		if want := "vasic: refused: SHUTTING_DOWN (SHUTTING_DOWN) (2 operations without an answer, 0 accepted but not settled)"; err.Error() != want {
			t.Errorf("Close: got %q, want %q", err, want)
		}
	})
}

func TestTheContextEndsAProgrammerThatWaits(t *testing.T) {
	f := &fakeSwitch{modify: func(s modifyStream) error {
		m, _ := s.Recv()
		_ = s.Send(&vasicv1.ModifyRoutesResponse{Results: []*vasicv1.OperationResult{{Id: m.GetOperations()[0].GetId(), Status: accepted}}})
		<-s.Context().Done()
		return nil
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		results, err := c.Apply(ctx, []vasic.Operation{{ID: 7, Action: actionAdd, Route: route(0, "10.0.0.0/8")}}, vasic.WaitForHardware())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if len(results) != 1 || results[0].Status != accepted || results[0].ID != 7 {
			t.Errorf("results: %v", results)
		}
	})
}

func TestApplyGivesTheResultsInTheOrderOfTheOperations(t *testing.T) {
	var seen []*vasicv1.ModifyRoutesRequest
	inBubble(t, &fakeSwitch{modify: modifyAll(&seen)}, func(t *testing.T, c *vasic.Client) {
		ops := []vasic.Operation{
			{ID: 9, Action: actionAdd, Route: withMetric("10.0.0.0/8", 2)},
			{ID: 9, Action: actionAdd, Route: withMetric("\xff", 2)}, // cannot be encoded
			{ID: 8, Action: actionAdd, Route: withMetric("10.1.0.0/16", 1)},
			{ID: 7, Action: actionAdd, Route: withMetric("10.2.0.0/16", 0)},
		}
		results, err := c.Apply(t.Context(), ops, vasic.WaitForHardware())
		if err != nil {
			t.Fatal(err)
		}
		if r := results[0]; r.ID != 9 || r.Status != failed || r.Revision != 1 || r.RouteID != 101 || r.FailureReason != vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL {
			t.Errorf("first: %+v", r)
		}
		if r := results[1]; r.ID != 9 || r.Status != refused || !errors.Is(r.Err, vasic.ErrMalformed) {
			t.Errorf("second: %+v", r)
		}
		if r := results[2]; r.ID != 8 || r.Status != refused || !errors.Is(r.Err, vasic.ErrTableFull) {
			t.Errorf("third: %+v", r)
		}
		if r := results[3]; r.ID != 7 || r.Status != offloaded || r.Warning != "warned" {
			t.Errorf("fourth: %+v", r)
		}
		results, err = c.Apply(t.Context(), ops[3:])
		if err != nil || results[0].Status != accepted {
			t.Errorf("without hardware: %v, %v", results, err)
		}
		if results, err := c.Apply(t.Context(), nil); len(results) != 0 || err != nil {
			t.Errorf("of nothing: %v, %v", results, err)
		}
	})
}

func TestManyOperationsKeepTheirOrderAndContents(t *testing.T) {
	const n = 5000
	var seen []*vasicv1.ModifyRoutesRequest
	inBubble(t, &fakeSwitch{modify: modifyAll(&seen)}, func(t *testing.T, c *vasic.Client) {
		ops := make([]vasic.Operation, n)
		for i := range ops {
			ops[i] = vasic.Operation{Action: actionAdd, Route: withMetric(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), 3)}
		}
		results, err := c.Apply(t.Context(), ops)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for _, m := range seen {
			for _, op := range m.GetOperations() {
				if !proto.Equal(op.GetRoute(), ops[i].Route) || results[i].Revision != uint64(i+1) {
					t.Fatalf("operation %d: got %v, result %+v", i, op, results[i])
				}
				i++
			}
		}
		if i != n {
			t.Errorf("%d operations arrived, want %d", i, n)
		}
	})
}

func TestModifyRouteRefusesWithAnErrorAndReportsHardware(t *testing.T) {
	f := &fakeSwitch{one: func(r *vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) {
		if !r.GetWaitForHardware() {
			return nil, refusal(codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_ROUTE_EXISTS, nil)
		}
		return &vasicv1.ModifyRouteResponse{Result: &vasicv1.OperationResult{Status: offloaded, Revision: 5}}, nil
	}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		r, err := c.ModifyRoute(t.Context(), actionAdd, route(0, "10.0.0.0/8"))
		if !errors.Is(err, vasic.ErrRouteExists) || r.Status != refused {
			t.Errorf("got %+v, %v", r, err)
		}
		r, err = c.ModifyRoute(t.Context(), actionAdd, route(0, "10.0.0.0/8"), vasic.WaitForHardware())
		if err != nil || r.Status != offloaded || r.Revision != 5 {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}
