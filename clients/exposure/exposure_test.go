package exposure

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// Kinds of events under short names.
const (
	added    = vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED
	replaced = vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED
	deleted  = vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED
	flagged  = vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED
)

// step is an event, or with told a change of the notification setting, at so many milliseconds.
type step struct {
	at       int
	kind     vasicv1.EventKind
	id       uint64
	metric   uint32
	flag     string // "offload", "trap" or "failed"
	appended bool
	prefix   string // "" is 192.0.2.0/24
	told     *bool
}

// route is the route of a step.
func (s step) route() *vasicv1.Route {
	r := &vasicv1.Route{Prefix: cmp.Or(s.prefix, "192.0.2.0/24"), Table: 254, Metric: proto.Uint32(s.metric), Id: s.id, Generation: 1, Protocol: 186, Type: vasicv1.RouteType_ROUTE_TYPE_UNICAST}
	r.Offload, r.Trap, r.OffloadFailed = s.flag == "offload", s.flag == "trap", s.flag == "failed"
	return r
}

// feed feeds a tracker.
func feed(t *Tracker, steps []step) {
	for _, s := range steps {
		if s.told != nil {
			t.Told(vasicv1.Family_FAMILY_IPV4, *s.told)
			continue
		}
		e := &vasicv1.Event{Kind: s.kind, Route: s.route(), UnixNanos: nanos(s.at)}
		if s.appended {
			e.NetlinkFlags = netlinkAppend
		}
		t.Event(e)
	}
}

// nanos is a time by the switch's clock.
func nanos(ms int) int64 { return int64(1e18) + int64(ms)*int64(time.Millisecond) }

func TestWindows(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		name  string
		steps []step
		want  string // count, total and longest in ms; now; by cause; failed
	}{
		{"nothing", nil, "0 0 0 now 0 by 0 0 0 failed 0"},
		{"in hardware after 5 ms", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: flagged, id: 1, flag: "offload"}, {at: 9, kind: deleted, id: 1}}, "1 5 5 now 0 by 1 0 0 failed 0"},
		{"a trap carries, too", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: flagged, id: 1, flag: "trap"}}, "1 5 5 now 0 by 1 0 0 failed 0"},
		{"never in hardware", []step{{at: 0, kind: added, id: 1}}, "1 100 100 now 1 by 1 0 0 failed 0"},
		{"refused, and then taken", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: flagged, id: 1, flag: "failed"}, {at: 25, kind: flagged, id: 1, flag: "offload"}}, "1 25 25 now 0 by 1 0 0 failed 1"},
		{"refused, and deleted", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: flagged, id: 1, flag: "failed"}, {at: 30, kind: deleted, id: 1}}, "1 30 30 now 0 by 1 0 0 failed 1"},
		{"lost and found", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: flagged, id: 1, flag: "offload"}, {at: 10, kind: flagged, id: 1}, {at: 20, kind: flagged, id: 1, flag: "trap"}}, "2 15 10 now 0 by 1 0 1 failed 0"},
		{"replaced", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: flagged, id: 1, flag: "offload"}, {at: 10, kind: replaced, id: 1}, {at: 12, kind: flagged, id: 1, flag: "offload"}}, "2 7 5 now 0 by 1 1 0 failed 0"},
		{"replaced before it was in hardware is one window", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: replaced, id: 1}, {at: 12, kind: flagged, id: 1, flag: "offload"}}, "1 12 12 now 0 by 1 0 0 failed 0"},
		{"a worse route does not expose", []step{{at: 0, kind: added, id: 1, metric: 1}, {at: 5, kind: flagged, id: 1, metric: 1, flag: "offload"}, {at: 10, kind: added, id: 2, metric: 2}}, "1 5 5 now 0 by 1 0 0 failed 0"},
		{"a better route does", []step{{at: 0, kind: added, id: 1, metric: 2}, {at: 5, kind: flagged, id: 1, metric: 2, flag: "offload"}, {at: 10, kind: added, id: 2, metric: 1}, {at: 13, kind: flagged, id: 2, metric: 1, flag: "offload"}}, "2 8 5 now 0 by 1 1 0 failed 0"},
		{"an equal route goes in front", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: flagged, id: 1, flag: "offload"}, {at: 10, kind: added, id: 2}, {at: 13, kind: flagged, id: 2, flag: "offload"}}, "2 8 5 now 0 by 1 1 0 failed 0"},
		{"an appended route goes behind", []step{{at: 0, kind: added, id: 1}, {at: 5, kind: flagged, id: 1, flag: "offload"}, {at: 10, kind: added, id: 2, appended: true}}, "1 5 5 now 0 by 1 0 0 failed 0"},
		{"the next one moves up", []step{{at: 0, kind: added, id: 1, metric: 1}, {at: 5, kind: flagged, id: 1, metric: 1, flag: "offload"}, {at: 10, kind: added, id: 2, metric: 2}, {at: 20, kind: deleted, id: 1, metric: 1}, {at: 26, kind: flagged, id: 2, metric: 2, flag: "offload"}}, "2 11 6 now 0 by 1 1 0 failed 0"},
		{"not told of is not exposed", []step{{told: &no}, {at: 0, kind: added, id: 1}, {told: &yes}, {at: 10, kind: added, id: 2, prefix: "198.51.100.0/24"}, {at: 13, kind: flagged, id: 2, prefix: "198.51.100.0/24", flag: "offload"}}, "1 3 3 now 0 by 1 0 0 failed 0"},
		{"what is no longer told ends", []step{{at: 0, kind: added, id: 1}, {told: &no}, {at: 10, kind: added, id: 2, prefix: "198.51.100.0/24"}}, "0 0 0 now 0 by 0 0 0 failed 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tracker := New(Options{})
			feed(tracker, tt.steps)
			r := tracker.Report(nanos(100), 10)
			got := fmt.Sprintf("%d %d %d now %d by %d %d %d failed %d", r.All.Count, r.All.Total.Milliseconds(), r.All.Longest.Milliseconds(),
				r.ExposedNow, r.ByCause[Added].Count, r.ByCause[Replaced].Count, r.ByCause[Lost].Count, r.Failed.Count)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if int(r.ExposedNow) != tracker.Exposed() || r.All.Count != tracker.Windows() {
				t.Errorf("%d exposed, %d windows", tracker.Exposed(), tracker.Windows())
			}
		})
	}
}

func TestEverySiblingOfAnIPv6RouteCounts(t *testing.T) {
	tracker := New(Options{})
	r := &vasicv1.Route{Prefix: "2001:db8::/32", Table: 254, Id: 1, Type: vasicv1.RouteType_ROUTE_TYPE_UNICAST, NextHops: []*vasicv1.NextHop{{Device: "a"}, {Device: "b"}}}
	event := func(at int, kind vasicv1.EventKind, a, b bool) {
		r = proto.CloneOf(r)
		r.Offload, r.NextHops[0].SiblingOffload, r.NextHops[1].SiblingTrap = a, a, b
		tracker.Event(&vasicv1.Event{Kind: kind, Route: r, UnixNanos: nanos(at)})
	}
	event(0, added, false, false)
	event(3, flagged, true, false)
	if tracker.Exposed() != 1 {
		t.Error("one of two is enough")
	}
	event(5, flagged, true, true)
	event(7, flagged, false, true)
	tracker.Event(&vasicv1.Event{Kind: deleted, Partial: true, UnixNanos: nanos(9), Route: &vasicv1.Route{
		Prefix: r.Prefix, Table: 254, Id: 1, NextHops: []*vasicv1.NextHop{{Device: "a"}},
	}})
	report := tracker.Report(nanos(20), 10)
	if report.All != (Windows{Count: 2, Total: 7 * time.Millisecond, Longest: 5 * time.Millisecond}) || report.ExposedNow != 0 {
		t.Errorf("got %+v", report)
	}
}

func TestAWatchIsFollowedAcrossGaps(t *testing.T) {
	tracker := New(Options{})
	list := func(at int, routes ...*vasicv1.Route) {
		tracker.Apply(&vasic.Snapshot{Routes: routes}, nanos(at))
		tracker.Apply(&vasic.Synced{}, nanos(at))
	}
	tracker.Apply(&vasic.Reset{Reason: vasic.ResetFirst}, nanos(0))
	list(1, step{id: 1, flag: "offload"}.route(), step{id: 2, prefix: "198.51.100.0/24"}.route(), step{id: 3, metric: 9}.route())
	tracker.Apply(&vasic.Events{Events: []*vasicv1.Event{{Kind: added, UnixNanos: nanos(5), Route: step{id: 4, prefix: "203.0.113.0/24"}.route()}}}, nanos(5))
	tracker.Apply(&vasic.Reset{Reason: vasic.ResetCompacted}, nanos(50))
	if tracker.Exposed() != 0 {
		t.Error("windows stay open across a gap")
	}
	list(60, step{id: 1, flag: "offload"}.route(), step{id: 2, prefix: "198.51.100.0/24"}.route())
	r := tracker.Report(nanos(65), -1)
	if r.Gaps != 1 || r.Prefixes != 3 || r.ExposedEver != 2 || r.All.Count != 3 || r.All.Total != 9*time.Millisecond || r.Length != 65*time.Millisecond {
		t.Errorf("got %+v", r)
	}
}

func TestTheClocksNeedNotAgree(t *testing.T) {
	for _, ahead := range []int{-1_000_000, 0, 1_000_000} { // of the switch's clock, in ms
		tracker := New(Options{})
		tracker.Apply(&vasic.Reset{Reason: vasic.ResetFirst}, nanos(0))
		tracker.Apply(&vasic.Snapshot{Routes: []*vasicv1.Route{step{id: 1}.route()}}, nanos(0))
		for _, s := range []step{{at: 10, kind: added, id: 2, prefix: "198.51.100.0/24"}, {at: 15, kind: flagged, id: 1, flag: "offload"}, {at: 30, kind: flagged, id: 2, prefix: "198.51.100.0/24", flag: "trap"}} {
			tracker.Apply(&vasic.Events{Events: []*vasicv1.Event{{Kind: s.kind, Route: s.route(), UnixNanos: nanos(s.at + ahead)}}}, nanos(s.at))
		}
		r := tracker.Report(tracker.Clock(nanos(40)), 0)
		if r.All.Total != 35*time.Millisecond || r.Length != 40*time.Millisecond {
			t.Errorf("%d ms ahead: got %+v, length %s", ahead, r.All, r.Length)
		}
	}
}

func TestOnlyWhatIsSelectedCounts(t *testing.T) {
	bgp, static := uint32(186), uint32(4)
	for _, tt := range []struct {
		options Options
		want    int
	}{
		{Options{}, 2},
		{Options{Family: vasicv1.Family_FAMILY_IPV6}, 1},
		{Options{Table: 254}, 2},
		{Options{Table: 100}, 0},
		{Options{Within: netip.MustParsePrefix("192.0.0.0/16")}, 1},
		{Options{Within: netip.MustParsePrefix("192.0.2.0/25")}, 0},
		{Options{Protocol: &bgp}, 2},
		{Options{Protocol: &static}, 0},
	} {
		tracker := New(tt.options)
		feed(tracker, []step{{kind: added, id: 1}, {kind: added, id: 2, prefix: "2001:db8::/32"}})
		if got := tracker.Exposed(); got != tt.want {
			t.Errorf("%+v: got %d, want %d", tt.options, got, tt.want)
		}
	}
}

func TestTheReportIsInOrder(t *testing.T) {
	tracker := New(Options{})
	for i := range 100 {
		prefix := fmt.Sprintf("10.0.%d.0/24", i)
		feed(tracker, []step{{at: i, kind: added, id: uint64(i + 1), prefix: prefix}})
	}
	for i := range 100 {
		prefix := fmt.Sprintf("10.0.%d.0/24", i)
		feed(tracker, []step{{at: 100 + 2*i, kind: flagged, id: uint64(i + 1), prefix: prefix, flag: "offload"}}) // window of 100+i ms
	}
	r := tracker.Report(0, 2)
	if r.P50 != 149*time.Millisecond || r.P90 != 189*time.Millisecond || r.P99 != 198*time.Millisecond || r.All.Longest != 199*time.Millisecond {
		t.Errorf("got %s %s %s %s", r.P50, r.P90, r.P99, r.All.Longest)
	}
	if len(r.Top) != 2 || r.Top[0].Prefix != "10.0.99.0/24" || r.Top[1].Prefix != "10.0.98.0/24" || r.Top[0].Exposed {
		t.Errorf("got %+v", r.Top)
	}
}

// slowRoute is what the model knows of a route.
type slowRoute struct {
	id      uint64
	metric  uint32
	carried bool
}

// The model looks at every prefix in every millisecond: what is exposed then counts one.
func TestTheTrackerAgreesWithALookAtEveryMoment(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tracker := New(Options{})
		model := map[string][]slowRoute{}
		var total, longest int
		var windows uint64
		run := map[string]int{}
		ever := map[string]bool{}
		exposed := func(prefix string) bool {
			routes := model[prefix]
			if len(routes) == 0 {
				return false
			}
			best := slices.MinFunc(routes, func(a, b slowRoute) int { return cmp.Compare(a.metric, b.metric) })
			return !best.carried
		}
		look := func(length int) {
			for range length {
				for prefix := range model {
					if exposed(prefix) {
						total++
						run[prefix]++
						longest = max(longest, run[prefix])
					}
				}
			}
		}
		now, next := 0, uint64(0)
		was := map[string]bool{}
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			pause := rapid.IntRange(0, 5).Draw(rt, "pause")
			look(pause)
			now += pause
			prefix := rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"}).Draw(rt, "prefix")
			routes := model[prefix]
			s := step{at: now, prefix: prefix}
			pick := -1
			if len(routes) > 0 {
				pick = rapid.IntRange(0, len(routes)-1).Draw(rt, "route")
				s.id, s.metric = routes[pick].id, routes[pick].metric
			}
			switch what := rapid.IntRange(0, 3).Draw(rt, "what"); {
			case what == 0 || pick < 0:
				next++
				s.kind, s.id = added, next
				s.metric = uint32(rapid.IntRange(1, 5).Draw(rt, "metric"))
				if slices.ContainsFunc(routes, func(r slowRoute) bool { return r.metric == s.metric }) {
					continue
				}
				model[prefix] = append(routes, slowRoute{id: s.id, metric: s.metric})
			case what == 1:
				s.kind = replaced
				routes[pick].carried = false
			case what == 2:
				s.kind = deleted
				model[prefix] = slices.Delete(routes, pick, pick+1)
			case what == 3:
				s.kind = flagged
				s.flag = rapid.SampledFrom([]string{"offload", "trap", "failed", ""}).Draw(rt, "flag")
				routes[pick].carried = s.flag == "offload" || s.flag == "trap"
			}
			feed(tracker, []step{s})
			if is := exposed(prefix); is != was[prefix] {
				was[prefix] = is
				if is {
					windows++
					ever[prefix] = true
				}
				run[prefix] = 0
			}
		}
		look(7)
		r := tracker.Report(nanos(now+7), -1)
		open := 0
		for prefix := range maps.Keys(model) {
			if exposed(prefix) {
				open++
			}
		}
		if r.All.Total != time.Duration(total)*time.Millisecond || r.All.Longest != time.Duration(longest)*time.Millisecond ||
			r.All.Count != windows || int(r.ExposedNow) != open || int(r.ExposedEver) != len(ever) {
			rt.Fatalf("got %+v, %d now, %d ever\nwant %d windows, %d ms, longest %d ms, %d now, %d ever", r.All, r.ExposedNow, r.ExposedEver, windows, total, longest, open, len(ever))
		}
		var sum, top Windows
		for _, w := range r.ByCause {
			sum.Count += w.Count
			sum.Total += w.Total
		}
		for _, p := range r.Top {
			top.Count += p.Windows.Count
			top.Total += p.Windows.Total
		}
		if sum.Count != r.All.Count || sum.Total != r.All.Total || top.Count != r.All.Count || top.Total != r.All.Total {
			rt.Fatalf("sums differ: %+v by cause, %+v by prefix, %+v", sum, top, r.All)
		}
		if r.P50 > r.P90 || r.P90 > r.P99 || r.P99 > r.All.Longest {
			rt.Fatalf("percentiles: %s %s %s %s", r.P50, r.P90, r.P99, r.All.Longest)
		}
	})
}

func BenchmarkTracker(b *testing.B) {
	tracker := New(Options{})
	b.ReportAllocs()
	for i := range b.N {
		s := step{at: i, id: uint64(i + 1), prefix: fmt.Sprintf("10.%d.%d.0/24", i>>8&255, i&255)}
		feed(tracker, []step{{at: i, kind: added, id: s.id, prefix: s.prefix}, {at: i, kind: flagged, id: s.id, prefix: s.prefix, flag: "offload"}, {at: i, kind: deleted, id: s.id, prefix: s.prefix}})
	}
}
