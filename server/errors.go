package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/notifier"
)

// errorDomain is ErrorInfo.domain of every error.
const errorDomain = "vasic"

// refusal is an error on its way to the client. It knows the status that it becomes.
type refusal struct {
	code    codes.Code
	reason  vasicv1.ErrorReason
	errno   syscall.Errno // 0: the kernel has none for this
	kernel  string        // the kernel's extended ack
	field   string        // request field at fault
	message string        // may quote the client; text is what is sent
}

// maxErrorText is how many bytes an error's text has at most: what it quotes of a request can be as long as a message may be.
const maxErrorText = 1024

// text is the message, cut if it is very long.
func (r *refusal) text() string {
	if len(r.message) <= maxErrorText {
		return r.message
	}
	const cut = " …"
	return strings.ToValidUTF8(r.message[:maxErrorText-len(cut)], "") + cut
}

func (r *refusal) Error() string { return r.text() }

// reasonName is the reason as it travels: without the enum's prefix.
func (r *refusal) reasonName() string { return r.reason.String()[len("ERROR_REASON_"):] }

// GRPCStatus lets gRPC send the refusal as it is.
func (r *refusal) GRPCStatus() *status.Status {
	info := &errdetails.ErrorInfo{Reason: r.reasonName(), Domain: errorDomain, Metadata: map[string]string{}}
	for key, value := range map[string]string{"errno": errnoName(r.errno), "kernel_message": r.kernel, "field": r.field} {
		if value != "" {
			info.Metadata[key] = value
		}
	}
	st, err := status.New(r.code, r.text()).WithDetails(info)
	if err != nil { // an ErrorInfo can always be marshalled
		return status.New(r.code, r.text())
	}
	return st
}

// operationError is the refusal as the answer to one operation of a stream.
func (r *refusal) operationError() *vasicv1.OperationError {
	return &vasicv1.OperationError{
		Code: int32(r.code), Reason: r.reasonName(), Message: r.text(), Errno: errnoName(r.errno), KernelMessage: r.kernel, Field: r.field, //nolint:gosec // codes are below 17
	}
}

// errnoName spells the errnos of this package as errno.h does.
func errnoName(e syscall.Errno) string {
	switch e {
	case syscall.EEXIST:
		return "EEXIST"
	case syscall.ENOENT:
		return "ENOENT"
	case syscall.ESRCH:
		return "ESRCH"
	case syscall.EINVAL:
		return "EINVAL"
	case syscall.EPERM:
		return "EPERM"
	case syscall.ENODEV:
		return "ENODEV"
	case syscall.ENETDOWN:
		return "ENETDOWN"
	case syscall.ENETUNREACH:
		return "ENETUNREACH"
	case syscall.EHOSTUNREACH:
		return "EHOSTUNREACH"
	case syscall.EOPNOTSUPP:
		return "EOPNOTSUPP"
	case syscall.EADDRNOTAVAIL:
		return "EADDRNOTAVAIL"
	case syscall.EIO:
		return "EIO"
	case syscall.ENOSPC:
		return "ENOSPC"
	}
	return ""
}

// wire is the one table from what the parts of the switch say to what clients are told.
var wire = []struct {
	err    error
	code   codes.Code
	reason vasicv1.ErrorReason
}{
	{fib.ErrExists, codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_ROUTE_EXISTS},
	{fib.ErrNotFound, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_ROUTE_NOT_FOUND},
	{fib.ErrTableNotFound, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_TABLE_NOT_FOUND},
	{fib.ErrGatewayUnreachable, codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_GATEWAY_UNREACHABLE},
	{fib.ErrLinkDown, codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_LINK_DOWN},
	{fib.ErrLinkNotFound, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_LINK_NOT_FOUND},
	{fib.ErrLinkExists, codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_LINK_EXISTS},
	{fib.ErrLinkNotRemovable, codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_LINK_NOT_REMOVABLE},
	{fib.ErrAddressExists, codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_ADDRESS_EXISTS},
	{fib.ErrAddressNotFound, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_ADDRESS_NOT_FOUND},
	{fib.ErrAddressNotLocal, codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_ADDRESS_NOT_LOCAL},
	{fib.ErrNeighborExists, codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_NEIGHBOR_EXISTS},
	{fib.ErrNeighborNotFound, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_NEIGHBOR_NOT_FOUND},
	{fib.ErrNextHopExists, codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_NEXT_HOP_EXISTS},
	{fib.ErrNextHopNotFound, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_NEXT_HOP_NOT_FOUND},
	{fib.ErrRuleExists, codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_RULE_EXISTS},
	{fib.ErrRuleNotFound, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_RULE_NOT_FOUND},
	{fib.ErrInvalid, codes.InvalidArgument, vasicv1.ErrorReason_ERROR_REASON_MALFORMED},
	{asic.ErrTableFull, codes.ResourceExhausted, vasicv1.ErrorReason_ERROR_REASON_TABLE_FULL},
	{asic.ErrReloadForbidden, codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_RELOAD_FORBIDDEN},
	{asic.ErrReloadFailed, codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_RELOAD_FAILED},
	{asic.ErrNotPaused, codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_NOT_PAUSED},
	{asic.ErrNoResource, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_RESOURCE_NOT_FOUND},
	{asic.ErrUnsupported, codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_UNSUPPORTED},
	{asic.ErrFaultNotFound, codes.NotFound, vasicv1.ErrorReason_ERROR_REASON_FAULT_NOT_FOUND},
	{asic.ErrTooManyFaults, codes.ResourceExhausted, vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE},
	{asic.ErrStopped, codes.Unavailable, vasicv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN},
	{notifier.ErrClosed, codes.Unavailable, vasicv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN},
}

// refuse turns any error of the switch into what a client is told. Errors of a context become their gRPC codes.
func refuse(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	r = &refusal{code: codes.Internal, message: err.Error()}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		r.code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		r.code = codes.Canceled
	}
	for i := range wire {
		if errors.Is(err, wire[i].err) {
			r.code, r.reason = wire[i].code, wire[i].reason
			break
		}
	}
	if compacted := (*notifier.CompactedError)(nil); errors.As(err, &compacted) {
		r.code, r.reason = codes.OutOfRange, vasicv1.ErrorReason_ERROR_REASON_REVISION_COMPACTED
	} else if future := (*notifier.FutureError)(nil); errors.As(err, &future) {
		r.code, r.reason = codes.OutOfRange, vasicv1.ErrorReason_ERROR_REASON_REVISION_IN_FUTURE
	} else if epoch := (*notifier.EpochError)(nil); errors.As(err, &epoch) {
		r.code, r.reason = codes.FailedPrecondition, vasicv1.ErrorReason_ERROR_REASON_EPOCH_MISMATCH
	}
	if e := (*fib.Error)(nil); errors.As(err, &e) {
		r.errno, r.kernel = e.Errno, e.Kernel
	}
	return r
}

// statusOf is refuse for a handler's return value: nil stays nil, and statuses of gRPC itself pass.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	r := refuse(err)
	if r.reason == vasicv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return status.Error(r.code, r.text())
	}
	return r
}

// invalid is a refusal of a request that can never be right.
func invalid(reason vasicv1.ErrorReason, field, format string, args ...any) *refusal {
	return &refusal{
		code: codes.InvalidArgument, reason: reason, errno: syscall.EINVAL, field: field, message: field + ": " + fmt.Sprintf(format, args...),
	}
}

// kernelSays adds the kernel's words.
func kernelSays(r *refusal, words string) *refusal {
	r.kernel = words
	return r
}

func malformed(field, format string, args ...any) *refusal {
	return invalid(vasicv1.ErrorReason_ERROR_REASON_MALFORMED, field, format, args...)
}

func outOfRange(field string, value, low, high uint64) *refusal {
	return invalid(vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE, field, "%d is not between %d and %d", value, low, high)
}

func unknownEnum(field string, value int32) *refusal {
	return invalid(vasicv1.ErrorReason_ERROR_REASON_UNKNOWN_ENUM, field, "this switch does not know the value %d", value)
}

var errShuttingDown = &refusal{
	code: codes.Unavailable, reason: vasicv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, message: "the switch is stopping",
}

var errRecordingTooSlow = &refusal{
	code: codes.OutOfRange, reason: vasicv1.ErrorReason_ERROR_REASON_REVISION_COMPACTED, message: "calls came faster than the recording was read",
}
