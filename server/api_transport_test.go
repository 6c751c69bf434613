package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

var vasicServices = []protoreflect.ServiceDescriptor{
	vasicv1.File_vasic_v1_audit_service_proto.Services().Get(0), vasicv1.File_vasic_v1_fault_service_proto.Services().Get(0),
	vasicv1.File_vasic_v1_link_service_proto.Services().Get(0), vasicv1.File_vasic_v1_neighbor_service_proto.Services().Get(0),
	vasicv1.File_vasic_v1_next_hop_service_proto.Services().Get(0), vasicv1.File_vasic_v1_record_service_proto.Services().Get(0),
	vasicv1.File_vasic_v1_route_service_proto.Services().Get(0), vasicv1.File_vasic_v1_rule_service_proto.Services().Get(0),
	vasicv1.File_vasic_v1_switch_service_proto.Services().Get(0), vasicv1.File_vasic_v1_watch_service_proto.Services().Get(0),
}

func TestHealthSaysServing(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		health := healthv1.NewHealthClient(r.cc)
		if res := must(health.Check(r.ctx(), &healthv1.HealthCheckRequest{}))(t); res.Status != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("the server: %v", res)
		}
		if _, err := health.Check(r.ctx(), &healthv1.HealthCheckRequest{Service: "vasic.v1.NoService"}); status.Code(err) != codes.NotFound {
			t.Errorf("no service: %v", err)
		}
	})
}

// What grpcurl does: list the services, and fetch what describes them with all that it imports.
func TestReflectionDescribesEveryService(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		stream := must(reflectionv1.NewServerReflectionClient(r.cc).ServerReflectionInfo(r.ctx()))(t)
		ask := func(req *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
			t.Helper()
			if err := stream.Send(req); err != nil {
				t.Fatal(err)
			}
			return must(stream.Recv())(t)
		}
		var names []string
		list := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
		for _, s := range list.GetListServicesResponse().GetService() {
			names = append(names, s.Name)
		}
		slices.Sort(names)
		wantEqual(t, "services", names, []string{
			"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
			"vasic.v1.AuditService", "vasic.v1.FaultService", "vasic.v1.LinkService", "vasic.v1.NeighborService", "vasic.v1.NextHopService",
			"vasic.v1.RecordService", "vasic.v1.RouteService", "vasic.v1.RuleService", "vasic.v1.SwitchService", "vasic.v1.WatchService",
		})

		files := map[string]*descriptorpb.FileDescriptorProto{}
		add := func(res *reflectionv1.ServerReflectionResponse) {
			for _, encoded := range res.GetFileDescriptorResponse().GetFileDescriptorProto() {
				fd := &descriptorpb.FileDescriptorProto{}
				if err := proto.Unmarshal(encoded, fd); err != nil {
					t.Fatal(err)
				}
				files[fd.GetName()] = fd
			}
		}
		for _, name := range names {
			add(ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name}}))
		}
		for again := true; again; {
			again = false
			for _, fd := range files {
				for _, dep := range fd.GetDependency() {
					if files[dep] == nil {
						again = true
						add(ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileByFilename{FileByFilename: dep}}))
						if files[dep] == nil {
							t.Fatalf("no file %s", dep)
						}
					}
				}
			}
		}
		set := &descriptorpb.FileDescriptorSet{}
		for _, fd := range files {
			set.File = append(set.File, fd)
		}
		found := must(protodesc.NewFiles(set))(t)
		for _, want := range vasicServices {
			d, err := found.FindDescriptorByName(want.FullName())
			if err != nil {
				t.Error(err)
				continue
			}
			if got := d.(protoreflect.ServiceDescriptor).Methods().Len(); got != want.Methods().Len() {
				t.Errorf("%s has %d methods, want %d", want.FullName(), got, want.Methods().Len())
			}
		}
		if res := ask(&reflectionv1.ServerReflectionRequest{
			MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "vasic.v1.Nothing"},
		}); res.GetErrorResponse().GetErrorCode() != int32(codes.NotFound) {
			t.Errorf("a symbol that is not there: %v", res)
		}
	})
}

// Every method is implemented: none answers UNIMPLEMENTED to an empty message.
func TestEveryMethodIsImplemented(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		for _, s := range vasicServices {
			for i := range s.Methods().Len() {
				m := s.Methods().Get(i)
				method := "/" + string(s.FullName()) + "/" + string(m.Name())
				err := r.rawStream(method, nil)
				if errors.Is(err, io.EOF) { // an empty listing
					continue
				}
				if code := status.Code(err); code == codes.Unimplemented || code == codes.Unknown || code == codes.Internal {
					t.Errorf("%s: %v", method, err)
				}
			}
		}
		if err := r.raw("/vasic.v1.RouteService/NoMethod", nil); status.Code(err) != codes.Unimplemented {
			t.Errorf("no method: %v", err)
		}
	})
}

func TestBothCodecsSayTheSame(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		variety(r)
		cc := r.dial(grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec.Codec{})))
		defer cc.Close()
		fast := *r
		fast.cc, fast.routes, fast.watches = cc, vasicv1.NewRouteServiceClient(cc), vasicv1.NewWatchServiceClient(cc)
		stock, own := r.list(nil), fast.list(nil)
		if len(stock) != len(own) {
			t.Fatalf("%d and %d routes", len(stock), len(own))
		}
		for i := range stock {
			if !proto.Equal(stock[i], own[i]) {
				t.Errorf("%v and %v", stock[i], own[i])
			}
		}
		wantEqual(t, "watches", fast.watch(&vasicv1.WatchRequest{}).until("synced"), r.watch(&vasicv1.WatchRequest{}).until("synced"))
	})
}

// logged is a log that tests can read.
type logged struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// panicky panics in GetStatus and at the second message of a stream.
func panicky() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if info.FullMethod == vasicv1.SwitchService_GetStatus_FullMethodName {
				panic("unary trouble")
			}
			return next(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if info.FullMethod == vasicv1.RouteService_ListRoutes_FullMethodName {
				panic("stream trouble")
			}
			return next(srv, &panickyStream{ServerStream: stream})
		}),
	}
}

type panickyStream struct {
	grpc.ServerStream
	received int
}

func (s *panickyStream) RecvMsg(m any) error {
	if s.received++; s.received > 1 {
		panic("reader trouble")
	}
	return s.ServerStream.RecvMsg(m)
}

var panicked = refused{code: codes.Internal, words: "the call panicked"}

func TestAPanicEndsItsCallOnly(t *testing.T) {
	var log logged
	inAPIBubble(t, server.Config{GRPCOptions: panicky(), Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, r *apiRig) {
		_, err := r.chip.GetStatus(r.ctx(), &vasicv1.GetStatusRequest{})
		panicked.checkErr(t, err)
		stream := must(r.routes.ListRoutes(r.ctx(), &vasicv1.ListRoutesRequest{}))(t)
		_, err = stream.Recv()
		panicked.checkErr(t, err)
		if got := r.scrape()["vasic_panics_total"]; got != 2 {
			t.Errorf("vasic_panics_total %v, want 2", got)
		}
		if res := r.settle(actionAdd, good4()); res.Status != statusOffloaded {
			t.Errorf("afterwards: %v", res)
		}
	})
	for _, words := range []string{"unary trouble", "stream trouble", "level=ERROR", "api_transport_test.go"} {
		if !strings.Contains(log.String(), words) {
			t.Errorf("the log does not say %q", words)
		}
	}
	if strings.Contains(log.String(), "panickyStream") && !strings.Contains(log.String(), "goroutine") {
		t.Error("the log has no stack")
	}
}

// ModifyRoutes reads in a goroutine of its own, where a panic that nobody recovers ends the process. So the test is done in another one.
func TestAPanicInTheReaderOfAStreamEndsThatStreamOnly(t *testing.T) {
	const child = "VASIC_TEST_PANIC"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v:\n%.2000s", err, out)
		}
		return
	}
	inAPIBubble(t, server.Config{GRPCOptions: panicky()}, func(t *testing.T, r *apiRig) {
		s := r.stream()
		s.send(op(1, actionAdd, good4()))
		results, err := s.drain()
		panicked.checkErr(t, err)
		if len(results) == 0 || results[0].Status != statusAccepted {
			t.Errorf("answers %v", results)
		}
		if res := r.settle(actionAdd, good6()); res.Status != statusOffloaded {
			t.Errorf("afterwards: %v", res)
		}
	})
}
