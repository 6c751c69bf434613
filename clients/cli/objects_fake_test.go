package cli

import (
	"context"

	"google.golang.org/grpc/codes"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// fakeObjects are the neighbours, next-hop objects and rules of a fake. They do not change; what would change them is only
// remembered. Tests set them before they run commands.
type fakeObjects struct {
	vasicv1.UnimplementedNeighborServiceServer
	vasicv1.UnimplementedNextHopServiceServer
	vasicv1.UnimplementedRuleServiceServer

	neighbors []*vasicv1.Neighbor
	nextHops  []*vasicv1.NextHopObject
	buckets   []*vasicv1.Bucket
	rules     []*vasicv1.Rule
}

var errNoNextHop = refusal(codes.NotFound, "NEXT_HOP_NOT_FOUND", "ENOENT", "", "no next-hop object has that id")

func (f *fake) CreateNeighbor(_ context.Context, req *vasicv1.CreateNeighborRequest) (*vasicv1.CreateNeighborResponse, error) {
	if err := f.note("CreateNeighbor", req); err != nil {
		return nil, err
	}
	_, err := f.find(req.GetNeighbor().GetDevice())
	return &vasicv1.CreateNeighborResponse{}, err
}

func (f *fake) ReplaceNeighbor(_ context.Context, req *vasicv1.ReplaceNeighborRequest) (*vasicv1.ReplaceNeighborResponse, error) {
	if err := f.note("ReplaceNeighbor", req); err != nil {
		return nil, err
	}
	_, err := f.find(req.GetNeighbor().GetDevice())
	return &vasicv1.ReplaceNeighborResponse{}, err
}

func (f *fake) DeleteNeighbor(_ context.Context, req *vasicv1.DeleteNeighborRequest) (*vasicv1.DeleteNeighborResponse, error) {
	if err := f.note("DeleteNeighbor", req); err != nil {
		return nil, err
	}
	for _, n := range f.neighbors {
		if n.Address == req.Address && n.Device == req.Device {
			return &vasicv1.DeleteNeighborResponse{}, nil
		}
	}
	return nil, refusal(codes.NotFound, "NEIGHBOR_NOT_FOUND", "ENOENT", "", "the neighbour has no entry")
}

func (f *fake) ListNeighbors(req *vasicv1.ListNeighborsRequest, stream vasicv1.NeighborService_ListNeighborsServer) error {
	if req.Device != "" {
		if _, err := f.find(req.Device); err != nil {
			return err
		}
	}
	for _, n := range f.neighbors {
		if (req.Family == familyAny || req.Family == familyOf(n.Address)) && (req.Device == "" || req.Device == n.Device) {
			if err := stream.Send(&vasicv1.ListNeighborsResponse{Neighbors: []*vasicv1.Neighbor{n}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// known says whether there are links of these names, empty ones aside.
func (f *fake) known(o *vasicv1.NextHopObject) error {
	if o.GetDevice() == "" {
		return nil
	}
	_, err := f.find(o.GetDevice())
	return err
}

func (f *fake) CreateNextHop(_ context.Context, req *vasicv1.CreateNextHopRequest) (*vasicv1.CreateNextHopResponse, error) {
	if err := f.note("CreateNextHop", req); err != nil {
		return nil, err
	}
	return &vasicv1.CreateNextHopResponse{}, f.known(req.GetNextHop())
}

func (f *fake) ReplaceNextHop(_ context.Context, req *vasicv1.ReplaceNextHopRequest) (*vasicv1.ReplaceNextHopResponse, error) {
	if err := f.note("ReplaceNextHop", req); err != nil {
		return nil, err
	}
	return &vasicv1.ReplaceNextHopResponse{}, f.known(req.GetNextHop())
}

// nextHop returns the object with that id.
func (f *fake) nextHop(id uint32) (*vasicv1.NextHopObject, error) {
	for _, o := range f.nextHops {
		if o.Id == id {
			return o, nil
		}
	}
	return nil, errNoNextHop
}

func (f *fake) DeleteNextHop(_ context.Context, req *vasicv1.DeleteNextHopRequest) (*vasicv1.DeleteNextHopResponse, error) {
	if err := f.note("DeleteNextHop", req); err != nil {
		return nil, err
	}
	_, err := f.nextHop(req.Id)
	return &vasicv1.DeleteNextHopResponse{}, err
}

func (f *fake) GetNextHop(_ context.Context, req *vasicv1.GetNextHopRequest) (*vasicv1.GetNextHopResponse, error) {
	o, err := f.nextHop(req.Id)
	return &vasicv1.GetNextHopResponse{NextHop: o}, err
}

func (f *fake) ListNextHops(req *vasicv1.ListNextHopsRequest, stream vasicv1.NextHopService_ListNextHopsServer) error {
	if err := f.note("ListNextHops", req); err != nil {
		return err
	}
	for _, o := range f.nextHops {
		if (req.Protocol == nil || *req.Protocol == o.Protocol) && (req.Device == "" || req.Device == o.Device) && (!req.Groups || len(o.Group) > 0) &&
			(req.Family == familyAny || req.Family == o.Family) {
			if err := stream.Send(&vasicv1.ListNextHopsResponse{NextHops: []*vasicv1.NextHopObject{o}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fake) ListBuckets(req *vasicv1.ListBucketsRequest, stream vasicv1.NextHopService_ListBucketsServer) error {
	if req.Id != 0 {
		if _, err := f.nextHop(req.Id); err != nil {
			return err
		}
	}
	for _, b := range f.buckets {
		if req.Id == 0 || req.Id == b.Id {
			if err := stream.Send(&vasicv1.ListBucketsResponse{Buckets: []*vasicv1.Bucket{b}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fake) CreateRule(_ context.Context, req *vasicv1.CreateRuleRequest) (*vasicv1.CreateRuleResponse, error) {
	return &vasicv1.CreateRuleResponse{}, f.note("CreateRule", req)
}

func (f *fake) DeleteRule(_ context.Context, req *vasicv1.DeleteRuleRequest) (*vasicv1.DeleteRuleResponse, error) {
	return &vasicv1.DeleteRuleResponse{}, f.note("DeleteRule", req)
}

func (f *fake) ListRules(_ context.Context, req *vasicv1.ListRulesRequest) (*vasicv1.ListRulesResponse, error) {
	resp := &vasicv1.ListRulesResponse{}
	for _, r := range f.rules {
		if req.Family == familyAny || req.Family == r.Family {
			resp.Rules = append(resp.Rules, r)
		}
	}
	return resp, nil
}
