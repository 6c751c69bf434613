package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

var shuttingDown = refused{codes.Unavailable, "SHUTTING_DOWN", "", "", "", "the switch is stopping"}

// stopping starts to stop the switch, and returns what Stop will say.
func (r *apiRig) stopping(patience time.Duration) <-chan error {
	said := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(r.t.Context(), patience)
		defer cancel()
		said <- r.s.Stop(ctx)
	}()
	synctest.Wait()
	return said
}

func TestStopFinishesWhatWasAcceptedAndRefusesTheRest(t *testing.T) {
	inAPIBubble(t, server.Config{NotifyIPv4: fib.NotifyAll}, func(t *testing.T, r *apiRig) {
		r.quiet()
		health := must(healthv1.NewHealthClient(r.cc).Watch(r.ctx(), &healthv1.HealthCheckRequest{}))(t)
		if res := must(health.Recv())(t); res.Status != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health before: %v", res)
		}
		w := r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		w.until("synced")
		listing := r.watch(&vasicv1.WatchRequest{}) // has not been read when the switch stops
		idle := r.stream()
		must(r.update(&vasicv1.Settings{ProgrammingLatency: seconds(1)}, "programming_latency"))(t)
		r.pause()
		s := r.stream()
		for i := range 5 {
			s.send(op(uint64(i), actionAdd, apiRoute(prefixNumber(i), kind(blackhole)))) //nolint:gosec // small
		}
		s.next(5)
		waiting := r.settleLater(actionAdd, apiRoute(prefixNumber(5), kind(unreachable)))
		synctest.Wait()
		head := r.status().Revision
		started := time.Now()
		said := r.stopping(time.Minute)

		if res := must(health.Recv())(t); res.Status != healthv1.HealthCheckResponse_NOT_SERVING {
			t.Errorf("health while stopping: %v", res)
		}
		for name, err := range map[string]error{
			"ModifyRoute":  func() error { _, err := r.modify(actionAdd, good4()); return err }(),
			"ModifyRoutes": func() error { _, err := drainAfter(r.stream(), op(9, actionAdd, good4())); return err }(),
			"on a stream":  func() error { _, err := drainAfter(idle, op(9, actionAdd, good4())); return err }(),
			"FlushRoutes": func() error {
				_, err := r.routes.FlushRoutes(r.ctx(), &vasicv1.FlushRoutesRequest{Filter: &vasicv1.RouteFilter{Table: 254}})
				return err
			}(),
			"Watch": func() error { _, err := r.watch(&vasicv1.WatchRequest{}).end(); return err }(),
		} {
			if err == nil {
				t.Errorf("%s is still accepted", name)
				continue
			}
			shuttingDown.checkErr(t, err)
		}
		if list := r.list(&vasicv1.RouteFilter{ExactPrefix: "198.51.100.0/24"}); len(list) > 0 {
			t.Errorf("refused, and yet there: %v", list)
		}

		results, err := s.drain()
		var want []answer
		for i := range uint64(5) {
			want = append(want, answer{i, statusOffloaded, 0})
		}
		wantEqual(t, "hardware results", answers(results), want)
		shuttingDown.checkErr(t, err)
		if res := <-waiting; res.GetStatus() != statusTrapped {
			t.Errorf("settled as %v", res)
		}
		list, err := w.end()
		shuttingDown.checkErr(t, err)
		if n := len(list); n != 13 || list[11] != fmt.Sprintf("%d flags_changed %s trap", head+6, prefixNumber(5)) || list[12] != fmt.Sprint("closing ", head+6) {
			t.Errorf("the watch ended with %d lines: %v", n, list[max(0, n-3):])
		}
		list, err = listing.end()
		shuttingDown.checkErr(t, err)
		if at := slices.IndexFunc(list, func(l string) bool { return len(l) > 6 && l[:6] == "synced" }); at < 0 || list[len(list)-1] != fmt.Sprint("closing ", head+6) {
			t.Errorf("the watch that had not been read had %v", list)
		}
		if err := <-said; err != nil {
			t.Errorf("Stop: %v", err)
		}
		if took := time.Since(started); took != 6*time.Second {
			t.Errorf("stopping took %v, hardware needed 6 s", took)
		}
		<-r.served
		if _, err := r.modify(actionAdd, good4()); status.Code(err) != codes.Unavailable {
			t.Errorf("after the end: %v", err)
		}
	})
}

// drainAfter sends one batch, if it still can, and reads to the end.
func drainAfter(s *apiStream, ops ...*vasicv1.RouteOperation) ([]*vasicv1.OperationResult, error) {
	_ = s.stream.Send(&vasicv1.ModifyRoutesRequest{Operations: ops}) // why it fails is said when reading
	return s.drain()
}

// A client that reads slowly gets what hardware has settled all the same.
func TestStopDoesNotLoseResultsOfASlowReader(t *testing.T) {
	const total = 6000
	for _, halfClosed := range []bool{false, true} {
		for i := range 3 { // what is lost is lost by chance
			t.Run(fmt.Sprintf("half-closed=%v/%d", halfClosed, i), func(t *testing.T) {
				inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
					r.pause()
					s := r.narrow().stream()
					for i := range total {
						if i%2000 == 0 {
							s.send(slices.Collect(func(yield func(*vasicv1.RouteOperation) bool) {
								for j := i; j < i+2000; j++ {
									yield(op(math.MaxUint64-uint64(j), actionAdd, apiRoute(prefixNumber(j), kind(blackhole)))) //nolint:gosec // small
								}
							})...)
						}
					}
					if halfClosed {
						s.closeSend()
					}
					synctest.Wait()
					said := r.stopping(time.Minute)
					time.Sleep(time.Second) // all is settled, and the answers wait for the client
					results, err := s.drain()
					if halfClosed {
						if err != nil {
							t.Errorf("the stream ended with %v, want OK: it was done", err)
						}
					} else {
						shuttingDown.checkErr(t, err)
					}
					settled := 0
					for _, res := range results {
						if res.Status == statusOffloaded {
							settled++
						}
					}
					if len(results)-settled != total || settled != total {
						t.Errorf("%d operations: %d accepted, %d settled", total, len(results)-settled, settled)
					}
					if err := <-said; err != nil {
						t.Errorf("Stop: %v", err)
					}
				})
			})
		}
	}
}

// What hardware does not finish in three quarters of the time is given up; the rest is for goodbye.
func TestTheDeadlineOfStopCutsOff(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.quiet()
		r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: seconds(3600)})
		w := r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		w.until("synced")
		s := r.stream()
		s.send(op(1, actionAdd, good4()))
		s.next(1)
		head := r.status().Revision
		started := time.Now()
		said := r.stopping(4 * time.Second)
		results, err := s.drain()
		shuttingDown.checkErr(t, err)
		if len(results) > 0 {
			t.Errorf("hardware has done nothing, and yet: %v", results)
		}
		list, err := w.end()
		shuttingDown.checkErr(t, err)
		if last := list[len(list)-1]; last != fmt.Sprint("closing ", head) {
			t.Errorf("the watch ended with %v", list)
		}
		if err := <-said; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("stopping took %v", took)
		}
		<-r.served
	})
}

// Who does not read is waited for until the deadline.
func TestTheDeadlineOfStopCutsOffWhoDoesNotRead(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		w := r.narrow().watch(&vasicv1.WatchRequest{LiveOnly: true})
		w.until("synced")
		s := r.stream()
		for range 5 {
			s.send(slices.Repeat([]*vasicv1.RouteOperation{{Action: actionReplace, Route: good6()}}, 1000)...)
		}
		s.closeSend()
		s.rest()
		r.quiet()
		started := time.Now()
		if err := <-r.stopping(4 * time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		if took := time.Since(started); took != 4*time.Second {
			t.Errorf("stopping took %v", took)
		}
		<-r.served
		if _, err := w.end(); status.Code(err) != codes.Unavailable {
			t.Errorf("the watch ended with %v", err)
		}
	})
}

// Nor is what waits for hardware.
func TestTheDeadlineOfStopCutsOffAReload(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.quiet()
		r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: seconds(3600)})
		r.add(good4())
		ended := make(chan error, 1)
		go func() {
			_, err := r.reload()
			ended <- err
		}()
		synctest.Wait()
		started := time.Now()
		if err := <-r.stopping(4 * time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		if took := time.Since(started); took > 4*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if err := <-ended; status.Code(err) != codes.Unavailable {
			t.Errorf("the reload ended with %v", err)
		}
	})
}

// Not in a bubble: what waits for a sync.Once keeps a bubble's time from going on.
func TestStopTwiceStopsOnce(t *testing.T) {
	r := newAPIRig(t, server.Config{})
	r.pause()
	r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: seconds(0.02)})
	r.add(good4())
	started := time.Now()
	said := make(chan error)
	for range 2 {
		go func() { said <- r.s.Stop(t.Context()) }()
	}
	for range 2 {
		if err := <-said; err != nil {
			t.Errorf("Stop: %v", err)
		}
		if took := time.Since(started); took < 20*time.Millisecond {
			t.Errorf("Stop returned after %v, while hardware was still busy", took)
		}
	}
	if err := r.s.Stop(t.Context()); err != nil {
		t.Errorf("Stop again: %v", err)
	}
}

func TestASwitchThatNeverServedCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := server.New(server.Config{Links: apiPorts(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		lis := bufconn.Listen(1)
		if err := s.Serve(lis); err != nil {
			t.Errorf("Serve after Stop: %v", err)
		}
		if _, err := s.Registry().Gather(); err != nil {
			t.Errorf("metrics after Stop: %v", err)
		}
	})
}

func TestServeAnswersOnSeveralListeners(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		second := serveAPI(t, r.s)
		r.add(good4())
		if route := second.get("198.51.100.0/24"); route.Id == 0 {
			t.Errorf("route %v", route)
		}
		second.stop()
		<-r.served
	})
}

func TestNewRefusesWhatItCannotMake(t *testing.T) {
	for words, cfg := range map[string]server.Config{
		`unknown profile "mlxsw"`:    {Profile: "mlxsw"},
		"no resource has that path":  {Resources: map[string]uint64{"IPv5/fib": 1}},
		"a link of that name exists": {Links: []server.Link{{Name: "swp1"}, {Name: "swp1"}}},
		"longer than 15":             {Links: []server.Link{{Name: "sixteen-letters-"}}},
		"the hardware table is full": {Profile: "netdevsim", Resources: map[string]uint64{"IPv6/fib": 0}},
		"10.0.1.1/24 is given twice": {Links: []server.Link{{Name: "a", Addresses: slices.Repeat(apiPorts()[0].Addresses[:1], 2)}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, err := server.New(cfg)
			if err == nil {
				_ = s.Stop(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%+v: %v, want %q", cfg, err, words)
			}
		})
	}
}

func TestTwoSwitchesCannotShareARegistry(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		if _, err := server.New(server.Config{Registry: r.s.Registry()}); err == nil || !strings.Contains(err.Error(), "duplicate") {
			t.Errorf("a second switch in one registry: %v", err)
		}
		r.settle(actionAdd, good4())
	})
}

func TestServeSaysWhyAListenerIsNoUse(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		closed := bufconn.Listen(1)
		_ = closed.Close()
		if err := r.s.Serve(closed); err == nil {
			t.Error("Serve on a closed listener returns nil")
		}
		r.settle(actionAdd, good4())
	})
}
