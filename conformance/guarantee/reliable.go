package guarantee

import (
	"errors"
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Reliable judges this promise: nothing is lost in silence. A stream is created; then, if it lists, snapshot pieces; then events; one synced; then events and
// bookmarks; and closing at most as the last. Without a filter the revisions are consecutive, except between a snapshot and its
// synced, where those are missing whose change the snapshot has already. With a filter nothing but what does not match is missing. At
// synced, snapshot and events make exactly the state that all events up to there make.
//
// A filter and a snapshot can be judged only with the log.
func Reliable(r *Recording) error {
	for i, e := range r.Log {
		if e.GetRevision() != uint64(i)+1 { //nolint:gosec // not negative
			return fmt.Errorf("the log has revision %d at place %d", e.GetRevision(), i+1)
		}
	}
	return r.each(func(_ int, s *Session) error {
		if err := s.shape(); err != nil {
			return err
		}
		if unfiltered(s.Request.GetFilter()) {
			if err := s.consecutive(); err != nil {
				return err
			}
		}
		if r.Log == nil || s.created().GetEpoch() != r.Epoch {
			return nil
		}
		if err := r.complete(s); err != nil {
			return err
		}
		return r.snapshot(s)
	})
}

// shape checks the order of messages.
func (s *Session) shape() error {
	synced := false
	for i, m := range s.Responses {
		switch {
		case (i == 0) != (m.GetCreated() != nil):
			return fmt.Errorf("message %d: created is not the first message, and only the first", i)
		case m.GetSnapshot() != nil && (!s.lists() || synced || len(m.GetSnapshot().GetRoutes()) == 0):
			return fmt.Errorf("message %d: a snapshot that nobody asked for, after synced, or empty", i)
		case m.GetSnapshot() != nil && i > 0 && len(s.Responses[i-1].GetEvents()) > 0:
			return fmt.Errorf("message %d: a snapshot after events", i)
		case m.GetSynced() != nil && synced:
			return fmt.Errorf("message %d: synced a second time", i)
		case m.GetBookmark() != nil && !synced:
			return fmt.Errorf("message %d: a bookmark before synced", i)
		case m.GetClosing() != nil && i+1 < len(s.Responses):
			return fmt.Errorf("message %d: closing is not the last message", i)
		}
		synced = synced || m.GetSynced() != nil
	}
	return nil
}

// consecutive checks that a stream without a filter skips no revision.
func (s *Session) consecutive() error {
	last, gaps := s.start(), s.lists()
	for _, m := range s.Responses {
		for _, e := range m.GetEvents() {
			if e.GetRevision() != last+1 && !gaps {
				return fmt.Errorf("event %d follows revision %d", e.GetRevision(), last)
			}
			last = e.GetRevision()
		}
		if m.GetSynced() != nil {
			last, gaps = m.GetSynced().GetRevision(), false
		}
	}
	return nil
}

// complete checks that every event of the log that the stream passed and that matches was sent, those excepted that may be in the snapshot.
func (r *Recording) complete(s *Session) error {
	start := s.start()
	if synced, ok := s.synced(); s.lists() {
		if !ok {
			return nil
		}
		start = synced
	}
	end, ok := s.place()
	if !ok {
		return nil
	}
	if end > uint64(len(r.Log)) {
		return fmt.Errorf("the log ends at %d, before the stream's %d", len(r.Log), end)
	}
	sent := make(map[uint64]bool)
	if err := s.events(func(e *vasicv1.Event, _ bool) error {
		sent[e.GetRevision()] = true
		if !matches(s.Request.GetFilter(), e) {
			return errors.New("does not match the filter")
		}
		return nil
	}); err != nil {
		return err
	}
	for _, e := range r.Log[start:end] {
		if matches(s.Request.GetFilter(), e) && !sent[e.GetRevision()] {
			return fmt.Errorf("event %d (%v of route %d) was not sent", e.GetRevision(), e.GetKind(), e.GetRoute().GetId())
		}
	}
	return nil
}

// synced returns where the stream was synced.
func (s *Session) synced() (uint64, bool) {
	for _, m := range s.Responses {
		if m.GetSynced() != nil {
			return m.GetSynced().GetRevision(), true
		}
	}
	return 0, false
}

// snapshot compares the state at synced with that of the log. Of a filter by what can change about a route there is no state.
func (r *Recording) snapshot(s *Session) error {
	filter := s.Request.GetFilter()
	revision, ok := s.synced()
	if !ok || !s.lists() || !lasting(filter) {
		return nil
	}
	if revision > uint64(len(r.Log)) {
		return fmt.Errorf("the log ends at %d, before synced at %d", len(r.Log), revision)
	}
	got, want := make(state), make(state)
	for _, m := range s.Responses {
		got.take(m)
		if m.GetSynced() != nil {
			break
		}
	}
	for _, e := range r.Log[:revision] {
		if matches(filter, e) {
			want.event(e)
		}
	}
	if err := got.compare(want, r.Notify); err != nil {
		return fmt.Errorf("at synced, revision %d: %w", revision, err)
	}
	return nil
}

// Resumable judges this promise: a stream that resumes after {epoch, revision} continues exactly there. It is of that epoch, or is refused. It starts
// with no snapshot. It sends no event up to that revision and, without a filter, the next one first; with a filter the next one that matches.
// A token is where an earlier stream with the same filter had come to.
func Resumable(r *Recording) error {
	return r.each(func(i int, s *Session) error {
		token := s.Request.GetResumeAfter()
		if token == nil {
			return nil
		}
		if token.GetEpoch() != 0 && token.GetEpoch() != s.created().GetEpoch() {
			return fmt.Errorf("was opened in epoch %d, but resumes one of %d", s.created().GetEpoch(), token.GetEpoch())
		}
		var first uint64
		for _, m := range s.Responses {
			if m.GetSnapshot() != nil {
				return errors.New("starts with a snapshot")
			}
			if n := len(m.GetEvents()); n > 0 && first == 0 {
				first = m.GetEvents()[0].GetRevision()
			}
		}
		if first != 0 && first <= token.GetRevision() {
			return fmt.Errorf("resumes after %d with event %d", token.GetRevision(), first)
		}
		if first > token.GetRevision()+1 && unfiltered(s.Request.GetFilter()) {
			return fmt.Errorf("resumes after %d with event %d", token.GetRevision(), first)
		}
		if r.event(s, first) != nil {
			for _, e := range r.Log[token.GetRevision() : first-1] {
				if matches(s.Request.GetFilter(), e) {
					return fmt.Errorf("resumes after %d with event %d instead of %d", token.GetRevision(), first, e.GetRevision())
				}
			}
		}
		before, ok := r.chained(i)
		if !ok || before.created().GetEpoch() != s.created().GetEpoch() {
			return nil
		}
		if place, ok := before.place(); !ok || token.GetRevision() > place {
			return fmt.Errorf("resumes after %d, where the stream before had not come to", token.GetRevision())
		}
		return nil
	})
}
