package server

import (
	"context"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// faultService is vasic.v1.FaultService.
type faultService struct {
	vasicv1.UnimplementedFaultServiceServer
	s *Server
}

// MaxFaultDelay is how long a fault rule can delay an operation.
const MaxFaultDelay = time.Hour

// faultOperations by vasicv1.FaultOperation.
var faultOperations = [...]asic.FaultOperation{
	vasicv1.FaultOperation_FAULT_OPERATION_UNSPECIFIED: asic.AnyOperation,
	vasicv1.FaultOperation_FAULT_OPERATION_ADD:         asic.AddOperation,
	vasicv1.FaultOperation_FAULT_OPERATION_REPLACE:     asic.ReplaceOperation,
	vasicv1.FaultOperation_FAULT_OPERATION_APPEND:      asic.AppendOperation,
	vasicv1.FaultOperation_FAULT_OPERATION_DELETE:      asic.DeleteOperation,
	vasicv1.FaultOperation_FAULT_OPERATION_NEXTHOP:     asic.NextHopOperation,
}

func faultMessage(f *asic.Fault) *vasicv1.Fault {
	m := &vasicv1.Fault{
		Id: f.ID, Table: f.Table, First: f.First, Every: f.Every, Probability: f.Probability, Matched: f.Matched, Hits: f.Hits,
	}
	if !f.AnyFamily {
		m.Family = familyMessage(f.Family)
	}
	if f.Prefix.IsValid() {
		m.Prefix = f.Prefix.String()
	}
	for op, o := range faultOperations {
		if o == f.Operation {
			m.Operation = vasicv1.FaultOperation(op) //nolint:gosec // few operations
		}
	}
	switch f.Effect {
	case asic.Fail:
		m.Fail, m.Reason = true, vasicv1.FailureReason(f.Reason)
	case asic.Delay:
		m.Delay = durationpb.New(f.Delay)
	case asic.Stall:
		m.Stall = true
	}
	return m
}

// parseFault checks a rule.
func parseFault(m *vasicv1.Fault) (f asic.Fault, bad *refusal) {
	if m == nil {
		return f, malformed("fault", "is missing")
	}
	families, bad := parseFamily("fault.family", m.Family)
	if bad != nil {
		return f, bad
	}
	f = asic.Fault{Family: families[0], AnyFamily: len(families) > 1, Table: m.Table, First: m.First, Every: m.Every, Probability: m.Probability}
	if m.Prefix != "" {
		if f.Prefix, bad = parsePrefix("fault.prefix", m.Prefix); bad != nil {
			return f, bad
		}
	}
	if m.Operation < 0 || int(m.Operation) >= len(faultOperations) {
		return f, unknownEnum("fault.operation", int32(m.Operation))
	}
	f.Operation = faultOperations[m.Operation]
	if bad = parseTurn(m); bad == nil {
		bad = parseEffect(m, &f)
	}
	return f, bad
}

// parseTurn checks which of the operations that match are affected.
func parseTurn(m *vasicv1.Fault) *refusal {
	given := 0
	for _, is := range []bool{m.First > 0, m.Every > 0, m.Probability != 0} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return malformed("fault", "has more than one of first, every and probability")
	case math.IsNaN(m.Probability) || m.Probability < 0 || m.Probability > 1:
		return invalid(vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE, "fault.probability", "%v is not between 0 and 1", m.Probability)
	}
	return nil
}

// parseEffect reads which of fail, delay and stall it is.
func parseEffect(m *vasicv1.Fault, f *asic.Fault) *refusal {
	given := 0
	for _, is := range []bool{m.Fail, m.Delay != nil, m.Stall} {
		if is {
			given++
		}
	}
	if given != 1 {
		return malformed("fault", "needs exactly one of fail, delay and stall")
	}
	if m.Reason < 0 || m.Reason > vasicv1.FailureReason_FAILURE_REASON_HARDWARE_ERROR {
		return unknownEnum("fault.reason", int32(m.Reason))
	}
	if m.Reason != vasicv1.FailureReason_FAILURE_REASON_UNSPECIFIED && !m.Fail {
		return malformed("fault.reason", "is for fail")
	}
	switch {
	case m.Fail:
		f.Effect, f.Reason = asic.Fail, fib.ReasonInjected
		if m.Reason != vasicv1.FailureReason_FAILURE_REASON_UNSPECIFIED {
			f.Reason = fib.Reason(m.Reason) //nolint:gosec // checked above
		}
	case m.Stall:
		f.Effect = asic.Stall
	default:
		f.Effect, f.Delay = asic.Delay, m.Delay.AsDuration()
		if m.Delay.CheckValid() != nil || f.Delay <= 0 || f.Delay > MaxFaultDelay {
			return invalid(vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE, "fault.delay", "%v is not above 0 and at most %v", f.Delay, MaxFaultDelay)
		}
	}
	return nil
}

func (fs faultService) CreateFault(_ context.Context, req *vasicv1.CreateFaultRequest) (*vasicv1.CreateFaultResponse, error) {
	fault, bad := parseFault(req.Fault)
	if bad != nil {
		return nil, bad
	}
	fault, err := fs.s.chip.AddFault(fault)
	if err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.CreateFaultResponse{Fault: faultMessage(&fault)}, nil
}

func (fs faultService) DeleteFault(_ context.Context, req *vasicv1.DeleteFaultRequest) (*vasicv1.DeleteFaultResponse, error) {
	return &vasicv1.DeleteFaultResponse{}, statusOf(fs.s.chip.DeleteFault(req.Id))
}

func (fs faultService) ListFaults(context.Context, *vasicv1.ListFaultsRequest) (*vasicv1.ListFaultsResponse, error) {
	res := &vasicv1.ListFaultsResponse{}
	list := fs.s.chip.Faults()
	for i := range list {
		res.Faults = append(res.Faults, faultMessage(&list[i]))
	}
	return res, nil
}
