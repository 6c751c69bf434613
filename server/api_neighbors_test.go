package server_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

const (
	nudFailed    = vasicv1.NeighborState_NEIGHBOR_STATE_FAILED
	nudReachable = vasicv1.NeighborState_NEIGHBOR_STATE_REACHABLE
	nudPermanent = vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT
)

func (r *apiRig) neighbors(req *vasicv1.ListNeighborsRequest) []*vasicv1.Neighbor {
	r.t.Helper()
	return listed(r.t, must(r.neighs.ListNeighbors(r.ctx(), req))(r.t), (*vasicv1.ListNeighborsResponse).GetNeighbors)
}

func (r *apiRig) neighborLines(req *vasicv1.ListNeighborsRequest) (lines []string) {
	r.t.Helper()
	for _, n := range r.neighbors(req) {
		lines = append(lines, fmt.Sprintf("%s %s %q %v offload=%t auto=%t", n.Address, n.Device, n.Lladdr, n.State, n.Offload, n.Automatic))
	}
	return lines
}

func (r *apiRig) replaceNeighbor(address, device string, state vasicv1.NeighborState) (*vasicv1.Neighbor, error) {
	res, err := r.neighs.ReplaceNeighbor(r.ctx(), &vasicv1.ReplaceNeighborRequest{Neighbor: &vasicv1.Neighbor{Address: address, Device: device, State: state}})
	return res.GetNeighbor(), err
}

func TestANeighborIsMadeReplacedListedAndRemoved(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		created := must(r.neighs.CreateNeighbor(r.ctx(), &vasicv1.CreateNeighborRequest{
			Neighbor: &vasicv1.Neighbor{Address: "10.0.1.2", Device: "swp1", Lladdr: "02-00-00-00-00-0A", Offload: true, Automatic: true},
		}))(t).Neighbor
		want := &vasicv1.Neighbor{Address: "10.0.1.2", Device: "swp1", Lladdr: "02:00:00:00:00:0a", State: nudPermanent}
		if !proto.Equal(created, want) {
			t.Errorf("created %v, want %v", created, want)
		}
		_, err := r.neighs.CreateNeighbor(r.ctx(), &vasicv1.CreateNeighborRequest{Neighbor: want})
		refused{codes.AlreadyExists, "NEIGHBOR_EXISTS", "EEXIST", "", "", `10.0.1.2 on "swp1"`}.checkErr(t, err)
		for range 2 { // idempotent
			must(r.replaceNeighbor("10.0.1.2", "swp1", nudFailed))(t)
		}
		states := vasicv1.NeighborState_name
		for s := vasicv1.NeighborState_NEIGHBOR_STATE_INCOMPLETE; int(s) < len(states); s++ {
			if got := must(r.replaceNeighbor("2001:db8:2::2", "swp2", s))(t); got.State != s {
				t.Errorf("%v became %v", s, got)
			}
		}
		all := []string{
			`10.0.1.2 swp1 "" NEIGHBOR_STATE_FAILED offload=false auto=false`, `2001:db8:2::2 swp2 "" NEIGHBOR_STATE_NONE offload=false auto=false`,
		}
		wantEqual(t, "all", r.neighborLines(&vasicv1.ListNeighborsRequest{}), all)
		wantEqual(t, "IPv6", r.neighborLines(&vasicv1.ListNeighborsRequest{Family: vasicv1.Family_FAMILY_IPV6}), all[1:])
		wantEqual(t, "swp1", r.neighborLines(&vasicv1.ListNeighborsRequest{Device: "swp1"}), all[:1])
		must(r.neighs.DeleteNeighbor(r.ctx(), &vasicv1.DeleteNeighborRequest{Address: "10.0.1.2", Device: "swp1"}))(t)
		_, err = r.neighs.DeleteNeighbor(r.ctx(), &vasicv1.DeleteNeighborRequest{Address: "10.0.1.2", Device: "swp1"})
		refused{codes.NotFound, "NEIGHBOR_NOT_FOUND", "ENOENT", "", "", `10.0.1.2 on "swp1"`}.checkErr(t, err)
		wantEqual(t, "left", r.neighborLines(&vasicv1.ListNeighborsRequest{}), all[1:])
	})
}

func TestNeighborsDecideWhatHardwareForwards(t *testing.T) {
	inAPIBubble(t, server.Config{NotifyIPv4: 1}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		w := r.watch(&vasicv1.WatchRequest{LiveOnly: true})
		w.until("synced")
		r.add(apiRoute("192.0.2.0/24", via("10.0.1.2", "10.0.2.2")))
		r.quiet()
		must(r.replaceNeighbor("10.0.1.2", "swp1", nudFailed))(t)
		r.quiet()
		must(r.replaceNeighbor("10.0.2.2", "swp2", nudFailed))(t)
		r.quiet()
		must(r.replaceNeighbor("10.0.1.2", "swp1", nudReachable))(t)
		r.quiet()
		var got []string
		for _, e := range w.events(4) {
			line := describe(e.Route)
			for _, h := range e.Route.NextHops {
				line += fmt.Sprintf(" %s=%t", h.Device, h.Offload)
			}
			got = append(got, line)
		}
		// A change of a next hop's bit alone is told nobody; the route's flags are.
		wantEqual(t, "events", got, []string{
			"192.0.2.0/24 swp1=false swp2=false", "192.0.2.0/24 offload swp1=true swp2=true", "192.0.2.0/24 trap swp1=false swp2=false", "192.0.2.0/24 offload swp1=true swp2=false",
		})
		must(r.neighs.DeleteNeighbor(r.ctx(), &vasicv1.DeleteNeighborRequest{Address: "10.0.2.2", Device: "swp2"}))(t) // resolves anew
		r.quiet()
		wantEqual(t, "neighbours", r.neighborLines(&vasicv1.ListNeighborsRequest{}), []string{
			`10.0.1.2 swp1 "" NEIGHBOR_STATE_REACHABLE offload=true auto=false`, `10.0.2.2 swp2 "" NEIGHBOR_STATE_REACHABLE offload=true auto=true`,
		})
		if hops := r.get("192.0.2.0/24").NextHops; !hops[0].Offload || !hops[1].Offload {
			t.Errorf("next hops %v", hops)
		}
	})
}

func TestNeighborResolutionIsASetting(t *testing.T) {
	inAPIBubble(t, server.Config{ResolutionDelay: 3 * time.Second}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		r.add(good4())
		time.Sleep(2 * time.Second)
		wantEqual(t, "soon", r.neighborLines(&vasicv1.ListNeighborsRequest{}), []string{`10.0.1.2 swp1 "" NEIGHBOR_STATE_INCOMPLETE offload=false auto=true`})
		if route := r.get("198.51.100.0/24"); !route.Trap {
			t.Errorf("soon: %v", route)
		}
		r.quiet()
		r.quiet()
		if route := r.get("198.51.100.0/24"); !route.Offload || !route.NextHops[0].Offload {
			t.Errorf("resolved: %v", route)
		}
		r.set("neighbor_resolution", &vasicv1.Settings{NeighborResolution: vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_MANUAL})
		r.quiet()
		if route := r.get("198.51.100.0/24"); !route.Trap || route.NextHops[0].Offload {
			t.Errorf("manual: %v", route)
		}
		r.set("neighbor_resolution_delay", &vasicv1.Settings{NeighborResolutionDelay: durationpb.New(0)})
		must(r.replaceNeighbor("10.0.1.2", "swp1", nudReachable))(t)
		r.quiet()
		if route := r.get("198.51.100.0/24"); !route.Offload {
			t.Errorf("by hand: %v", route)
		}
	})
}

func TestNeighborRefusals(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		must(r.createLink("swp3"))(t)
		synctest.Wait()
		before := r.everything()
		replace := func(n *vasicv1.Neighbor) error {
			_, err := r.neighs.ReplaceNeighbor(r.ctx(), &vasicv1.ReplaceNeighborRequest{Neighbor: n})
			return err
		}
		try := func(_ any, err error) error { return err }
		for i, c := range []struct {
			err  error
			want refused
		}{
			{replace(nil), malformed("neighbor", "is missing")},
			{try(r.neighs.CreateNeighbor(r.ctx(), &vasicv1.CreateNeighborRequest{})), malformed("neighbor", "is missing")},
			{replace(&vasicv1.Neighbor{Device: "swp1"}), malformed("neighbor.address", "is missing")},
			{replace(&vasicv1.Neighbor{Device: "swp1", Address: "10.0.1"}), malformed("neighbor.address", `"10.0.1" is not an address`)},
			{replace(&vasicv1.Neighbor{Device: "swp1", Address: "fe80::1%swp1"}), malformed("neighbor.address", "fe80::1%swp1")},
			{replace(&vasicv1.Neighbor{Device: "swp1", Address: "::"}), malformed("neighbor.address", ":: is not an address that a neighbour can have")},
			{replace(&vasicv1.Neighbor{Device: "swp1", Address: "224.0.0.1"}), malformed("neighbor.address", "224.0.0.1")},
			{replace(&vasicv1.Neighbor{Address: "10.0.1.2"}), malformed("neighbor.device", "is missing")},
			{replace(&vasicv1.Neighbor{Device: "swp1", Address: "10.0.1.2", Lladdr: "02:00"}), malformed("neighbor.lladdr", `"02:00"`)},
			{replace(&vasicv1.Neighbor{Device: "swp1", Address: "10.0.1.2", State: 10}), unknownEnum("neighbor.state", "10")},
			{replace(&vasicv1.Neighbor{Device: "swp1", Address: "10.0.1.2", State: -1}), unknownEnum("neighbor.state", "-1")},
			{replace(&vasicv1.Neighbor{Device: "swp9", Address: "10.0.1.2"}), noLink("", `"swp9"`)},
			{replace(&vasicv1.Neighbor{Device: "swp3", Address: "10.0.1.2"}), refused{codes.FailedPrecondition, "LINK_DOWN", "ENETDOWN", "", "", "swp3"}},
			{try(r.neighs.DeleteNeighbor(r.ctx(), &vasicv1.DeleteNeighborRequest{Device: "swp1"})), malformed("address", "is missing")},
			{try(r.neighs.DeleteNeighbor(r.ctx(), &vasicv1.DeleteNeighborRequest{Device: "swp9", Address: "10.0.1.2"})), noLink("", `"swp9"`)},
			{try(must(r.neighs.ListNeighbors(r.ctx(), &vasicv1.ListNeighborsRequest{Device: "swp9"}))(t).Recv()), noLink("", `"swp9"`)},
			{try(must(r.neighs.ListNeighbors(r.ctx(), &vasicv1.ListNeighborsRequest{Family: 3}))(t).Recv()), unknownEnum("family", "3")},
		} {
			c.want.checkErr(named{t, fmt.Sprint("case ", i)}, c.err)
		}
		r.unchanged(before)
	})
}
