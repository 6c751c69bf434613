package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/server"
)

// apiTimeout ends what hangs. In a bubble it costs nothing.
const apiTimeout = time.Minute

// apiRig is a switch and a client of it, which speaks with gRPC's stock codec.
type apiRig struct {
	t       testing.TB
	s       *server.Server
	lis     *bufconn.Listener
	cc      *grpc.ClientConn
	served  chan struct{}
	routes  vasicv1.RouteServiceClient
	watches vasicv1.WatchServiceClient
	chip    vasicv1.SwitchServiceClient
	links   vasicv1.LinkServiceClient
	hops    vasicv1.NextHopServiceClient
	neighs  vasicv1.NeighborServiceClient
	rules   vasicv1.RuleServiceClient
	faults  vasicv1.FaultServiceClient
	audits  vasicv1.AuditServiceClient
	records vasicv1.RecordServiceClient
}

// apiPorts is what most tests start with: two links that are up.
func apiPorts() []server.Link {
	return []server.Link{
		{Name: "swp1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24"), netip.MustParsePrefix("2001:db8:1::1/64")}},
		{Name: "swp2", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.2.1/24"), netip.MustParsePrefix("2001:db8:2::1/64")}},
	}
}

// newAPIRig serves a switch over an in-memory connection until the test ends.
func newAPIRig(t testing.TB, cfg server.Config) *apiRig {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Links == nil {
		cfg.Links = apiPorts()
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := serveAPI(t, s)
	t.Cleanup(r.stop)
	return r
}

// serveAPI serves a switch over an in-memory connection until somebody stops it.
func serveAPI(t testing.TB, s *server.Server) *apiRig {
	t.Helper()
	r := &apiRig{t: t, s: s, lis: bufconn.Listen(1 << 20), served: make(chan struct{})}
	go func() {
		defer close(r.served)
		if err := s.Serve(r.lis); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	r.cc = r.dial()
	r.routes, r.watches = vasicv1.NewRouteServiceClient(r.cc), vasicv1.NewWatchServiceClient(r.cc)
	r.chip, r.links = vasicv1.NewSwitchServiceClient(r.cc), vasicv1.NewLinkServiceClient(r.cc)
	r.hops, r.neighs, r.rules = vasicv1.NewNextHopServiceClient(r.cc), vasicv1.NewNeighborServiceClient(r.cc), vasicv1.NewRuleServiceClient(r.cc)
	r.faults, r.audits, r.records = vasicv1.NewFaultServiceClient(r.cc), vasicv1.NewAuditServiceClient(r.cc), vasicv1.NewRecordServiceClient(r.cc)
	return r
}

// inAPIBubble runs a test in virtual time.
func inAPIBubble(t *testing.T, cfg server.Config, test func(t *testing.T, r *apiRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newAPIRig(t, cfg)) })
}

func (r *apiRig) stop() {
	r.cc.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), apiTimeout)
	defer cancel()
	if err := r.s.Stop(ctx); err != nil {
		r.t.Errorf("Stop: %v", err)
	}
	<-r.served
}

// narrow is the rig with a connection of its own, that holds 64 KiB for a client that does not read, and never more.
func (r *apiRig) narrow() *apiRig {
	r.t.Helper()
	cc := r.dial(grpc.WithStaticStreamWindowSize(1<<16), grpc.WithStaticConnWindowSize(1<<16))
	r.t.Cleanup(func() { cc.Close() })
	far := *r
	far.cc, far.routes, far.watches = cc, vasicv1.NewRouteServiceClient(cc), vasicv1.NewWatchServiceClient(cc)
	return &far
}

// dial makes one more connection. The caller closes it.
func (r *apiRig) dial(opts ...grpc.DialOption) *grpc.ClientConn {
	r.t.Helper()
	cc, err := grpc.NewClient("passthrough:///switch", append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return r.lis.DialContext(ctx) }),
	}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return cc
}

// ctx is a context for calls. It ends with the test, or after apiTimeout.
func (r *apiRig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), apiTimeout)
	r.t.Cleanup(cancel)
	return ctx
}

// must is for calls that have to succeed: must(r.chip.Pause(…))(r.t).
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Routes.

func apiRoute(prefix string, with ...func(*vasicv1.Route)) *vasicv1.Route {
	route := &vasicv1.Route{Prefix: prefix}
	for _, f := range with {
		f(route)
	}
	return route
}

func via(gateways ...string) func(*vasicv1.Route) {
	return func(r *vasicv1.Route) {
		for _, g := range gateways {
			r.NextHops = append(r.NextHops, &vasicv1.NextHop{Gateway: g})
		}
	}
}

func dev(names ...string) func(*vasicv1.Route) {
	return func(r *vasicv1.Route) {
		for _, n := range names {
			r.NextHops = append(r.NextHops, &vasicv1.NextHop{Device: n})
		}
	}
}

func metric(m uint32) func(*vasicv1.Route) { return func(r *vasicv1.Route) { r.Metric = &m } }
func table(id uint32) func(*vasicv1.Route) { return func(r *vasicv1.Route) { r.Table = id } }
func tos(v uint32) func(*vasicv1.Route)    { return func(r *vasicv1.Route) { r.Tos = v } }
func proto8(v uint32) func(*vasicv1.Route) { return func(r *vasicv1.Route) { r.Protocol = v } }

func kind(v vasicv1.RouteType) func(*vasicv1.Route) {
	return func(r *vasicv1.Route) { r.Type = v }
}

const (
	actionAdd     = vasicv1.RouteAction_ROUTE_ACTION_ADD
	actionReplace = vasicv1.RouteAction_ROUTE_ACTION_REPLACE
	actionChange  = vasicv1.RouteAction_ROUTE_ACTION_CHANGE
	actionAppend  = vasicv1.RouteAction_ROUTE_ACTION_APPEND
	actionPrepend = vasicv1.RouteAction_ROUTE_ACTION_PREPEND
	actionDelete  = vasicv1.RouteAction_ROUTE_ACTION_DELETE

	blackhole = vasicv1.RouteType_ROUTE_TYPE_BLACKHOLE
)

// modify programs one route.
func (r *apiRig) modify(action vasicv1.RouteAction, route *vasicv1.Route) (*vasicv1.OperationResult, error) {
	res, err := r.routes.ModifyRoute(r.ctx(), &vasicv1.ModifyRouteRequest{Action: action, Route: route})
	return res.GetResult(), err
}

// add programs routes that nothing stands in the way of, and waits until hardware has settled them if it runs.
func (r *apiRig) add(routes ...*vasicv1.Route) {
	r.t.Helper()
	for _, route := range routes {
		must(r.modify(actionAdd, route))(r.t)
	}
}

// list reads routes.
func (r *apiRig) list(filter *vasicv1.RouteFilter) []*vasicv1.Route {
	r.t.Helper()
	stream := must(r.routes.ListRoutes(r.ctx(), &vasicv1.ListRoutesRequest{Filter: filter}))(r.t)
	return listed(r.t, stream, (*vasicv1.ListRoutesResponse).GetRoutes)
}

// listed reads a streamed listing to its end.
func listed[M, E any](t testing.TB, stream grpc.ServerStreamingClient[M], entries func(*M) []E) (list []E) {
	t.Helper()
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(entries(res)) == 0 {
			t.Error("a message of a listing is empty")
		}
		list = append(list, entries(res)...)
	}
}

func (r *apiRig) status() *vasicv1.GetStatusResponse {
	r.t.Helper()
	return must(r.chip.GetStatus(r.ctx(), &vasicv1.GetStatusRequest{}))(r.t)
}

// pause stops the programming goroutine.
func (r *apiRig) pause() {
	r.t.Helper()
	must(r.chip.Pause(r.ctx(), &vasicv1.PauseRequest{}))(r.t)
}

func (r *apiRig) resume() {
	r.t.Helper()
	must(r.chip.Resume(r.ctx(), &vasicv1.ResumeRequest{}))(r.t)
}

// quiet waits until hardware has settled all it may: a second is more than it needs.
func (r *apiRig) quiet() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// named says which case of a table a failure is of. One switch does for a whole table of what changes nothing.
type named struct {
	testing.TB
	name string
}

func (n named) Errorf(format string, args ...any) {
	n.Helper()
	n.TB.Errorf("%s: %s", n.name, fmt.Sprintf(format, args...))
}

func (n named) Fatalf(format string, args ...any) {
	n.Helper()
	n.TB.Fatalf("%s: %s", n.name, fmt.Sprintf(format, args...))
}

// in is the rig for one case of a table.
func (r *apiRig) in(name string) (testing.TB, *apiRig) {
	one := *r
	one.t = named{r.t, name}
	return one.t, &one
}

// everything is what a client can see of a switch, as text. Of two that are equal, nothing was changed in between.
func (r *apiRig) everything() string {
	r.t.Helper()
	settings := must(r.chip.GetSettings(r.ctx(), &vasicv1.GetSettingsRequest{}))(r.t)
	resources := must(r.chip.ListResources(r.ctx(), &vasicv1.ListResourcesRequest{}))(r.t)
	links := must(r.links.ListLinks(r.ctx(), &vasicv1.ListLinksRequest{}))(r.t)
	addresses := must(r.links.ListAddresses(r.ctx(), &vasicv1.ListAddressesRequest{}))(r.t)
	rules := must(r.rules.ListRules(r.ctx(), &vasicv1.ListRulesRequest{}))(r.t)
	status := r.status()
	status.Position = 0 // a look at a neighbour counts
	all := []proto.Message{status, settings, resources, links, addresses, rules}
	for _, n := range r.neighbors(&vasicv1.ListNeighborsRequest{}) {
		all = append(all, n)
	}
	for _, n := range r.objects(&vasicv1.ListNextHopsRequest{}) {
		all = append(all, n)
	}
	for _, route := range r.list(nil) {
		all = append(all, route)
	}
	var b strings.Builder
	for _, m := range all {
		b.WriteString(strings.ReplaceAll(prototext.MarshalOptions{}.Format(m), "  ", " ")) // prototext varies its spaces
		b.WriteByte('\n')
	}
	return b.String()
}

// unchanged compares everything with what it was.
func (r *apiRig) unchanged(before string) {
	r.t.Helper()
	was, is := strings.Split(before, "\n"), strings.Split(r.everything(), "\n")
	for _, line := range is {
		if !slices.Contains(was, line) {
			r.t.Errorf("changed: now %s", line)
		}
	}
	for _, line := range was {
		if !slices.Contains(is, line) {
			r.t.Errorf("changed: was %s", line)
		}
	}
}

// refused is what a refusal has to say.
type refused struct {
	code   codes.Code
	reason string
	errno  string
	kernel string
	field  string
	words  string // part of the message
}

// refusalOf takes an error of a call apart; words is the whole message.
func refusalOf(t testing.TB, err error) refused {
	t.Helper()
	st, ok := status.FromError(err)
	if !ok || err == nil {
		t.Fatalf("no refusal: %v", err)
	}
	got := refused{code: st.Code(), words: st.Message()}
	for _, d := range st.Details() {
		info, ok := d.(*errdetails.ErrorInfo)
		if !ok || info.Domain != "vasic" {
			t.Errorf("unexpected detail %v", d)
			continue
		}
		got.reason, got.errno, got.kernel, got.field = info.Reason, info.Metadata["errno"], info.Metadata["kernel_message"], info.Metadata["field"]
	}
	return got
}

// check compares a refusal with what it has to be.
func (want refused) check(t testing.TB, got refused) {
	t.Helper()
	if !strings.Contains(got.words, want.words) {
		t.Errorf("message %q does not say %q", got.words, want.words)
	}
	if got.words = want.words; got != want {
		t.Errorf("refused with %+v, want %+v", got, want)
	}
}

// checkErr compares an error with what it has to be.
func (want refused) checkErr(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("not refused, want %+v", want)
		return
	}
	want.check(t, refusalOf(t, err))
}

// prefixes of routes, in order.
func prefixes(routes []*vasicv1.Route) []string {
	list := make([]string, 0, len(routes))
	for _, r := range routes {
		list = append(list, r.Prefix)
	}
	return list
}

func wantEqual[E comparable](t testing.TB, what string, got, want []E) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// prefixNumber is the i-th of many prefixes.
func prefixNumber(i int) string { return fmt.Sprintf("198.%d.%d.0/24", i>>8, i&255) }

func protoName(s string) protoreflect.Name { return protoreflect.Name(s) }

func ptr[T any](v T) *T { return &v }

const normalDistribution = asic.Normal
