package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

const (
	lookupRoutes  = 100_000 // in the table
	lookupBatch   = 256     // addresses of one message
	lookupClients = 64      // look-ups in flight
)

// lookupAddress is an address within route i of filledSwitch, in an order without order.
func lookupAddress(i int) string {
	i = i * 7919 % lookupRoutes
	return fmt.Sprintf("11.%d.%d.%d", i>>12, i>>4&255, i&15<<4+1)
}

// filledSwitch is a switch at rest with lookupRoutes routes.
func filledSwitch(b *testing.B) *Server {
	b.Helper()
	s, err := New(Config{
		Links: []Link{{Name: "swp1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}}}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop(context.WithoutCancel(b.Context())) })
	requests, answers := make([]fib.Request, lookupRoutes), make([]fib.Answer, lookupRoutes)
	for i := range requests {
		requests[i] = fib.Request{Verb: fib.Add, Spec: fib.Spec{
			Table: fib.TableMain, Prefix: netip.MustParsePrefix(fmt.Sprintf("11.%d.%d.%d/28", i>>12, i>>4&255, i&15<<4)), NextHops: []fib.NextHopSpec{{Gateway: netip.MustParseAddr("10.0.1.2"), Weight: 1}},
		}}
	}
	s.fib.Modify(fib.IPv4, requests, answers)
	if err := s.chip.Idle(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// lookupConn is a connection over loopback.
func lookupConn(b *testing.B, s *Server) *grpc.ClientConn {
	b.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Serve(lis) }()
	cc, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec.Codec{})))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cc.Close() })
	return cc
}

// encoded is a message that costs its client nothing.
func encoded(b *testing.B, m proto.Message) codec.Raw {
	b.Helper()
	wire, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	return codec.Raw{wire}
}

// BenchmarkCompareAddresses asks for batches of addresses over loopback, in encoded form, so that nearly all that is measured is the server; an op is an address.
func BenchmarkCompareAddresses(b *testing.B) {
	s := filledSwitch(b)
	stream, err := vasicv1.NewAuditServiceClient(lookupConn(b, s)).CompareAddresses(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var batches []codec.Raw
	for i := 0; i < lookupRoutes; i += lookupBatch {
		var m vasicv1.CompareAddressesRequest
		for n := range lookupBatch {
			m.Addresses = append(m.Addresses, lookupAddress(i+n))
		}
		batches = append(batches, encoded(b, &m))
	}
	var answer vasicv1.CompareAddressesResponse
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for i := 0; i < b.N; i += lookupBatch {
			_ = stream.SendMsg(batches[i/lookupBatch%len(batches)])
		}
		_ = stream.CloseSend()
	}()
	var raw codec.Raw
	for i := 0; i < b.N; i += lookupBatch {
		if err := stream.RecvMsg(&raw); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := proto.Unmarshal(raw[0], &answer); err != nil {
		b.Fatal(err)
	}
	for _, c := range answer.Comparisons {
		if c.Verdict != vasicv1.Verdict_VERDICT_CONSISTENT || !c.Software.GetOffload() || c.Hardware.GetAction() != "forward" {
			b.Fatal(c)
		}
	}
}

// BenchmarkLookupRoute looks up addresses one by one over loopback, several at a time.
func BenchmarkLookupRoute(b *testing.B) {
	s := filledSwitch(b)
	cc := lookupConn(b, s)
	var requests []codec.Raw
	for i := range 4096 {
		requests = append(requests, encoded(b, &vasicv1.LookupRouteRequest{Address: lookupAddress(i)}))
	}
	var n atomic.Int64
	b.SetParallelism((lookupClients + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var raw codec.Raw
			if err := cc.Invoke(b.Context(), vasicv1.RouteService_LookupRoute_FullMethodName, requests[int(n.Add(1))%len(requests)], &raw); err != nil {
				b.Error(err)
			}
		}
	})
}
