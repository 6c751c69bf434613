package server

import (
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// BenchmarkAudit compares a table of 100,000 routes with hardware that does what they say; ns/op is the time of the whole table.
func BenchmarkAudit(b *testing.B) {
	s := filledSwitch(b)
	b.ReportAllocs()
	for b.Loop() {
		a := audit{s: s, families: fib.Families[:]}
		if err := a.run(b.Context(), func([][]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
		if got := a.totals[fib.IPv4][vasicv1.Verdict_VERDICT_CONSISTENT]; got < lookupRoutes || got != a.compared-a.totals[fib.IPv6][vasicv1.Verdict_VERDICT_CONSISTENT] {
			b.Fatalf("%d of %d are consistent", got, a.compared)
		}
	}
}
