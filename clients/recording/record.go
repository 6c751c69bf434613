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
	// endWait is how long the end of a recording is waited for while nothing comes.
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
		if closed := w.Close(); err == nil {
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
	if first.GetStarted() == nil {
		return errors.New("the switch does not begin a recording with `started`")
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
	return r.end(streaming, first.GetStarted().GetRecording())
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
	written  uint64 // messages
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

// end has the switch end the recording, and writes what is left. A switch that does not answer is no error: the recording is whole, only its end is
// not said.
func (r *recorder) end(ctx context.Context, number uint64) error {
	asked := make(chan error, 1)
	go func() {
		_, err := r.client.Records.EndRecording(ctx, &vasicv1.EndRecordingRequest{Recording: number})
		asked <- err
	}()
	for {
		select {
		case m := <-r.messages:
			if err := r.take(m); err != nil || m.message.GetEnded() != nil {
				return err
			}
		case err := <-asked:
			if err != nil {
				return nil //nolint:nilerr // said above
			}
			asked = nil
		case <-time.After(endWait):
			return nil
		}
	}
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
	r.written++
	if err := r.w.Write(m); err != nil {
		return fmt.Errorf("cannot write the recording: %w", err)
	}
	if r.progress != nil {
		r.progress()
	}
	return nil
}
