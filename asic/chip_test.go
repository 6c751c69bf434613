package asic_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// rig is a chip without a FIB: operations are made by hand, results are kept.
type rig struct {
	*asic.Chip
	t    *testing.T
	port *fib.Link

	mu      sync.Mutex // guards all following fields while the chip may run
	results []fib.Result
	batches []int // sizes of the hand-overs
}

// inBubble runs test with a running chip, in virtual time.
func inBubble(t *testing.T, cfg asic.Config, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		chip, err := asic.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{Chip: chip, t: t, port: &fib.Link{Name: "swp1", Index: 2}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			chip.Run(ctx, func(results []fib.Result) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.results = append(r.results, slices.Clone(results)...)
				r.batches = append(r.batches, len(results))
			})
		}()
		chip.LinkChanged(r.port, true)
		synctest.Wait()
		test(r)
		cancel()
		<-done
	})
}

// op makes an operation for prefix i of the family.
func (r *rig) op(kind fib.OpKind, family fib.Family, i int, rows ...uint32) fib.Op {
	pfx := netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/32", i))
	if family == fib.IPv6 {
		pfx = netip.MustParsePrefix(fmt.Sprintf("2001:db8::%x/128", i))
	}
	op := fib.Op{Kind: kind, Family: family, Table: fib.TableMain, Prefix: pfx, Last: kind == fib.OpDelete && len(rows) == 1}
	for n, row := range rows {
		ref := fib.Ref{Row: row, Generation: uint64(row), Info: &fib.Info{
			Type: fib.TypeUnicast, NextHops: []fib.NextHop{{Gateway: netip.MustParseAddr("10.0.1.2"), Link: r.port, Weight: 1}},
		}}
		if n == 0 {
			op.First = ref
		} else {
			op.More = append(op.More, ref)
		}
	}
	return op
}

// submit admits and queues, and fails the test if the chip refuses.
func (r *rig) submit(ops ...fib.Op) {
	r.t.Helper()
	for i := range ops {
		if err := r.Admit(&ops[i]); err != nil {
			r.t.Fatal(err)
		}
	}
	r.Submit(ops)
}

// settle waits for the chip.
func (r *rig) settle() { synctest.Wait() }

// settled waits for the chip and returns what it reported since the last call, as row:flags.
func (r *rig) settled() (list []string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, res := range r.results {
		switch {
		case res.Gone:
			list = append(list, "gone")
		case res.Abandoned:
			list = append(list, fmt.Sprintf("%d abandoned", res.Ref.Row))
		default:
			list = append(list, fmt.Sprintf("%d:%d", res.Ref.Row, res.Flags))
		}
	}
	r.results = nil
	return list
}

func (r *rig) expect(want ...string) {
	r.t.Helper()
	if got := r.settled(); !slices.Equal(got, want) {
		r.t.Errorf("results %v, want %v", got, want)
	}
}

// entries returns the entries of table main.
func (r *rig) entries(family fib.Family) (list []asic.Entry) {
	all := [...]string{"0.0.0.0/0", "::/0"}[family]
	r.View(func(v *asic.View) { list = slices.Collect(v.Within(family, fib.TableMain, netip.MustParsePrefix(all))) })
	return list
}

func (r *rig) occupancy(path string) uint64 {
	for _, res := range r.Resources() {
		if res.Path == path {
			return res.Occupancy
		}
	}
	r.t.Fatalf("no resource %q", path)
	return 0
}

// Results as settled writes them.
const offloaded, trapped, failed = "1", "2", "4"

func TestPausedChipDoesExactlyTheStepsAllowed(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		if _, err := r.Step(r.t.Context(), 1); !errors.Is(err, asic.ErrNotPaused) {
			t.Errorf("step of a running chip: %v", err)
		}
		if err := r.Pause(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			r.submit(r.op(fib.OpReplace, fib.IPv4, i, uint32(i+1)))
		}
		r.expect()
		r.LinkChanged(r.port, true) // costs no step
		for _, step := range []struct{ allowed, done, left int }{{2, 2, 3}, {2, 2, 1}, {9, 1, 0}, {1, 0, 0}} {
			n, err := r.Step(r.t.Context(), step.allowed)
			if left := r.Stats().QueueLength; err != nil || n != step.done || left != step.left {
				t.Errorf("step %d: did %d, left %d, %v; want %d, %d", step.allowed, n, left, err, step.done, step.left)
			}
		}
		r.expect("1:"+offloaded, "2:"+offloaded, "3:"+offloaded, "4:"+offloaded, "5:"+offloaded)
		r.Resume()
		r.submit(r.op(fib.OpReplace, fib.IPv4, 9, 9))
		r.expect("9:" + offloaded)
	})
}

func TestPauseStandsBetweenTwoOperations(t *testing.T) {
	inBubble(t, asic.Config{Profile: asic.Netdevsim}, func(r *rig) {
		for i := range 10 {
			r.submit(r.op(fib.OpReplace, fib.IPv4, i, uint32(i+1)))
		}
		time.Sleep(3500 * time.Microsecond) // in the middle of the fourth
		if err := r.Pause(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(r.settled()); got != 4 {
			t.Errorf("%d operations were done when pause answered, want 4", got)
		}
		if got := r.Stats().QueueLength; got != 6 {
			t.Errorf("queue length %d, want 6", got)
		}
		time.Sleep(time.Second)
		r.expect()
		r.Resume()
		time.Sleep(time.Second)
		if got := len(r.settled()); got != 6 {
			t.Errorf("%d operations after resume, want 6", got)
		}
	})
}

func TestReserveHoldsRequestsBackUntilThereIsRoom(t *testing.T) {
	inBubble(t, asic.Config{QueueCapacity: 3}, func(r *rig) {
		if err := r.Pause(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := r.Reserve(r.t.Context()); err != nil {
				t.Fatal(err)
			}
			r.submit(r.op(fib.OpReplace, fib.IPv4, i, uint32(i+1)))
		}
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		if err := r.Reserve(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("reserve in a full queue: %v", err)
		}
		admitted := make(chan error, 1)
		go func() { admitted <- r.Reserve(r.t.Context()) }()
		synctest.Wait()
		if _, err := r.Step(r.t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := <-admitted; err != nil {
			t.Errorf("reserve after a step: %v", err)
		}
	})
}

func TestTakeOverReportsTheNewRouteBeforeTheOldOne(t *testing.T) {
	for _, profile := range []*asic.Profile{asic.Switch, asic.Netdevsim} {
		flags := map[*asic.Profile]string{asic.Switch: offloaded, asic.Netdevsim: trapped}[profile]
		inBubble(t, asic.Config{Profile: profile}, func(r *rig) {
			r.submit(r.op(fib.OpReplace, fib.IPv4, 1, 1), r.op(fib.OpReplace, fib.IPv4, 1, 2), r.op(fib.OpDelete, fib.IPv4, 1, 2))
			time.Sleep(time.Second)
			r.expect("1:"+flags, "2:"+flags, "1:0", "gone")
			if got := r.occupancy(asic.PathIPv4FIB); got != 0 {
				t.Errorf("%s: occupancy %d at the end", profile.Name, got)
			}
		})
	}
}

func TestFullTableRefusesOrFailsAsTheProfileSays(t *testing.T) {
	sizes := map[string]uint64{asic.PathIPv4FIB: 1}
	inBubble(t, asic.Config{Sizes: sizes}, func(r *rig) {
		r.submit(r.op(fib.OpReplace, fib.IPv4, 1, 1), r.op(fib.OpReplace, fib.IPv4, 2, 2), r.op(fib.OpReplace, fib.IPv4, 1, 3), r.op(fib.OpReplace, fib.IPv6, 1, 4))
		r.expect("1:"+offloaded, "2:"+failed, "3:"+offloaded, "1:0", "4:"+offloaded)
	})
	inBubble(t, asic.Config{Profile: asic.Netdevsim, Sizes: sizes}, func(r *rig) {
		r.submit(r.op(fib.OpReplace, fib.IPv4, 1, 1))
		second, again := r.op(fib.OpReplace, fib.IPv4, 2, 2), r.op(fib.OpReplace, fib.IPv4, 1, 3)
		for _, op := range []*fib.Op{&second, &again} { // also the one that needs no room
			if err := r.Admit(op); !errors.Is(err, asic.ErrTableFull) {
				t.Errorf("admit in a full table: %v", err)
			}
		}
		again.Promotion = true
		if err := r.Admit(&again); err != nil {
			t.Errorf("a promotion was refused: %v", err)
		}
	})
}

// nothing is a log that keeps nothing.
type nothing struct{}

func (nothing) Publish([]fib.Event) uint64 { return 0 }
func (nothing) Head() uint64               { return 0 }

func TestReloadGoesOnWhenItsCallerGoesAway(t *testing.T) {
	inBubble(t, asic.Config{Profile: asic.Netdevsim}, func(r *rig) {
		f := fib.New(r.Chip, nothing{})
		if _, err := f.Attach(); err != nil { // ::1
			r.t.Fatal(err)
		}
		r.SetLatency(asic.LatencyModel{Mean: time.Second})
		r.submit(r.op(fib.OpReplace, fib.IPv4, 1, 1))
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
		defer cancel()
		if n, err := r.Reload(ctx, f); n != 1 || err != nil {
			r.t.Errorf("reload: %d replayed, %v", n, err)
		}
		if r.Stats().ReloadFailed {
			r.t.Error("the reload is said to have failed")
		}
		if _, err := r.Reload(ctx, f); !errors.Is(err, context.DeadlineExceeded) || r.Stats().ReloadFailed {
			r.t.Errorf("a reload that nobody waits for any more began: %v", err)
		}
	})
}

func TestSiblingsJoinAndLeaveAnEntry(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.submit(r.op(fib.OpReplace, fib.IPv6, 1, 1, 2))
		r.expect("1:"+offloaded, "2:"+offloaded)
		r.submit(r.op(fib.OpAppend, fib.IPv6, 1, 3))
		r.expect("3:" + offloaded)
		leave := r.op(fib.OpDelete, fib.IPv6, 1, 1)
		leave.Last = false
		r.submit(leave)
		r.expect("gone")
		var rows []uint32
		for _, e := range r.entries(fib.IPv6) {
			for _, ref := range e.Routes {
				rows = append(rows, ref.Row)
			}
		}
		if !slices.Equal(rows, []uint32{2, 3}) {
			t.Errorf("entry holds rows %v, want 2 and 3", rows)
		}
		r.submit(r.op(fib.OpAppend, fib.IPv6, 7, 8)) // to an entry that is not there
		r.expect("8:" + failed)
	})
}

func TestRoutesAreJudgedAgainWhenTheirLinkChanges(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		other := &fib.Link{Name: "swp2", Index: 3}
		r.LinkChanged(other, true)
		onOther := r.op(fib.OpReplace, fib.IPv4, 2, 2)
		onOther.First.Info.NextHops[0].Link = other
		both := r.op(fib.OpReplace, fib.IPv4, 3, 3)
		both.First.Info.NextHops = append(both.First.Info.NextHops, fib.NextHop{Link: other, Weight: 1})
		r.submit(r.op(fib.OpReplace, fib.IPv4, 1, 1), onOther, both)
		r.expect("1:"+offloaded, "2:"+offloaded, "3:"+offloaded)
		r.LinkChanged(r.port, false)
		r.expect("1:" + trapped)
		r.LinkChanged(r.port, false) // no change
		r.expect()
		r.LinkChanged(other, false)
		if got := r.settled(); len(got) != 2 || !slices.Contains(got, "2:"+trapped) || !slices.Contains(got, "3:"+trapped) {
			t.Errorf("results %v, want rows 2 and 3 trapped", got)
		}
		r.LinkChanged(r.port, true)
		if got := r.settled(); len(got) != 2 || !slices.Contains(got, "1:"+offloaded) || !slices.Contains(got, "3:"+offloaded) {
			t.Errorf("results %v, want rows 1 and 3 offloaded", got)
		}
	})
}

func TestWorkIsHandedOverInBatchesUnlessItTakesTime(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		if err := r.Pause(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			r.submit(r.op(fib.OpReplace, fib.IPv4, i, uint32(i+1)))
		}
		r.Resume()
		if got := len(r.settled()); got != 200 || len(r.batches) != 1 {
			t.Errorf("%d results in %d hand-overs, want 200 in one", got, len(r.batches))
		}
		r.SetLatency(asic.LatencyModel{Mean: time.Hour})
		r.batches = nil
		r.submit(r.op(fib.OpReplace, fib.IPv4, 1, 301), r.op(fib.OpReplace, fib.IPv4, 2, 302))
		time.Sleep(time.Hour + time.Minute)
		r.expect("301:"+offloaded, "2:0") // row 2 held prefix 1 before; prefix 2 still takes its time
	})
}
