package guarantee

import (
	"net/netip"
	"slices"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// unfiltered reports whether the filter selects everything.
func unfiltered(f *vasicv1.WatchFilter) bool {
	return f == nil || proto.Equal(f, &vasicv1.WatchFilter{})
}

// lasting reports whether the filter asks only for what a route keeps as long as it lives, so that a watcher sees all of a route or nothing.
func lasting(f *vasicv1.WatchFilter) bool {
	return f.GetKinds() == nil && f.GetFlags() == nil && (f == nil || f.Protocol == nil)
}

// matches is the definition of WatchFilter for events.
func matches(f *vasicv1.WatchFilter, e *vasicv1.Event) bool {
	r := e.GetRoute()
	if r == nil {
		return matchesObject(f, e)
	}
	return selects(f, r) &&
		(f == nil || f.Protocol == nil || f.GetProtocol() == r.GetProtocol()) &&
		(len(f.GetKinds()) == 0 || slices.Contains(f.GetKinds(), e.GetKind())) &&
		(len(f.GetFlags()) == 0 || slices.ContainsFunc(f.GetFlags(), func(flag vasicv1.RouteFlag) bool { return hasFlag(r, flag) }))
}

// matchesObject is the definition of WatchFilter for events about next-hop objects, which have none of what else a filter looks at.
func matchesObject(f *vasicv1.WatchFilter, e *vasicv1.Event) bool {
	family := f.GetFamily() == vasicv1.Family_FAMILY_UNSPECIFIED || f.GetFamily() == e.GetNextHopObject().GetFamily()
	kind := len(f.GetKinds()) == 0 || slices.Contains(f.GetKinds(), e.GetKind())
	return family && kind && f.GetTable() == 0 && f.GetWithinPrefix() == "" && (f == nil || f.Protocol == nil) && len(f.GetFlags()) == 0
}

// selects is the part of a filter that asks for what a route keeps.
func selects(f *vasicv1.WatchFilter, r *vasicv1.Route) bool {
	if f.GetFamily() != vasicv1.Family_FAMILY_UNSPECIFIED && f.GetFamily() != familyOf(r) {
		return false
	}
	if f.GetTable() != 0 && f.GetTable() != r.GetTable() {
		return false
	}
	if f.GetWithinPrefix() == "" {
		return true
	}
	within, prefix := netip.MustParsePrefix(f.GetWithinPrefix()), netip.MustParsePrefix(r.GetPrefix())
	return within.Bits() <= prefix.Bits() && within.Contains(prefix.Addr())
}

func familyOf(r *vasicv1.Route) vasicv1.Family {
	if netip.MustParsePrefix(r.GetPrefix()).Addr().Is4() {
		return vasicv1.Family_FAMILY_IPV4
	}
	return vasicv1.Family_FAMILY_IPV6
}

func hasFlag(r *vasicv1.Route, flag vasicv1.RouteFlag) bool {
	switch flag {
	case vasicv1.RouteFlag_ROUTE_FLAG_NONE:
		return !r.GetOffload() && !r.GetTrap() && !r.GetOffloadFailed()
	case vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD:
		return r.GetOffload()
	case vasicv1.RouteFlag_ROUTE_FLAG_TRAP:
		return r.GetTrap()
	case vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD_FAILED:
		return r.GetOffloadFailed()
	}
	return false
}
