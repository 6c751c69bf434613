package asic_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// older is how settled writes a failure while an older entry is there.
const older = "12"

// blackhole makes a Replace of prefix i that needs no next hop.
func (r *rig) blackhole(i int, row uint32) fib.Op {
	return r.replace(i, row, &fib.Info{Type: fib.TypeBlackhole})
}

func (r *rig) waiting(want int) {
	r.t.Helper()
	if got := r.Stats().WaitingForRoom; got != want {
		r.t.Errorf("%d routes wait for room, want %d", got, want)
	}
}

func TestFailedRoutesAreProgrammedWhenRoomComesBackOldestFirst(t *testing.T) {
	inBubble(t, asic.Config{Sizes: map[string]uint64{asic.PathIPv4FIB: 2}}, func(r *rig) {
		r.SetRetryFailed(true)
		r.submit(r.blackhole(1, 1), r.blackhole(2, 2), r.blackhole(3, 3), r.blackhole(4, 4), r.blackhole(5, 5))
		r.expect("1:"+offloaded, "2:"+offloaded, "3:"+failed, "4:"+failed, "5:"+failed)
		r.waiting(3)
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1))
		r.expect("gone", "3:"+offloaded)
		r.submit(r.blackhole(4, 6)) // a replaced one waits as a new one
		r.expect("6:" + failed)
		r.submit(r.op(fib.OpDelete, fib.IPv4, 2, 2))
		r.expect("gone", "5:"+offloaded)
		r.submit(r.op(fib.OpDelete, fib.IPv4, 4, 6))
		r.expect("gone")
		r.waiting(0)
	})
}

func TestRetriedRoutesSayWhenTheyWereAccepted(t *testing.T) {
	inBubble(t, asic.Config{Sizes: map[string]uint64{asic.PathIPv4FIB: 1}}, func(r *rig) {
		second := r.blackhole(2, 2)
		second.Accepted = 17
		r.submit(r.blackhole(1, 1), second, r.op(fib.OpDelete, fib.IPv4, 1, 1))
		r.expect("1:"+offloaded, "2:"+failed, "gone")
		r.SetRetryFailed(true)
		r.settle()
		if last := r.results[len(r.results)-1]; last.Accepted != 17 || last.Final || last.Flags != fib.FlagOffload {
			t.Errorf("result of the other attempt: %+v", last)
		}
	})
}

func TestRoomFreedWhileARetryIsQueued(t *testing.T) {
	inBubble(t, asic.Config{Sizes: map[string]uint64{asic.PathIPv4FIB: 2}}, func(r *rig) {
		r.SetRetryFailed(true)
		r.submit(r.blackhole(1, 1), r.blackhole(2, 2), r.blackhole(3, 3), r.blackhole(4, 4))
		r.settled()
		r.pause()
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1))
		r.step(1, "gone")
		items, _ := r.Queue(9)
		if len(items) != 1 || items[0].Operation != "replace" || items[0].Generations[0] != 3 {
			t.Fatalf("queue %+v, want another attempt at route 3", items)
		}
		r.submit(r.op(fib.OpDelete, fib.IPv4, 3, 3), r.op(fib.OpDelete, fib.IPv4, 2, 2))
		r.step(1, "3:"+offloaded)
		r.step(1, "gone") // of 3, which leaves room for 4
		r.Resume()
		r.expect("gone", "4:"+offloaded)
		r.waiting(0)
	})
}

func TestRouteReplacedWhileItsRetryIsQueued(t *testing.T) {
	inBubble(t, asic.Config{Sizes: map[string]uint64{asic.PathIPv4FIB: 1}}, func(r *rig) {
		r.SetRetryFailed(true)
		r.submit(r.blackhole(1, 1), r.blackhole(2, 2))
		r.settled()
		r.pause()
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1), r.blackhole(2, 3)) // 3 goes before the attempt at 2
		r.Resume()
		r.expect("gone", "3:"+offloaded)
		r.waiting(0)
	})
}

func TestReplaceThatNeedsASecondRowKeepsTheOlderEntry(t *testing.T) {
	p := profile(t, "make_before_break: true\nsizes: {IPv4/fib: 510}")
	inBubble(t, asic.Config{Profile: p}, func(r *rig) {
		prefix := func(i int, kind fib.OpKind, row uint32) fib.Op {
			op := r.op(kind, fib.IPv4, 1, row)
			op.Prefix, op.First.Info = prefix4(i), &fib.Info{Type: fib.TypeBlackhole}
			return op
		}
		for i := range 600 {
			r.submit(prefix(i, fib.OpReplace, uint32(i+1)))
		}
		for i, got := range r.settled() {
			want := fmt.Sprintf("%d:%s", i+1, map[bool]string{true: offloaded, false: failed}[i < 510])
			if got != want {
				t.Fatalf("route %d: %s, want %s", i, got, want)
			}
		}
		r.waiting(90)
		r.submit(prefix(0, fib.OpReplace, 1001))
		r.expect("1001:" + older)
		r.waiting(91)
		r.submit(prefix(599, fib.OpDelete, 600)) // never programmed
		r.expect("gone")
		r.expectUsed("IPv4/fib=510")
		r.submit(prefix(1, fib.OpDelete, 2), prefix(0, fib.OpReplace, 1002))
		r.expect("gone", "1002:"+offloaded, "1:0")
		r.expectUsed("IPv4/fib=509")
		r.SetRetryFailed(true)
		r.expect("511:" + offloaded)
		r.submit(prefix(0, fib.OpReplace, 1003), prefix(0, fib.OpDelete, 1003))
		r.expect("1003:"+older, "gone", "512:"+offloaded)
	})
}

func TestRowsDependOnThePrefixAndCanShareAMemory(t *testing.T) {
	p := profile(t, `
ipv6_beyond_64_rows: 2
host_routes_in_hosts: true
ipv6_host_rows: 2
memory: {size: 6, tables: [IPv4/fib, IPv6/fib, hosts]}`)
	inBubble(t, asic.Config{Profile: p}, func(r *rig) {
		r.SetRetryFailed(true)
		add := func(row uint32, pfx string) fib.Op {
			op := fib.Op{Prefix: netip.MustParsePrefix(pfx), Table: fib.TableMain, First: fib.Ref{Row: row, Generation: uint64(row), Info: &fib.Info{Type: fib.TypeBlackhole}}}
			op.Family = fib.FamilyOf(op.Prefix.Addr())
			return op
		}
		r.submit(add(1, "192.0.2.0/24"), add(2, "192.0.2.1/32"), add(3, "2001:db8::/64"), add(4, "2001:db8::/65"), add(5, "2001:db8::1/128"))
		r.expect("1:"+offloaded, "2:"+offloaded, "3:"+offloaded, "4:"+offloaded, "5:"+failed)
		r.expectUsed("IPv4/fib=1", "IPv6/fib=3", "hosts=1", "memory=5")
		r.submit(add(6, "192.0.2.0/25"), add(7, "192.0.2.2/32"))
		r.expect("6:"+offloaded, "7:"+failed)
		gone := add(4, "2001:db8::/65")
		gone.Kind, gone.Last = fib.OpDelete, true
		r.submit(gone)
		r.expect("gone", "5:"+offloaded)
		r.expectUsed("IPv4/fib=2", "IPv6/fib=1", "hosts=3", "memory=6")
	})
}

func TestGroupWithoutRoomTrapsAndIsTakenUpLater(t *testing.T) {
	for _, text := range []string{"sizes: {groups: 1}", "sizes: {group-members: 1}", "sizes: {hosts: 1}"} {
		inBubble(t, asic.Config{Profile: profile(t, text)}, func(r *rig) {
			a, b := gateway(r.port, "10.0.1.2"), gateway(r.port, "10.0.1.3")
			r.NeighborChanged(a, true)
			r.NeighborChanged(b, true)
			r.submit(r.replace(1, 1, route(via(a)...)), r.replace(2, 2, route(via(b)...)))
			r.settle()
			if last := r.results[len(r.results)-1]; last.Reason != fib.ReasonTableFull || last.Flags != fib.FlagTrap {
				t.Errorf("%s: second group: %+v", text, last)
			}
			r.expect("1:"+offloaded, "2:"+trapped)
			if b.Offloaded() {
				t.Errorf("%s: a gateway without room is offloaded", text)
			}
			r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1))
			r.expect("gone", "2:"+offloaded)
		})
	}
}
