package asic

import (
	"errors"
	"syscall"

	"github.com/vasic-project/vasic/fib"
)

// Errors of this package, beside those of context.
var (
	ErrTableFull       = errors.New("the hardware table is full")
	ErrUnsupported     = errors.New("the chip does not support it")
	ErrReloadForbidden = errors.New("reloads are forbidden")
	ErrReloadFailed    = errors.New("the reload failed")
	ErrNotPaused       = errors.New("the programming goroutine is not paused")
	ErrNoResource      = errors.New("no resource has that path")
	ErrStopped         = errors.New("the chip has stopped")
)

// errRouteDelete is why fail_route_delete refuses (nsim_fib_event_schedule_work).
var errRouteDelete = errors.New("hardware failed to delete the route")

// Refusals, with the words of the driver that says so.
var (
	errDeleteRefused  = &fib.Error{Err: errRouteDelete, Errno: syscall.EPERM, Kernel: "netdevsim: Failed to process route deletion"}
	errEntryRefused   = &fib.Error{Err: ErrTableFull, Errno: syscall.EPERM, Kernel: "netdevsim: Exceeded number of supported fib entries"}
	errRuleRefused    = &fib.Error{Err: ErrTableFull, Errno: syscall.ENOSPC, Kernel: "netdevsim: Exceeded number of supported fib rule entries"}
	errNextHopRefused = &fib.Error{Err: ErrTableFull, Errno: syscall.ENOSPC, Kernel: "netdevsim: Exceeded number of supported nexthops"}
	errRuleForeign    = &fib.Error{Err: ErrUnsupported, Errno: syscall.EOPNOTSUPP, Kernel: "FIB rules not supported"}
	errGatewayForeign = &fib.Error{Err: ErrUnsupported, Errno: syscall.EINVAL, Kernel: "IPv6 gateway with IPv4 route is not supported"}
	errReloadBanned   = &fib.Error{Err: ErrReloadForbidden, Errno: syscall.EOPNOTSUPP, Kernel: "netdevsim: User forbid the reload for testing purposes"}
	errReloadBroken   = &fib.Error{Err: ErrReloadFailed, Errno: syscall.EINVAL, Kernel: "netdevsim: User setup the reload to fail for testing purposes"}
)
