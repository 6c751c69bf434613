package server

import (
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// start begins a recording and says what the switch is like at that moment.
func (r *recorder) start() (*recording, *vasicv1.RecordingStarted) {
	r.s.chip.Exactly(true)
	r.effects.Lock() // no call is taking effect, and nothing is in the middle of being done
	defer r.effects.Unlock()
	r.number++
	rec := &recording{number: r.number, wake: make(chan struct{}, 1)}
	r.active.Add(1)
	stats := r.s.chip.Stats()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recordings = append(r.recordings, rec)
	return rec, &vasicv1.RecordingStarted{
		Version: r.s.cfg.Version, Profile: r.s.chip.Profile().Name, Seed: r.s.cfg.Seed, Epoch: r.s.journal.log.Epoch(), Revision: r.s.journal.Head(),
		Programmed: stats.Programmed, Position: stats.Position, UnixNanos: time.Now().UnixNano(), Recording: rec.number, Paused: stats.Paused,
	}
}

// finish ends the recording of a number where the switch is now. Calls that still wait have no other end in it.
func (r *recorder) finish(number uint64) {
	r.effects.Lock()
	defer r.effects.Unlock()
	stats := r.s.chip.Stats()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.recordings {
		if rec.number != number || rec.ended != nil {
			continue
		}
		rec.ended = &vasicv1.RecordingEnded{
			Revision: r.s.journal.Head(), Position: stats.Position, Programmed: stats.Programmed, QueueLength: uint64(stats.QueueLength), //nolint:gosec // not negative
			UnixNanos: time.Now().UnixNano(),
		}
		for i, call := range rec.calls {
			if !call.ended { // others may still record it
				rec.calls[i] = &recordedCall{ended: true, size: call.size}
				c := &rec.calls[i].RecordedCall
				c.Method, c.Request, c.Stream, c.UnixNanos = call.Method, call.Request, call.Stream, call.UnixNanos
				c.Revision, c.Programmed, c.Position, c.Code = call.Revision, call.Programmed, call.Position, int32(codes.Canceled)
			}
		}
		rec.signal()
	}
}

// stop ends a recording that nobody reads any more.
func (r *recorder) stop(rec *recording) {
	r.s.chip.Exactly(false)
	r.effects.Lock()
	defer r.effects.Unlock()
	r.active.Add(-1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recordings = slices.DeleteFunc(r.recordings, func(other *recording) bool { return other == rec })
}

// ready is what a recording can send.
type ready struct {
	calls    []*recordedCall         // in order
	revision uint64                  // up to which events may be sent with them: no call that is still to come, or is still going on, took effect before it
	ended    *vasicv1.RecordingEnded // for the end, if it has come
	overflow bool                    // there were too many calls
}

// take returns what can be sent.
func (r *recorder) take(rec *recording) ready {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for n < len(rec.calls) && rec.calls[n].ended {
		rec.bytes -= rec.calls[n].size
		n++
	}
	out := ready{calls: rec.calls[:n:n], revision: r.s.journal.Head(), ended: rec.ended, overflow: rec.overflow}
	if rec.ended != nil {
		out.revision = rec.ended.Revision
	}
	if rec.calls = rec.calls[n:]; len(rec.calls) > 0 {
		out.revision = rec.calls[0].Revision
	}
	return out
}
