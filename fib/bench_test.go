package fib

import (
	"net/netip"
	"testing"
)

// chip is hardware that offloads everything, once it is asked what came of it.
type chip struct {
	fakeHardware
	results []Result
}

func (c *chip) Submit(ops []Op) {
	for i := range ops {
		o := &ops[i]
		c.results = append(c.results, Result{Family: o.Family, Flags: FlagOffload, Gone: o.Kind == OpDelete, Final: true, Table: o.Table, Prefix: o.Prefix, Ref: o.First})
	}
}

// counter is a log that only counts.
type counter struct{ revision uint64 }

func (c *counter) Head() uint64 { return c.revision }

func (c *counter) Publish(events []Event) uint64 {
	c.revision += uint64(len(events))
	return c.revision
}

// BenchmarkRoutes adds, replaces and deletes 100,000 routes of each family in batches of 256, via 250 gateways, and applies what hardware says to each batch.
func BenchmarkRoutes(b *testing.B) {
	const routes, batch, gateways = 100_000, 256, 250
	hardware := &chip{}
	f := New(hardware, &counter{})
	if _, err := f.Attach(); err != nil {
		b.Fatal(err)
	}
	if _, err := f.AddLink("swp1", LinkDummy, 0); err != nil {
		b.Fatal(err)
	}
	up := true
	if _, err := f.SetLink("swp1", &up, &up); err != nil {
		b.Fatal(err)
	}
	for _, a := range []string{"10.0.1.1/24", "2001:db8:1::1/64"} {
		if _, err := f.AddAddress("swp1", netip.MustParsePrefix(a)); err != nil {
			b.Fatal(err)
		}
	}
	for _, family := range Families {
		f.SetNotify(family, NotifyAll)
	}
	requests, answers := make([]Request, batch), make([]Answer, batch)
	hops := make([]NextHopSpec, batch)
	prefix := [...]func(i int) netip.Prefix{
		IPv4: func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i)}), 24)
		},
		IPv6: func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 2, byte(i >> 16), byte(i >> 8), byte(i)}), 48)
		},
	}
	gateway := [...]func(i int) netip.Addr{
		IPv4: func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 1, byte(2 + i%gateways)}) },
		IPv6: func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 1, 15: byte(2 + i%gateways)})
		},
	}
	all := func(family Family, verb Verb, shift int) {
		for start := 0; start < routes; start += batch {
			n := min(batch, routes-start)
			for i := range n {
				requests[i] = Request{Verb: verb, Spec: Spec{Table: TableMain, Prefix: prefix[family](start + i), Protocol: 186}}
				if verb != Delete {
					hops[i] = NextHopSpec{Gateway: gateway[family](start + i + shift), Weight: 1}
					requests[i].Spec.NextHops = hops[i : i+1]
				}
			}
			f.Modify(family, requests[:n], answers[:n])
			for i := range n {
				if answers[i].Err != nil {
					b.Fatal(answers[i].Err)
				}
			}
			f.Apply(hardware.results)
			hardware.results = hardware.results[:0]
		}
	}
	for _, family := range Families {
		b.Run(family.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				all(family, Add, 0)
				all(family, Replace, 1)
				all(family, Delete, 0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(3*routes*b.N), "ns/operation")
		})
	}
}
