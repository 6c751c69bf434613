package server

import (
	"net/netip"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// BenchmarkAppendEvent encodes the flag event of a route with one next hop.
func BenchmarkAppendEvent(b *testing.B) {
	var e encoder
	hop := fib.NextHop{Gateway: netip.MustParseAddr("10.0.3.17"), Link: &fib.Link{Name: "swp3"}, Weight: 1}
	ev := &fib.Event{Kind: fib.FlagsChanged, Route: fib.Route{
		Flags: fib.FlagOffload, Table: fib.TableMain, ID: 1234567, Generation: 1234567, Prefix: netip.MustParsePrefix("198.51.100.0/24"),
		Info: &fib.Info{Type: fib.TypeUnicast, Protocol: 186, NextHops: []fib.NextHop{hop}},
	}}
	buf := make([]byte, 0, 256)
	stamped := appendStamp(nil, 1_700_000_000_000_000_000)
	b.ReportAllocs()
	for b.Loop() {
		buf = e.appendEvent(buf[:0], fieldWatchEvents, ev, 12345678, stamped)
	}
}

// BenchmarkParse turns an operation on a route with one next hop into a request.
func BenchmarkParse(b *testing.B) {
	route := &vasicv1.Route{Prefix: "198.51.100.0/24", Protocol: 186, NextHops: []*vasicv1.NextHop{{Gateway: "10.0.3.17"}}}
	var p parser
	var q fib.Request
	b.ReportAllocs()
	for b.Loop() {
		p.reset()
		if _, bad := p.operation(vasicv1.RouteAction_ROUTE_ACTION_ADD, route, &q); bad != nil {
			b.Fatal(bad)
		}
	}
}
