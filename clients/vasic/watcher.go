package vasic

import (
	"context"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc/backoff"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Token is a place in the event log of a switch: everything up to it has been processed.
type Token struct {
	// Epoch is the life of the switch; 0 means whichever is running.
	Epoch uint64 `json:"epoch"`
	// Revision is the last one processed.
	Revision uint64 `json:"revision"`
}

// WatchOptions are the settings of a watch; the zero value follows all routes, starting with a list of them.
type WatchOptions struct {
	// Filter says which events; nil means all. A Mirror needs a filter without kinds, flags and protocol.
	Filter *vasicv1.WatchFilter
	// LiveOnly leaves the list away: only events from now on, or from Resume on. Whether some were missed is said by Reset.
	LiveOnly bool
	// Resume is the place to go on from, from Watcher.Token of an earlier watch with the same filter; nil means none. If the
	// switch cannot resume there, the watch starts with Reset.
	Resume *Token
	// BookmarkInterval is how long nothing happens before a Bookmark comes, 100 ms to 1 h; 0 means the switch's 10 s. A stream
	// that has been silent for three times this and 10 s more is taken for dead.
	BookmarkInterval time.Duration
	// Reuse lets the messages of an update be used again for a later one: an update and all that hangs on it is valid only until the next call of
	// Next. It saves most of what decoding costs; a Mirror must not be fed so.
	Reuse bool
	// Backoff is how long to wait before the next try when the stream broke; the zero value means DefaultBackoff. It grows
	// until the watch is in order again, which is when Synced comes.
	Backoff backoff.Config
}

// Watcher follows the routes of a switch. Its goroutine reads a few messages ahead of Next; while they are not taken, gRPC's
// flow control and the switch's log hold the rest.
type Watcher struct {
	client   vasicv1.WatchServiceClient
	options  WatchOptions
	ctx      context.Context // ends with Close
	cancel   context.CancelCauseFunc
	steps    chan step
	finished chan struct{} // closed when the goroutine is done
	err      error         // why steps was closed; set before

	free chan *vasicv1.WatchResponse // with WatchOptions.Reuse: messages to be used again
	last *vasicv1.WatchResponse      // with WatchOptions.Reuse: that of the update that Next returned; only Next touches it

	mu    sync.Mutex // guards token
	token *Token     // after the last update that Next returned; nil if it cannot be resumed from. The value is immutable
}

// step is an update on its way to Next.
type step struct {
	update  Update
	token   *Token
	message *vasicv1.WatchResponse // that the update is of; nil without Reuse
}

// readAhead is how many messages wait for Next: enough for decoding to go on while the caller works.
const readAhead = 4

// Watch starts to follow the routes of the switch, until ctx ends or Close is called, one of which must happen. A stream that
// breaks is opened again, as often as it takes, and goes on after the last event; when that is not possible, with a new list,
// which starts with Reset. Errors that another try cannot mend, such as a filter that the switch refuses, end the watch, and
// come from Next.
func (c *Client) Watch(ctx context.Context, options WatchOptions) *Watcher {
	if options.Backoff == (backoff.Config{}) {
		options.Backoff = DefaultBackoff
	}
	w := &Watcher{client: c.Watches, options: options, steps: make(chan step, readAhead), finished: make(chan struct{})}
	if options.Reuse {
		w.free = make(chan *vasicv1.WatchResponse, readAhead+2) // beside those that wait one is with the caller and one is being read
	}
	if options.Resume != nil {
		token := *options.Resume
		w.token = &token
	}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	go w.run()
	return w
}

// Next returns the next update, as soon as there is one. With it the update before counts as processed.
//
// If ctx ends first, Next returns its error, and the watch goes on. Next is for one goroutine at a time. All other errors are final: that of the context of Watch,
// ErrClosed after Close, or the *Error with which the switch refused the watch.
func (w *Watcher) Next(ctx context.Context) (Update, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if w.ctx.Err() != nil {
		return nil, context.Cause(w.ctx)
	}
	w.recycle()
	select {
	case s, ok := <-w.steps:
		if !ok {
			return nil, w.err
		}
		w.last = s.message
		w.mu.Lock()
		w.token = s.token
		w.mu.Unlock()
		return s.update, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// recycle gives the message of the update before back.
func (w *Watcher) recycle() {
	if w.last == nil {
		return
	}
	select {
	case w.free <- w.last:
	default:
	}
	w.last = nil
}

// message returns a message to read into.
func (w *Watcher) message() *vasicv1.WatchResponse {
	select {
	case m := <-w.free:
		return m
	default:
		return new(vasicv1.WatchResponse)
	}
}

// All ranges over the updates, as Next returns them. An error is the last pair.
func (w *Watcher) All(ctx context.Context) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		for {
			u, err := w.Next(ctx)
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// Token returns the place after the last update that Next returned, for WatchOptions.Resume of a later watch. It reports false
// while there is none: until the first list is complete, and from when another list has become necessary until that one is.
func (w *Watcher) Token() (Token, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.token == nil {
		return Token{}, false
	}
	return *w.token, true
}

// Close ends the watch and waits until its stream is gone. Next then returns ErrClosed. Closing again does nothing.
func (w *Watcher) Close() {
	w.cancel(ErrClosed)
	<-w.finished
}
