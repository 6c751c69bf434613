package asic_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

func (r *rig) pause() {
	r.t.Helper()
	if err := r.Pause(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// step lets so many operations through, and expects these results.
func (r *rig) step(n int, want ...string) {
	r.t.Helper()
	if done, err := r.Step(r.t.Context(), n); err != nil || done != n {
		r.t.Fatalf("step %d did %d: %v", n, done, err)
	}
	r.expect(want...)
}

func (r *rig) fault(f asic.Fault) uint64 {
	r.t.Helper()
	f.AnyFamily = true
	f, err := r.AddFault(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return f.ID
}

func (r *rig) unfault(id uint64) {
	r.t.Helper()
	if err := r.DeleteFault(id); err != nil {
		r.t.Fatal(err)
	}
}

func TestFaultRulesMatchAndTakeTurns(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		id := r.fault(asic.Fault{Prefix: netip.MustParsePrefix("192.0.2.0/31"), Operation: asic.AddOperation, Reason: fib.ReasonHardwareError})
		r.submit(r.blackhole(0, 1), r.blackhole(1, 2), r.blackhole(2, 3))
		r.settle()
		if r.results[0].Reason != fib.ReasonHardwareError {
			t.Errorf("reason %v", r.results[0].Reason)
		}
		r.expect("1:"+failed, "2:"+failed, "3:"+offloaded)
		r.unfault(id)
		r.fault(asic.Fault{Operation: asic.ReplaceOperation, Every: 2})
		r.submit(r.blackhole(2, 4), r.blackhole(2, 5), r.blackhole(2, 6))
		r.expect("4:"+offloaded, "3:0", "5:"+older, "6:"+offloaded, "4:0")
		r.fault(asic.Fault{Table: 100, First: 1})
		for row := uint32(10); row < 12; row++ {
			op := r.blackhole(7, row)
			op.Table = 100
			r.submit(op)
		}
		r.expect("10:"+failed, "11:"+offloaded)
		if got := r.Faults(); len(got) != 2 || got[0].Matched != 3 || got[0].Hits != 1 || got[1].Matched != 2 || got[1].Hits != 1 {
			t.Errorf("rules %+v", got)
		}
		if err := r.DeleteFault(id); !errors.Is(err, asic.ErrFaultNotFound) {
			t.Errorf("a deleted rule is deleted again: %v", err)
		}
		r.unfault(0)
		if got := r.Faults(); len(got) != 0 {
			t.Errorf("rules %+v", got)
		}
	})
}

func TestChanceOfARuleDependsOnTheSeedAndNotOnOtherRules(t *testing.T) {
	run := func(seed uint64, extra bool) (list []string) {
		inBubble(t, asic.Config{Seed: seed}, func(r *rig) {
			r.fault(asic.Fault{Probability: 0.5, Prefix: netip.MustParsePrefix("192.0.2.0/24")})
			if extra {
				r.fault(asic.Fault{Probability: 0.5, Prefix: netip.MustParsePrefix("198.51.100.0/24")})
			}
			for i := range 100 {
				r.submit(r.blackhole(i, uint32(i+1)))
				if extra {
					op := r.blackhole(i, uint32(i+1000))
					op.Prefix = netip.MustParsePrefix("198.51.100.0/24")
					r.submit(op)
				}
			}
			for _, s := range r.settled() {
				if len(s) < 6 { // rows below 1000
					list = append(list, s)
				}
			}
		})
		return list
	}
	first := run(1, false)
	if !slices.Equal(first, run(1, false)) || slices.Equal(first, run(2, false)) {
		t.Error("what fails does not follow from the seed")
	}
	if hits := len(first) - len(slices.DeleteFunc(slices.Clone(first), func(s string) bool { return s[len(s)-1:] == failed })); hits < 30 || hits > 70 {
		t.Errorf("%d of 100 failed", hits)
	}
	if !slices.Equal(first, slices.DeleteFunc(run(1, true), func(s string) bool { return len(s) > 5 })) {
		t.Error("another rule changes what fails")
	}
}

func TestDelayIsAddedToTheLatency(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.SetLatency(asic.LatencyModel{Mean: time.Second})
		r.fault(asic.Fault{Effect: asic.Delay, Delay: time.Second, First: 1})
		r.submit(r.blackhole(1, 1), r.blackhole(2, 2))
		time.Sleep(1900 * time.Millisecond)
		r.expect()
		time.Sleep(200 * time.Millisecond)
		r.expect("1:" + offloaded)
		time.Sleep(time.Second)
		r.expect("2:" + offloaded)
	})
}

func TestStallHoldsEverythingUntilTheRuleIsDeleted(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.submit(r.blackhole(9, 9))
		r.expect("9:" + offloaded)
		id := r.fault(asic.Fault{Effect: asic.Stall, Prefix: netip.MustParsePrefix("192.0.2.1/32")})
		r.submit(r.blackhole(0, 1), r.blackhole(1, 2), r.blackhole(2, 3))
		r.expect("1:" + offloaded)
		items, total := r.Queue(9)
		if total != 2 || !items[0].Stalled || items[1].Stalled {
			t.Errorf("queue %+v", items)
		}
		if e, ok := r.at(9); !ok || e.Action != asic.Drop {
			t.Error("a stalled chip cannot be looked at")
		}
		r.View(func(v *asic.View) {
			for i, want := range []bool{false, true, true, false} {
				if got := v.Pending(fib.IPv4, fib.TableMain, r.blackhole(i, 1).Prefix); got != want {
					t.Errorf("prefix %d pending: %v", i, got)
				}
			}
		})
		r.pause() // does not hang
		if n, err := r.Step(r.t.Context(), 5); n != 0 || err != nil {
			t.Errorf("a stalled chip did %d steps: %v", n, err)
		}
		r.Resume()
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		if err := r.Idle(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("idle while stalled: %v", err)
		}
		other := r.fault(asic.Fault{Prefix: netip.MustParsePrefix("192.0.2.7/32")})
		r.unfault(other)
		r.expect()
		r.unfault(id)
		r.expect("2:"+offloaded, "3:"+offloaded)
	})
}

func TestDelayEndsWithItsRuleAndIsInterruptedByAPause(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		delay := r.fault(asic.Fault{Effect: asic.Delay, Delay: time.Hour})
		r.submit(r.blackhole(1, 1), r.blackhole(2, 2))
		r.expect()
		r.unfault(delay)
		r.expect("1:"+offloaded, "2:"+offloaded)

		delay = r.fault(asic.Fault{Effect: asic.Delay, Delay: time.Hour, First: 1})
		r.submit(r.blackhole(3, 3), r.blackhole(4, 4))
		time.Sleep(20 * time.Minute)
		start := time.Now()
		r.pause()
		if took := time.Since(start); took != 0 {
			t.Errorf("pause took %v", took)
		}
		time.Sleep(10 * time.Hour)
		r.expect()
		r.Resume()
		time.Sleep(39 * time.Minute)
		r.expect()
		time.Sleep(2 * time.Minute)
		r.expect("3:"+offloaded, "4:"+offloaded)
		r.unfault(delay)

		delay = r.fault(asic.Fault{Effect: asic.Delay, Delay: time.Hour, First: 1})
		r.submit(r.blackhole(5, 5), r.blackhole(6, 6))
		r.settle()
		r.pause()
		r.unfault(delay) // what it delayed is done by the next step
		start = time.Now()
		r.step(1, "5:"+offloaded)
		if took := time.Since(start); took != 0 {
			t.Errorf("the step took %v", took)
		}
		r.fault(asic.Fault{Effect: asic.Delay, Delay: time.Second})
		r.step(1, "6:"+offloaded)
		if took := time.Since(start); took != time.Second {
			t.Errorf("the step took %v", took)
		}
	})
}

func TestStalledStepGoesOnLater(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		id := r.fault(asic.Fault{Effect: asic.Stall, Prefix: netip.MustParsePrefix("192.0.2.1/32")})
		r.pause()
		r.submit(r.blackhole(0, 1), r.blackhole(1, 2), r.blackhole(2, 3))
		if n, err := r.Step(r.t.Context(), 3); n != 1 || err != nil {
			t.Errorf("did %d steps: %v", n, err)
		}
		r.expect("1:" + offloaded)
		r.unfault(id)
		r.expect()
		r.step(1, "2:"+offloaded)
		r.Resume()
		r.expect("3:" + offloaded)
	})
}

func TestReloadAbandonsWhatIsStalled(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		f := fib.New(r.Chip, nothing{})
		reload := func() {
			r.t.Helper()
			if _, err := r.Reload(r.t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(want ...string) {
			r.t.Helper()
			got := slices.DeleteFunc(r.settled(), func(s string) bool { return strings.HasPrefix(s, "1:") }) // a row of f
			if !slices.Equal(got, want) {
				r.t.Errorf("results %v, want %v", got, want)
			}
		}
		n := gateway(r.port, "10.0.1.2")
		r.submit(r.blackhole(0, 12), r.replace(4, 5, route(via(n)...)))
		stall := r.fault(asic.Fault{Effect: asic.Stall, Prefix: netip.MustParsePrefix("192.0.2.1/32")})
		r.submit(r.blackhole(1, 2), r.op(fib.OpDelete, fib.IPv4, 0, 12))
		expect("12:"+offloaded, "5:"+trapped)
		r.NeighborChanged(n, true) // changes nothing any more
		reload()
		expect("2 abandoned", "12 abandoned", "5:0", "12:0")
		r.submit(r.replace(4, 6, route(via(n)...)))
		expect("6:" + offloaded) // what was said of the neighbour counts

		r.submit(r.blackhole(1, 3)) // stalled already when the chip is paused
		r.pause()
		r.submit(r.blackhole(2, 4))
		reload()
		expect("3 abandoned", "4 abandoned", "6:0")
		r.submit(r.blackhole(0, 7), r.blackhole(1, 8), r.blackhole(2, 9)) // all in the queue at once
		reload()
		expect("7:"+offloaded, "8 abandoned", "9 abandoned", "7:0")
		r.Resume()
		r.unfault(stall)

		r.fault(asic.Fault{Effect: asic.Stall, Operation: asic.NextHopOperation})
		r.submit(r.replace(4, 10, route(via(n)...)))
		expect("10:" + offloaded)
		r.NeighborChanged(n, false)
		r.submit(r.blackhole(1, 11))
		expect()
		reload()
		expect("11 abandoned", "10:0")
		if err := r.Idle(r.t.Context()); err != nil || n.Offloaded() {
			t.Errorf("after the reload: %v, offloaded %v", err, n.Offloaded())
		}
	})
}

func TestRuleCannotHoldUpAChipThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip, err := asic.New(asic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			chip.Run(ctx, func([]fib.Result) {})
		}()
		if _, err := chip.AddFault(asic.Fault{AnyFamily: true, Effect: asic.Stall}); err != nil {
			t.Fatal(err)
		}
		chip.Submit([]fib.Op{{Prefix: prefix4(1), Table: 254, First: fib.Ref{Info: &fib.Info{Type: fib.TypeBlackhole}}}})
		synctest.Wait()
		cancel()
		<-done
	})
}

func TestFailedDeleteLeavesTheEntryAndIsTriedAgain(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.submit(r.blackhole(1, 1), r.blackhole(2, 2))
		r.settled()
		id := r.fault(asic.Fault{Operation: asic.DeleteOperation})
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1), r.op(fib.OpDelete, fib.IPv4, 2, 2), r.op(fib.OpDelete, fib.IPv4, 3, 3))
		r.settle()
		for i, res := range r.results {
			if failure := res.Reason != fib.ReasonNone; !res.Gone || !res.Final || failure != (i < 2) {
				t.Errorf("result %+v", res)
			}
		}
		r.settled()
		if got := r.Stats().Undeleted; got != 2 {
			t.Errorf("%d undeleted", got)
		}
		r.submit(r.blackhole(2, 4)) // takes the place
		r.expect("4:"+offloaded, "2:0")
		if got := r.Stats().Undeleted; got != 1 {
			t.Errorf("%d undeleted", got)
		}
		r.fault(asic.Fault{Prefix: netip.MustParsePrefix("203.0.113.0/24")}) // tries again, and fails again
		r.expect()
		if _, ok := r.at(1); !ok || r.Stats().Undeleted != 1 {
			t.Error("the entry has gone")
		}
		r.unfault(id)
		r.expect()
		if _, ok := r.at(1); ok || r.Stats().Undeleted != 0 {
			t.Error("the entry is still there")
		}
		r.expectUsed("IPv4/fib=1")
	})
}

func TestOlderEntryGoesAndTheFailedRouteIsTold(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.submit(r.blackhole(1, 1))
		del := r.fault(asic.Fault{Operation: asic.DeleteOperation})
		r.settled()
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1))
		r.settled()
		r.fault(asic.Fault{Operation: asic.ReplaceOperation})
		r.submit(r.blackhole(1, 2))
		r.expect("2:" + older)
		r.unfault(del) // now the first one can go
		r.expect("2:" + failed)
		if _, ok := r.at(1); ok {
			t.Error("the entry is still there")
		}
	})
}

func TestFaultInAGroupLeavesItWithoutNextHops(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		a, b := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.2.2")
		r.submit(r.replace(1, 1, route(via(a)...)), r.replace(2, 2, route(via(b)...)))
		r.expect("1:"+trapped, "2:"+trapped)
		id := r.fault(asic.Fault{Operation: asic.NextHopOperation, Prefix: netip.MustParsePrefix("10.0.1.0/24")})
		r.NeighborChanged(a, true)
		r.NeighborChanged(b, true)
		r.expect("2:" + offloaded)
		r.unfault(id)
		r.expect("1:" + offloaded)
		stall := r.fault(asic.Fault{Operation: asic.NextHopOperation, Effect: asic.Stall, Prefix: netip.MustParsePrefix("10.0.1.0/24")})
		r.NeighborChanged(a, false)
		r.submit(r.blackhole(3, 3))
		r.expect()
		r.pause()
		r.Resume()
		r.unfault(stall)
		if got := r.settled(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"1:" + trapped, "3:" + offloaded}) {
			t.Errorf("results %v", got)
		}
	})
}

func TestRouteThatWasThereAndFailedIsToldThatItLeft(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.submit(r.blackhole(1, 1))
		r.settled()
		r.fault(asic.Fault{})
		r.submit(r.blackhole(1, 2), r.blackhole(1, 1)) // a better one comes and goes
		r.expect("2:"+older, "1:"+older)
		r.Submit([]fib.Op{{Kind: fib.OpClear}})
		r.expect("1:0")
	})
}
