package server_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

var updateDocs = flag.Bool("update", false, "write docs/metrics.md anew")

// scrape reads all metrics: name{label="value",…} and what they are now; of a histogram count and sum.
func (r *apiRig) scrape() map[string]float64 {
	r.t.Helper()
	values := map[string]float64{}
	for _, family := range must(r.s.Registry().Gather())(r.t) {
		for _, m := range family.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			text := ""
			if len(labels) > 0 {
				text = "{" + strings.Join(labels, ",") + "}"
			}
			values[family.GetName()+text] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if h := m.GetHistogram(); h != nil {
				values[family.GetName()+"_count"+text], values[family.GetName()+"_sum"+text] = float64(h.GetSampleCount()), h.GetSampleSum()
			}
		}
	}
	return values
}

// wantMetrics compares what was scraped with what it has to be.
func wantMetrics(t *testing.T, when string, got, want map[string]float64) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[name]; !ok || v != want[name] {
			t.Errorf("%s: %s is %v (there: %v), want %v", when, name, v, ok, want[name])
		}
	}
}

// since is the growth of all metrics.
func since(before, now map[string]float64) map[string]float64 {
	grown := map[string]float64{}
	for name, v := range now {
		grown[name] = v - before[name]
	}
	return grown
}

func results(outcome, reason string) string {
	return fmt.Sprintf(`vasic_results_total{outcome=%q,reason=%q}`, outcome, reason)
}

func published(kind string) string { return fmt.Sprintf(`vasic_events_published_total{kind=%q}`, kind) }

func routesIn(family, state string) string {
	return fmt.Sprintf(`vasic_routes{family=%q,state=%q}`, family, state)
}

func TestMetricsSayWhatTheSwitchDid(t *testing.T) {
	cfg := server.Config{QueueCapacity: 123, LogBytes: 1 << 20, NotifyIPv4: fib.NotifyAll, Resources: map[string]uint64{"IPv4/fib": 9, "nexthops": 5}}
	inAPIBubble(t, cfg, func(t *testing.T, r *apiRig) {
		r.quiet()
		start := r.scrape()
		wantMetrics(t, "at first", start, map[string]float64{
			`vasic_resource_occupancy_entries{resource="IPv4/fib"}`: 6, `vasic_resource_size_entries{resource="IPv4/fib"}`: 9,
			`vasic_resource_occupancy_entries{resource="IPv6/fib"}`: 5, `vasic_resource_size_entries{resource="nexthops"}`: 5,
			`vasic_resource_occupancy_entries{resource="IPv4/fib-rules"}`: 3, "vasic_queue_length": 0, "vasic_queue_capacity": 123, "vasic_paused": 0,
			"vasic_reload_failed": 0, routesIn("IPv4", "offload"): 2, routesIn("IPv4", "trap"): 4, routesIn("IPv6", "offload"): 2, routesIn("IPv6", "trap"): 3,
			routesIn("IPv6", "none"): 2, routesIn("IPv6", "offload_failed"): 0, "vasic_log_capacity_bytes": 1 << 20, "vasic_watchers": 0,
			"vasic_watcher_max_lag_revisions": 0, "vasic_watchers_compacted_total": 0, "vasic_panics_total": 0, results("failed", "table_full"): 0,
			"vasic_log_revision": float64(r.status().Revision),
		})
		if _, unlimited := start[`vasic_resource_size_entries{resource="IPv6/fib"}`]; unlimited {
			t.Error("an unlimited resource has a size")
		}

		r.pause()
		r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: durationpb.New(time.Second)})
		r.add(good4(), good4(metric(9)))                                          // the second is not for hardware
		must(r.modify(actionReplace, good4(proto8(4))))(t)                        // makes the first stale
		r.add(apiRoute("203.0.113.0/24", kind(unreachable)))                      // trapped
		r.add(apiRoute("203.0.112.0/24", kind(throw)))                            // unsupported
		r.add(apiRoute("192.0.2.0/25", via("10.0.1.2")))                          // the last that has room
		r.add(apiRoute("192.0.2.128/25", via("10.0.1.2")))                        // table full
		r.add(apiRoute("2001:db8:b::/48", via("2001:db8:1::2", "2001:db8:2::2"))) // two rows, not published
		must(r.modify(actionDelete, apiRoute("2001:db8:1::/64")))(t)
		wantMetrics(t, "paused", since(start, r.scrape()), map[string]float64{
			"vasic_paused": 1, "vasic_queue_length": 8, routesIn("IPv4", "none"): 6, routesIn("IPv6", "none"): 2, routesIn("IPv6", "offload"): -1,
			published("route_added"): 7, published("route_replaced"): 1, published("route_deleted"): 1, published("flags_changed"): 0, "vasic_log_revision": 9,
			"vasic_programmed_operations_total": 0, "vasic_programming_seconds_count": 0,
		})
		r.resume()
		time.Sleep(time.Minute)
		r.quiet()
		wantMetrics(t, "programmed", since(start, r.scrape()), map[string]float64{
			"vasic_paused": 0, "vasic_queue_length": 0, "vasic_programmed_operations_total": 8,
			// One second each, and so one more for each operation before.
			"vasic_programming_seconds_count": 8, "vasic_programming_seconds_sum": 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8,
			results("offloaded", "none"): 3, results("superseded", "none"): 1, results("trapped", "none"): 1, results("failed", "unsupported"): 1,
			results("failed", "table_full"): 1, results("removed", "none"): 1, results("failed", "injected"): 0, results("not_selected", "none"): 0,
			`vasic_stale_results_total{family="IPv4"}`: 1, `vasic_stale_results_total{family="IPv6"}`: 0,
			`vasic_events_suppressed_total{family="IPv4"}`: 0, `vasic_events_suppressed_total{family="IPv6"}`: 2,
			published("flags_changed"): 5, "vasic_log_revision": 14,
			routesIn("IPv4", "offload"): 2, routesIn("IPv4", "trap"): 1, routesIn("IPv4", "offload_failed"): 2, routesIn("IPv4", "none"): 1,
			routesIn("IPv6", "offload"): 1, routesIn("IPv6", "none"): 0,
			`vasic_resource_occupancy_entries{resource="IPv4/fib"}`: 3, `vasic_resource_occupancy_entries{resource="IPv6/fib"}`: 0,
		})
		if at := r.scrape(); at["vasic_log_bytes"] <= 0 || at["vasic_log_bytes"] > 1<<20 {
			t.Errorf("vasic_log_bytes %v", at["vasic_log_bytes"])
		}

		r.set("fail_reload", &vasicv1.Settings{FailReload: true})
		if _, err := r.reload(); err == nil {
			t.Error("the reload succeeded")
		}
		failed := r.scrape()
		if _, counted := failed[`vasic_resource_occupancy_entries{resource="IPv4/fib"}`]; counted || failed["vasic_reload_failed"] != 1 {
			t.Errorf("after a failed reload: occupancy %v, vasic_reload_failed %v", counted, failed["vasic_reload_failed"])
		}
	})
}

func TestMetricsOfFullGroupsAndStalls(t *testing.T) {
	inAPIBubble(t, server.Config{Resources: map[string]uint64{"groups": 1}}, func(t *testing.T, r *apiRig) {
		if res := r.settle(actionAdd, apiRoute("192.0.2.0/25", via("10.0.1.2"))); res.Status != statusOffloaded {
			t.Errorf("with room: %v", res)
		}
		start := r.scrape()
		res := r.settle(actionAdd, apiRoute("192.0.2.128/25", via("10.0.2.2")))
		if res.Status != vasicv1.OperationStatus_OPERATION_STATUS_TRAPPED || res.FailureReason != vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL {
			t.Errorf("without room: %v", res)
		}
		wantMetrics(t, "full", since(start, r.scrape()), map[string]float64{
			results("trapped", "table_full"): 1, results("trapped", "none"): 0, "vasic_groups_without_room": 1, "vasic_stalled": 0,
		})
		must(r.createFault(&vasicv1.Fault{Stall: true}))(t)
		must(r.modify(actionDelete, apiRoute("192.0.2.0/25")))(t)
		r.quiet()
		wantMetrics(t, "stalled", since(start, r.scrape()), map[string]float64{"vasic_groups_without_room": 1, "vasic_stalled": 1})
		if s := r.status(); !s.Stalled || s.GroupsWithoutRoom != 1 {
			t.Errorf("stalled: %v", s)
		}
		r.pause()
		if step := must(r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: 1}))(t); !step.Stalled || step.Done != 0 {
			t.Errorf("a stalled step: %v", step)
		}
		r.resume()
		if err := r.deleteFault(1); err != nil {
			t.Error(err)
		}
		r.quiet()
		wantMetrics(t, "room", since(start, r.scrape()), map[string]float64{"vasic_groups_without_room": 0, "vasic_stalled": 0})
	})
}

func TestMetricsOfWatchers(t *testing.T) {
	inAPIBubble(t, server.Config{LogBytes: 1 << 20}, func(t *testing.T, r *apiRig) {
		slow, other := r.narrow().watch(&vasicv1.WatchRequest{LiveOnly: true}), r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		slow.until("synced")
		other.until("synced")
		r.quiet()
		wantMetrics(t, "two watches", r.scrape(), map[string]float64{"vasic_watchers": 2, "vasic_watcher_max_lag_revisions": 0})
		other.cancel()
		s := r.stream()
		churn := func(n int) {
			for range n {
				s.send(slices.Repeat([]*vasicv1.RouteOperation{{Action: actionAdd, Route: good4()}, {Action: actionDelete, Route: good4()}}, 500)...)
				s.next(1000)
			}
			r.quiet()
		}
		churn(6) // half a megabyte, of which it has got a part
		if at := r.scrape(); at["vasic_watchers"] != 1 || at["vasic_watcher_max_lag_revisions"] < 100 || at["vasic_watcher_max_lag_revisions"] > 6000 {
			t.Errorf("%v watchers, lag %v", at["vasic_watchers"], at["vasic_watcher_max_lag_revisions"])
		}
		churn(14)
		if _, err := slow.end(); refusalOf(t, err).reason != "REVISION_COMPACTED" {
			t.Errorf("the slow watch ended with %v", err)
		}
		r.quiet()
		wantMetrics(t, "fallen off", r.scrape(), map[string]float64{
			"vasic_watchers": 0, "vasic_watcher_max_lag_revisions": 0, "vasic_watchers_compacted_total": 1,
		})
		_, err := r.watch(&vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{}}).end()
		if refusalOf(t, err).reason != "REVISION_COMPACTED" {
			t.Errorf("resuming ended with %v", err)
		}
		wantMetrics(t, "what never was a watch", r.scrape(), map[string]float64{"vasic_watchers_compacted_total": 1})
	})
}

func TestTheRegistryHasEverythingAndIsClean(t *testing.T) {
	registry := prometheus.NewRegistry()
	inAPIBubble(t, server.Config{Registry: registry}, func(t *testing.T, r *apiRig) {
		r.settle(actionAdd, good4())
		if r.s.Registry() != registry {
			t.Error("the registry that was given is not used")
		}
		families := must(registry.Gather())(t)
		for _, p := range must(promlint.NewWithMetricFamilies(families).Lint())(t) {
			if strings.HasPrefix(p.Metric, "vasic_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
		at := r.scrape()
		wantMetrics(t, "gRPC", at, map[string]float64{
			`grpc_server_handled_total{grpc_code="OK",grpc_method="ModifyRoute",grpc_service="vasic.v1.RouteService",grpc_type="unary"}`: 1,
			`grpc_server_started_total{grpc_method="Watch",grpc_service="vasic.v1.WatchService",grpc_type="server_stream"}`:              0,
		})
		for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
			if at[name] == 0 {
				t.Errorf("no %s", name)
			}
		}
		for _, family := range families {
			if h := family.Metric[0].GetHistogram(); family.GetName() == "vasic_programming_seconds" && (len(h.GetBucket()) == 0 || h.Schema == nil) {
				t.Errorf("%s is not both a classic and a native histogram: %v", family.GetName(), h)
			}
		}
	})
}

// metricNames are the names that a registry describes, whether or not there is something to say of them at present.
func metricNames(registry *prometheus.Registry) (names []string) {
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	name := regexp.MustCompile(`fqName: "(vasic_[^"]*)"`)
	for d := range descs {
		if m := name.FindStringSubmatch(d.String()); m != nil {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// metricsPage describes all metrics that a registry has now.
func metricsPage(t *testing.T, registry *prometheus.Registry) (page string, names []string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Metrics

What ` + "`vasicd`" + ` shows at ` + "`--metrics-listen`" + ` under ` + "`/metrics`" + `. This page is made from the code; after a change run
` + "`go test ./server -run TestMetricsAreDocumented -update`" + `.

Labels have the values listed and no others. Beside these there are the gRPC server metrics of go-grpc-middleware (` + "`grpc_server_…`" + `) and those of
the Go runtime (` + "`go_…`" + `) and the process (` + "`process_…`" + `).

| Metric | Type | Labels | Meaning |
|---|---|---|---|
`)
	for _, family := range must(registry.Gather())(t) {
		if !strings.HasPrefix(family.GetName(), "vasic_") {
			continue
		}
		names = append(names, family.GetName())
		var order []string
		values := map[string][]string{}
		for _, m := range family.Metric {
			for _, l := range m.Label {
				if values[l.GetName()] == nil {
					order = append(order, l.GetName())
				}
				if v := "`" + l.GetValue() + "`"; !slices.Contains(values[l.GetName()], v) {
					values[l.GetName()] = append(values[l.GetName()], v)
				}
			}
		}
		for i, name := range order {
			slices.Sort(values[name])
			order[i] = "`" + name + "`: " + strings.Join(values[name], ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()), strings.Join(order, "<br>"), family.GetHelp())
	}
	return b.String(), names
}

func TestMetricsAreDocumented(t *testing.T) {
	const file = "../docs/metrics.md"
	all := map[string]uint64{} // so that all have a size
	for _, path := range asic.ResourcePaths {
		all[path] = 100
	}
	profile := must(asic.LoadProfile(strings.NewReader("name: all\nmemory:\n  size: 100\n  tables: [IPv4/fib, IPv6/fib]\n")))(t)
	s, err := server.New(server.Config{ChipProfile: profile, Resources: all, AuditInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for r := (&apiRig{t: t, s: s}); r.scrape()["vasic_audit_timestamp_seconds"] == 0; {
		time.Sleep(time.Millisecond)
	}
	page, names := metricsPage(t, s.Registry())
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wantEqual(t, "metrics of which there is something to say", names, metricNames(s.Registry()))
	if *updateDocs {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil { //nolint:gosec // for everybody
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != page {
		t.Errorf("%s is not what the code says (%v); run go test ./server -run %s -update", file, err, t.Name())
	}
}
