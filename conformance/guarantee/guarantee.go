// Package guarantee says what a watcher of a switch may rely on. Each guarantee is one function over what a watcher has seen; its comment is
// the definition, and docs/guarantees.md the summary.
//
// A Recording holds everything that one watcher was sent, over all its streams. A Recorder makes one from a running switch. Check judges it by
// every guarantee. What can be judged depends on what is known: with Recording.Log, every event of the switch, filters and snapshots are
// judged exactly; without it, by what the recording says about itself.
//
// # Concurrency
//
// The functions only read, and may share messages: several recordings can be judged at once. A Recorder belongs to one goroutine.
package guarantee

import (
	"errors"
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Recording is what one watcher saw, from its first stream to its last, all with the same filter. It is immutable while it is judged.
type Recording struct {
	Sessions []Session
	// Notify is the setting fib_notify_on_flag_change by family. Where it changed while the recording or the routes in it were made, it is 0.
	Notify map[vasicv1.Family]uint32
	// Log is every event of Epoch from revision 1 on, as far as the sessions of that epoch go at least. Nil where nobody has it.
	Log   []*vasicv1.Event
	Epoch uint64
	// Rest is what ListRoutes said without a filter after the last event: hardware was idle, and the last session had reached the newest
	// revision. Nil where nobody asked.
	Rest []*vasicv1.Route
}

// Session is one Watch stream.
type Session struct {
	Request   *vasicv1.WatchRequest
	Responses []*vasicv1.WatchResponse // as they came; none if the watch was refused
}

// Guarantees are all of them by name, in the order of docs/guarantees.md.
var Guarantees = []struct {
	Name  string
	Check func(*Recording) error
}{
	{"ordered", Ordered},
	{"unique", Unique},
	{"reliable", Reliable},
	{"resumable", Resumable},
	{"bookmarkable", Bookmarkable},
	{"causal", Causal},
	{"converges", Converges},
}

// Check judges a recording by all guarantees. Its error names those that do not hold.
func Check(r *Recording) error {
	var broken []error
	for _, g := range Guarantees {
		if err := g.Check(r); err != nil {
			broken = append(broken, fmt.Errorf("not %s: %w", g.Name, err))
		}
	}
	return errors.Join(broken...)
}

// each judges the sessions that were opened one by one.
func (r *Recording) each(judge func(i int, s *Session) error) error {
	for i := range r.Sessions {
		s := &r.Sessions[i]
		if len(s.Responses) == 0 {
			continue
		}
		if err := judge(i, s); err != nil {
			return fmt.Errorf("session %d: %w", i, err)
		}
	}
	return nil
}

// created is the first message. Reliable sees to it that there is one.
func (s *Session) created() *vasicv1.Created { return s.Responses[0].GetCreated() }

// lists reports whether the session starts with a snapshot.
func (s *Session) lists() bool { return s.Request.GetResumeAfter() == nil && !s.Request.GetLiveOnly() }

// start is the revision after which the session has events to send.
func (s *Session) start() uint64 {
	if token := s.Request.GetResumeAfter(); token != nil {
		return token.GetRevision()
	}
	return s.created().GetRevision()
}

// place is the last revision that the session has reached, which is where another one can resume; ok is false in an incomplete snapshot, and
// where nothing came that says so.
func (s *Session) place() (revision uint64, ok bool) {
	ok = !s.lists()
	revision = s.start()
	for _, m := range s.Responses {
		if n := len(m.GetEvents()); n > 0 {
			revision = m.GetEvents()[n-1].GetRevision()
		}
		if mark, is := markOf(m); is {
			revision, ok = mark, true
		}
	}
	return revision, ok
}

// markOf returns the revision of a message that says how far the stream has come.
func markOf(m *vasicv1.WatchResponse) (revision uint64, ok bool) {
	switch {
	case m.GetSynced() != nil:
		return m.GetSynced().GetRevision(), true
	case m.GetBookmark() != nil:
		return m.GetBookmark().GetRevision(), true
	case m.GetClosing() != nil:
		return m.GetClosing().GetRevision(), true
	}
	return 0, false
}

// events calls judge for every event of the session, in order, with whether synced has come.
func (s *Session) events(judge func(e *vasicv1.Event, synced bool) error) error {
	synced := false
	for _, m := range s.Responses {
		for _, e := range m.GetEvents() {
			if err := judge(e, synced); err != nil {
				return fmt.Errorf("event %d (%v of route %d): %w", e.GetRevision(), e.GetKind(), e.GetRoute().GetId(), err)
			}
		}
		synced = synced || m.GetSynced() != nil
	}
	return nil
}

// chained reports whether session i continues in the epoch where an earlier session ended, and which one that was: the last that was opened.
func (r *Recording) chained(i int) (before *Session, ok bool) {
	if r.Sessions[i].Request.GetResumeAfter() == nil {
		return nil, false
	}
	for i--; i >= 0; i-- {
		if before = &r.Sessions[i]; len(before.Responses) > 0 {
			return before, true
		}
	}
	return nil, false
}
