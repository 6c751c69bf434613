package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// toy is a switch of a few lines: routes by prefix, a queue, hardware whose results depend on what came before, and a log.
type toy struct {
	vasicv1.UnimplementedRouteServiceServer
	vasicv1.UnimplementedSwitchServiceServer
	vasicv1.UnimplementedRecordServiceServer

	mu         sync.Mutex // guards the following
	wake       *sync.Cond // something changed
	profile    string
	seed       uint64
	salt       uint64 // what makes another switch of it
	capacity   int
	routes     map[string]*vasicv1.Route
	queue      []*vasicv1.Route
	generation uint64
	revision   uint64
	programmed uint64
	streams    uint64
	fail       bool
	paused     bool
	stopped    bool
	steps      uint32 // that a paused chip may do
	held       bool
	until      uint64 // that a held chip may do
	log        []*vasicv1.RecordResponse
	status     func(*vasicv1.GetStatusResponse)
}

// newToy returns a toy that runs, and a client of it.
func newToy(t testing.TB, setup func(*toy)) (*toy, *vasic.Client) {
	s := &toy{profile: "switch", seed: 7, capacity: 1 << 20, routes: map[string]*vasicv1.Route{}}
	s.wake = sync.NewCond(&s.mu)
	if setup != nil {
		setup(s)
	}
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(grpc.ForceServerCodecV2(codec.Codec{}))
	vasicv1.RegisterRouteServiceServer(g, s)
	vasicv1.RegisterSwitchServiceServer(g, s)
	vasicv1.RegisterRecordServiceServer(g, s)
	go func() { _ = g.Serve(listener) }()
	done := make(chan struct{})
	go func() { defer close(done); s.chip() }()
	cc, err := grpc.NewClient("passthrough:///toy", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.mu.Lock()
		s.stopped = true
		s.wake.Broadcast()
		s.mu.Unlock()
		cc.Close()
		g.Stop()
		<-done
	})
	return s, vasic.NewClient(cc)
}

// chip is the programming goroutine.
func (s *toy) chip() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.stopped {
		if len(s.queue) == 0 || !s.may() {
			s.wake.Wait()
			continue
		}
		if s.paused && s.steps > 0 {
			s.steps--
		}
		r := s.queue[0]
		s.queue = s.queue[1:]
		s.programmed++
		if now := s.routes[r.Prefix]; now != nil && now.Generation == r.Generation {
			now.Offload, now.OffloadFailed = !s.fail, s.fail
			now.Metric = proto.Uint32(uint32(s.programmed + s.salt)) // so that the order shows
			s.publish(vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED, now)
		}
		s.wake.Broadcast()
	}
}

// may reports whether the chip may do something. Called with mu held.
func (s *toy) may() bool {
	if s.held {
		return s.programmed < s.until
	}
	return !s.paused || s.steps > 0
}

// publish appends an event. Called with mu held.
func (s *toy) publish(kind vasicv1.EventKind, r *vasicv1.Route) {
	s.revision++
	e := &vasicv1.Event{Revision: s.revision, Kind: kind, Route: proto.CloneOf(r), UnixNanos: time.Now().UnixNano()}
	s.log = append(s.log, &vasicv1.RecordResponse{Events: []*vasicv1.Event{e}})
	s.wake.Broadcast()
}

// note records a call just before it takes effect. Called with mu held.
func (s *toy) note(method string, m message) *vasicv1.RecordedCall {
	b := make([]byte, m.SizeVT())
	if _, err := m.MarshalToSizedBufferVT(b); err != nil {
		panic(err)
	}
	c := &vasicv1.RecordedCall{Method: method, Request: b, Revision: s.revision, Programmed: s.programmed, Position: s.programmed, UnixNanos: time.Now().UnixNano()}
	s.log = append(s.log, &vasicv1.RecordResponse{Call: c})
	s.wake.Broadcast()
	return c
}

// apply carries out an operation. Called with mu held.
func (s *toy) apply(op *vasicv1.RouteOperation) bool {
	r := op.Route
	old := s.routes[r.Prefix]
	switch {
	case op.Action == vasicv1.RouteAction_ROUTE_ACTION_ADD && old != nil, op.Action == vasicv1.RouteAction_ROUTE_ACTION_DELETE && old == nil:
		return false
	case op.Action == vasicv1.RouteAction_ROUTE_ACTION_DELETE:
		delete(s.routes, r.Prefix)
		s.publish(vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED, old)
		s.queue = append(s.queue, old)
		return true
	}
	s.generation++
	r = proto.CloneOf(r)
	r.Generation = s.generation
	s.routes[r.Prefix] = r
	s.publish(vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED, r)
	s.queue = append(s.queue, proto.CloneOf(r))
	return true
}

// room waits until n operations fit. Called with mu held.
func (s *toy) room(n int) {
	for len(s.queue)+n > s.capacity && !s.stopped && !s.held {
		s.wake.Wait()
	}
}

func (s *toy) ModifyRoutes(stream vasicv1.RouteService_ModifyRoutesServer) error {
	s.mu.Lock()
	s.streams++
	number := s.streams
	s.mu.Unlock()
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		resp := &vasicv1.ModifyRoutesResponse{}
		s.mu.Lock()
		s.room(len(req.Operations))
		call := s.note(vasicv1.RouteService_ModifyRoutes_FullMethodName, req)
		call.Stream = number
		for i, op := range req.Operations {
			a := &vasicv1.OperationResult{Id: op.Id, Status: vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED}
			if !s.apply(op) {
				a.Status = vasicv1.OperationStatus_OPERATION_STATUS_REFUSED
				a.Error = &vasicv1.OperationError{Code: int32(codes.AlreadyExists), Message: "no"}
				call.Refused = append(call.Refused, uint32(i))
			}
			resp.Results = append(resp.Results, a)
		}
		s.mu.Unlock()
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
}

func (s *toy) ModifyRoute(ctx context.Context, req *vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room(1)
	call := s.note(vasicv1.RouteService_ModifyRoute_FullMethodName, req)
	if !s.apply(&vasicv1.RouteOperation{Action: req.Action, Route: req.Route}) {
		call.Code = int32(codes.AlreadyExists)
		return nil, status.Error(codes.AlreadyExists, "no")
	}
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wake.Broadcast()
	})
	defer stop()
	for want := s.programmed + uint64(len(s.queue)); req.WaitForHardware && s.programmed < want && ctx.Err() == nil && !s.stopped; {
		s.wake.Wait()
	}
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	return &vasicv1.ModifyRouteResponse{Result: &vasicv1.OperationResult{Status: vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED}}, nil
}

func (s *toy) UpdateSettings(_ context.Context, req *vasicv1.UpdateSettingsRequest) (*vasicv1.UpdateSettingsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(vasicv1.SwitchService_UpdateSettings_FullMethodName, req)
	s.fail = req.GetSettings().GetFailRouteOffload()
	return &vasicv1.UpdateSettingsResponse{}, nil
}

func (s *toy) GetStatus(context.Context, *vasicv1.GetStatusRequest) (*vasicv1.GetStatusResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &vasicv1.GetStatusResponse{
		Profile: s.profile, Seed: s.seed, Revision: s.revision, Programmed: s.programmed, Position: s.programmed, Paused: s.paused || s.held,
		QueueLength: uint64(len(s.queue)), QueueCapacity: uint64(s.capacity),
	}
	if s.status != nil {
		s.status(r)
	}
	return r, nil
}

func (s *toy) Pause(_ context.Context, req *vasicv1.PauseRequest) (*vasicv1.PauseResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(vasicv1.SwitchService_Pause_FullMethodName, req)
	if req.Hold {
		s.held = true
	} else {
		s.paused = true
	}
	return &vasicv1.PauseResponse{}, nil
}

func (s *toy) Resume(_ context.Context, req *vasicv1.ResumeRequest) (*vasicv1.ResumeResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(vasicv1.SwitchService_Resume_FullMethodName, req)
	if !req.KeepPause {
		s.paused, s.steps = false, 0
	}
	s.held = s.held && req.KeepHold
	s.wake.Broadcast()
	return &vasicv1.ResumeResponse{}, nil
}

func (s *toy) Step(_ context.Context, req *vasicv1.StepRequest) (*vasicv1.StepResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.UntilPosition > 0 {
		for s.until = req.UntilPosition; s.programmed < s.until && len(s.queue) > 0 && !s.stopped; {
			s.wake.Broadcast()
			s.wake.Wait()
		}
		s.until = 0
		return &vasicv1.StepResponse{Position: s.programmed}, nil
	}
	call := s.note(vasicv1.SwitchService_Step_FullMethodName, req)
	if !s.paused {
		call.Code = int32(codes.FailedPrecondition)
		return nil, status.Error(codes.FailedPrecondition, "not paused")
	}
	before := s.programmed
	s.steps = min(req.Operations, uint32(len(s.queue)))
	s.wake.Broadcast()
	for s.steps > 0 && !s.stopped && !s.held {
		s.wake.Wait()
	}
	return &vasicv1.StepResponse{Done: uint32(s.programmed - before), QueueLength: uint64(len(s.queue))}, nil
}

func (s *toy) Record(_ *vasicv1.RecordRequest, stream vasicv1.RecordService_RecordServer) error {
	stop := context.AfterFunc(stream.Context(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wake.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	at := len(s.log)
	m := &vasicv1.RecordResponse{Started: &vasicv1.RecordingStarted{
		Version: "1", Profile: s.profile, Seed: s.seed, Revision: s.revision, Programmed: s.programmed, Position: s.programmed, UnixNanos: time.Now().UnixNano(),
		Paused: s.paused,
	}}
	for {
		s.mu.Unlock()
		if err := stream.Send(m); err != nil {
			return err
		}
		s.mu.Lock()
		for at == len(s.log) && stream.Context().Err() == nil && !s.stopped {
			s.wake.Wait()
		}
		if stream.Context().Err() != nil || s.stopped {
			s.mu.Unlock()
			return nil
		}
		if m.GetEnded() != nil {
			s.mu.Unlock()
			return nil
		}
		m = proto.CloneOf(s.log[at]) // a call may get refusals while it is sent
		at++
	}
}

func (s *toy) EndRecording(context.Context, *vasicv1.EndRecordingRequest) (*vasicv1.EndRecordingResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, &vasicv1.RecordResponse{Ended: &vasicv1.RecordingEnded{Revision: s.revision, Position: s.programmed, Programmed: s.programmed}})
	s.wake.Broadcast()
	return &vasicv1.EndRecordingResponse{}, nil
}

// add is a request for one route.
func add(prefix string) *vasicv1.ModifyRouteRequest {
	return &vasicv1.ModifyRouteRequest{Action: vasicv1.RouteAction_ROUTE_ACTION_ADD, Route: &vasicv1.Route{Prefix: prefix}}
}

// operations are routes to add, and with a "-" in front to delete.
func operations(prefixes ...string) *vasicv1.ModifyRoutesRequest {
	m := &vasicv1.ModifyRoutesRequest{}
	for i, p := range prefixes {
		op := &vasicv1.RouteOperation{Id: uint64(i * 11), Action: vasicv1.RouteAction_ROUTE_ACTION_ADD, ReportHardware: true, Route: &vasicv1.Route{Prefix: strings.TrimPrefix(p, "-")}}
		if p[0] == '-' {
			op.Action = vasicv1.RouteAction_ROUTE_ACTION_DELETE
		}
		m.Operations = append(m.Operations, op)
	}
	return m
}

// numbered is the n-th prefix.
func numbered(n int) string { return fmt.Sprintf("10.%d.%d.0/24", n/256, n%256) }
