package cli

import (
	"context"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

func (f *fake) GetSettings(context.Context, *vasicv1.GetSettingsRequest) (*vasicv1.GetSettingsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &vasicv1.GetSettingsResponse{Settings: proto.CloneOf(f.settings)}, nil
}

func (f *fake) UpdateSettings(_ context.Context, req *vasicv1.UpdateSettingsRequest) (*vasicv1.UpdateSettingsResponse, error) {
	if err := f.note("UpdateSettings", req); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	from, to := req.Settings.ProtoReflect(), f.settings.ProtoReflect()
	for _, path := range req.UpdateMask.Paths {
		field := from.Descriptor().Fields().ByTextName(path)
		to.Set(field, from.Get(field))
	}
	return &vasicv1.UpdateSettingsResponse{Settings: proto.CloneOf(f.settings)}, nil
}

func (f *fake) GetStatus(context.Context, *vasicv1.GetStatusRequest) (*vasicv1.GetStatusResponse, error) {
	return &vasicv1.GetStatusResponse{
		Version: "1.2.3", Profile: "switch", Epoch: 7, Revision: 42, OldestRevision: 3, Seed: 1, QueueLength: 2, QueueCapacity: 100,
		Programmed: 9, Watchers: 1, Paused: true, WaitingForRoom: 4, UndeletedEntries: 1,
		Routes: []*vasicv1.RouteCount{{Family: "ipv4", State: "offload", Count: 5}, {Family: "ipv6", State: "trap", Count: 6}},
	}, nil
}

func (f *fake) ListResources(context.Context, *vasicv1.ListResourcesRequest) (*vasicv1.ListResourcesResponse, error) {
	n := func(n uint64) *uint64 { return &n }
	const all = uint64(unlimited)
	return &vasicv1.ListResourcesResponse{Resources: []*vasicv1.Resource{
		{Path: "IPv4/fib", Size: all, SizeNew: n(5), Occupancy: n(14)}, {Path: "IPv4/fib-rules", Size: all, Occupancy: n(3)},
		{Path: "IPv6/fib", Size: all, Occupancy: n(9)}, {Path: "IPv6/fib-rules", Size: all, Occupancy: n(2)}, {Path: "nexthops", Size: all, Occupancy: n(0)},
	}}, nil
}

func (f *fake) UpdateResource(_ context.Context, req *vasicv1.UpdateResourceRequest) (*vasicv1.UpdateResourceResponse, error) {
	return &vasicv1.UpdateResourceResponse{}, f.note("UpdateResource", req)
}

func (f *fake) Reload(_ context.Context, req *vasicv1.ReloadRequest) (*vasicv1.ReloadResponse, error) {
	return &vasicv1.ReloadResponse{}, f.note("Reload", req)
}

func (f *fake) Pause(_ context.Context, req *vasicv1.PauseRequest) (*vasicv1.PauseResponse, error) {
	return &vasicv1.PauseResponse{QueueLength: 3}, f.note("Pause", req)
}

func (f *fake) Step(_ context.Context, req *vasicv1.StepRequest) (*vasicv1.StepResponse, error) {
	f.mu.Lock()
	held := len(f.queue) > 0 && f.queue[0].Stalled
	f.mu.Unlock()
	if held || req.Operations > 100 {
		return &vasicv1.StepResponse{QueueLength: uint64(len(f.queue))}, f.note("Step", req)
	}
	return &vasicv1.StepResponse{Done: req.Operations, QueueLength: 1}, f.note("Step", req)
}

func (f *fake) Resume(_ context.Context, req *vasicv1.ResumeRequest) (*vasicv1.ResumeResponse, error) {
	return &vasicv1.ResumeResponse{}, f.note("Resume", req)
}
