package fpm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	planBatch        = 256 // operations that are planned, and sent, at once
	bookmarkInterval = time.Second
	firstRetry       = 100 * time.Millisecond // of a lost switch
	lastRetry        = time.Second
	callTimeout      = 10 * time.Second // of what is set up at the switch
	notifyAll        = 1                // Settings.ipv4_notify_on_flag_change: every change
)

// session is one uninterrupted stretch with the switch: a list of what it has, the events after it, and a stream of operations.
type session struct {
	*Router
	programmer *vasic.Programmer
	nextID     uint64
	sent       map[uint64]sentOperation // without a final answer; guarded by Router.mu
	linkGone   bool                     // somebody has removed a link; guarded by Router.mu
	failed     chan error               // why programming ended
}

// sentOperation is an operation and the generation that it made in the switch, once that is known.
type sentOperation struct {
	operation
	generation uint64
}

// follow keeps a session with the switch until ctx ends.
func (r *Router) follow(ctx context.Context) {
	var lost *time.Timer
	wait := firstRetry
	for ctx.Err() == nil {
		s := &session{Router: r, sent: make(map[uint64]sentOperation), failed: make(chan error, 1)}
		err := s.run(ctx, func() {
			wait = firstRetry
			if lost != nil {
				lost.Stop()
				lost = nil
			}
		})
		if ctx.Err() != nil {
			break
		}
		if lost == nil {
			lost = time.AfterFunc(r.config.SwitchGrace, func() {
				if ctx.Err() == nil {
					r.logger.Warn("the switch has been away for too long, its routes do not count as programmed", "switch_grace", r.config.SwitchGrace)
					r.locked(r.rib.lose)
				}
			})
		}
		r.logger.Warn("no session with the switch", "error", err, "retry_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, lastRetry)
	}
	if lost != nil {
		lost.Stop()
	}
}

// run is one session. It calls synced when what the switch has is known. Its error is never nil.
func (s *session) run(ctx context.Context, synced func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	programmer, err := s.client.NewProgrammer(ctx, vasic.ProgrammerOptions{ReportHardware: true, OnResult: s.onResult})
	if err != nil {
		return err
	}
	s.programmer = programmer
	watcher := s.client.Watch(ctx, vasic.WatchOptions{BookmarkInterval: bookmarkInterval})
	defer watcher.Close()
	programming := make(chan struct{})
	started := false
	defer func() {
		s.locked(s.rib.desync)
		s.metrics.switchConnected.Set(0)
		cancel()
		_ = programmer.Close() // its error is known, or nobody's
		if started {
			<-programming
		}
	}()
	for {
		update, err := watcher.Next(ctx)
		if err != nil {
			select {
			case err = <-s.failed:
			default:
			}
			return err
		}
		switch u := update.(type) {
		case *vasic.Reset:
			if started {
				return u.Err // the list must come before what is programmed
			}
			s.logger.Info("listing the switch", "epoch", u.Epoch, "revision", u.Revision)
			s.locked(func() {
				s.rib.reset()
				s.unanswered = 0
			})
		case *vasic.Snapshot:
			s.locked(func() {
				for _, m := range u.Routes {
					s.rib.list(m)
				}
			})
		case *vasic.Events:
			s.locked(func() { s.rib.observe(u.Events) })
		case *vasic.Bookmark:
			s.locked(func() { s.rib.advance(u.Revision) })
		case *vasic.Synced:
			s.locked(func() { s.rib.sync(u.Revision) })
			synced()
			s.metrics.switchConnected.Set(1)
			s.logger.Info("following the switch", "revision", u.Revision)
			started = true
			go func() {
				defer close(programming)
				defer cancel()
				if err := s.program(ctx); err != nil {
					s.failed <- err
				}
			}()
		case *vasic.Disconnected:
			return u.Err
		}
	}
}

// prepare makes the switch publish changes of flags, without which nobody learns that hardware has lost a route.
func (s *session) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	settings, err := s.client.Switch.GetSettings(ctx, &vasicv1.GetSettingsRequest{})
	if err != nil {
		return err
	}
	is4, is6 := settings.GetSettings().GetIpv4NotifyOnFlagChange(), settings.GetSettings().GetIpv6NotifyOnFlagChange()
	if is4 == notifyAll && is6 == notifyAll {
		return nil
	}
	if s.config.KeepNotify {
		if is4 == 0 || is6 == 0 {
			s.logger.Warn("the switch does not publish changes of flags: a route that hardware loses later stays advertised",
				"ipv4_notify_on_flag_change", is4, "ipv6_notify_on_flag_change", is6)
		}
		return nil
	}
	_, err = s.client.Switch.UpdateSettings(ctx, &vasicv1.UpdateSettingsRequest{
		Settings:   &vasicv1.Settings{Ipv4NotifyOnFlagChange: notifyAll, Ipv6NotifyOnFlagChange: notifyAll},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"ipv4_notify_on_flag_change", "ipv6_notify_on_flag_change"}},
	})
	if err != nil {
		return fmt.Errorf("to have changes of flags published: %w", err)
	}
	s.logger.Info("the switch now publishes changes of flags", "ipv4_was", is4, "ipv6_was", is6)
	return nil
}

// program sends operations until ctx ends or the stream fails.
func (s *session) program(ctx context.Context) error {
	var retry <-chan time.Time
	if s.config.Retry > 0 {
		ticker := time.NewTicker(s.config.Retry)
		defer ticker.Stop()
		retry = ticker.C
	}
	links := linkKeeper{Router: s.Router, made: make(map[string]linkState)}
	if err := links.update(ctx); err != nil {
		return err
	}
	ops := make([]operation, 0, planBatch+1)
	messages := make([]vasicv1.Route, planBatch+1)
	actions := make([]vasicv1.RouteAction, planBatch+1)
	for {
		var first uint64
		more := false
		s.locked(func() {
			ops = s.rib.plan(ops[:0], planBatch)
			first = s.nextID
			s.unanswered += len(ops)
			for i, op := range ops {
				actions[i] = s.rib.request(op, &messages[i])
				s.sent[s.nextID] = sentOperation{operation: op}
				s.nextID++
			}
			more = s.rib.queue.len() >= planBatch
		})
		for i := range ops {
			if err := links.need(ctx, messages[i].NextHops); err != nil {
				return err
			}
			err := s.programmer.Send(vasic.Operation{ID: first + uint64(i), Action: actions[i], Route: &messages[i]}) //nolint:gosec // an index
			if err != nil {
				return err
			}
		}
		clear(ops)
		if more {
			continue
		}
		if err := s.programmer.Flush(); err != nil {
			return err
		}
		select {
		case <-s.wakeProgrammer:
		case <-s.wakeLinks:
			if err := links.update(ctx); err != nil {
				return err
			}
		case <-retry:
			s.locked(func() {
				s.rib.retryAll()
				if s.linkGone {
					s.linkGone = false
					clear(links.made)
				}
			})
		case <-s.programmer.Done():
			return s.programmer.Flush() // says why
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// onResult takes an answer of the switch. It is called by the Programmer's goroutine.
func (s *session) onResult(res vasic.Result) {
	var k key
	s.locked(func() {
		op, ok := s.sent[res.ID]
		if !ok {
			return // not an answer to anything that was asked
		}
		k = op.entry.key
		switch res.Status {
		case vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED:
			op.generation = res.Generation
			s.sent[res.ID] = op
			s.unanswered--
			s.rib.answer(op.operation, &res)
			return
		case vasicv1.OperationStatus_OPERATION_STATUS_REFUSED:
			s.unanswered--
			s.linkGone = s.linkGone || errors.Is(res.Err, vasic.ErrLinkNotFound)
			s.rib.answer(op.operation, &res)
		case vasicv1.OperationStatus_OPERATION_STATUS_OFFLOADED:
			s.rib.decide(op.entry, op.generation, offloaded)
		case vasicv1.OperationStatus_OPERATION_STATUS_TRAPPED:
			s.rib.decide(op.entry, op.generation, trapped)
		case vasicv1.OperationStatus_OPERATION_STATUS_FAILED:
			s.rib.decide(op.entry, op.generation, failed)
		}
		delete(s.sent, res.ID)
	})
	if res.Err != nil {
		s.metrics.refused.Inc()
		s.logger.Debug("the switch refuses an operation", "prefix", k.prefix, "table", k.table, "error", res.Err)
	}
}
