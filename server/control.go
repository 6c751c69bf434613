package server

import (
	"context"
	"math"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// switchService is vasic.v1.SwitchService.
type switchService struct {
	vasicv1.UnimplementedSwitchServiceServer
	s *Server
}

const maxSteps = 1_000_000

func (sw switchService) GetStatus(context.Context, *vasicv1.GetStatusRequest) (*vasicv1.GetStatusResponse, error) {
	chip, log := sw.s.chip.Stats(), sw.s.journal.log.Stats()
	res := &vasicv1.GetStatusResponse{
		Version: sw.s.cfg.Version, Profile: sw.s.chip.Profile().Name, Epoch: sw.s.journal.log.Epoch(), Revision: log.Head, OldestRevision: log.Oldest,
		Seed: sw.s.cfg.Seed, QueueLength: uint64(chip.QueueLength), QueueCapacity: uint64(chip.QueueCapacity), Paused: chip.Paused || chip.Held, //nolint:gosec // not negative
		ReloadFailed: chip.ReloadFailed, Programmed: chip.Programmed, Position: chip.Position, Watchers: uint64(log.Readers), //nolint:gosec // not negative
		WaitingForRoom: uint64(chip.WaitingForRoom), UndeletedEntries: uint64(chip.Undeleted), //nolint:gosec // not negative
		GroupsWithoutRoom: uint64(chip.GroupsLacking), Stalled: chip.Stalled, //nolint:gosec // not negative
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

// waiting carries out a call that waits for hardware: it takes effect at the place that it is given, and others go on while it waits.
func waiting(ctx context.Context, s *Server, call func(asic.Place) (int, error)) (n int, err error) {
	var e effect
	returned := false
	defer func() {
		switch {
		case e.r == nil: // it was given up before
		case returned:
			e.end(err, nil)
		default:
			e.end(errPanicked, nil)
		}
	}()
	n, err = call(func(effect func()) {
		e = s.recorder.beginWaiting(ctx)
		defer e.release()
		effect()
	})
	err = statusOf(err)
	returned = true
	return n, err
}

func (sw switchService) Reload(ctx context.Context, _ *vasicv1.ReloadRequest) (*vasicv1.ReloadResponse, error) {
	n, err := waiting(ctx, sw.s, func(place asic.Place) (int, error) { return sw.s.chip.Reload(ctx, sw.s.fib, place) })
	if err != nil {
		return nil, err
	}
	return &vasicv1.ReloadResponse{Replayed: uint64(n)}, nil //nolint:gosec // not negative
}

func (sw switchService) Pause(ctx context.Context, req *vasicv1.PauseRequest) (*vasicv1.PauseResponse, error) {
	if sw.s.isStopping() {
		return nil, errShuttingDown
	}
	_, err := waiting(ctx, sw.s, func(place asic.Place) (int, error) {
		if !req.Hold {
			return 0, sw.s.chip.Pause(ctx, place)
		}
		return 0, sw.s.chip.Hold(ctx, func(hold func()) {
			place(func() {
				hold()
				sw.s.fib.HoldResolution(true)
			})
		})
	})
	if err != nil {
		return nil, err
	}
	return &vasicv1.PauseResponse{QueueLength: uint64(sw.s.chip.Stats().QueueLength)}, nil //nolint:gosec // not negative
}

func (sw switchService) Step(ctx context.Context, req *vasicv1.StepRequest) (*vasicv1.StepResponse, error) {
	if req.UntilPosition != 0 {
		return sw.stepTo(ctx, req)
	}
	if req.Operations < 1 || req.Operations > maxSteps {
		return nil, outOfRange("operations", uint64(req.Operations), 1, maxSteps)
	}
	n, err := waiting(ctx, sw.s, func(place asic.Place) (int, error) { return sw.s.chip.Step(ctx, int(req.Operations), place) })
	if err != nil {
		return nil, err
	}
	stats := sw.s.chip.Stats()
	return &vasicv1.StepResponse{Done: uint32(n), QueueLength: uint64(stats.QueueLength), Position: stats.Position, Stalled: stats.Stalled}, nil //nolint:gosec // not negative, at most maxSteps
}

// stepTo is Step to a position. What it does is in the positions of recorded calls already.
func (sw switchService) stepTo(ctx context.Context, req *vasicv1.StepRequest) (*vasicv1.StepResponse, error) {
	if req.Operations != 0 {
		return nil, malformed("operations", "goes without until_position only")
	}
	before := sw.s.chip.Stats().Programmed
	reached, err := sw.s.chip.StepTo(ctx, req.UntilPosition)
	if err != nil {
		return nil, statusOf(err)
	}
	stats := sw.s.chip.Stats()
	done := min(stats.Programmed-before, math.MaxUint32)
	return &vasicv1.StepResponse{Done: uint32(done), QueueLength: uint64(stats.QueueLength), Position: reached, Stalled: stats.Stalled}, nil //nolint:gosec // not negative
}

func (sw switchService) Resume(_ context.Context, req *vasicv1.ResumeRequest) (*vasicv1.ResumeResponse, error) {
	if !req.KeepPause {
		sw.s.chip.Unpause()
	}
	if !req.KeepHold {
		sw.s.unhold()
	}
	return &vasicv1.ResumeResponse{}, nil
}

// unhold ends a hold.
func (s *Server) unhold() {
	s.chip.Unhold()
	s.fib.HoldResolution(false)
}

// Bounds of ListQueue.
const (
	defaultQueueItems = 1000
	maxQueueItems     = 10000
)

func (sw switchService) ListQueue(_ context.Context, req *vasicv1.ListQueueRequest) (*vasicv1.ListQueueResponse, error) {
	limit := int(req.Limit)
	switch {
	case req.Limit > maxQueueItems:
		return nil, outOfRange("limit", uint64(req.Limit), 1, maxQueueItems)
	case limit == 0:
		limit = defaultQueueItems
	}
	items, total := sw.s.chip.Queue(limit)
	res := &vasicv1.ListQueueResponse{QueueLength: uint64(total)} //nolint:gosec // not negative
	for i := range items {
		it := &items[i]
		m := &vasicv1.QueueItem{
			Operation: it.Operation, Table: it.Table, Generations: it.Generations, Subject: it.Subject, InFlight: it.InFlight, Stalled: it.Stalled,
			AcceptedUnixNanos: it.Accepted,
		}
		if it.Prefix.IsValid() {
			m.Prefix = it.Prefix.String()
		}
		res.Items = append(res.Items, m)
	}
	return res, nil
}
