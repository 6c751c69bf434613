package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// fake is a switch that remembers what it was asked and keeps routes in a list, by prefix and table only.
type fake struct {
	vasicv1.UnimplementedRouteServiceServer
	vasicv1.UnimplementedWatchServiceServer
	vasicv1.UnimplementedSwitchServiceServer
	vasicv1.UnimplementedLinkServiceServer
	fakeObjects
	fakeTruth

	mu       sync.Mutex // guards the following
	requests []string   // of what changes something: method and request
	routes   []*vasicv1.Route
	links    []*vasicv1.Link
	addrs    []*vasicv1.Address
	settings *vasicv1.Settings
	refuse   map[string]error // by method, or by the prefix of a route
	warning  string
	failed   bool // hardware fails
	same     bool // routes that are programmed are there already
	trapped  bool // hardware has no room for next hops
	watches  []func(*vasicv1.WatchRequest, vasicv1.WatchService_WatchServer) error

	listener *bufconn.Listener
}

// newFake starts a switch with the links lo, d1, d2 and d3.
func newFake(t *testing.T) *fake {
	f := &fake{settings: &vasicv1.Settings{}, refuse: map[string]error{}, listener: bufconn.Listen(1 << 20)}
	f.links = []*vasicv1.Link{
		{Name: "lo", Index: 1, Type: "loopback", Up: true, Carrier: true},
		{Name: "d1", Index: 2, Type: "dummy", Up: true, Carrier: true},
		{Name: "d2", Index: 3, Type: "dummy", Up: true},
		{Name: "d3", Index: 4, Type: "dummy"},
	}
	f.addrs = []*vasicv1.Address{
		{Link: "lo", Prefix: "127.0.0.1/8"}, {Link: "lo", Prefix: "::1/128"},
		{Link: "d1", Prefix: "10.0.1.1/24"}, {Link: "d1", Prefix: "10.0.1.9/24", Secondary: true}, {Link: "d1", Prefix: "2001:db8:101::1/64"},
		{Link: "d1", Prefix: "172.16.9.1/24"},
	}
	s := grpc.NewServer()
	vasicv1.RegisterRouteServiceServer(s, f)
	vasicv1.RegisterWatchServiceServer(s, f)
	vasicv1.RegisterSwitchServiceServer(s, f)
	vasicv1.RegisterLinkServiceServer(s, f)
	vasicv1.RegisterNeighborServiceServer(s, f)
	vasicv1.RegisterNextHopServiceServer(s, f)
	vasicv1.RegisterRuleServiceServer(s, f)
	vasicv1.RegisterFaultServiceServer(s, f)
	vasicv1.RegisterAuditServiceServer(s, f)
	vasicv1.RegisterRecordServiceServer(s, f)
	go func() { _ = s.Serve(f.listener) }()
	t.Cleanup(s.Stop)
	return f
}

// dial is for Env.Dial.
func (f *fake) dial(context.Context, string) (*vasic.Client, error) {
	cc, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return f.listener.DialContext(ctx) }))
	if err != nil {
		return nil, err
	}
	return vasic.NewClient(cc), nil
}

// run runs a command line, split at spaces, and returns exit code, standard output and standard error.
func (f *fake) run(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	return f.runWith(t, "", line)
}

// runWith is run with standard input.
func (f *fake) runWith(t *testing.T, stdin, line string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Dial: f.dial, Getenv: func(string) string { return "" }, Version: "1.2.3"}
	code = env.Run(t.Context(), strings.Fields(line))
	return code, out.String(), errs.String()
}

// asked returns what changed something since the last call.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.requests
	f.requests = nil
	return r
}

// note remembers a request and returns what it is refused with.
func (f *fake) note(method string, m proto.Message) error {
	b, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, method+" "+strings.NewReplacer("ROUTE_ACTION_", "", "ROUTE_TYPE_", "", `"`, "").Replace(compact.String()))
	return f.refuse[method]
}

// refusal is an error as the switch sends it.
func refusal(code codes.Code, reason, errno, kernel, message string) error {
	st, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{
		Reason: reason, Domain: vasic.Domain, Metadata: map[string]string{"errno": errno, "kernel_message": kernel},
	})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

var errExists = refusal(codes.AlreadyExists, "ROUTE_EXISTS", "EEXIST", "", "a route of that name exists")

// apply carries out an operation.
func (f *fake) apply(action vasicv1.RouteAction, r *vasicv1.Route) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refuse[r.Prefix]; err != nil {
		return err
	}
	for _, nh := range r.NextHops {
		if nh.Device != "" && f.link(nh.Device) == nil {
			return refusal(codes.NotFound, "LINK_NOT_FOUND", "ENODEV", "", "no link has that name")
		}
	}
	at := -1
	for i, have := range f.routes {
		if have.Prefix == r.Prefix && have.Table == r.Table {
			at = i
		}
	}
	switch {
	case action == vasicv1.RouteAction_ROUTE_ACTION_DELETE && at < 0:
		return refusal(codes.NotFound, "ROUTE_NOT_FOUND", "ESRCH", "", "no route matches")
	case action == vasicv1.RouteAction_ROUTE_ACTION_DELETE:
		f.routes = append(f.routes[:at], f.routes[at+1:]...)
	case action == vasicv1.RouteAction_ROUTE_ACTION_ADD && at >= 0:
		return errExists
	case at >= 0:
		f.routes[at] = proto.CloneOf(r)
	default:
		f.routes = append(f.routes, proto.CloneOf(r))
	}
	return nil
}

// link returns the link of that name. Called with mu held.
func (f *fake) link(name string) *vasicv1.Link {
	for _, l := range f.links {
		if l.Name == name {
			return l
		}
	}
	return nil
}

func (f *fake) ModifyRoute(_ context.Context, req *vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) {
	if err := f.note("ModifyRoute", req); err != nil {
		return nil, err
	}
	if err := f.apply(req.Action, req.Route); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	result := &vasicv1.OperationResult{Status: vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED, Warning: f.warning}
	if req.WaitForHardware && f.failed {
		result.Status, result.FailureReason = vasicv1.OperationStatus_OPERATION_STATUS_FAILED, vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL
	}
	if req.WaitForHardware && f.trapped {
		result.Status, result.FailureReason = vasicv1.OperationStatus_OPERATION_STATUS_TRAPPED, vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL
	}
	return &vasicv1.ModifyRouteResponse{Result: result}, nil
}

func (f *fake) ModifyRoutes(stream vasicv1.RouteService_ModifyRoutesServer) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		resp := &vasicv1.ModifyRoutesResponse{}
		for _, op := range req.Operations {
			result := &vasicv1.OperationResult{Id: op.Id, Status: vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED, RouteId: 1}
			if f.same {
				result.RouteId = 0
			}
			resp.Results = append(resp.Results, result)
			if err := f.apply(op.Action, op.Route); err != nil {
				e, _ := vasic.AsError(err)
				result.Status = vasicv1.OperationStatus_OPERATION_STATUS_REFUSED
				result.Error = &vasicv1.OperationError{
					Code: int32(e.Code), Reason: e.Reason.String()[len("ERROR_REASON_"):], Message: e.Message, Errno: e.Errno, KernelMessage: e.KernelMessage,
				}
				continue
			}
			if op.ReportHardware {
				settled := &vasicv1.OperationResult{Id: op.Id, Status: vasicv1.OperationStatus_OPERATION_STATUS_OFFLOADED}
				if f.same {
					settled.Status = vasicv1.OperationStatus_OPERATION_STATUS_NOT_SELECTED
				}
				if f.failed {
					settled.Status, settled.FailureReason = vasicv1.OperationStatus_OPERATION_STATUS_FAILED, vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL
				}
				resp.Results = append(resp.Results, settled)
			}
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
}

// selects says whether a filter means r, as far as the tests need it.
func selects(fl *vasicv1.RouteFilter, r *vasicv1.Route) bool {
	dst := netip.MustParsePrefix(r.Prefix)
	return (fl.Family == familyAny || fl.Family == familyOf(r.Prefix)) && (fl.Table == 0 || fl.Table == r.Table) &&
		(fl.ExactPrefix == "" || fl.ExactPrefix == r.Prefix) &&
		(fl.WithinPrefix == "" || netip.MustParsePrefix(fl.WithinPrefix).Overlaps(dst)) &&
		(fl.Protocol == nil || *fl.Protocol == r.Protocol)
}

func (f *fake) ListRoutes(req *vasicv1.ListRoutesRequest, stream vasicv1.RouteService_ListRoutesServer) error {
	if err := f.note("ListRoutes", req); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.routes {
		if selects(req.GetFilter(), r) {
			if err := stream.Send(&vasicv1.ListRoutesResponse{Routes: []*vasicv1.Route{r}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fake) FlushRoutes(_ context.Context, req *vasicv1.FlushRoutesRequest) (*vasicv1.FlushRoutesResponse, error) {
	if err := f.note("FlushRoutes", req); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	resp := &vasicv1.FlushRoutesResponse{}
	var keep []*vasicv1.Route
	for _, r := range f.routes {
		if selects(req.Filter, r) {
			resp.Deleted++
		} else {
			keep = append(keep, r)
		}
	}
	f.routes = keep
	return resp, nil
}

func (f *fake) GetRoute(_ context.Context, req *vasicv1.GetRouteRequest) (*vasicv1.GetRouteResponse, error) {
	return nil, refusal(codes.NotFound, "TABLE_NOT_FOUND", "ESRCH", "FIB table does not exist", "")
}

func (f *fake) LookupRoute(_ context.Context, req *vasicv1.LookupRouteRequest) (*vasicv1.LookupRouteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.routes {
		if netip.MustParsePrefix(r.Prefix).Contains(netip.MustParseAddr(req.Address)) {
			return &vasicv1.LookupRouteResponse{Route: r}, nil
		}
	}
	return nil, refusal(codes.NotFound, "ROUTE_NOT_FOUND", "ESRCH", "", "no route matches")
}

func (f *fake) Watch(req *vasicv1.WatchRequest, stream vasicv1.WatchService_WatchServer) error {
	f.mu.Lock()
	if len(f.watches) == 0 {
		f.mu.Unlock()
		<-stream.Context().Done()
		return nil
	}
	w := f.watches[0]
	f.watches = f.watches[1:]
	f.mu.Unlock()
	return w(req, stream)
}

func (f *fake) CreateLink(_ context.Context, req *vasicv1.CreateLinkRequest) (*vasicv1.CreateLinkResponse, error) {
	return &vasicv1.CreateLinkResponse{}, f.note("CreateLink", req)
}

func (f *fake) DeleteLink(_ context.Context, req *vasicv1.DeleteLinkRequest) (*vasicv1.DeleteLinkResponse, error) {
	if err := f.note("DeleteLink", req); err != nil {
		return nil, err
	}
	_, err := f.find(req.Name)
	return &vasicv1.DeleteLinkResponse{}, err
}

func (f *fake) UpdateLink(_ context.Context, req *vasicv1.UpdateLinkRequest) (*vasicv1.UpdateLinkResponse, error) {
	if err := f.note("UpdateLink", req); err != nil {
		return nil, err
	}
	_, err := f.find(req.GetLink().GetName())
	return &vasicv1.UpdateLinkResponse{}, err
}

// find returns a link or the error that there is none.
func (f *fake) find(name string) (*vasicv1.Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.link(name); l != nil {
		return l, nil
	}
	return nil, refusal(codes.NotFound, "LINK_NOT_FOUND", "ENODEV", "", fmt.Sprintf("no link has that name: %q", name))
}

func (f *fake) GetLink(_ context.Context, req *vasicv1.GetLinkRequest) (*vasicv1.GetLinkResponse, error) {
	l, err := f.find(req.Name)
	return &vasicv1.GetLinkResponse{Link: l}, err
}

func (f *fake) ListLinks(context.Context, *vasicv1.ListLinksRequest) (*vasicv1.ListLinksResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &vasicv1.ListLinksResponse{Links: f.links}, nil
}

func (f *fake) CreateAddress(_ context.Context, req *vasicv1.CreateAddressRequest) (*vasicv1.CreateAddressResponse, error) {
	if err := f.note("CreateAddress", req); err != nil {
		return nil, err
	}
	_, err := f.find(req.GetAddress().GetLink())
	return &vasicv1.CreateAddressResponse{}, err
}

func (f *fake) DeleteAddress(_ context.Context, req *vasicv1.DeleteAddressRequest) (*vasicv1.DeleteAddressResponse, error) {
	return &vasicv1.DeleteAddressResponse{}, f.note("DeleteAddress", req)
}

func (f *fake) ListAddresses(_ context.Context, req *vasicv1.ListAddressesRequest) (*vasicv1.ListAddressesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	resp := &vasicv1.ListAddressesResponse{}
	for _, a := range f.addrs {
		if req.Link == "" || req.Link == a.Link {
			resp.Addresses = append(resp.Addresses, a)
		}
	}
	return resp, nil
}
