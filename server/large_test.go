package server_test

import (
	"fmt"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

// TestRoutesWithManyNextHopsFitIntoMessages lists and watches routes that are much larger than usual with a client that takes gRPC's
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
