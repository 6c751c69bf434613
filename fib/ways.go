package fib

import (
	"net/netip"

	"github.com/gaissmai/bart"
)

// maxWays bounds what ways remembers: more than there are gateways in use, a few hundred kilobytes.
const maxWays = 4096

// ways remembers what requests with one gateway resolved to, because a table of a million routes has some hundred gateways. It is guarded by its family's lock.
//
// What a request resolves to depends on links, addresses, rules and next-hop objects, all of which change with both families locked only (FIB.lockBoth), and on
// the routes by which gateways are reached:
//
//   - IPv4 looks past whatever is not connected (connected4), so it is rows of scope link and nearer that matter.
//   - IPv6 takes the most specific route to the gateway (connected6): what matters is at the prefix that reached it, or in it. Such a prefix is an interface's,
//     longer than nearly all that are routed.
type ways struct {
	known    map[wayKey]way
	topology uint64    // grows whenever gateways may be reached another way from now on; what is known of another one does not count
	reached  bart.Lite // IPv6: the prefixes that reached the gateways of this topology
	shortest int       // none of them is shorter
}

// wayKey is what a request says that can be remembered.
type wayKey struct {
	gateway  netip.Addr
	table    uint32
	kind     Type
	protocol uint8
	scope    Scope
	weight   uint16
}

// way is what it resolved to. The Info, with its link and neighbour, may be in use no more; it goes when the key is forgotten.
type way struct {
	info     *Info
	topology uint64
}

func newWays() ways { return ways{known: make(map[wayKey]way), shortest: noReach} }

// noReach is longer than any prefix.
const noReach = 129

// wayOf returns the key of a request that names one gateway and nothing else that resolving looks at; want has its type, protocol and scope.
func wayOf(af Family, s *Spec, want *Info) (key wayKey, ok bool) {
	if len(s.NextHops) != 1 || s.Multipath || s.NextHopID != 0 || s.PrefSrc.IsValid() || s.Metrics != (Metrics{}) || want.Type.rejects() {
		return key, false
	}
	n := &s.NextHops[0]
	if n.Device != "" || n.Onlink || !n.Gateway.IsValid() || FamilyOf(n.Gateway) != af {
		return key, false
	}
	return wayKey{n.Gateway, s.Table, want.Type, want.Protocol, want.Scope, n.Weight}, true
}

// recall returns the Info that a request resolves to, with one more reference; nil if that is to be found out.
func (f *family) recall(key wayKey) *Info {
	w, ok := f.ways.known[key]
	if !ok || w.topology != f.ways.topology || f.infos.list[w.info.index] != w.info {
		return nil
	}
	w.info.refs++
	return w.info
}

// remember notes what a request has resolved to just now.
func (f *family) remember(key wayKey, info *Info) {
	w := &f.ways
	if f.af == IPv6 {
		if f.reach < 0 { // no route, or one of another table, and a route of whatever length in the request's own one would come before that
			return
		}
		w.reached.Insert(netip.PrefixFrom(key.gateway, f.reach))
		w.shortest = min(w.shortest, f.reach)
	}
	if len(w.known) >= maxWays {
		clear(w.known)
	}
	w.known[key] = way{info, w.topology}
}

// change begins another topology.
func (w *ways) change() {
	w.topology++
	if w.shortest != noReach {
		w.reached, w.shortest = bart.Lite{}, noReach
	}
}

// touchRow notes that a row that says info comes or goes.
func (f *family) touchRow(info *Info) {
	if f.af == IPv4 && info.Scope >= ScopeLink {
		f.ways.change()
	}
}

// touchPrefix notes that rows of a prefix have come or gone.
func (f *family) touchPrefix(pfx netip.Prefix) {
	if f.af == IPv6 && pfx.Bits() >= f.ways.shortest && f.ways.reached.LookupPrefix(pfx) {
		f.ways.change()
	}
}
