package bench

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

const (
	ports           = 8
	gatewaysPerPort = 32 // 256 gateways in all, as a real table has a few hundred
)

// realTable is a real Internet routing table: about 0.9 million IPv4 and 0.16 million IPv6 prefixes. It is test data of the bart module, so
// whoever can build this has it in the module cache.
var realTable = sync.OnceValues(func() ([]string, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gaissmai/bart").Output()
	if err != nil {
		return nil, fmt.Errorf("find the bart module: %w", err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "internal", "tests", "testdata", "prefixes.txt.gz"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var list []string
	for lines := bufio.NewScanner(z); lines.Scan(); {
		list = append(list, lines.Text())
	}
	return list, nil
})

// table returns the prefixes of the real table.
func table(b *testing.B) []string {
	b.Helper()
	prefixes, err := realTable()
	if err != nil {
		b.Skipf("no routing table: %v", err)
	}
	return prefixes
}

// gateways are those of a family, spread over the ports.
func gateways(format string) (list []string) {
	for host := range gatewaysPerPort {
		for port := range ports {
			list = append(list, fmt.Sprintf(format, port, host+2))
		}
	}
	return list
}

// program sends a REPLACE of every prefix, via one gateway after the other. The one operation is used again and again, so that the
// benchmark's own memory is small.
func program(b *testing.B, p *vasic.Programmer, prefixes []string) {
	b.Helper()
	via4, via6 := gateways("10.0.%d.%d"), gateways("2001:db8:0:%x::%x")
	hop := &vasicv1.NextHop{}
	op := vasic.Operation{
		Action: vasicv1.RouteAction_ROUTE_ACTION_REPLACE, Route: &vasicv1.Route{Protocol: 186, NextHops: []*vasicv1.NextHop{hop}},
	}
	for i, prefix := range prefixes {
		op.ID, op.Route.Prefix = uint64(i), prefix
		if hop.Gateway = via4[i%len(via4)]; strings.Contains(prefix, ":") {
			hop.Gateway = via6[i%len(via6)]
		}
		if err := p.Send(op); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
}

// start serves a switch with ports on a free loopback port and returns a client.
func start(b *testing.B) (*server.Server, func() *vasic.Client) {
	b.Helper()
	cfg := server.Config{NotifyIPv4: fib.NotifyAll, NotifyIPv6: fib.NotifyAll}
	for port := range ports {
		cfg.Links = append(cfg.Links, server.Link{
			Name: fmt.Sprintf("swp%d", port),
			Addresses: []netip.Prefix{
				netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", port)), netip.MustParsePrefix(fmt.Sprintf("2001:db8:0:%x::1/64", port)),
			},
		})
	}
	s, err := server.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go s.Serve(lis)
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.Context()), 5*time.Second)
		defer cancel()
		_ = s.Stop(ctx)
	})
	return s, func() *vasic.Client {
		c, err := vasic.Dial(lis.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		return c
	}
}

// watchFlags counts the routes that got OFFLOAD, each from a decoded event. It closes the first channel when it listens, and the second when
// it has seen n.
func watchFlags(b *testing.B, c *vasic.Client, n int) (_, _ <-chan struct{}) {
	synced, done := make(chan struct{}), make(chan struct{})
	w := c.Watch(b.Context(), vasic.WatchOptions{LiveOnly: true, Reuse: true})
	go func() {
		defer w.Close()
		seen := 0
		for u, err := range w.All(b.Context()) {
			if err != nil {
				return
			}
			switch u := u.(type) {
			case *vasic.Synced:
				close(synced)
			case *vasic.Reset, *vasic.Disconnected:
			case *vasic.Events:
				for _, e := range u.Events {
					if e.Kind == vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED && e.Route.Offload {
						seen++
					}
				}
				if seen >= n {
					close(done)
					return
				}
			}
		}
	}()
	return synced, done
}

// BenchmarkLoad programs the real table over one stream and stops the clock when a watcher has decoded the flag event of the last route.
func BenchmarkLoad(b *testing.B) {
	prefixes := table(b)
	for _, size := range []int{64, 256, 1024} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				_, client := start(b)
				synced, done := watchFlags(b, client(), len(prefixes))
				<-synced
				p, err := client().NewProgrammer(b.Context(), vasic.ProgrammerOptions{BatchSize: size, MaxInFlight: 16384})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				program(b, p, prefixes)
				<-done
			}
			b.ReportMetric(float64(len(prefixes)*b.N)/b.Elapsed().Seconds(), "routes/s")
		})
	}
}

// BenchmarkHeap reports the live heap of a switch that holds the real table in software and hardware, per route.
func BenchmarkHeap(b *testing.B) {
	prefixes := table(b)
	live := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range b.N {
		_, client := start(b)
		before := live()
		c := client()
		p, err := c.NewProgrammer(b.Context(), vasic.ProgrammerOptions{BatchSize: 1024, ReportHardware: true})
		if err != nil {
			b.Fatal(err)
		}
		program(b, p, prefixes)
		// The event log is bounded apart from the routes and full by now.
		b.ReportMetric((float64(live()-before)-float64(server.DefaultLogBytes))/float64(len(prefixes)), "B/route")
	}
}
