package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/conformance/guarantee"
)

// watchRun is a switch that clients keep busy while others watch. One watcher, the witness, sees every event from revision 1 on: writers wait for
// it, so that it never falls off the log. Whoever has to wait for the others waits for the witness to come to a revision.
type watchRun struct {
	*apiRig
	seed    uint64
	rounds  int              // of each writer
	nap     func(*rand.Rand) // lets the others work for a moment
	witness guarantee.Recorder

	mu       sync.Mutex // guards the following fields
	progress sync.Cond  // on mu: seen became greater, or over was set
	seen     uint64     // revision that the witness has come to
	over     bool       // the switch is at rest
	head     uint64     // newest revision then
	listed   []*vasicv1.Route
}

// slack is how many revisions writers may be ahead of the witness: less than the smallest log holds.
const slack = 100

// watchDialOptions keep what lies between a switch and a watcher that does not read small, so that it is the log that holds what is not read.
var watchDialOptions = []grpc.DialOption{grpc.WithInitialWindowSize(64 << 10), grpc.WithInitialConnWindowSize(64 << 10)}

func newWatchRun(r *apiRig, seed uint64, rounds int, nap func(*rand.Rand)) *watchRun {
	run := &watchRun{apiRig: r, seed: seed, rounds: rounds, nap: nap}
	run.progress.L = &run.mu
	run.witness.Client = r.watches
	return run
}

func (run *watchRun) random(role, i uint64) *rand.Rand {
	return rand.New(rand.NewPCG(run.seed, role<<32+i))
}

// await waits until the witness has come to a revision, or all is over.
func (run *watchRun) await(revision uint64) {
	run.mu.Lock()
	defer run.mu.Unlock()
	for run.seen < revision && !run.over {
		run.progress.Wait()
	}
}

// end is the newest revision, once all is over.
func (run *watchRun) end() (head uint64, over bool) {
	run.mu.Lock()
	defer run.mu.Unlock()
	return run.head, run.over
}

// observe is the witness.
func (run *watchRun) observe(ctx context.Context) error {
	defer run.finish(0, nil) // nobody waits for a witness that is gone
	if err := run.witness.Open(ctx, &vasicv1.WatchRequest{
		ResumeAfter: &vasicv1.ResumeToken{}, BookmarkInterval: durationpb.New(100 * time.Millisecond),
	}); err != nil {
		return err
	}
	for {
		if _, err := run.witness.Next(); err != nil {
			return err
		}
		place, _ := run.witness.Token()
		run.mu.Lock()
		run.seen = place.GetRevision()
		run.progress.Broadcast()
		run.mu.Unlock()
		if head, over := run.end(); over && place.GetRevision() >= head {
			return nil
		}
	}
}

func (run *watchRun) finish(head uint64, listed []*vasicv1.Route) {
	run.mu.Lock()
	defer run.mu.Unlock()
	if !run.over {
		run.over, run.head, run.listed = true, head, listed
		run.progress.Broadcast()
	}
}

// rest brings the switch to rest and says so.
func (run *watchRun) rest() {
	run.t.Helper()
	ctx := run.t.Context()
	for {
		must(run.chip.Pause(ctx, &vasicv1.PauseRequest{}))(run.t)
		if must(run.chip.Step(ctx, &vasicv1.StepRequest{Operations: 1_000_000}))(run.t).GetQueueLength() == 0 {
			break
		}
	}
	run.resume()
	run.finish(run.status().GetRevision(), run.list(nil))
}

// churnOperation is one change of one of a few routes of either family.
func churnOperation(r *rand.Rand) vasic.Operation {
	n := r.IntN(24)
	route := &vasicv1.Route{Table: []uint32{0, 0, 100}[r.IntN(3)], Protocol: uint32(3 + n%2)} //nolint:gosec // small
	via := func(format string, hosts int) *vasicv1.NextHop {
		return &vasicv1.NextHop{Gateway: fmt.Sprintf(format, 1+r.IntN(2), 2+r.IntN(hosts))}
	}
	gateway := "10.0.%d.%d"
	if route.Prefix = fmt.Sprintf("10.%d.%d.0/24", 20+n/8, n%8); r.IntN(2) == 0 {
		route.Prefix, gateway = fmt.Sprintf("2001:db8:%x::/48", 0x20+n), "2001:db8:%d::%d"
	}
	if r.IntN(3) == 0 {
		route.Metric = proto.Uint32(uint32(10 * (1 + r.IntN(2)))) //nolint:gosec // small
	}
	action := []vasicv1.RouteAction{actionAdd, actionReplace, actionReplace, actionAppend, actionPrepend, actionDelete, actionDelete}[r.IntN(7)]
	switch kind := r.IntN(8); {
	case action == actionDelete && kind > 0:
	case kind == 0:
		route.NextHops = []*vasicv1.NextHop{{Device: "swp1"}}
	case kind == 1:
		route.Type = blackhole
	case kind < 5:
		route.NextHops = []*vasicv1.NextHop{via(gateway, 6)}
	default:
		for range 2 + r.IntN(3) {
			route.NextHops = append(route.NextHops, via(gateway, 6))
		}
	}
	return vasic.Operation{Action: action, Route: route}
}

// write has one client change routes, some of the time waiting for hardware. What is refused is refused.
func (run *watchRun) write(ctx context.Context, i int) error {
	r := run.random(1, uint64(i)) //nolint:gosec // small
	cc := run.dial()
	defer cc.Close()
	client := vasic.NewClient(cc)
	for range run.rounds {
		var ops []vasic.Operation
		for range 1 + r.IntN(16) {
			ops = append(ops, churnOperation(r))
		}
		results, err := client.Apply(ctx, ops)
		if err != nil {
			return fmt.Errorf("writer: %w", err)
		}
		var newest uint64
		for _, result := range results {
			newest = max(newest, result.Revision)
		}
		run.await(max(newest, slack) - slack)
		run.nap(r)
	}
	return nil
}

// disturb turns knobs, and ends with a switch as it was.
func (run *watchRun) disturb(ctx context.Context) error {
	r := run.random(2, 0)
	link := func(up bool) error {
		_, err := run.links.UpdateLink(ctx, &vasicv1.UpdateLinkRequest{
			Link: &vasicv1.Link{Name: "swp2", Up: up, Carrier: r.IntN(2) == 0}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"up", "carrier"}},
		})
		return err
	}
	fail := func(on bool) error {
		_, err := run.chip.UpdateSettings(ctx, &vasicv1.UpdateSettingsRequest{
			Settings: &vasicv1.Settings{FailRouteOffload: on}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"fail_route_offload"}},
		})
		return err
	}
	resume := func() error {
		_, err := run.chip.Resume(ctx, &vasicv1.ResumeRequest{})
		return err
	}
	for range run.rounds / 4 {
		err := []func() error{
			func() error {
				_, err := run.chip.Pause(ctx, &vasicv1.PauseRequest{})
				return err
			},
			func() error {
				_, _ = run.chip.Step(ctx, &vasicv1.StepRequest{Operations: 3}) // refused while the chip runs
				return nil
			},
			resume,
			func() error { return fail(true) },
			func() error { return fail(false) },
			func() error { return link(false) },
			func() error { return link(true) },
			func() error {
				_, _ = run.chip.Reload(ctx, &vasicv1.ReloadRequest{}) // netdevsim refuses it if it has more routes than room
				return nil
			},
		}[r.IntN(8)]()
		if err != nil {
			return fmt.Errorf("disturber: %w", err)
		}
		run.await(run.status().GetRevision())
		run.nap(r)
		if err := resume(); err != nil { // writers may wait for room in the queue
			return err
		}
	}
	if err := fail(false); err != nil {
		return err
	}
	return link(true)
}
