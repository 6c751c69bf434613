package server

import (
	"bytes"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// randomEvent is an event in which everything that can be there is there now and then.
func randomEvent(r *rand.Rand, links []*fib.Link) *fib.Event {
	some := func() bool { return r.IntN(2) == 0 }
	number := func() uint32 { return uint32(r.Uint64() >> (32 + r.IntN(32))) } //nolint:gosec // fits
	addr := func() (a netip.Addr) {
		switch r.IntN(3) {
		case 0:
			return netip.AddrFrom4([4]byte{10, byte(number()), byte(number()), byte(number())})
		case 1:
			return netip.AddrFrom16([16]byte{0x20, 1, 13: byte(number()), 15: byte(number())})
		}
		return a
	}
	info := &fib.Info{Type: fib.Type(r.IntN(10)), Protocol: uint8(number()), Scope: fib.Scope(number()), PrefSrc: addr(), Multipath: some()} //nolint:gosec // cut
	if some() {
		info.Metrics = fib.Metrics{MTU: number(), MTULocked: some(), AdvMSS: number(), HopLimit: number() & 255, QuickAck: 1}
	}
	for range r.IntN(4) {
		info.NextHops = append(info.NextHops, fib.NextHop{Gateway: addr(), Link: links[r.IntN(len(links))], Weight: uint16(r.IntN(257)), Onlink: some()}) //nolint:gosec // fits
	}
	ev := &fib.Event{
		Kind: fib.Kind(r.IntN(int(fib.KindCount))), NLFlags: uint16(number()), Requested: some(), Silent: some(), Partial: some(), //nolint:gosec // cut
		Route: fib.Route{
			TOS: uint8(number()), Flags: fib.Flags(r.IntN(16)), Reason: fib.Reason(r.IntN(5)), Table: number(), Metric: number(), ID: r.Uint64() >> r.IntN(64), //nolint:gosec // cut
			Generation: r.Uint64() >> r.IntN(64), Info: info, Prefix: netip.MustParsePrefix("192.0.2.0/24"),
		},
	}
	object := &fib.NextHopView{ID: number(), Flags: fib.Flags(r.IntN(3)), Hop: fib.NextHop{Link: links[0]}} //nolint:gosec // small
	if some() {
		info.NextHopID, ev.Route.NextHop = number(), object
	}
	if some() {
		ev.Route.Family, ev.Route.Prefix, ev.Route.Source = fib.IPv6, netip.MustParsePrefix("2001:db8::/48"), netip.MustParsePrefix("2001:db8:1::/64")
	}
	if len(info.NextHops) > 0 && some() {
		for range r.IntN(5) {
			ev.Route.Siblings = append(ev.Route.Siblings, fib.Sibling{Info: info, Flags: fib.Flags(r.IntN(8))}) //nolint:gosec // small
		}
	}
	if !ev.Kind.AboutRoute() {
		ev.NextHop = object
	}
	return ev
}

// What the encoder writes by hand is, byte for byte, what the stock library writes of what it reads there.
func TestTheEncoderWritesWhatOthersWould(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s, err := New(Config{LogBytes: 1 << 14, Links: []Link{
		{Name: "swp1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}}, {Name: "swp2", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.2.1/24")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.stopChip()
	var links []*fib.Link
	for _, connected := range []string{"10.0.1.0/24", "10.0.2.0/24"} {
		err := s.fib.Get(fib.TableMain, netip.MustParsePrefix(connected), netip.Prefix{}, 0, nil, func(v *fib.Route) { links = append(links, v.Info.NextHops[0].Link) })
		if err != nil {
			t.Fatal(err)
		}
	}
	e := encoder{fib: s.fib}
	for range 5000 {
		ev := randomEvent(r, links)
		revision, now := r.Uint64()>>r.IntN(64), r.Int64()>>r.IntN(63)
		wrote := e.appendEvent(nil, fieldWatchEvents, ev, revision, appendStamp(nil, now))
		body, n := protowire.ConsumeBytes(wrote[1:])
		if n != len(wrote)-1 {
			t.Fatalf("the length of %x is wrong", wrote)
		}
		var m vasicv1.Event
		if err := proto.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		if len(m.ProtoReflect().GetUnknown())+len(m.GetRoute().ProtoReflect().GetUnknown()) > 0 {
			t.Fatalf("unknown fields in %v", &m)
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(body, again) {
			t.Fatalf("wrote %x, the stock library writes %x of %v", body, again, &m)
		}
		if m.Revision != revision || m.UnixNanos != now || (m.Route != nil) != ev.Kind.AboutRoute() {
			t.Fatalf("revision, time or content of %v", &m)
		}
	}
}

// What is encoded without another look at its strings has none that a peer would refuse.
func TestALinkNameIsText(t *testing.T) {
	if err := (Link{Name: "swp\xff"}).Check(); err == nil {
		t.Error("a name that is not UTF-8 is taken")
	}
	if err := (Link{Name: "swpé"}).Check(); err != nil {
		t.Error(err)
	}
}

// The same of comparisons.
func TestAComparisonIsWhatOthersWouldWrite(t *testing.T) {
	link := &fib.Link{Name: "swp1"}
	hops := []asic.EntryHop{
		{NextHop: fib.NextHop{Link: link, Gateway: netip.MustParseAddr("10.0.1.2"), Weight: 9}, Slots: 300},
		{NextHop: fib.NextHop{Link: link, Gateway: netip.MustParseAddr("10.0.1.3")}},
		{NextHop: fib.NextHop{Link: link, Onlink: true}, Slots: 1},
	}
	prefix := netip.MustParsePrefix("2001:db8::/32")
	forward := &vasicv1.HardwareEntry{
		Prefix: "2001:db8::/32", Table: 254, Action: "forward", Generation: 7, Group: 200, TrappedSlots: 3,
		NextHops: []*vasicv1.NextHop{{Gateway: "10.0.1.2", Device: "swp1", Weight: 300, Offload: true}, {Device: "swp1", Weight: 1, Onlink: true, Offload: true}},
	}
	route := &vasicv1.Route{Prefix: "2001:db8::/16", Table: 254, Generation: 1 << 40}
	software := appendMessage(nil, comparisonSoftware, route)
	for _, c := range []struct {
		addr     netip.Addr
		software []byte
		hardware *asic.Entry
		want     *vasicv1.Comparison
	}{
		{netip.MustParseAddr("192.0.2.7"), nil, nil, &vasicv1.Comparison{Address: "192.0.2.7", Verdict: misrouted}},
		{netip.MustParseAddr("2001:db8::7"), software, nil, &vasicv1.Comparison{Address: "2001:db8::7", Verdict: misrouted, Software: route}},
		{netip.Addr{}, software, &asic.Entry{Table: 254, Prefix: prefix, Group: 200, Hops: hops, TrappedSlots: 3, Routes: []fib.Ref{{Generation: 7}, {Generation: 5}}},
			&vasicv1.Comparison{Verdict: misrouted, Software: route, Hardware: forward}},
		{netip.Addr{}, nil, &asic.Entry{Action: asic.Trap, Table: 7, Prefix: prefix, Group: 2, Hops: hops, Routes: []fib.Ref{{Generation: 7}}},
			&vasicv1.Comparison{Verdict: misrouted, Hardware: &vasicv1.HardwareEntry{Prefix: "2001:db8::/32", Table: 7, Action: "trap", Generation: 7, Group: 2}}},
		{netip.Addr{}, nil, &asic.Entry{Action: asic.Drop, Prefix: prefix},
			&vasicv1.Comparison{Verdict: misrouted, Hardware: &vasicv1.HardwareEntry{Prefix: "2001:db8::/32", Action: "drop"}}},
	} {
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(&vasicv1.CompareAddressesResponse{Comparisons: []*vasicv1.Comparison{c.want}})
		if err != nil {
			t.Fatal(err)
		}
		if got := appendComparison(nil, fieldCompareComparisons, c.addr, misrouted, c.software, c.hardware); !bytes.Equal(got, want) {
			t.Errorf("%v: wrote %x, want %x", c.want, got, want)
		}
	}
}

// A part has its length in one byte.
func TestPartsAreShort(t *testing.T) {
	const most = math.MaxUint32
	addr := netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666")
	info := &fib.Info{
		Type: fib.TypeThrow, Protocol: 255, Scope: fib.ScopeNowhere, PrefSrc: addr,
		Metrics: fib.Metrics{
			MTU: most, MTULocked: true, AdvMSS: most, Window: most, RTT: most, RTTVar: most, SSThresh: most, Cwnd: most, InitCwnd: most, InitRwnd: most, HopLimit: 255,
			RTOMin: most, QuickAck: 1, Reordering: most,
		},
		NextHops: []fib.NextHop{{Gateway: addr, Link: &fib.Link{Name: strings.Repeat("x", 15)}, Weight: 256, Onlink: true}},
	}
	rest := parts(encodeParts(nil, info))
	for range 3 {
		if rest[0] >= 0x80 {
			t.Errorf("a part of %d bytes", rest[0])
		}
		_, rest = rest.cut()
	}
	if len(rest) > 0 {
		t.Errorf("%d bytes are left", len(rest))
	}
}

func TestNumbersAreVarints(t *testing.T) {
	var buf [32]byte
	for shift := range 64 {
		for _, v := range []uint64{1<<shift - 1, 1 << shift, 1<<shift + 1, ^uint64(0) >> shift, 0xaaaaaaaaaaaaaaaa >> shift} {
			for _, b := range [][]byte{{7}, append(buf[:0], 7)} {
				if got, want := appendVarint(b, v), protowire.AppendVarint([]byte{7}, v); !bytes.Equal(got, want) {
					t.Errorf("%d: got %x, want %x", v, got, want)
				}
			}
		}
	}
}

func TestAddressesAreWrittenAsNetipWritesThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var a netip.Addr
		if n := r.Uint64(); n&1 == 0 {
			a = netip.AddrFrom4([4]byte{byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32)})
		} else {
			a = netip.AddrFrom16([16]byte{byte(n >> 8), byte(n >> 16), 9: byte(n >> 24), 15: byte(n >> 32)})
		}
		p := netip.PrefixFrom(a, r.IntN(a.BitLen()+1))
		for _, room := range []int{0, 100} {
			if got, want := string(appendAddrText(make([]byte, 0, room), a)), a.String(); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
			got := appendPrefix(make([]byte, 0, room), 1, p)
			if want := protowire.AppendString([]byte{0x0a}, p.String()); !bytes.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
}
