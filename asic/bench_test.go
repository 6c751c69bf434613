package asic_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// prefix4 is the i-th of many IPv4 prefixes.
func prefix4(i int) netip.Prefix {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i)<<8)
	return netip.PrefixFrom(netip.AddrFrom4(b), 24)
}

// benchChip runs a chip until the benchmark ends, and counts results.
func benchChip(b *testing.B, cfg asic.Config, count func([]fib.Result)) *asic.Chip {
	b.Helper()
	chip, err := asic.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		chip.Run(ctx, count)
	}()
	b.Cleanup(func() {
		cancel()
		<-done
	})
	return chip
}

// gateways are Infos with one gateway each on the port, shared by many routes.
func gateways(n int, port *fib.Link) (infos []*fib.Info) {
	for i := range n {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		infos = append(infos, &fib.Info{
			Type: fib.TypeUnicast, NextHops: []fib.NextHop{{Gateway: a, Link: port, Weight: 1, Neighbor: &fib.Neighbor{Link: port, Addr: a}}},
		})
	}
	return infos
}

// fill makes operations for n routes, via one gateway after the other.
func fill(n int, infos []*fib.Info) []fib.Op {
	ops := make([]fib.Op, n)
	for i := range ops {
		ops[i] = fib.Op{
			Table: fib.TableMain, Prefix: prefix4(i), First: fib.Ref{Row: uint32(i + 1), Generation: uint64(i + 1), Info: infos[i%len(infos)]},
		}
	}
	return ops
}

func idle(b *testing.B, chip *asic.Chip) {
	b.Helper()
	if err := chip.Idle(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkProgram puts 100,000 routes via 256 gateways into hardware and takes them out again.
func BenchmarkProgram(b *testing.B) {
	const routes = 100_000
	chip := benchChip(b, asic.Config{}, func([]fib.Result) {})
	port := &fib.Link{Name: "swp1", Index: 2}
	chip.LinkChanged(port, true)
	ops := fill(routes, gateways(256, port))
	for i := range gateways(256, port) {
		chip.NeighborChanged(ops[i].First.Info.NextHops[0].Neighbor, true)
	}
	leave := make([]fib.Op, routes)
	for i := range ops {
		leave[i] = ops[i]
		leave[i].Kind, leave[i].Last = fib.OpDelete, true
	}
	b.ReportAllocs()
	for b.Loop() {
		chip.Submit(ops)
		chip.Submit(leave)
		idle(b, chip)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*routes*b.N), "ns/operation")
}

// BenchmarkFlip makes a neighbour that all routes share invalid and valid again. The time for each route must not depend on how many there are.
func BenchmarkFlip(b *testing.B) {
	for _, routes := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("routes=%d", routes), func(b *testing.B) {
			results := 0
			chip := benchChip(b, asic.Config{}, func(r []fib.Result) { results += len(r) })
			port := &fib.Link{Name: "swp1", Index: 2}
			infos := gateways(1, port)
			gateway := infos[0].NextHops[0].Neighbor
			chip.LinkChanged(port, true)
			chip.NeighborChanged(gateway, true)
			chip.Submit(fill(routes, infos))
			idle(b, chip)
			results = 0
			b.ReportAllocs()
			for b.Loop() {
				chip.NeighborChanged(gateway, false)
				idle(b, chip)
				chip.NeighborChanged(gateway, true)
				idle(b, chip)
			}
			b.StopTimer()
			if results != 2*routes*b.N {
				b.Errorf("%d results, want %d", results, 2*routes*b.N)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(results), "ns/route")
		})
	}
}

// BenchmarkFlipAmongOthers measures how long one operation takes while 1,000,000 routes follow a neighbour: other programming flows on.
func BenchmarkFlipAmongOthers(b *testing.B) {
	const routes = 1_000_000
	chip := benchChip(b, asic.Config{}, func([]fib.Result) {})
	port := &fib.Link{Name: "swp1", Index: 2}
	infos := gateways(1, port)
	gateway := infos[0].NextHops[0].Neighbor
	chip.LinkChanged(port, true)
	chip.Submit(fill(routes, infos))
	idle(b, chip)
	valid, slowest := false, time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		valid = !valid
		chip.NeighborChanged(gateway, valid)
		start := time.Now()
		other := fib.Op{Table: 100, Prefix: prefix4(0), First: fib.Ref{Row: routes + 1, Generation: routes + 1, Info: &fib.Info{Type: fib.TypeBlackhole}}}
		chip.Submit([]fib.Op{other})
		for there := false; !there; runtime.Gosched() {
			chip.View(func(v *asic.View) { _, there = v.At(fib.IPv4, 100, prefix4(0)) })
		}
		slowest = max(slowest, time.Since(start))
		other.Kind, other.Last = fib.OpDelete, true
		chip.Submit([]fib.Op{other})
		idle(b, chip)
	}
	b.ReportMetric(float64(slowest.Microseconds()), "µs/slowest-operation")
}
