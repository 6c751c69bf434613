package vasic

import (
	"context"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Operation is one change of one route.
type Operation struct {
	// ID is the caller's and comes back in every Result of the operation; it need not be unique.
	ID uint64
	// Action is what to do.
	Action vasicv1.RouteAction
	// Route is the route, or for a delete the selector.
	Route *vasicv1.Route
}

// Result is what became of an operation: accepted, refused, or one of the final states of hardware.
type Result struct {
	// ID is the operation's.
	ID uint64
	// Status says which of the other fields are set, as vasicv1.OperationResult does.
	Status vasicv1.OperationStatus
	// Revision is that of the log after the operation.
	Revision uint64
	// RouteID is Route.id of the new or deleted route; 0 where nothing changed.
	RouteID uint64
	// Generation is Route.generation of the new route; 0 for a delete.
	Generation uint64
	// FailureReason is why hardware did not take the route. That is not an error: the route stays in the software FIB.
	FailureReason vasicv1.FailureReason
	// Warning is what the kernel would warn of though the operation is done.
	Warning string
	// Err is the *Error for which the operation was refused, else nil.
	Err error
}

// ModifyOption changes how ModifyRoute and Apply work.
type ModifyOption func(*modifyOptions)

type modifyOptions struct{ waitForHardware bool }

// WaitForHardware makes the call wait until hardware has settled what was accepted; Result.Status is then the final one. If
// the context ends before, the operations stay accepted.
func WaitForHardware() ModifyOption {
	return func(o *modifyOptions) { o.waitForHardware = true }
}

// ModifyRoute programs one route and returns when it is accepted. A refusal is an *Error; that hardware did not take the route
// is none, but a Result with OPERATION_STATUS_FAILED. It waits while the switch's programming queue is full. Repeating it
// after an error of the connection can find its own first try done; only REPLACE of an equal IPv4 route then changes nothing.
func (c *Client) ModifyRoute(ctx context.Context, action vasicv1.RouteAction, route *vasicv1.Route, opts ...ModifyOption) (Result, error) {
	o := readOptions(opts)
	resp, err := c.Routes.ModifyRoute(ctx, &vasicv1.ModifyRouteRequest{Action: action, Route: route, WaitForHardware: o.waitForHardware})
	if err != nil {
		return Result{Status: vasicv1.OperationStatus_OPERATION_STATUS_REFUSED, Err: err}, err
	}
	r := resultOf(resp.GetResult())
	return r, r.Err
}

func readOptions(opts []ModifyOption) (o modifyOptions) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// resultOf copies an answer out of its message.
func resultOf(m *vasicv1.OperationResult) Result {
	r := Result{
		ID:            m.GetId(),
		Status:        m.GetStatus(),
		Revision:      m.GetRevision(),
		RouteID:       m.GetRouteId(),
		Generation:    m.GetGeneration(),
		FailureReason: m.GetFailureReason(),
		Warning:       m.GetWarning(),
	}
	if e := OperationError(m.GetError()); e != nil {
		r.Err = e
	}
	return r
}
