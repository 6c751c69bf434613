package server_test

import (
	"context"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

func (r *apiRig) reload() (*vasicv1.ReloadResponse, error) {
	return r.chip.Reload(r.ctx(), &vasicv1.ReloadRequest{})
}

// resource reads one resource.
func (r *apiRig) resource(path string) *vasicv1.Resource {
	r.t.Helper()
	for _, res := range must(r.chip.ListResources(r.ctx(), &vasicv1.ListResourcesRequest{}))(r.t).Resources {
		if res.Path == path {
			return res
		}
	}
	r.t.Fatalf("no resource %q", path)
	return nil
}

func (r *apiRig) resize(path string, size uint64) *vasicv1.Resource {
	r.t.Helper()
	return must(r.chip.UpdateResource(r.ctx(), &vasicv1.UpdateResourceRequest{Path: path, Size: size}))(r.t).Resource
}

func TestResourcesAreListedAsDevlinkDoes(t *testing.T) {
	inAPIBubble(t, server.Config{Resources: map[string]uint64{"IPv6/fib": 50, "nexthops": 0}}, func(t *testing.T, r *apiRig) {
		r.add(good4(), good6())
		r.quiet()
		got := must(r.chip.ListResources(r.ctx(), &vasicv1.ListResourcesRequest{}))(t)
		want := &vasicv1.ListResourcesResponse{Resources: []*vasicv1.Resource{
			{Path: "IPv4/fib", Size: math.MaxUint64, Occupancy: proto.Uint64(7)},
			{Path: "IPv4/fib-rules", Size: math.MaxUint64, Occupancy: proto.Uint64(3)},
			{Path: "IPv6/fib", Size: 50, Occupancy: proto.Uint64(6)},
			{Path: "IPv6/fib-rules", Size: math.MaxUint64, Occupancy: proto.Uint64(2)},
			{Path: "nexthops", Size: 0, Occupancy: proto.Uint64(0)},
			{Path: "groups", Size: math.MaxUint64, Occupancy: proto.Uint64(2)},
			{Path: "group-members", Size: math.MaxUint64, Occupancy: proto.Uint64(2)},
			{Path: "hosts", Size: math.MaxUint64, Occupancy: proto.Uint64(2)},
		}}
		if !proto.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestANewSizeTakesEffectAtTheNextReload(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.add(good4())
		r.quiet()
		before := r.everything()
		for _, path := range []string{"", "ipv4/fib", "IPv4", "IPv4/fib\x00"} {
			_, err := r.chip.UpdateResource(r.ctx(), &vasicv1.UpdateResourceRequest{Path: path, Size: 1})
			refused{codes.NotFound, "RESOURCE_NOT_FOUND", "", "", "", "no resource has that path"}.checkErr(t, err)
		}
		r.unchanged(before)

		want := &vasicv1.Resource{Path: "IPv4/fib", Size: math.MaxUint64, SizeNew: proto.Uint64(8), Occupancy: proto.Uint64(7)}
		for range 2 { // idempotent
			if got := r.resize("IPv4/fib", 8); !proto.Equal(got, want) || !proto.Equal(r.resource("IPv4/fib"), want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		for i := range 3 {
			if res := r.settle(actionAdd, apiRoute(prefixNumber(i), via("10.0.1.2"))); res.Status != statusOffloaded {
				t.Errorf("before the reload: %v", res)
			}
		}
		if res := must(r.reload())(t); res.Replayed != 16 { // one entry a prefix: the two multicast routes share one
			t.Errorf("replayed %v", res)
		}
		r.quiet()
		want.Size, want.SizeNew, want.Occupancy = 8, nil, proto.Uint64(8)
		if got := r.resource("IPv4/fib"); !proto.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if failed := r.list(&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagFailed}}); len(failed) != 2 || failed[0].FailureReason != tableFull {
			t.Errorf("failed: %v", failed)
		}
		// Back to unlimited, and no reload: still full.
		if got := r.resize("IPv4/fib", math.MaxUint64); got.Size != 8 || got.GetSizeNew() != math.MaxUint64 {
			t.Errorf("got %v", got)
		}
		if got := r.resize("IPv4/fib", 8); got.SizeNew != nil {
			t.Errorf("taken back: %v", got)
		}
	})
}

func TestReloadProgramsEverythingAgain(t *testing.T) {
	for _, profile := range []string{"switch", "netdevsim"} {
		for _, paused := range []bool{false, true} {
			t.Run(profile, func(t *testing.T) {
				inAPIBubble(t, server.Config{Profile: profile}, func(t *testing.T, r *apiRig) {
					variety(r)
					before := r.list(nil)
					r.set("fail_route_offload", &vasicv1.Settings{FailRouteOffload: true})
					r.add(apiRoute("192.0.2.128/25", via("10.0.1.2")))
					r.quiet()
					if paused {
						r.pause()
						r.add(apiRoute("192.0.2.0/25", via("10.0.1.2")))
					}
					res := must(r.reload())(t)
					if res.Replayed < uint64(len(before))/2 {
						t.Errorf("replayed %v of %d", res, len(before))
					}
					r.quiet()
					if s := r.status(); paused && (s.QueueLength != res.Replayed || !s.Paused) {
						t.Errorf("%d in the queue of %d replayed; paused: %v", s.QueueLength, res.Replayed, s.Paused)
					}
					if paused { // the chip is empty
						for _, route := range r.list(&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagOffload, flagTrap}}) {
							t.Errorf("in hardware after it was emptied: %v", route)
						}
					}
					r.resume()
					r.quiet()
					if failed := r.list(&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagFailed}, ExactPrefix: "192.0.2.128/25"}); len(failed) > 0 {
						t.Errorf("fail_route_offload was reset, and yet: %v", failed)
					}
					if must(r.chip.GetSettings(r.ctx(), &vasicv1.GetSettingsRequest{}))(t).Settings.FailRouteOffload {
						t.Error("fail_route_offload is still set")
					}
					byID := map[uint64]*vasicv1.Route{}
					for _, route := range r.list(nil) {
						byID[route.Id] = route
					}
					for _, route := range before {
						if !proto.Equal(route, byID[route.Id]) {
							t.Errorf("%v became %v", route, byID[route.Id])
						}
					}
				})
			})
		}
	}
}

func TestAForbiddenReloadChangesNothing(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.add(good4())
		must(r.update(&vasicv1.Settings{DontAllowReload: true, FailReload: true, FailRouteOffload: true}, "dont_allow_reload", "fail_reload", "fail_route_offload"))(t)
		r.resize("IPv4/fib", 1)
		r.quiet()
		before := r.everything()
		for range 2 {
			_, err := r.reload()
			refused{
				codes.FailedPrecondition, "RELOAD_FORBIDDEN", "EOPNOTSUPP", "netdevsim: User forbid the reload for testing purposes", "", "reloads are forbidden",
			}.checkErr(t, err)
		}
		r.quiet()
		r.unchanged(before)
	})
}

// dead checks that the chip is empty and takes nothing.
func (r *apiRig) dead(prefix string) {
	r.t.Helper()
	s := r.status()
	if !s.ReloadFailed || s.QueueLength != 0 {
		r.t.Errorf("status %v", s)
	}
	if res := r.settle(actionAdd, apiRoute(prefix, via("10.0.1.2"))); res.Status != statusNotSelected {
		r.t.Errorf("settled by a dead chip: %v", res)
	}
	for _, route := range r.list(&vasicv1.RouteFilter{Flags: []vasicv1.RouteFlag{flagOffload, flagTrap, flagFailed}}) {
		r.t.Errorf("flags of a dead chip: %v", route)
	}
	for _, res := range must(r.chip.ListResources(r.ctx(), &vasicv1.ListResourcesRequest{}))(r.t).Resources {
		if res.Occupancy != nil {
			r.t.Errorf("occupancy of a dead chip: %v", res)
		}
	}
}

func TestAFailedReloadLeavesTheChipEmptyUntilOneSucceeds(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.add(good4(), good6())
		r.resize("IPv4/fib", 100)
		r.set("fail_reload", &vasicv1.Settings{FailReload: true})
		r.quiet()
		for i := range 2 { // "the next reloads"
			_, err := r.reload()
			refused{
				codes.FailedPrecondition, "RELOAD_FAILED", "EINVAL", "netdevsim: User setup the reload to fail for testing purposes", "", "the reload failed",
			}.checkErr(t, err)
			r.quiet()
			r.dead(prefixNumber(i))
		}
		r.set("fail_reload", &vasicv1.Settings{})
		if res := must(r.reload())(t); res.Replayed == 0 {
			t.Errorf("replayed %v", res)
		}
		r.quiet()
		if s := r.status(); s.ReloadFailed {
			t.Errorf("status %v", s)
		}
		if list := r.list(&vasicv1.RouteFilter{Protocol: proto.Uint32(3), Flags: []vasicv1.RouteFlag{flagOffload}}); len(list) != 4 {
			t.Errorf("programmed again: %v", list)
		}
		if got := r.resource("IPv4/fib"); got.Size != 100 || got.GetOccupancy() != 9 {
			t.Errorf("resource %v", got)
		}
	})
}

func TestASizeBelowTheOccupancyFailsTheReloadInProfileNetdevsim(t *testing.T) {
	inAPIBubble(t, server.Config{Profile: "netdevsim"}, func(t *testing.T, r *apiRig) {
		r.add(good4(), good6())
		r.quiet()
		if got := r.resize("IPv4/fib", 3); got.GetSizeNew() != 3 || got.GetOccupancy() != 7 {
			t.Errorf("any size is accepted: %v", got)
		}
		_, err := r.reload()
		refused{
			codes.ResourceExhausted, "TABLE_FULL", "EPERM", "netdevsim: Exceeded number of supported fib entries", "", "the hardware table is full",
		}.checkErr(t, err)
		r.quiet()
		r.dead(prefixNumber(0))
		r.resize("IPv4/fib", 8)
		if res := must(r.reload())(t); res.Replayed != 15 {
			t.Errorf("replayed %v", res)
		}
		r.quiet()
		if got := r.resource("IPv4/fib"); got.Size != 8 || got.GetOccupancy() != 8 {
			t.Errorf("resource %v", got)
		}
	})
}

// Half a reload would leave the chip empty.
func TestAReloadIsCarriedThroughWhenItsCallerGoesAway(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.quiet()
		r.resize("IPv4/fib", 100)
		r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: seconds(2)})
		r.add(good4())
		ctx, cancel := context.WithTimeout(r.ctx(), time.Second)
		defer cancel()
		_, err := r.chip.Reload(ctx, &vasicv1.ReloadRequest{})
		refused{code: codes.DeadlineExceeded}.checkErr(t, err)
		time.Sleep(time.Minute)
		r.quiet()
		if s := r.status(); s.ReloadFailed || s.QueueLength != 0 {
			t.Errorf("status %v", s)
		}
		if got := r.resource("IPv4/fib"); got.Size != 100 || got.GetOccupancy() != 7 {
			t.Errorf("resource %v", got)
		}
		if route := r.get("198.51.100.0/24"); !route.Offload {
			t.Errorf("not programmed again: %v", route)
		}
	})
}
