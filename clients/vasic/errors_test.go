package vasic_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// reasons are all values of the enum but UNSPECIFIED.
func reasons() (all []vasicv1.ErrorReason) {
	values := vasicv1.ErrorReason(0).Descriptor().Values()
	for i := range values.Len() {
		if n := values.Get(i).Number(); n != 0 {
			all = append(all, vasicv1.ErrorReason(n))
		}
	}
	return all
}

func TestEveryReasonHasASentinelOfItsOwn(t *testing.T) {
	seen := make(map[error]vasicv1.ErrorReason)
	for _, reason := range reasons() {
		name := strings.TrimPrefix(reason.String(), "ERROR_REASON_")
		operation := vasic.OperationError(&vasicv1.OperationError{Code: int32(codes.NotFound), Reason: name})
		sentinel := operation.Unwrap()
		if sentinel == nil {
			t.Errorf("%s has no sentinel", name)
			continue
		}
		if other, ok := seen[sentinel]; ok {
			t.Errorf("%s and %s have the same sentinel", name, other)
		}
		seen[sentinel] = reason
		fromStatus, ok := vasic.AsError(refusal(codes.NotFound, reason, nil))
		if !ok || fromStatus.Reason != reason || !errors.Is(fromStatus, sentinel) || !errors.Is(operation, sentinel) {
			t.Errorf("%s: a status gives %#v, an operation %#v", name, fromStatus, operation)
		}
		if text := sentinel.Error(); !strings.HasPrefix(text, "vasic: ") || strings.HasSuffix(text, ".") || !strings.Contains(text[7:], " ") {
			t.Errorf("%s: %q is not a sentence of this package", name, text)
		}
	}
}

func TestAnErrorHasWhatTheSwitchSaid(t *testing.T) {
	wire := refusal(codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_ROUTE_EXISTS, map[string]string{
		"errno": "EEXIST", "kernel_message": "File exists", "field": "route.prefix",
	})
	f := &fakeSwitch{
		one:     func(*vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) { return nil, wire },
		watches: []func(watchStream) error{script(wire)},
	}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		_, unary := c.Routes.ModifyRoute(t.Context(), &vasicv1.ModifyRouteRequest{})
		s, err := c.Watches.Watch(t.Context(), &vasicv1.WatchRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, streamed := s.Recv()
		for name, err := range map[string]error{"unary": unary, "stream": streamed, "wrapped": fmt.Errorf("while adding: %w", unary)} {
			e, ok := vasic.AsError(err)
			if !ok || !errors.Is(err, vasic.ErrRouteExists) || errors.Is(err, vasic.ErrTableFull) {
				t.Errorf("%s: got %v", name, err)
				continue
			}
			if e.Code != codes.AlreadyExists || e.Errno != "EEXIST" || e.KernelMessage != "File exists" || e.Field != "route.prefix" {
				t.Errorf("%s: got %#v", name, e)
			}
			if status.Code(err) != codes.AlreadyExists {
				t.Errorf("%s: gRPC sees %v", name, status.Code(err))
			}
		}
		if got, want := unary.Error(), "vasic: refused: ROUTE_EXISTS (ROUTE_EXISTS)"; got != want {
			t.Errorf("text: got %q, want %q", got, want)
		}
	})
}

func TestErrorsOfOthersAreErrorsToo(t *testing.T) {
	inBubble(t, &fakeSwitch{}, func(t *testing.T, c *vasic.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		<-ctx.Done()
		_, err := c.Switch.GetStatus(ctx, nil)
		if e, ok := vasic.AsError(err); !ok || e.Code != codes.DeadlineExceeded || e.Reason != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("deadline: got %#v", err)
		}
		_, err = c.Switch.GetStatus(t.Context(), &vasicv1.GetStatusRequest{})
		if e, ok := vasic.AsError(err); !ok || e.Code != codes.Unimplemented || errors.Unwrap(e) != nil {
			t.Errorf("unimplemented: got %#v", err)
		}
	})
}

func TestAsErrorKnowsWhatItIsNot(t *testing.T) {
	for _, err := range []error{nil, io.EOF, errors.New("other"), status.Error(codes.OK, "")} {
		if e, ok := vasic.AsError(err); ok {
			t.Errorf("%v is %#v", err, e)
		}
	}
	foreign := status.New(codes.NotFound, "x")
	if e, ok := vasic.AsError(foreign.Err()); !ok || e.Reason != 0 || e.Message != "x" {
		t.Errorf("got %#v", e)
	}
	if vasic.OperationError(nil) != nil {
		t.Error("no error became one")
	}
}

func TestAnOperationErrorIsAStatusAgain(t *testing.T) {
	e := vasic.OperationError(&vasicv1.OperationError{
		Code: int32(codes.FailedPrecondition), Reason: "GATEWAY_UNREACHABLE", Message: "no link reaches 10.0.0.1", Errno: "ENETUNREACH", KernelMessage: "Nexthop has invalid gateway",
	})
	again, ok := vasic.AsError(status.FromProto(e.GRPCStatus().Proto()).Err())
	if !ok {
		t.Fatal("no error")
	}
	if again.Code != e.Code || again.Reason != e.Reason || again.Message != e.Message || again.Errno != e.Errno || again.KernelMessage != e.KernelMessage {
		t.Errorf("got %#v, want %#v", again, e)
	}
	if got, want := e.Error(), "vasic: no link reaches 10.0.0.1 (GATEWAY_UNREACHABLE)"; got != want {
		t.Errorf("text: got %q, want %q", got, want)
	}
}

func TestNewerServersAreUnderstoodAsFarAsPossible(t *testing.T) {
	e := vasic.OperationError(&vasicv1.OperationError{Code: 99, Reason: "OF_A_LATER_VERSION", Message: "text"})
	if e.Code != codes.Unknown || e.Reason != 0 || e.Error() != "vasic: text (Unknown)" || errors.Unwrap(e) != nil {
		t.Errorf("got %#v", e)
	}
}
