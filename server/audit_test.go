package server

import (
	"fmt"
	"net/netip"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// BenchmarkAudit compares a table of 100,000 routes with hardware that does what they say; ns/op is the time of the whole table.
func BenchmarkAudit(b *testing.B) {
	s, err := New(Config{Links: []Link{{Name: "swp1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}}}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Stop(b.Context()) }()
	const n = 100_000
	requests, answers := make([]fib.Request, n), make([]fib.Answer, n)
	for i := range requests {
		requests[i] = fib.Request{Verb: fib.Add, Spec: fib.Spec{
			Table: fib.TableMain, Prefix: netip.MustParsePrefix(fmt.Sprintf("11.%d.%d.%d/28", i>>12, i>>4&255, i&15<<4)), NextHops: []fib.NextHopSpec{{Gateway: netip.MustParseAddr("10.0.1.2"), Weight: 1}},
		}}
	}
	s.fib.Modify(fib.IPv4, requests, answers)
	if err := s.chip.Idle(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		a := audit{s: s, families: fib.Families[:]}
		if err := a.run(b.Context(), func([][]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
		if got := a.totals[fib.IPv4][vasicv1.Verdict_VERDICT_CONSISTENT]; got < n || got != a.compared-a.totals[fib.IPv6][vasicv1.Verdict_VERDICT_CONSISTENT] {
			b.Fatalf("%d of %d are consistent", got, a.compared)
		}
	}
}
