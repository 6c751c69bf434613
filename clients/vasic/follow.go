package vasic

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

const (
	// defaultBookmarkInterval is the switch's.
	defaultBookmarkInterval = 10 * time.Second
	// silenceGrace is what a busy switch or a slow connection may need beyond its bookmarks.
	silenceGrace = 10 * time.Second
)

// Errors that the watch finds by itself.
var (
	errSilent   error = &Error{Code: codes.Unavailable, Message: "the switch has been silent for too long"}
	errUnopened error = &Error{Code: codes.Internal, Message: "the first message of the watch is not created"}
	errForeign  error = &Error{
		Code:    codes.FailedPrecondition,
		Reason:  vasicv1.ErrorReason_ERROR_REASON_EPOCH_MISMATCH,
		Message: "the watch was opened in another epoch than asked for",
	}
)

// follower is the goroutine of a Watcher and what only it touches. Its place is ahead of that of Next.
type follower struct {
	*Watcher
	place  *Token      // where a new stream resumes; nil if it must start over. The value is immutable
	epoch  uint64      // of the present list
	reason ResetReason // why it starts over
	cause  error       // what made it do so; nil for ResetFirst
	broken bool        // Disconnected was said, and Reconnected was not
	listed bool        // the present stream has started over
	synced bool        // the present stream has caught up
}

// run opens one stream after another until the watch is over.
func (w *Watcher) run() {
	defer close(w.finished)
	defer close(w.steps)
	f := &follower{Watcher: w, place: w.token, reason: ResetFirst}
	for failures := 0; ; failures++ {
		err := f.stream()
		if w.ctx.Err() != nil {
			w.err = context.Cause(w.ctx)
			return
		}
		if f.synced {
			failures = 0
		}
		wait := delay(w.options.Backoff, failures)
		if reason := lost(err); reason != 0 {
			f.place, f.reason, f.cause = nil, reason, err
			if failures == 0 {
				wait = 0 // the switch is well; what was known is not
			}
		} else if !retryable(err) {
			w.err = err
			return
		} else if f.place == nil && f.listed {
			f.reason, f.cause = ResetInterrupted, err
		}
		f.broken = true
		f.deliver(&Disconnected{Err: err, Attempt: failures + 1, RetryIn: wait})
		sleep(w.ctx, wait)
	}
}

// stream opens a stream and delivers what comes, until it ends; the error is never nil.
func (f *follower) stream() error {
	f.listed, f.synced = false, false
	ctx, cancel := context.WithCancelCause(f.ctx)
	defer cancel(nil)
	limit := f.silenceLimit()
	silence := time.AfterFunc(limit, func() { cancel(errSilent) })
	defer silence.Stop()

	s, err := f.client.Watch(ctx, f.request())
	for opened := false; err == nil; opened = true {
		silence.Reset(limit)
		m := f.message()
		if err = s.RecvMsg(m); err != nil {
			break
		}
		silence.Stop() // from here on it is Next that we wait for
		if opened {
			f.follow(m)
		} else {
			err = f.open(m.GetCreated())
		}
	}
	switch {
	case errors.Is(context.Cause(ctx), errSilent):
		return errSilent
	case errors.Is(err, io.EOF):
		return errEnded
	}
	return err
}

// silenceLimit is how long a stream may send nothing.
func (f *follower) silenceLimit() time.Duration {
	interval := f.options.BookmarkInterval
	if interval <= 0 {
		interval = defaultBookmarkInterval
	}
	return 3*interval + silenceGrace
}

// request asks for what is missing.
func (f *follower) request() *vasicv1.WatchRequest {
	r := &vasicv1.WatchRequest{Filter: f.options.Filter, LiveOnly: f.options.LiveOnly && f.place == nil}
	if f.place != nil {
		r.ResumeAfter = &vasicv1.ResumeToken{Epoch: f.place.Epoch, Revision: f.place.Revision}
	}
	if f.options.BookmarkInterval != 0 {
		r.BookmarkInterval = durationpb.New(f.options.BookmarkInterval)
	}
	return r
}

// open takes the first message of a stream.
func (f *follower) open(m *vasicv1.Created) error {
	switch {
	case m == nil:
		return errUnopened
	case f.place != nil && f.place.Epoch == 0:
		f.place = &Token{Epoch: m.GetEpoch(), Revision: f.place.Revision}
	case f.place != nil && f.place.Epoch != m.GetEpoch():
		return errForeign
	}
	resumed := f.place != nil
	if f.broken {
		f.broken = false
		f.deliver(&Reconnected{Epoch: m.GetEpoch(), Revision: m.GetRevision(), Resumed: resumed})
	}
	if resumed {
		return nil
	}
	f.listed = true
	f.epoch = m.GetEpoch()
	if f.options.LiveOnly {
		f.place, f.synced = &Token{Epoch: m.GetEpoch(), Revision: m.GetRevision()}, true
	}
	f.deliver(&Reset{Reason: f.reason, Epoch: m.GetEpoch(), Revision: m.GetRevision(), Err: f.cause})
	return nil
}

// follow takes any other message.
func (f *follower) follow(m *vasicv1.WatchResponse) {
	switch {
	case len(m.GetEvents()) > 0:
		f.advance(m.GetEvents()[len(m.GetEvents())-1].GetRevision())
		f.deliverOf(m, &Events{Events: m.GetEvents()})
	case m.GetSnapshot() != nil:
		f.deliverOf(m, &Snapshot{Routes: m.GetSnapshot().GetRoutes()})
	case m.GetSynced() != nil:
		f.synced = true
		if f.place == nil {
			f.place = &Token{Epoch: f.epoch}
		}
		f.advance(m.GetSynced().GetRevision())
		f.deliver(&Synced{Revision: m.GetSynced().GetRevision()})
	case m.GetBookmark() != nil:
		f.advance(m.GetBookmark().GetRevision())
		f.deliver(&Bookmark{Revision: m.GetBookmark().GetRevision()})
	case m.GetClosing() != nil:
		f.deliver(&Closing{Revision: m.GetClosing().GetRevision()})
	}
}

// advance moves the place forward, if there is one: while a list is incomplete, nothing in it can be resumed from.
func (f *follower) advance(revision uint64) {
	if f.place != nil && revision > f.place.Revision {
		f.place = &Token{Epoch: f.place.Epoch, Revision: revision}
	}
}

// deliver gives an update to Next, and waits for it to have room.
func (f *follower) deliver(u Update) { f.deliverOf(nil, u) }

// deliverOf delivers an update whose content is that of a message, which is used again when the caller is done with it.
func (f *follower) deliverOf(m *vasicv1.WatchResponse, u Update) {
	if !f.options.Reuse {
		m = nil
	}
	select {
	case f.steps <- step{u, f.place, m}:
	case <-f.ctx.Done():
	}
}

// lost is why nothing can be resumed after err, or 0.
func lost(err error) ResetReason {
	switch {
	case errors.Is(err, ErrCompacted):
		return ResetCompacted
	case errors.Is(err, ErrEpochMismatch), errors.Is(err, ErrRevisionInFuture):
		return ResetEpochChanged
	}
	return 0
}

// retryable says whether another try can mend err. Reasons are not looked at: those that a watch can meet agree with their
// code. INTERNAL and UNKNOWN are what proxies say when they lose their backend.
func retryable(err error) bool {
	e, ok := AsError(err)
	if !ok {
		return false
	}
	switch e.Code {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.Canceled, codes.DeadlineExceeded,
		codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	}
	return false
}
