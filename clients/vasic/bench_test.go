package vasic_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// BenchmarkProgrammer is the client's share of programming: the switch reads nothing of a batch and has its answers ready.
func BenchmarkProgrammer(b *testing.B) {
	answer := &vasicv1.ModifyRoutesResponse{}
	for i := range vasic.DefaultBatchSize {
		answer.Results = append(answer.Results, &vasicv1.OperationResult{Id: uint64(i), Status: accepted, Revision: 1e6, RouteId: 1e6, Generation: 1e6})
	}
	wire, err := proto.Marshal(answer)
	if err != nil {
		b.Fatal(err)
	}
	f := &fakeSwitch{modify: func(s modifyStream) error {
		var batch codec.Raw
		for {
			if err := s.RecvMsg(&batch); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := s.SendMsg(mem.BufferSlice{mem.SliceBuffer(wire)}); err != nil {
				return err
			}
		}
	}}
	p, err := vasic.NewClient(serve(b, f)).NewProgrammer(b.Context(), vasic.ProgrammerOptions{OnResult: func(vasic.Result) {}})
	if err != nil {
		b.Fatal(err)
	}
	op := vasic.Operation{Action: actionAdd, Route: withMetric("192.0.2.0/24", 20)}
	b.ReportAllocs()
	for range b.N / vasic.DefaultBatchSize * vasic.DefaultBatchSize {
		if err := p.Send(op); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkWatch is the client's share of following: the switch has its events ready.
func BenchmarkWatch(b *testing.B) {
	const batch = 256
	response := &vasicv1.WatchResponse{}
	for i := range batch {
		response.Events = append(response.Events, &vasicv1.Event{
			Revision: uint64(i + 1), Kind: vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED, UnixNanos: 1_800_000_000_000_000_000,
			Route: &vasicv1.Route{
				Prefix: "192.0.2.0/24", Table: 254, Metric: proto.Uint32(20), Scope: proto.Uint32(0), Type: vasicv1.RouteType_ROUTE_TYPE_UNICAST, Protocol: 186,
				Id: 1e6, Generation: 1e6, Offload: true, NextHops: []*vasicv1.NextHop{{Gateway: "10.0.0.2", Device: "swp0", Weight: 1, Offload: true}},
			},
		})
	}
	wire, err := proto.Marshal(response)
	if err != nil {
		b.Fatal(err)
	}
	for _, reuse := range []bool{false, true} {
		b.Run(fmt.Sprintf("reuse=%t", reuse), func(b *testing.B) {
			f := &fakeSwitch{watches: []func(watchStream) error{func(s watchStream) error {
				if err := s.Send(&vasicv1.WatchResponse{Created: &vasicv1.Created{Epoch: 1}}); err != nil {
					return err
				}
				for {
					if err := s.SendMsg(mem.BufferSlice{mem.SliceBuffer(wire)}); err != nil {
						return err
					}
				}
			}}}
			w := vasic.NewClient(serve(b, f)).Watch(b.Context(), vasic.WatchOptions{LiveOnly: true, Reuse: reuse})
			defer w.Close()
			b.ReportAllocs()
			for n := 0; n < b.N; {
				u, err := w.Next(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if e, ok := u.(*vasic.Events); ok {
					n += len(e.Events)
				}
			}
		})
	}
}
