package fib

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
)

func TestVRFHasItsOwnRoutes(t *testing.T) {
	r := newRig(t)
	_, err := r.AddLink("red", LinkVRF, 10)
	r.must(err)
	r.wantHeard("rule IPv4 1000 0 true", "rule IPv6 1000 0 true")
	_, err = r.AddLink("blue", LinkVRF, 11)
	r.must(err)
	r.wantHeard()
	_, err = r.SetLinkMaster("d2", "red")
	r.must(err)
	in := func(table uint32) bool {
		return r.Get(table, netip.MustParsePrefix("10.0.2.0/24"), netip.Prefix{}, 0, nil, func(*Route) {}) == nil
	}
	if !in(10) || in(TableMain) {
		t.Errorf("connected route: in the VRF %v, in main %v", in(10), in(TableMain))
	}
	for name, master := range map[string]string{"lo": "red", "blue": "red", "d1": "d2"} {
		if _, err := r.SetLinkMaster(name, master); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s into %s: %v", name, master, err)
		}
	}
	r.must(r.DeleteLink("red"))
	if in(10) || !in(TableMain) {
		t.Errorf("without the VRF: in its table %v, in main %v", in(10), in(TableMain))
	}
	if l, err := r.Link("d2"); err != nil || l.Master != "" {
		t.Errorf("d2 after its VRF is gone: %+v, %v", l, err)
	}
}

func TestRulesSayWhichTablesAreAsked(t *testing.T) {
	r := newRig(t)
	s := Spec{Table: 100, Prefix: netip.MustParsePrefix("192.0.2.0/24"), Type: TypeBlackhole}
	r.Modify(IPv4, []Request{{Verb: Add, Spec: s}}, make([]Answer, 1))
	look := func() error { return r.Lookup(netip.MustParseAddr("192.0.2.1"), 0, 0, func(*Route) {}) }
	if err := look(); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a rule: %v", err)
	}
	_, err := r.AddRule(Rule{Family: IPv4, Priority: 100, Table: 100}, true)
	r.must(err)
	r.must(look())
	if _, err := r.AddRule(Rule{Family: IPv4, Priority: 100, Table: 100}, true); !errors.Is(err, ErrRuleExists) {
		t.Errorf("the same rule again: %v", err)
	}
	second, err := r.AddRule(Rule{Family: IPv4, Table: 101}, false)
	r.must(err)
	if second.Priority != 99 {
		t.Errorf("a rule without priority got %d, want 99", second.Priority)
	}
	r.View(IPv4, func(v View) {
		if got, want := v.LookupTables(), []uint32{TableLocal, 101, 100, TableMain, TableDefault}; !slices.Equal(got, want) {
			t.Errorf("tables asked: %v, want %v", got, want)
		}
	})
	priority := uint32(100)
	r.must(r.DeleteRule(IPv4, &priority, 0))
	if err := r.DeleteRule(IPv4, &priority, 0); !errors.Is(err, ErrRuleNotFound) {
		t.Errorf("a second delete: %v", err)
	}
	r.hardware.refuse = "rule"
	before := len(r.Rules(IPv4))
	if _, err := r.AddRule(Rule{Family: IPv4, Priority: 7, Table: 7}, true); !errors.Is(err, errRefused) || len(r.Rules(IPv4)) != before {
		t.Errorf("refused by hardware: %v, %d rules", err, len(r.Rules(IPv4)))
	}
}
