package server

import (
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"

	"github.com/vasic-project/vasic/fib"
)

// metrics are what /metrics shows. Numbers that exist anyway are read when they are asked for; only times are observed as they pass.
type metrics struct {
	grpc     *grpcprom.ServerMetrics
	latency  prometheus.Histogram
	exposure [2][2]prometheus.Observer // by family, and by whether hardware traps
	panics   prometheus.Counter
}

// timeBuckets are the classic buckets of all times: 10 µs to 42 s.
var timeBuckets = prometheus.ExponentialBuckets(10e-6, 4, 12)

func newMetrics(s *Server, registry *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		grpc: grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram()),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "vasic_programming_seconds",
			Help:                        "Time from the acceptance of an operation until hardware settled it.",
			Buckets:                     timeBuckets,
			NativeHistogramBucketFactor: 1.1,
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "vasic_panics_total", Help: "Calls that panicked."}),
	}
	exposure := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:                        "vasic_route_exposure_seconds",
		Help:                        "Time during which a route was accepted and not in hardware, by what hardware does with it since. Routes that fail are not counted before a retry succeeds.",
		Buckets:                     timeBuckets,
		NativeHistogramBucketFactor: 1.1,
	}, []string{"family", "outcome"})
	for _, family := range fib.Families {
		m.exposure[family] = [2]prometheus.Observer{exposure.WithLabelValues(family.String(), "offload"), exposure.WithLabelValues(family.String(), "trap")}
	}
	for _, c := range []prometheus.Collector{
		m.grpc, m.latency, exposure, m.panics, &stateCollector{s: s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// initialize makes the counters of all methods appear with 0.
func (m *metrics) initialize(g *grpc.Server) { m.grpc.InitializeMetrics(g) }

// observe takes the time of everything that was settled, and of every route that came into hardware.
func (m *metrics) observe(results []fib.Result) {
	now := time.Now().UnixNano()
	for i := range results {
		r := &results[i]
		if r.Accepted == 0 {
			continue
		}
		took := float64(now-r.Accepted) / 1e9
		if r.Final {
			m.latency.Observe(took)
		}
		switch {
		case r.Removal || r.Gone:
		case r.Flags&fib.FlagOffload != 0:
			m.exposure[r.Family][0].Observe(took)
		case r.Flags&fib.FlagTrap != 0:
			m.exposure[r.Family][1].Observe(took)
		}
	}
}
