package fib

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// waysRig is a FIB that random things happen to.
type waysRig struct {
	*FIB
	t    *rapid.T
	hits int
}

var (
	wayLinks    = rapid.SampledFrom([]string{"swp1", "swp2", "swp3", "red", "lo"})
	wayTables   = rapid.SampledFrom([]uint32{TableMain, TableMain, TableMain, TableMain, 100, 100, TableLocal, 7})
	wayFamilies = rapid.SampledFrom(Families[:])
	wayObjects  = rapid.Uint32Range(1, 4)
	wayGateways = [...]*rapid.Generator[string]{
		rapid.SampledFrom([]string{"10.0.0.2", "10.0.1.2", "10.0.1.130", "10.1.0.2", "10.0.1.1"}),
		rapid.SampledFrom([]string{"2001:db8:0:0::2", "2001:db8:0:1::2", "2001:db8:0:1:8000::2", "2001:db8:9::2", "2001:db8:0:1::1"}),
	}
	wayPrefixes = [...]*rapid.Generator[string]{
		rapid.SampledFrom([]string{"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24", "10.0.1.128/25", "10.0.1.130/32", "10.0.1.2/32", "192.0.2.0/24"}),
		rapid.SampledFrom([]string{
			"::/0", "2001:db8::/32", "2001:db8::/48", "2001:db8:0:1::/64", "2001:db8:0:1:8000::/65", "2001:db8:0:1::2/128", "2001:db8:7::/48", "2001:db8:9::/64",
		}),
	}
	wayTypes = rapid.SampledFrom([]Type{TypeUnspec, TypeUnspec, TypeUnspec, TypeUnspec, TypeUnspec, TypeUnspec, TypeUnicast, TypeLocal, TypeBlackhole})
)

func newWaysRig(t *rapid.T) *waysRig {
	r := &waysRig{FIB: New(&fakeHardware{}, &counter{}), t: t}
	_, err := r.Attach()
	up := true
	for i, name := range []string{"swp1", "swp2"} {
		_, err1 := r.AddLink(name, LinkDummy, 0)
		_, err2 := r.SetLink(name, &up, nil)
		_, err3 := r.AddAddress(name, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", i)))
		_, err4 := r.AddAddress(name, netip.MustParsePrefix(fmt.Sprintf("2001:db8:0:%d::1/64", i)))
		err = errors.Join(err, err1, err2, err3, err4)
	}
	_, err1 := r.AddLink("red", LinkVRF, 100)
	_, err2 := r.SetLink("red", &up, nil)
	if err := errors.Join(err, err1, err2); err != nil {
		t.Fatal(err)
	}
	return r
}

// via is a request with one gateway.
func (r *waysRig) via(family Family) Spec {
	s := Spec{
		Table: wayTables.Draw(r.t, "table"), Prefix: netip.MustParsePrefix([...]string{"198.51.100.0/24", "2001:db8:100::/48"}[family]), Protocol: 186,
		Type: wayTypes.Draw(r.t, "type"), NextHops: []NextHopSpec{{Gateway: r.gateway(family), Weight: 1}},
	}
	if s.HasScope = family == IPv4 && rapid.IntRange(0, 9).Draw(r.t, "scoped") == 0; s.HasScope {
		s.Scope = rapid.SampledFrom([]Scope{ScopeGlobal, ScopeSite, ScopeLink, ScopeHost}).Draw(r.t, "scope")
	}
	return s
}

func (r *waysRig) gateway(family Family) netip.Addr {
	return netip.MustParseAddr(wayGateways[family].Draw(r.t, "gateway"))
}

// change makes a request of any kind, at prefixes that may reach gateways.
func (r *waysRig) change() {
	family := wayFamilies.Draw(r.t, "family")
	s := r.via(family)
	s.Prefix, s.Metric = netip.MustParsePrefix(wayPrefixes[family].Draw(r.t, "prefix")), rapid.Uint32Range(0, 2).Draw(r.t, "metric")
	switch rapid.IntRange(0, 6).Draw(r.t, "way") {
	case 0, 1:
		s.NextHops = []NextHopSpec{{Device: wayLinks.Draw(r.t, "device"), Weight: 1}}
	case 2:
		s.Type, s.NextHops = TypeBlackhole, nil
	case 3:
		s.NextHops, s.NextHopID = nil, wayObjects.Draw(r.t, "object")
	case 4:
		s.NextHops = append(s.NextHops, NextHopSpec{Gateway: r.gateway(family), Weight: 1})
	case 5:
		s.NextHops[0].Gateway = r.gateway(IPv6)
	}
	verb := rapid.SampledFrom([]Verb{Add, Replace, Append, Prepend, Change, Delete, Delete, Delete}).Draw(r.t, "verb")
	if verb == Delete {
		s = Spec{Table: s.Table, Prefix: s.Prefix}
	}
	r.Modify(family, []Request{{Verb: verb, Spec: s}}, make([]Answer, 1))
}

// connect adds or deletes a route of the main table that may reach gateways.
func (r *waysRig) connect() {
	family := wayFamilies.Draw(r.t, "family")
	s := Spec{Table: TableMain, Prefix: netip.MustParsePrefix(wayPrefixes[family].Draw(r.t, "prefix"))}
	verb := rapid.SampledFrom([]Verb{Prepend, Delete}).Draw(r.t, "verb")
	if verb == Prepend {
		s.NextHops = []NextHopSpec{{Device: rapid.SampledFrom([]string{"swp1", "swp2"}).Draw(r.t, "device"), Weight: 1}}
	}
	r.Modify(family, []Request{{Verb: verb, Spec: s}}, make([]Answer, 1))
}

// load adds routes that reach no gateway, so that something is remembered.
func (r *waysRig) load() {
	for _, family := range Families {
		for range 3 {
			s := r.via(family)
			s.Prefix = netip.PrefixFrom(s.Prefix.Addr(), s.Prefix.Bits()-rapid.IntRange(0, 10).Draw(r.t, "shorter")).Masked()
			r.Modify(family, []Request{{Verb: Replace, Spec: s}}, make([]Answer, 1))
		}
	}
}

func (r *waysRig) object() {
	s := NextHopObjectSpec{ID: wayObjects.Draw(r.t, "object")}
	switch rapid.IntRange(0, 5).Draw(r.t, "kind") {
	case 0:
		s.Blackhole = true
	case 1, 2:
		s.Device, s.Family = wayLinks.Draw(r.t, "device"), wayFamilies.Draw(r.t, "family")
	case 3:
		s.Gateway = r.gateway(wayFamilies.Draw(r.t, "family"))
	case 4:
		s.Group = []GroupMember{{ID: wayObjects.Draw(r.t, "member"), Weight: 1}}
	case 5:
		_ = r.DeleteNextHop(s.ID)
		return
	}
	_, _ = r.SetNextHop(&s, true, rapid.Bool().Draw(r.t, "replace"))
}

// check compares what is remembered of some requests with what is found out anew.
func (r *waysRig) check() {
	for _, family := range Families {
		fam, s := r.families[family], r.via(family)
		fam.mu.Lock()
		for key := range fam.ways.known {
			if info := fam.recall(key); info != nil {
				fam.infos.release(info)
				r.hits++
			}
		}
		told, toldErr := fam.resolvedKey(&s)
		known := fam.ways.known
		fam.ways.known = make(map[wayKey]way)
		found, foundErr := fam.resolvedKey(&s)
		fam.ways.known = known
		fam.mu.Unlock()
		if told != found || fmt.Sprint(toldErr) != fmt.Sprint(foundErr) {
			r.t.Fatalf("%v in table %d: remembered %q, %v; found %q, %v", s.NextHops[0].Gateway, s.Table, told, toldErr, found, foundErr)
		}
	}
}

// resolvedKey is the content that a request with one gateway resolves to.
func (f *family) resolvedKey(s *Spec) (key string, err *Error) {
	infos, err := f.resolve(s)
	if err != nil {
		return "", err
	}
	key = infos[0].key
	for _, info := range infos {
		f.infos.release(info)
	}
	return key, nil
}

// What is remembered of gateways is what would be found out anew, whatever happens to links, addresses, rules, objects and routes in between.
func TestWaysAreRememberedOnlyAsLongAsTheyHold(t *testing.T) {
	hits := 0
	for range 5 { // one way that is remembered for too long is found by some hundred tries
		rapid.Check(t, func(t *rapid.T) { waysHold(t, &hits) })
	}
	if hits == 0 {
		t.Error("nothing was remembered")
	}
}

// waysHold lets things happen to a FIB, and checks it in between.
func waysHold(t *rapid.T, hits *int) {
	r := newWaysRig(t)
	up := true
	t.Repeat(map[string]func(*rapid.T){
		"change":  func(*rapid.T) { r.change() },
		"connect": func(*rapid.T) { r.connect() },
		"load":    func(*rapid.T) { r.load() },
		"object":  func(*rapid.T) { r.object() },
		"link": func(*rapid.T) {
			up, carrier := rapid.Bool().Draw(t, "up"), rapid.Bool().Draw(t, "carrier")
			_, _ = r.SetLink(wayLinks.Draw(t, "link"), &up, &carrier)
		},
		"new link": func(*rapid.T) {
			if _, err := r.AddLink("swp3", LinkDummy, 0); err != nil {
				_ = r.DeleteLink("swp3")
			}
		},
		"another link": func(*rapid.T) {
			if rapid.IntRange(0, 5).Draw(t, "rarely") == 0 {
				_ = r.DeleteLink("swp2")
				_, _ = r.AddLink("swp2", LinkDummy, 0)
				_, _ = r.SetLink("swp2", &up, nil)
			}
		},
		"master": func(*rapid.T) {
			_, _ = r.SetLinkMaster(wayLinks.Draw(t, "link"), rapid.SampledFrom([]string{"", "red"}).Draw(t, "master"))
		},
		"address": func(*rapid.T) {
			a := netip.MustParsePrefix(rapid.SampledFrom([]string{
				"10.0.1.1/24", "10.0.1.2/24", "10.1.0.1/16", "10.0.1.130/32", "2001:db8:0:1::1/64", "2001:db8:0:1::2/64", "2001:db8:9::1/48",
			}).Draw(t, "address"))
			name := wayLinks.Draw(t, "link")
			if _, err := r.AddAddress(name, a); err != nil {
				_ = r.DeleteAddress(name, a)
			}
		},
		"rule": func(*rapid.T) {
			rule := Rule{Family: wayFamilies.Draw(t, "family"), Priority: 100, Table: rapid.SampledFrom([]uint32{100, 7}).Draw(t, "table")}
			if _, err := r.AddRule(rule, true); err != nil {
				_ = r.DeleteRule(rule.Family, &rule.Priority, rule.Table)
			}
		},
		"": func(*rapid.T) { r.check() },
	})
	*hits += r.hits
}

// Routes that reach no gateway leave what is remembered alone, also after one that any route would have been in.
func TestRoutesElsewhereLeaveWaysAlone(t *testing.T) {
	f := New(&fakeHardware{}, &counter{})
	up := true
	_, err1 := f.AddLink("swp1", LinkDummy, 0)
	_, err2 := f.SetLink("swp1", &up, nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	modify := func(verb Verb, prefix string, hop NextHopSpec) {
		hop.Weight = 1
		s := Spec{Table: TableMain, Prefix: netip.MustParsePrefix(prefix), NextHops: []NextHopSpec{hop}}
		answers := make([]Answer, 1)
		if f.Modify(IPv6, []Request{{Verb: verb, Spec: s}}, answers); answers[0].Err != nil {
			t.Fatal(answers[0].Err)
		}
	}
	gateway := NextHopSpec{Gateway: netip.MustParseAddr("3fff::1")}
	modify(Add, "::/0", NextHopSpec{Device: "swp1"})
	modify(Add, "2001:db8::/32", gateway)
	modify(Add, "3fff::/64", NextHopSpec{Device: "swp1"})
	modify(Delete, "::/0", NextHopSpec{Device: "swp1"})
	modify(Add, "2001:db8:1::/48", gateway)
	before := f.families[IPv6].ways.topology
	for i := range 100 {
		modify(Add, fmt.Sprintf("2001:db8:2::%x/128", i), gateway)
	}
	if now := f.families[IPv6].ways.topology; now != before {
		t.Errorf("the topology has changed %d times", now-before)
	}
	modify(Add, "3fff::/65", NextHopSpec{Device: "swp1"})
	if f.families[IPv6].ways.topology == before {
		t.Error("a route to the gateway has changed nothing")
	}
}
