package server

import (
	"context"
	"net/netip"
	"slices"

	"google.golang.org/grpc"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// routeService is vasic.v1.RouteService; its stream is in modify.go.
type routeService struct {
	vasicv1.UnimplementedRouteServiceServer
	s *Server
}

// settled is how an operation ended.
type settled struct {
	outcome fib.Outcome
	reason  fib.Reason
}

// waiter waits for one operation. It has room for the one result.
type waiter chan settled

// Settle implements fib.Waiter.
func (w waiter) Settle(_ uint64, outcome fib.Outcome, reason fib.Reason) {
	w <- settled{outcome, reason}
}

func (r routeService) ModifyRoute(ctx context.Context, req *vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) {
	var p parser
	requests := make([]fib.Request, 1)
	family, bad := p.operation(req.Action, req.Route, &requests[0])
	if bad != nil {
		return nil, bad
	}
	var w waiter
	if req.WaitForHardware {
		w = make(waiter, 1)
		requests[0].Waiter = w
	}
	if err := r.s.reserve(ctx); err != nil {
		return nil, statusOf(err)
	}
	answers := make([]fib.Answer, 1)
	r.s.modifying.Store(0)
	e := r.s.recorder.beginWaiting(ctx)
	defer e.end(errPanicked, nil)
	r.s.fib.Modify(family, requests, answers)
	a := &answers[0]
	e.end(statusOf(a.Err), nil) // how long the client waits for hardware is not for the recording
	if a.Err != nil {
		return nil, statusOf(a.Err)
	}
	result := accepted(0, a)
	if req.WaitForHardware {
		end := settled{outcome: fib.NotSelected}
		if a.Pending {
			select {
			case end = <-w:
			case <-ctx.Done():
				return nil, statusOf(ctx.Err())
			case <-r.s.stopped:
				return nil, errShuttingDown
			}
		}
		result.Status, result.FailureReason = statusOfOutcome(end.outcome), vasicv1.FailureReason(end.reason)
	}
	return &vasicv1.ModifyRouteResponse{Result: result}, nil
}

// accepted is the first answer to an operation that was not refused.
func accepted(id uint64, a *fib.Answer) *vasicv1.OperationResult {
	return &vasicv1.OperationResult{
		Id: id, Status: vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED, Revision: a.Revision, RouteId: a.ID, Generation: a.Generation, Warning: a.Warning,
	}
}

// statusOfOutcome relies on both enums having the same order.
func statusOfOutcome(o fib.Outcome) vasicv1.OperationStatus {
	return vasicv1.OperationStatus_OPERATION_STATUS_OFFLOADED + vasicv1.OperationStatus(o)
}

func (r routeService) GetRoute(_ context.Context, req *vasicv1.GetRouteRequest) (*vasicv1.GetRouteResponse, error) {
	pfx, bad := parsePrefix("prefix", req.Prefix)
	if bad != nil {
		return nil, bad
	}
	source, bad := parseSource("source_prefix", req.SourcePrefix, fib.FamilyOf(pfx.Addr()))
	if bad != nil {
		return nil, bad
	}
	if req.Tos > 252 {
		return nil, outOfRange("tos", uint64(req.Tos), 0, 252)
	}
	table := req.Table
	if table == 0 {
		table = fib.TableMain
	}
	res := &vasicv1.GetRouteResponse{}
	err := r.s.fib.Get(table, pfx, source, uint8(req.Tos), req.Metric, func(v *fib.Route) { //nolint:gosec // checked above
		res.Route = (&encoder{fib: r.s.fib}).message(v)
	})
	return res, statusOf(err)
}

func (r routeService) LookupRoute(_ context.Context, req *vasicv1.LookupRouteRequest) (*vasicv1.LookupRouteResponse, error) {
	addr, bad := parseAnyAddr("address", req.Address)
	if bad != nil {
		return nil, bad
	}
	if req.Tos > 255 {
		return nil, outOfRange("tos", uint64(req.Tos), 0, 255)
	}
	res := &vasicv1.LookupRouteResponse{}
	err := r.s.fib.Lookup(addr, req.Table, uint8(req.Tos), func(v *fib.Route) { //nolint:gosec // checked above
		res.Route = (&encoder{fib: r.s.fib}).message(v)
	})
	return res, statusOf(err)
}

func (r routeService) ListRoutes(req *vasicv1.ListRoutesRequest, stream grpc.ServerStreamingServer[vasicv1.ListRoutesResponse]) error {
	f, bad := parseRouteFilter(req.Filter)
	if bad != nil {
		return bad
	}
	out := routePieces{encoder: encoder{fib: r.s.fib}, field: fieldListRoutes}
	send := func(routes []byte) error { return stream.SendMsg(codec.Raw{routes}) }
	for _, w := range f.walks(r.s.fib) {
		if err := out.stream(stream.Context(), w, f.matches, func(*fib.Chunk) {}, send); err != nil {
			return statusOf(err)
		}
	}
	return nil
}

// FlushRoutes deletes as `ip route flush` does: what a listing shows is deleted route by route. A route that changes in between is left alone
// if it no longer matches what was listed.
func (r routeService) FlushRoutes(ctx context.Context, req *vasicv1.FlushRoutesRequest) (*vasicv1.FlushRoutesResponse, error) {
	f, bad := parseRouteFilter(req.Filter)
	if bad != nil {
		return nil, bad
	}
	if f.empty() {
		return nil, &refusal{
			code: malformed("", "").code, reason: vasicv1.ErrorReason_ERROR_REASON_EMPTY_FILTER, field: "filter",
			message: "filter: selects every route; name at least a family, a table or a prefix",
		}
	}
	if err := r.s.reserve(ctx); err != nil {
		return nil, statusOf(err)
	}
	e := r.s.recorder.beginWaiting(ctx)
	defer e.end(errPanicked, nil)
	res, err := r.flush(ctx, f, &e)
	e.end(err, nil)
	return res, err
}

// flush deletes the routes that are selected.
func (r routeService) flush(ctx context.Context, f *routeFilter, e *effect) (*vasicv1.FlushRoutesResponse, error) {
	res := &vasicv1.FlushRoutesResponse{Revision: r.s.journal.Head()}
	for _, w := range f.walks(r.s.fib) {
		for {
			var requests []fib.Request
			var family fib.Family
			_, more := w.Next(func(v *fib.Route) {
				if f.matches(v) {
					family = v.Family
					requests = append(requests, fib.Request{Verb: fib.Delete, Spec: selector(v)})
				}
			})
			if !more {
				break
			}
			if len(requests) == 0 {
				continue
			}
			if err := e.pause(func() error { return r.s.reserve(ctx) }); err != nil {
				return nil, statusOf(err)
			}
			answers := make([]fib.Answer, len(requests))
			r.s.fib.Modify(family, requests, answers)
			for i := range answers {
				if answers[i].Err == nil {
					res.Deleted++
				}
				res.Revision = answers[i].Revision
			}
		}
	}
	return res, nil
}

// selector is the delete request that takes exactly this route.
func selector(v *fib.Route) fib.Spec {
	info := v.Info
	s := fib.Spec{
		Table: v.Table, Prefix: v.Prefix, Source: v.Source, Metric: v.Metric, TOS: v.TOS, Type: info.Effect(), Protocol: info.Protocol,
		Scope: info.Scope, HasScope: true, PrefSrc: info.PrefSrc, Metrics: info.Metrics, HasMetrics: true,
	}
	if s.NextHopID = info.NextHopID; s.NextHopID != 0 {
		return s
	}
	add := func(nh *fib.NextHop) {
		s.NextHops = append(s.NextHops, fib.NextHopSpec{Gateway: nh.Gateway, Device: nh.Link.Name, Weight: nh.Weight, Onlink: nh.Onlink})
	}
	if len(v.Siblings) == 0 {
		for i := range info.NextHops {
			add(&info.NextHops[i])
		}
	}
	for i := range v.Siblings {
		add(&v.Siblings[i].Info.NextHops[0])
	}
	return s
}

// routeFilter is a RouteFilter that was checked.
type routeFilter struct {
	*vasicv1.RouteFilter
	families              []fib.Family
	exact, within, covers netip.Prefix
	gateway, prefsrc      netip.Addr
	flags                 flagFilter
}

func parseRouteFilter(req *vasicv1.RouteFilter) (f *routeFilter, bad *refusal) {
	if req == nil {
		req = &vasicv1.RouteFilter{}
	}
	f = &routeFilter{RouteFilter: req}
	if f.families, bad = parseFamily("filter.family", req.Family); bad != nil {
		return nil, bad
	}
	for _, p := range []struct {
		field, text string
		to          *netip.Prefix
	}{
		{"filter.exact_prefix", req.ExactPrefix, &f.exact}, {"filter.within_prefix", req.WithinPrefix, &f.within},
		{"filter.containing_prefix", req.ContainingPrefix, &f.covers},
	} {
		if p.text == "" {
			continue
		}
		if *p.to, bad = parsePrefix(p.field, p.text); bad != nil {
			return nil, bad
		}
		f.families = oneFamily(f.families, *p.to)
	}
	for _, a := range []struct {
		field, text string
		to          *netip.Addr
	}{{"filter.gateway", req.Gateway, &f.gateway}, {"filter.prefsrc", req.Prefsrc, &f.prefsrc}} {
		if a.text == "" {
			continue
		}
		if *a.to, bad = parseAnyAddr(a.field, a.text); bad != nil {
			return nil, bad
		}
	}
	for _, n := range []struct {
		field string
		value *uint32
		high  uint64
	}{{"filter.protocol", req.Protocol, 255}, {"filter.scope", req.Scope, 255}, {"filter.tos", req.Tos, 252}} {
		if n.value != nil && uint64(*n.value) > n.high {
			return nil, outOfRange(n.field, uint64(*n.value), 0, n.high)
		}
	}
	if req.Type < 0 || req.Type > vasicv1.RouteType_ROUTE_TYPE_THROW {
		return nil, unknownEnum("filter.type", int32(req.Type))
	}
	f.flags, bad = parseFlags("filter.flags", req.Flags)
	return f, bad
}

// parseFamily returns the families that are meant.
func parseFamily(field string, family vasicv1.Family) ([]fib.Family, *refusal) {
	switch family {
	case vasicv1.Family_FAMILY_UNSPECIFIED:
		return []fib.Family{fib.IPv4, fib.IPv6}, nil
	case vasicv1.Family_FAMILY_IPV4:
		return []fib.Family{fib.IPv4}, nil
	case vasicv1.Family_FAMILY_IPV6:
		return []fib.Family{fib.IPv6}, nil
	}
	return nil, unknownEnum(field, int32(family))
}

// oneFamily leaves only the family of a prefix.
func oneFamily(families []fib.Family, pfx netip.Prefix) []fib.Family {
	return slices.DeleteFunc(families, func(af fib.Family) bool { return af != fib.FamilyOf(pfx.Addr()) })
}

// flagFilter selects by flags; the zero value selects all.
type flagFilter struct {
	any  fib.Flags
	none bool
}

func parseFlags(field string, list []vasicv1.RouteFlag) (f flagFilter, bad *refusal) {
	for _, flag := range list {
		switch flag {
		case vasicv1.RouteFlag_ROUTE_FLAG_NONE:
			f.none = true
		case vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD:
			f.any |= fib.FlagOffload
		case vasicv1.RouteFlag_ROUTE_FLAG_TRAP:
			f.any |= fib.FlagTrap
		case vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD_FAILED:
			f.any |= fib.FlagOffloadFailed
		default:
			return f, unknownEnum(field, int32(flag))
		}
	}
	return f, nil
}

func (f flagFilter) matches(flags fib.Flags) bool {
	return f == flagFilter{} || flags&f.any != 0 || f.none && flags == 0
}

// empty reports whether the filter selects everything.
func (f *routeFilter) empty() bool {
	return f.Family == 0 && f.Table == 0 && !f.exact.IsValid() && !f.within.IsValid() && !f.covers.IsValid() && f.Protocol == nil && f.Type == 0 &&
		f.Scope == nil && f.Device == "" && !f.gateway.IsValid() && f.Tos == nil && f.Metric == nil && !f.prefsrc.IsValid() && f.flags == flagFilter{} && f.NextHopId == 0
}

// walks returns the walks that see every route the filter can select.
func (f *routeFilter) walks(in *fib.FIB) (list []*fib.Walk) {
	within := f.within
	if f.exact.IsValid() {
		within = f.exact
	}
	for _, family := range f.families {
		list = append(list, in.Walk(family, f.Table, within))
	}
	return list
}

func (f *routeFilter) matches(v *fib.Route) bool {
	info := v.Info
	switch {
	case f.exact.IsValid() && v.Prefix != f.exact,
		f.within.IsValid() && (v.Prefix.Bits() < f.within.Bits() || !f.within.Contains(v.Prefix.Addr())),
		f.covers.IsValid() && (v.Prefix.Bits() > f.covers.Bits() || !v.Prefix.Contains(f.covers.Addr())),
		f.Protocol != nil && uint32(info.Protocol) != *f.Protocol,
		f.Type != 0 && info.Effect() != fib.Type(f.Type), //nolint:gosec // checked when parsed
		f.Scope != nil && uint32(info.Scope) != *f.Scope,
		f.Tos != nil && uint32(v.TOS) != *f.Tos,
		f.Metric != nil && v.Metric != *f.Metric,
		f.prefsrc.IsValid() && info.PrefSrc != f.prefsrc,
		f.NextHopId != 0 && info.NextHopID != f.NextHopId,
		!f.flags.matches(v.Flags):
		return false
	}
	if f.Device == "" && !f.gateway.IsValid() {
		return true
	}
	hop := func(nh *fib.NextHop) bool {
		return (f.Device == "" || nh.Link.Name == f.Device) && (!f.gateway.IsValid() || nh.Gateway == f.gateway)
	}
	for i := range v.Siblings {
		if hop(&v.Siblings[i].Info.NextHops[0]) {
			return true
		}
	}
	for i := range info.NextHops {
		if hop(&info.NextHops[i]) {
			return true
		}
	}
	return false
}
