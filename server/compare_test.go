package server

import (
	"net/netip"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

const (
	consistent = vasicv1.Verdict_VERDICT_CONSISTENT
	pending    = vasicv1.Verdict_VERDICT_PENDING
	trapped    = vasicv1.Verdict_VERDICT_TRAPPED
	blackholed = vasicv1.Verdict_VERDICT_BLACKHOLED
	misrouted  = vasicv1.Verdict_VERDICT_MISROUTED
)

// All there are: each row is what software does, each column what hardware does.
func TestVerdictsOfAllComparisons(t *testing.T) {
	treatments := []treatment{ignores, forwards, handles, drops}
	for _, c := range []struct {
		name          string
		same, pending bool
		want          [4][4]vasicv1.Verdict
	}{
		{"by another entry", false, false, [4][4]vasicv1.Verdict{
			{consistent, misrouted, consistent, consistent},
			{blackholed, misrouted, trapped, misrouted},
			{blackholed, misrouted, consistent, misrouted},
			{consistent, misrouted, consistent, consistent},
		}},
		{"by its entry", true, false, [4][4]vasicv1.Verdict{
			{consistent, consistent, consistent, consistent},
			{consistent, consistent, trapped, consistent},
			{consistent, consistent, consistent, consistent},
			{consistent, consistent, consistent, consistent},
		}},
		{"by its entry, with something in the queue", true, true, [4][4]vasicv1.Verdict{
			{consistent, consistent, consistent, consistent},
			{consistent, consistent, pending, consistent},
			{consistent, consistent, consistent, consistent},
			{consistent, consistent, consistent, consistent},
		}},
		{"by another entry, with something in the queue", false, true, [4][4]vasicv1.Verdict{
			{pending, pending, pending, pending}, {pending, pending, pending, pending}, {pending, pending, pending, pending}, {pending, pending, pending, pending},
		}},
	} {
		for i, software := range treatments {
			for j, hardware := range treatments {
				if got := (comparison{software: software, hardware: hardware, same: c.same, pending: c.pending}).verdict(); got != c.want[i][j] {
					t.Errorf("%s: software %d, hardware %d: %v, want %v", c.name, software, hardware, got, c.want[i][j])
				}
			}
		}
	}
}

func TestWhichEntryIsMadeFromARoute(t *testing.T) {
	p := netip.MustParsePrefix("192.0.2.0/24")
	up, down := &fib.Link{Name: "swp1", Up: true, Carrier: true}, &fib.Link{Name: "swp2"}
	hop := func(l *fib.Link, gateway string) fib.NextHop {
		return fib.NextHop{Link: l, Gateway: netip.MustParseAddr(gateway), Weight: 1}
	}
	info := func(id uint32, kind fib.Type, hops ...fib.NextHop) *fib.Info {
		return &fib.Info{Type: kind, NextHopID: id, NextHops: hops}
	}
	route := func(i *fib.Info, siblings int) *fib.Route {
		return &fib.Route{Table: 254, Prefix: p, Generation: 7, Info: i, Siblings: make([]fib.Sibling, siblings)}
	}
	entry := func(action asic.Action, hops []fib.NextHop, generations ...uint64) *asic.Entry {
		e := &asic.Entry{Table: 254, Prefix: p, Action: action}
		for _, g := range generations {
			e.Routes = append(e.Routes, fib.Ref{Generation: g})
		}
		for i, h := range hops {
			e.Hops = append(e.Hops, asic.EntryHop{NextHop: h, Slots: uint32(1 - i%2)}) //nolint:gosec // 0 or 1
		}
		return e
	}
	one, other, off := hop(up, "10.0.1.2"), hop(up, "10.0.1.3"), hop(down, "10.0.2.2")
	sourced := route(info(0, fib.TypeUnicast, one), 0)
	sourced.Source = p
	elsewhere := entry(asic.Forward, nil, 7)
	elsewhere.Table = 255
	for name, c := range map[string]struct {
		entry *asic.Entry
		route *fib.Route
		want  bool
	}{
		"same":                  {entry(asic.Forward, nil, 7), route(info(0, fib.TypeUnicast, one), 0), true},
		"older":                 {entry(asic.Forward, nil, 6), route(info(0, fib.TypeUnicast, one), 0), false},
		"a sibling is missing":  {entry(asic.Forward, nil, 7), route(info(0, fib.TypeUnicast, one), 2), false},
		"siblings":              {entry(asic.Forward, nil, 5, 7), route(info(0, fib.TypeUnicast, one), 2), true},
		"source prefix":         {entry(asic.Forward, nil, 7), sourced, false},
		"of another table":      {elsewhere, route(info(0, fib.TypeUnicast, one), 0), false},
		"object":                {entry(asic.Forward, []fib.NextHop{one, other}, 7), route(info(1, fib.TypeUnicast, one, off), 0), true}, // the second is not in use
		"object, changed":       {entry(asic.Forward, []fib.NextHop{other}, 7), route(info(1, fib.TypeUnicast, one), 0), false},
		"object, now blackhole": {entry(asic.Forward, nil, 7), route(info(1, fib.TypeBlackhole), 0), false},
		"object, was blackhole": {entry(asic.Drop, nil, 7), route(info(1, fib.TypeUnicast, one), 0), false},
		"object, blackhole":     {entry(asic.Drop, nil, 7), route(info(1, fib.TypeBlackhole), 0), true},
		"object, without a hop": {entry(asic.Trap, nil, 7), route(info(1, fib.TypeUnicast, off), 0), true},
	} {
		if got := madeFrom(c.entry, c.route); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	for name, c := range map[string]struct {
		info *fib.Info
		want bool
	}{
		"up": {info(0, fib.TypeUnicast, one), true}, "down": {info(0, fib.TypeUnicast, off), false}, "one of two": {info(0, fib.TypeUnicast, off, one), true},
		"local": {info(0, fib.TypeLocal, off), true}, "blackhole": {info(0, fib.TypeBlackhole), true}, "unreachable on a dead link": {info(0, fib.TypeUnreachable, off), true},
	} {
		if got := usable(route(c.info, 0)); got != c.want {
			t.Errorf("%s: usable %t", name, got)
		}
	}
}
