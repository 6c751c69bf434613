package vasic

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Domain is the domain of the ErrorInfo that a switch attaches to its errors.
const Domain = "vasic"

// Keys of ErrorInfo.metadata.
const (
	metadataErrno         = "errno"
	metadataKernelMessage = "kernel_message"
	metadataField         = "field"
)

// Error is why a call or an operation was refused, or why a stream ended. errors.Is finds the sentinel of its Reason, and
// context.Canceled and context.DeadlineExceeded by its Code; status.Code and status.FromError understand it.
type Error struct {
	// Code is the canonical gRPC code, never OK.
	Code codes.Code
	// Reason is the machine-readable cause; ERROR_REASON_UNSPECIFIED where the error is not of a switch (a broken connection,
	// a deadline) or has a reason that this client does not know.
	Reason vasicv1.ErrorReason
	// Message is one sentence for a person.
	Message string
	// Errno is the kernel's name for the error, such as "EEXIST"; empty where it has none.
	Errno string
	// KernelMessage holds the kernel's own words, such as "Nexthop has invalid gateway"; empty where it has none.
	KernelMessage string
	// Field is the request field at fault; empty where there is none, and always for an OperationError, which does not say.
	Field string

	status *status.Status // where the error came as one
}

// Error is the message, with the reason or else the code behind it.
func (e *Error) Error() string {
	text, cause := e.Message, e.Code.String()
	if s := sentinels[e.Reason]; s != nil {
		cause = reasonName(e.Reason)
		if text == "" {
			return s.Error() + " (" + cause + ")"
		}
	}
	if text == "" {
		return "vasic: " + cause
	}
	return "vasic: " + text + " (" + cause + ")"
}

// Unwrap returns the sentinel of the reason, or the context error of the code, or nil.
func (e *Error) Unwrap() error {
	if s := sentinels[e.Reason]; s != nil {
		return s
	}
	switch e.Code {
	case codes.Canceled:
		return context.Canceled
	case codes.DeadlineExceeded:
		return context.DeadlineExceeded
	}
	return nil
}

// GRPCStatus returns the error as gRPC has it.
func (e *Error) GRPCStatus() *status.Status {
	if e.status != nil {
		return e.status
	}
	st := status.New(e.Code, e.Message)
	if e.Reason == vasicv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return st
	}
	info := &errdetails.ErrorInfo{Reason: reasonName(e.Reason), Domain: Domain, Metadata: map[string]string{}}
	for key, value := range map[string]string{metadataErrno: e.Errno, metadataKernelMessage: e.KernelMessage, metadataField: e.Field} {
		if value != "" {
			info.Metadata[key] = value
		}
	}
	if with, err := st.WithDetails(info); err == nil {
		return with
	}
	return st
}

// AsError finds the *Error in err's tree, or makes one of the gRPC status in it. It reports false if there is neither.
func AsError(err error) (*Error, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, true
	}
	var s interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &s) || s.GRPCStatus().Code() == codes.OK {
		return nil, false
	}
	st := s.GRPCStatus()
	e := &Error{Code: st.Code(), Message: st.Message(), status: st}
	for _, detail := range st.Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != Domain {
			continue
		}
		e.Reason = reasonOf(info.GetReason())
		e.Errno = info.GetMetadata()[metadataErrno]
		e.KernelMessage = info.GetMetadata()[metadataKernelMessage]
		e.Field = info.GetMetadata()[metadataField]
	}
	return e, true
}

// OperationError is the answer of a switch to an operation that it refused, as an *Error; nil if there is none.
func OperationError(oe *vasicv1.OperationError) *Error {
	if oe == nil {
		return nil
	}
	e := &Error{
		Code:          codes.Code(oe.GetCode()),
		Reason:        reasonOf(oe.GetReason()),
		Message:       oe.GetMessage(),
		Errno:         oe.GetErrno(),
		KernelMessage: oe.GetKernelMessage(),
	}
	if e.Code == codes.OK || e.Code > codes.Unauthenticated {
		e.Code = codes.Unknown
	}
	return e
}

// asError is err as an *Error where it has a gRPC status, else err itself.
func asError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := AsError(err); ok {
		return e
	}
	return err
}
