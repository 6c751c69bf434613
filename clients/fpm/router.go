package fpm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/vasic-project/vasic/clients/vasic"
)

// Defaults of Config.
const (
	// DefaultListen is where zebra expects a Forwarding Plane Manager on its own machine.
	DefaultListen = "127.0.0.1:2620"
	// DefaultMetric is the one that zebra gives all routes that it sends.
	DefaultMetric = 20
	// DefaultSweepAfter is more than the second for which zebra pauses when its buffer is full.
	DefaultSweepAfter = 5 * time.Second
	// DefaultRetry is short for a person who makes room, and long for a switch that stays full.
	DefaultRetry = 5 * time.Second
	// DefaultSwitchGrace is enough for a connection that breaks, and little for one that is gone.
	DefaultSwitchGrace = 5 * time.Second
	// DefaultWriteTimeout is how long zebra itself waits for a peer that does not read.
	DefaultWriteTimeout = 15 * time.Second
)

// TrapAnswer is what zebra is told about a route whose packets hardware sends to the CPU.
type TrapAnswer string

const (
	// AnswerTrap is the truth. Zebra shows the route as trapped, and bgpd does not advertise it.
	AnswerTrap TrapAnswer = "trap"
	// AnswerOffloadTrap makes bgpd advertise the route, as the CPU forwards its packets.
	AnswerOffloadTrap TrapAnswer = "offload+trap"
)

// Config is what a Router is made of. Zero values mean the defaults, but for Switch, which is required.
type Config struct {
	// Name tells routers of one process apart, in logs and metrics.
	Name string
	// Switch is what is programmed. The caller closes it, after Serve has returned.
	Switch *vasic.Client
	// TableOffset is added to the table ids of zebra's, so that several routers can share a switch.
	TableOffset uint32
	// LastTable is the last table of the switch that is the router's; 0 means that there is no bound.
	LastTable uint32
	// Metric is that of all routes in the switch. Those of this metric in the router's tables belong to it: what zebra does not
	// confirm is deleted.
	Metric uint32
	// Links says what the switch's links are called.
	Links LinkSource
	// LinkPrefix is put in front of their names.
	LinkPrefix string
	// Trap is the answer for routes that hardware traps.
	Trap TrapAnswer
	// KeepNotify leaves the switch's setting alone that decides whether changes of flags are published. Where it is 0, routes
	// are answered when they are programmed, but nobody learns of what hardware loses later.
	KeepNotify bool
	// SweepAfter is how long a new connection must have been silent about routes before those that it has not mentioned are
	// deleted. Negative means never.
	SweepAfter time.Duration
	// Retry is how often what the switch or its hardware refused is tried again. Negative means never.
	Retry time.Duration
	// SwitchGrace is how long the switch may be away before its routes count as lost.
	SwitchGrace time.Duration
	// WriteTimeout is how long zebra may leave answers unread.
	WriteTimeout time.Duration
	// Faults to begin with.
	Faults Faults
	// Seed of what faults leave to chance.
	Seed uint64
	// Logger says what happens; nil means slog.Default.
	Logger *slog.Logger
	// Metrics count what happens; nil means that nobody looks.
	Metrics *Metrics
}

// Router is the bridge between one zebra and one switch.
type Router struct {
	config  Config
	client  *vasic.Client
	logger  *slog.Logger
	metrics *routerMetrics

	wakeProgrammer chan struct{} // there may be something to program
	wakeLinks      chan struct{} // the kernel's links have changed
	watchLinks     func()        // starts to follow them, once

	// mu guards the following fields. Nothing blocks while it is held.
	mu         sync.Mutex
	rib        *rib
	connection *connection   // the present one; nil if there is none
	faults     Faults        // in force
	gate       chan struct{} // closed when reading goes on; nil while it does
	chance     *rand.Rand
	unanswered int // operations on their way to the switch, of the present session
}

// New returns a Router that does nothing until Serve.
func New(c Config) (*Router, error) {
	c.LastTable = cmp.Or(c.LastTable, math.MaxUint32)
	c.Metric = cmp.Or(c.Metric, DefaultMetric)
	c.Links = cmp.Or(c.Links, LinksAuto)
	c.Trap = cmp.Or(c.Trap, AnswerTrap)
	c.SweepAfter = cmp.Or(c.SweepAfter, DefaultSweepAfter)
	c.Retry = cmp.Or(c.Retry, DefaultRetry)
	c.SwitchGrace = cmp.Or(c.SwitchGrace, DefaultSwitchGrace)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, DefaultWriteTimeout)
	switch {
	case c.Switch == nil:
		return nil, errors.New("fpm: no switch")
	case c.TableOffset >= c.LastTable:
		return nil, fmt.Errorf("fpm: table offset %d leaves no tables up to %d", c.TableOffset, c.LastTable)
	case c.Links != LinksAuto && c.Links != LinksKernel && c.Links != LinksIndex:
		return nil, fmt.Errorf("fpm: links %q is not %s, %s or %s", c.Links, LinksAuto, LinksKernel, LinksIndex)
	case c.Trap != AnswerTrap && c.Trap != AnswerOffloadTrap:
		return nil, fmt.Errorf("fpm: trap %q is not %s or %s", c.Trap, AnswerTrap, AnswerOffloadTrap)
	}
	if err := c.Faults.check(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	name := fnv.New64a()
	_, _ = name.Write([]byte(c.Name))
	r := &Router{
		config:         c,
		client:         c.Switch,
		logger:         c.Logger.With("router", c.Name),
		wakeProgrammer: make(chan struct{}, 1),
		wakeLinks:      make(chan struct{}, 1),
		watchLinks:     func() {},
		chance:         rand.New(rand.NewPCG(c.Seed, name.Sum64())),
		rib: newRIB(
			&linkNames{prefix: c.LinkPrefix, made: make(map[uint32]string)},
			tableRange{offset: c.TableOffset, last: c.LastTable},
			c.Metric,
			c.Trap,
		),
	}
	r.setFaults(c.Faults)
	r.metrics = c.Metrics.add(r)
	return r, nil
}

// Name is that of the Config.
func (r *Router) Name() string { return r.config.Name }

// Serve takes connections from zebra until ctx ends or the listener fails, and closes the listener. It returns when everything
// has come to rest, with nil if ctx ended. What is programmed stays in the switch. Serve may be called once.
func (r *Router) Serve(ctx context.Context, lis net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = lis.Close() })
	defer stop()
	r.locked(func() {
		r.watchLinks = sync.OnceFunc(func() { work.Go(func() { r.followLinks(ctx) }) })
		r.useLinks(r.config.Links == LinksKernel)
	})
	work.Go(func() { r.follow(ctx) })
	for {
		conn, err := lis.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		c := r.connect(conn)
		work.Go(func() { c.serve(ctx) })
	}
}

// locked runs f with mu held, and then wakes who has something to do.
func (r *Router) locked(f func()) {
	r.mu.Lock()
	f()
	program := r.rib.queue.len() > 0 && (r.unanswered == 0 || r.rib.queue.len() >= planBatch)
	var writer *connection
	if r.rib.answers.len() > 0 || r.rib.outdated.len() > 0 {
		writer = r.connection
	}
	r.mu.Unlock()
	if program {
		wake(r.wakeProgrammer)
	}
	if writer != nil {
		wake(writer.wake)
	}
}

// wake lets the reader of a channel with room for one look again.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
