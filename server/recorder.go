package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// changing says of each unary method, and of ModifyRoutes, whether it can change the switch. What the others say follows from what these did.
var changing = map[string]bool{
	vasicv1.RouteService_ModifyRoutes_FullMethodName:       true,
	vasicv1.RouteService_ModifyRoute_FullMethodName:        true,
	vasicv1.RouteService_GetRoute_FullMethodName:           false,
	vasicv1.RouteService_FlushRoutes_FullMethodName:        true,
	vasicv1.RouteService_LookupRoute_FullMethodName:        false,
	vasicv1.SwitchService_GetSettings_FullMethodName:       false,
	vasicv1.SwitchService_UpdateSettings_FullMethodName:    true,
	vasicv1.SwitchService_GetStatus_FullMethodName:         false,
	vasicv1.SwitchService_ListResources_FullMethodName:     false,
	vasicv1.SwitchService_UpdateResource_FullMethodName:    true,
	vasicv1.SwitchService_Reload_FullMethodName:            true,
	vasicv1.SwitchService_Pause_FullMethodName:             true,
	vasicv1.SwitchService_Step_FullMethodName:              true,
	vasicv1.SwitchService_Resume_FullMethodName:            true,
	vasicv1.SwitchService_ListQueue_FullMethodName:         false,
	vasicv1.LinkService_CreateLink_FullMethodName:          true,
	vasicv1.LinkService_DeleteLink_FullMethodName:          true,
	vasicv1.LinkService_UpdateLink_FullMethodName:          true,
	vasicv1.LinkService_GetLink_FullMethodName:             false,
	vasicv1.LinkService_ListLinks_FullMethodName:           false,
	vasicv1.LinkService_CreateAddress_FullMethodName:       true,
	vasicv1.LinkService_DeleteAddress_FullMethodName:       true,
	vasicv1.LinkService_ListAddresses_FullMethodName:       false,
	vasicv1.NeighborService_CreateNeighbor_FullMethodName:  true,
	vasicv1.NeighborService_ReplaceNeighbor_FullMethodName: true,
	vasicv1.NeighborService_DeleteNeighbor_FullMethodName:  true,
	vasicv1.NextHopService_CreateNextHop_FullMethodName:    true,
	vasicv1.NextHopService_ReplaceNextHop_FullMethodName:   true,
	vasicv1.NextHopService_DeleteNextHop_FullMethodName:    true,
	vasicv1.NextHopService_GetNextHop_FullMethodName:       false,
	vasicv1.RuleService_CreateRule_FullMethodName:          true,
	vasicv1.RuleService_DeleteRule_FullMethodName:          true,
	vasicv1.RuleService_ListRules_FullMethodName:           false,
	vasicv1.FaultService_CreateFault_FullMethodName:        true,
	vasicv1.FaultService_DeleteFault_FullMethodName:        true,
	vasicv1.FaultService_ListFaults_FullMethodName:         false,
}

// waits are the changing methods that can wait for hardware, or for room in its queue. They take their place in the recording where their handler says.
var waits = map[string]bool{
	vasicv1.RouteService_ModifyRoute_FullMethodName: true,
	vasicv1.RouteService_FlushRoutes_FullMethodName: true,
	vasicv1.SwitchService_Reload_FullMethodName:     true,
	vasicv1.SwitchService_Pause_FullMethodName:      true,
	vasicv1.SwitchService_Step_FullMethodName:       true,
}

// recorder puts the calls that change the switch into one order while somebody records, and keeps what recordings have not sent yet.
//
// A call takes effect with the recorder's lock held: shared while nobody records, so that calls do not hold each other up; alone while somebody does, so that
// calls take effect one after the other, in the order of the recording. Nothing waits for hardware with the lock held.
type recorder struct {
	s      *Server
	limit  int           // bytes of requests that one recording may leave unsent
	stream atomic.Uint64 // number of the last ModifyRoutes stream

	effects sync.RWMutex // held while a call takes effect; before all locks of the FIB
	active  atomic.Int32 // recordings; written with effects held alone

	mu         sync.Mutex // guards all following fields; a leaf lock
	recordings []*recording
}

// recordedCall is a call in the recording. Once ended it is immutable.
type recordedCall struct {
	vasicv1.RecordedCall
	ended bool // guarded by recorder.mu
	size  int
}

// recording is one Record call.
type recording struct {
	wake     chan struct{}   // has room for one: there is something to send
	calls    []*recordedCall // not sent yet; guarded by recorder.mu, as the rest
	bytes    int             // of calls
	overflow bool            // there were too many
}

func (r *recording) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// begin starts the effect of a call. Its end must be told what the call answers.
func (r *recorder) begin(method string, stream uint64, request proto.Message) (e effect) {
	e.r = r
	r.effects.RLock()
	if r.active.Load() == 0 {
		return e
	}
	r.effects.RUnlock()
	r.effects.Lock()
	e.alone = true
	wire, err := proto.Marshal(request)
	if err != nil { // it came over the wire
		panic(err)
	}
	e.call = &recordedCall{size: len(wire)}
	e.call.Method, e.call.Request, e.call.Stream, e.call.UnixNanos = method, wire, stream, time.Now().UnixNano()
	r.mu.Lock()
	defer r.mu.Unlock()
	e.call.Revision, e.call.Programmed = r.s.journal.Head(), r.s.chip.Stats().Programmed
	for _, rec := range r.recordings {
		if rec.bytes += e.call.size; rec.bytes > r.limit {
			rec.overflow = true
		}
		rec.calls = append(rec.calls, e.call)
		rec.signal()
	}
	return e
}

// effect is a call that is taking effect.
type effect struct {
	r        *recorder
	call     *recordedCall // nil where nobody records, and after the end
	alone    bool
	released bool
}

// release lets other calls take effect while this one waits.
func (e *effect) release() {
	switch {
	case e.released:
		return
	case e.alone:
		e.r.effects.Unlock()
	default:
		e.r.effects.RUnlock()
	}
	e.released = true
}

// goOn ends a release.
func (e *effect) goOn() {
	if e.alone {
		e.r.effects.Lock()
	} else {
		e.r.effects.RLock()
	}
	e.released = false
}

// end ends the call with what it answers; refused are the operations refused of a ModifyRoutes message. Ending again does nothing.
func (e *effect) end(err error, refused []uint32) {
	e.release()
	if e.call == nil {
		return
	}
	call := e.call
	e.call = nil
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	call.Code, call.Refused, call.ended = int32(status.Code(err)), refused, true //nolint:gosec // codes are below 17
	for _, rec := range e.r.recordings {
		rec.signal()
	}
}

// published tells recordings that there are events.
func (r *recorder) published() {
	if r.active.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.recordings {
		rec.signal()
	}
}

var errPanicked = status.Error(codes.Internal, "the call panicked")

// callKey is where the interceptor leaves a call that waits for its handler.
type callKey struct{}

// waitingCall is a call whose handler says when it takes effect.
type waitingCall struct {
	method  string
	request proto.Message
	begun   bool
}

// unary lets the unary calls that change the switch take effect in order.
func (r *recorder) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	request, ok := req.(proto.Message)
	switch {
	case !ok || !changing[info.FullMethod]:
		return handler(ctx, req)
	case !waits[info.FullMethod]:
		e := r.begin(info.FullMethod, 0, request)
		defer e.end(errPanicked, nil) // unless it has ended
		res, err := handler(ctx, req)
		e.end(err, nil)
		return res, err
	}
	call := &waitingCall{method: info.FullMethod, request: request}
	res, err := handler(context.WithValue(ctx, callKey{}, call), req)
	if !call.begun { // it was refused before it could do anything
		e := r.begin(info.FullMethod, 0, request)
		e.end(err, nil)
	}
	return res, err
}

// beginWaiting starts the effect of the call that is being handled.
func (r *recorder) beginWaiting(ctx context.Context) effect {
	call, ok := ctx.Value(callKey{}).(*waitingCall)
	if !ok { // not called through gRPC
		r.effects.RLock()
		return effect{r: r}
	}
	call.begun = true
	return r.begin(call.method, 0, call.request)
}

// start begins a recording and says what the switch is like at that moment.
func (r *recorder) start() (*recording, *vasicv1.RecordingStarted) {
	r.effects.Lock() // no call is taking effect
	defer r.effects.Unlock()
	rec := &recording{wake: make(chan struct{}, 1)}
	r.active.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recordings = append(r.recordings, rec)
	return rec, &vasicv1.RecordingStarted{
		Version: r.s.cfg.Version, Profile: r.s.chip.Profile().Name, Seed: r.s.cfg.Seed, Epoch: r.s.journal.log.Epoch(), Revision: r.s.journal.Head(),
		Programmed: r.s.chip.Stats().Programmed, UnixNanos: time.Now().UnixNano(),
	}
}

// stop ends a recording.
func (r *recorder) stop(rec *recording) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active.Add(-1)
	for i, other := range r.recordings {
		if other == rec {
			r.recordings = append(r.recordings[:i], r.recordings[i+1:]...)
			break
		}
	}
}

// take returns the calls that can be sent, in order, and the revision up to which events may be sent with them: no call that is still to come, or is still
// going on, took effect before it.
func (r *recorder) take(rec *recording) (calls []*recordedCall, revision uint64, overflow bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for n < len(rec.calls) && rec.calls[n].ended {
		rec.bytes -= rec.calls[n].size
		n++
	}
	calls, revision = rec.calls[:n:n], r.s.journal.Head()
	if rec.calls = rec.calls[n:]; len(rec.calls) > 0 {
		revision = rec.calls[0].Revision
	}
	return calls, revision, rec.overflow
}
