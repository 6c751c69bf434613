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
}

// Chip is one simulated chip. Make one with New, connect it with Run.
type Chip struct {
	profile  *Profile
	complete func([]fib.Result)

	latency     atomic.Pointer[LatencyModel]
	knobs       [knobCount]atomic.Bool
	retryFailed atomic.Bool

	queue     queue
	resources resources
	faults    faults

	reloading    sync.Mutex // held during Reload
	reloadFailed atomic.Bool
	programmed   atomic.Uint64
	waiting      atomic.Int64  // failures that wait for room
	undeleted    atomic.Int64  // entries whose delete failed
	broken       atomic.Int64  // groups that a fault rule left without next hops
	done         chan struct{} // closed when Run has returned

	// hw guards the hardware: all following fields. The programming goroutine holds it while it works on a batch, but not while it waits or
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

	chance  *rand.Rand // for times
	paced   time.Time  // when the rate allows the next operation
	did     int        // items done since the queue was told
	held    uint64     // fault rule that stalls what is next
	urgent  bool       // nothing is stalled now
	quiet   bool       // results are not those that a request waits for
	vacated bool       // rows were given back
	results []fib.Result
	scratch []member
	judged  []member
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
		profile: cfg.Profile, done: make(chan struct{}),
		spaces: make(map[spaceKey]*space), byKey: make(map[tableKey]*table), entries: newEntries(), groups: newGroups(),
		failed: newFailures(), deletions: newDeletions(), hidden: make(map[routeKey]*fib.Op),
		chance: rand.New(rand.NewPCG(cfg.Seed, latencyStream)), //nolint:gosec // repeatable on purpose
	}
	c.SetLatency(cfg.Profile.latency)
	c.retryFailed.Store(cfg.Profile.retryFailed)
	c.faults.seed = cfg.Seed
	c.queue.capacity = cfg.QueueCapacity
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

// Run is the programming goroutine. It hands results to complete, and returns when ctx is done.
func (c *Chip) Run(ctx context.Context, complete func([]fib.Result)) {
	defer close(c.done)
	c.complete = complete
	for {
		out, ok := c.queue.take(ctx)
		if !ok {
			return
		}
		c.hw.Lock()
		c.urgent, c.did = out.urgent, 0
		done := c.carryOut(ctx, out)
		c.keepUp(ctx, out.whole)
		c.handOver()
		upkeep := c.upkeep()
		c.hw.Unlock()
		c.queue.settled(out, out.items[done:], upkeep, func() bool { return c.held != 0 && c.faults.has(c.held) })
	}
}

// carryOut does the items, or those before something that makes it stop, and returns how many it did.
func (c *Chip) carryOut(ctx context.Context, out batch) (done int) {
	for done < len(out.items) && ctx.Err() == nil && (done == 0 || !c.queue.interrupt.Load()) {
		if !c.writeDirty(ctx) || !c.process(ctx, &out.items[done]) {
			break
		}
		c.offerRoom()
		done++
		c.did++
	}
	c.writeDirty(ctx)
	return done
}

// process does one item. It returns false if a fault rule stalls it.
func (c *Chip) process(ctx context.Context, it *item) bool {
	switch it.kind {
	case itemOp:
		if !c.program(ctx, it) {
			return false
		}
		c.programmed.Add(1)
	case itemNextHop:
		if !c.nextHopChanged(ctx, it.subject.(*fib.NextHopUpdate)) {
			return false
		}
		c.programmed.Add(1)
	case itemLink:
		c.linkChanged(it.subject.(*fib.Link), it.on)
	case itemNeighbor:
		c.neighborChanged(it.subject.(*fib.Neighbor), it.on)
	case itemTryAgain:
		c.tryDeletesAgain()
		c.vacated = true
	case itemClear:
		c.clear()
	case itemRun:
		c.keepUp(ctx, true)
		c.handOver() // what was done before is settled before
		it.subject.(func())()
	}
	return true
}

// handOver gives the collected results away. The hardware can be looked at meanwhile.
func (c *Chip) handOver() {
	if len(c.results) == 0 {
		return
	}
	c.hw.Unlock()
	c.complete(c.results)
	c.hw.Lock()
	clear(c.results)
	c.results = c.results[:0]
}

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

// NextHopChanged implements fib.Hardware.
func (c *Chip) NextHopChanged(u *fib.NextHopUpdate) {
	if !c.profile.simulated {
		c.queue.push(item{kind: itemNextHop, subject: u})
	}
}

// Reserve waits until a request may be queued. It returns the context's error, or ErrStopped.
func (c *Chip) Reserve(ctx context.Context) error { return c.queue.reserve(ctx, c.done) }

// Inspect has the programming goroutine run fn, with the hardware held, after everything queued so far, also while it is paused or stalled, and waits
// for that. It is for reloads; View is for looking.
func (c *Chip) Inspect(ctx context.Context, fn func()) error {
	ran := make(chan struct{})
	c.queue.pushUrgent(item{kind: itemRun, subject: func() { fn(); close(ran) }})
	select {
	case <-ran:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return ErrStopped
	}
}

// Idle waits until everything queued so far is programmed and reported, or ctx is done.
func (c *Chip) Idle(ctx context.Context) error { return c.queue.idle(ctx, c.done) }

// Pause stops the programming goroutine between two operations, and returns when it stands.
func (c *Chip) Pause(ctx context.Context) error { return c.queue.pause(ctx, c.done) }

// Resume lets it go on.
func (c *Chip) Resume() { c.queue.resume() }

// Step lets the paused programming goroutine do up to n operations and returns how many it did: fewer when the queue ran empty or a fault rule stalls it.
func (c *Chip) Step(ctx context.Context, n int) (int, error) { return c.queue.step(ctx, n, c.done) }

// Stats are numbers about the chip at one moment.
type Stats struct {
	QueueLength    int // operations accepted and not settled, and next-hop groups whose routes are to be looked at again
	QueueCapacity  int // queue length at which requests are held back
	Paused         bool
	ReloadFailed   bool
	Programmed     uint64 // operations carried out since the start
	WaitingForRoom int    // routes that failed because a table was full, and that retry_failed programs again
	Undeleted      int    // entries that hardware still has although their delete failed
}

// Stats returns the present numbers.
func (c *Chip) Stats() Stats {
	length, paused := c.queue.state()
	return Stats{
		QueueLength: length, QueueCapacity: c.queue.capacity, Paused: paused, ReloadFailed: c.reloadFailed.Load(), Programmed: c.programmed.Load(),
		WaitingForRoom: int(c.waiting.Load()), Undeleted: int(c.undeleted.Load()),
	}
}
