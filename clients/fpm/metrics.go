package fpm

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what the Routers of a process do. It is a prometheus.Collector. It may be used from any number of goroutines.
type Metrics struct {
	connections, frames, malformed, refused, swept *prometheus.CounterVec
	messages, answers, faults                      *prometheus.CounterVec
	answerSeconds                                  *prometheus.HistogramVec
	switchConnected                                *prometheus.GaugeVec

	mu      sync.Mutex // guards routers
	routers []*Router
}

// routerMetrics are the metrics of one Router.
type routerMetrics struct {
	connections, frames, malformed, refused, swept prometheus.Counter
	messages                                       [len(messageNames)]prometheus.Counter // by updateKind
	answers                                        [verdicts]prometheus.Counter          // none for undecided
	faults                                         [faultKinds]prometheus.Counter
	answerSeconds                                  prometheus.Observer
	switchConnected                                prometheus.Gauge
}

// messageNames are the values of the label type, by updateKind.
var messageNames = [...]string{"newroute", "delroute", "newnexthop", "delnexthop", "skipped"}

const labelRouter = "router"

var (
	descConnected = prometheus.NewDesc("vasic_fpm_connected", "1 while zebra is connected.", []string{labelRouter}, nil)
	descRoutes    = prometheus.NewDesc("vasic_fpm_routes", "Routes whose owner listens, by what zebra was told about its last message.", []string{labelRouter, "state"}, nil)
	descEntries   = prometheus.NewDesc("vasic_fpm_entries", "Prefixes that zebra wants or the switch has.", []string{labelRouter}, nil)
	descNextHops  = prometheus.NewDesc("vasic_fpm_next_hops", "Next-hop ids that zebra has announced or used.", []string{labelRouter}, nil)
	descStale     = prometheus.NewDesc("vasic_fpm_unconfirmed_routes", "Routes of before the present connection that it has not confirmed.", []string{labelRouter}, nil)
	descQueue     = prometheus.NewDesc("vasic_fpm_queue_length", "Prefixes waiting to be programmed, answered, or tried again.", []string{labelRouter, "queue"}, nil)
)

// NewMetrics returns Metrics that nobody uses yet.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vasic_fpm_" + name, Help: help}, append([]string{labelRouter}, labels...))
	}
	return &Metrics{
		connections: counter("connections_total", "Connections that zebra has made."),
		frames:      counter("frames_total", "Frames read."),
		malformed:   counter("malformed_frames_total", "Frames that made no sense, each of which ended a connection."),
		refused:     counter("refused_operations_total", "Operations that the switch refused."),
		swept:       counter("swept_routes_total", "Routes deleted because a new connection did not confirm them."),
		messages:    counter("messages_total", "Netlink messages read; those of other types and families are skipped.", "type"),
		answers:     counter("answers_total", "Answers written, without those that a fault made up.", "result"),
		faults:      counter("faults_total", "Answers that a fault has changed, held back or made up.", "fault"),
		answerSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                        "vasic_fpm_answer_seconds",
			Help:                        "Time from reading zebra's last message about a prefix until each answer about it.",
			Buckets:                     prometheus.ExponentialBuckets(100e-6, 4, 11), // 100 µs to 105 s
			NativeHistogramBucketFactor: 1.1,
		}, []string{labelRouter}),
		switchConnected: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "vasic_fpm_switch_connected", Help: "1 while the state of the switch is known."},
			[]string{labelRouter}),
	}
}

// add makes the metrics of a router appear, with 0.
func (m *Metrics) add(r *Router) *routerMetrics {
	m.mu.Lock()
	m.routers = append(m.routers, r)
	m.mu.Unlock()
	name := r.config.Name
	rm := &routerMetrics{
		connections:     m.connections.WithLabelValues(name),
		frames:          m.frames.WithLabelValues(name),
		malformed:       m.malformed.WithLabelValues(name),
		refused:         m.refused.WithLabelValues(name),
		swept:           m.swept.WithLabelValues(name),
		answerSeconds:   m.answerSeconds.WithLabelValues(name),
		switchConnected: m.switchConnected.WithLabelValues(name),
	}
	for kind, label := range messageNames {
		rm.messages[kind] = m.messages.WithLabelValues(name, label)
	}
	for v := offloaded; v < verdicts; v++ {
		rm.answers[v] = m.answers.WithLabelValues(name, v.String())
	}
	for f, label := range faultNames {
		rm.faults[f] = m.faults.WithLabelValues(name, label)
	}
	return rm
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.connections, m.frames, m.malformed, m.refused, m.swept, m.messages, m.answers, m.faults, m.answerSeconds, m.switchConnected,
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{descConnected, descRoutes, descEntries, descNextHops, descStale, descQueue} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
	m.mu.Lock()
	routers := m.routers[:len(m.routers):len(m.routers)]
	m.mu.Unlock()
	for _, r := range routers {
		gauge := func(d *prometheus.Desc, v int, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), append([]string{r.config.Name}, labels...)...)
		}
		s := r.numbers()
		gauge(descConnected, s.connected)
		gauge(descEntries, s.entries)
		gauge(descNextHops, s.nextHops)
		gauge(descStale, s.stale)
		for v, n := range s.told {
			gauge(descRoutes, n, verdict(v).String())
		}
		gauge(descQueue, s.programming, "programming")
		gauge(descQueue, s.answering, "answers")
		gauge(descQueue, s.retrying, "retry")
	}
}

// numbers are what the rib can say of itself at once.
type numbers struct {
	connected, entries, nextHops, stale, programming, answering, retrying int
	told                                                                  [verdicts]int
}

// Entries is how many prefixes the Router keeps: those that zebra wants, and those that the switch still has.
func (r *Router) Entries() int { return r.numbers().entries }

func (r *Router) numbers() numbers {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := numbers{
		entries: len(r.rib.entries), nextHops: len(r.rib.hops.nodes), stale: r.rib.stale, told: r.rib.told,
		programming: r.rib.queue.len(), answering: r.rib.answers.len(), retrying: len(r.rib.retries),
	}
	if r.connection != nil {
		n.connected = 1
		n.answering += len(r.connection.held)
	}
	return n
}
