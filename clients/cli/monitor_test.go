package cli

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

func TestMonitorShowsWhatIpMonitorShows(t *testing.T) {
	route := &vasicv1.Route{
		Prefix: "192.0.2.0/24", Table: 254, Type: unicast, Protocol: 3, Scope: ptr(0), NextHops: []*vasicv1.NextHop{{Gateway: "10.0.1.2", Device: "d1"}},
	}
	const nanos = 1_700_000_000_123_456_789
	events := []*vasicv1.Event{
		{Revision: 5, Kind: vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED, Route: route, UnixNanos: nanos},
		{Revision: 6, Kind: vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED, Route: route, UnixNanos: nanos, Silent: true},
		{Revision: 7, Kind: vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED, Route: route, UnixNanos: nanos},
		{Revision: 8, Kind: vasicv1.EventKind_EVENT_KIND_NEXT_HOP_DELETED, NextHopObject: object1, UnixNanos: nanos},
	}
	for line, want := range map[string]string{
		"-d monitor route --count 2":       "unicast 192.0.2.0/24 via 10.0.1.2 dev d1 table main proto boot scope global \nDeleted unicast 192.0.2.0/24 via 10.0.1.2 dev d1 table main proto boot scope global \n",
		"monitor all --count 1":            "[ROUTE]192.0.2.0/24 via 10.0.1.2 dev d1 \n",
		"-s monitor --count 2":             "[5] 192.0.2.0/24 via 10.0.1.2 dev d1 \n[7] Deleted 192.0.2.0/24 via 10.0.1.2 dev d1 \n",
		"monitor dev d1 --count 1":         "192.0.2.0/24 via 10.0.1.2 \n",
		"monitor nexthop --count 1":        "Deleted id 1 via 10.0.1.2 dev d1 scope link trap \n",
		"-d -4 monitor nexthop --count 1":  "Deleted id 1 via 10.0.1.2 dev d1 scope link proto unspec trap \n",
		"-j monitor nexthop --count 1":     `{"deleted":true,"id":1,"gateway":"10.0.1.2","dev":"d1","scope":"link","flags":["trap"]}` + "\n",
		"-j -s monitor --count 2 --from 4": `{"revision":5,"dst":"192.0.2.0/24","gateway":"10.0.1.2","dev":"d1","flags":[]}` + "\n" + `{"revision":7,"deleted":true,"dst":"192.0.2.0/24","gateway":"10.0.1.2","dev":"d1","flags":[]}` + "\n",
		"-6 monitor all --count 1":         "[NEXTHOP]Deleted id 1 via 10.0.1.2 dev d1 scope link trap \n",
		"monitor all dev d1 --count 2":     "[ROUTE]192.0.2.0/24 via 10.0.1.2 \n[ROUTE]Deleted 192.0.2.0/24 via 10.0.1.2 \n",
	} {
		f := newFake(t)
		f.watches = append(f.watches, func(req *vasicv1.WatchRequest, stream vasicv1.WatchService_WatchServer) error {
			if strings.Contains(line, "--from") && req.GetResumeAfter().GetRevision() != 4 {
				t.Errorf("%s: got %v", line, req)
			}
			for _, m := range []*vasicv1.WatchResponse{
				{Created: &vasicv1.Created{Epoch: 1, Revision: 4}}, {Synced: &vasicv1.Synced{Revision: 4}}, {Events: selected(req.GetFilter(), events)},
			} {
				if err := stream.Send(m); err != nil {
					return err
				}
			}
			<-stream.Context().Done()
			return nil
		})
		code, stdout, stderr := f.run(t, line)
		if code != exitDone || stderr != "" {
			t.Errorf("%s: got %d %q", line, code, stderr)
		}
		expect(t, line, stdout, want)
	}
}

// selected returns the events of a filter's kinds.
func selected(f *vasicv1.WatchFilter, events []*vasicv1.Event) []*vasicv1.Event {
	var out []*vasicv1.Event
	for _, e := range events {
		if slices.Contains(f.GetKinds(), e.Kind) {
			out = append(out, e)
		}
	}
	return out
}

func TestMonitorSaysThatItLostTheSwitchAndEvents(t *testing.T) {
	f := newFake(t)
	event := func(revision uint64) *vasicv1.WatchResponse {
		return &vasicv1.WatchResponse{Events: []*vasicv1.Event{{
			Revision: revision, Kind: vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED,
			Route: &vasicv1.Route{Prefix: "192.0.2.0/24", Table: 254, Type: blackhole, Protocol: 3, Scope: ptr(0)},
		}}}
	}
	serve := func(epoch, revision uint64, messages ...*vasicv1.WatchResponse) func(*vasicv1.WatchRequest, vasicv1.WatchService_WatchServer) error {
		return func(_ *vasicv1.WatchRequest, stream vasicv1.WatchService_WatchServer) error {
			first := []*vasicv1.WatchResponse{{Created: &vasicv1.Created{Epoch: epoch, Revision: revision}}, {Synced: &vasicv1.Synced{Revision: revision}}}
			for _, m := range append(first, messages...) {
				if err := stream.Send(m); err != nil {
					return err
				}
			}
			return refusal(codes.Unavailable, "SHUTTING_DOWN", "", "", "the switch is stopping")
		}
	}
	f.watches = append(f.watches, serve(1, 4, event(5)), serve(1, 5, event(6)),
		func(*vasicv1.WatchRequest, vasicv1.WatchService_WatchServer) error {
			return refusal(codes.OutOfRange, "REVISION_COMPACTED", "", "", "the events have left the log")
		},
		serve(1, 90, event(91)))
	code, stdout, stderr := f.run(t, "monitor --count 3")
	if code != exitDone {
		t.Errorf("got exit code %d", code)
	}
	expect(t, "events", stdout, strings.Repeat("blackhole 192.0.2.0/24 \n", 3))
	for _, want := range []string{"Lost the switch at 127.0.0.1:50151: the switch is stopping; trying again.\n", "no event is lost.\n", "Events are lost (events compacted); going on at revision 90.\n"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is missing in %q", want, stderr)
		}
	}
}

func TestMonitorEndsWithItsContext(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.watches = append(f.watches, func(_ *vasicv1.WatchRequest, stream vasicv1.WatchService_WatchServer) error {
		err := stream.Send(&vasicv1.WatchResponse{Created: &vasicv1.Created{Epoch: 1, Revision: 4}})
		cancel()
		return err
	})
	var out, errs bytes.Buffer
	env := Env{Stdout: &out, Stderr: &errs, Dial: f.dial, Getenv: func(string) string { return "" }}
	if code := env.Run(ctx, []string{"monitor"}); code != exitDone || out.Len() > 0 {
		t.Errorf("got %d %q %q", code, out.String(), errs.String())
	}
}

func TestTimestampsAreIps(t *testing.T) {
	f := newFake(t)
	for i, tt := range []struct{ line, before string }{{"-ts monitor --count 1", "["}, {"-t monitor --count 1", "Timestamp: "}} {
		f.watches = append(f.watches, func(_ *vasicv1.WatchRequest, stream vasicv1.WatchService_WatchServer) error {
			err := stream.Send(&vasicv1.WatchResponse{Created: &vasicv1.Created{Epoch: 1, Revision: 4}})
			if err == nil {
				err = stream.Send(&vasicv1.WatchResponse{Events: []*vasicv1.Event{{
					Revision: 5, UnixNanos: 1_700_000_000_123_456_789, Route: &vasicv1.Route{Prefix: "192.0.2.0/24", Table: 254, Type: blackhole, Protocol: 3},
				}}})
			}
			<-stream.Context().Done()
			return err
		})
		_, stdout, _ := f.run(t, tt.line)
		if !strings.HasPrefix(stdout, tt.before) || !strings.Contains(stdout, "123456") || !strings.HasSuffix(stdout, "blackhole 192.0.2.0/24 \n") || strings.Count(stdout, "\n") != i+1 {
			t.Errorf("%s: got %q", tt.line, stdout)
		}
	}
}
