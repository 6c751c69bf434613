package server

import (
	"context"
	"net/netip"
	"syscall"

	"google.golang.org/grpc"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// listPiece is how many entries a message of a streamed listing has at most.
const listPiece = 1000

// nextHopService is vasic.v1.NextHopService.
type nextHopService struct {
	vasicv1.UnimplementedNextHopServiceServer
	s *Server
}

// nextHopObjectMessage describes a next-hop object.
func nextHopObjectMessage(v *fib.NextHopView) *vasicv1.NextHopObject {
	m := &vasicv1.NextHopObject{
		Id: v.ID, Family: familyMessage(v.Family), Blackhole: v.Blackhole, Protocol: uint32(v.Protocol), Scope: uint32(v.Scope), Dead: v.Dead, Linkdown: v.LinkDown,
		Onlink: v.Hop.Onlink,
	}
	m.Offload, m.Trap = v.Flags&fib.FlagOffload != 0, v.Flags&fib.FlagTrap != 0
	if v.Hop.Gateway.IsValid() {
		m.Gateway = v.Hop.Gateway.String()
	}
	if v.Hop.Link != nil {
		m.Device = v.Hop.Link.Name
	}
	for _, member := range v.Members {
		m.Group = append(m.Group, &vasicv1.NextHopGroupMember{Id: member.ID, Weight: uint32(member.Weight)})
	}
	switch r := v.Resilient; {
	case r != nil:
		m.GroupType = vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_RESILIENT
		buckets, idle, unbalanced := uint32(r.Buckets), r.IdleTimer, r.UnbalancedTimer
		m.Resilient = &vasicv1.ResilientParameters{Buckets: &buckets, IdleTimer: &idle, UnbalancedTimer: &unbalanced, UnbalancedTime: r.UnbalancedTime}
	case len(v.Members) > 0:
		m.GroupType = vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_MULTIPATH
	}
	return m
}

func familyMessage(f fib.Family) vasicv1.Family {
	if f == fib.IPv4 {
		return vasicv1.Family_FAMILY_IPV4
	}
	return vasicv1.Family_FAMILY_IPV6
}

// parseNextHopObject checks everything that can be checked without looking at the switch's state (rtm_to_nh_config, nh_check_attr_group).
func parseNextHopObject(m *vasicv1.NextHopObject) (*fib.NextHopObjectSpec, *refusal) {
	const field = "next_hop."
	if m == nil {
		return nil, malformed("next_hop", "is missing")
	}
	if m.Protocol > 255 {
		return nil, outOfRange(field+"protocol", uint64(m.Protocol), 0, 255)
	}
	families, bad := parseFamily(field+"family", m.Family)
	if bad != nil {
		return nil, bad
	}
	s := &fib.NextHopObjectSpec{ID: m.Id, Family: families[0], Protocol: uint8(m.Protocol), Blackhole: m.Blackhole, Device: m.Device, Onlink: m.Onlink} //nolint:gosec // checked above
	single := m.Gateway != "" || m.Device != ""
	switch {
	case len(m.Group) == 0 && m.GroupType != vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_UNSPECIFIED:
		return nil, kernelSays(malformed(field+"group_type", "is for groups"), "Group type must be specified with a group")
	case len(m.Group) == 0 && m.Resilient != nil:
		return nil, malformed(field+"resilient", "is for resilient groups")
	case len(m.Group) > 0 && (single || m.Blackhole || m.Onlink):
		return nil, kernelSays(malformed(field+"group", "does not go with gateway, device, onlink and blackhole"), "No other attributes can be set in nexthop groups")
	case len(m.Group) > 0 && m.Family != vasicv1.Family_FAMILY_UNSPECIFIED:
		return nil, kernelSays(malformed(field+"family", "of a group is that of its members"), "Invalid family for group")
	case len(m.Group) > 0:
		return s, parseGroup(m, s)
	case m.Blackhole && (single || m.Onlink):
		return nil, kernelSays(malformed(field+"blackhole", "does not go with gateway, device and onlink"), "Blackhole attribute can not be used with gateway, oif, encap or fdb")
	case m.Blackhole:
		return s, nil
	case !single && m.Family == vasicv1.Family_FAMILY_UNSPECIFIED:
		return nil, kernelSays(malformed("next_hop", "has neither gateway, device, group nor blackhole"), "Invalid address family")
	case !single:
		return nil, kernelSays(malformed("next_hop", "has neither gateway, device, group nor blackhole"), "Device attribute required for non-blackhole and non-fdb nexthops")
	case m.Gateway == "" && m.Onlink:
		return nil, kernelSays(malformed(field+"onlink", "is for a gateway"), "ONLINK flag can not be set for nexthop without a gateway")
	case m.Gateway == "":
		return s, nil
	}
	if s.Gateway, bad = parseAnyAddr(field+"gateway", m.Gateway); bad != nil {
		return nil, bad
	}
	if m.Family != vasicv1.Family_FAMILY_UNSPECIFIED && fib.FamilyOf(s.Gateway) != s.Family {
		bad = invalid(vasicv1.ErrorReason_ERROR_REASON_FAMILY_MISMATCH, field+"gateway", "%q is not an %v address", m.Gateway, s.Family)
		return nil, kernelSays(bad, "Invalid gateway")
	}
	if bad := checkGateway(field+"gateway", s.Gateway); bad != nil {
		return nil, bad
	}
	s.Family = fib.FamilyOf(s.Gateway)
	return s, nil
}

// checkGateway refuses what cannot be a router's address.
func checkGateway(field string, a netip.Addr) *refusal {
	if a.IsUnspecified() || a.IsMulticast() {
		return kernelSays(malformed(field, "%v is not the address of a router", a), "Invalid gateway")
	}
	return nil
}

// parseGroup adds what a group has.
func parseGroup(m *vasicv1.NextHopObject, s *fib.NextHopObjectSpec) *refusal {
	const field = "next_hop.group"
	switch m.GroupType {
	case vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_UNSPECIFIED, vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_MULTIPATH:
	case vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_RESILIENT:
		s.Resilient = true
	default:
		return unknownEnum("next_hop.group_type", int32(m.GroupType))
	}
	for _, member := range m.Group {
		switch {
		case member.GetId() == 0:
			return kernelSays(malformed(field+".id", "is missing"), "Invalid nexthop id")
		case member.Weight > 256:
			return kernelSays(outOfRange(field+".weight", uint64(member.Weight), 1, 256), "Invalid value for weight")
		}
		s.Group = append(s.Group, fib.GroupMember{ID: member.Id, Weight: uint16(max(member.Weight, 1))}) //nolint:gosec // checked above
	}
	r := m.Resilient
	switch {
	case r == nil:
		return nil
	case !s.Resilient:
		return malformed("next_hop.resilient", "is for resilient groups")
	}
	if s.HasBuckets = r.Buckets != nil; s.HasBuckets {
		if *r.Buckets == 0 {
			return kernelSays(outOfRange("next_hop.resilient.buckets", 0, 1, 65535), "Number of buckets needs to be non-0")
		}
		if *r.Buckets > 65535 {
			return outOfRange("next_hop.resilient.buckets", uint64(*r.Buckets), 1, 65535)
		}
		s.Buckets = uint16(*r.Buckets) //nolint:gosec // checked above
	}
	if s.HasIdleTimer = r.IdleTimer != nil; s.HasIdleTimer {
		s.IdleTimer = *r.IdleTimer
	}
	s.HasUnbalancedTimer, s.UnbalancedTimer = r.UnbalancedTimer != nil, r.GetUnbalancedTimer()
	return nil
}

// set carries out a creation or a replacement and reads the object back.
func (n nextHopService) set(m *vasicv1.NextHopObject, replace bool) (*vasicv1.NextHopObject, error) {
	spec, bad := parseNextHopObject(m)
	if bad == nil && replace && m.Id == 0 {
		bad = kernelSays(malformed("next_hop.id", "is missing"), "Invalid nexthop id")
	}
	if bad != nil {
		return nil, bad
	}
	id, err := n.s.fib.SetNextHop(spec, true, replace)
	if err != nil {
		return nil, statusOf(err)
	}
	var object *vasicv1.NextHopObject
	err = n.s.fib.NextHop(id, func(v *fib.NextHopView) { object = nextHopObjectMessage(v) })
	return object, statusOf(err)
}

func (n nextHopService) CreateNextHop(_ context.Context, req *vasicv1.CreateNextHopRequest) (*vasicv1.CreateNextHopResponse, error) {
	object, err := n.set(req.NextHop, false)
	if err != nil {
		return nil, err
	}
	return &vasicv1.CreateNextHopResponse{NextHop: object}, nil
}

func (n nextHopService) ReplaceNextHop(_ context.Context, req *vasicv1.ReplaceNextHopRequest) (*vasicv1.ReplaceNextHopResponse, error) {
	object, err := n.set(req.NextHop, true)
	if err != nil {
		return nil, err
	}
	return &vasicv1.ReplaceNextHopResponse{NextHop: object}, nil
}

// missingID refuses the id that no object has.
func missingID() *refusal { return kernelSays(malformed("id", "is missing"), "Invalid nexthop id") }

func (n nextHopService) DeleteNextHop(_ context.Context, req *vasicv1.DeleteNextHopRequest) (*vasicv1.DeleteNextHopResponse, error) {
	if req.Id == 0 {
		return nil, missingID()
	}
	return &vasicv1.DeleteNextHopResponse{}, statusOf(n.s.fib.DeleteNextHop(req.Id))
}

func (n nextHopService) GetNextHop(_ context.Context, req *vasicv1.GetNextHopRequest) (*vasicv1.GetNextHopResponse, error) {
	if req.Id == 0 {
		return nil, missingID()
	}
	res := &vasicv1.GetNextHopResponse{}
	err := n.s.fib.NextHop(req.Id, func(v *fib.NextHopView) { res.NextHop = nextHopObjectMessage(v) })
	return res, statusOf(err)
}

func (n nextHopService) ListNextHops(req *vasicv1.ListNextHopsRequest, stream grpc.ServerStreamingServer[vasicv1.ListNextHopsResponse]) error {
	families, bad := parseFamily("family", req.Family)
	switch {
	case bad != nil:
		return bad
	case req.Protocol != nil && *req.Protocol > 255:
		return outOfRange("protocol", uint64(*req.Protocol), 0, 255)
	}
	var list []*vasicv1.NextHopObject
	n.s.fib.NextHops(func(v *fib.NextHopView) {
		group := len(v.Members) > 0
		switch {
		case req.Device != "" && (v.Hop.Link == nil || v.Hop.Link.Name != req.Device),
			req.Groups && !group,
			req.Protocol != nil && uint32(v.Protocol) != *req.Protocol,
			len(families) == 1 && v.Family != families[0]:
			return
		}
		list = append(list, nextHopObjectMessage(v))
	})
	return inPieces(list, func(piece []*vasicv1.NextHopObject) error {
		return stream.Send(&vasicv1.ListNextHopsResponse{NextHops: piece})
	})
}

func (n nextHopService) ListBuckets(req *vasicv1.ListBucketsRequest, stream grpc.ServerStreamingServer[vasicv1.ListBucketsResponse]) error {
	var list []*vasicv1.Bucket
	err := n.s.fib.Buckets(req.Id, func(b fib.BucketView) {
		list = append(list, &vasicv1.Bucket{Id: b.ID, Index: b.Index, IdleTime: b.IdleTime, NextHopId: b.NextHopID, Offload: b.Offload, Trap: b.Trap})
	})
	if err != nil {
		return n.noBuckets(req.Id, err)
	}
	return inPieces(list, func(piece []*vasicv1.Bucket) error { return stream.Send(&vasicv1.ListBucketsResponse{Buckets: piece}) })
}

// noBuckets says why an object has none (nh_valid_get_bucket_req and what it calls).
func (n nextHopService) noBuckets(id uint32, err error) error {
	_ = n.s.fib.NextHop(id, func(v *fib.NextHopView) {
		r := refuse(err)
		r.errno, r.kernel = syscall.EINVAL, "Not a nexthop group"
		if len(v.Members) > 0 {
			r.kernel = "Nexthop group not of type resilient"
		}
		err = r
	})
	return statusOf(err)
}

// inPieces sends a list in messages of bounded length.
func inPieces[T any](list []T, send func([]T) error) error {
	for len(list) > 0 {
		n := min(len(list), listPiece)
		if err := send(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}
