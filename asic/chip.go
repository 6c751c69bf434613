package asic

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vasic-project/vasic/fib"
)

// DefaultQueueCapacity is how many operations wait before requests are held back: about 12 MB.
const DefaultQueueCapacity = 1 << 16

// drain is how many operations the programming goroutine takes at once: what shares one hand-over of results.
const drain = 1024

// Config says what chip to make.
type Config struct {
	Profile       *Profile          // nil: Switch
	QueueCapacity int               // operations; 0: DefaultQueueCapacity
	Sizes         map[string]uint64 // resource sizes by path; absent: Unlimited
}

// Chip is one simulated chip. Make one with New, connect it with Start.
type Chip struct {
	profile  *Profile
	complete func([]fib.Result)

	latency atomic.Int64 // time.Duration
	knobs   [knobCount]atomic.Bool

	queue     queue
	resources resources

	reloading    sync.Mutex // held during Reload
	reloadFailed atomic.Bool
	programmed   atomic.Uint64
	done         chan struct{} // closed when Run has returned

	// Owned by the programming goroutine.
	tables  map[tableKey]*table
	entries entries
	usable  map[*fib.Link]bool
	results []fib.Result
	scratch []member
	judged  []member

	occupied [2]atomic.Int64 // entries by family, for other goroutines
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
		profile: cfg.Profile, tables: make(map[tableKey]*table), entries: newEntries(), usable: make(map[*fib.Link]bool), done: make(chan struct{}),
	}
	c.latency.Store(int64(cfg.Profile.Latency))
	c.queue.capacity = cfg.QueueCapacity
	c.resources.init()
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
		batch, ok := c.queue.take(ctx)
		if !ok {
			return
		}
		done := 0
		for done < len(batch) && ctx.Err() == nil && (done == 0 || !c.queue.interrupt.Load()) {
			c.process(ctx, &batch[done])
			done++
		}
		for _, family := range fib.Families {
			c.occupied[family].Store(int64(c.entries.count[family]))
		}
		c.handOver()
		c.queue.settled(batch, batch[done:])
	}
}

// handOver gives the collected results away.
func (c *Chip) handOver() {
	if len(c.results) == 0 {
		return
	}
	c.complete(c.results)
	clear(c.results)
	c.results = c.results[:0]
}

func (c *Chip) process(ctx context.Context, it *item) {
	switch {
	case it.run != nil:
		c.handOver() // what was done before is settled before
		it.run()
	case it.link != nil:
		c.linkChanged(it.link, it.usable)
	default:
		c.program(ctx, &it.op)
		c.programmed.Add(1)
	}
}

// wait takes as long as programming one operation does. What was programmed before is reported first.
func (c *Chip) wait(ctx context.Context) {
	d := time.Duration(c.latency.Load())
	if d <= 0 {
		return
	}
	c.handOver()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Admit implements fib.Hardware: netdevsim's synchronous part (nsim_fib4_prepare_event, nsim_fib6_prepare_event).
func (c *Chip) Admit(op *fib.Op) error {
	if op.Kind == fib.OpDelete && c.Knob(FailRouteDelete) {
		return errDeleteRefused
	}
	if c.profile.accounting && !c.resources.account(op) {
		return errEntryRefused
	}
	return nil
}

// Submit implements fib.Hardware.
func (c *Chip) Submit(ops []fib.Op) { c.queue.pushOps(ops, c.clear) }

// LinkChanged implements fib.Hardware.
func (c *Chip) LinkChanged(l *fib.Link, usable bool) { c.queue.push(item{link: l, usable: usable}) }

// Reserve waits until a request may be queued. It returns the context's error, or ErrStopped.
func (c *Chip) Reserve(ctx context.Context) error { return c.queue.reserve(ctx, c.done) }

// Inspect has the programming goroutine run fn after everything queued so far, also while it is paused, and waits for that.
func (c *Chip) Inspect(ctx context.Context, fn func()) error {
	ran := make(chan struct{})
	c.queue.pushUrgent(item{run: func() { fn(); close(ran) }})
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

// Step lets the paused programming goroutine do up to n operations and returns how many it did: fewer when the queue ran empty.
func (c *Chip) Step(ctx context.Context, n int) (int, error) { return c.queue.step(ctx, n, c.done) }

// Stats are numbers about the chip at one moment.
type Stats struct {
	QueueLength   int // operations accepted and not settled
	QueueCapacity int // queue length at which requests are held back
	Paused        bool
	ReloadFailed  bool
	Programmed    uint64 // operations carried out since the start
}

// Stats returns the present numbers.
func (c *Chip) Stats() Stats {
	length, paused := c.queue.state()
	return Stats{
		QueueLength: length, QueueCapacity: c.queue.capacity, Paused: paused, ReloadFailed: c.reloadFailed.Load(), Programmed: c.programmed.Load(),
	}
}
