package vasic_test

import (
	"errors"
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
