package asic_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// stepTo goes to a position after the one at which the test began, and expects results.
func (r *rig) stepTo(base, units uint64, want ...string) {
	r.t.Helper()
	if reached, err := r.StepTo(r.t.Context(), base+units); err != nil || reached != base+units {
		r.t.Errorf("at %d, want %d: %v", reached-base, units, err)
	}
	r.expect(want...)
}

func TestAHeldChipGoesNoFurtherThanItIsTold(t *testing.T) {
	inBubble(t, asic.Config{QueueCapacity: 2}, func(r *rig) {
		if _, err := r.StepTo(r.t.Context(), 9); !errors.Is(err, asic.ErrNotPaused) {
			t.Errorf("of a running chip: %v", err)
		}
		base := r.Stats().Position
		if err := r.Hold(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		n := gateway(r.port, "10.0.1.2")
		r.submit(r.replace(1, 1, route(via(n)...)), r.blackhole(2, 2), r.blackhole(3, 3))
		r.NeighborChanged(n, true)
		if err := r.Reserve(r.t.Context()); err != nil {
			t.Errorf("a request is held back: %v", err)
		}
		r.pause()
		if done, err := r.Step(r.t.Context(), 2); done != 0 || err != nil {
			t.Errorf("step did %d: %v", done, err)
		}
		r.Unpause()
		f := fib.New(r.Chip, nothing{})
		if _, err := r.Reload(r.t.Context(), f); err != nil {
			t.Errorf("reload: %v", err)
		}
		r.expect()
		r.stepTo(base, 1, "1:"+trapped)
		r.stepTo(base, 3, "2:"+offloaded, "3:"+offloaded)
		r.stepTo(base, 4)                 // the neighbour
		r.stepTo(base, 5)                 // its group
		r.stepTo(base, 6, "1:"+offloaded) // the group's entry
		if r.Stats().Programmed != 3 || !r.Stats().ReloadFailed {
			t.Errorf("%+v", r.Stats())
		}
		r.stepTo(base, 7, "3:0", "2:0", "1:0") // the reload
		r.Unhold()
		synctest.Wait()
		if s := r.Stats(); s.Held || s.ReloadFailed || s.QueueLength != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestThatAFaultRuleDelaysOrStallsIsAUnit(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.SetLatency(asic.LatencyModel{Mean: time.Second})
		base := r.Stats().Position
		if err := r.Hold(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		r.fault(asic.Fault{Effect: asic.Delay, Delay: time.Minute, First: 1})
		stall := r.fault(asic.Fault{Effect: asic.Stall, Operation: asic.AddOperation})
		r.fault(asic.Fault{Effect: asic.Fail})
		r.submit(r.blackhole(1, 1), r.blackhole(2, 2), r.blackhole(3, 3))
		r.stepTo(base, 1) // the delay begins
		start := time.Now()
		r.stepTo(base, 2, "1:"+offloaded)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v", took)
		}
		r.stepTo(base, 3) // the stall begins
		reached, err := r.StepTo(r.t.Context(), base+9)
		if reached != base+3 || err != nil {
			t.Errorf("a stalled chip is at %d: %v", reached-base, err)
		}
		r.unfault(stall)
		r.stepTo(base, 5, "2:"+offloaded, "3:"+failed)
	})
}

// Whatever the speed, the same calls at the same positions have the same results in the same order.
func TestWhatIsDoneDependsOnPositionsOnly(t *testing.T) {
	run := func(exact, held bool) (list []string) {
		inBubble(t, asic.Config{}, func(r *rig) {
			n := gateway(r.port, "10.0.1.2")
			base := r.Stats().Position
			if exact {
				r.Exactly(true)
				defer r.Exactly(false)
			}
			if held {
				if err := r.Hold(r.t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r.pause()
			r.submit(r.many(2_500, route(via(n)...))...)
			r.NeighborChanged(n, true)
			for i := range 200 {
				r.submit(r.blackhole(i, uint32(10_001+i)))
			}
			r.Unpause()
			if held {
				for units := uint64(1); r.Stats().QueueLength > 0; units += 7 {
					if _, err := r.StepTo(r.t.Context(), base+units); err != nil {
						t.Fatal(err)
					}
				}
			}
			ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
			defer cancel()
			if err := r.Idle(ctx); err != nil {
				t.Fatal(err)
			}
			list = r.settled()
		})
		return list
	}
	want := run(false, false)
	if len(want) < 5_000 {
		t.Errorf("%d results", len(want))
	}
	for _, held := range []bool{false, true} {
		if got := run(true, held); !slices.Equal(got, want) {
			t.Errorf("held %t: %d results, want %d, or in another order", held, len(got), len(want))
		}
	}
}
