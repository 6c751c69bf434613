package guarantee

import (
	"context"
	"errors"
	"slices"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Recorder is a watcher that writes down what it is sent. Its calls are those of a stream; each Open is a new session.
type Recorder struct {
	// Client is whom to watch.
	Client vasicv1.WatchServiceClient
	// Recording is what was sent so far. Its other fields are the caller's to fill in.
	Recording Recording

	stream vasicv1.WatchService_WatchClient
	cancel context.CancelFunc
}

// errNotOpen is Next's without a session.
var errNotOpen = errors.New("no session is open")

// Open starts a session. It ends with ctx, with Close, or when Next returns an error.
func (r *Recorder) Open(ctx context.Context, request *vasicv1.WatchRequest) error {
	r.Close()
	ctx, cancel := context.WithCancel(ctx)
	stream, err := r.Client.Watch(ctx, request)
	if err != nil {
		cancel()
		return err
	}
	r.stream, r.cancel = stream, cancel
	r.Recording.Sessions = append(r.Recording.Sessions, Session{Request: request})
	return nil
}

// Next waits for one message and writes it down.
func (r *Recorder) Next() (*vasicv1.WatchResponse, error) {
	if r.stream == nil {
		return nil, errNotOpen
	}
	m, err := r.stream.Recv()
	if err != nil {
		r.Close()
		return nil, err
	}
	s := &r.Recording.Sessions[len(r.Recording.Sessions)-1]
	s.Responses = append(s.Responses, m)
	return m, nil
}

// Close ends the session, if there is one.
func (r *Recorder) Close() {
	if r.cancel != nil {
		r.cancel()
	}
	r.stream, r.cancel = nil, nil
}

// Token is where the newest session that was opened has come to; ok is false where it cannot be resumed.
func (r *Recorder) Token() (token *vasicv1.ResumeToken, ok bool) {
	for _, s := range slices.Backward(r.Recording.Sessions) {
		if len(s.Responses) == 0 {
			continue
		}
		place, ok := s.place()
		return &vasicv1.ResumeToken{Epoch: s.created().GetEpoch(), Revision: place}, ok
	}
	return nil, false
}

// Events are all events of the recording, in order.
func (r *Recorder) Events() (events []*vasicv1.Event) {
	for _, s := range r.Recording.Sessions {
		for _, m := range s.Responses {
			events = append(events, m.GetEvents()...)
		}
	}
	return events
}
