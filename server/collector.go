package server

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// description of one metric of stateCollector.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("vasic_"+name, help, labels, nil)
}

var (
	descOccupancy  = desc("resource_occupancy_entries", "Entries in use of a hardware resource. Absent while a reload has failed.", "resource")
	descSize       = desc("resource_size_entries", "Size of a hardware resource; absent where unlimited.", "resource")
	descQueue      = desc("queue_length", "Operations accepted and not settled by hardware, and next-hop groups whose routes are to be looked at again.")
	descCapacity   = desc("queue_capacity", "Queue length at which requests are held back.")
	descPaused     = desc("paused", "1 while the programming goroutine is paused.")
	descStalled    = desc("stalled", "1 while a fault rule holds what the programming goroutine would do next.")
	descReload     = desc("reload_failed", "1 after a failed reload, until one succeeds.")
	descProgrammed = desc("programmed_operations_total", "Operations that hardware carried out.")
	descRoutes     = desc("routes", "Routes by hardware state; an IPv6 multipath route counts once for each next hop.", "family", "state")
	descResults    = desc("results_total", "Hardware results by outcome and, for failures and routes trapped as their next-hop group found no room, reason.", "outcome", "reason")
	descStale      = desc("stale_results_total", "Hardware results dropped because their route had been replaced or deleted.", "family")
	descPublished  = desc("events_published_total", "Events published to the log.", "kind")
	descSuppressed = desc("events_suppressed_total", "Changes of flags not published because of the notification setting.", "family")
	descRevision   = desc("log_revision", "Revision of the newest event.")
	descLogBytes   = desc("log_bytes", "Memory that the event log holds.")
	descLogCap     = desc("log_capacity_bytes", "Bound of the event log.")
	descWatchers   = desc("watchers", "Open watches.")
	descLag        = desc("watcher_max_lag_revisions", "How far the slowest open watch is behind.")
	descCompacted  = desc("watchers_compacted_total", "Watches that ended because they fell behind the log.")
	descWaiting    = desc("routes_waiting_for_room", "Routes that failed because a table was full and that are programmed again when room comes back.")
	descLacking    = desc("groups_without_room", "Next-hop groups that do without some or all of their next hops as a table is full.")
	descUndeleted  = desc("undeleted_entries", "Hardware entries whose delete failed.")
	descFaults     = desc("fault_rules", "Fault rules by effect.", "effect")
	descFaultHits  = desc("fault_rule_hits", "Operations on which the present fault rules had their effect.", "effect")
	descNeighbors  = desc("neighbors", "Neighbours by state.", "state")
	descNextHops   = desc("next_hop_objects", "Next-hop objects by kind.", "kind")
	descRecordings = desc("recordings", "Open recordings.")
	descAudited    = desc("audit_prefixes", "Prefixes by what hardware does compared with software, when last looked. Absent without --audit-interval.", "family", "verdict")
	descAuditTime  = desc("audit_timestamp_seconds", "When vasic_audit_prefixes was last known to be true, in seconds since 1970.")
	descAuditTook  = desc("audit_duration_seconds", "How long the last comparison of all prefixes took.")
)

// stateCollector reads the switch's own numbers when asked.
type stateCollector struct{ s *Server }

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descOccupancy, descSize, descQueue, descCapacity, descPaused, descReload, descProgrammed, descRoutes, descResults, descStale, descPublished,
		descSuppressed, descRevision, descLogBytes, descLogCap, descWatchers, descLag, descCompacted,
		descStalled, descWaiting, descLacking, descUndeleted, descFaults, descFaultHits, descNeighbors, descNextHops, descRecordings, descAudited, descAuditTime, descAuditTook,
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
	gauge(descPaused, truth(chip.Paused || chip.Held))
	gauge(descStalled, truth(chip.Stalled))
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
		counter(descPublished, c.s.journal.counts[kind].Load(), fib.Kind(kind).String()) //nolint:gosec // few kinds
	}
	log := c.s.journal.log.Stats()
	gauge(descRevision, float64(log.Head))
	gauge(descLogBytes, float64(log.Bytes))
	gauge(descLogCap, float64(log.CapacityBytes))
	gauge(descWatchers, float64(log.Readers))
	gauge(descLag, float64(log.MaxLag))
	counter(descCompacted, log.Compacted)
	gauge(descWaiting, float64(chip.WaitingForRoom))
	gauge(descLacking, float64(chip.GroupsLacking))
	gauge(descUndeleted, float64(chip.Undeleted))
	gauge(descRecordings, float64(c.s.recorder.active.Load()))
	c.collectObjects(gauge)
	c.collectAudit(gauge)
}

// collectObjects counts neighbours, next-hop objects and fault rules.
func (c *stateCollector) collectObjects(gauge func(*prometheus.Desc, float64, ...string)) {
	var rules [asic.Stall + 1]int
	var hits [asic.Stall + 1]uint64
	for _, f := range c.s.chip.Faults() {
		rules[f.Effect]++
		hits[f.Effect] += f.Hits
	}
	for effect, name := range effectNames {
		gauge(descFaults, float64(rules[effect]), name)
		gauge(descFaultHits, float64(hits[effect]), name)
	}
	states := make(map[fib.NeighborState]int)
	neighbors, _ := c.s.fib.Neighbors("") // there is no link to be missing
	for i := range neighbors {
		states[neighbors[i].State]++
	}
	for _, state := range neighborStates[vasicv1.NeighborState_NEIGHBOR_STATE_INCOMPLETE:] {
		gauge(descNeighbors, float64(states[state]), strings.ToLower(strings.TrimPrefix(neighborStateMessage(state).String(), "NEIGHBOR_STATE_")))
	}
	kinds := map[string]int{"single": 0, "blackhole": 0, "group": 0, "resilient": 0}
	c.s.fib.NextHops(func(v *fib.NextHopView) { kinds[objectKind(v)]++ })
	for kind, n := range kinds {
		gauge(descNextHops, float64(n), kind)
	}
}

func objectKind(v *fib.NextHopView) string {
	switch {
	case v.Resilient != nil:
		return "resilient"
	case len(v.Members) > 0:
		return "group"
	case v.Blackhole:
		return "blackhole"
	}
	return "single"
}

var effectNames = [...]string{asic.Fail: "fail", asic.Delay: "delay", asic.Stall: "stall"}

// collectAudit says what the last comparison of all prefixes found, if there was one.
func (c *stateCollector) collectAudit(gauge func(*prometheus.Desc, float64, ...string)) {
	last := c.s.auditor.last.Load()
	if last == nil {
		return
	}
	for _, family := range fib.Families {
		for v := vasicv1.Verdict_VERDICT_CONSISTENT; v < verdictCount; v++ {
			gauge(descAudited, float64(last.totals[family][v]), family.String(), strings.ToLower(strings.TrimPrefix(v.String(), "VERDICT_")))
		}
	}
	gauge(descAuditTime, float64(last.at.UnixNano())/1e9)
	gauge(descAuditTook, last.took.Seconds())
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
