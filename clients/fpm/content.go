package fpm

import (
	"hash/maphash"
	"net/netip"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// content is what a route does, in a form that can be compared: equal contents are, but for one chance in 2^64, routes that do
// the same. The order of next hops does not count, and a next hop can be taken out again.
type content struct {
	kind     routeKind
	protocol protocol
	hops     int
	sum      uint64 // of the hashes of the next hops
}

// hop is what tells next hops apart. Onlink is left out: zebra has resolved the gateway, and the switch need not.
type hop struct {
	gateway netip.Addr
	device  string
	weight  uint32
}

// hopSeed is for one process; hashes are never stored.
var hopSeed = maphash.MakeSeed()

// protocolBoot is what the switch takes for protocol 0.
const protocolBoot = 3

func contentOf(k routeKind, p protocol) content {
	if p == 0 {
		p = protocolBoot
	}
	return content{kind: k, protocol: p}
}

func (c *content) add(h hop) {
	c.hops++
	c.sum += maphash.Comparable(hopSeed, h)
}

func (c *content) remove(h hop) {
	c.hops--
	c.sum -= maphash.Comparable(hopSeed, h)
}

// contentOfRoute is the content of a route that the switch has.
func contentOfRoute(m *vasicv1.Route) content {
	c := contentOf(routeKind(m.GetType()), protocol(m.GetProtocol())) //nolint:gosec // rtnetlink's numbers
	if c.kind.rejects() {
		return c // the kernel hangs those of IPv6 on lo
	}
	for _, h := range m.GetNextHops() {
		c.add(hopOf(h))
	}
	return c
}

func hopOf(m *vasicv1.NextHop) hop {
	h := hop{device: m.GetDevice(), weight: max(m.GetWeight(), 1)}
	if m.GetGateway() != "" {
		h.gateway, _ = netip.ParseAddr(m.GetGateway()) // else it is none of ours
	}
	return h
}

// maxWeight is the largest weight that the switch, as the kernel, can express.
const maxWeight = 256

// newPaths makes the paths of a route of a list: ways that are the same are joined, and weights fit the switch.
func newPaths(list []path) *paths {
	if len(list) == 0 || len(list) == 1 && list[0].weight <= maxWeight {
		return &paths{list: list}
	}
	type way struct {
		gateway netip.Addr
		link    uint32
	}
	at := make(map[way]int, len(list))
	joined := list[:0:0]
	heaviest := uint32(1)
	for _, p := range list {
		i, ok := at[way{p.gateway, p.link}]
		if !ok {
			i = len(joined)
			at[way{p.gateway, p.link}] = i
			joined = append(joined, p)
		} else {
			joined[i].weight += p.weight
		}
		heaviest = max(heaviest, joined[i].weight)
	}
	for i := range joined {
		if p := &joined[i]; heaviest > maxWeight {
			p.weight = max(1, uint32(uint64(p.weight)*maxWeight/uint64(heaviest))) //nolint:gosec // at most maxWeight
		}
	}
	return &paths{list: joined}
}
