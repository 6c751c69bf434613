package server

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// switchService is vasic.v1.SwitchService.
type switchService struct {
	vasicv1.UnimplementedSwitchServiceServer
	s *Server
}

// MaxLatency is the longest time that programming one route can be set to take.
const MaxLatency = time.Hour

const maxSteps = 1_000_000

func (sw switchService) settings() *vasicv1.Settings {
	chip := sw.s.chip
	return &vasicv1.Settings{
		Ipv4NotifyOnFlagChange:  uint32(sw.s.fib.Notify(fib.IPv4)),
		Ipv6NotifyOnFlagChange:  uint32(sw.s.fib.Notify(fib.IPv6)),
		FailRouteOffload:        chip.Knob(asic.FailRouteOffload),
		FailRouteDelete:         chip.Knob(asic.FailRouteDelete),
		FailReload:              chip.Knob(asic.FailReload),
		DontAllowReload:         chip.Knob(asic.DontAllowReload),
		ProgrammingLatency:      durationpb.New(chip.Latency()),
		Ipv6SkipNotifyOnDevDown: sw.s.fib.SkipNotifyOnDown(),

		Ipv4IgnoreRoutesWithLinkdown: sw.s.fib.IgnoreLinkdown(fib.IPv4),
		Ipv6IgnoreRoutesWithLinkdown: sw.s.fib.IgnoreLinkdown(fib.IPv6),
	}
}

func (sw switchService) GetSettings(context.Context, *vasicv1.GetSettingsRequest) (*vasicv1.GetSettingsResponse, error) {
	return &vasicv1.GetSettingsResponse{Settings: sw.settings()}, nil
}

func (sw switchService) UpdateSettings(_ context.Context, req *vasicv1.UpdateSettingsRequest) (*vasicv1.UpdateSettingsResponse, error) {
	want, paths := req.GetSettings(), req.GetUpdateMask().GetPaths()
	switch {
	case want == nil:
		return nil, malformed("settings", "is missing")
	case len(paths) == 0:
		return nil, malformed("update_mask", "is missing")
	}
	sw.s.settingsMu.Lock()
	defer sw.s.settingsMu.Unlock()
	var apply []func()
	for _, path := range paths {
		var bad *refusal
		switch path {
		case "ipv4_notify_on_flag_change":
			apply, bad = sw.notify(apply, fib.IPv4, path, want.Ipv4NotifyOnFlagChange)
		case "ipv6_notify_on_flag_change":
			apply, bad = sw.notify(apply, fib.IPv6, path, want.Ipv6NotifyOnFlagChange)
		case "fail_route_offload":
			apply = append(apply, sw.knob(asic.FailRouteOffload, want.FailRouteOffload))
		case "fail_route_delete":
			apply = append(apply, sw.knob(asic.FailRouteDelete, want.FailRouteDelete))
		case "fail_reload":
			apply = append(apply, sw.knob(asic.FailReload, want.FailReload))
		case "dont_allow_reload":
			apply = append(apply, sw.knob(asic.DontAllowReload, want.DontAllowReload))
		case "programming_latency":
			d := want.ProgrammingLatency.AsDuration()
			if want.ProgrammingLatency == nil {
				bad = malformed("settings."+path, "is missing")
			} else if want.ProgrammingLatency.CheckValid() != nil || d < 0 || d > MaxLatency {
				bad = invalid(vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE, "settings."+path, "%v is not between 0 and %v", d, MaxLatency)
			}
			apply = append(apply, func() { sw.s.chip.SetLatency(d) })
		case "ipv6_skip_notify_on_dev_down":
			apply = append(apply, func() { sw.s.fib.SetSkipNotifyOnDown(want.Ipv6SkipNotifyOnDevDown) })
		case "ipv4_ignore_routes_with_linkdown":
			apply = append(apply, func() { sw.s.fib.SetIgnoreLinkdown(fib.IPv4, want.Ipv4IgnoreRoutesWithLinkdown) })
		case "ipv6_ignore_routes_with_linkdown":
			apply = append(apply, func() { sw.s.fib.SetIgnoreLinkdown(fib.IPv6, want.Ipv6IgnoreRoutesWithLinkdown) })
		default:
			bad = malformed("update_mask", "there is no setting %q", path)
		}
		if bad != nil {
			return nil, bad
		}
	}
	for _, set := range apply {
		set()
	}
	return &vasicv1.UpdateSettingsResponse{Settings: sw.settings()}, nil
}

func (sw switchService) knob(k asic.Knob, on bool) func() { return func() { sw.s.chip.SetKnob(k, on) } }

func (sw switchService) notify(apply []func(), family fib.Family, path string, value uint32) ([]func(), *refusal) {
	if value > uint32(fib.NotifyFailures) {
		return nil, outOfRange("settings."+path, uint64(value), 0, uint64(fib.NotifyFailures))
	}
	return append(apply, func() { sw.s.fib.SetNotify(family, fib.NotifySetting(value)) }), nil //nolint:gosec // checked above
}

func (sw switchService) GetStatus(context.Context, *vasicv1.GetStatusRequest) (*vasicv1.GetStatusResponse, error) {
	chip, log := sw.s.chip.Stats(), sw.s.journal.log.Stats()
	res := &vasicv1.GetStatusResponse{
		Version: sw.s.cfg.Version, Profile: sw.s.chip.Profile().Name, Epoch: sw.s.journal.log.Epoch(), Revision: log.Head, OldestRevision: log.Oldest,
		Seed: sw.s.cfg.Seed, QueueLength: uint64(chip.QueueLength), QueueCapacity: uint64(chip.QueueCapacity), Paused: chip.Paused, //nolint:gosec // not negative
		ReloadFailed: chip.ReloadFailed, Programmed: chip.Programmed, Watchers: uint64(log.Readers), //nolint:gosec // not negative
	}
	for _, family := range fib.Families {
		counts := sw.s.fib.Counts(family)
		res.StaleResults += counts.Stale
		res.SuppressedEvents += counts.Suppressed
		for state, name := range fib.States {
			res.Routes = append(res.Routes, &vasicv1.RouteCount{Family: family.String(), State: name, Count: uint64(counts.Rows[state])}) //nolint:gosec // not negative
		}
	}
	return res, nil
}

// resource describes one resource. While a reload has failed nobody counts.
func (sw switchService) resource(r *asic.Resource) *vasicv1.Resource {
	m := &vasicv1.Resource{Path: r.Path, Size: r.Size}
	if r.SizeNew != r.Size {
		m.SizeNew = &r.SizeNew
	}
	if !sw.s.chip.Stats().ReloadFailed {
		m.Occupancy = &r.Occupancy
	}
	return m
}

func (sw switchService) ListResources(context.Context, *vasicv1.ListResourcesRequest) (*vasicv1.ListResourcesResponse, error) {
	res := &vasicv1.ListResourcesResponse{}
	list := sw.s.chip.Resources()
	for i := range list {
		res.Resources = append(res.Resources, sw.resource(&list[i]))
	}
	return res, nil
}

func (sw switchService) UpdateResource(_ context.Context, req *vasicv1.UpdateResourceRequest) (*vasicv1.UpdateResourceResponse, error) {
	if err := sw.s.chip.SetResource(req.Path, req.Size); err != nil {
		return nil, statusOf(err)
	}
	list := sw.s.chip.Resources()
	for i := range list {
		if list[i].Path == req.Path {
			return &vasicv1.UpdateResourceResponse{Resource: sw.resource(&list[i])}, nil
		}
	}
	return nil, statusOf(asic.ErrNoResource)
}

func (sw switchService) Reload(ctx context.Context, _ *vasicv1.ReloadRequest) (*vasicv1.ReloadResponse, error) {
	n, err := sw.s.chip.Reload(ctx, sw.s.fib)
	if err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.ReloadResponse{Replayed: uint64(n)}, nil //nolint:gosec // not negative
}

func (sw switchService) Pause(ctx context.Context, _ *vasicv1.PauseRequest) (*vasicv1.PauseResponse, error) {
	if sw.s.isStopping() {
		return nil, errShuttingDown
	}
	if err := sw.s.chip.Pause(ctx); err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.PauseResponse{QueueLength: uint64(sw.s.chip.Stats().QueueLength)}, nil //nolint:gosec // not negative
}

func (sw switchService) Step(ctx context.Context, req *vasicv1.StepRequest) (*vasicv1.StepResponse, error) {
	if req.Operations < 1 || req.Operations > maxSteps {
		return nil, outOfRange("operations", uint64(req.Operations), 1, maxSteps)
	}
	n, err := sw.s.chip.Step(ctx, int(req.Operations))
	if err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.StepResponse{Done: uint32(n), QueueLength: uint64(sw.s.chip.Stats().QueueLength)}, nil //nolint:gosec // not negative, at most maxSteps
}

func (sw switchService) Resume(context.Context, *vasicv1.ResumeRequest) (*vasicv1.ResumeResponse, error) {
	sw.s.chip.Resume()
	return &vasicv1.ResumeResponse{}, nil
}
