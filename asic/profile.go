package asic

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vasic-project/vasic/fib"
)

// Errors of this package, beside those of context.
var (
	ErrTableFull       = errors.New("the hardware table is full")
	ErrReloadForbidden = errors.New("reloads are forbidden")
	ErrReloadFailed    = errors.New("the reload failed")
	ErrNotPaused       = errors.New("the programming goroutine is not paused")
	ErrNoResource      = errors.New("no resource has that path")
	ErrStopped         = errors.New("the chip has stopped")
)

// errRouteDelete is why fail_route_delete refuses (nsim_fib_event_schedule_work).
var (
	errRouteDelete   = errors.New("hardware failed to delete the route")
	errDeleteRefused = &fib.Error{Err: errRouteDelete, Errno: syscall.EPERM, Kernel: "netdevsim: Failed to process route deletion"}
	errEntryRefused  = &fib.Error{Err: ErrTableFull, Errno: syscall.EPERM, Kernel: "netdevsim: Exceeded number of supported fib entries"}
	errReloadBanned  = &fib.Error{Err: ErrReloadForbidden, Errno: syscall.EOPNOTSUPP, Kernel: "netdevsim: User forbid the reload for testing purposes"}
	errReloadBroken  = &fib.Error{Err: ErrReloadFailed, Errno: syscall.EINVAL, Kernel: "netdevsim: User setup the reload to fail for testing purposes"}
)

// Profile is how a chip decides. Its values are Switch and Netdevsim.
type Profile struct {
	// Name is how settings and the API call it.
	Name string
	// Latency is how long programming one operation takes unless set otherwise.
	Latency time.Duration
	// instantDelete: deletes take no time.
	instantDelete bool
	// accounting counts entries when they are admitted and refuses at once when the table is full; otherwise the table's rows are
	// counted and a full table makes the operation fail later.
	accounting bool
	// silentAppend: siblings that join an entry get their flags without notice, and the others keep theirs.
	silentAppend bool
	// countsSiblings: a delete of as many siblings as the entry has empties it, whichever they are (nsim_fib6_rt_remove). They can be others
	// than those in the entry when appends had failed.
	countsSiblings bool
	// dependsOnLinks: verdicts change when a link does.
	dependsOnLinks bool
	// judge says what the chip does with a route that it has room for.
	judge func(c *Chip, op *fib.Op, info *fib.Info) verdict
}

// verdict is what the chip does with a route.
type verdict struct {
	flags  fib.Flags
	reason fib.Reason // set with FlagOffloadFailed
}

var (
	trapped     = verdict{flags: fib.FlagTrap}
	offloaded   = verdict{flags: fib.FlagOffload}
	unsupported = verdict{flags: fib.FlagOffloadFailed, reason: fib.ReasonUnsupported}
	ignored     = verdict{}
)

// Netdevsim is the kernel's simulated device (drivers/net/netdevsim/fib.c): every route is trapped, a full table refuses at once.
var Netdevsim = &Profile{
	Name: "netdevsim", Latency: time.Millisecond, instantDelete: true, accounting: true, silentAppend: true, countsSiblings: true,
	judge: func(_ *Chip, op *fib.Op, _ *fib.Info) verdict {
		if op.Source.IsValid() { // counted, but never flagged
			return ignored
		}
		return trapped
	},
}

// Switch is a forwarding chip that decides as mlxsw does (mlxsw_sp_fib4_entry_type_set, mlxsw_sp_fib_entry_should_offload).
var Switch = &Profile{Name: "switch", dependsOnLinks: true, judge: judgeSwitch}

func judgeSwitch(c *Chip, op *fib.Op, info *fib.Info) verdict {
	switch info.Type {
	case fib.TypeUnicast:
		switch {
		case op.Source.IsValid():
			return unsupported
		case op.TOS == 0 && c.forwards(info):
			return offloaded
		}
		return trapped
	case fib.TypeBlackhole:
		if op.TOS != 0 {
			return trapped
		}
		return offloaded
	case fib.TypeLocal, fib.TypeBroadcast, fib.TypeUnreachable, fib.TypeProhibit:
		return trapped
	case fib.TypeAnycast:
		if op.Family == fib.IPv6 {
			return trapped
		}
	case fib.TypeMulticast:
		if op.Family == fib.IPv6 {
			return ignored
		}
	}
	return unsupported
}

// forwards reports whether a next hop leaves by a port of the chip that is up.
func (c *Chip) forwards(info *fib.Info) bool {
	for i := range info.NextHops {
		if l := info.NextHops[i].Link; !l.Loopback && c.usable[l] {
			return true
		}
	}
	return false
}

// ProfileByName returns the profile, or an error that lists the names.
func ProfileByName(name string) (*Profile, error) {
	for _, p := range [...]*Profile{Switch, Netdevsim} {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("unknown profile %q: want %q or %q", name, Switch.Name, Netdevsim.Name)
}
