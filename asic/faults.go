package asic

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vasic-project/vasic/fib"
)

// FaultOperation is what a fault rule applies to.
type FaultOperation uint8

// Operations as fault rules see them.
const (
	AnyOperation     FaultOperation = iota
	AddOperation                    // a route that is new to hardware
	ReplaceOperation                // a route that takes the place of another one in hardware
	AppendOperation                 // IPv6 next hops that join a route in hardware
	DeleteOperation                 // a route, or next hops of it, leaving hardware
	NextHopOperation                // a next-hop group written because of an object, a neighbour or a link
)

// Effect is what a fault rule does.
type Effect uint8

// Effects.
const (
	Fail  Effect = iota // the operation fails
	Delay               // it takes longer
	Stall               // it waits, and all behind it, until the rule is deleted
)

// Fault is a rule that makes operations fail, linger or hang. At most one of First, Every and Probability is to be set.
type Fault struct {
	ID          uint64       // names the rule; never used again
	Family      fib.Family   // unless AnyFamily
	AnyFamily   bool         // operations of both families
	Table       uint32       // 0: every table
	Prefix      netip.Prefix // destinations within it, for NextHopOperation gateways; invalid: all
	Operation   FaultOperation
	Effect      Effect
	Reason      fib.Reason    // with Fail; ReasonNone means ReasonInjected
	Delay       time.Duration // with Delay
	First       uint64        // only the first so many that match; 0: no limit
	Every       uint64        // only every so many-th that matches; 0: each
	Probability float64       // only with this probability; 0: always

	Matched uint64 // operations that matched
	Hits    uint64 // operations on which it had its effect
}

// MaxFaults is how many fault rules a chip takes.
const MaxFaults = 1000

// Errors about fault rules.
var (
	ErrFaultNotFound = errors.New("no fault rule has that id")
	ErrTooManyFaults = errors.New("there are too many fault rules")
)

// faults are the rules in order of creation. A leaf lock guards all but count.
type faults struct {
	count atomic.Int32 // rules, so that a chip without any pays nothing

	mu    sync.Mutex
	seed  uint64
	last  uint64
	rules []*faultRule
}

// faultRule is a rule with its own stream of chance, so that one rule does not disturb another.
type faultRule struct {
	Fault
	chance *rand.Rand
}

// subject is an operation as rules see it. A next-hop group has its gateways in the place of a prefix.
type subject struct {
	operation FaultOperation
	family    fib.Family
	table     uint32
	prefix    netip.Prefix
	hops      []fib.NextHop
}

// matches reports whether the rule is about the subject.
func (f *Fault) matches(s *subject) bool {
	if f.Operation != AnyOperation && f.Operation != s.operation {
		return false
	}
	if s.operation != NextHopOperation {
		return (f.AnyFamily || f.Family == s.family) && (f.Table == 0 || f.Table == s.table) && f.covers(s.prefix.Addr(), s.prefix.Bits())
	}
	if f.Table != 0 {
		return false
	}
	if f.AnyFamily && !f.Prefix.IsValid() {
		return true
	}
	return slices.ContainsFunc(s.hops, func(h fib.NextHop) bool {
		return h.Gateway.IsValid() && (f.AnyFamily || f.Family == fib.FamilyOf(h.Gateway)) && f.covers(h.Gateway, h.Gateway.BitLen())
	})
}

func (f *Fault) covers(a netip.Addr, bits int) bool {
	return !f.Prefix.IsValid() || f.Prefix.Bits() <= bits && f.Prefix.Contains(a)
}

// turn counts an operation that matches and reports whether the rule has its effect on it.
func (r *faultRule) turn() bool {
	r.Matched++
	switch {
	case r.First > 0 && r.Matched > r.First,
		r.Every > 1 && r.Matched%r.Every != 0,
		r.Probability > 0 && r.chance.Float64() >= r.Probability:
		return false
	}
	r.Hits++
	return true
}

// hit returns the rule that has its effect on the subject, if there is one.
func (fs *faults) hit(s *subject) (Fault, bool) {
	if fs.count.Load() == 0 {
		return Fault{}, false
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, r := range fs.rules {
		if r.matches(s) && r.turn() {
			return r.Fault, true
		}
	}
	return Fault{}, false
}

// has reports whether the rule is still there.
func (fs *faults) has(id uint64) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.ContainsFunc(fs.rules, func(r *faultRule) bool { return r.ID == id })
}

// AddFault makes a rule, in force for every operation from now on, also those in the queue, and has failed deletes tried again. It returns
// the rule with its ID. Error: ErrTooManyFaults.
func (c *Chip) AddFault(f Fault) (Fault, error) {
	fs := &c.faults
	fs.mu.Lock()
	if len(fs.rules) >= MaxFaults {
		fs.mu.Unlock()
		return Fault{}, ErrTooManyFaults
	}
	fs.last++
	f.ID, f.Matched, f.Hits = fs.last, 0, 0
	fs.rules = append(fs.rules, &faultRule{f, rand.New(rand.NewPCG(fs.seed, faultStream+f.ID))}) //nolint:gosec // repeatable on purpose
	fs.count.Store(int32(len(fs.rules)))                                                         //nolint:gosec // at most MaxFaults
	fs.mu.Unlock()
	c.tryAgain()
	return f, nil
}

// DeleteFault removes a rule, with 0 all of them: an operation that it stalls or delays goes on, and failed deletes are tried again. Error: ErrFaultNotFound.
func (c *Chip) DeleteFault(id uint64) error {
	fs := &c.faults
	fs.mu.Lock()
	before := len(fs.rules)
	fs.rules = slices.DeleteFunc(fs.rules, func(r *faultRule) bool { return id == 0 || r.ID == id })
	fs.count.Store(int32(len(fs.rules))) //nolint:gosec // at most MaxFaults
	deleted := len(fs.rules) < before
	fs.mu.Unlock()
	if !deleted {
		if id == 0 {
			return nil
		}
		return ErrFaultNotFound
	}
	c.tryAgain()
	c.queue.unstall()
	return nil
}

// obstacle returns the rule that has its effect on the subject, if there is one, and whether it delays or stalls it. Only one thing can be
// delayed or stalled, as everything else is behind it. When its time has come, or the rule that stalls it is gone, it goes on, and no rule counts it again.
func (c *Chip) obstacle(s *subject) (f Fault, hit, waits bool) {
	if c.excused {
		return Fault{}, false, false
	}
	if c.held != 0 {
		if c.resetting && c.faults.has(c.held) {
			c.abandoning = true
			return Fault{}, false, true
		}
		if !c.urgent && c.faults.has(c.held) {
			return Fault{}, false, true
		}
		return Fault{}, false, false
	}
	f, hit = c.faults.hit(s)
	switch {
	case !hit || f.Effect == Fail:
		return f, hit, false
	case f.Effect == Stall && c.resetting:
		c.abandoning = true
		return f, true, true
	case f.Effect == Stall && c.urgent:
		return Fault{}, false, false
	case f.Effect == Stall:
		c.held, c.decided = f.ID, true
		return f, true, true
	case f.Delay <= 0:
		return f, true, false
	}
	c.delay, c.delayedBy, c.excused, c.decided = f.Delay, f.ID, true, true
	return f, true, true
}

// failure is how the rule makes an operation fail.
func (f *Fault) failure() verdict {
	if f.Reason == fib.ReasonNone {
		return verdict{flags: fib.FlagOffloadFailed, reason: fib.ReasonInjected}
	}
	return verdict{flags: fib.FlagOffloadFailed, reason: f.Reason}
}

// Faults returns all rules in order of creation.
func (c *Chip) Faults() []Fault {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	list := make([]Fault, len(c.faults.rules))
	for i, r := range c.faults.rules {
		list[i] = r.Fault
	}
	return list
}
