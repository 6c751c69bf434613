package main

import (
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// plainServer is the role "plain": the limit server as it would be written with stock protobuf-go. It has one watcher.
type plainServer struct {
	vasicv1.UnimplementedRouteServiceServer
	vasicv1.UnimplementedWatchServiceServer
	events chan *vasicv1.WatchResponse
	spare  chan *vasicv1.WatchResponse // sent, and free to be filled again
}

// servePlain starts one.
func servePlain(json.RawMessage) (any, handlers, error) {
	return listenFor(&plainServer{
		events: make(chan *vasicv1.WatchResponse, limitAhead), spare: make(chan *vasicv1.WatchResponse, limitAhead+2),
	})
}

// ModifyRoutes answers and publishes.
func (p *plainServer) ModifyRoutes(stream grpc.BidiStreamingServer[vasicv1.ModifyRoutesRequest, vasicv1.ModifyRoutesResponse]) error {
	var say shape
	var response vasicv1.ModifyRoutesResponse
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
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
			message := p.message(len(ops))
			for i, op := range ops {
				say.event(message.Events[i], op, kind, say.generation+uint64(i)+1, now) //nolint:gosec // not negative
			}
			select {
			case p.events <- message:
			case <-stream.Context().Done():
				return stream.Context().Err()
			}
		}
		say.generation += uint64(len(ops))
	}
}

// message returns a message with so many events.
func (p *plainServer) message(n int) *vasicv1.WatchResponse {
	var m *vasicv1.WatchResponse
	select {
	case m = <-p.spare:
	default:
		m = &vasicv1.WatchResponse{}
	}
	for len(m.Events) < n {
		m.Events = append(m.Events, &vasicv1.Event{})
	}
	m.Events = m.Events[:n]
	return m
}

// Watch sends what is published.
func (p *plainServer) Watch(_ *vasicv1.WatchRequest, stream grpc.ServerStreamingServer[vasicv1.WatchResponse]) error {
	if err := openWatch(stream); err != nil {
		return err
	}
	for {
		select {
		case message := <-p.events:
			if err := stream.Send(message); err != nil {
				return err
			}
			select {
			case p.spare <- message:
			default:
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// dialPlain returns a connection that uses gRPC's own codec.
func dialPlain(target string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(target, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
}

// plainProgrammer does with stock protobuf-go what vasic.Programmer does. It is for one goroutine.
type plainProgrammer struct {
	stream   grpc.BidiStreamingClient[vasicv1.ModifyRoutesRequest, vasicv1.ModifyRoutesResponse]
	request  vasicv1.ModifyRoutesRequest
	batch    int
	onResult func(vasic.Result)
	done     chan struct{} // closed when the stream is over

	mu       sync.Mutex // guards the following fields
	room     sync.Cond  // on mu: inFlight became less, or failure was set
	inFlight int
	most     int
	failure  error
}

// newPlainProgrammer starts one.
func newPlainProgrammer(stream grpc.BidiStreamingClient[vasicv1.ModifyRoutesRequest, vasicv1.ModifyRoutesResponse], o vasic.ProgrammerOptions) *plainProgrammer {
	p := &plainProgrammer{stream: stream, batch: o.BatchSize, most: o.MaxInFlight, onResult: o.OnResult, done: make(chan struct{})}
	p.room.L = &p.mu
	go p.receive()
	return p
}

// receive takes answers.
func (p *plainProgrammer) receive() {
	defer close(p.done)
	for {
		m, err := p.stream.Recv()
		for _, r := range m.GetResults() {
			if p.onResult != nil {
				p.onResult(vasic.Result{ID: r.Id, Status: r.Status, Revision: r.Revision, RouteID: r.RouteId, Generation: r.Generation})
			}
		}
		p.mu.Lock()
		p.inFlight -= len(m.GetResults())
		p.failure = err
		p.room.Broadcast()
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Send adds an operation to the batch, and sends the batch when it is full.
func (p *plainProgrammer) Send(op vasic.Operation) error {
	ops := p.request.Operations
	if n := len(ops); n < cap(ops) && ops[:n+1][n] != nil {
		ops = ops[:n+1]
	} else {
		ops = append(ops, &vasicv1.RouteOperation{Route: &vasicv1.Route{NextHops: []*vasicv1.NextHop{{}}}})
	}
	p.request.Operations = ops
	o := ops[len(ops)-1]
	o.Id, o.Action = op.ID, op.Action
	o.Route.Prefix, o.Route.Protocol = op.Route.Prefix, op.Route.Protocol
	if o.Route.NextHops = o.Route.NextHops[:0]; len(op.Route.NextHops) > 0 {
		o.Route.NextHops = o.Route.NextHops[:1]
		o.Route.NextHops[0].Gateway = op.Route.NextHops[0].Gateway
	}
	if len(ops) < p.batch {
		return nil
	}
	return p.Flush()
}

// Flush sends the batch.
func (p *plainProgrammer) Flush() error {
	n := len(p.request.Operations)
	p.mu.Lock()
	for p.failure == nil && p.inFlight+n > p.most {
		p.room.Wait()
	}
	err := p.failure
	p.inFlight += n
	p.mu.Unlock()
	if err != nil || n == 0 {
		return err
	}
	err = p.stream.Send(&p.request)
	p.request.Operations = p.request.Operations[:0]
	return err
}

// Close sends the rest and waits for all answers.
func (p *plainProgrammer) Close() error {
	if err := p.Flush(); err != nil {
		return err
	}
	if err := p.stream.CloseSend(); err != nil {
		return err
	}
	<-p.done
	if p.inFlight > 0 {
		return status.Error(codes.Unavailable, "the stream ended with operations unanswered")
	}
	if !errors.Is(p.failure, io.EOF) {
		return p.failure
	}
	return nil
}
