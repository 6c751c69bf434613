package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// checkMirror compares the copy of the routes that the watch's events have kept with a listing: a watcher misses nothing, also where the
// kernel tells nobody.
func (v *vswitch) checkMirror() error {
	stream, err := vasic.NewClient(v.conn).Routes.ListRoutes(v.t.Context(), &vasicv1.ListRoutesRequest{})
	if err != nil {
		return err
	}
	listed := 0
	v.mu.Lock()
	defer v.mu.Unlock()
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, r := range piece.Routes {
			listed++
			got, want := mirrored(v.mirror.Route(r.Id)), mirrored(r)
			if !proto.Equal(got, want) {
				return fmt.Errorf("a watcher's copy of a route is\n%s\nwhere the switch has\n%s", got, want)
			}
		}
	}
	if n := v.mirror.Len(); n != listed {
		return fmt.Errorf("a watcher's copy has %d routes, the switch %d", n, listed)
	}
	return nil
}

// mirrored is a route without what a copy need not have: flags, which are published as the notification setting says or, of next-hop objects, not at all, the
// state of links, and for IPv6 the order of next hops.
func mirrored(r *vasicv1.Route) *vasicv1.Route {
	if r == nil {
		return nil
	}
	r = proto.CloneOf(r)
	r.Offload, r.Trap, r.OffloadFailed, r.OlderInHardware, r.FailureReason = false, false, false, false, vasicv1.FailureReason_FAILURE_REASON_UNSPECIFIED
	if o := r.NextHopObject; o != nil {
		o.Offload, o.Trap, o.Dead, o.Linkdown = false, false, false, false
	}
	for _, h := range r.NextHops {
		h.Offload, h.Trap, h.Dead, h.Linkdown = false, false, false, false
		h.SiblingOffload, h.SiblingTrap, h.SiblingOffloadFailed = false, false, false
	}
	slices.SortFunc(r.NextHops, func(a, b *vasicv1.NextHop) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Device, b.Device))
	})
	return r
}
