package server

import (
	"context"
	"net"
	"net/netip"

	"google.golang.org/grpc"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// neighborService is vasic.v1.NeighborService.
type neighborService struct {
	vasicv1.UnimplementedNeighborServiceServer
	s *Server
}

// neighborStates by vasicv1.NeighborState.
var neighborStates = [...]fib.NeighborState{
	vasicv1.NeighborState_NEIGHBOR_STATE_UNSPECIFIED: fib.NeighborPermanent,
	vasicv1.NeighborState_NEIGHBOR_STATE_INCOMPLETE:  fib.NeighborIncomplete,
	vasicv1.NeighborState_NEIGHBOR_STATE_REACHABLE:   fib.NeighborReachable,
	vasicv1.NeighborState_NEIGHBOR_STATE_STALE:       fib.NeighborStale,
	vasicv1.NeighborState_NEIGHBOR_STATE_DELAY:       fib.NeighborDelay,
	vasicv1.NeighborState_NEIGHBOR_STATE_PROBE:       fib.NeighborProbe,
	vasicv1.NeighborState_NEIGHBOR_STATE_FAILED:      fib.NeighborFailed,
	vasicv1.NeighborState_NEIGHBOR_STATE_NOARP:       fib.NeighborNoARP,
	vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT:   fib.NeighborPermanent,
	vasicv1.NeighborState_NEIGHBOR_STATE_NONE:        fib.NeighborNone,
}

// neighborStateMessage inverts neighborStates.
func neighborStateMessage(s fib.NeighborState) vasicv1.NeighborState {
	for m := vasicv1.NeighborState_NEIGHBOR_STATE_INCOMPLETE; int(m) < len(neighborStates); m++ {
		if neighborStates[m] == s {
			return m
		}
	}
	return vasicv1.NeighborState_NEIGHBOR_STATE_NONE
}

func neighborMessage(n *fib.NeighborInfo) *vasicv1.Neighbor {
	return &vasicv1.Neighbor{
		Address: n.Addr.String(), Device: n.Link, Lladdr: n.LLAddr, State: neighborStateMessage(n.State), Offload: n.Offloaded, Automatic: n.Automatic,
	}
}

// parseNeighborName reads what names an entry.
func parseNeighborName(prefix, address, device string) (netip.Addr, *refusal) {
	if address == "" {
		return netip.Addr{}, malformed(prefix+"address", "is missing")
	}
	addr, bad := parseAnyAddr(prefix+"address", address)
	if bad == nil && (addr.IsUnspecified() || addr.IsMulticast()) {
		bad = malformed(prefix+"address", "%v is not an address that a neighbour can have", addr)
	}
	if bad == nil {
		bad = checkLinkName(prefix+"device", device)
	}
	return addr, bad
}

// set carries out a creation or a replacement.
func (n neighborService) set(m *vasicv1.Neighbor, exclusive bool) (*vasicv1.Neighbor, error) {
	if m == nil {
		return nil, malformed("neighbor", "is missing")
	}
	addr, bad := parseNeighborName("neighbor.", m.Address, m.Device)
	switch {
	case bad != nil:
		return nil, bad
	case m.State < 0 || int(m.State) >= len(neighborStates):
		return nil, unknownEnum("neighbor.state", int32(m.State))
	}
	var lladdr net.HardwareAddr
	if m.Lladdr != "" {
		var err error
		if lladdr, err = net.ParseMAC(m.Lladdr); err != nil {
			return nil, malformed("neighbor.lladdr", "%q is not a link-layer address like 02:00:00:00:00:01", m.Lladdr)
		}
	}
	info, err := n.s.fib.SetNeighbor(m.Device, addr, lladdr.String(), neighborStates[m.State], exclusive)
	if err != nil {
		return nil, statusOf(err)
	}
	return neighborMessage(&info), nil
}

func (n neighborService) CreateNeighbor(_ context.Context, req *vasicv1.CreateNeighborRequest) (*vasicv1.CreateNeighborResponse, error) {
	m, err := n.set(req.Neighbor, true)
	if err != nil {
		return nil, err
	}
	return &vasicv1.CreateNeighborResponse{Neighbor: m}, nil
}

func (n neighborService) ReplaceNeighbor(_ context.Context, req *vasicv1.ReplaceNeighborRequest) (*vasicv1.ReplaceNeighborResponse, error) {
	m, err := n.set(req.Neighbor, false)
	if err != nil {
		return nil, err
	}
	return &vasicv1.ReplaceNeighborResponse{Neighbor: m}, nil
}

func (n neighborService) DeleteNeighbor(_ context.Context, req *vasicv1.DeleteNeighborRequest) (*vasicv1.DeleteNeighborResponse, error) {
	addr, bad := parseNeighborName("", req.Address, req.Device)
	if bad != nil {
		return nil, bad
	}
	return &vasicv1.DeleteNeighborResponse{}, statusOf(n.s.fib.DeleteNeighbor(req.Device, addr))
}

func (n neighborService) ResolveNeighbor(_ context.Context, req *vasicv1.ResolveNeighborRequest) (*vasicv1.ResolveNeighborResponse, error) {
	addr, bad := parseNeighborName("", req.Address, req.Device)
	if bad != nil {
		return nil, bad
	}
	return &vasicv1.ResolveNeighborResponse{}, statusOf(n.s.fib.ResolveNeighbor(req.Device, addr))
}

func (n neighborService) ListNeighbors(req *vasicv1.ListNeighborsRequest, stream grpc.ServerStreamingServer[vasicv1.ListNeighborsResponse]) error {
	families, bad := parseFamily("family", req.Family)
	if bad != nil {
		return bad
	}
	list, err := n.s.fib.Neighbors(req.Device)
	if err != nil {
		return statusOf(err)
	}
	messages := make([]*vasicv1.Neighbor, 0, len(list))
	for i := range list {
		if len(families) == 2 || fib.FamilyOf(list[i].Addr) == families[0] {
			messages = append(messages, neighborMessage(&list[i]))
		}
	}
	return inPieces(messages, func(piece []*vasicv1.Neighbor) error {
		return stream.Send(&vasicv1.ListNeighborsResponse{Neighbors: piece})
	})
}
