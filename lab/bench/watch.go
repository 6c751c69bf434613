package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// watchSilence is how long a watcher that waits for events may see none before it gives up.
const watchSilence = 20 * time.Second

// watcher is the role "watch": it decodes every event and waits for those that matter.
type watcher struct {
	mu     sync.Mutex // guards all following fields
	kind   vasicv1.EventKind
	left   int // events of the kind still to come
	sum    uint64
	last   time.Time
	failed error
	done   chan struct{} // closed when nothing is left, or failed is set

	seen atomic.Int64 // events of the kind since expect, for the programming client
}

// startWatch starts the role; the watch is open when it says hello.
func startWatch(settings json.RawMessage) (any, handlers, error) {
	var s clientSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, nil, err
	}
	w := &watcher{done: make(chan struct{})}
	synced := make(chan error, 1)
	if s.Plain {
		go w.followPlain(s.Target, synced)
	} else {
		go w.follow(s.Target, synced)
	}
	address, err := servePace(&w.seen)
	if err != nil {
		return nil, nil, err
	}
	return served{address}, handlers{"expect": handle(w.expect), "await": handle(w.await)}, <-synced
}

// follow watches with the client library.
func (w *watcher) follow(target string, synced chan<- error) {
	c, err := vasic.Dial(target)
	if err != nil {
		synced <- err
		return
	}
	for u, err := range c.Watch(context.Background(), vasic.WatchOptions{LiveOnly: true, Reuse: true}).All(context.Background()) {
		switch u := u.(type) {
		case *vasic.Synced:
			synced <- nil
		case *vasic.Events:
			w.take(u.Events)
		case *vasic.Disconnected:
			w.fail(u.Err)
			return
		}
		if err != nil {
			w.fail(err)
			return
		}
	}
}

// followPlain watches with gRPC's own codec.
func (w *watcher) followPlain(target string, synced chan<- error) {
	cc, err := dialPlain(target)
	if err != nil {
		synced <- err
		return
	}
	stream, err := vasicv1.NewWatchServiceClient(cc).Watch(context.Background(), &vasicv1.WatchRequest{LiveOnly: true})
	if err != nil {
		synced <- err
		return
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			w.fail(err)
			return
		}
		if m.Synced != nil {
			synced <- nil
		}
		w.take(m.Events)
	}
}

// take looks at events.
func (w *watcher) take(events []*vasicv1.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = time.Now()
	if w.left <= 0 {
		return
	}
	seen := int64(0)
	for _, e := range events {
		if e.Kind != w.kind || e.Route.Protocol != protocolLoad || e.Kind == vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED && !e.Route.Offload {
			continue
		}
		w.sum += sum(e.Route.Prefix)
		seen++
		if w.left--; w.left == 0 {
			w.last = time.Now()
			close(w.done)
		}
	}
	w.seen.Add(seen)
}

// fail ends what waits.
func (w *watcher) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return
	}
	if errors.Is(err, vasic.ErrCompacted) {
		err = fmt.Errorf("the watcher fell behind the event log: %w", err)
	}
	if w.failed = err; w.left > 0 {
		close(w.done)
	}
}

// expectArgs say what to wait for.
type expectArgs struct {
	Kind  vasicv1.EventKind
	Count int
}

// expect starts to count.
func (w *watcher) expect(a expectArgs) (none, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Store(0)
	w.kind, w.left, w.sum, w.last, w.done = a.Kind, a.Count, 0, time.Now(), make(chan struct{})
	return none{}, w.failed
}

// seen says when the last event was decoded, in nanoseconds since 1970, and what all were about.
type seen struct {
	End int64
	Sum uint64
}

// await waits for the last event.
func (w *watcher) await(none) (seen, error) {
	w.mu.Lock()
	done := w.done
	w.mu.Unlock()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		case <-time.After(time.Second):
			w.mu.Lock()
			waiting = time.Since(w.last) < watchSilence
			w.mu.Unlock()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return seen{}, w.failed
	}
	if w.left > 0 {
		return seen{}, fmt.Errorf("%d events did not come", w.left)
	}
	return seen{End: w.last.UnixNano(), Sum: w.sum}, nil
}
