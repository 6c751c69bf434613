package server

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// FuzzOperation feeds anything that a client can encode to the parser, and what it accepts to a switch. Whatever the FIB accepts must
// be written as the same route again: parse(encode(route)) names and says the same.
func FuzzOperation(f *testing.F) {
	for _, op := range []*vasicv1.RouteOperation{
		{Action: 1, Route: &vasicv1.Route{Prefix: "192.0.2.0/24", Tos: 16, NextHops: []*vasicv1.NextHop{{Gateway: "10.0.1.2"}, {Device: "swp1", Weight: 3}}}},
		{Action: 4, Route: &vasicv1.Route{Prefix: "2001:db8:1::/64", SourcePrefix: "2001:db8:9::/48", NextHops: []*vasicv1.NextHop{{Gateway: "fe80::1", Device: "swp1", Onlink: true}}}},
		{Action: 2, Route: &vasicv1.Route{Prefix: "0.0.0.0/0", Type: 6, Table: 100, Metrics: &vasicv1.RouteMetrics{Mtu: 1400, MtuLocked: true}}},
		{Action: 6, Route: &vasicv1.Route{Prefix: "::/0", Multipath: true, NextHops: []*vasicv1.NextHop{{Device: "lo"}}}},
		{Action: 9, Route: &vasicv1.Route{Prefix: "::ffff:1.2.3.4/128"}},
	} {
		b, err := op.MarshalVT()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var op vasicv1.RouteOperation
		if op.DecodeWire(b) != nil {
			return
		}
		var p parser
		requests, answers := make([]fib.Request, 1), make([]fib.Answer, 1)
		family, bad := p.operation(op.Action, op.Route, &requests[0])
		if bad != nil {
			if bad.message == "" || bad.reasonName() == "UNSPECIFIED" {
				t.Errorf("refused without saying why: %+v", bad)
			}
			return
		}
		s, err := New(Config{LoopbackUp: true, Links: []Link{{Name: "swp1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}}}, LogBytes: 1 << 14})
		if err != nil {
			t.Fatal(err)
		}
		defer s.stopChip()
		s.fib.Modify(family, requests, answers)
		if answers[0].Err != nil || requests[0].Verb == fib.Delete {
			return
		}
		spec := &requests[0].Spec
		err = s.fib.Get(spec.Table, spec.Prefix, spec.Source, spec.TOS, nil, func(v *fib.Route) {
			again := (&encoder{fib: s.fib}).message(v)
			var second fib.Request
			if _, bad := p.operation(op.Action, again, &second); bad != nil {
				t.Errorf("the route that came of it is refused: %v\n%v", bad, again)
				return
			}
			if second.Spec.Prefix != spec.Prefix || second.Spec.Table != spec.Table || second.Spec.TOS != spec.TOS || second.Spec.Source != spec.Source {
				t.Errorf("the name became another one: %+v, was %+v", second.Spec, *spec)
			}
		})
		if err != nil {
			t.Errorf("accepted, and not there: %v", err)
		}
	})
}

func TestAddressesAndPrefixesAreReadAsNetipReadsThem(t *testing.T) {
	parts := []string{"", "0", "1", "00", "01", "9", "10", "24", "32", "33", "99", "100", "255", "256", "999", "1000", "-1", "+1", " 1", "a", ".", "/", ":", "１"}
	r := rand.New(rand.NewPCG(1, 2))
	part := func() string { return parts[r.IntN(len(parts))] }
	good := func() string { return fmt.Sprint(r.IntN(256)) }
	for range 200_000 {
		octet := good
		if r.IntN(4) == 0 {
			octet = part
		}
		text := octet() + "." + octet() + "." + octet() + "." + octet()
		if r.IntN(10) == 0 {
			text += part()
		}
		addr, wantErr := netip.ParseAddr(text)
		if got, bad := parseAnyAddr("x", text); (bad == nil) != (wantErr == nil) || bad == nil && got != addr {
			t.Fatalf("address %q: got %v, %v, want %v, %v", text, got, bad, addr, wantErr)
		}
		text += "/" + part()
		pfx, wantErr := netip.ParsePrefix(text)
		if got, bad := parseAnyPrefix("x", text); (bad == nil) != (wantErr == nil) || bad == nil && got != pfx {
			t.Fatalf("prefix %q: got %v, %v, want %v, %v", text, got, bad, pfx, wantErr)
		}
	}
}
