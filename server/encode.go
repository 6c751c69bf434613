package server

import (
	"slices"

	"net/netip"

	"google.golang.org/protobuf/encoding/protowire"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// encoder writes views of routes in wire format, straight into the buffer that is sent: events are encoded by the million, and filling a message
// first costs more than all the rest. It writes what vasicv1.Event and vasicv1.Route say, fields in order and none that is zero, so that the bytes are those that any
// other encoder would make; what few routes have is left to the generated code. It must be used with a lock that keeps the links as they are.
type encoder struct {
	fib     *fib.FIB // asked whether routes show the next hops of their objects
	scratch []byte   // for parts that are not kept
}

// Numbers of the fields of vasicv1.Event, Route, NextHop, Comparison and HardwareEntry that are written here.
const (
	eventRevision, eventKind, eventRoute, eventNetlinkFlags, eventRequested, eventSilent, eventPartial, eventUnixNanos, eventObject = 1, 2, 3, 4, 5, 6, 7, 8, 9

	routePrefix, routeTable, routeMetric, routeTOS, routeType, routeProtocol, routeScope, routePrefsrc, routeNextHops, routeMetrics = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

	routeSource, routeMultipath, routeID, routeGeneration, routeOffload, routeTrap, routeFailed, routeReason, routeObjectID, routeObject, routeOlder = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21

	hopGateway, hopDevice, hopWeight, hopOnlink, hopDead, hopLinkdown, hopOffload, hopSiblingOffload, hopSiblingTrap, hopSiblingFailed = 1, 2, 3, 4, 5, 6, 7, 9, 10, 11

	comparisonAddress, comparisonVerdict, comparisonSoftware, comparisonHardware = 1, 2, 3, 4

	entryPrefix, entryTable, entryAction, entryNextHops, entryGeneration, entryGroup, entryTrappedSlots = 1, 2, 3, 4, 5, 6, 7
)

// appendEvent appends the event as a repeated field of that number. stamped is the time at which it is published, as appendStamp writes it.
func (e *encoder) appendEvent(b []byte, field protowire.Number, ev *fib.Event, revision uint64, stamped []byte) []byte {
	b, start := open(b, field)
	b = appendUint(b, eventRevision, revision)
	b = appendUint(b, eventKind, uint64(ev.Kind)+uint64(vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED))
	if ev.Kind.AboutRoute() {
		b = e.appendRoute(b, eventRoute, &ev.Route)
	}
	b = appendUint(b, eventNetlinkFlags, uint64(ev.NLFlags))
	b = appendFlag(b, eventRequested, ev.Requested)
	b = appendFlag(b, eventSilent, ev.Silent)
	b = appendFlag(b, eventPartial, ev.Partial)
	b = append(b, stamped...)
	if !ev.Kind.AboutRoute() {
		b = appendMessage(b, eventObject, nextHopObjectMessage(ev.NextHop))
	}
	return shut(b, start)
}

// appendStamp appends the time of an event, which is the same for all that are published together.
func appendStamp(b []byte, unixNanos int64) []byte {
	return appendUint(b, eventUnixNanos, uint64(unixNanos)) //nolint:gosec // an int64 on the wire
}

// appendRoute appends the route as a field of that number.
func (e *encoder) appendRoute(b []byte, field protowire.Number, r *fib.Route) []byte {
	info := r.Info
	attributes, rest := e.partsOf(info).cut()
	b, start := open(b, field)
	b = appendPrefix(b, routePrefix, r.Prefix)
	b = appendUint(b, routeTable, uint64(r.Table))
	b = appendNumber(b, routeMetric, uint64(r.Metric)) // 0 counts
	b = appendUint(b, routeTOS, uint64(r.TOS))
	b = append(b, attributes...)
	shown := len(r.Siblings) == 0 && (info.NextHopID == 0 || e.fib.NextHopCompat())
	var part parts
	for i := range info.NextHops {
		if part, rest = rest.cut(); shown {
			b = appendHop(b, part, r.Family, info, i, r.Flags, 0)
		}
	}
	metrics, _ := rest.cut()
	for i := range r.Siblings { // none of which has an object: their parts leave those of info alone
		s := &r.Siblings[i]
		_, hops := e.partsOf(s.Info).cut()
		part, _ = hops.cut()
		b = appendHop(b, part, r.Family, s.Info, 0, s.Flags, s.Flags)
	}
	b = append(b, metrics...)
	b = appendPrefix(b, routeSource, r.Source)
	b = appendFlag(b, routeMultipath, info.Multipath)
	b = appendUint(b, routeID, r.ID)
	b = appendUint(b, routeGeneration, r.Generation)
	b = appendFlag(b, routeOffload, r.Flags&fib.FlagOffload != 0)
	b = appendFlag(b, routeTrap, r.Flags&fib.FlagTrap != 0)
	b = appendFlag(b, routeFailed, r.Flags&fib.FlagOffloadFailed != 0)
	b = appendUint(b, routeReason, uint64(r.Reason))
	b = appendUint(b, routeObjectID, uint64(info.NextHopID))
	if r.NextHop != nil {
		b = appendMessage(b, routeObject, nextHopObjectMessage(r.NextHop))
	}
	b = appendFlag(b, routeOlder, r.Flags&fib.FlagOlderEntry != 0)
	return shut(b, start)
}

// parts are what is the same for all routes of an Info, encoded once: the attributes of the route, those of each next hop, and the metrics. A byte before each
// says how long it is; none is longer than an address, the name of a link and some numbers.
type parts []byte

// partsOf returns the parts of an Info; they are good until the next call.
func (e *encoder) partsOf(info *fib.Info) parts {
	switch {
	case info.NextHopID != 0: // which can change
		e.scratch = encodeParts(e.scratch[:0], info)
		return e.scratch
	case info.Encoded == nil:
		e.scratch = encodeParts(e.scratch[:0], info)
		info.Encoded = slices.Clone(e.scratch)
	}
	return info.Encoded
}

// encodeParts appends the parts of an Info.
func encodeParts(b []byte, info *fib.Info) []byte {
	b, start := append(b, 0), len(b)+1
	b = appendUint(b, routeType, uint64(info.Effect()))
	b = appendUint(b, routeProtocol, uint64(info.Protocol))
	b = appendNumber(b, routeScope, uint64(info.Scope)) // 0 counts
	b = shut(appendAddr(b, routePrefsrc, info.PrefSrc), start)
	for i := range info.NextHops {
		nh := &info.NextHops[i]
		b, start = append(b, 0), len(b)+1
		b = shut(appendWay(b, nh, uint32(nh.Weight)), start)
	}
	b, start = append(b, 0), len(b)+1
	if info.Metrics != (fib.Metrics{}) {
		b = appendMessage(b, routeMetrics, metricsMessage(&info.Metrics))
	}
	return shut(b, start)
}

// appendWay appends the fields of a next hop that say where it leads, with that weight.
func appendWay(b []byte, nh *fib.NextHop, weight uint32) []byte {
	b = appendAddr(b, hopGateway, nh.Gateway)
	b = appendText(b, hopDevice, nh.Link.Name)
	b = appendUint(b, hopWeight, uint64(weight))
	return appendFlag(b, hopOnlink, nh.Onlink)
}

// cut returns the first part and the others.
func (p parts) cut() (first, rest parts) {
	n := 1 + int(p[0])
	return p[1:n], p[n:]
}

// appendHop appends next hop n, whose part is given. It is in the hardware adjacency exactly if its route is offloaded and hardware forwards to its gateway.
func appendHop(b []byte, part parts, family fib.Family, info *fib.Info, n int, route, sibling fib.Flags) []byte {
	nh := &info.NextHops[n]
	b, start := open(b, routeNextHops)
	b = append(b, part...)
	dead, linkdown := info.HopState(family, n)
	b = appendFlag(b, hopDead, dead)
	b = appendFlag(b, hopLinkdown, linkdown)
	b = appendFlag(b, hopOffload, route&fib.FlagOffload != 0 && nh.Neighbor != nil && nh.Neighbor.Offloaded())
	b = appendFlag(b, hopSiblingOffload, sibling&fib.FlagOffload != 0)
	b = appendFlag(b, hopSiblingTrap, sibling&fib.FlagTrap != 0)
	b = appendFlag(b, hopSiblingFailed, sibling&fib.FlagOffloadFailed != 0)
	return shut(b, start)
}

// appendComparison appends a vasicv1.Comparison as a field of that number. software is the route as its field comparisonSoftware, empty for none.
func appendComparison(b []byte, field protowire.Number, a netip.Addr, verdict vasicv1.Verdict, software []byte, hardware *asic.Entry) []byte {
	b, start := open(b, field)
	b = appendAddr(b, comparisonAddress, a)
	b = appendUint(b, comparisonVerdict, uint64(verdict)) //nolint:gosec // not negative
	b = append(b, software...)
	if hardware != nil {
		b = appendEntry(b, comparisonHardware, hardware)
	}
	return shut(b, start)
}

// appendEntry appends the hardware entry as a vasicv1.HardwareEntry. Links keep their names, so it needs no lock.
func appendEntry(b []byte, field protowire.Number, e *asic.Entry) []byte {
	b, start := open(b, field)
	b = appendPrefix(b, entryPrefix, e.Prefix)
	b = appendUint(b, entryTable, uint64(e.Table))
	b = appendText(b, entryAction, e.Action.String())
	if e.Action == asic.Forward {
		for i := range e.Hops {
			hop := &e.Hops[i]
			if hop.Slots == 0 {
				continue
			}
			var start int
			b, start = open(b, entryNextHops)
			b = appendWay(b, &hop.NextHop, hop.Slots)
			b = shut(appendFlag(b, hopOffload, true), start)
		}
	}
	b = appendUint(b, entryGeneration, newest(e))
	b = appendUint(b, entryGroup, uint64(e.Group))
	b = appendUint(b, entryTrappedSlots, uint64(e.TrappedSlots)) // 0 unless it forwards
	return shut(b, start)
}

// message returns the route as a message of its own.
func (e *encoder) message(r *fib.Route) *vasicv1.Route {
	b := e.appendRoute(make([]byte, 0, 256), 1, r) // room for nearly all
	m := &vasicv1.Route{}
	if body, n := protowire.ConsumeBytes(b[1:]); n < 0 || m.DecodeWire(body) != nil {
		panic("a route does not survive its own encoding") // nothing a client can cause
	}
	return m
}

func metricsMessage(m *fib.Metrics) *vasicv1.RouteMetrics {
	return &vasicv1.RouteMetrics{
		Mtu: m.MTU, MtuLocked: m.MTULocked, Advmss: m.AdvMSS, Window: m.Window, Rtt: m.RTT, Rttvar: m.RTTVar, Ssthresh: m.SSThresh, Cwnd: m.Cwnd,
		Initcwnd: m.InitCwnd, Initrwnd: m.InitRwnd, Hoplimit: m.HopLimit, RtoMin: m.RTOMin, Quickack: m.QuickAck, Reordering: m.Reordering,
	}
}
