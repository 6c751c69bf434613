package asic_test

import (
	"net/netip"
	"testing"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// in puts an operation into another table.
func in(table uint32, op fib.Op) fib.Op {
	op.Table = table
	return op
}

func TestLocalHidesMainHidesDefault(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.submit(r.blackhole(1, 1))
		r.expect("1:" + offloaded)
		r.submit(in(fib.TableDefault, r.blackhole(1, 2)))
		r.expect("2:0")
		r.submit(in(fib.TableLocal, r.blackhole(1, 3)))
		r.expect("3:"+offloaded, "1:0")
		r.submit(r.blackhole(1, 4)) // replaced while hidden
		r.expect("4:0")
		r.expectUsed("IPv4/fib=1")
		r.View(func(v *asic.View) {
			for _, table := range []uint32{fib.TableLocal, fib.TableMain, fib.TableDefault} {
				if e, ok := v.At(fib.IPv4, table, r.blackhole(1, 1).Prefix); !ok || e.Table != fib.TableLocal {
					t.Errorf("table %d has %+v", table, e)
				}
			}
			for range v.Within(fib.IPv4, fib.TableMain, netip.MustParsePrefix("0.0.0.0/0")) {
				t.Error("a hidden route is listed")
			}
		})
		r.submit(in(fib.TableLocal, r.op(fib.OpDelete, fib.IPv4, 1, 3)))
		r.expect("4:"+offloaded, "gone")
		r.submit(in(fib.TableDefault, r.op(fib.OpDelete, fib.IPv4, 1, 2))) // while hidden
		r.expect("gone")
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 4))
		r.expect("gone")
		r.expectUsed()
	})
}

func TestOtherTablesHideNothing(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.submit(in(100, r.blackhole(1, 1)), r.blackhole(1, 2))
		r.expect("1:"+offloaded, "2:"+offloaded)
	})
	inBubble(t, asic.Config{Profile: asic.Netdevsim}, func(r *rig) {
		r.SetLatency(asic.LatencyModel{})
		r.submit(in(fib.TableLocal, r.blackhole(1, 1)), r.blackhole(1, 2))
		r.expect("1:"+trapped, "2:"+trapped)
	})
}

func TestLongestPrefixWinsAcrossTablesThatAreOne(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		wide := in(fib.TableLocal, r.blackhole(0, 1))
		wide.Prefix = netip.MustParsePrefix("192.0.2.0/24")
		r.submit(wide, r.blackhole(1, 2), in(100, r.blackhole(3, 3)))
		r.settled()
		r.View(func(v *asic.View) {
			var e asic.Entry
			for _, c := range []struct {
				addr   string
				tables []uint32
				row    uint32
			}{
				{"192.0.2.1", []uint32{fib.TableLocal, fib.TableMain}, 2}, {"192.0.2.2", []uint32{fib.TableMain}, 1},
				{"192.0.2.3", []uint32{100, fib.TableMain}, 3}, {"192.0.2.4", []uint32{100}, 0}, {"198.51.100.1", []uint32{99, 254}, 0},
			} {
				ok := v.LookupInto(&e, netip.MustParseAddr(c.addr), c.tables)
				if ok != (c.row != 0) || ok && e.Routes[0].Row != c.row {
					t.Errorf("%s in %v: %+v", c.addr, c.tables, e)
				}
			}
		})
	})
}

func TestStaleRouteIsNotKeptBehindAnotherOne(t *testing.T) {
	inBubble(t, asic.Config{}, func(r *rig) {
		r.submit(r.blackhole(1, 1), r.blackhole(2, 2))
		r.settled()
		r.fault(asic.Fault{Operation: asic.DeleteOperation, First: 1})
		r.fault(asic.Fault{Table: fib.TableMain, Operation: asic.ReplaceOperation, First: 1})
		r.submit(r.op(fib.OpDelete, fib.IPv4, 1, 1)) // fails
		r.settled()
		r.submit(r.blackhole(2, 3)) // fails
		r.expect("3:" + older)
		r.submit(in(fib.TableLocal, r.blackhole(1, 4)), in(fib.TableLocal, r.blackhole(2, 5)))
		r.expect("4:"+offloaded, "1:0", "3:0", "5:"+offloaded, "2:0")
		r.submit(in(fib.TableLocal, r.op(fib.OpDelete, fib.IPv4, 1, 4)), in(fib.TableLocal, r.op(fib.OpDelete, fib.IPv4, 2, 5)))
		r.expect("gone", "3:"+offloaded, "gone")
	})
}
