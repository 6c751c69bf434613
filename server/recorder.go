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
	"github.com/vasic-project/vasic/fib"
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
	vasicv1.NeighborService_ResolveNeighbor_FullMethodName: true,
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
	vasicv1.RecordService_EndRecording_FullMethodName:      false,
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
// calls take effect one after the other, in the order of the recording. Hardware hands results over with it held shared, and while somebody records does each
// unit of its work so, which gives each call its place among those. Nothing waits for hardware with the lock held.
type recorder struct {
	s      *Server
	limit  int           // bytes of requests that one recording may leave unsent
	stream atomic.Uint64 // number of the last ModifyRoutes stream

	effects sync.RWMutex // held while a call takes effect or hardware does; before all locks of the FIB
	active  atomic.Int32 // recordings; written with effects held alone
	number  uint64       // of the last recording; guarded by effects

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
	number   uint64
	wake     chan struct{}           // has room for one: there is something to send
	calls    []*recordedCall         // not sent yet; guarded by recorder.mu, as the rest
	bytes    int                     // of calls
	overflow bool                    // there were too many
	ended    *vasicv1.RecordingEnded // where it ends; nil while it goes on
}

func (r *recording) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// turn lets hardware do something or hand results over, between calls.
func (r *recorder) turn(do func()) {
	r.effects.RLock()
	defer r.effects.RUnlock()
	do()
}

// lock lets something take effect, and says whether it does so alone, as somebody records.
func (r *recorder) lock() (alone bool) {
	r.effects.RLock()
	if r.active.Load() == 0 {
		return false
	}
	r.effects.RUnlock()
	r.effects.Lock()
	return true
}

func (r *recorder) unlock(alone bool) {
	if alone {
		r.effects.Unlock()
	} else {
		r.effects.RUnlock()
	}
}

// begin starts the effect of a call. Its end must be told what the call answers.
func (r *recorder) begin(method string, stream uint64, request proto.Message) effect {
	e := effect{r: r, alone: r.lock()}
	if e.alone {
		e.call = r.note(method, stream, request)
	}
	return e
}

// note puts a call into the recordings, which are at the place where it takes effect.
func (r *recorder) note(method string, stream uint64, request proto.Message) *recordedCall {
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil { // it came over the wire
		panic(err)
	}
	call := &recordedCall{size: len(wire)}
	call.Method, call.Request, call.Stream, call.UnixNanos = method, wire, stream, time.Now().UnixNano()
	stats := r.s.chip.Stats()
	r.mu.Lock()
	defer r.mu.Unlock()
	call.Revision, call.Programmed, call.Position = r.s.journal.Head(), stats.Programmed, stats.Position
	for _, rec := range r.recordings {
		if rec.ended != nil {
			continue
		}
		if rec.bytes += call.size; rec.bytes > r.limit {
			rec.overflow = true
		}
		rec.calls = append(rec.calls, call)
		rec.signal()
	}
	return call
}

// byItself has the switch do something that is no call of a client: it is recorded as the call that would do the same, if do says that it did something.
func (r *recorder) byItself(method string, request proto.Message, do func() bool) {
	alone := r.lock()
	var call *recordedCall
	if do() && alone {
		call = r.note(method, 0, request)
	}
	e := effect{r: r, alone: alone, call: call}
	e.end(nil, nil)
}

// resolved has neighbours resolve whose time has come. They are recorded as if somebody had called for it.
func (r *recorder) resolved(answer func() []fib.Resolved) {
	alone := r.lock()
	defer r.unlock(alone)
	for _, n := range answer() {
		if alone {
			call := r.note(vasicv1.NeighborService_ResolveNeighbor_FullMethodName, 0, &vasicv1.ResolveNeighborRequest{Address: n.Addr.String(), Device: n.Link})
			r.ended(call, nil, nil)
		}
	}
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
	if !e.released {
		e.r.unlock(e.alone)
		e.released = true
	}
}

// pause lets other calls take effect while this one waits for what wait does, unless it is recorded: it then is one piece, and does not wait.
func (e *effect) pause(wait func() error) error {
	if e.alone {
		return nil
	}
	e.release()
	err := wait()
	e.alone, e.released = e.r.lock(), false
	return err
}

// end ends the call with what it answers; refused are the operations refused of a ModifyRoutes message. Ending again does nothing.
func (e *effect) end(err error, refused []uint32) {
	if e.call != nil {
		e.r.ended(e.call, err, refused)
		e.call = nil
	}
	e.release()
}

// ended notes the end of a call.
func (r *recorder) ended(call *recordedCall, err error, refused []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	call.Code, call.Refused, call.ended = int32(status.Code(err)), refused, true //nolint:gosec // codes are below 17
	for _, rec := range r.recordings {
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
