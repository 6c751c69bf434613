// Command tour starts a switch in its own process, on a free loopback port, and shows in a screenful what vasic is about. It ends by itself.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"time"

	"github.com/vasic-project/vasic/clients/cli"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

const (
	latency   = 120 * time.Millisecond // long enough to be seen
	tableSize = 12                     // the switch's own nine IPv4 routes and three more
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := tour(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

// tour is run on a free loopback port.
func tour(ctx context.Context) error {
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return run(ctx, os.Stdout, lis, func() (*vasic.Client, error) { return vasic.Dial(lis.Addr().String()) })
}

// run gives the whole tour, written to out, with a switch that listens on lis and clients that dial makes.
func run(ctx context.Context, out io.Writer, lis net.Listener, dial func() (*vasic.Client, error)) error {
	stop, err := startSwitch(ctx, lis)
	if err != nil {
		return err
	}
	defer stop()
	g, err := newGuide(ctx, out, dial)
	if err != nil {
		return err
	}
	defer g.close()
	g.sayf("A switch with two ports and room for %d IPv4 routes, its own nine included. Programming a route takes %v.", tableSize, latency)
	g.sayf("$ is what a client asks for, + what `vasicctl monitor` sees, and how long after.")
	scenes(g)
	settings(g)
	g.sayf("\nNext: go run ./server/vasicd, and in another terminal go run ./clients/vasicctl help. The README goes on from here.")
	return g.err
}

// scenes tells the life of routes.
func scenes(g *guide) {
	g.title("A route is accepted at once, and in hardware later: do not advertise it before rt_offload")
	g.do("route add 8.8.8.0/24 via 10.0.1.2 metric 20")
	g.title("A lower metric takes the place in hardware, and the other route loses its flag")
	g.do("route add 8.8.8.0/24 via 10.0.2.2 metric 10")
	g.title("Its deletion puts the other one back, which nobody asked for")
	g.do("route del 8.8.8.0/24 metric 10")
	g.title("The table fills up: the FIB accepts what hardware cannot take, and says so")
	g.do("route add 1.1.1.0/24 via 10.0.1.2")
	g.do("route add 9.9.9.0/24 via 10.0.1.2")
	g.do("route add 208.67.222.0/24 via 10.0.2.2")
	g.do("-4 route show proto boot")
}

// settings shows the same two changes under each notification setting.
func settings(g *guide) {
	g.title("Which changes of flags are told is a setting: net.ipv4.fib_notify_on_flag_change")
	g.quietly("route del 208.67.222.0/24")
	g.sayf("  %-14s %-34s %s", "", "9.9.9.0/24, which fits", "208.67.222.0/24, which does not")
	for _, setting := range []struct{ value, name string }{{"0", "none"}, {"1", "all"}, {"2", "failures"}} {
		g.quietly("sysctl -q -w net.ipv4.fib_notify_on_flag_change=" + setting.value)
		g.quietly("route del 9.9.9.0/24")
		fits := g.quietly("route add 9.9.9.0/24 via 10.0.1.2")
		fails := g.quietly("route add 208.67.222.0/24 via 10.0.2.2")
		g.quietly("route del 208.67.222.0/24")
		g.sayf("  %-14s %-34s %s", setting.value+" "+setting.name, told(fits), told(fails))
	}
}

// startSwitch serves a switch with two ports and a small table.
func startSwitch(ctx context.Context, lis net.Listener) (stop func(), err error) {
	delay := latency
	s, err := server.New(server.Config{
		Resources: map[string]uint64{"IPv4/fib": tableSize}, Latency: &delay, NotifyIPv4: fib.NotifyAll, NotifyIPv6: fib.NotifyAll, LoopbackUp: true,
		Links: []server.Link{
			{Name: "swp1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}},
			{Name: "swp2", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.2.1/24")}},
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	go func() { _ = s.Serve(lis) }()
	return func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = s.Stop(stopCtx)
	}, nil
}

// command runs one vasicctl command line against the switch.
func command(ctx context.Context, dial func() (*vasic.Client, error), args []string, out io.Writer) int {
	return cli.Env{
		Stdout: out, Stderr: out, Getenv: func(string) string { return "" },
		Dial: func(context.Context, string) (*vasic.Client, error) { return dial() },
	}.Run(ctx, args)
}
