package asic_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// many are operations for n prefixes via one neighbour.
func (r *rig) many(n int, via *fib.Info) (ops []fib.Op) {
	for i := range n {
		op := r.op(fib.OpReplace, fib.IPv4, 0, uint32(i+1))
		op.Prefix, op.First.Info = prefix4(i), via
		ops = append(ops, op)
	}
	return ops
}

func TestOtherProgrammingFlowsWhileRoutesFollowANeighbour(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		n := gateway(r.port, "10.0.1.2")
		r.submit(r.many(10_000, route(via(n)...))...)
		r.settled()
		r.mu.Lock()
		r.batches = nil
		r.mu.Unlock()
		r.SetLatency(asic.LatencyModel{Mean: time.Second})
		r.NeighborChanged(n, true)
		r.submit(r.blackhole(1, 20_001), r.blackhole(2, 20_002))
		got := r.settled()
		if slices.Contains(got, "20001:"+offloaded) || len(got) > 0 && len(got) < 10_000 && r.Stats().QueueLength == 0 {
			t.Errorf("%d results", len(got))
		}
		time.Sleep(1500 * time.Millisecond)
		if got = append(got, r.settled()...); !slices.Contains(got, "20001:"+offloaded) {
			t.Error("the other operation waits for all of them")
		}
		time.Sleep(time.Second)
		got = append(got, r.settled()...)
		follow := slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "2000") && len(s) > 6 })
		if len(follow) != 10_000 {
			t.Errorf("%d routes followed", len(follow))
		}
		if slices.Max(r.batches) > 1024+2 {
			t.Errorf("hand-overs of %v results", r.batches)
		}
		if err := r.Idle(r.t.Context()); err != nil || r.Stats().QueueLength != 0 {
			t.Errorf("idle: %v", err)
		}
	})
}

func TestEntriesComeAndGoWhileRoutesFollow(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		n := gateway(r.port, "10.0.1.2")
		info := route(via(n)...)
		r.submit(r.many(5_000, info)...)
		r.settled()
		r.pause()
		r.NeighborChanged(n, true)
		flags := make(map[uint32]fib.Flags)
		for i := range 5_000 {
			op := r.op(fib.OpDelete, fib.IPv4, 0, uint32(i+1))
			op.Prefix = prefix4(i)
			switch i % 5 {
			case 0:
				r.submit(op)
			case 1:
				op.Kind, op.Last, op.First = fib.OpReplace, false, fib.Ref{Row: uint32(i + 10_001), Generation: uint64(i + 10_001), Info: info}
				r.submit(op)
			}
			switch i {
			case 1000, 3000:
				r.NeighborChanged(n, false)
			case 2000, 4000:
				r.NeighborChanged(n, true)
			}
		}
		r.Resume()
		r.settle()
		for _, res := range r.results {
			flags[res.Ref.Row] = res.Flags
		}
		for _, e := range r.entries(fib.IPv4) {
			if e.Flags[0] != fib.FlagOffload || flags[e.Routes[0].Row] != fib.FlagOffload {
				t.Fatalf("row %d: entry %d, reported %d", e.Routes[0].Row, e.Flags[0], flags[e.Routes[0].Row])
			}
		}
		if got := len(r.entries(fib.IPv4)); got != 4_000 {
			t.Errorf("%d entries", got)
		}
	})
}

func TestPausedChipStepsOverAllThatFollows(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		n := gateway(r.port, "10.0.1.2")
		r.submit(r.many(3_000, route(via(n)...))...)
		r.settled()
		r.pause()
		r.NeighborChanged(n, true)
		r.submit(r.blackhole(1, 10_001))
		r.expect()
		if done, err := r.Step(r.t.Context(), 1); done != 1 || err != nil {
			t.Errorf("did %d: %v", done, err)
		}
		if got := len(r.settled()); got != 3_001 {
			t.Errorf("%d results, want 3001", got)
		}
	})
}

func TestLateResultAndOvertaking(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.pause()
		r.submit(r.blackhole(1, 1), r.blackhole(1, 2), r.op(fib.OpDelete, fib.IPv4, 1, 2))
		r.step(1, "1:"+offloaded)
		r.step(1, "2:"+offloaded, "1:0")
		r.step(1, "gone")
		r.submit(r.op(fib.OpDelete, fib.IPv4, 5, 5), r.blackhole(5, 6)) // a delete before there is anything
		r.step(2, "gone", "6:"+offloaded)
		r.expectUsed("IPv4/fib=1")
		id := r.fault(asic.Fault{Operation: asic.ReplaceOperation}) // replace while the first is failing
		r.submit(r.blackhole(5, 7), r.blackhole(5, 8))
		r.step(1, "7:"+older)
		r.unfault(id)
		r.step(1, "8:"+offloaded, "6:0")
	})
}

func TestGroupReplacedWhileItsRoutesAreInFlight(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		a, b := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3")
		r.NeighborChanged(a, true)
		r.settle()
		object, info := &fib.NextHopObject{}, &fib.Info{Type: fib.TypeUnicast, NextHopID: 1}
		r.pause()
		r.NextHopChanged(&fib.NextHopUpdate{Object: object, ID: 1, Hops: via(a)})
		r.submit(r.replace(1, 1, info))
		r.NextHopChanged(&fib.NextHopUpdate{Object: object, ID: 1, Hops: via(b)})
		r.submit(r.replace(2, 2, info))
		r.step(2, "1:"+offloaded)
		r.step(1, "1:"+trapped)
		r.step(1, "2:"+trapped)
		if object.Flags() != 0 {
			t.Errorf("the object's flags are %d", object.Flags())
		}
	})
}

func TestForgottenNeighbourLastsAsLongAsItsGroup(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		a, b := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3")
		hop := func() (used bool) {
			e, _ := r.at(1)
			return e.Action == asic.Forward && e.Hops[0].Neighbor == a
		}
		r.NeighborChanged(a, true)
		r.submit(r.replace(1, 1, route(via(a)...)))
		r.expect("1:" + offloaded)
		fault := r.fault(asic.Fault{Operation: asic.ReplaceOperation})
		r.NeighborChanged(b, true)
		r.submit(r.replace(1, 2, route(via(b)...)))
		r.NeighborForgotten(a)
		r.expect("2:" + older)
		if !hop() || !a.Offloaded() {
			t.Error("the older entry does not forward to the neighbour any more")
		}
		r.LinkChanged(r.port, false)
		r.LinkChanged(r.port, true)
		r.settle()
		if hop() || a.Offloaded() {
			t.Error("the neighbour is valid though nobody found it when its link was back")
		}
		r.unfault(fault)
		r.submit(r.replace(1, 3, route(via(b)...)))
		if got := r.settled(); !slices.Contains(got, "3:"+offloaded) {
			t.Errorf("results %v", got)
		}
		r.NeighborForgotten(b) // used still
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 3), r.replace(1, 4, route(via(b)...)))
		if got := r.settled(); !slices.Contains(got, "4:"+trapped) || b.Offloaded() {
			t.Errorf("a neighbour is valid that went with its last group: %v", got)
		}
	})
}
