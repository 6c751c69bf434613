package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	// endTries is how often the end of a recording is looked for between events; a switch that is busy for so long has no end
	// that could be told.
	endTries = 5
	// endWait is how long events are waited for that the switch has published.
	endWait = 2 * time.Second
	// flushEvery is how often what was recorded is handed over while nothing happens, so that little is missing should this
	// process die.
	flushEvery = time.Second
)

// Record writes what happens to the switch, until ctx ends, and then closes w. A recording that ended with ctx is no error. progress,
// if not nil, is called after each message with what w has; the errors are those of w and of the switch, and with them, too, w is
// closed: what was written is a recording that was cut short.
func Record(ctx context.Context, c *vasic.Client, w *Writer, progress func()) (err error) {
	r := &recorder{client: c, w: w, progress: progress, messages: make(chan received)}
	defer func() {
		if closed := w.Close(r.ended); err == nil {
			err = closed
		}
	}()
	// What is under way when ctx ends is still to be received.
	streaming, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	opened := context.AfterFunc(ctx, cancel)
	stream, err := c.Records.Record(streaming, &vasicv1.RecordRequest{})
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if !opened() {
		return context.Cause(ctx)
	}
	if err := r.write(first); err != nil {
		return err
	}
	go func() {
		for {
			m, err := stream.Recv()
			select {
			case r.messages <- received{m, err}:
			case <-streaming.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	if err := r.follow(ctx); err != nil {
		return err
	}
	return r.end(streaming)
}

// received is what a stream gave.
type received struct {
	message *vasicv1.RecordResponse
	err     error
}

// recorder is one Record. It belongs to its goroutine.
type recorder struct {
	client   *vasic.Client
	w        *Writer
	progress func()
	messages chan received
	reached  uint64                     // the newest revision written
	written  uint64                     // messages
	ended    *vasicv1.GetStatusResponse // for the last frame
}

// follow writes until ctx ends.
func (r *recorder) follow(ctx context.Context) error {
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	for flushed := uint64(0); ; {
		select {
		case m := <-r.messages:
			if err := r.take(m); err != nil {
				return err
			}
		case <-flush.C:
			if flushed == r.written {
				continue
			}
			flushed = r.written
			if err := r.w.Flush(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// end looks for a moment at which everything that the switch did is written, and notes the switch at that moment.
func (r *recorder) end(ctx context.Context) error {
	for range endTries {
		status := r.status(ctx)
		if status == nil {
			return nil // the recording is whole, only its end is not said
		}
		wait := time.After(endWait)
		for late := false; r.reached < status.GetRevision() && !late; {
			select {
			case m := <-r.messages:
				if err := r.take(m); err != nil {
					return err
				}
			case <-wait:
				late = true
			}
		}
		again := r.status(ctx)
		if again == nil {
			return nil
		}
		quiet := r.reached >= status.GetRevision() && again.GetRevision() == status.GetRevision() && again.GetProgrammed() == status.GetProgrammed()
		select {
		case m := <-r.messages:
			if err := r.take(m); err != nil {
				return err
			}
		default:
			if quiet {
				r.ended = again
				return nil
			}
		}
	}
	return nil
}

// status is that of the switch; nil if it does not say.
func (r *recorder) status(ctx context.Context) *vasicv1.GetStatusResponse {
	ctx, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	status, err := r.client.Switch.GetStatus(ctx, &vasicv1.GetStatusRequest{})
	if err != nil {
		return nil
	}
	return status
}

// take writes what was received.
func (r *recorder) take(m received) error {
	switch {
	case errors.Is(m.err, io.EOF):
		return errors.New("the switch ended the recording")
	case m.err != nil:
		return m.err
	}
	return r.write(m.message)
}

// write writes a message.
func (r *recorder) write(m *vasicv1.RecordResponse) error {
	r.reached = max(r.reached, m.GetStarted().GetRevision(), m.GetCall().GetRevision())
	if n := len(m.GetEvents()); n > 0 {
		r.reached = max(r.reached, m.GetEvents()[n-1].GetRevision())
	}
	r.written++
	if err := r.w.Write(m); err != nil {
		return fmt.Errorf("cannot write the recording: %w", err)
	}
	if r.progress != nil {
		r.progress()
	}
	return nil
}
