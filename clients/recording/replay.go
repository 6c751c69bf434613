package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// ReplayOptions are the settings of a replay.
type ReplayOptions struct {
	// Paced makes calls wait for the time, since the beginning, at which they were recorded. Otherwise one follows the other.
	Paced bool
	// Force replays against a switch that is not like the recorded one was when the recording began.
	Force bool
}

// Result is what became of a replay.
type Result struct {
	// Calls were done again.
	Calls uint64
	// Skipped are calls by which another replay held and stepped the recorded switch.
	Skipped uint64
	// Events were the same.
	Events uint64
	// More events came than were recorded, of a recording that ended while the chip had work to do.
	More uint64
	// Difference is the first one, with which the replay ended; nil if there was none.
	Difference *Difference
	// Torn says that the recording was cut short, with why; what was replayed is what is whole.
	Torn error
}

// MismatchError says that the switch is not like the recorded one was when the recording began.
type MismatchError struct {
	// What differs: "profile", "seed", "revision", "number of operations" or "position".
	What string
	// Recording is its value in the recording.
	Recording string
	// Switch is that of the switch.
	Switch string
}

// Error says all three.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("the %s of the switch is %s, and was %s when the recording began", e.What, e.Switch, e.Recording)
}

const (
	// quiet is how long the stream of events is waited for when nothing comes, though the switch has a newer revision.
	quiet = 5 * time.Second
	// patience is how long a call may take.
	patience = 60 * time.Second
)

// Replay does the calls of a recording again. Its counters may be read from any goroutine.
type Replay struct {
	client  *vasic.Client
	reader  *Reader
	options ReplayOptions

	calls, skipped, events atomic.Uint64 // events: of the recording, read

	// The following belong to Run's goroutine.
	compare  *comparer
	streams  *modifyStreams
	base     uint64    // position of hardware in the beginning, less that of the recording
	reached  uint64    // position of hardware
	begin    time.Time // of the first call's clock
	recorded time.Time // likewise, in the recording
}

// NewReplay returns a replay of what r still has to read, against the switch of c.
func NewReplay(c *vasic.Client, r *Reader, options ReplayOptions) *Replay {
	return &Replay{client: c, reader: r, options: options}
}

// Calls is how many calls have been done.
func (r *Replay) Calls() uint64 { return r.calls.Load() }

// Events is how many events of the recording have been read.
func (r *Replay) Events() uint64 { return r.events.Load() }

// Run does it. A difference is no error but in the result, and ends the replay. Errors are *MismatchError, those of the switch as
// *vasic.Error, ErrDamaged, and the context's. The switch runs afterwards, unless it was paused before.
func (r *Replay) Run(ctx context.Context) (result Result, err error) {
	status, err := r.client.Switch.GetStatus(ctx, &vasicv1.GetStatusRequest{})
	if err != nil {
		return Result{}, err
	}
	if err := r.likeRecorded(status); err != nil {
		return Result{}, err
	}
	if _, err := r.client.Switch.Pause(ctx, &vasicv1.PauseRequest{Hold: true}); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() {
		// Also when ctx has ended, but not for ever.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, resumed := r.client.Switch.Resume(ctx, &vasicv1.ResumeRequest{KeepPause: status.GetPaused()}); err == nil {
			err = resumed
		}
	}()
	stopped, err := r.listen(ctx, cancel)
	if err != nil {
		return Result{}, err
	}
	defer func() { // runs before the switch is resumed, so that nothing of that is compared
		cancel(nil)
		<-stopped
	}()
	r.streams = newModifyStreams(ctx, r.client)
	defer r.streams.cancel()
	settled, tornBy, err := r.frames(ctx)
	if difference := r.compare.difference(); err != nil && difference == nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return r.result(nil, tornBy), err
	}
	return r.result(r.compare.end(settled), tornBy), nil
}

// result counts.
func (r *Replay) result(d *Difference, tornBy error) Result {
	same, more := r.compare.counts()
	return Result{Calls: r.calls.Load(), Skipped: r.skipped.Load(), Events: same, More: more, Difference: d, Torn: tornBy}
}

// likeRecorded compares what cannot be set right with the beginning of the recording.
func (r *Replay) likeRecorded(status *vasicv1.GetStatusResponse) error {
	started := r.reader.Started()
	switch {
	case r.options.Force:
	case status.GetProfile() != started.GetProfile():
		return &MismatchError{What: "profile", Recording: started.GetProfile(), Switch: status.GetProfile()}
	case status.GetSeed() != started.GetSeed():
		return mismatch("seed", started.GetSeed(), status.GetSeed())
	case status.GetRevision() > started.GetRevision():
		return mismatch("revision", started.GetRevision(), status.GetRevision())
	case status.GetProgrammed() > started.GetProgrammed():
		return mismatch("number of operations", started.GetProgrammed(), status.GetProgrammed())
	}
	return nil
}

func mismatch(what string, recording, now uint64) error {
	return &MismatchError{What: what, Recording: fmt.Sprint(recording), Switch: fmt.Sprint(now)}
}

// listen brings the switch, whose chip is held, to where the recording begins, and from there on compares events until ctx ends.
// It then closes stopped. When the stream breaks or a difference is found, it ends ctx.
func (r *Replay) listen(ctx context.Context, cancel context.CancelCauseFunc) (stopped <-chan struct{}, err error) {
	began := r.reader.Started()
	status, err := r.client.Switch.GetStatus(ctx, &vasicv1.GetStatusRequest{})
	if err != nil {
		return nil, err
	}
	r.reached = status.GetPosition()
	if !r.options.Force && (status.GetProgrammed() < began.GetProgrammed() || status.GetRevision() < began.GetRevision()) {
		if err := r.step(ctx, began.GetPosition()); err != nil { // it has yet to start as the recorded one did
			return nil, err
		}
	}
	if began.GetPaused() && !status.GetPaused() {
		if _, err := r.client.Switch.Pause(ctx, &vasicv1.PauseRequest{}); err != nil {
			return nil, err
		}
	}
	stream, err := r.client.Records.Record(ctx, &vasicv1.RecordRequest{})
	if err != nil {
		return nil, err
	}
	first, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	now := first.GetStarted()
	if now == nil {
		return nil, errors.New("the switch does not begin a recording with `started`")
	}
	if !r.options.Force {
		if now.GetRevision() != began.GetRevision() {
			return nil, mismatch("revision", began.GetRevision(), now.GetRevision())
		}
		if now.GetProgrammed() != began.GetProgrammed() {
			return nil, mismatch("number of operations", began.GetProgrammed(), now.GetProgrammed())
		}
	}
	r.base = now.GetPosition() - began.GetPosition() // may wrap around, and does so back
	r.begin, r.recorded = time.Now(), time.Unix(0, began.GetUnixNanos())
	r.compare = newComparer(began.GetRevision(), now.GetRevision())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := stream.Recv()
			if err != nil {
				deadline, ok := ctx.Deadline()
				switch {
				case ok && !time.Now().Before(deadline):
					err = context.DeadlineExceeded // the switch may know it earlier
				case errors.Is(err, io.EOF):
					err = errors.New("the switch ended its stream of events")
				}
				cancel(err)
				return
			}
			r.compare.replay(m.GetEvents())
			if r.compare.difference() != nil {
				cancel(errDiffers)
				return
			}
		}
	}()
	return done, nil
}

// errDiffers ends what is under way when a difference has been found.
var errDiffers = errors.New("the replay differs from the recording")

// frames goes through the recording. settled says that the recording says where it ended.
func (r *Replay) frames(ctx context.Context) (settled bool, tornBy, err error) {
	var ended *vasicv1.RecordingEnded
	for {
		f, err := r.reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, ErrTorn) {
			tornBy = err
			break
		}
		if err != nil {
			return false, nil, err
		}
		switch {
		case f.Event != nil:
			r.events.Add(1)
			r.compare.record(f.Event)
		case f.Call != nil:
			err = r.call(ctx, f.Call)
		case f.Ended != nil:
			ended = f.Ended
		}
		if err == nil && r.compare.difference() != nil {
			err = errDiffers
		}
		if err != nil {
			return false, nil, err
		}
	}
	if ended != nil {
		err = r.step(ctx, ended.GetPosition())
	} else {
		_, err = r.client.Switch.Step(ctx, &vasicv1.StepRequest{UntilPosition: math.MaxUint64}) // as far as it goes
	}
	if err == nil {
		err = r.arrived(ctx)
	}
	return ended != nil, tornBy, err
}

// step lets hardware go on to a position of the recording.
func (r *Replay) step(ctx context.Context, position uint64) error {
	want := position + r.base
	missing := int64(want - r.reached) //nolint:gosec // wraps around as it is to
	switch {
	case missing == 0:
		return nil
	case missing < 0:
		return r.differs(fmt.Sprintf("hardware is at position %d, %d further than at this place of the recording", r.reached, -missing))
	}
	res, err := r.client.Switch.Step(ctx, &vasicv1.StepRequest{UntilPosition: want})
	if err != nil {
		return err
	}
	if r.reached = res.GetPosition(); r.reached == want {
		return nil
	}
	if r.compare == nil {
		return mismatch("position", position, r.reached)
	}
	why := "has nothing to do"
	if queue, err := r.client.Switch.ListQueue(ctx, &vasicv1.ListQueueRequest{Limit: 1}); err == nil && len(queue.GetItems()) > 0 && queue.GetItems()[0].GetStalled() {
		why = "is stalled by a fault rule"
	}
	return r.differs(fmt.Sprintf("hardware %s at position %d, %d before this place of the recording", why, r.reached, int64(want-r.reached))) //nolint:gosec // as above
}

// arrived waits until every event that the switch has published has come.
func (r *Replay) arrived(ctx context.Context) error {
	status, err := r.client.Switch.GetStatus(ctx, &vasicv1.GetStatusRequest{})
	if err != nil {
		return err
	}
	for r.compare.reached() < status.GetRevision() {
		select {
		case <-r.compare.changed:
		case <-time.After(quiet):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// differs notes a difference that is not about an event, and returns errDiffers.
func (r *Replay) differs(what string) error {
	if r.compare == nil {
		return errors.New(what)
	}
	r.compare.mu.Lock()
	defer r.compare.mu.Unlock()
	if r.compare.found == nil {
		r.compare.find(&Difference{What: what})
	}
	return errDiffers
}
