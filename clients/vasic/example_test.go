package vasic_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// A program that adds a route, is told that the switch has it already, and follows what happens.
func Example() {
	target, stop := startSwitch()
	defer stop()

	c, err := vasic.Dial(target)
	if err != nil {
		log.Panic(err)
	}
	defer c.Close()
	ctx := context.Background()

	_, err = c.ModifyRoute(ctx, vasicv1.RouteAction_ROUTE_ACTION_ADD, &vasicv1.Route{
		Prefix:   "192.0.2.0/24",
		NextHops: []*vasicv1.NextHop{{Gateway: "10.0.0.2"}},
	})
	if errors.Is(err, vasic.ErrRouteExists) {
		fmt.Println("there already")
	}

	w := c.Watch(ctx, vasic.WatchOptions{})
	defer w.Close()
	var mirror vasic.Mirror
	for u, err := range w.All(ctx) {
		if err != nil {
			log.Panic(err)
		}
		mirror.Apply(u)
		if mirror.Synced() {
			break
		}
	}
	for r := range mirror.All() {
		fmt.Println(r.GetPrefix())
	}
	// Output:
	// there already
	// 192.0.2.0/24
}

// startSwitch stands for a vasicd with one route.
func startSwitch() (target string, stop func()) {
	f := &fakeSwitch{
		one: func(*vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) {
			return nil, refusal(codes.AlreadyExists, vasicv1.ErrorReason_ERROR_REASON_ROUTE_EXISTS, nil)
		},
		watches: []func(watchStream) error{script(nil, created(7, 1), snapshot(route(1, "192.0.2.0/24")), synced(1))},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	vasicv1.RegisterRouteServiceServer(server, f)
	vasicv1.RegisterWatchServiceServer(server, f)
	go server.Serve(l)
	return l.Addr().String(), server.Stop
}
