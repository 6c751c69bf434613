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
	latency  *times
	exposure [2][2]*times // by family, and by whether hardware traps
	panics   prometheus.Counter
}

var (
	descLatency  = desc("programming_seconds", "Time from the acceptance of an operation until hardware settled it.")
	descExposure = desc("route_exposure_seconds",
		"Time during which a route was accepted and not in hardware, by what hardware does with it since. Routes that fail are not counted before a retry succeeds.", "family", "outcome")
)

func newMetrics(s *Server, registry *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		grpc:    grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram()),
		latency: newTimes(descLatency),
		panics:  prometheus.NewCounter(prometheus.CounterOpts{Name: "vasic_panics_total", Help: "Calls that panicked."}),
	}
	list := []prometheus.Collector{
		m.grpc, m.latency, m.panics, &stateCollector{s: s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	exposures := severalTimes{}
	for _, family := range fib.Families {
		for i, outcome := range []string{"offload", "trap"} {
			m.exposure[family][i] = newTimes(descExposure, family.String(), outcome)
			exposures = append(exposures, m.exposure[family][i])
		}
	}
	for _, c := range append(list, exposures) {
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
	var seen passed
	for i := range results {
		r := &results[i]
		if r.Accepted == 0 {
			continue
		}
		if r.Accepted != seen.accepted {
			m.observePassed(&seen, now)
			seen = passed{accepted: r.Accepted}
		}
		if r.Final {
			seen.final++
		}
		switch {
		case r.Removal || r.Gone:
		case r.Flags&fib.FlagOffload != 0:
			seen.exposed[r.Family][0]++
		case r.Flags&fib.FlagTrap != 0:
			seen.exposed[r.Family][1]++
		}
	}
	m.observePassed(&seen, now)
}

// passed are results of what was accepted at the same time.
type passed struct {
	accepted int64
	final    int
	exposed  [2][2]int // as metrics.exposure
}

func (m *metrics) observePassed(p *passed, now int64) {
	took := float64(now-p.accepted) / 1e9
	m.latency.observe(took, p.final)
	for family := range p.exposed {
		for i, n := range p.exposed[family] {
			m.exposure[family][i].observe(took, n)
		}
	}
}
