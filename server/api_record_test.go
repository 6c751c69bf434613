package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

// recording is a Record stream that is being read.
type recording struct {
	t       testing.TB
	started *vasicv1.RecordingStarted
	done    chan struct{}

	mu    sync.Mutex // guards all following fields
	items []*vasicv1.RecordResponse
	err   error
}

// record reads a recording, one item for each event and call, until the switch stops or the test ends.
func (r *apiRig) record() *recording {
	r.t.Helper()
	stream := must(r.records.Record(r.ctx(), &vasicv1.RecordRequest{}))(r.t)
	first := must(stream.Recv())(r.t)
	if first.Started == nil {
		r.t.Fatalf("the first message is %v", first)
	}
	rec := &recording{t: r.t, started: first.Started, done: make(chan struct{})}
	go func() {
		defer close(rec.done)
		for {
			res, err := stream.Recv()
			rec.mu.Lock()
			if err != nil {
				rec.err = err
				rec.mu.Unlock()
				return
			}
			if (res.Call != nil || res.Ended != nil) == (len(res.Events) > 0) || res.Started != nil {
				r.t.Errorf("not exactly one field of %v", res)
			}
			for _, e := range res.Events {
				rec.items = append(rec.items, &vasicv1.RecordResponse{Events: []*vasicv1.Event{e}})
			}
			if res.Call != nil || res.Ended != nil {
				rec.items = append(rec.items, res)
			}
			rec.mu.Unlock()
		}
	}()
	return rec
}

// all is what was recorded so far.
func (rec *recording) all() []*vasicv1.RecordResponse {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.items)
}

// lines describes what was recorded so far.
func (rec *recording) lines() (lines []string) {
	for _, item := range rec.all() {
		if c := item.Call; c != nil {
			line := fmt.Sprintf("%s at %d", c.Method[strings.LastIndexByte(c.Method, '/')+1:], c.Revision-rec.started.Revision)
			if c.Code != 0 {
				line += " " + codes.Code(c.Code).String() //nolint:gosec // codes are below 17
			}
			if c.Stream != 0 {
				line += fmt.Sprintf(" stream %d refused %v", c.Stream, c.Refused)
			}
			lines = append(lines, line)
			continue
		}
		for _, e := range item.Events {
			lines = append(lines, fmt.Sprintf("%d %s", e.Revision-rec.started.Revision, e.Kind.String()[len("EVENT_KIND_"):]))
		}
	}
	return lines
}

// checkOrder checks that each call is behind the events up to its revision and before the others, and that no event is missing.
func (rec *recording) checkOrder() {
	rec.t.Helper()
	last := rec.started.Revision
	for _, item := range rec.all() {
		for _, e := range item.Events {
			if e.Revision != last+1 {
				rec.t.Errorf("revision %d after %d", e.Revision, last)
			}
			last = e.Revision
		}
		if c := item.Call; c != nil && c.Revision != last {
			rec.t.Errorf("a call at revision %d is behind %d: %v", c.Revision, last, c)
		}
	}
}

func TestARecordingHasCallsAndEventsInOrder(t *testing.T) {
	inAPIBubble(t, server.Config{NotifyIPv4: 1, Epoch: 5, Seed: 9, Version: "v1"}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		rec := r.record()
		if s, st := rec.started, r.status(); s.Version != "v1" || s.Profile != "switch" || s.Seed != 9 || s.Epoch != 5 || s.Revision != st.Revision || s.Programmed != st.Programmed ||
			s.UnixNanos != time.Now().UnixNano() {
			t.Errorf("started: %v", s)
		}
		r.settle(actionAdd, good4())
		_, err := r.modify(actionAdd, good4())
		if err == nil {
			t.Error("added twice")
		}
		if _, err := r.modify(actionAdd, apiRoute("x")); err == nil {
			t.Error("x is a prefix")
		}
		r.list(nil)
		r.status()
		must(r.createObject(&vasicv1.NextHopObject{Id: 1, Device: "swp1"}))(t)
		s := r.stream()
		s.send(&vasicv1.RouteOperation{Action: actionAdd, Route: good6()}, &vasicv1.RouteOperation{Action: actionAdd, Route: apiRoute("y")}, &vasicv1.RouteOperation{Action: actionAdd, Route: good6()})
		s.next(3)
		synctest.Wait()
		r.pause()
		r.add(apiRoute("192.0.2.0/24", via("10.0.1.2")))
		must(r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: 1}))(t)
		r.resume()
		if _, err := r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: 1}); err == nil {
			t.Error("a step without a pause")
		}
		must(r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: &vasicv1.RouteFilter{ExactPrefix: "192.0.2.0/24"}}))(t)
		must(r.chip.UpdateResource(r.ctx(), &vasicv1.UpdateResourceRequest{Path: "IPv4/fib", Size: 100}))(t)
		must(r.reload())(t)
		r.quiet()
		lines := rec.lines()
		if i := slices.Index(lines, "Reload at 7"); i < 0 || len(lines) < i+10 {
			t.Errorf("no reload, or nothing came of it: %q", lines)
		} else {
			lines = lines[:i+1]
		}
		wantEqual(t, "recording", lines, []string{
			"ModifyRoute at 0", "1 ROUTE_ADDED", "2 FLAGS_CHANGED", "ModifyRoute at 2 AlreadyExists", "ModifyRoute at 2 InvalidArgument",
			"CreateNextHop at 2", "3 NEXT_HOP_ADDED", "ModifyRoutes at 3 stream 1 refused [1 2]", "4 ROUTE_ADDED", "Pause at 4", "ModifyRoute at 4", "5 ROUTE_ADDED",
			"Step at 5", "6 FLAGS_CHANGED", "Resume at 6", "Step at 6 FailedPrecondition", "FlushRoutes at 6", "7 ROUTE_DELETED", "UpdateResource at 7", "Reload at 7",
		})
		rec.checkOrder()
		for _, item := range rec.all() {
			if item.GetCall().GetMethod() == vasicv1.RouteService_FlushRoutes_FullMethodName {
				req := &vasicv1.FlushRoutesRequest{}
				if err := proto.Unmarshal(item.Call.Request, req); err != nil || req.Filter.GetExactPrefix() != "192.0.2.0/24" {
					t.Errorf("the request became %v, %v", req, err)
				}
			}
		}
		wantMetrics(t, "while recording", r.scrape(), map[string]float64{"vasic_recordings": 1})
	})
}

// A call that waits for hardware holds up neither other calls nor, unless it has to know how the call ends, the recording.
func TestNothingThatWaitsHoldsUpARecordedSwitch(t *testing.T) {
	inAPIBubble(t, server.Config{QueueCapacity: 3}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		rec := r.record()
		var wg sync.WaitGroup
		background := func(call func() error) {
			wg.Go(func() {
				if err := call(); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(time.Second)
		}
		must(r.createFault(&vasicv1.Fault{Prefix: "198.51.100.0/24", Stall: true}))(t)
		background(func() error { // waits for the stall to end
			_, err := r.routes.ModifyRoute(r.ctx(), &vasicv1.ModifyRouteRequest{Action: actionAdd, Route: good4(), WaitForHardware: true})
			return err
		})
		wantEqual(t, "stalled", rec.lines(), []string{"CreateFault at 0", "ModifyRoute at 0", "1 ROUTE_ADDED"})
		r.pause()
		background(func() error { // waits, too
			_, err := r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: 3})
			return err
		})
		r.add(apiRoute("192.0.2.0/24", via("10.0.1.2")), apiRoute("192.0.3.0/24", via("10.0.1.2")))
		background(func() error { // there is no room
			_, err := r.modify(actionAdd, apiRoute("192.0.4.0/24", via("10.0.1.2")))
			return err
		})
		background(func() error {
			_, err := r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: &vasicv1.RouteFilter{ExactPrefix: "192.0.3.0/24"}})
			return err
		})
		second := r.record() // begins although calls wait
		if err := r.deleteFault(0); err != nil {
			t.Error(err)
		}
		r.resume()
		wg.Wait()
		r.quiet()
		rec.checkOrder()
		second.checkOrder()
		var methods []string
		for _, item := range rec.all() {
			if item.Call != nil {
				methods = append(methods, item.Call.Method[strings.LastIndexByte(item.Call.Method, '/')+1:])
			}
		}
		slices.Sort(methods)
		wantEqual(t, "calls", methods, []string{
			"CreateFault", "DeleteFault", "FlushRoutes", "ModifyRoute", "ModifyRoute", "ModifyRoute", "ModifyRoute", "Pause", "Resume", "Step",
		})
	})
}

// busy does something of everything, all from the seed.
func (r *apiRig) busy() {
	t := r.t
	pause := func() { time.Sleep(1700 * time.Microsecond) }
	must(r.createFault(&vasicv1.Fault{Fail: true, Probability: 0.2, Operation: vasicv1.FaultOperation_FAULT_OPERATION_ADD}))(t)
	must(r.createFault(&vasicv1.Fault{Delay: durationpb.New(3 * time.Millisecond), Probability: 0.3}))(t)
	r.twoObjects()
	s := r.stream()
	for i := range 40 {
		var ops []*vasicv1.RouteOperation
		for j := range 5 {
			action := []vasicv1.RouteAction{actionAdd, actionReplace, actionDelete}[(i+j)%3]
			route := apiRoute(prefixNumber((i*3 + j) % 20))
			switch {
			case action == actionDelete:
			case j%2 == 0:
				route.NextHopId = 10
			default:
				route.NextHops = []*vasicv1.NextHop{{Gateway: "10.0.1.2"}, {Gateway: "10.0.2.2"}}
			}
			ops = append(ops, &vasicv1.RouteOperation{Action: action, Route: route})
		}
		s.send(ops...)
		s.next(len(ops))
		pause()
		switch i % 8 {
		case 1:
			must(r.replaceNeighbor("10.0.1.2", "swp1", nudFailed))(t)
		case 3:
			must(r.replaceNeighbor("10.0.1.2", "swp1", nudReachable))(t)
		case 4:
			must(r.setLink(&vasicv1.Link{Name: "swp2", Carrier: i < 20}, "carrier"))(t)
			if i >= 20 { // took object 2 with it
				pause() // or else it may be either before or after hardware has seen that
				must(r.setLink(&vasicv1.Link{Name: "swp2", Carrier: true}, "carrier"))(t)
			}
		case 6:
			must(r.replaceObject(&vasicv1.NextHopObject{Id: 1, Gateway: fmt.Sprintf("10.0.1.%d", 2+i)}))(t)
		}
		pause()
	}
	must(r.reload())(t)
	r.quiet()
}

// Everything comes from the seed: of two runs the recordings are the same, byte for byte.
func TestTwoRunsWithOneSeedAreRecordedAlike(t *testing.T) {
	run := func(seed uint64) (text []byte) {
		cfg := server.Config{
			Seed: seed, Epoch: 1, NotifyIPv4: 1, NotifyIPv6: 1, Latency: ptr(400 * time.Microsecond), LatencySpread: ptr(100 * time.Microsecond),
			Distribution: ptr(normalDistribution), RetryFailed: ptr(true), Resources: map[string]uint64{"IPv4/fib": 16},
		}
		inAPIBubble(t, cfg, func(_ *testing.T, r *apiRig) {
			r.quiet()
			rec := r.record()
			r.busy()
			for _, m := range append([]*vasicv1.RecordResponse{{Started: rec.started}}, rec.all()...) {
				b, err := m.MarshalVT()
				if err != nil {
					r.t.Fatal(err)
				}
				text = append(text, b...)
			}
			rec.checkOrder()
		})
		return text
	}
	first := run(7)
	for range 3 {
		if again := run(7); !bytes.Equal(first, again) {
			at := 0
			for at < min(len(first), len(again)) && first[at] == again[at] {
				at++
			}
			t.Fatalf("the recordings differ from byte %d of %d on", at, len(first))
		}
	}
	if bytes.Equal(first, run(8)) {
		t.Error("another seed makes no difference")
	}
}

// Calls from many clients at once are in the order in which they took effect: done again in that order, they have the same answers.
func TestConcurrentCallsAreRecordedInTheOrderOfTheirEffect(t *testing.T) {
	r := newAPIRig(t, server.Config{})
	rec := r.record()
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			s := r.stream()
			for i := range 200 {
				route := apiRoute(prefixNumber(i%5), kind(blackhole), proto8(uint32(10+c))) //nolint:gosec // small
				switch i % 3 {
				case 0:
					s.send(&vasicv1.RouteOperation{Action: actionAdd, Route: route})
					s.next(1)
				case 1:
					_, _ = r.modify(actionAdd, route) // whoever comes first
				default:
					_, _ = r.modify(actionDelete, route)
				}
			}
		})
	}
	wg.Wait()
	r.stopRecording(rec)
	rec.checkOrder()
	present := map[string]uint32{}
	calls := 0
	for _, item := range rec.all() {
		if item.Call == nil {
			continue
		}
		calls++
		op := &vasicv1.RouteOperation{}
		failed := item.Call.Code != 0
		if item.Call.Stream != 0 {
			var m vasicv1.ModifyRoutesRequest
			if err := proto.Unmarshal(item.Call.Request, &m); err != nil {
				t.Fatal(err)
			}
			op, failed = m.Operations[0], len(item.Call.Refused) > 0
		} else {
			var m vasicv1.ModifyRouteRequest
			if err := proto.Unmarshal(item.Call.Request, &m); err != nil {
				t.Fatal(err)
			}
			op.Action, op.Route = m.Action, m.Route
		}
		owner, there := present[op.Route.Prefix]
		if want := op.Action == actionAdd && there || op.Action == actionDelete && (!there || owner != op.Route.Protocol); failed != want {
			t.Fatalf("call %d: %v failed %t, present %t", calls, op, failed, there)
		}
		switch {
		case failed:
		case op.Action == actionAdd:
			present[op.Route.Prefix] = op.Route.Protocol
		default:
			delete(present, op.Route.Prefix)
		}
	}
	if calls != 800 {
		t.Errorf("%d calls", calls)
	}
}

// stopRecording waits until a recording has everything, and ends it with the switch.
func (r *apiRig) stopRecording(rec *recording) {
	r.t.Helper()
	if err := r.s.Stop(r.ctx()); err != nil {
		r.t.Error(err)
	}
	<-rec.done
	if refusalOf(r.t, rec.err).reason != "SHUTTING_DOWN" {
		r.t.Errorf("the recording ended with %v", rec.err)
	}
}

func TestARecordingThatIsNotReadEnds(t *testing.T) {
	inAPIBubble(t, server.Config{LogBytes: 1 << 20, MaxWatchers: 1}, func(t *testing.T, r *apiRig) {
		far := r.narrow()
		far.records = vasicv1.NewRecordServiceClient(far.cc)
		stream := must(far.records.Record(r.ctx(), &vasicv1.RecordRequest{}))(t)
		must(stream.Recv())(t)
		_, err := must(r.records.Record(r.ctx(), &vasicv1.RecordRequest{}))(t).Recv()
		refused{code: codes.ResourceExhausted, reason: "TOO_MANY_WATCHERS", words: "as many as max_watchers allows"}.checkErr(t, err)
		s := r.stream()
		for range 30 {
			s.send(slices.Repeat([]*vasicv1.RouteOperation{{Action: actionAdd, Route: good4()}, {Action: actionDelete, Route: good4()}}, 500)...)
			s.next(1000)
		}
		r.quiet()
		for err = nil; err == nil; {
			_, err = stream.Recv()
		}
		if errors.Is(err, io.EOF) || status.Code(err) != codes.OutOfRange || refusalOf(t, err).reason != "REVISION_COMPACTED" {
			t.Errorf("ended with %v", err)
		}
		r.quiet()
		wantMetrics(t, "ended", r.scrape(), map[string]float64{"vasic_recordings": 0})
	})
}
