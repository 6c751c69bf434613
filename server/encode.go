package server

import (
	"context"
	"net/netip"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// encoder turns views of routes into wire bytes without allocating: the messages that it fills are its own, and their strings lie in
// one buffer, both used again by the next call. It is for one goroutine, and must be called with a lock that keeps the links as they are.
type encoder struct {
	fib     *fib.FIB // asked whether routes show the next hops of their objects
	event   vasicv1.Event
	route   vasicv1.Route
	metrics vasicv1.RouteMetrics
	hops    []*vasicv1.NextHop
	spare   []*vasicv1.NextHop
	text    []byte
	metric  uint32
	scope   uint32
}

// appendEvent appends the event as a repeated field of that number.
func (e *encoder) appendEvent(dst []byte, field protowire.Number, ev *fib.Event, revision uint64, unixNanos int64) []byte {
	e.event.Revision = revision
	e.event.Kind = vasicv1.EventKind(ev.Kind) + vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED
	if ev.Kind.AboutRoute() {
		e.fill(&ev.Route)
		e.event.Route, e.event.NextHopObject = &e.route, nil
	} else {
		e.event.Route, e.event.NextHopObject = nil, nextHopObjectMessage(ev.NextHop)
	}
	e.event.NetlinkFlags = uint32(ev.NLFlags)
	e.event.Requested, e.event.Silent, e.event.Partial = ev.Requested, ev.Silent, ev.Partial
	e.event.UnixNanos = unixNanos
	return e.appendField(dst, field, &e.event)
}

// appendRoute appends the route as a repeated field of that number.
func (e *encoder) appendRoute(dst []byte, field protowire.Number, r *fib.Route) []byte {
	e.fill(r)
	return e.appendField(dst, field, &e.route)
}

// pieces are encoded routes, cut so that none is much larger than maxMessageBytes.
type pieces struct {
	encoder encoder
	field   protowire.Number // of the routes in their message
	list    [][]byte
}

// add encodes one more route. It must be called as an encoder's methods.
func (p *pieces) add(r *fib.Route) {
	n := len(p.list)
	if n == 0 || len(p.list[n-1]) >= maxMessageBytes {
		p.list = append(p.list, nil)
		n++
	}
	p.list[n-1] = p.encoder.appendRoute(p.list[n-1], p.field, r)
}

// stream walks to the end and sends the routes that are selected. read is told of each chunk before its routes are sent.
func (p *pieces) stream(ctx context.Context, w *fib.Walk, selected func(*fib.Route) bool, read func(*fib.Chunk), send func([]byte) error) error {
	for {
		p.list = nil
		chunk, more := w.Next(func(r *fib.Route) {
			if selected(r) {
				p.add(r)
			}
		})
		if !more {
			return nil
		}
		read(&chunk)
		for _, routes := range p.list {
			if err := send(routes); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// message returns the route as a message of its own.
func (e *encoder) message(r *fib.Route) *vasicv1.Route {
	e.fill(r)
	copied := &vasicv1.Route{}
	if b, err := e.route.MarshalVT(); err != nil || copied.UnmarshalVT(b) != nil {
		panic("a route does not survive its own encoding") // the strings are the encoder's; nothing a client can cause
	}
	return copied
}

// appendField does what codec.AppendField does, without looking whether strings are UTF-8: those here were checked when they came in, or are
// made here.
func (e *encoder) appendField(dst []byte, field protowire.Number, m interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}) []byte {
	size := m.SizeVT()
	dst = protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.BytesType), uint64(size)) //nolint:gosec // not negative
	head := len(dst)
	dst = slices.Grow(dst, size)[:head+size]
	if _, err := m.MarshalToSizedBufferVT(dst[head:]); err != nil {
		panic(err) // vtprotobuf fails only on messages with extensions of its own
	}
	return dst
}

// fill sets e.route.
func (e *encoder) fill(r *fib.Route) {
	e.text = e.text[:0]
	e.spare = append(e.spare, e.hops...)
	e.hops = e.hops[:0]
	m := &e.route
	info := r.Info
	m.Prefix = e.prefix(r.Prefix)
	m.Table = r.Table
	e.metric = r.Metric
	m.Metric = &e.metric
	m.Tos = uint32(r.TOS)
	m.Type = vasicv1.RouteType(info.Effect())
	m.Protocol = uint32(info.Protocol)
	e.scope = uint32(info.Scope)
	m.Scope = &e.scope
	m.Prefsrc, m.SourcePrefix = "", ""
	if info.PrefSrc.IsValid() {
		m.Prefsrc = e.addr(info.PrefSrc)
	}
	if r.Source.IsValid() {
		m.SourcePrefix = e.prefix(r.Source)
	}
	m.Metrics = nil
	if info.Metrics != (fib.Metrics{}) {
		e.fillMetrics(&info.Metrics)
		m.Metrics = &e.metrics
	}
	m.Id, m.Generation = r.ID, r.Generation
	m.Offload, m.Trap, m.OffloadFailed = flags(r.Flags)
	m.FailureReason = vasicv1.FailureReason(r.Reason)
	m.OlderInHardware = r.Flags&fib.FlagOlderEntry != 0
	m.NextHopId, m.NextHopObject, m.Multipath = info.NextHopID, nil, info.Multipath
	if r.NextHop != nil {
		m.NextHopObject = nextHopObjectMessage(r.NextHop)
	}
	switch {
	case info.NextHopID != 0 && !e.fib.NextHopCompat():
	case len(r.Siblings) == 0:
		for i := range info.NextHops {
			e.addHop(r.Family, info, i, r.Flags)
		}
	default:
		for i := range r.Siblings {
			s := &r.Siblings[i]
			h := e.addHop(r.Family, s.Info, 0, s.Flags)
			h.SiblingOffload, h.SiblingTrap, h.SiblingOffloadFailed = flags(s.Flags)
		}
	}
	m.NextHops = e.hops
}

func flags(f fib.Flags) (offload, trap, failed bool) {
	return f&fib.FlagOffload != 0, f&fib.FlagTrap != 0, f&fib.FlagOffloadFailed != 0
}

// addHop appends a next hop. It is in the hardware adjacency exactly if its route is offloaded and hardware forwards to its gateway.
func (e *encoder) addHop(family fib.Family, info *fib.Info, n int, route fib.Flags) *vasicv1.NextHop {
	nh := &info.NextHops[n]
	var h *vasicv1.NextHop
	if n := len(e.spare); n > 0 {
		h = e.spare[n-1]
		e.spare = e.spare[:n-1]
	} else {
		h = new(vasicv1.NextHop)
	}
	h.Gateway = ""
	if nh.Gateway.IsValid() {
		h.Gateway = e.addr(nh.Gateway)
	}
	h.Device = nh.Link.Name
	h.Weight = uint32(nh.Weight)
	h.Onlink = nh.Onlink
	h.Dead, h.Linkdown = info.HopState(family, n)
	h.Offload = route&fib.FlagOffload != 0 && nh.Neighbor != nil && nh.Neighbor.Offloaded()
	h.SiblingOffload, h.SiblingTrap, h.SiblingOffloadFailed = false, false, false
	e.hops = append(e.hops, h)
	return h
}

func (e *encoder) fillMetrics(m *fib.Metrics) {
	d := &e.metrics
	d.Mtu, d.MtuLocked, d.Advmss, d.Window, d.Rtt, d.Rttvar, d.Ssthresh = m.MTU, m.MTULocked, m.AdvMSS, m.Window, m.RTT, m.RTTVar, m.SSThresh
	d.Cwnd, d.Initcwnd, d.Initrwnd, d.Hoplimit = m.Cwnd, m.InitCwnd, m.InitRwnd, m.HopLimit
	d.RtoMin, d.Quickack, d.Reordering = m.RTOMin, m.QuickAck, m.Reordering
}

// prefix and addr write into the text buffer. If it grows, strings made before stay valid in the old array.
func (e *encoder) prefix(p netip.Prefix) string {
	start := len(e.text)
	e.text = p.AppendTo(e.text)
	return unsafe.String(unsafe.SliceData(e.text[start:]), len(e.text)-start)
}

func (e *encoder) addr(a netip.Addr) string {
	start := len(e.text)
	e.text = a.AppendTo(e.text)
	return unsafe.String(unsafe.SliceData(e.text[start:]), len(e.text)-start)
}
