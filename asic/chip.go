package asic

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vasic-project/vasic/fib"
)

// DefaultQueueCapacity is how many operations wait before requests are held back: about 12 MB.
const DefaultQueueCapacity = 1 << 16

// drain is how many operations the programming goroutine takes at once, and how many routes it looks at again: what shares one hand-over of results.
const drain = 1024

// Streams of chance that are made from the seed. Fault rules have one each, from faultStream on.
const (
	latencyStream = 1
	faultStream   = 1 << 32
)

// Config says what chip to make.
type Config struct {
	Profile       *Profile          // nil: Switch
	Seed          uint64            // of all chance
	QueueCapacity int               // operations; 0: DefaultQueueCapacity
	Sizes         map[string]uint64 // resource sizes by path; absent: the profile's
	Turn          func(func())      // runs a hand-over of results, and after Exactly each unit, at a moment that suits; nil: at once
}

// Chip is one simulated chip. Make one with New, connect it with Run.
type Chip struct {
	profile  *Profile
	complete func([]fib.Result)
	turn     func(func())

	latency     atomic.Pointer[LatencyModel]
	knobs       [knobCount]atomic.Bool
	retryFailed atomic.Bool

	queue     queue
	resources resources
	faults    faults

	reloading    slot // held during Reload
	reloadFailed atomic.Bool
	waiting      atomic.Int64  // failures that wait for room
	undeleted    atomic.Int64  // entries whose delete failed
	lacking      atomic.Int64  // groups that would take more rows than they have
	broken       atomic.Int64  // groups that a fault rule left without next hops
	done         chan struct{} // closed when Run has returned

	// hw guards the hardware: all following fields. The programming goroutine holds it while it works, but not while it waits or
	// hands results over; nobody else writes.
	hw sync.Mutex

	spaces    map[spaceKey]*space
	tables    []*table // by number
	byKey     map[tableKey]*table
	lastTable *table
	entries   entries
	groups    groups
	rows      [resourceCount]uint64 // in use
	failed    failures
	deletions deletions
	hidden    map[routeKey]*fib.Op // routes that one of an earlier table hides

	chance     *rand.Rand    // for times
	paced      time.Time     // when the rate allows the next operation
	priced     bool          // the time of the first item is known
	delay      time.Duration // to let pass before the next unit
	delayedBy  uint64        // fault rule that says so
	excused    bool          // a fault rule has delayed the next unit, and no rule is asked again
	held       uint64        // fault rule that stalls the next unit
	decided    bool          // a fault rule has just delayed or stalled something
	urgent     bool          // nothing is stalled now
	resetting  bool          // and a reload is next to empty the hardware
	abandoning bool          // a fault rule held something, so that nothing is carried out until the reload has emptied the hardware
	inTurn     bool          // within Config.Turn
	since      int           // items done since entries were looked at again, while there are such
	quiet      bool          // results are not those that a request waits for
	vacated    bool          // rows were given back
	results    []fib.Result
	scratch    []member
	judged     []member
}

// New returns a chip that does nothing until Run.
func New(cfg Config) (*Chip, error) {
	if cfg.Profile == nil {
		cfg.Profile = Switch
	}
	if cfg.QueueCapacity <= 0 {
		cfg.QueueCapacity = DefaultQueueCapacity
	}
	c := &Chip{
		profile: cfg.Profile, turn: cfg.Turn, reloading: make(slot, 1), done: make(chan struct{}),
		spaces: make(map[spaceKey]*space), byKey: make(map[tableKey]*table), entries: newEntries(), groups: newGroups(),
		failed: newFailures(), deletions: newDeletions(), hidden: make(map[routeKey]*fib.Op),
		chance: rand.New(rand.NewPCG(cfg.Seed, latencyStream)), //nolint:gosec // repeatable on purpose
	}
	c.SetLatency(cfg.Profile.latency)
	c.retryFailed.Store(cfg.Profile.retryFailed)
	if c.turn == nil {
		c.turn = func(f func()) { f() }
	}
	c.faults.seed = cfg.Seed
	c.queue.capacity, c.queue.stepping = cfg.QueueCapacity, make(slot, 1)
	c.resources.sizeNew = cfg.Profile.sizes
	for path, size := range cfg.Sizes {
		if err := c.SetResource(path, size); err != nil {
			return nil, err
		}
	}
	c.resources.apply()
	return c, nil
}

// Profile returns the chip's profile.
func (c *Chip) Profile() *Profile { return c.profile }

// Admit implements fib.Hardware: netdevsim's synchronous part (nsim_fib4_prepare_event, nsim_fib6_prepare_event) and mlxsw's
// (mlxsw_sp_router_fib_event).
func (c *Chip) Admit(op *fib.Op) error {
	if op.Kind == fib.OpDelete && c.Knob(FailRouteDelete) {
		return errDeleteRefused
	}
	if c.profile.refuseForeignGateway && op.Kind != fib.OpDelete && !op.Promotion && foreignGateway(op) {
		return errGatewayForeign
	}
	if c.profile.simulated && !c.resources.account(op) {
		return errEntryRefused
	}
	return nil
}

// foreignGateway reports whether a route without next-hop object has a gateway of the other family.
func foreignGateway(op *fib.Op) bool {
	for i := range op.Len() {
		info := op.Ref(i).Info
		if op.Family != fib.IPv4 || info.NextHopID != 0 {
			return false
		}
		for n := range info.NextHops {
			if info.NextHops[n].Gateway.Is6() {
				return true
			}
		}
	}
	return false
}

// AdmitRule implements fib.Hardware: netdevsim has room for so many (nsim_fib_rule_account), mlxsw takes only those that say what it does in any case
// (mlxsw_sp_router_fib_rule_event).
func (c *Chip) AdmitRule(r *fib.Rule, add bool) error {
	ordinary := r.L3mdev || r.Table == fib.TableLocal || r.Table == fib.TableMain || r.Table == fib.TableDefault
	if add && !c.profile.simulated && !ordinary {
		return errRuleForeign
	}
	if !c.resources.accountRule(r.Family, add, c.profile.simulated) {
		return errRuleRefused
	}
	return nil
}

// AdmitNextHop implements fib.Hardware. Netdevsim does here all that it does with an object (nsim_nexthop_event_nb).
func (c *Chip) AdmitNextHop(u *fib.NextHopUpdate) error {
	if !c.profile.simulated {
		return nil
	}
	if !c.resources.accountNextHop(u) {
		return errNextHopRefused
	}
	if !u.Gone {
		u.Object.SetFlags(fib.FlagTrap)
	}
	return nil
}

// Submit implements fib.Hardware.
func (c *Chip) Submit(ops []fib.Op) { c.queue.pushOps(ops) }

// LinkChanged implements fib.Hardware.
func (c *Chip) LinkChanged(l *fib.Link, usable bool) {
	c.queue.push(item{kind: itemLink, subject: l, on: usable})
}

// NeighborChanged implements fib.Hardware.
func (c *Chip) NeighborChanged(n *fib.Neighbor, valid bool) {
	if !c.profile.simulated {
		c.queue.push(item{kind: itemNeighbor, subject: n, on: valid})
	}
}

// NeighborForgotten implements fib.Hardware.
func (c *Chip) NeighborForgotten(n *fib.Neighbor) {
	if !c.profile.simulated {
		c.queue.push(item{kind: itemForget, subject: n})
	}
}

// NextHopChanged implements fib.Hardware.
func (c *Chip) NextHopChanged(u *fib.NextHopUpdate) {
	if !c.profile.simulated {
		c.queue.push(item{kind: itemNextHop, subject: u})
	}
}

// Reserve waits until a request may be queued. It returns the context's error, or ErrStopped.
func (c *Chip) Reserve(ctx context.Context) error { return c.queue.reserve(ctx, c.done) }

// Stats are numbers about the chip at one moment.
type Stats struct {
	QueueLength    int // operations accepted and not settled, and next-hop groups whose routes are to be looked at again
	QueueCapacity  int // queue length at which requests are held back
	Paused         bool
	ReloadFailed   bool
	Held           bool   // nothing is done but what StepTo asks for
	Programmed     uint64 // operations carried out since the start
	Position       uint64 // units done since the start: operations and all else that can have an effect
	WaitingForRoom int    // routes that failed because a table was full, and that retry_failed programs again
	Undeleted      int    // entries that hardware still has although their delete failed
	GroupsLacking  int    // next-hop groups that do without some or all of their next hops as a table is full
	Stalled        bool   // a fault rule holds what is next
}

// Stats returns the present numbers.
func (c *Chip) Stats() Stats {
	s := c.queue.state()
	s.ReloadFailed, s.WaitingForRoom, s.Undeleted = c.reloadFailed.Load(), int(c.waiting.Load()), int(c.undeleted.Load())
	s.GroupsLacking = int(c.lacking.Load())
	return s
}
