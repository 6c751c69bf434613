package server

import (
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// metrics are what /metrics shows. Numbers that exist anyway are read when they are asked for; only the latency is observed as it happens.
type metrics struct {
	grpc    *grpcprom.ServerMetrics
	latency prometheus.Histogram
	panics  prometheus.Counter
	state   *stateCollector
}

func newMetrics(s *Server, registry *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		grpc: grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram()),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "vasic_programming_seconds",
			Help:                        "Time from the acceptance of an operation until hardware settled it.",
			Buckets:                     prometheus.ExponentialBuckets(10e-6, 4, 12), // 10 µs to 42 s
			NativeHistogramBucketFactor: 1.1,
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "vasic_panics_total", Help: "Calls that panicked."}),
		state:  &stateCollector{s: s},
	}
	for _, c := range []prometheus.Collector{
		m.grpc, m.latency, m.panics, m.state, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// initialize makes the counters of all methods appear with 0.
func (m *metrics) initialize(g *grpc.Server) { m.grpc.InitializeMetrics(g) }

// observe takes the time of everything that was settled.
func (m *metrics) observe(results []fib.Result) {
	now := time.Now().UnixNano()
	for i := range results {
		if results[i].Final {
			m.latency.Observe(float64(now-results[i].Accepted) / 1e9)
		}
	}
}

// description of one metric of stateCollector.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("vasic_"+name, help, labels, nil)
}

var (
	descOccupancy  = desc("resource_occupancy_entries", "Entries in use of a hardware resource. Absent while a reload has failed.", "resource")
	descSize       = desc("resource_size_entries", "Size of a hardware resource; absent where unlimited.", "resource")
	descQueue      = desc("queue_length", "Operations accepted and not settled by hardware.")
	descCapacity   = desc("queue_capacity", "Queue length at which requests are held back.")
	descPaused     = desc("paused", "1 while the programming goroutine is paused.")
	descReload     = desc("reload_failed", "1 after a failed reload, until one succeeds.")
	descProgrammed = desc("programmed_operations_total", "Operations that hardware carried out.")
	descRoutes     = desc("routes", "Routes by hardware state; an IPv6 multipath route counts once for each next hop.", "family", "state")
	descResults    = desc("results_total", "Hardware results by outcome and, for failures, reason.", "outcome", "reason")
	descStale      = desc("stale_results_total", "Hardware results dropped because their route had been replaced or deleted.", "family")
	descPublished  = desc("events_published_total", "Events published to the log.", "kind")
	descSuppressed = desc("events_suppressed_total", "Changes of flags not published because of the notification setting.", "family")
	descRevision   = desc("log_revision", "Revision of the newest event.")
	descLogBytes   = desc("log_bytes", "Memory that the event log holds.")
	descLogCap     = desc("log_capacity_bytes", "Bound of the event log.")
	descWatchers   = desc("watchers", "Open watches.")
	descLag        = desc("watcher_max_lag_revisions", "How far the slowest open watch is behind.")
	descCompacted  = desc("watchers_compacted_total", "Watches that ended because they fell behind the log.")
)

// stateCollector reads the switch's own numbers when asked.
type stateCollector struct{ s *Server }

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descOccupancy, descSize, descQueue, descCapacity, descPaused, descReload, descProgrammed, descRoutes, descResults, descStale, descPublished,
		descSuppressed, descRevision, descLogBytes, descLogCap, descWatchers, descLag, descCompacted,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	chip := c.s.chip.Stats()
	for _, r := range c.s.chip.Resources() {
		if !chip.ReloadFailed {
			gauge(descOccupancy, float64(r.Occupancy), r.Path)
		}
		if r.Size != asic.Unlimited {
			gauge(descSize, float64(r.Size), r.Path)
		}
	}
	gauge(descQueue, float64(chip.QueueLength))
	gauge(descCapacity, float64(chip.QueueCapacity))
	gauge(descPaused, truth(chip.Paused))
	gauge(descReload, truth(chip.ReloadFailed))
	counter(descProgrammed, chip.Programmed)
	outcomes := make(map[[2]string]uint64)
	for _, family := range fib.Families {
		counts := c.s.fib.Counts(family)
		for state, n := range counts.Rows {
			gauge(descRoutes, float64(n), family.String(), fib.States[state])
		}
		counter(descStale, counts.Stale, family.String())
		counter(descSuppressed, counts.Suppressed, family.String())
		counts.EachOutcome(func(o fib.Outcome, r fib.Reason, n uint64) { outcomes[[2]string{o.String(), r.String()}] += n })
	}
	for labels, n := range outcomes {
		counter(descResults, n, labels[0], labels[1])
	}
	for kind := range c.s.journal.counts {
		counter(descPublished, c.s.journal.counts[kind].Load(), fib.Kind(kind).String()) //nolint:gosec // four kinds
	}
	log := c.s.journal.log.Stats()
	gauge(descRevision, float64(log.Head))
	gauge(descLogBytes, float64(log.Bytes))
	gauge(descLogCap, float64(log.CapacityBytes))
	gauge(descWatchers, float64(log.Readers))
	gauge(descLag, float64(log.MaxLag))
	counter(descCompacted, log.Compacted)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
