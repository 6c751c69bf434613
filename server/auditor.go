package server

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/vasic-project/vasic/fib"
)

// auditor compares all prefixes from time to time, for metrics.
type auditor struct {
	last atomic.Pointer[audited]

	// Written by start.
	cancel context.CancelFunc
	done   chan struct{}
}

// audited is what a comparison of all prefixes found. It is immutable.
type audited struct {
	totals [2][verdictCount]uint64 // by family
	at     time.Time
	took   time.Duration
	state  switchState
}

// switchState tells whether anything has happened that can change verdicts.
type switchState struct {
	revision, programmed, suppressed uint64
	queued                           int
}

func (s *Server) state() switchState {
	chip := s.chip.Stats()
	st := switchState{revision: s.journal.Head(), programmed: chip.Programmed, queued: chip.QueueLength}
	for _, family := range fib.Families {
		st.suppressed += s.fib.Counts(family).Suppressed
	}
	return st
}

// start begins to audit, at once and then at every interval.
func (a *auditor) start(s *Server, interval time.Duration) {
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(context.Background())
	a.done = make(chan struct{})
	go func() {
		defer close(a.done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for a.audit(ctx, s) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// audit compares everything if something has happened since the last time. It returns false if it was stopped.
func (a *auditor) audit(ctx context.Context, s *Server) bool {
	begin, state := time.Now(), s.state()
	if last := a.last.Load(); last != nil && last.state == state {
		still := *last
		still.at = begin
		a.last.Store(&still)
		return true
	}
	run := audit{s: s, families: fib.Families[:]}
	if err := run.run(ctx, func([][]byte) error { return nil }); err != nil {
		return false
	}
	a.last.Store(&audited{totals: run.totals, at: begin, took: time.Since(begin), state: state})
	return true
}

// stop ends it, if it was started.
func (a *auditor) stop() {
	if a.cancel != nil {
		a.cancel()
		<-a.done
	}
}
