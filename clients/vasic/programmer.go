package vasic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Defaults of ProgrammerOptions.
const (
	// DefaultBatchSize is where larger batches no longer make the way to the switch noticeably cheaper.
	DefaultBatchSize = 256
	// DefaultMaxInFlight keeps a fast switch busy for longer than a round trip.
	DefaultMaxInFlight = 4096
)

// ErrClosed is what a Programmer or a Watcher returns after Close.
var ErrClosed = errors.New("vasic: closed by the caller")

// operationsField is the number of ModifyRoutesRequest.operations.
const operationsField protowire.Number = 1

// ProgrammerOptions are the settings of a Programmer; the zero value is ready for use.
type ProgrammerOptions struct {
	// BatchSize is how many operations go into one message, up to the switch's max_batch_operations. 0 means DefaultBatchSize.
	BatchSize int
	// MaxInFlight is how many operations may be on their way without having been accepted or refused, at least BatchSize.
	// 0 means DefaultMaxInFlight.
	MaxInFlight int
	// ReportHardware asks for a second, final Result of each accepted operation, when hardware has settled it.
	ReportHardware bool
	// OnResult is called with each answer, one at a time: first with accepted or refused, in the order of the operations, and
	// with ReportHardware later with the final status, in the order in which hardware settles. While it runs no other answer
	// is read, so it must not wait for the Programmer, nor call Send, Flush or Close. May be nil.
	OnResult func(Result)
}

// Programmer programs many routes over one ModifyRoutes stream. It collects operations into batches and keeps the number of
// unanswered ones bounded. There are no timers: what is collected leaves when the batch is full, or with Flush or Close.
//
// Send and Flush may be called from any number of goroutines; operations reach the switch in the order of the calls.
//
// When the stream fails, what became of the operations without an answer is not known: list or watch to find out.
type Programmer struct {
	ended   func() error // why the caller's context is over; nil while it is not
	stream  vasicv1.RouteService_ModifyRoutesClient
	cancel  context.CancelFunc
	options ProgrammerOptions
	done    chan struct{} // closed when the last answer has been delivered; then failure is final

	// mu guards the following fields. It is held while a batch is sent, so that batches keep their order. Taken before window.
	mu     sync.Mutex
	op     vasicv1.RouteOperation // used again for each operation
	batch  *[]byte                // a ModifyRoutesRequest in encoded form; nil when empty
	count  int                    // operations in batch
	closed bool

	// window guards the following fields. A leaf.
	window   sync.Mutex
	room     sync.Cond // on window: inFlight became less, or failure was set
	inFlight int       // sent, and neither accepted nor refused
	settling int       // accepted, and not settled though that was asked for
	failure  error     // why the stream is over; io.EOF if it ended well
}

// NewProgrammer opens a ModifyRoutes stream. The context is that of the stream: when it ends, so does the Programmer, and
// calls that wait return. Close must be called, or the context end.
func (c *Client) NewProgrammer(ctx context.Context, options ProgrammerOptions) (*Programmer, error) {
	if options.BatchSize <= 0 {
		options.BatchSize = DefaultBatchSize
	}
	if options.MaxInFlight <= 0 {
		options.MaxInFlight = DefaultMaxInFlight
	}
	options.MaxInFlight = max(options.MaxInFlight, options.BatchSize)
	streamCtx, cancel := context.WithCancel(ctx)
	stream, err := c.Routes.ModifyRoutes(streamCtx)
	if err != nil {
		cancel()
		return nil, err
	}
	p := &Programmer{ended: func() error { return contextErr(ctx) }, stream: stream, cancel: cancel, options: options, done: make(chan struct{})}
	p.room.L = &p.window
	go p.receive()
	return p, nil
}

// Send adds an operation to the batch, and sends the batch when it is full. That blocks while MaxInFlight operations are
// unanswered, and while gRPC's flow control holds the stream back, which is how a switch with a full programming queue slows
// its clients down. The route is not used any more when Send returns.
//
// An error is that of the stream, and final, or ErrClosed; except for one that wraps ErrMalformed: an operation that cannot be
// encoded is left out, and the Programmer goes on.
func (p *Programmer) Send(op Operation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if p.batch == nil {
		p.batch = batches.Get(0)
	}
	p.op.Id, p.op.Action, p.op.Route, p.op.ReportHardware = op.ID, op.Action, op.Route, p.options.ReportHardware
	b, err := codec.AppendField(*p.batch, operationsField, &p.op)
	p.op.Route = nil
	if err != nil {
		return &Error{Code: codes.InvalidArgument, Reason: vasicv1.ErrorReason_ERROR_REASON_MALFORMED, Message: err.Error()}
	}
	*p.batch = b
	if p.count++; p.count < p.options.BatchSize {
		return nil
	}
	return p.flush()
}

// Flush sends what has been collected; it blocks and fails as Send does. It does not wait for answers.
func (p *Programmer) Flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	return p.flush()
}

// Done is closed when the stream is over and its last answer was delivered; Send then says why.
func (p *Programmer) Done() <-chan struct{} { return p.done }

// Close sends what has been collected, waits for all answers, hardware's included where they were asked for, and ends the
// stream. It returns nil if every operation was answered. Hardware that is paused makes it wait; the context of NewProgrammer
// ends that. Closing again returns ErrClosed.
func (p *Programmer) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	p.closed = true
	err := p.flush()
	if err == nil {
		err = p.stream.CloseSend()
	}
	unsent := p.count
	p.mu.Unlock()

	<-p.done
	p.cancel()
	p.window.Lock()
	defer p.window.Unlock()
	if !errors.Is(p.failure, io.EOF) {
		err = p.failure // the cause, where SendMsg only saw that the stream is over
	}
	unanswered := p.inFlight + unsent
	if err == nil && unanswered+p.settling > 0 {
		err = p.early()
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w (%d operations without an answer, %d accepted but not settled)", err, unanswered, p.settling)
}

// errEnded: the stream ended with OK before the client was done.
var errEnded error = &Error{Code: codes.Unavailable, Message: "the switch ended the stream early"}

// flush sends the batch. Called with mu held.
func (p *Programmer) flush() error {
	p.window.Lock()
	for p.failure == nil && p.inFlight+p.count > p.options.MaxInFlight {
		p.room.Wait()
	}
	err := p.failure
	if err == nil {
		p.inFlight += p.count
	}
	p.window.Unlock()
	if errors.Is(err, io.EOF) {
		return p.early()
	}
	if err != nil || p.count == 0 {
		return err
	}
	message := mem.BufferSlice{mem.NewBuffer(p.batch, batches)}
	p.batch, p.count = nil, 0
	if err := p.stream.SendMsg(message); errors.Is(err, io.EOF) {
		<-p.done // where the reason is
		return p.over()
	} else if err != nil {
		return err
	}
	return nil
}

// contextErr is ctx.Err(), and the deadline's error also in the moment before the context has noticed: the switch sees the deadline by itself.
func contextErr(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// over is why the stream is over, for a caller that wanted to go on.
func (p *Programmer) over() error {
	p.window.Lock()
	defer p.window.Unlock()
	if errors.Is(p.failure, io.EOF) {
		return p.early()
	}
	return p.failure
}

// early is why a stream that ended with OK ended too early: its context did, and the switch's OK came first, or the switch had enough.
func (p *Programmer) early() error {
	if err := p.ended(); err != nil {
		return asError(status.FromContextError(err).Err())
	}
	return errEnded
}

// receive delivers answers until the stream is over. It runs in a goroutine of its own.
func (p *Programmer) receive() {
	defer close(p.done)
	var m vasicv1.ModifyRoutesResponse
	for {
		err := p.stream.RecvMsg(&m)
		if err != nil {
			p.window.Lock()
			p.failure = err
			p.room.Broadcast()
			p.window.Unlock()
			return
		}
		var answered, accepted, settled int
		for _, r := range m.GetResults() {
			switch r.GetStatus() {
			case vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED:
				answered++
				accepted++
			case vasicv1.OperationStatus_OPERATION_STATUS_REFUSED:
				answered++
			default:
				settled++
			}
			if p.options.OnResult != nil {
				p.options.OnResult(resultOf(r))
			}
		}
		p.window.Lock()
		p.inFlight -= answered
		if p.options.ReportHardware {
			p.settling += accepted - settled
		}
		p.room.Broadcast()
		p.window.Unlock()
	}
}

// Apply programs the operations over a stream of their own, in order, and returns when each is accepted or refused, or with
// WaitForHardware settled. The result at an index is that of the operation at the same index. Refusals are in Result.Err, and
// do not make Apply fail; if it does, results with OPERATION_STATUS_UNSPECIFIED are of operations whose fate is not known.
func (c *Client) Apply(ctx context.Context, ops []Operation, opts ...ModifyOption) ([]Result, error) {
	results := make([]Result, len(ops))
	if len(ops) == 0 {
		return results, nil
	}
	p, err := c.NewProgrammer(ctx, ProgrammerOptions{
		ReportHardware: readOptions(opts).waitForHardware,
		OnResult: func(r Result) {
			if r.ID >= uint64(len(results)) {
				return // not an answer to anything that was asked
			}
			switch at := &results[r.ID]; r.Status {
			case vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED, vasicv1.OperationStatus_OPERATION_STATUS_REFUSED:
				*at = r
			default:
				at.Status, at.FailureReason = r.Status, r.FailureReason
			}
		},
	})
	if err == nil {
		err = p.sendAll(ops, results)
	}
	for i := range results {
		results[i].ID = ops[i].ID
	}
	return results, err
}

// sendAll sends the operations with their index as id, and closes p.
func (p *Programmer) sendAll(ops []Operation, results []Result) error {
	for i, op := range ops {
		op.ID = uint64(i)
		err := p.Send(op)
		if errors.Is(err, ErrMalformed) {
			results[i].Status, results[i].Err = vasicv1.OperationStatus_OPERATION_STATUS_REFUSED, err
			continue
		}
		if err != nil {
			break // Close says why
		}
	}
	return p.Close()
}

// batches is the pool of encoded batches. It is a mem.BufferPool, so that gRPC gives a batch back when it is on the wire.
var batches mem.BufferPool = &batchPool{sync.Pool{New: func() any { b := make([]byte, 0, batchBytes); return &b }}}

// batchBytes is room for a batch of default size of routes with one next hop. gRPC pools only what is more than 1 KiB.
const batchBytes = 16 << 10

type batchPool struct{ pool sync.Pool }

// Get returns a buffer of a length up to batchBytes.
func (p *batchPool) Get(length int) *[]byte {
	b := p.pool.Get().(*[]byte)
	*b = (*b)[:length]
	return b
}

// Put takes a buffer back.
func (p *batchPool) Put(b *[]byte) { p.pool.Put(b) }
