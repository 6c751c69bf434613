package server_test

import (
	"fmt"
	"strings"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

// TestRoutesWithManyNextHopsFitIntoMessages lists, watches and compares routes that are much larger than usual with a client that takes gRPC's
// default of 4 MiB a message.
func TestRoutesWithManyNextHopsFitIntoMessages(t *testing.T) {
	inAPIBubble(t, server.Config{Links: apiPorts()}, func(t *testing.T, r *apiRig) {
		const routes = 900
		var all []*vasicv1.Route
		for i := range routes {
			route := &vasicv1.Route{Prefix: fmt.Sprintf("20.%d.%d.0/24", i>>8, i&255)}
			for n := range 200 {
				route.NextHops = append(route.NextHops, &vasicv1.NextHop{Gateway: fmt.Sprintf("10.0.1.%d", n+2)})
			}
			all = append(all, route)
		}
		r.add(all...)
		if n := len(r.list(&vasicv1.RouteFilter{WithinPrefix: "20.0.0.0/8"})); n != routes {
			t.Errorf("%d routes listed, want %d", n, routes)
		}
		r.quiet()
		addresses := make([]string, routes)
		for i := range addresses {
			addresses[i] = fmt.Sprintf("20.%d.%d.1", i>>8, i&255)
		}
		for i, line := range r.compareAddresses(0, addresses...) {
			if !strings.HasPrefix(line, addresses[i]+" CONSISTENT software ") {
				t.Fatal(line[:60])
			}
			addresses[i] = ""
		}
		if last := addresses[routes-1]; last != "" {
			t.Errorf("no answer for %s", last)
		}
		if n := len(r.audit(&vasicv1.AuditRequest{WithinPrefix: "20.0.0.0/8", Verdicts: []vasicv1.Verdict{consistent}}).lines); n != routes {
			t.Errorf("%d routes are reported, want %d", n, routes)
		}
		conn := r.dial()
		defer conn.Close()
		w, err := vasicv1.NewWatchServiceClient(conn).Watch(r.ctx(), &vasicv1.WatchRequest{})
		seen := 0
		for m := new(vasicv1.WatchResponse); err == nil && m.Synced == nil; m, err = w.Recv() {
			seen += len(m.GetSnapshot().GetRoutes())
		}
		if err != nil || seen < routes {
			t.Errorf("the snapshot held %d routes and ended with %v", seen, err)
		}
	})
}
