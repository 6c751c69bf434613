package server_test

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

const (
	statusAccepted    = vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED
	statusRefused     = vasicv1.OperationStatus_OPERATION_STATUS_REFUSED
	statusOffloaded   = vasicv1.OperationStatus_OPERATION_STATUS_OFFLOADED
	statusTrapped     = vasicv1.OperationStatus_OPERATION_STATUS_TRAPPED
	statusFailed      = vasicv1.OperationStatus_OPERATION_STATUS_FAILED
	statusRemoved     = vasicv1.OperationStatus_OPERATION_STATUS_REMOVED
	statusNotSelected = vasicv1.OperationStatus_OPERATION_STATUS_NOT_SELECTED
	statusSuperseded  = vasicv1.OperationStatus_OPERATION_STATUS_SUPERSEDED
)

// apiStream is a ModifyRoutes call.
type apiStream struct {
	r      *apiRig
	stream grpc.BidiStreamingClient[vasicv1.ModifyRoutesRequest, vasicv1.ModifyRoutesResponse]
	cancel context.CancelFunc
}

// stream opens a ModifyRoutes call that lasts as long as the test.
func (r *apiRig) stream() *apiStream {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.ctx())
	r.t.Cleanup(cancel)
	return &apiStream{r: r, stream: must(r.routes.ModifyRoutes(ctx))(r.t), cancel: cancel}
}

// send sends one batch.
func (s *apiStream) send(ops ...*vasicv1.RouteOperation) {
	s.r.t.Helper()
	if err := s.stream.Send(&vasicv1.ModifyRoutesRequest{Operations: ops}); err != nil {
		s.r.t.Fatal(err)
	}
}

func (s *apiStream) closeSend() {
	s.r.t.Helper()
	if err := s.stream.CloseSend(); err != nil {
		s.r.t.Fatal(err)
	}
}

// next reads n answers.
func (s *apiStream) next(n int) (results []*vasicv1.OperationResult) {
	s.r.t.Helper()
	for len(results) < n {
		res, err := s.stream.Recv()
		if err != nil {
			s.r.t.Fatalf("after %d of %d answers: %v", len(results), n, err)
		}
		if len(res.Results) == 0 {
			s.r.t.Error("a message without an answer")
		}
		results = append(results, res.Results...)
	}
	if len(results) > n {
		s.r.t.Fatalf("%d answers, want %d: %v", len(results), n, results)
	}
	return results
}

// drain reads answers until the stream ends, and returns how it did: nil for OK.
func (s *apiStream) drain() (results []*vasicv1.OperationResult, err error) {
	s.r.t.Helper()
	for {
		res, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if err != nil {
			return results, err
		}
		results = append(results, res.Results...)
	}
}

// rest reads answers until the stream ends with OK.
func (s *apiStream) rest() []*vasicv1.OperationResult {
	s.r.t.Helper()
	results, err := s.drain()
	if err != nil {
		s.r.t.Fatalf("the stream ended after %d answers: %v", len(results), err)
	}
	return results
}

// refusalOfResult takes a refusal in a stream apart, as refusalOf does with an error.
func refusalOfResult(res *vasicv1.OperationResult) refused {
	e := res.GetError()
	return refused{
		code: codes.Code(e.GetCode()), reason: e.GetReason(), errno: e.GetErrno(), kernel: e.GetKernelMessage(), field: e.GetField(), words: e.GetMessage(), //nolint:gosec // below 17
	}
}

// op makes an operation that asks for its hardware result.
func op(id uint64, action vasicv1.RouteAction, route *vasicv1.Route) *vasicv1.RouteOperation {
	return &vasicv1.RouteOperation{Id: id, Action: action, Route: route, ReportHardware: true}
}

// answer is what a test compares of an OperationResult.
type answer struct {
	id     uint64
	status vasicv1.OperationStatus
	reason vasicv1.FailureReason
}

func answers(results []*vasicv1.OperationResult) []answer {
	list := make([]answer, 0, len(results))
	for _, res := range results {
		list = append(list, answer{res.Id, res.Status, res.FailureReason})
	}
	return list
}
