package main

import (
	"fmt"
	"net/netip"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	ports           = 8
	gatewaysPerPort = 32 // 256 gateways in all, as a real table has a few hundred

	protocolLoad    = 186 // bgp: routes of the table
	protocolLatency = 187 // single operations, so that a watcher can have these only
)

// portName is the name of a port.
func portName(port int) string { return fmt.Sprintf("swp%d", port) }

// portAddresses are those of a port.
func portAddresses(port int) []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", port)), netip.MustParsePrefix(fmt.Sprintf("2001:db8:0:%x::1/64", port)),
	}
}

// gateways are those of both families, spread over the ports.
type gateways struct{ four, six []string }

// newGateways returns all of them.
func newGateways() gateways {
	var g gateways
	for host := range gatewaysPerPort {
		for port := range ports {
			g.four = append(g.four, fmt.Sprintf("10.0.%d.%d", port, host+2))
			g.six = append(g.six, fmt.Sprintf("2001:db8:0:%x::%x", port, host+2))
		}
	}
	return g
}

// of returns the gateway of the route with this number. Another shift gives every route another one.
func (g *gateways) of(prefix string, number, shift int) string {
	list := g.four
	if isIPv6(prefix) {
		list = g.six
	}
	return list[(number+shift)%len(list)]
}

// isIPv6 says whether a prefix is one of IPv6.
func isIPv6(prefix string) bool { return strings.IndexByte(prefix, ':') >= 0 }

// operations makes operations on the routes of a table. The one operation is used again and again, so that the client's own memory is
// small.
type operations struct {
	gateways gateways
	action   vasicv1.RouteAction
	shift    int
	one      bool // all routes have the first gateway
	op       vasic.Operation
	hop      *vasicv1.NextHop
	hops     []*vasicv1.NextHop
}

// newOperations returns a maker of operations of that kind.
func newOperations(action vasicv1.RouteAction, shift int, one bool) *operations {
	hop := &vasicv1.NextHop{}
	return &operations{
		gateways: newGateways(), action: action, shift: shift, one: one, hop: hop, hops: []*vasicv1.NextHop{hop},
		op: vasic.Operation{Action: action, Route: &vasicv1.Route{Protocol: protocolLoad}},
	}
}

// of returns the operation on a route; it is valid until the next call.
func (o *operations) of(number int, prefix string) vasic.Operation {
	o.op.ID, o.op.Route.Prefix = uint64(number), prefix //nolint:gosec // not negative
	if o.action == vasicv1.RouteAction_ROUTE_ACTION_DELETE {
		return o.op
	}
	if o.one {
		number = 0
	}
	o.hop.Gateway = o.gateways.of(prefix, number, o.shift)
	o.op.Route.NextHops = o.hops
	return o.op
}

// change is one of the three things that are done with a whole table.
type change struct {
	name   string // as the report calls it
	action vasicv1.RouteAction
	shift  int               // of the gateways, so that a replace changes every route
	seen   vasicv1.EventKind // the event that a watcher waits for
}

// changes are those, in the order in which they are done.
var changes = []change{
	{"adds", vasicv1.RouteAction_ROUTE_ACTION_ADD, 0, vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED},
	{"replaces", vasicv1.RouteAction_ROUTE_ACTION_REPLACE, 1, vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED},
	{"deletes", vasicv1.RouteAction_ROUTE_ACTION_DELETE, 0, vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED},
}
