package server

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// maxUnsent answers, or maxUnsentBytes of them, may wait for a client that does not read before its operations are no longer read either.
const (
	maxUnsent      = 1 << 14
	maxUnsentBytes = 4 << 20
)

const (
	// longBatch is how many operations make a stream let others have a turn: one that always has something to do keeps its processor for up to 10 ms, and others
	// wait for it as long.
	longBatch = 32
	// longPolite is for how many of them it does so after it has seen another stream or call at work. That costs it some of its rate, and so it does not do it
	// while it is alone.
	longPolite = 64
)

// modifyStream is one ModifyRoutes call. One goroutine reads operations and has them carried out, the handler's sends answers, and the
// programming goroutine adds hardware results.
type modifyStream struct {
	s      *Server
	stream grpc.BidiStreamingServer[vasicv1.ModifyRoutesRequest, vasicv1.ModifyRoutesResponse]
	number uint64        // among the streams of the switch
	wake   chan struct{} // has room for one: there is something to send, or the end was reached

	// Owned by the reading goroutine.
	parser   parser
	parsed   []parsed
	requests []fib.Request
	answers  []fib.Answer
	polite   int // for so many long batches others have a turn after each

	mu      sync.Mutex // guards all following fields; a leaf lock, also taken with a family's lock held
	unsent  answers
	waiting int           // operations whose hardware result is still to come
	drained chan struct{} // closed when unsent has become short again; nil where nobody waits
	done    bool          // nothing more is read
	err     error         // why, unless the client closed its side
}

// batch is what one message asked to be told about. Its operations' hardware results wait until the message was answered.
type batch struct {
	m        *modifyStream
	ids      []uint64 // of the operations, by cookie
	answered bool     // guarded by m.mu, as is early
	early    answers
}

// Settle implements fib.Waiter.
func (b *batch) Settle(cookie uint64, outcome fib.Outcome, reason fib.Reason) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	b.m.waiting--
	to := &b.early
	if b.answered {
		to = &b.m.unsent
		b.m.signal()
	}
	to.settled(b.ids[cookie], statusOfOutcome(outcome), reason)
}

func (m *modifyStream) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (r routeService) ModifyRoutes(stream grpc.BidiStreamingServer[vasicv1.ModifyRoutesRequest, vasicv1.ModifyRoutesResponse]) error {
	m := &modifyStream{s: r.s, stream: stream, number: r.s.recorder.stream.Add(1), wake: make(chan struct{}, 1)}
	go m.read()
	for {
		select {
		case <-m.wake:
		case <-stream.Context().Done():
			return statusOf(stream.Context().Err())
		case <-r.s.stopped: // everything that hardware did is here
			if finished, err := m.send(); err != nil || finished {
				return err
			}
			return errShuttingDown
		}
		finished, err := m.send()
		if err != nil || finished {
			return err
		}
	}
}

// send sends what there is and reports whether that was all.
func (m *modifyStream) send() (finished bool, err error) {
	m.mu.Lock()
	unsent := m.unsent
	m.unsent = answers{}
	finished = m.done && (m.waiting == 0 || m.err != nil && !errors.Is(m.err, errShuttingDown))
	end := m.err
	if m.drained != nil {
		close(m.drained)
		m.drained = nil
	}
	m.mu.Unlock()
	for len(unsent.pieces) > 0 {
		if err := m.stream.SendMsg(unsent.message()); err != nil {
			return false, err
		}
	}
	if finished {
		return true, end
	}
	return false, nil
}

// read carries out what the client sends until it ends.
func (m *modifyStream) read() {
	var err error
	defer func() {
		if p := recover(); p != nil { // gRPC's interceptor sees the handler's goroutine only
			err = m.s.panicked(m.stream.Context(), p)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.done, m.err = true, err
		m.signal()
	}()
	err = m.readAll()
}

func (m *modifyStream) readAll() error {
	in := &codec.Reused{Message: &vasicv1.ModifyRoutesRequest{}}
	for {
		err := m.stream.RecvMsg(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		msg := in.Message.(*vasicv1.ModifyRoutesRequest)
		switch n := len(msg.Operations); {
		case n == 0:
			return &refusal{
				code: codes.InvalidArgument, reason: vasicv1.ErrorReason_ERROR_REASON_EMPTY_BATCH, field: "operations", message: "operations: the batch is empty",
			}
		case n > m.s.cfg.MaxBatchOperations:
			return &refusal{
				code: codes.InvalidArgument, reason: vasicv1.ErrorReason_ERROR_REASON_BATCH_TOO_LARGE, field: "operations",
				message: fmt.Sprintf("operations: a batch of %d is larger than %d", n, m.s.cfg.MaxBatchOperations),
			}
		}
		if err := m.room(); err != nil {
			return statusOf(err)
		}
		m.apply(msg)
		m.makeWay(len(msg.Operations))
	}
}

// makeWay lets others have a turn after so many operations, if there are others.
func (m *modifyStream) makeWay(operations int) {
	if m.s.modifying.Swap(m.number) != m.number {
		m.polite = longPolite
	}
	if operations >= longBatch && m.polite > 0 {
		m.polite--
		runtime.Gosched()
	}
}

// room waits until there is room for operations in the programming queue and for answers on the way back.
func (m *modifyStream) room() error {
	ctx := m.stream.Context()
	for {
		m.mu.Lock()
		if m.unsent.count < maxUnsent && m.unsent.bytes < maxUnsentBytes {
			m.mu.Unlock()
			return m.s.reserve(ctx)
		}
		if m.drained == nil {
			m.drained = make(chan struct{})
		}
		drained := m.drained
		m.mu.Unlock()
		select {
		case <-drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// parsed is an operation that was looked at.
type parsed struct {
	family fib.Family
	bad    *refusal // why it is refused without asking the FIB
}

// apply carries out the operations of one message in order and answers them. Runs of one family share a lock.
func (m *modifyStream) apply(msg *vasicv1.ModifyRoutesRequest) {
	ops := msg.Operations
	n := len(ops)
	m.requests, m.answers, m.parsed = resize(m.requests, n), resize(m.answers, n), resize(m.parsed, n)
	m.parser.reset()
	b := &batch{m: m}
	for i, op := range ops {
		q, p := &m.requests[i], &m.parsed[i]
		p.family, p.bad = m.parser.operation(op.GetAction(), op.GetRoute(), q)
		if q.Waiter = nil; p.bad == nil && op.ReportHardware {
			q.Waiter, q.Cookie = b, uint64(len(b.ids))
			b.ids = append(b.ids, op.Id)
		}
	}
	m.mu.Lock()
	m.waiting += len(b.ids)
	m.mu.Unlock()
	e := m.s.recorder.begin(vasicv1.RouteService_ModifyRoutes_FullMethodName, m.number, msg)
	defer e.end(errPanicked, nil)
	for start := 0; start < n; {
		end := start + 1
		if m.parsed[start].bad == nil {
			for end < n && m.parsed[end] == m.parsed[start] {
				end++
			}
			m.s.fib.Modify(m.parsed[start].family, m.requests[start:end], m.answers[start:end])
		}
		start = end
	}
	e.end(nil, m.refused(&e))
	m.answer(b, ops)
}

// refused lists the operations of the message that were refused, for a recording.
func (m *modifyStream) refused(e *effect) (list []uint32) {
	if e.call == nil {
		return nil
	}
	for i := range m.parsed {
		if m.parsed[i].bad != nil || m.answers[i].Err != nil {
			list = append(list, uint32(i)) //nolint:gosec // bounded by MaxBatchOperations
		}
	}
	return list
}

// resize returns a slice of n elements, s if it is large enough.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// answer puts the answers to a message, and the hardware results that came meanwhile, on their way.
func (m *modifyStream) answer(b *batch, ops []*vasicv1.RouteOperation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unsent.grow(len(ops))
	for i, op := range ops {
		a, bad := &m.answers[i], m.parsed[i].bad
		if bad == nil && a.Err != nil {
			bad = refuse(a.Err)
		}
		if bad != nil {
			m.unsent.refused(op.GetId(), bad)
		} else {
			m.unsent.accepted(op.GetId(), a)
		}
		if m.requests[i].Waiter == nil || a.Pending {
			continue
		}
		m.waiting-- // hardware was not asked
		if bad == nil {
			m.unsent.settled(op.GetId(), vasicv1.OperationStatus_OPERATION_STATUS_NOT_SELECTED, fib.ReasonNone)
		}
	}
	b.answered = true
	m.unsent.take(&b.early)
	m.signal()
}
