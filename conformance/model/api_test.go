package model_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/conformance/guarantee"
	"github.com/vasic-project/vasic/conformance/model"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

// api is a whole switch, seen by clients. One of them watches from the first event on.
type api struct {
	t       *rapid.T
	clients [2]*vasic.Client
	turn    int
	watcher guarantee.Recorder
	pending []model.Event // read, but not asked for yet
	listed  []*vasicv1.Route
	notify  map[vasicv1.Family]uint32 // the setting if it was never another one, else 0
}

// anyone is one client after the other.
func (a *api) anyone() *vasic.Client {
	a.turn++
	return a.clients[a.turn%len(a.clients)]
}

func newAPI(t *rapid.T, s settings) *api {
	none := time.Duration(0)
	sw, err := server.New(server.Config{
		Profile: s.profile, Latency: &none, Resources: map[string]uint64{"IPv4/fib": s.sizes[0], "IPv6/fib": s.sizes[1]},
		NotifyIPv4: fib.NotifySetting(s.notify[0]), NotifyIPv6: fib.NotifySetting(s.notify[1]), //nolint:gosec // 0 to 2
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	lis := bufconn.Listen(1 << 20)
	go sw.Serve(lis)
	a := &api{t: t, notify: map[vasicv1.Family]uint32{
		vasicv1.Family_FAMILY_IPV4: uint32(s.notify[0]), vasicv1.Family_FAMILY_IPV6: uint32(s.notify[1]), //nolint:gosec // 0 to 2
	}}
	for i := range a.clients {
		cc, err := grpc.NewClient("passthrough:///switch", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cc.Close() })
		a.clients[i] = vasic.NewClient(cc)
	}
	t.Cleanup(func() {
		a.watcher.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := sw.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	a.watcher.Client = a.clients[0].Watches
	if err := a.watcher.Open(t.Context(), &vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{}}); err != nil {
		t.Fatal(err)
	}
	for a.next().GetSynced() == nil {
	}
	must(a.anyone().Switch.Pause(t.Context(), &vasicv1.PauseRequest{}))(t)
	return a
}

// must is for calls that have to succeed.
func must[T any](v T, err error) func(t *rapid.T) T {
	return func(t *rapid.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (a *api) events() []model.Event {
	revision := must(a.anyone().Switch.GetStatus(a.t.Context(), &vasicv1.GetStatusRequest{}))(a.t).Revision
	for last, _ := a.watcher.Token(); last.GetRevision() < revision; last, _ = a.watcher.Token() {
		a.next()
	}
	list := a.pending
	a.pending = nil
	return list
}

// next reads one message of the watch.
func (a *api) next() *vasicv1.WatchResponse {
	m := must(a.watcher.Next())(a.t)
	for _, e := range m.GetEvents() {
		shown := model.Event{
			Kind: kinds[e.GetKind()-1], NLFlags: uint16(e.GetNetlinkFlags()), //nolint:gosec // 16 bits
			Requested: e.GetRequested(), Silent: e.GetSilent(), Partial: e.GetPartial(),
		}
		if e.GetRoute() != nil {
			shown.Route = routeOfMessage(e.GetRoute())
		} else {
			shown.Object = objectOfMessage(e.GetNextHopObject())
		}
		a.pending = append(a.pending, shown)
	}
	return m
}

func messageFlags(offload, trap, failed bool) string {
	switch {
	case offload:
		return "offload"
	case trap:
		return "trap"
	case failed:
		return "offload_failed"
	}
	return ""
}

func routeOfMessage(m *vasicv1.Route) model.Route {
	r := model.Route{
		ID: m.GetId(), Table: m.GetTable(), Prefix: netip.MustParsePrefix(m.GetPrefix()), TOS: uint8(m.GetTos()), Metric: m.GetMetric(), //nolint:gosec // 8 bits
		Type: uint8(m.GetType()), Protocol: uint8(m.GetProtocol()), Scope: uint8(m.GetScope()), //nolint:gosec // 8 bits
		Flags: messageFlags(m.GetOffload(), m.GetTrap(), m.GetOffloadFailed()), Older: m.GetOlderInHardware(), Object: m.GetNextHopId(),
	}
	r.Reason = [...]string{"", "table_full", "injected", "unsupported", "hardware_error"}[m.GetFailureReason()]
	if m.GetPrefsrc() != "" {
		r.PrefSrc = netip.MustParseAddr(m.GetPrefsrc())
	}
	for _, n := range m.GetNextHops() {
		h := model.Hop{
			Device: n.GetDevice(), Weight: int(n.GetWeight()),
			Flags: messageFlags(n.GetSiblingOffload(), n.GetSiblingTrap(), n.GetSiblingOffloadFailed()),
		}
		if n.GetGateway() != "" {
			h.Gateway = netip.MustParseAddr(n.GetGateway())
		}
		r.Hops = append(r.Hops, h)
	}
	return r
}

func operationOf(w model.Want) vasic.Operation {
	r := &vasicv1.Route{
		Prefix: w.Prefix.String(), Table: w.Table, Tos: uint32(w.TOS), Type: vasicv1.RouteType(w.Type), Protocol: uint32(w.Protocol), Multipath: w.List,
		NextHopId: w.Object,
	}
	if w.Metric != 0 {
		r.Metric = &w.Metric
	}
	if w.PrefSrc.IsValid() {
		r.Prefsrc = w.PrefSrc.String()
	}
	for _, h := range w.Hops {
		n := &vasicv1.NextHop{Device: h.Device, Weight: uint32(h.Weight)} //nolint:gosec // small
		if h.Gateway.IsValid() {
			n.Gateway = h.Gateway.String()
		}
		r.NextHops = append(r.NextHops, n)
	}
	return vasic.Operation{Action: vasicv1.RouteAction(w.Verb) + vasicv1.RouteAction_ROUTE_ACTION_ADD, Route: r} //nolint:gosec // small
}

// answer is an error as a target says it.
func answer(err error) string {
	if e, ok := vasic.AsError(err); ok && e.Errno != "" {
		return e.Errno
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func (a *api) modify(wants []model.Want) (got []string) {
	if len(wants) == 1 {
		op := operationOf(wants[0])
		_, err := a.anyone().ModifyRoute(a.t.Context(), op.Action, op.Route)
		return []string{answer(err)}
	}
	var ops []vasic.Operation
	for _, w := range wants {
		ops = append(ops, operationOf(w))
	}
	for _, r := range must(a.anyone().Apply(a.t.Context(), ops))(a.t) {
		got = append(got, answer(r.Err))
	}
	return got
}

// race lets the clients work one after the other: refusals do not say when they happened.
func (a *api) race(batches [][]model.Want) (order []int, got [][]string) {
	for i, batch := range batches {
		order, got = append(order, i), append(got, a.modify(batch))
	}
	return order, got
}

func (a *api) addLink(name string) string {
	_, err := a.anyone().Links.CreateLink(a.t.Context(), &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: name}})
	return answer(err)
}

func (a *api) setLink(name string, up, carrier bool) string {
	_, err := a.anyone().Links.UpdateLink(a.t.Context(), &vasicv1.UpdateLinkRequest{
		Link: &vasicv1.Link{Name: name, Up: up, Carrier: carrier}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"up", "carrier"}},
	})
	return answer(err)
}

func (a *api) deleteLink(name string) string {
	_, err := a.anyone().Links.DeleteLink(a.t.Context(), &vasicv1.DeleteLinkRequest{Name: name})
	return answer(err)
}

func (a *api) addAddress(link string, prefix netip.Prefix) string {
	_, err := a.anyone().Links.CreateAddress(a.t.Context(), &vasicv1.CreateAddressRequest{Address: &vasicv1.Address{Link: link, Prefix: prefix.String()}})
	return answer(err)
}

func (a *api) deleteAddress(link string, prefix netip.Prefix) string {
	_, err := a.anyone().Links.DeleteAddress(a.t.Context(), &vasicv1.DeleteAddressRequest{Address: &vasicv1.Address{Link: link, Prefix: prefix.String()}})
	return answer(err)
}

// apiStates are the states of neighbours by vasicv1.NeighborState.
var apiStates = []string{
	vasicv1.NeighborState_NEIGHBOR_STATE_NONE: model.NeighborNone, vasicv1.NeighborState_NEIGHBOR_STATE_FAILED: model.NeighborFailed,
	vasicv1.NeighborState_NEIGHBOR_STATE_REACHABLE: model.NeighborReachable, vasicv1.NeighborState_NEIGHBOR_STATE_STALE: model.NeighborStale,
	vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT: model.NeighborPermanent,
}

func (a *api) setNeighbor(link string, addr netip.Addr, state string, exclusive bool) string {
	n := &vasicv1.Neighbor{Address: addr.String(), Device: link, State: vasicv1.NeighborState(slices.Index(apiStates, state))} //nolint:gosec // small
	var err error
	if exclusive {
		_, err = a.anyone().Neighbors.CreateNeighbor(a.t.Context(), &vasicv1.CreateNeighborRequest{Neighbor: n})
	} else {
		_, err = a.anyone().Neighbors.ReplaceNeighbor(a.t.Context(), &vasicv1.ReplaceNeighborRequest{Neighbor: n})
	}
	return answer(err)
}

func (a *api) deleteNeighbor(link string, addr netip.Addr) string {
	_, err := a.anyone().Neighbors.DeleteNeighbor(a.t.Context(), &vasicv1.DeleteNeighborRequest{Address: addr.String(), Device: link})
	return answer(err)
}

func (a *api) neighbors() (list []model.Neighbor) {
	stream := must(a.anyone().Neighbors.ListNeighbors(a.t.Context(), &vasicv1.ListNeighborsRequest{}))(a.t)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return list
		}
		for _, n := range must(m, err)(a.t).Neighbors {
			list = append(list, model.Neighbor{
				Link: n.Device, Addr: netip.MustParseAddr(n.Address), State: apiStates[n.State], Automatic: n.Automatic, Offloaded: n.Offload,
			})
		}
	}
}

func objectOfMessage(m *vasicv1.NextHopObject) *model.Object {
	o := &model.Object{ID: m.GetId(), Device: m.GetDevice(), Flags: messageFlags(m.GetOffload(), m.GetTrap(), false)}
	if m.GetFamily() == vasicv1.Family_FAMILY_IPV6 {
		o.Family = 1
	}
	if m.GetGateway() != "" {
		o.Gateway = netip.MustParseAddr(m.GetGateway())
	}
	for _, member := range m.GetGroup() {
		o.Members = append(o.Members, model.Member{ID: member.GetId(), Weight: int(member.GetWeight())})
	}
	return o
}

func (a *api) setObject(o model.Object, replace bool) string {
	m := &vasicv1.NextHopObject{Id: o.ID, Device: o.Device}
	if o.Gateway.IsValid() {
		m.Gateway = o.Gateway.String()
	} else if len(o.Members) == 0 {
		m.Family = vasicv1.Family_FAMILY_IPV4 + vasicv1.Family(o.Family) //nolint:gosec // 0 or 1
	}
	for _, member := range o.Members {
		m.Group = append(m.Group, &vasicv1.NextHopGroupMember{Id: member.ID, Weight: uint32(member.Weight)}) //nolint:gosec // small
	}
	var err error
	if replace {
		_, err = a.anyone().NextHops.ReplaceNextHop(a.t.Context(), &vasicv1.ReplaceNextHopRequest{NextHop: m})
	} else {
		_, err = a.anyone().NextHops.CreateNextHop(a.t.Context(), &vasicv1.CreateNextHopRequest{NextHop: m})
	}
	return answer(err)
}

func (a *api) deleteObject(id uint32) string {
	_, err := a.anyone().NextHops.DeleteNextHop(a.t.Context(), &vasicv1.DeleteNextHopRequest{Id: id})
	return answer(err)
}

func (a *api) objects() (list []model.Object) {
	stream := must(a.anyone().NextHops.ListNextHops(a.t.Context(), &vasicv1.ListNextHopsRequest{}))(a.t)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return list
		}
		for _, o := range must(m, err)(a.t).NextHops {
			list = append(list, *objectOfMessage(o))
		}
	}
}

func (a *api) update(settings *vasicv1.Settings, paths ...string) {
	must(a.anyone().Switch.UpdateSettings(a.t.Context(), &vasicv1.UpdateSettingsRequest{
		Settings: settings, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
	}))(a.t)
}

func (a *api) setNotify(settings [2]int) {
	ipv4, ipv6 := uint32(settings[0]), uint32(settings[1]) //nolint:gosec // 0 to 2
	a.update(&vasicv1.Settings{Ipv4NotifyOnFlagChange: ipv4, Ipv6NotifyOnFlagChange: ipv6}, "ipv4_notify_on_flag_change", "ipv6_notify_on_flag_change")
	for family, setting := range map[vasicv1.Family]uint32{vasicv1.Family_FAMILY_IPV4: ipv4, vasicv1.Family_FAMILY_IPV6: ipv6} {
		if a.notify[family] != setting {
			a.notify[family] = 0
		}
	}
}

func (a *api) setFailing(offload, del bool) {
	a.update(&vasicv1.Settings{FailRouteOffload: offload, FailRouteDelete: del}, "fail_route_offload", "fail_route_delete")
}

func (a *api) setSizes(sizes [2]uint64) {
	for i, path := range []string{"IPv4/fib", "IPv6/fib"} {
		must(a.anyone().Switch.UpdateResource(a.t.Context(), &vasicv1.UpdateResourceRequest{Path: path, Size: sizes[i]}))(a.t)
	}
}

func (a *api) reload() string {
	_, err := a.anyone().Switch.Reload(a.t.Context(), &vasicv1.ReloadRequest{})
	return answer(err)
}

func (a *api) resume() {
	must(a.anyone().Switch.Resume(a.t.Context(), &vasicv1.ResumeRequest{}))(a.t)
	for must(a.anyone().Switch.GetStatus(a.t.Context(), &vasicv1.GetStatusRequest{}))(a.t).QueueLength > 0 {
	}
	must(a.anyone().Switch.Pause(a.t.Context(), &vasicv1.PauseRequest{}))(a.t)
	a.step(1000)
}

func (a *api) step(n int) int {
	return int(must(a.anyone().Switch.Step(a.t.Context(), &vasicv1.StepRequest{Operations: uint32(n)}))(a.t).Done) //nolint:gosec // small
}

func (a *api) occupancy() ([2]uint64, bool) { return [2]uint64{}, false }

func (a *api) routes() (list []model.Route) {
	stream := must(a.anyone().Routes.ListRoutes(a.t.Context(), &vasicv1.ListRoutesRequest{}))(a.t)
	a.listed = nil
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return list
		}
		for _, r := range must(m, err)(a.t).Routes {
			a.listed = append(a.listed, r)
			list = append(list, routeOfMessage(r))
		}
	}
}

func (a *api) settled() ([]model.Settled, bool) { return nil, false }

func (a *api) generation(uint64) uint64 { return 0 }

func (a *api) entries() (list []model.Entry, generations []uint64, ok bool) { return nil, nil, false }
