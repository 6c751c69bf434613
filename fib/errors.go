package fib

import (
	"errors"
	"fmt"
	"syscall"
)

// Sentinels: why a request was refused. Errors of this package wrap one of them.
var (
	ErrExists             = errors.New("a route of that name exists")
	ErrNotFound           = errors.New("no route matches")
	ErrTableNotFound      = errors.New("the table does not exist")
	ErrGatewayUnreachable = errors.New("no link reaches the gateway")
	ErrLinkDown           = errors.New("the link of a next hop is down")
	ErrLinkNotFound       = errors.New("no link has that name")
	ErrLinkExists         = errors.New("a link of that name exists")
	ErrLinkNotRemovable   = errors.New("the link cannot be removed")
	ErrAddressExists      = errors.New("the link has that address")
	ErrAddressNotFound    = errors.New("the link does not have that address")
	ErrAddressNotLocal    = errors.New("the preferred source is not an address of this switch")
	ErrNeighborExists     = errors.New("the neighbour has an entry")
	ErrNeighborNotFound   = errors.New("the neighbour has no entry")
	ErrNextHopExists      = errors.New("a next-hop object of that id exists")
	ErrNextHopNotFound    = errors.New("no next-hop object has that id")
	ErrRuleExists         = errors.New("such a rule exists")
	ErrRuleNotFound       = errors.New("no rule matches")
	ErrInvalid            = errors.New("the request contradicts itself")
)

// Error is a refusal with the kernel's errno and words.
type Error struct {
	Err    error         // one of the sentinels, or what Hardware.Admit returned
	Errno  syscall.Errno // as the kernel's
	Kernel string        // the kernel's extended ack; empty where it has none
	Detail string        // names the thing at fault; may be empty
}

// Error returns the sentinel's sentence and what it is about.
func (e *Error) Error() string {
	switch {
	case e.Detail != "":
		return fmt.Sprintf("%v: %s", e.Err, e.Detail)
	case e.Kernel != "":
		return fmt.Sprintf("%v: %s", e.Err, e.Kernel)
	}
	return e.Err.Error()
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// Refusals without a detail are shared values, so that refusing costs no allocation.
var (
	errExists        = &Error{Err: ErrExists, Errno: syscall.EEXIST}
	errDeleteMissing = &Error{Err: ErrNotFound, Errno: syscall.ESRCH}
	errChangeMissing = &Error{Err: ErrNotFound, Errno: syscall.ENOENT}
	errNoMatch6      = &Error{Err: ErrNotFound, Errno: syscall.ENOENT, Kernel: "Can not replace route - no match found"}
	errTooManyHops   = invalid("", "a route has at most 256 next hops")
	errNoTable       = &Error{Err: ErrTableNotFound, Errno: syscall.ESRCH, Kernel: "FIB table does not exist"}
)

func invalid(kernel, detail string) *Error {
	return &Error{Err: ErrInvalid, Errno: syscall.EINVAL, Kernel: kernel, Detail: detail}
}

func errNoLink(name string) *Error {
	return &Error{Err: ErrLinkNotFound, Errno: syscall.ENODEV, Detail: fmt.Sprintf("%q", name)}
}

// asError keeps an *Error and wraps any other, which is hardware's.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Err: err, Errno: syscall.EIO, Kernel: err.Error()}
}
