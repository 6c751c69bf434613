package vasic_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// fakeSwitch answers as its script says. Watch requests are recorded; the n-th is answered by the n-th function of watches,
// and those beyond the last by UNAVAILABLE.
type fakeSwitch struct {
	vasicv1.UnimplementedRouteServiceServer
	vasicv1.UnimplementedWatchServiceServer
	vasicv1.UnimplementedSwitchServiceServer

	watches []func(watchStream) error
	modify  func(modifyStream) error
	one     func(*vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error)

	mu       sync.Mutex
	requests []*vasicv1.WatchRequest
	at       []time.Time // of the requests
}

type (
	watchStream  = grpc.ServerStreamingServer[vasicv1.WatchResponse]
	modifyStream = grpc.BidiStreamingServer[vasicv1.ModifyRoutesRequest, vasicv1.ModifyRoutesResponse]
)

func (f *fakeSwitch) Watch(r *vasicv1.WatchRequest, s watchStream) error {
	f.mu.Lock()
	n := len(f.requests)
	f.requests = append(f.requests, r)
	f.at = append(f.at, time.Now())
	f.mu.Unlock()
	if n >= len(f.watches) {
		return status.Error(codes.Unavailable, "the script has ended")
	}
	return f.watches[n](s)
}

func (f *fakeSwitch) ModifyRoutes(s modifyStream) error { return f.modify(s) }

func (f *fakeSwitch) ModifyRoute(_ context.Context, r *vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) {
	return f.one(r)
}

// request is the n-th watch request.
func (f *fakeSwitch) request(n int) *vasicv1.WatchRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[n]
}

// serve serves f over an in-memory connection until the test ends, and returns that connection.
func serve(t testing.TB, f *fakeSwitch, opts ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(append([]grpc.ServerOption{grpc.ForceServerCodecV2(codec.Codec{})}, opts...)...)
	vasicv1.RegisterRouteServiceServer(server, f)
	vasicv1.RegisterWatchServiceServer(server, f)
	vasicv1.RegisterSwitchServiceServer(server, f)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	cc, err := grpc.NewClient("passthrough:///switch",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cc.Close()
		server.Stop()
		<-served
	})
	return cc
}

// inBubble runs a test in virtual time with a client of f.
func inBubble(t *testing.T, f *fakeSwitch, test func(t *testing.T, c *vasic.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, vasic.NewClient(serve(t, f))) })
}

// refusal is an error as a switch sends it.
func refusal(code codes.Code, reason vasicv1.ErrorReason, metadata map[string]string) error {
	name := reason.String()[len("ERROR_REASON_"):]
	st, err := status.New(code, "refused: "+name).WithDetails(&errdetails.ErrorInfo{Reason: name, Domain: vasic.Domain, Metadata: metadata})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

// Messages of a watch, for scripts.

func created(epoch, revision uint64) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Created: &vasicv1.Created{Epoch: epoch, Revision: revision}}
}

func snapshot(routes ...*vasicv1.Route) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Snapshot: &vasicv1.Snapshot{Routes: routes}}
}

func events(events ...*vasicv1.Event) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Events: events}
}

func synced(revision uint64) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Synced: &vasicv1.Synced{Revision: revision}}
}

func bookmark(revision uint64) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Bookmark: &vasicv1.Bookmark{Revision: revision}}
}

func closing(revision uint64) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Closing: &vasicv1.Closing{Revision: revision}}
}

func route(id uint64, prefix string) *vasicv1.Route { return &vasicv1.Route{Id: id, Prefix: prefix} }

func event(revision uint64, kind vasicv1.EventKind, r *vasicv1.Route) *vasicv1.Event {
	return &vasicv1.Event{Revision: revision, Kind: kind, Route: r}
}

// script sends the messages and ends the stream with err, or if that is nil holds it open.
func script(err error, messages ...*vasicv1.WatchResponse) func(watchStream) error {
	return func(s watchStream) error {
		for _, m := range messages {
			if err := s.Send(m); err != nil {
				return err
			}
		}
		if err == nil {
			<-s.Context().Done()
			return s.Context().Err()
		}
		return err
	}
}
