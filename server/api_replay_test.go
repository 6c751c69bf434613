package server_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	recordings "github.com/vasic-project/vasic/clients/recording"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/server"
)

// recordingOf records what do does to the switch, as a client would.
func recordingOf(r *apiRig, do func()) []byte {
	t := r.t
	t.Helper()
	var file bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, done := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		done <- recordings.Record(ctx, vasic.NewClient(r.cc), recordings.NewWriter(&file, false), func() { once.Do(func() { close(begun) }) })
	}()
	select {
	case <-begun:
	case err := <-done:
		t.Fatal(err)
	}
	do()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// replayInto replays a recording, and fails if anything else came of it.
func replayInto(r *apiRig, file []byte) {
	t := r.t
	t.Helper()
	reader, err := recordings.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	result, err := recordings.NewReplay(vasic.NewClient(r.cc), reader, recordings.ReplayOptions{}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := result.Difference; d != nil {
		t.Fatalf("after %d calls and %d events: %s\nrecorded %v\nreplayed %v", result.Calls, d.Number, d.What, d.Recorded, d.Replayed)
	}
	if result.More > 0 || result.Torn != nil || result.Events == 0 {
		t.Errorf("%+v", result)
	}
}

// load is a client that does something of everything. What is refused is so in a replay, too.
type load struct {
	*apiRig
	ctx    context.Context
	rand   *rand.Rand
	pause  func()
	stream vasicv1.RouteService_ModifyRoutesClient
}

func (r *apiRig) load(seed uint64, pause func()) *load {
	l := &load{apiRig: r, rand: rand.New(rand.NewPCG(seed, 1)), pause: pause} //nolint:gosec // repeatable on purpose
	l.ctx = r.t.Context()
	return l
}

func (l *load) route() *vasicv1.Route {
	route := apiRoute(prefixNumber(l.rand.IntN(150)))
	gateway := "10.0.%d.%d"
	if l.rand.IntN(2) == 0 {
		route.Prefix, gateway = fmt.Sprintf("2001:db8:%x::/48", 0x100+l.rand.IntN(100)), "2001:db8:%d::%d"
	}
	switch l.rand.IntN(5) {
	case 0:
		route.NextHopId = 10 + l.rand.Uint32N(2)
	case 1:
		route.Type = blackhole
	case 2:
		route.NextHops = []*vasicv1.NextHop{{Gateway: fmt.Sprintf(gateway, 1, 2+l.rand.IntN(3))}, {Gateway: fmt.Sprintf(gateway, 2, 2)}}
	default:
		route.NextHops = []*vasicv1.NextHop{{Gateway: fmt.Sprintf(gateway, 1+l.rand.IntN(2), 2+l.rand.IntN(3))}}
	}
	if l.rand.IntN(8) == 0 {
		route.Table = 100
	}
	return route
}

// routes sends one message of a ModifyRoutes stream.
func (l *load) routes() {
	if l.stream == nil {
		l.stream = must(l.apiRig.routes.ModifyRoutes(l.ctx))(l.t)
	}
	m := &vasicv1.ModifyRoutesRequest{}
	for range 1 + l.rand.IntN(60) {
		action := []vasicv1.RouteAction{actionAdd, actionReplace, actionReplace, actionAppend, actionDelete}[l.rand.IntN(5)]
		m.Operations = append(m.Operations, &vasicv1.RouteOperation{Action: action, Route: l.route()})
	}
	if err := l.stream.Send(m); err != nil {
		l.t.Error(err)
		return
	}
	for n := 0; n < len(m.Operations); {
		res, err := l.stream.Recv()
		if err != nil {
			l.t.Error(err)
			return
		}
		n += len(res.Results)
	}
}

// fault makes a fault rule, and sometimes removes all.
func (l *load) fault() {
	f := &vasicv1.Fault{Operation: vasicv1.FaultOperation(l.rand.Int32N(6)), Probability: 0.1}
	switch l.rand.IntN(3) {
	case 0:
		f.Fail = true
	case 1:
		f.Delay = durationpb.New(time.Duration(1+l.rand.IntN(3)) * time.Millisecond)
	default:
		f.Stall = true
	}
	rule, err := l.createFault(f)
	l.pause()
	if err == nil && (f.Stall || l.rand.IntN(2) == 0) {
		_ = l.deleteFault(rule.Id)
	}
}

// something does anything but routes.
func (l *load) something() {
	ports := []string{"swp1", "swp2"}
	port := ports[l.rand.IntN(2)]
	switch l.rand.IntN(12) {
	case 0:
		_, _ = l.setLink(&vasicv1.Link{Name: port, Carrier: false}, "carrier")
		l.pause()
		_, _ = l.setLink(&vasicv1.Link{Name: port, Carrier: true}, "carrier")
	case 1:
		_, _ = l.setLink(&vasicv1.Link{Name: "swp2"}, "up")
		l.pause()
		_, _ = l.setLink(&vasicv1.Link{Name: "swp2", Up: true}, "up")
	case 2, 3:
		state := []vasicv1.NeighborState{nudFailed, nudReachable, vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT}[l.rand.IntN(3)]
		_, _ = l.replaceNeighbor(fmt.Sprintf("10.0.1.%d", 2+l.rand.IntN(3)), "swp1", state)
	case 4:
		_, _ = l.neighs.DeleteNeighbor(l.ctx, &vasicv1.DeleteNeighborRequest{Address: "10.0.1.2", Device: "swp1"})
	case 5, 6:
		l.fault()
	case 7:
		_, _ = l.replaceObject(&vasicv1.NextHopObject{Id: 1, Gateway: fmt.Sprintf("10.0.1.%d", 2+l.rand.IntN(4))})
		_, _ = l.replaceObject(&vasicv1.NextHopObject{Id: 2, Gateway: "10.0.2.2", Device: "swp2"})
		_, _ = l.replaceObject(&vasicv1.NextHopObject{Id: 10 + l.rand.Uint32N(2), Group: members(1, 2)})
	case 8:
		_ = l.deleteObject(1 + l.rand.Uint32N(2))
	case 9:
		_, _ = l.chip.Pause(l.ctx, &vasicv1.PauseRequest{})
		l.routes()
		ctx, cancel := context.WithTimeout(l.ctx, 20*time.Millisecond) // a rule of another client may stall it
		_, _ = l.chip.Step(ctx, &vasicv1.StepRequest{Operations: 1 + l.rand.Uint32N(30)})
		cancel()
		l.pause()
		_, _ = l.chip.Resume(l.ctx, &vasicv1.ResumeRequest{})
	case 10:
		_, _ = l.chip.UpdateSettings(l.ctx, &vasicv1.UpdateSettingsRequest{
			Settings: &vasicv1.Settings{RetryFailed: l.rand.IntN(3) > 0, FailRouteOffload: l.rand.IntN(5) == 0}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"retry_failed", "fail_route_offload"}},
		})
	default:
		if l.rand.IntN(2) == 0 {
			_, _ = l.reload()
		} else {
			_, _ = l.apiRig.routes.FlushRoutes(l.ctx, &vasicv1.FlushRoutesRequest{Filter: &vasicv1.RouteFilter{Table: 100}})
		}
	}
}

func (l *load) run(actions int) {
	for range actions {
		if l.rand.IntN(2) == 0 {
			l.routes()
		} else {
			l.something()
		}
		l.pause()
	}
}

// firstOther says where two recordings differ first.
func firstOther(t *testing.T, a, b []byte) string {
	t.Helper()
	one, two := must(recordings.NewReader(bytes.NewReader(a)))(t), must(recordings.NewReader(bytes.NewReader(b)))(t)
	for n := 0; ; n++ {
		f, ended := one.Next()
		g, endedToo := two.Next()
		if x, y := fmt.Sprint(f), fmt.Sprint(g); x != y || ended != nil || endedToo != nil {
			return fmt.Sprintf("frame %d\n%s %v\n%s %v", n, x, ended, y, endedToo)
		}
	}
}

func replayConfig(seed uint64) server.Config {
	return server.Config{
		Seed: seed, Epoch: 1, NotifyIPv4: 1, NotifyIPv6: 1, Distribution: ptr(normalDistribution), RetryFailed: ptr(true), ResolutionDelay: 2 * time.Millisecond,
		Resources: map[string]uint64{"IPv4/fib": 60, "groups": 8, "hosts": 5},
	}
}

// However many clients there were and however fast they were, a replay at full speed gives the same events.
func TestAReplayOfManyClientsGivesTheSameEvents(t *testing.T) {
	for seed := range uint64(4) {
		cfg := replayConfig(seed)
		if seed%2 == 1 {
			cfg.Latency, cfg.LatencySpread = ptr(20*time.Microsecond), ptr(20*time.Microsecond)
		}
		r := newAPIRig(t, cfg)
		for r.status().QueueLength > 0 { // a fresh switch is one that is at rest
			time.Sleep(time.Millisecond)
		}
		settle := seed%3 > 0 // else it ends in the middle
		var clients sync.WaitGroup
		file := recordingOf(r, func() {
			for c := range uint64(4) {
				l := r.load(seed*10+c, func() { time.Sleep(time.Duration(c) * 300 * time.Microsecond) })
				clients.Go(func() { l.run(25) })
			}
			if settle {
				clients.Wait()
				must(r.chip.Resume(r.ctx(), &vasicv1.ResumeRequest{}))(t)
				time.Sleep(20 * time.Millisecond)
			} else {
				time.Sleep(30 * time.Millisecond)
			}
		})
		clients.Wait()
		replayInto(newAPIRig(t, cfg), file)
	}
}

// In virtual time two runs are recorded as the same bytes, and a replay gives the same events.
func TestAReplayInVirtualTimeGivesTheSameEvents(t *testing.T) {
	for seed := range uint64(4) {
		run := func(do func(r *apiRig)) {
			cfg := replayConfig(seed)
			cfg.Latency, cfg.LatencySpread = ptr(50*time.Microsecond), ptr(20*time.Microsecond)
			inAPIBubble(t, cfg, func(_ *testing.T, r *apiRig) {
				r.quiet()
				do(r)
			})
		}
		record := func() (file []byte) {
			run(func(r *apiRig) {
				file = recordingOf(r, func() {
					r.load(seed, func() { time.Sleep(777_777 * time.Nanosecond); synctest.Wait() }).run(80)
				})
			})
			return file
		}
		file := record()
		if again := record(); !bytes.Equal(file, again) {
			t.Errorf("two runs are not recorded alike: %s", firstOther(t, file, again))
		}
		run(func(r *apiRig) { replayInto(r, file) })
	}
}

// What resolves after a while is recorded as a call, so that a replay needs no time for it.
func TestANeighborThatResolvesIsRecordedAsACall(t *testing.T) {
	inAPIBubble(t, server.Config{NotifyIPv4: 1, ResolutionDelay: 10 * time.Second}, func(t *testing.T, r *apiRig) {
		r.quiet()
		rec := r.record()
		r.add(apiRoute("192.0.2.0/24", via("10.0.1.2")), apiRoute("198.51.100.0/24", via("10.0.1.3")))
		resolve := func(address string) error {
			_, err := r.neighs.ResolveNeighbor(r.ctx(), &vasicv1.ResolveNeighborRequest{Address: address, Device: "swp1"})
			return err
		}
		if err := resolve("10.0.1.2"); err != nil {
			t.Error(err)
		}
		if refusalOf(t, resolve("10.0.1.2")).reason != "NEIGHBOR_NOT_FOUND" || resolve("x") == nil {
			t.Error("what is not being resolved has resolved")
		}
		time.Sleep(20 * time.Second)
		must(r.records.EndRecording(r.ctx(), &vasicv1.EndRecordingRequest{Recording: rec.started.Recording + 1}))(t)
		must(r.records.EndRecording(r.ctx(), &vasicv1.EndRecordingRequest{Recording: rec.started.Recording}))(t)
		<-rec.done
		resolved, ended := 0, (*vasicv1.RecordingEnded)(nil)
		for _, item := range rec.all() {
			if c := item.Call; c != nil && c.Method == vasicv1.NeighborService_ResolveNeighbor_FullMethodName && c.Code == 0 {
				resolved++
			}
			ended = item.Ended
		}
		if st := r.status(); resolved != 2 || ended == nil || ended.Position != st.Position || ended.Revision != st.Revision || ended.Programmed != st.Programmed {
			t.Errorf("%d resolved, ended %v", resolved, ended)
		}
	})
}

func TestAHeldSwitchIsSteppedByPosition(t *testing.T) {
	inAPIBubble(t, server.Config{ResolutionDelay: time.Second}, func(t *testing.T, r *apiRig) {
		r.quiet()
		step := func(req *vasicv1.StepRequest) (*vasicv1.StepResponse, error) { return r.chip.Step(r.ctx(), req) }
		base := r.status().Position
		if _, err := step(&vasicv1.StepRequest{UntilPosition: base + 1}); refusalOf(t, err).reason != "NOT_PAUSED" {
			t.Errorf("a running switch was stepped: %v", err)
		}
		must(r.chip.Pause(r.ctx(), &vasicv1.PauseRequest{Hold: true}))(t)
		if _, err := step(&vasicv1.StepRequest{UntilPosition: base + 1, Operations: 1}); refusalOf(t, err).reason != "MALFORMED" {
			t.Errorf("stepped in two ways: %v", err)
		}
		r.add(apiRoute("192.0.2.0/24", via("10.0.1.2")), apiRoute("198.51.100.0/24", kind(blackhole)))
		must(r.chip.Resume(r.ctx(), &vasicv1.ResumeRequest{KeepHold: true}))(t)
		r.quiet()
		if st := r.status(); !st.Paused || st.Position != base || st.QueueLength != 2 {
			t.Errorf("held: %v", st)
		}
		if res := must(step(&vasicv1.StepRequest{UntilPosition: base + 1}))(t); res.Done != 1 || res.Position != base+1 || res.QueueLength != 1 {
			t.Errorf("stepped: %v", res)
		}
		if res := must(step(&vasicv1.StepRequest{UntilPosition: base + 100}))(t); res.Position != base+2 {
			t.Errorf("stepped to the end: %v", res)
		}
		must(r.chip.Resume(r.ctx(), &vasicv1.ResumeRequest{KeepPause: true}))(t)
		r.quiet() // the neighbour resolves
		if st := r.status(); st.Paused || st.Position <= base+2 {
			t.Errorf("at the end: %v", st)
		}
	})
}
