package recording

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// recordOf records what run does to a switch.
func recordOf(t testing.TB, c *vasic.Client, run func()) []byte {
	t.Helper()
	var file bytes.Buffer
	w := NewWriter(&file, false)
	begun := make(chan struct{})
	var once sync.Once
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- Record(ctx, c, w, func() { once.Do(func() { close(begun) }) }) }()
	select {
	case <-begun:
	case err := <-done:
		t.Fatal(err)
	}
	run()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// replayOf replays a recording against a switch.
func replayOf(t testing.TB, c *vasic.Client, file []byte, options ReplayOptions) (Result, error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return NewReplay(c, r, options).Run(t.Context())
}

// churn does to a switch what steps say: a number for each step.
func churn(t testing.TB, c *vasic.Client, steps []int) {
	t.Helper()
	ctx := t.Context()
	stream, err := c.Routes.ModifyRoutes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	paused := false
	for _, n := range steps {
		var err error
		switch n % 8 {
		case 0, 1:
			m := operations(numbered(n), numbered(n+1), "-"+numbered(n), numbered(n+2))
			if err = stream.Send(m); err == nil {
				_, err = stream.Recv()
			}
		case 2:
			_, err = c.Switch.UpdateSettings(ctx, &vasicv1.UpdateSettingsRequest{Settings: &vasicv1.Settings{FailRouteOffload: n%16 == 2}})
		case 3:
			_, err = c.Switch.Pause(ctx, &vasicv1.PauseRequest{})
			paused = true
		case 4:
			if paused {
				_, err = c.Switch.Step(ctx, &vasicv1.StepRequest{Operations: uint32(n%5 + 1)})
			}
		case 5:
			_, err = c.Switch.Resume(ctx, &vasicv1.ResumeRequest{})
			paused = false
		case 6:
			m := add(numbered(n))
			m.WaitForHardware = !paused
			ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond) // another client may have paused the chip
			_, err = c.Routes.ModifyRoute(ctx, m)
			cancel()
		case 7:
			m := add(numbered(n / 8))
			m.Action = vasicv1.RouteAction_ROUTE_ACTION_DELETE
			_, err = c.Routes.ModifyRoute(ctx, m)
		}
		if e, ok := vasic.AsError(err); ok {
			switch e.Code {
			case codes.AlreadyExists, codes.FailedPrecondition, codes.DeadlineExceeded:
				err = nil
			}
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// Whatever was done, and whatever was interleaved with what, a replay gives the same events.
func TestAReplayGivesTheSameEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clients := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 40), 0, 12), 1, 3).Draw(rt, "steps of each client")
		_, c := newToy(t, nil)
		file := recordOf(t, c, func() {
			var all sync.WaitGroup
			for _, steps := range clients {
				all.Go(func() { churn(t, c, steps) })
			}
			all.Wait()
		})
		_, fresh := newToy(t, nil)
		result, err := replayOf(t, fresh, file, ReplayOptions{})
		if err != nil {
			rt.Fatal(err)
		}
		if result.Difference != nil {
			rt.Fatalf("%+v", result.Difference)
		}
	})
}

func TestAReplayCountsWhatItDid(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() {
		churn(t, c, []int{3, 0, 8, 4, 5, 6})
		settle(t, c)
	})
	toy, fresh := newToy(t, nil)
	result, err := replayOf(t, fresh, file, ReplayOptions{})
	if err != nil || result.Difference != nil {
		t.Fatalf("%v %+v", err, result.Difference)
	}
	if result.Calls != 6 || result.Skipped != 0 || result.Events == 0 || result.More != 0 || result.Torn != nil {
		t.Errorf("got %+v", result)
	}
	toy.mu.Lock()
	defer toy.mu.Unlock()
	if toy.paused {
		t.Error("the switch is left paused")
	}
}

// settle waits until hardware is at rest.
func settle(t testing.TB, c *vasic.Client) {
	t.Helper()
	for {
		s, err := c.Switch.GetStatus(t.Context(), &vasicv1.GetStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if s.QueueLength == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAReplayFindsTheFirstDifference(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() { churn(t, c, []int{3, 0, 8, 4, 5}); settle(t, c) })
	_, other := newToy(t, func(s *toy) { s.salt = 1 })
	result, err := replayOf(t, other, file, ReplayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := result.Difference
	if d == nil || d.Recorded.GetRoute().GetMetric() == 0 || d.Replayed.GetRoute().GetMetric() != d.Recorded.GetRoute().GetMetric()+1 || d.Number != result.Events || d.Number == 0 {
		t.Errorf("got %+v of %+v", d, result)
	}
}

func TestAReplayFindsOtherAnswers(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() {
		churn(t, c, []int{0})
		settle(t, c)
		if _, err := c.Routes.ModifyRoute(t.Context(), add("192.0.2.0/24")); err != nil {
			t.Fatal(err)
		}
		settle(t, c)
	})
	for _, tt := range []struct{ there, want string }{
		{numbered(1), "call 1, ModifyRoutes had the operations [1] refused, and [] when recorded: operation 1: vasic: no (AlreadyExists)"},
		{"192.0.2.0/24", "call 2, ModifyRoute was answered with AlreadyExists, and with OK when recorded: vasic: no (AlreadyExists)"},
	} {
		_, other := newToy(t, func(s *toy) { s.routes[tt.there] = &vasicv1.Route{Prefix: tt.there} })
		result, err := replayOf(t, other, file, ReplayOptions{})
		if err != nil {
			t.Fatal(err)
		}
		// The answer may be overtaken by the events.
		if d := result.Difference; d == nil || d.Recorded == nil && d.What != tt.want {
			t.Errorf("%s: got %+v", tt.there, d)
		}
	}
}

func TestAReplayNeedsASwitchLikeTheRecordedOne(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() { churn(t, c, []int{0}); settle(t, c) })
	for _, tt := range []struct {
		setup func(*toy)
		want  MismatchError
	}{
		{func(s *toy) { s.profile = "netdevsim" }, MismatchError{"profile", "switch", "netdevsim"}},
		{func(s *toy) { s.seed = 8 }, MismatchError{"seed", "7", "8"}},
		{func(s *toy) { s.revision = 5 }, MismatchError{"revision", "0", "5"}},
		{func(s *toy) { s.programmed = 5 }, MismatchError{"number of operations", "0", "5"}},
	} {
		toy, other := newToy(t, tt.setup)
		_, err := replayOf(t, other, file, ReplayOptions{})
		var got *MismatchError
		if !errors.As(err, &got) || *got != tt.want {
			t.Errorf("got %v, want %v", err, &tt.want)
		}
		result, err := replayOf(t, other, file, ReplayOptions{Force: true})
		if err != nil || result.Calls != 1 {
			t.Errorf("by force: %v %+v", err, result)
		}
		if toy.programmed == 0 && result.Difference != nil {
			t.Errorf("by force: %+v", result.Difference)
		}
	}
}

func TestARecordingThatWasCutShortIsReplayedAsFarAsItGoes(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() { churn(t, c, []int{3, 0, 5, 8, 16, 24, 32}); settle(t, c) })
	var sizes []int
	for size := 0; size < len(file); size += 41 {
		sizes = append(sizes, size)
	}
	frames, err := NewReader(bytes.NewReader(file))
	for ; err == nil; _, err = frames.Next() {
		sizes = append(sizes, int(frames.Offset()))
	}
	whole, cut := 0, 0
	for _, size := range sizes {
		r, err := NewReader(bytes.NewReader(file[:size]))
		if err != nil {
			continue
		}
		_, fresh := newToy(t, nil)
		result, err := NewReplay(fresh, r, ReplayOptions{}).Run(t.Context())
		if err != nil || result.Difference != nil {
			t.Fatalf("%d bytes: %v %+v", size, err, result.Difference)
		}
		if result.Torn != nil {
			cut++
		} else {
			whole++
		}
	}
	if whole == 0 || cut == 0 {
		t.Errorf("%d whole, %d cut", whole, cut)
	}
}

func TestARecordingOfASwitchWithWorkToDoMayGoOn(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() { churn(t, c, []int{3, 0}) })
	toy, fresh := newToy(t, nil)
	result, err := replayOf(t, fresh, file, ReplayOptions{})
	if err != nil || result.Difference != nil || result.Calls != 2 {
		t.Errorf("%v %+v", err, result)
	}
	settle(t, fresh)
	toy.mu.Lock()
	defer toy.mu.Unlock()
	if toy.programmed != 4 {
		t.Errorf("%d operations", toy.programmed)
	}
}

func TestAFullQueueHoldsNoCallBack(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() { churn(t, c, []int{3, 0, 8}) })
	_, small := newToy(t, func(s *toy) { s.capacity = 4 })
	if result, err := replayOf(t, small, file, ReplayOptions{}); err != nil || result.Difference != nil {
		t.Errorf("%v %+v", err, result.Difference)
	}
}

func TestAPacedReplayTakesAsLong(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() {
		churn(t, c, []int{0})
		time.Sleep(300 * time.Millisecond)
		churn(t, c, []int{8})
		settle(t, c)
	})
	_, fresh := newToy(t, nil)
	begin := time.Now()
	result, err := replayOf(t, fresh, file, ReplayOptions{Paced: true})
	if err != nil || result.Difference != nil {
		t.Fatalf("%v %+v", err, result.Difference)
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestAReplayEndsWithItsContext(t *testing.T) {
	_, c := newToy(t, nil)
	file := recordOf(t, c, func() {
		churn(t, c, []int{0})
		time.Sleep(time.Second)
		churn(t, c, []int{8})
	})
	toy, fresh := newToy(t, nil)
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := NewReplay(fresh, r, ReplayOptions{Paced: true}).Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	toy.mu.Lock()
	defer toy.mu.Unlock()
	if toy.paused {
		t.Error("the switch is left paused")
	}
}

func TestAMethodThatIsNotKnownCannotBeReplayed(t *testing.T) {
	for _, method := range []string{"/vasic.v1.RouteService/Foo", "/vasic.v2.RouteService/ModifyRoute", "", "/vasic.v1.Route/x", "/vasic.v1.WatchService/Watch", "/vasic.v1.AuditService/CompareAddresses"} {
		file := written(t, false, &vasicv1.RecordResponse{Call: &vasicv1.RecordedCall{Method: method}})
		_, fresh := newToy(t, func(s *toy) { s.profile, s.seed = "", 0 })
		if _, err := replayOf(t, fresh, file, ReplayOptions{}); err == nil || !strings.Contains(err.Error(), "call 1, ") {
			t.Errorf("%q: got %v", method, err)
		}
	}
}

func TestTheRecordingOfASwitchThatStopsIsCutShort(t *testing.T) {
	toy, c := newToy(t, nil)
	var file bytes.Buffer
	w := NewWriter(&file, true)
	done := make(chan error, 1)
	begun := make(chan struct{}, 100)
	go func() { done <- Record(t.Context(), c, w, func() { begun <- struct{}{} }) }()
	<-begun
	toy.mu.Lock()
	toy.stopped = true
	toy.wake.Broadcast()
	toy.mu.Unlock()
	if err := <-done; err == nil {
		t.Error("no error")
	}
	r, err := NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
