package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

const (
	// eventsField is the number of WatchResponse.events.
	eventsField protowire.Number = 1
	// limitAhead is how many messages wait for a watcher before requests wait: enough to keep all goroutines busy.
	limitAhead = 64
)

// shape makes, for an operation, what a switch would say of it, without a switch. It uses its messages again and again.
type shape struct {
	revision   uint64
	generation uint64
	metric     uint32
	metric6    uint32
	scope      uint32
	spare      vasicv1.Event // for events that are encoded at once
}

// results fills in the answers to a batch.
func (s *shape) results(to *vasicv1.ModifyRoutesResponse, ops []*vasicv1.RouteOperation) {
	for len(to.Results) < len(ops) {
		to.Results = append(to.Results, &vasicv1.OperationResult{})
	}
	to.Results = to.Results[:len(ops)]
	for i, op := range ops {
		r := to.Results[i]
		r.Id, r.Status = op.Id, vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED
		r.Revision, r.RouteId, r.Generation = s.revision+uint64(i)+1, s.generation+uint64(i)+1, s.generation+uint64(i)+1 //nolint:gosec // not negative
	}
}

// event fills in an event about the route of an operation.
func (s *shape) event(e *vasicv1.Event, op *vasicv1.RouteOperation, kind vasicv1.EventKind, generation uint64, nanos int64) {
	s.revision++
	e.Revision, e.Kind, e.UnixNanos = s.revision, kind, nanos
	e.Requested = kind != vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED
	e.NetlinkFlags = 0
	if kind == vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED {
		e.NetlinkFlags = 0x600
	}
	if e.Route == nil {
		e.Route = &vasicv1.Route{}
	}
	r := e.Route
	r.Prefix, r.Table, r.Protocol, r.Type, r.Scope = op.Route.Prefix, 254, op.Route.Protocol, vasicv1.RouteType_ROUTE_TYPE_UNICAST, &s.scope
	if r.Metric = &s.metric; isIPv6(r.Prefix) {
		s.metric6 = 1024
		r.Metric = &s.metric6
	}
	r.Id, r.Generation = generation, generation
	r.Offload = kind == vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED
	if len(r.NextHops) == 0 {
		r.NextHops = []*vasicv1.NextHop{{Device: "swp0", Weight: 1}}
	}
	hop := r.NextHops[0]
	if hop.Offload = r.Offload; len(op.Route.NextHops) > 0 {
		hop.Gateway = op.Route.NextHops[0].Gateway
	}
}

// kindsOf are the events that an operation causes, in order.
func kindsOf(action vasicv1.RouteAction) []vasicv1.EventKind {
	switch action {
	case vasicv1.RouteAction_ROUTE_ACTION_DELETE:
		return []vasicv1.EventKind{vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED}
	case vasicv1.RouteAction_ROUTE_ACTION_REPLACE:
		return []vasicv1.EventKind{vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED, vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED}
	}
	return []vasicv1.EventKind{vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED, vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED}
}

// limitServer is the role "limit": a server that does nothing but decode requests and encode answers and events of the shape that a
// switch's have, with the codec that the switch has. A whole path cannot be quicker than this.
type limitServer struct {
	vasicv1.UnimplementedRouteServiceServer
	vasicv1.UnimplementedWatchServiceServer
	pool mem.BufferPool
	each bool // encode for each watcher, and not once for all

	mu       sync.Mutex // guards watchers
	watchers map[*limitWatch]bool
}

// limitWatch is a watcher.
type limitWatch struct {
	filter *vasicv1.WatchFilter
	events chan published
	gone   <-chan struct{}
}

// published is a batch of events on its way to a watcher, as it shall be sent or as it shall be encoded.
type published struct {
	encoded  mem.Buffer
	events   []*vasicv1.Event
	protocol uint32 // of the routes, which have the same
	kind     vasicv1.EventKind
}

// selects says whether a watcher wants the batch. It knows the filters that this program's clients use.
func (p *published) selects(f *vasicv1.WatchFilter) bool {
	return (f.GetProtocol() == 0 || f.GetProtocol() == p.protocol) && (len(f.GetKinds()) == 0 || slices.Contains(f.Kinds, p.kind))
}

// limitSettings say how it works.
type limitSettings struct{ Each bool }

// serveLimit starts one.
func serveLimit(settings json.RawMessage) (any, handlers, error) {
	var want limitSettings
	if err := json.Unmarshal(settings, &want); err != nil {
		return nil, nil, err
	}
	l := &limitServer{pool: &eventPool{}, each: want.Each, watchers: make(map[*limitWatch]bool)}
	return listenFor(l, grpc.ForceServerCodecV2(codec.Codec{}))
}

// listenFor serves both services on a free loopback port.
func listenFor(services interface {
	vasicv1.RouteServiceServer
	vasicv1.WatchServiceServer
}, options ...grpc.ServerOption,
) (any, handlers, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	s := grpc.NewServer(options...)
	vasicv1.RegisterRouteServiceServer(s, services)
	vasicv1.RegisterWatchServiceServer(s, services)
	go func() { _ = s.Serve(lis) }()
	return served{lis.Addr().String()}, nil, nil
}

// ModifyRoutes answers and publishes.
func (l *limitServer) ModifyRoutes(stream grpc.BidiStreamingServer[vasicv1.ModifyRoutesRequest, vasicv1.ModifyRoutesResponse]) error {
	request := &vasicv1.ModifyRoutesRequest{} // used for every message
	var say shape
	var response vasicv1.ModifyRoutesResponse
	for {
		if err := stream.RecvMsg(request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		ops := request.Operations
		say.results(&response, ops)
		if err := stream.Send(&response); err != nil || len(ops) == 0 {
			return err
		}
		now := time.Now().UnixNano()
		for _, kind := range kindsOf(ops[0].Action) {
			batch, err := l.batch(&say, ops, kind, now)
			if err != nil {
				return err
			}
			l.publish(batch)
		}
		say.generation += uint64(len(ops))
	}
}

// batch makes the events of one kind about operations.
func (l *limitServer) batch(say *shape, ops []*vasicv1.RouteOperation, kind vasicv1.EventKind, now int64) (p published, err error) {
	p.protocol, p.kind = ops[0].Route.Protocol, kind
	if l.each {
		for i, op := range ops {
			p.events = append(p.events, &vasicv1.Event{})
			say.event(p.events[i], op, kind, say.generation+uint64(i)+1, now) //nolint:gosec // not negative
			metric, scope := *p.events[i].Route.Metric, *p.events[i].Route.Scope
			p.events[i].Route.Metric, p.events[i].Route.Scope = &metric, &scope // of its own, since it is read while others are made
		}
		return p, nil
	}
	b := l.pool.Get(0)
	for i, op := range ops {
		say.event(&say.spare, op, kind, say.generation+uint64(i)+1, now) //nolint:gosec // not negative
		if *b, err = codec.AppendField(*b, eventsField, &say.spare); err != nil {
			return p, err
		}
	}
	p.encoded = mem.NewBuffer(b, l.pool)
	return p, nil
}

// publish gives events to every watcher.
func (l *limitServer) publish(p published) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.watchers {
		if !p.selects(w.filter) {
			continue
		}
		if p.encoded != nil {
			p.encoded.Ref()
		}
		select {
		case w.events <- p:
		case <-w.gone:
		}
	}
	if p.encoded != nil {
		p.encoded.Free()
	}
}

// Watch sends what is published.
func (l *limitServer) Watch(request *vasicv1.WatchRequest, stream grpc.ServerStreamingServer[vasicv1.WatchResponse]) error {
	w := &limitWatch{filter: request.Filter, events: make(chan published, limitAhead), gone: stream.Context().Done()}
	l.mu.Lock()
	l.watchers[w] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.watchers, w)
		l.mu.Unlock()
	}()
	if err := openWatch(stream); err != nil {
		return err
	}
	for {
		select {
		case p := <-w.events:
			if err := l.send(stream, p); err != nil {
				return err
			}
		case <-w.gone:
			return stream.Context().Err()
		}
	}
}

// send sends a batch to one watcher.
func (l *limitServer) send(stream grpc.ServerStreamingServer[vasicv1.WatchResponse], p published) (err error) {
	if p.encoded != nil {
		return stream.SendMsg(mem.BufferSlice{p.encoded})
	}
	b := l.pool.Get(0)
	for _, e := range p.events {
		if *b, err = codec.AppendField(*b, eventsField, e); err != nil {
			return err
		}
	}
	return stream.SendMsg(mem.BufferSlice{mem.NewBuffer(b, l.pool)})
}

// openWatch sends what a live watch starts with.
func openWatch(stream grpc.ServerStreamingServer[vasicv1.WatchResponse]) error {
	if err := stream.Send(&vasicv1.WatchResponse{Created: &vasicv1.Created{Epoch: 1}}); err != nil {
		return err
	}
	return stream.Send(&vasicv1.WatchResponse{Synced: &vasicv1.Synced{}})
}

// eventPool keeps buffers of encoded events.
type eventPool struct{ pool sync.Pool }

// Get returns an empty buffer with room for a batch.
func (p *eventPool) Get(int) *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		*b = (*b)[:0]
		return b
	}
	b := make([]byte, 0, 64<<10)
	return &b
}

// Put takes a buffer back.
func (p *eventPool) Put(b *[]byte) { p.pool.Put(b) }
