package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// Defaults of Config.
const (
	DefaultMaxBatchOperations = 4096
	DefaultMaxWatchers        = 1000
	DefaultMaxStreams         = 1000
	DefaultMaxMessageBytes    = 4 << 20
	DefaultLogBytes           = 64 << 20
)

// Link is a link that a switch starts with.
type Link struct {
	Name      string         // 1 to 15 characters
	Addresses []netip.Prefix // with host bits, for example 10.0.1.1/24
}

// Config says what switch to make. The zero value is a switch of profile "switch" with link lo only, which is down.
type Config struct {
	Profile            string             // name of a shipped profile, see asic.Profiles; "": "switch"
	ChipProfile        *asic.Profile      // used in its place if not nil, for example one that asic.LoadProfile has read
	Seed               uint64             // of all chance
	Epoch              uint64             // names this life of the switch to watchers; 0: a random one
	QueueCapacity      int                // operations waiting for hardware before requests are held back; 0: asic.DefaultQueueCapacity
	LogBytes           int                // bound of the event log in bytes; 0: DefaultLogBytes
	MaxBatchOperations int                // operations of one ModifyRoutes message; 0: DefaultMaxBatchOperations
	MaxWatchers        int                // open watches; 0: DefaultMaxWatchers
	MaxStreams         uint32             // concurrent calls of one connection; 0: DefaultMaxStreams
	MaxMessageBytes    int                // size of one received message; 0: DefaultMaxMessageBytes
	Resources          map[string]uint64  // sizes by path, for example "IPv4/fib"; absent: unlimited
	Latency            *time.Duration     // of programming one operation, on average; nil: the profile's
	Distribution       *asic.Distribution // how Latency varies; nil: as the profile says, as are the next three
	LatencySpread      *time.Duration
	LatencyPerNextHop  *time.Duration
	MaxRate            *uint32           // operations a second; 0: no limit
	RetryFailed        *bool             // program routes that found no room again when there is; nil: as the profile says
	ManualNeighbors    bool              // gateways do not resolve by themselves
	ResolutionDelay    time.Duration     // how long that takes where they do
	AuditInterval      time.Duration     // how often software and hardware are compared for metrics; 0: never
	NotifyIPv4         fib.NotifySetting // fib_notify_on_flag_change at the start
	NotifyIPv6         fib.NotifySetting
	LoopbackUp         bool                 // set lo up at the start
	Links              []Link               // made and set up at the start
	Version            string               // told by GetStatus
	Logger             *slog.Logger         // nil: slog.Default
	Registry           *prometheus.Registry // where metrics are registered; nil: a new one, see Server.Registry
	GRPCOptions        []grpc.ServerOption  // added to those that the server sets, for example grpc.Creds
}

func (c *Config) setDefaults() {
	if c.Profile == "" {
		c.Profile = asic.Switch.Name
	}
	if c.Epoch == 0 {
		c.Epoch = rand.Uint64() | 1 //nolint:forbidigo,gosec // two lives of one switch must differ, also with one seed; no secret
	}
	setDefault(&c.QueueCapacity, asic.DefaultQueueCapacity)
	setDefault(&c.LogBytes, DefaultLogBytes)
	setDefault(&c.MaxBatchOperations, DefaultMaxBatchOperations)
	setDefault(&c.MaxWatchers, DefaultMaxWatchers)
	setDefault(&c.MaxStreams, DefaultMaxStreams)
	setDefault(&c.MaxMessageBytes, DefaultMaxMessageBytes)
	setDefault(&c.Version, "unknown")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
}

// tune gives the chip what differs from its profile.
func (c *Config) tune(chip *asic.Chip) {
	latency := chip.Latency()
	override(&latency.Mean, c.Latency)
	override(&latency.Distribution, c.Distribution)
	override(&latency.Spread, c.LatencySpread)
	override(&latency.PerNextHop, c.LatencyPerNextHop)
	override(&latency.MaxRate, c.MaxRate)
	chip.SetLatency(latency)
	if c.RetryFailed != nil {
		chip.SetRetryFailed(*c.RetryFailed)
	}
}

func override[T any](v, by *T) {
	if by != nil {
		*v = *by
	}
}

func setDefault[T comparable](v *T, def T) {
	if *v == *new(T) {
		*v = def
	}
}

// Server is one switch. Make one with New.
type Server struct {
	cfg      Config
	chip     *asic.Chip
	fib      *fib.FIB
	journal  *journal
	recorder *recorder
	auditor  auditor
	metrics  *metrics
	grpc     *grpc.Server
	health   *health.Server

	settingsMu sync.Mutex // held by UpdateSettings, so that settings change together
	watchers   atomic.Int64
	modifying  atomic.Uint64 // number of the ModifyRoutes stream that was at work last; 0 for a ModifyRoute
	stopping   chan struct{} // closed when nothing new is accepted
	stopped    chan struct{} // closed when calls that wait shall end
	stopOnce   sync.Once
	stopChip   context.CancelFunc
}

// New makes a switch and starts its chip. Stop must be called, also if Serve never is.
func New(cfg Config) (*Server, error) {
	cfg.setDefaults()
	profile := cfg.ChipProfile
	if profile == nil {
		var err error
		if profile, err = asic.ProfileByName(cfg.Profile); err != nil {
			return nil, err
		}
	}
	s := &Server{
		cfg: cfg, journal: newJournal(cfg.Epoch, cfg.LogBytes), health: health.NewServer(), stopping: make(chan struct{}), stopped: make(chan struct{}),
	}
	s.recorder = &recorder{s: s, limit: cfg.LogBytes}
	chip, err := asic.New(asic.Config{Profile: profile, QueueCapacity: cfg.QueueCapacity, Seed: cfg.Seed, Sizes: cfg.Resources, Turn: s.recorder.turn})
	if err != nil {
		return nil, err
	}
	s.chip = chip
	s.fib = fib.New(chip, s.journal)
	s.fib.OnResolution(s.recorder.resolved)
	s.journal.encoder.fib, s.journal.told = s.fib, s.recorder.published
	s.fib.SetNotify(fib.IPv4, cfg.NotifyIPv4)
	s.fib.SetNotify(fib.IPv6, cfg.NotifyIPv6)
	s.fib.SetNeighborResolution(!cfg.ManualNeighbors, cfg.ResolutionDelay)
	cfg.tune(chip)
	if s.metrics, err = newMetrics(s, cfg.Registry); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stopChip = cancel
	go chip.Run(ctx, s.complete) // not before, so that every start goes the same way
	if cfg.AuditInterval > 0 {
		s.auditor.start(s, cfg.AuditInterval)
	}
	s.grpc = grpc.NewServer(s.options()...)
	vasicv1.RegisterRouteServiceServer(s.grpc, routeService{s: s})
	vasicv1.RegisterWatchServiceServer(s.grpc, watchService{s: s})
	vasicv1.RegisterSwitchServiceServer(s.grpc, switchService{s: s})
	vasicv1.RegisterLinkServiceServer(s.grpc, linkService{s: s})
	vasicv1.RegisterNeighborServiceServer(s.grpc, neighborService{s: s})
	vasicv1.RegisterNextHopServiceServer(s.grpc, nextHopService{s: s})
	vasicv1.RegisterRuleServiceServer(s.grpc, ruleService{s: s})
	vasicv1.RegisterFaultServiceServer(s.grpc, faultService{s: s})
	vasicv1.RegisterAuditServiceServer(s.grpc, auditService{s: s})
	vasicv1.RegisterRecordServiceServer(s.grpc, recordService{s: s})
	healthv1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.metrics.initialize(s.grpc)
	return s, nil
}

// start puts the FIB into hardware and makes the links of the configuration.
func (s *Server) start() error {
	if _, err := s.fib.Attach(); err != nil {
		return fmt.Errorf("program the first routes: %w", err)
	}
	up := true
	if s.cfg.LoopbackUp {
		if _, err := s.fib.SetLink(loopbackName, &up, nil); err != nil {
			return err
		}
	}
	for _, l := range s.cfg.Links {
		if err := l.Check(); err != nil {
			return fmt.Errorf("link %q: %w", l.Name, err)
		}
		if _, err := s.fib.AddLink(l.Name, fib.LinkDummy, 0); err != nil {
			return err
		}
		if _, err := s.fib.SetLink(l.Name, &up, nil); err != nil {
			return err
		}
		for _, a := range l.Addresses {
			if _, err := s.fib.AddAddress(l.Name, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete takes over what the chip did.
func (s *Server) complete(results []fib.Result) {
	s.fib.Apply(results)
	s.metrics.observe(results)
}

// reserve waits for room in the programming queue, unless the switch is stopping.
func (s *Server) reserve(ctx context.Context) error {
	if s.isStopping() {
		return errShuttingDown
	}
	return s.chip.Reserve(ctx)
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// admitWatcher counts a watcher in and returns what counts it out.
func (s *Server) admitWatcher() (release func(), err error) {
	if s.isStopping() {
		return nil, errShuttingDown
	}
	if s.watchers.Add(1) > int64(s.cfg.MaxWatchers) {
		s.watchers.Add(-1)
		return nil, errTooManyWatchers(s.cfg.MaxWatchers)
	}
	return func() { s.watchers.Add(-1) }, nil
}

// Registry returns the registry that holds the switch's metrics.
func (s *Server) Registry() *prometheus.Registry { return s.cfg.Registry }

// Serve answers calls on lis until Stop; it may be called for several listeners at once. It returns nil after Stop.
func (s *Server) Serve(lis net.Listener) error {
	if err := s.grpc.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Stop ends the switch gracefully: health says NOT_SERVING, nothing new is accepted, what is queued is programmed, watchers receive what is
// left and are told, and calls end. What is not done when ctx is done is cut off. It returns nil, or ctx's error if something was cut off.
func (s *Server) Stop(ctx context.Context) (err error) {
	s.stopOnce.Do(func() { err = s.stop(ctx) })
	return err
}

// drainTime leaves a quarter of the time that ctx gives for saying goodbye to watchers.
func drainTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/4))
}

// endStalls removes the fault rules that would keep the queue from being programmed.
func (s *Server) endStalls() {
	for _, f := range s.chip.Faults() {
		if f.Effect == asic.Stall {
			s.recorder.byItself(vasicv1.FaultService_DeleteFault_FullMethodName, &vasicv1.DeleteFaultRequest{Id: f.ID}, func() bool {
				return s.chip.DeleteFault(f.ID) == nil // somebody else may have been faster
			})
		}
	}
}

func (s *Server) stop(ctx context.Context) error {
	s.health.Shutdown()
	close(s.stopping)
	s.auditor.stop()
	s.recorder.byItself(vasicv1.SwitchService_Resume_FullMethodName, &vasicv1.ResumeRequest{}, func() bool {
		stats := s.chip.Stats()
		s.chip.Unpause()
		s.unhold()
		return stats.Paused || stats.Held
	})
	s.endStalls()
	drainCtx, cancel := drainTime(ctx)
	err := s.chip.Idle(drainCtx)
	cancel()
	s.fib.Close()
	s.journal.log.Close()
	close(s.stopped)
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		s.stopChip() // ends a reload under way
		s.grpc.Stop()
		<-done
	}
	s.stopChip()
	return err
}
