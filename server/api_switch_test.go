package server_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

// settingPaths are all names that a mask can have.
var settingPaths = func() (paths []string) {
	fields := (&vasicv1.Settings{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		paths = append(paths, string(fields.Get(i).Name()))
	}
	return paths
}()

// settingsAtFirst are those of profile "switch".
func settingsAtFirst() *vasicv1.Settings {
	return &vasicv1.Settings{
		ProgrammingLatency: durationpb.New(0), NeighborResolution: vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_AUTO, NeighborResolutionDelay: durationpb.New(0),
		NexthopCompatMode: true, LatencyDistribution: vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_CONSTANT, LatencySpread: durationpb.New(0),
		LatencyPerNextHop: durationpb.New(0),
	}
}

func TestSettingsAreWhatWasSet(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		get := func() *vasicv1.Settings {
			return must(r.chip.GetSettings(r.ctx(), &vasicv1.GetSettingsRequest{}))(t).Settings
		}
		if got, want := get(), settingsAtFirst(); !proto.Equal(got, want) {
			t.Errorf("at first: %v", got)
		}
		all := &vasicv1.Settings{
			Ipv4NotifyOnFlagChange: 1, Ipv6NotifyOnFlagChange: 2, FailRouteOffload: true, FailRouteDelete: true, FailReload: true, DontAllowReload: true,
			ProgrammingLatency: durationpb.New(time.Hour), Ipv6SkipNotifyOnDevDown: true, Ipv4IgnoreRoutesWithLinkdown: true, Ipv6IgnoreRoutesWithLinkdown: true,
			NeighborResolution: vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_MANUAL, NeighborResolutionDelay: durationpb.New(time.Minute), RetryFailed: true,
			LatencyDistribution: vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_EXPONENTIAL, LatencySpread: durationpb.New(time.Second),
			LatencyPerNextHop: durationpb.New(time.Hour), MaxOperationsPerSecond: math.MaxUint32,
		}
		for _, path := range settingPaths { // one after the other: the mask decides, not what else is said
			before, after := get(), must(r.update(all, path))(t)
			field := after.ProtoReflect().Descriptor().Fields().ByName
			f := field(protoName(path))
			want := proto.CloneOf(before)
			want.ProtoReflect().Set(f, all.ProtoReflect().Get(f))
			if !proto.Equal(after, want) || !proto.Equal(get(), want) {
				t.Errorf("%s: %v, want %v", path, after, want)
			}
		}
		if got := must(r.update(all, settingPaths...))(t); !proto.Equal(got, all) {
			t.Errorf("again, all: %v", got)
		}
		if got := must(r.update(settingsAtFirst(), settingPaths...))(t); !proto.Equal(got, settingsAtFirst()) {
			t.Errorf("back: %v", got)
		}
	})
}

func TestSettingsOfTheProfileNetdevsim(t *testing.T) {
	inAPIBubble(t, server.Config{Profile: "netdevsim", NotifyIPv6: 2}, func(t *testing.T, r *apiRig) {
		got := must(r.chip.GetSettings(r.ctx(), &vasicv1.GetSettingsRequest{}))(t).Settings
		want := settingsAtFirst()
		want.ProgrammingLatency, want.Ipv6NotifyOnFlagChange = durationpb.New(time.Millisecond), 2
		if !proto.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestUpdateSettingsIsAllOrNothing(t *testing.T) {
	latency := func(d *durationpb.Duration) *vasicv1.Settings {
		return &vasicv1.Settings{FailRouteOffload: true, Ipv4NotifyOnFlagChange: 1, ProgrammingLatency: d}
	}
	good := []string{"fail_route_offload", "ipv4_notify_on_flag_change"}
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		before := r.everything()
		slow := outOfRange("settings.programming_latency", "is not between 0 and 1h0m0s")
		for name, c := range map[string]struct {
			settings *vasicv1.Settings
			paths    []string
			want     refused
		}{
			"no settings":      {nil, good, malformed("settings", "settings: is missing")},
			"no mask":          {latency(nil), nil, malformed("update_mask", "update_mask: is missing")},
			"unknown path":     {latency(nil), append(good, "fail_everything"), malformed("update_mask", `there is no setting "fail_everything"`)},
			"path of nothing":  {latency(nil), append(good, ""), malformed("update_mask", `there is no setting ""`)},
			"all":              {latency(nil), append(good, "*"), malformed("update_mask", `there is no setting "*"`)},
			"IPv4 notify":      {&vasicv1.Settings{FailRouteOffload: true, Ipv4NotifyOnFlagChange: 3}, good, outOfRange("settings.ipv4_notify_on_flag_change", "3 is not between 0 and 2")},
			"IPv6 notify":      {&vasicv1.Settings{FailRouteOffload: true, Ipv6NotifyOnFlagChange: math.MaxUint32}, append(good, "ipv6_notify_on_flag_change"), outOfRange("settings.ipv6_notify_on_flag_change", "4294967295 is not between 0 and 2")},
			"latency too long": {latency(durationpb.New(time.Hour + 1)), append(good, "programming_latency"), slow},
			"negative latency": {latency(durationpb.New(-1)), append(good, "programming_latency"), slow},
			"endless latency":  {latency(&durationpb.Duration{Seconds: math.MaxInt64}), append(good, "programming_latency"), slow},
			"broken latency":   {latency(&durationpb.Duration{Seconds: 1, Nanos: 1e9}), append(good, "programming_latency"), outOfRange("settings.programming_latency", "")},
			"no resolution":    {latency(nil), append(good, "neighbor_resolution"), unknownEnum("settings.neighbor_resolution", "0")},
			"resolution":       {&vasicv1.Settings{NeighborResolution: 3}, []string{"neighbor_resolution"}, unknownEnum("settings.neighbor_resolution", "3")},
			"resolution delay": {&vasicv1.Settings{NeighborResolutionDelay: durationpb.New(2 * time.Hour)}, []string{"neighbor_resolution_delay"}, outOfRange("settings.neighbor_resolution_delay", "2h")},
			"distribution":     {&vasicv1.Settings{LatencyDistribution: 5}, []string{"latency_distribution"}, unknownEnum("settings.latency_distribution", "5")},
			"no distribution":  {latency(nil), append(good, "latency_distribution"), unknownEnum("settings.latency_distribution", "0")},
			"spread":           {&vasicv1.Settings{LatencySpread: durationpb.New(-1)}, []string{"latency_spread"}, outOfRange("settings.latency_spread", "")},
			"no per next hop":  {latency(nil), append(good, "latency_per_next_hop"), malformed("settings.latency_per_next_hop", "is missing")},
			"no latency":       {latency(nil), append(good, "programming_latency"), malformed("settings.programming_latency", "is missing")},
		} {
			t, r := r.in(name)
			_, err := r.chip.UpdateSettings(r.ctx(), &vasicv1.UpdateSettingsRequest{Settings: c.settings, UpdateMask: &fieldmaskpb.FieldMask{Paths: c.paths}})
			c.want.checkErr(t, err)
			r.unchanged(before)
		}
		_, err := r.chip.UpdateSettings(r.ctx(), &vasicv1.UpdateSettingsRequest{Settings: latency(nil)})
		malformed("update_mask", "is missing").checkErr(t, err)
		r.unchanged(before)
	})
}

func TestStatusSaysWhatTheSwitchDoes(t *testing.T) {
	cfg := server.Config{Epoch: 77, Seed: 42, Version: "v1.2.3", QueueCapacity: 100, NotifyIPv6: 1, LogBytes: 16 << 10}
	inAPIBubble(t, cfg, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		base := r.status()
		r.watch(&vasicv1.WatchRequest{}).until("synced")
		r.settle(actionAdd, good4())
		r.pause()
		must(r.modify(actionReplace, good4(proto8(4))))(t)
		must(r.modify(actionDelete, good4()))(t)                                           // the replace is stale now
		r.add(good6(), apiRoute("2001:db8:c::/48", via("2001:db8:1::2", "2001:db8:2::2"))) // three rows
		got := r.status()
		want := proto.CloneOf(base)
		want.Version, want.Profile, want.Epoch, want.Seed, want.QueueCapacity = "v1.2.3", "switch", 77, 42, 100
		want.Revision, want.QueueLength, want.Paused, want.Programmed, want.SuppressedEvents, want.Watchers = base.Revision+5, 4, true, base.Programmed+1, base.SuppressedEvents+1, 1
		want.Routes[4].Count += 3
		want.Position = base.Position + 2 // a neighbour, and the route
		if !proto.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		r.resume()
		synctest.Wait()
		want.Revision, want.QueueLength, want.Paused, want.Programmed, want.StaleResults = base.Revision+8, 0, false, base.Programmed+5, base.StaleResults+1
		want.Routes[4].Count -= 3
		want.Routes[5].Count += 3
		want.Position = base.Position + 9
		if got = r.status(); !proto.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		for i, name := range []string{"none", "offload", "trap", "offload_failed"} {
			if v4, v6 := got.Routes[i], got.Routes[4+i]; v4.Family != "IPv4" || v6.Family != "IPv6" || v4.State != name || v6.State != name {
				t.Errorf("counts %v and %v, want %s", v4, v6, name)
			}
		}
	})
}

func TestPauseStepAndResumeCountExactly(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		programmed := r.status().Programmed
		step := func(n uint32) *vasicv1.StepResponse {
			return must(r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: n}))(t)
		}
		before := r.everything()
		_, err := r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: 1})
		refused{codes.FailedPrecondition, "NOT_PAUSED", "", "", "", "the programming goroutine is not paused"}.checkErr(t, err)
		r.unchanged(before)
		for range 2 { // idempotent
			if res := must(r.chip.Pause(r.ctx(), &vasicv1.PauseRequest{}))(t); res.QueueLength != 0 {
				t.Errorf("paused with %v", res)
			}
		}
		before = r.everything()
		for _, n := range []uint32{0, 1_000_001, math.MaxUint32} {
			_, err := r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: n})
			outOfRange("operations", "is not between 1 and 1000000").checkErr(t, err)
		}
		if res := step(1_000_000); res.Done != 0 || res.QueueLength != 0 {
			t.Errorf("nothing to do and yet %v", res)
		}
		r.unchanged(before)

		const n = 3000 // more than the chip takes at once
		s := r.stream()
		for i := range n {
			s.send(&vasicv1.RouteOperation{Action: actionAdd, Route: apiRoute(prefixNumber(i), kind(blackhole))})
		}
		s.closeSend()
		s.rest()
		if res := must(r.chip.Pause(r.ctx(), &vasicv1.PauseRequest{}))(t); res.QueueLength != n {
			t.Errorf("paused with %v", res)
		}
		left := n
		for _, steps := range []int{1, 2, 1021, 1, 1500} {
			res := step(uint32(steps)) //nolint:gosec // small
			left -= steps
			if res.Done != uint32(steps) || res.QueueLength != uint64(left) { //nolint:gosec // small
				t.Errorf("%d steps with %d left: %v", steps, left, res)
			}
			if got := r.status(); got.Programmed-programmed != uint64(n-left) || !got.Paused { //nolint:gosec // small
				t.Errorf("after %d steps: %v", n-left, got)
			}
		}
		offloaded := r.list(&vasicv1.RouteFilter{Type: blackhole, Flags: []vasicv1.RouteFlag{flagOffload}})
		if len(offloaded) != n-left {
			t.Errorf("%d routes in hardware, want %d", len(offloaded), n-left)
		}
		if res := step(1_000_000); res.Done != uint32(left) || res.QueueLength != 0 { //nolint:gosec // small
			t.Errorf("the rest: %v, want %d", res, left)
		}
		for range 2 { // idempotent
			r.resume()
		}
		if r.status().Paused {
			t.Error("still paused")
		}
		if res := r.settle(actionDelete, apiRoute(prefixNumber(0))); res.Status != statusRemoved {
			t.Errorf("after resume: %v", res)
		}
	})
}

// Step says what was done, also when it is told to stop on the way.
func TestAPauseInTheMiddleOfAStepCutsItShort(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		r.pause()
		r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: seconds(1)})
		programmed := r.status().Programmed
		for i := range 5 {
			r.add(apiRoute(prefixNumber(i), kind(blackhole)))
		}
		stepped := make(chan *vasicv1.StepResponse, 1)
		go func() {
			res, err := r.chip.Step(r.ctx(), &vasicv1.StepRequest{Operations: 5})
			if err != nil {
				t.Error(err)
			}
			stepped <- res
		}()
		time.Sleep(1500 * time.Millisecond)
		r.pause()
		select {
		case res := <-stepped:
			if did := r.status().Programmed - programmed; uint64(res.GetDone()) != did || res.GetQueueLength() != 5-did {
				t.Errorf("step answers %v, %d were done", res, did)
			}
		case <-time.After(10 * time.Second):
			if did := r.status().Programmed - programmed; did != 5 {
				t.Errorf("step waits for ever with %d done", did)
			}
		}
	})
}

func TestAPauseThatIsNotWaitedForStillHolds(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		r.set("programming_latency", &vasicv1.Settings{ProgrammingLatency: seconds(2)})
		r.add(good4())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(r.ctx(), time.Second)
		defer cancel()
		_, err := r.chip.Pause(ctx, &vasicv1.PauseRequest{})
		refused{code: codes.DeadlineExceeded}.checkErr(t, err)
		started := time.Now()
		r.pause() // stands between two operations
		if waited := time.Since(started); waited != time.Second {
			t.Errorf("the pause took %v, what was under way needed a second more", waited)
		}
		if route := r.get("198.51.100.0/24"); !route.Offload {
			t.Errorf("what was under way is not done: %v", route)
		}
	})
}
