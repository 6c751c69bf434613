package asic_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// machine drives a chip at random and knows what the FIB would.
type machine struct {
	chip      *asic.Chip
	links     []*fib.Link
	usable    map[*fib.Link]bool
	neighbors []*fib.Neighbor
	valid     map[*fib.Neighbor]bool
	infos     []*fib.Info
	objects   map[uint32]*fib.NextHopUpdate
	candidate map[place]fib.Op // what should be in hardware
	rows      uint32

	mu    sync.Mutex
	flags map[uint32]fib.Flags // of each row, as last reported
}

type place struct {
	table  uint32
	prefix netip.Prefix
}

func newMachine(ctx context.Context, t *rapid.T) *machine {
	m := &machine{
		usable: make(map[*fib.Link]bool), valid: make(map[*fib.Neighbor]bool), objects: make(map[uint32]*fib.NextHopUpdate),
		candidate: make(map[place]fib.Op), flags: make(map[uint32]fib.Flags),
	}
	sizes := make(map[string]uint64)
	for _, path := range []string{asic.PathIPv4FIB, asic.PathGroups, asic.PathGroupMembers, asic.PathHosts} {
		if rapid.Bool().Draw(t, "bounded") {
			sizes[path] = rapid.Uint64Range(1, 6).Draw(t, path)
		}
	}
	var err error
	if m.chip, err = asic.New(asic.Config{Sizes: sizes, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		m.links = append(m.links, &fib.Link{Name: fmt.Sprintf("swp%d", i), Index: uint32(i + 2)})
		for n := range 3 {
			m.neighbors = append(m.neighbors, &fib.Neighbor{Link: m.links[i], Addr: netip.AddrFrom4([4]byte{10, 0, byte(i), byte(n)})})
		}
	}
	for i := range m.neighbors {
		m.infos = append(m.infos, route(via(m.neighbors[i])...), route(via(m.neighbors[i], m.neighbors[(i+2)%6])...))
	}
	m.infos = append(m.infos, &fib.Info{Type: fib.TypeBlackhole}, &fib.Info{Type: fib.TypeThrow}, route(fib.NextHop{Link: m.links[0], Weight: 1}),
		&fib.Info{Type: fib.TypeUnicast, NextHopID: 1}, &fib.Info{Type: fib.TypeUnicast, NextHopID: 2})
	go m.chip.Run(ctx, func(results []fib.Result) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, r := range results {
			if !r.Gone {
				m.flags[r.Ref.Row] = r.Flags
			}
		}
	})
	return m
}

func (m *machine) do(ctx context.Context, t *rapid.T) {
	key := place{rapid.SampledFrom([]uint32{100, fib.TableLocal, fib.TableMain, fib.TableDefault}).Draw(t, "table"), prefix4(rapid.IntRange(0, 5).Draw(t, "prefix"))}
	op := fib.Op{Table: key.table, Prefix: key.prefix}
	switch rapid.SampledFrom([]string{"replace", "replace", "replace", "delete", "delete", "link", "neighbor", "neighbor", "object", "fault", "unfault", "retry", "pause", "resume"}).Draw(t, "what") {
	case "replace":
		info := rapid.SampledFrom(m.infos).Draw(t, "info")
		m.rows++
		if op.First = (fib.Ref{Row: m.rows, Generation: uint64(m.rows), Info: info}); info.NextHopID != 0 && m.objects[info.NextHopID] == nil {
			m.object(t, info.NextHopID)
		}
		m.candidate[key] = op
		m.chip.Submit([]fib.Op{op})
	case "delete":
		old, ok := m.candidate[key]
		if !ok {
			return
		}
		delete(m.candidate, key)
		old.Kind, old.Last = fib.OpDelete, true
		m.chip.Submit([]fib.Op{old})
	case "link":
		l := rapid.SampledFrom(m.links).Draw(t, "link")
		m.usable[l] = !m.usable[l]
		m.chip.LinkChanged(l, m.usable[l])
	case "neighbor":
		n := rapid.SampledFrom(m.neighbors).Draw(t, "neighbor")
		m.valid[n] = !m.valid[n]
		m.chip.NeighborChanged(n, m.valid[n])
	case "object":
		m.object(t, rapid.Uint32Range(1, 2).Draw(t, "id"))
	case "fault":
		f := asic.Fault{
			AnyFamily: true, Operation: rapid.SampledFrom([]asic.FaultOperation{asic.AnyOperation, asic.AddOperation, asic.ReplaceOperation, asic.DeleteOperation, asic.NextHopOperation}).Draw(t, "operation"),
			Every: rapid.Uint64Range(0, 3).Draw(t, "every"), Effect: rapid.SampledFrom([]asic.Effect{asic.Fail, asic.Fail, asic.Stall}).Draw(t, "effect"),
		}
		if _, err := m.chip.AddFault(f); err != nil {
			t.Fatal(err)
		}
	case "unfault":
		if err := m.chip.DeleteFault(0); err != nil {
			t.Fatal(err)
		}
	case "retry":
		m.chip.SetRetryFailed(!m.chip.RetryFailed())
	case "pause":
		if err := m.chip.Pause(ctx); err != nil {
			t.Fatal(err)
		}
	case "resume":
		m.chip.Resume()
	}
}

// object gives a next-hop object new content.
func (m *machine) object(t *rapid.T, id uint32) {
	u := &fib.NextHopUpdate{ID: id, Object: &fib.NextHopObject{}}
	if old := m.objects[id]; old != nil {
		u.Object = old.Object
	}
	if u.Blackhole = rapid.Bool().Draw(t, "blackhole"); !u.Blackhole {
		u.Hops = via(rapid.SampledFrom(m.neighbors).Draw(t, "hop"))
	}
	m.objects[id] = u
	m.chip.NextHopChanged(u)
}

// rest ends all faults and waits until nothing is left to do.
func (m *machine) rest(ctx context.Context, t *rapid.T) {
	m.chip.Resume()
	if err := m.chip.DeleteFault(0); err != nil {
		t.Fatal(err)
	}
	if err := m.chip.Idle(ctx); err != nil {
		t.Fatal(err)
	}
}

var ranks = map[uint32]int{fib.TableLocal: 1, fib.TableMain: 2, fib.TableDefault: 3}

// check compares hardware with what was reported.
func (m *machine) check(t *rapid.T) {
	used, entries := make(map[*fib.Neighbor]bool), 0
	m.chip.View(func(v *asic.View) {
		for key, op := range m.candidate {
			e, ok := v.At(fib.IPv4, key.table, key.prefix)
			mine := ok && e.Table == key.table && e.Routes[0].Row == op.First.Row
			if v.Pending(fib.IPv4, key.table, key.prefix) {
				t.Fatalf("%v is pending at rest", key)
			}
			switch flags := m.flags[op.First.Row]; {
			case flags&(fib.FlagOffload|fib.FlagTrap) != 0:
				if !mine || e.Flags[0] != flags {
					t.Fatalf("%v row %d says %d, hardware has %+v %v", key, op.First.Row, flags, e, ok)
				}
			case flags == 0:
				if !ok || mine || ranks[e.Table] >= ranks[key.table] {
					t.Fatalf("%v row %d has no flag, hardware has %+v %v", key, op.First.Row, e, ok)
				}
			case mine, flags&fib.FlagOlderEntry != 0 && !ok:
				t.Fatalf("%v row %d says %d, hardware has %+v %v", key, op.First.Row, flags, e, ok)
			}
		}
		for _, table := range v.Tables(fib.IPv4) {
			for e := range v.Within(fib.IPv4, table, netip.MustParsePrefix("0.0.0.0/0")) {
				entries++
				op, ok := m.candidate[place{table, e.Prefix}]
				if !ok || op.First.Row != e.Routes[0].Row && m.flags[op.First.Row]&fib.FlagOlderEntry == 0 {
					t.Fatalf("hardware has %+v, and nobody says so", e)
				}
				forwards := false
				for _, h := range e.Hops {
					if h.Slots > 0 {
						forwards = true
						if h.Neighbor != nil {
							used[h.Neighbor] = true
						}
						if !m.usable[h.Link] || h.Neighbor != nil && !m.valid[h.Neighbor] {
							t.Fatalf("%+v forwards to a next hop that cannot be used", e)
						}
					}
				}
				if (e.Action == asic.Forward) != forwards {
					t.Fatalf("%+v", e)
				}
			}
		}
	})
	for _, u := range m.objects {
		for _, h := range u.Hops {
			used[h.Neighbor] = used[h.Neighbor] || u.Object.Flags() == fib.FlagOffload
		}
	}
	for _, n := range m.neighbors {
		if n.Offloaded() != used[n] {
			t.Fatalf("%v offloaded: %v", n.Addr, n.Offloaded())
		}
	}
	for _, r := range m.chip.Resources() {
		if r.Occupancy > r.Size || r.Path == asic.PathIPv4FIB && r.Occupancy != uint64(entries) || r.Path == asic.PathNextHops && r.Occupancy != uint64(len(m.objects)) {
			t.Fatalf("%+v with %d entries", r, entries)
		}
	}
	if s := m.chip.Stats(); s.Undeleted != 0 || s.QueueLength != 0 {
		t.Fatalf("at rest: %+v", s)
	}
}

// empty takes everything away and checks that nothing is left.
func (m *machine) empty(ctx context.Context, t *rapid.T) {
	for _, op := range m.candidate {
		op.Kind, op.Last = fib.OpDelete, true
		m.chip.Submit([]fib.Op{op})
	}
	for id := range m.objects {
		u := *m.objects[id]
		u.Gone = true
		m.chip.NextHopChanged(&u)
	}
	m.rest(ctx, t)
	for _, r := range m.chip.Resources() {
		if r.Occupancy != 0 {
			t.Fatalf("when all is gone: %+v", r)
		}
	}
	if s := m.chip.Stats(); s.WaitingForRoom != 0 || s.Undeleted != 0 {
		t.Fatalf("when all is gone: %+v", s)
	}
}

func TestFlagsSayWhatHardwareDoesAfterAnyRun(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m := newMachine(ctx, rt)
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			for range rapid.IntRange(1, 30).Draw(rt, "actions") {
				m.do(ctx, rt)
			}
			m.rest(ctx, rt)
			m.check(rt)
		}
		m.empty(ctx, rt)
	})
}
