package fib

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// What is remembered of gateways is what would be found out anew, whatever happens to links, addresses, rules and routes in between.
func TestWaysAreRememberedOnlyAsLongAsTheyHold(t *testing.T) {
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		f := New(&fakeHardware{}, &counter{})
		if _, err := f.Attach(); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"swp1", "swp2"} {
			up := true
			_, err := f.AddLink(name, LinkDummy, 0)
			_, err2 := f.SetLink(name, &up, nil)
			_, err3 := f.AddAddress(name, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", i)))
			_, err4 := f.AddAddress(name, netip.MustParsePrefix(fmt.Sprintf("2001:db8:0:%d::1/64", i)))
			if err := errors.Join(err, err2, err3, err4); err != nil {
				t.Fatal(err)
			}
		}
		names := rapid.SampledFrom([]string{"swp1", "swp2"})
		tables := rapid.SampledFrom([]uint32{TableMain, 100})
		gateways := [...]*rapid.Generator[string]{
			rapid.SampledFrom([]string{"10.0.0.2", "10.0.1.2", "10.0.1.130", "10.1.0.2"}),
			rapid.SampledFrom([]string{"2001:db8:0:0::2", "2001:db8:0:1::2", "2001:db8:0:1:8000::2", "2001:db8:9::2"}),
		}
		prefixes := [...]*rapid.Generator[string]{
			rapid.SampledFrom([]string{"0.0.0.0/0", "10.0.0.0/8", "10.0.1.0/24", "10.0.1.128/25", "10.0.1.130/32", "192.0.2.0/24"}),
			rapid.SampledFrom([]string{"::/0", "2001:db8::/32", "2001:db8:0:1::/64", "2001:db8:0:1:8000::/65", "2001:db8:0:1::2/128", "2001:db8:7::/48"}),
		}
		via := func(family Family) Spec {
			return Spec{
				Table: tables.Draw(t, "table"), Prefix: netip.MustParsePrefix("198.51.100.0/24"), Protocol: 186,
				NextHops: []NextHopSpec{{Gateway: netip.MustParseAddr(gateways[family].Draw(t, "gateway")), Weight: 1}},
			}
		}
		change := func(family Family) {
			s := via(family)
			s.Prefix = netip.MustParsePrefix(prefixes[family].Draw(t, "prefix"))
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				s.NextHops[0] = NextHopSpec{Device: names.Draw(t, "device"), Weight: 1}
			case 1:
				s.Type, s.NextHops = TypeBlackhole, nil
			}
			verb := rapid.SampledFrom([]Verb{Add, Replace, Append, Prepend, Delete, Delete}).Draw(t, "verb")
			if verb == Delete {
				s = Spec{Table: s.Table, Prefix: s.Prefix}
			}
			f.Modify(family, []Request{{Verb: verb, Spec: s}}, make([]Answer, 1))
		}
		t.Repeat(map[string]func(*rapid.T){
			"route": func(*rapid.T) { change(rapid.SampledFrom(Families[:]).Draw(t, "family")) },
			"link": func(*rapid.T) {
				up := rapid.Bool().Draw(t, "up")
				if _, err := f.SetLink(names.Draw(t, "link"), &up, nil); err != nil {
					t.Fatal(err)
				}
			},
			"address": func(*rapid.T) {
				a := netip.MustParsePrefix(rapid.SampledFrom([]string{"10.0.1.1/24", "10.1.0.1/16", "10.0.1.130/32", "2001:db8:0:1::1/64", "2001:db8:9::1/48"}).Draw(t, "address"))
				if _, err := f.AddAddress(names.Draw(t, "link"), a); err != nil {
					_ = f.DeleteAddress("swp2", a)
				}
			},
			"rule": func(*rapid.T) {
				r := Rule{Family: rapid.SampledFrom(Families[:]).Draw(t, "family"), Priority: 100, Table: 100}
				if _, err := f.AddRule(r, true); err != nil {
					_ = f.DeleteRule(r.Family, &r.Priority, r.Table)
				}
			},
			"": func(*rapid.T) {
				for _, family := range Families {
					fam, s := f.families[family], via(family)
					fam.mu.Lock()
					key := wayKey{s.NextHops[0].Gateway, s.Table, TypeUnicast, 186, ScopeGlobal, 1}
					if w, ok := fam.ways.known[key]; ok && w.topology == fam.ways.topology {
						hits++
					}
					told, toldErr := fam.resolved1(&s)
					known := fam.ways.known
					fam.ways.known = make(map[wayKey]way)
					found, foundErr := fam.resolved1(&s)
					fam.ways.known = known
					fam.mu.Unlock()
					if told != found || fmt.Sprint(toldErr) != fmt.Sprint(foundErr) {
						t.Fatalf("%v in table %d: remembered %+v, %v; found %+v, %v", s.NextHops[0].Gateway, s.Table, told, toldErr, found, foundErr)
					}
				}
			},
		})
	})
	if hits == 0 {
		t.Error("nothing was remembered")
	}
}

// resolved1 is the content that a request with one gateway resolves to. It stays, as something must for it to be remembered.
func (f *family) resolved1(s *Spec) (key string, err *Error) {
	infos, err := f.resolve(s)
	if err != nil {
		return "", err
	}
	return infos[0].key, nil
}
