package server

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// MaxLatency is the longest time that anything can be set to take.
const MaxLatency = time.Hour

// distributions by vasicv1.LatencyDistribution; the first is not meant.
var distributions = [...]asic.Distribution{
	vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_CONSTANT:    asic.Constant,
	vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_UNIFORM:     asic.Uniform,
	vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_NORMAL:      asic.Normal,
	vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_EXPONENTIAL: asic.Exponential,
}

func distributionMessage(d asic.Distribution) vasicv1.LatencyDistribution {
	for m := vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_CONSTANT; int(m) < len(distributions); m++ {
		if distributions[m] == d {
			return m
		}
	}
	return vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_UNSPECIFIED
}

func (sw switchService) settings() *vasicv1.Settings {
	chip := sw.s.chip
	latency := chip.Latency()
	auto, delay := sw.s.fib.NeighborResolution()
	resolution := vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_MANUAL
	if auto {
		resolution = vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_AUTO
	}
	return &vasicv1.Settings{
		Ipv4NotifyOnFlagChange:  uint32(sw.s.fib.Notify(fib.IPv4)),
		Ipv6NotifyOnFlagChange:  uint32(sw.s.fib.Notify(fib.IPv6)),
		FailRouteOffload:        chip.Knob(asic.FailRouteOffload),
		FailRouteDelete:         chip.Knob(asic.FailRouteDelete),
		FailReload:              chip.Knob(asic.FailReload),
		DontAllowReload:         chip.Knob(asic.DontAllowReload),
		ProgrammingLatency:      durationpb.New(latency.Mean),
		Ipv6SkipNotifyOnDevDown: sw.s.fib.SkipNotifyOnDown(),

		Ipv4IgnoreRoutesWithLinkdown: sw.s.fib.IgnoreLinkdown(fib.IPv4),
		Ipv6IgnoreRoutesWithLinkdown: sw.s.fib.IgnoreLinkdown(fib.IPv6),

		NeighborResolution:      resolution,
		NeighborResolutionDelay: durationpb.New(delay),
		RetryFailed:             chip.RetryFailed(),
		NexthopCompatMode:       sw.s.fib.NextHopCompat(),
		LatencyDistribution:     distributionMessage(latency.Distribution),
		LatencySpread:           durationpb.New(latency.Spread),
		LatencyPerNextHop:       durationpb.New(latency.PerNextHop),
		MaxOperationsPerSecond:  latency.MaxRate,
	}
}

func (sw switchService) GetSettings(context.Context, *vasicv1.GetSettingsRequest) (*vasicv1.GetSettingsResponse, error) {
	sw.s.settingsMu.Lock()
	defer sw.s.settingsMu.Unlock()
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
	u := settingsUpdate{want: want, s: sw.s, latency: sw.s.chip.Latency()}
	u.auto, u.delay = sw.s.fib.NeighborResolution()
	for _, path := range paths {
		if bad := u.take(path); bad != nil {
			return nil, bad
		}
	}
	for _, set := range u.apply {
		set()
	}
	return &vasicv1.UpdateSettingsResponse{Settings: sw.settings()}, nil
}

// settingsUpdate collects what an update shall change, so that it is all or nothing.
type settingsUpdate struct {
	want  *vasicv1.Settings
	s     *Server
	apply []func()

	latency asic.LatencyModel // as it shall be
	auto    bool              // likewise, neighbour resolution
	delay   time.Duration
}

func (u *settingsUpdate) then(set func()) { u.apply = append(u.apply, set) }

// take checks one path of the mask and collects what it changes.
func (u *settingsUpdate) take(path string) *refusal {
	want, s := u.want, u.s
	switch path {
	case "ipv4_notify_on_flag_change":
		return u.notify(fib.IPv4, path, want.Ipv4NotifyOnFlagChange)
	case "ipv6_notify_on_flag_change":
		return u.notify(fib.IPv6, path, want.Ipv6NotifyOnFlagChange)
	case "fail_route_offload":
		u.knob(asic.FailRouteOffload, want.FailRouteOffload)
	case "fail_route_delete":
		u.knob(asic.FailRouteDelete, want.FailRouteDelete)
	case "fail_reload":
		u.knob(asic.FailReload, want.FailReload)
	case "dont_allow_reload":
		u.knob(asic.DontAllowReload, want.DontAllowReload)
	case "ipv6_skip_notify_on_dev_down":
		u.then(func() { s.fib.SetSkipNotifyOnDown(want.Ipv6SkipNotifyOnDevDown) })
	case "ipv4_ignore_routes_with_linkdown":
		u.then(func() { s.fib.SetIgnoreLinkdown(fib.IPv4, want.Ipv4IgnoreRoutesWithLinkdown) })
	case "ipv6_ignore_routes_with_linkdown":
		u.then(func() { s.fib.SetIgnoreLinkdown(fib.IPv6, want.Ipv6IgnoreRoutesWithLinkdown) })
	case "retry_failed":
		u.then(func() { s.chip.SetRetryFailed(want.RetryFailed) })
	case "nexthop_compat_mode":
		u.then(func() { s.fib.SetNextHopCompat(want.NexthopCompatMode) })
	case "neighbor_resolution", "neighbor_resolution_delay":
		return u.resolution(path)
	case "programming_latency", "latency_distribution", "latency_spread", "latency_per_next_hop", "max_operations_per_second":
		return u.programming(path)
	default:
		return malformed("update_mask", "there is no setting %q", path)
	}
	return nil
}

func (u *settingsUpdate) knob(k asic.Knob, on bool) { u.then(func() { u.s.chip.SetKnob(k, on) }) }

func (u *settingsUpdate) notify(family fib.Family, path string, value uint32) *refusal {
	if value > uint32(fib.NotifyFailures) {
		return outOfRange("settings."+path, uint64(value), 0, uint64(fib.NotifyFailures))
	}
	u.then(func() { u.s.fib.SetNotify(family, fib.NotifySetting(value)) }) //nolint:gosec // checked above
	return nil
}

func (u *settingsUpdate) resolution(path string) (bad *refusal) {
	if path == "neighbor_resolution_delay" {
		u.delay, bad = parseDuration(path, u.want.NeighborResolutionDelay)
	} else {
		switch r := u.want.NeighborResolution; r {
		case vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_AUTO, vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_MANUAL:
			u.auto = r == vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_AUTO
		default:
			bad = unknownEnum("settings."+path, int32(r))
		}
	}
	u.then(func() { u.s.fib.SetNeighborResolution(u.auto, u.delay) })
	return bad
}

func (u *settingsUpdate) programming(path string) (bad *refusal) {
	want := u.want
	switch path {
	case "programming_latency":
		u.latency.Mean, bad = parseDuration(path, want.ProgrammingLatency)
	case "latency_spread":
		u.latency.Spread, bad = parseDuration(path, want.LatencySpread)
	case "latency_per_next_hop":
		u.latency.PerNextHop, bad = parseDuration(path, want.LatencyPerNextHop)
	case "max_operations_per_second":
		u.latency.MaxRate = want.MaxOperationsPerSecond
	case "latency_distribution":
		d := want.LatencyDistribution
		if d <= vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_UNSPECIFIED || int(d) >= len(distributions) {
			return unknownEnum("settings."+path, int32(d))
		}
		u.latency.Distribution = distributions[d]
	}
	u.then(func() { u.s.chip.SetLatency(u.latency) })
	return bad
}

// parseDuration reads a setting that is a time.
func parseDuration(path string, m *durationpb.Duration) (time.Duration, *refusal) {
	if m == nil {
		return 0, malformed("settings."+path, "is missing")
	}
	d := m.AsDuration()
	if m.CheckValid() != nil || d < 0 || d > MaxLatency {
		return 0, invalid(vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE, "settings."+path, "%v is not between 0 and %v", d, MaxLatency)
	}
	return d, nil
}
