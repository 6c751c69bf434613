package model_test

import (
	"net/netip"
	"slices"

	"pgregory.net/rapid"

	"github.com/vasic-project/vasic/conformance/model"
)

// What requests are made of: few prefixes that overlap, few names, so that they meet.
var (
	prefixes = [2][]string{
		{"10.9.0.0/16", "10.9.1.0/24", "10.9.1.0/24", "10.9.1.0/25", "10.0.1.0/24"},
		{"2001:db8:9::/48", "2001:db8:9:1::/64", "2001:db8:9:1::/64", "2001:db8:9:1::/65", "2001:db8:1::/64", "ff00::/8"},
	}
	gateways = [2][]string{
		{"10.0.1.2", "10.0.1.3", "10.0.2.2", "10.0.3.2", "10.0.8.2"},
		{"2001:db8:1::2", "2001:db8:1::3", "2001:db8:2::2", "2001:db8:3::2", "2001:db8:8::2"},
	}
	sources = [2][]string{{"10.0.1.1", "10.0.2.9", "10.0.7.7"}, {"2001:db8:1::1", "2001:db8:2::9", "2001:db8:7::7"}}

	addresses = []struct {
		link   string
		prefix netip.Prefix
	}{
		{"swp1", netip.MustParsePrefix("10.0.1.1/24")}, {"swp1", netip.MustParsePrefix("10.0.1.9/24")},
		{"swp2", netip.MustParsePrefix("10.0.2.1/24")}, {"swp2", netip.MustParsePrefix("10.0.2.9/24")}, {"swp2", netip.MustParsePrefix("10.0.2.9/32")},
		{"swp2", netip.MustParsePrefix("10.0.1.77/24")}, // the subnet of swp1
		{"swp3", netip.MustParsePrefix("10.0.3.1/24")},
		{"swp1", netip.MustParsePrefix("2001:db8:1::1/64")}, {"swp2", netip.MustParsePrefix("2001:db8:2::1/64")},
		{"swp2", netip.MustParsePrefix("2001:db8:2::9/64")}, {"swp3", netip.MustParsePrefix("2001:db8:3::1/64")},
	}
)

// subnet6 is the IPv6 subnet of swp1.
var subnet6 = netip.MustParsePrefix("2001:db8:1::/64")

// sometimes is true once in n times.
func sometimes(t *rapid.T, n int, what string) bool { return rapid.IntRange(1, n).Draw(t, what) == n }

func drawWant(t *rapid.T) model.Want { return drawWantOf(t, rapid.IntRange(0, 1).Draw(t, "family")) }

func drawWantOf(t *rapid.T, family int) model.Want {
	w := model.Want{
		Verb: rapid.SampledFrom([]model.Verb{
			model.Add, model.Add, model.Replace, model.Replace, model.Change, model.Append, model.Append, model.Prepend, model.Delete, model.Delete,
		}).Draw(t, "verb"),
		Table:  rapid.SampledFrom([]uint32{model.TableMain, model.TableMain, model.TableMain, model.TableDefault, model.TableLocal, 100}).Draw(t, "table"),
		Prefix: netip.MustParsePrefix(rapid.SampledFrom(prefixes[family]).Draw(t, "prefix")),
		Metric: rapid.SampledFrom([]uint32{0, 0, 10, 20}).Draw(t, "metric"),
	}
	if w.Table == model.TableLocal && w.Prefix == subnet6 { // gateways are looked up in local before main, or not, as no rule says
		w.Table = model.TableDefault
	}
	if family == 0 {
		w.TOS = rapid.SampledFrom([]uint8{0, 0, 0, 0x10, 0x20}).Draw(t, "tos")
	}
	if sometimes(t, 4, "protocol") {
		w.Protocol = 186
	}
	if w.Verb == model.Delete {
		w.List = sometimes(t, 6, "list")
		if n := rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(t, "hops"); n > 0 {
			w.Hops = drawHops(t, family, n)
		}
		if sometimes(t, 8, "of an object") {
			w.Object, w.Hops = rapid.SampledFrom(objectIDs).Draw(t, "object"), nil
		}
		if w.List && family == 1 && len(w.Hops) == 0 {
			w.List = false
		}
		return w
	}
	if sometimes(t, 6, "source") {
		w.PrefSrc = netip.MustParseAddr(rapid.SampledFrom(sources[family]).Draw(t, "prefsrc"))
	}
	kind := rapid.IntRange(0, 11).Draw(t, "kind")
	switch {
	case kind > 9:
		w.Object = rapid.SampledFrom(objectIDs).Draw(t, "object")
	case kind < 4:
		w.Hops = drawHops(t, family, 1)
	case kind < 6:
		w.Hops = []model.Hop{{Device: rapid.SampledFrom([]string{"swp1", "swp2", "swp3"}).Draw(t, "device")}}
		if family == 1 && sometimes(t, 4, "multicast") {
			w.Type = model.Multicast
		}
	case kind < 8:
		w.List = true
		w.Hops = drawHops(t, family, rapid.IntRange(1, 3).Draw(t, "hops"))
	default:
		w.Type = rapid.SampledFrom([]uint8{model.Blackhole, model.Blackhole, model.Unreachable, model.Prohibit, model.Throw}).Draw(t, "type")
	}
	return w
}

// drawHops makes next hops by gateway, now and then with a device or by device only, in IPv4 also by an IPv6 gateway.
func drawHops(t *rapid.T, family, n int) (hops []model.Hop) {
	for range n {
		h := model.Hop{Gateway: netip.MustParseAddr(rapid.SampledFrom(gateways[family]).Draw(t, "gateway"))}
		switch device := rapid.SampledFrom([]string{"swp1", "swp2", "swp3"}).Draw(t, "device"); {
		case sometimes(t, 10, "with device"):
			h.Device = device
		case sometimes(t, 10, "device only"):
			h = model.Hop{Device: device}
		case sometimes(t, 10, "link-local"):
			h = model.Hop{Gateway: netip.MustParseAddr("fe80::2"), Device: device}
		}
		if sometimes(t, 5, "weight") {
			h.Weight = 3
		}
		hops = append(hops, h)
	}
	return hops
}

// entryStates are those that entries of neighbours are made with.
var entryStates = []string{
	model.NeighborFailed, model.NeighborFailed, model.NeighborNone, model.NeighborReachable, model.NeighborStale, model.NeighborPermanent,
}

// drawNeighbor names a gateway on some link.
func drawNeighbor(t *rapid.T) (link string, addr netip.Addr) {
	addr = netip.MustParseAddr(rapid.SampledFrom(append(slices.Concat(gateways[0], gateways[1]), "fe80::2")).Draw(t, "address"))
	link = rapid.SampledFrom([]string{"swp1", "swp1", "swp2", "swp3"}).Draw(t, "link")
	return link, addr
}

// objectIDs are those of next-hop objects; groups have those from 10 on.
var objectIDs = []uint32{1, 1, 2, 3, 10, 11}

// drawObject makes a next-hop object of a gateway, now and then of a device, or a group.
func drawObject(t *rapid.T) (o model.Object) {
	o.ID = rapid.SampledFrom(objectIDs).Draw(t, "id")
	if o.ID >= 10 != sometimes(t, 10, "other kind") {
		for _, id := range rapid.SliceOfN(rapid.SampledFrom([]uint32{1, 2, 3}), 1, 3).Draw(t, "members") {
			o.Members = append(o.Members, model.Member{ID: id, Weight: rapid.IntRange(1, 3).Draw(t, "weight")})
		}
		return o
	}
	o.Family = rapid.IntRange(0, 1).Draw(t, "family")
	h := drawHops(t, o.Family, 1)[0]
	o.Gateway, o.Device = h.Gateway, h.Device
	return o
}
