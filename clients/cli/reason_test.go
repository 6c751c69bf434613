package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// refusedRoute is a route that hardware had no room for.
func refusedRoute() *vasicv1.Route {
	return &vasicv1.Route{
		Prefix: "192.0.2.0/24", Table: tableMain, Id: 1, Type: vasicv1.RouteType_ROUTE_TYPE_UNICAST, Protocol: 186,
		NextHops:      []*vasicv1.NextHop{{Gateway: "10.0.1.2", Device: "d1"}},
		OffloadFailed: true, FailureReason: vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL, OlderInHardware: true,
	}
}

// What ip does not know is shown where it disturbs nobody who reads ip's lines.
func TestWhyHardwareHasNotARouteIsShown(t *testing.T) {
	f := newFake(t)
	f.routes = []*vasicv1.Route{refusedRoute()}
	const line = "192.0.2.0/24 via 10.0.1.2 dev d1 proto bgp rt_offload_failed "
	f.expect(t, "route show", exitDone, line+"\n", "")
	f.expect(t, "-d route show", exitDone, "unicast 192.0.2.0/24 via 10.0.1.2 dev d1 proto bgp scope global rt_offload_failed \n", "")
	f.expect(t, "route show reason", exitDone, line+"reason table_full older_in_hardware \n", "")
	f.expect(t, "-j route show reason", exitDone, `[{"dst":"192.0.2.0/24","gateway":"10.0.1.2","dev":"d1","protocol":"bgp","flags":["rt_offload_failed"],`+
		`"failure_reason":"table_full","older_in_hardware":true}]`+"\n", "")
	f.expect(t, "-j route show", exitDone, `[{"dst":"192.0.2.0/24","gateway":"10.0.1.2","dev":"d1","protocol":"bgp","flags":["rt_offload_failed"]}]`+"\n", "")
	f.audits = []*vasicv1.AuditResponse{{Comparisons: []*vasicv1.Comparison{{Verdict: vasicv1.Verdict_VERDICT_MISROUTED, Software: refusedRoute()}}}}
	if _, out, _ := f.run(t, "audit"); !strings.Contains(out, "\n\tsoftware "+line+"reason table_full older_in_hardware \n") {
		t.Errorf("got %q", out)
	}
	trap := refusedRoute()
	trap.Trap, trap.OffloadFailed, trap.OlderInHardware = true, false, false
	f.routes = []*vasicv1.Route{trap}
	f.expect(t, "route show reason", exitDone, "192.0.2.0/24 via 10.0.1.2 dev d1 proto bgp rt_trap reason table_full \n", "")
}

func TestMonitorShowsReasonsWhereItIsAskedTo(t *testing.T) {
	f := newFake(t)
	events := []*vasicv1.Event{{Revision: 43, Kind: vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED, Route: refusedRoute()}}
	const line = "192.0.2.0/24 via 10.0.1.2 dev d1 proto bgp rt_offload_failed "
	for command, want := range map[string]string{
		"monitor count 1":        line + "\n",
		"-s monitor count 1":     "[43] " + line + "\n",
		"monitor reason count 1": line + "reason table_full older_in_hardware \n",
	} {
		f.watches = append(f.watches, func(_ *vasicv1.WatchRequest, s vasicv1.WatchService_WatchServer) error {
			for _, m := range []*vasicv1.WatchResponse{{Created: &vasicv1.Created{Epoch: 7, Revision: 42}}, {Synced: &vasicv1.Synced{Revision: 42}}, {Events: events}} {
				if err := s.Send(m); err != nil {
					return err
				}
			}
			<-s.Context().Done()
			return nil
		})
		f.expect(t, command, exitDone, want, "")
	}
}

func TestWaitingForARouteThatFindsNoRoomForNextHopsWarns(t *testing.T) {
	f := newFake(t)
	f.trapped = true
	f.expect(t, "route add 192.0.2.0/24 via 10.0.1.2 --wait", exitDone, "", "Warning: hardware has no room for the route's next hops; packets go to the CPU.\n")
}

func TestEveryReasonHasAText(t *testing.T) {
	seen := map[string]bool{}
	for r := range vasicv1.FailureReason_name {
		text := failureText(vasicv1.FailureReason(r))
		if seen[text] {
			t.Errorf("%d: %q again", r, text)
		}
		seen[text] = true
	}
	if text := failureText(vasicv1.FailureReason_FAILURE_REASON_INJECTED); !strings.Contains(text, "fault rule or fail_route_offload") {
		t.Errorf("got %q", text)
	}
}

func TestLoadCountsWhatWasThereAlready(t *testing.T) {
	f := newFake(t)
	f.same = true
	_, out, _ := f.runWith(t, "192.0.2.0/24\n198.51.100.0/24\n", "route load - replace via 10.0.1.2")
	if want := "accepted 2 unchanged 2 refused 0 unreadable 0 in_hardware 0 failed 0 not_selected 0 superseded 0 "; !strings.HasPrefix(out, want) {
		t.Errorf("got %q", out)
	}
}

func TestAStallIsShown(t *testing.T) {
	f := newFake(t)
	f.expect(t, "asic step 3", exitDone, "done 3 queue 1 \n", "")
	f.expect(t, "asic step 300", exitDone, "done 0 queue 0 \n", "The queue is empty.\n")
	f.queue = []*vasicv1.QueueItem{{Operation: "replace", Prefix: "192.0.2.0/24", Table: tableMain, Stalled: true}}
	f.expect(t, "asic step 3", exitDone, "done 0 queue 1 stalled \n", "A fault rule stalls what is next; \"vasicctl fault\" shows the rules.\n")
	f.expect(t, "-j asic step 3", exitDone, `{"done":0,"queue":1,"stalled":true}`+"\n", "A fault rule stalls what is next; \"vasicctl fault\" shows the rules.\n")
	if _, out, _ := f.run(t, "status"); !strings.Contains(out, "state paused stalled seed 1 ") {
		t.Errorf("got %q", out)
	}
}

func TestAVRFStandsForItsTable(t *testing.T) {
	f := newFake(t)
	f.links = append(f.links, &vasicv1.Link{Name: "red", Type: kindVRF, Table: 10})
	f.settings.Ipv4NotifyOnFlagChange = notifyAll
	for line, want := range map[string]string{
		"fault add stall vrf red": "[CreateFault {fault:{table:10,stall:true}}]",
		"audit vrf red":           "[Audit {table:10}]",
	} {
		code, _, errs := f.run(t, line)
		if got := fmt.Sprint(f.asked()); code != exitDone || got != want {
			t.Errorf("%s: got %d %s %q", line, code, got, errs)
		}
	}
	if code, _, errs := f.run(t, "lookup 192.0.2.0 vrf red"); code != exitDone || f.compared != 10 {
		t.Errorf("lookup: got %d %q, table %d", code, errs, f.compared)
	}
	table := uint32(0)
	f.watches = append(f.watches, func(req *vasicv1.WatchRequest, s vasicv1.WatchService_WatchServer) error {
		table = req.GetFilter().GetTable()
		if err := s.Send(&vasicv1.WatchResponse{Created: &vasicv1.Created{Epoch: 7, Revision: 42}}); err != nil {
			return err
		}
		return s.Send(&vasicv1.WatchResponse{Synced: &vasicv1.Synced{Revision: 42}})
	})
	code, out, errs := f.run(t, "-4 exposure until synced vrf red")
	if code != exitDone || !strings.Contains(out, "\nwindows 0 ") || table != 10 {
		t.Errorf("exposure: got %d %q %q, table %d", code, out, errs, table)
	}
}

func TestLookupGoesOnBehindWhatIsNoAddress(t *testing.T) {
	f := newFake(t)
	code, out, errs := f.runWith(t, "10.0.0.0\n::ffff:10.0.1.1\nfoo\n10.0.0.5\n", "lookup -f -")
	if code != exitUsage || strings.Count(out, "\n") != 2 || !strings.HasPrefix(errs, "-:2: Error: \"::ffff:10.0.1.1\" is an IPv4 address in the form of IPv6, ") ||
		!strings.Contains(errs, "\n-:3: ") {
		t.Errorf("got %d %q %q", code, out, errs)
	}
}

// A window that is open at the last event goes on to the end of the recording.
func TestExposureOfARecordingGoesOnToItsEnd(t *testing.T) {
	f := newFake(t)
	messages := happened(t)
	begin := messages[0].Call.UnixNanos
	messages[1].Events = messages[1].Events[:1]
	last := &vasicv1.RecordedCall{Method: "/vasic.v1.SwitchService/Pause", UnixNanos: begin + int64(501*time.Millisecond)}
	started := &vasicv1.RecordingStarted{UnixNanos: begin - int64(100*time.Millisecond)}
	for end, want := range map[*vasicv1.RecordResponse]string{
		{Call: last}: "500.000 ",
		{Ended: &vasicv1.RecordingEnded{UnixNanos: begin + int64(2001*time.Millisecond)}}: "2000.000 ",
	} {
		file := recordingFile(t, started, messages[0], messages[1], end)
		if _, out, errs := f.run(t, "exposure from "+file); !strings.Contains(out, "windows 1 total_ms "+want) || !strings.Contains(out, " exposed_now 1 ") {
			t.Errorf("got %q %q", out, errs)
		}
	}
	file := recordingFile(t, started, messages[0], messages[1], &vasicv1.RecordResponse{Call: last})
	if _, out, _ := f.run(t, "exposure from "+file); !strings.HasPrefix(out, "seconds 0.601 ") {
		t.Errorf("got %q", out)
	}
}
