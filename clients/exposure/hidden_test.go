package exposure

import (
	"testing"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// flagless is a route without flags.
func flagless(id uint64, prefix string, table uint32, typ vasicv1.RouteType) *vasicv1.Route {
	return &vasicv1.Route{Prefix: prefix, Table: table, Id: id, Generation: 1, Type: typ}
}

func TestWhatHardwareIsNotAskedToCarryIsNotExposed(t *testing.T) {
	const unicast = vasicv1.RouteType_ROUTE_TYPE_UNICAST
	for _, tt := range []struct {
		name  string
		route *vasicv1.Route
		want  int
	}{
		{"unicast", flagless(1, "192.0.2.0/24", 254, unicast), 1},
		{"unicast of a VRF", flagless(1, "192.0.2.0/24", 10, unicast), 1},
		{"local", flagless(1, "192.0.2.1/32", 255, vasicv1.RouteType_ROUTE_TYPE_LOCAL), 0},
		{"broadcast", flagless(1, "192.0.2.255/32", 255, vasicv1.RouteType_ROUTE_TYPE_BROADCAST), 0},
		{"anycast", flagless(1, "2001:db8::/128", 255, vasicv1.RouteType_ROUTE_TYPE_ANYCAST), 0},
		{"multicast", flagless(1, "224.0.0.0/4", 254, vasicv1.RouteType_ROUTE_TYPE_MULTICAST), 0},
		{"unreachable", flagless(1, "192.0.2.0/24", 254, vasicv1.RouteType_ROUTE_TYPE_UNREACHABLE), 0},
		{"blackhole", flagless(1, "192.0.2.0/24", 254, vasicv1.RouteType_ROUTE_TYPE_BLACKHOLE), 0},
		{"an IPv6 multicast prefix", flagless(1, "ff00::/8", 255, unicast), 0},
		{"no multicast prefix", flagless(1, "ff0::/16", 254, unicast), 1},
		{"for a source", &vasicv1.Route{Prefix: "2001:db8::/32", SourcePrefix: "2001:db8:1::/48", Table: 254, Id: 1, Type: unicast}, 0},
		{"for a source, and refused", &vasicv1.Route{Prefix: "2001:db8::/32", SourcePrefix: "2001:db8:1::/48", Table: 254, Id: 1, Type: unicast, OffloadFailed: true}, 1},
	} {
		tracker := New(Options{})
		tracker.Event(&vasicv1.Event{Kind: added, Route: tt.route, UnixNanos: nanos(0)})
		if got := tracker.Exposed(); got != tt.want {
			t.Errorf("%s: got %d", tt.name, got)
		}
	}
}

// The tables local and main have the loopback address both, and hardware has local's; in a list main comes first.
func TestATableHidesWhatIsBehindIt(t *testing.T) {
	main := flagless(1, "::1/128", 254, vasicv1.RouteType_ROUTE_TYPE_UNICAST)
	local := flagless(2, "::1/128", 255, vasicv1.RouteType_ROUTE_TYPE_LOCAL)
	for _, options := range []Options{{}, {Table: 254}, {Family: vasicv1.Family_FAMILY_IPV6}} {
		tracker := New(options)
		tracker.Apply(&vasic.Reset{Reason: vasic.ResetFirst}, nanos(0))
		tracker.Apply(&vasic.Snapshot{Routes: []*vasicv1.Route{main}}, nanos(1))
		tracker.Apply(&vasic.Snapshot{Routes: []*vasicv1.Route{local}}, nanos(2))
		tracker.Apply(&vasic.Synced{}, nanos(2))
		if tracker.Windows() != 0 {
			t.Errorf("%+v: %d windows of what is hidden", options, tracker.Windows())
		}
		gone := &vasicv1.Event{Kind: deleted, Route: local, UnixNanos: nanos(10)}
		back := &vasicv1.Event{Kind: added, Route: local, UnixNanos: nanos(13)}
		tracker.Apply(&vasic.Events{Events: []*vasicv1.Event{gone}}, nanos(10))
		if tracker.Exposed() != 1 {
			t.Errorf("%+v: what nothing hides any more is not exposed", options)
		}
		tracker.Apply(&vasic.Events{Events: []*vasicv1.Event{back}}, nanos(13))
		r := tracker.Report(nanos(20), -1)
		if r.ByCause[Replaced] != (Windows{Count: 1, Total: 3 * time.Millisecond, Longest: 3 * time.Millisecond}) || r.All != r.ByCause[Replaced] || r.ExposedNow != 0 {
			t.Errorf("%+v: got %+v", options, r)
		}
		if want := map[bool]int{true: 2, false: 1}[options.Table == 0]; tracker.Seen() != want {
			t.Errorf("%+v: %d prefixes", options, tracker.Seen())
		}
	}
	for table, want := range map[uint32]uint32{0: 0, 10: 10, 253: 0, 254: 0, 255: 255} {
		if o := (Options{Table: table}); o.Tables() != want {
			t.Errorf("table %d: got %d", table, o.Tables())
		}
	}
}

func TestTheReportBeginsWhereItIsToldTo(t *testing.T) {
	tracker := New(Options{})
	tracker.Begin(nanos(-50))
	tracker.Event(&vasicv1.Event{Kind: added, Route: step{id: 1}.route(), UnixNanos: nanos(0)})
	tracker.Begin(nanos(1))
	if r := tracker.Report(nanos(100), 0); r.Length != 150*time.Millisecond || r.All.Total != 100*time.Millisecond {
		t.Errorf("got %s, %+v", r.Length, r.All)
	}
}
