package codec_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// benchSize is the number of routes in a message.
const benchSize = 256

func benchRoute(i int) *vasicv1.Route {
	return &vasicv1.Route{
		Prefix: fmt.Sprintf("10.%d.%d.0/24", i>>8&255, i&255), Table: 254, Metric: proto.Uint32(20), Type: 1, Protocol: 186,
		NextHops: []*vasicv1.NextHop{{Gateway: "10.0.0.2", Device: "swp1", Weight: 1}},
	}
}

// batch is a ModifyRoutesRequest of n operations.
func batch(n int) *vasicv1.ModifyRoutesRequest {
	m := &vasicv1.ModifyRoutesRequest{}
	for i := range n {
		m.Operations = append(m.Operations, &vasicv1.RouteOperation{Id: uint64(i), Action: 2, Route: benchRoute(i)})
	}
	return m
}

func answers(n int) *vasicv1.ModifyRoutesResponse {
	m := &vasicv1.ModifyRoutesResponse{}
	for i := range n {
		m.Results = append(m.Results, &vasicv1.OperationResult{Id: uint64(i), Status: 1, Revision: uint64(1e6 + i), RouteId: uint64(1e6 + i), Generation: uint64(1e6 + i)})
	}
	return m
}

func changes(n int) *vasicv1.WatchResponse {
	m := &vasicv1.WatchResponse{}
	for i := range n {
		r := benchRoute(i)
		r.Id, r.Generation, r.Offload = uint64(1e6+i), uint64(1e6+i), true
		m.Events = append(m.Events, &vasicv1.Event{Revision: uint64(1e6 + i), Kind: 4, Route: r, UnixNanos: 1.7e18})
	}
	return m
}

func BenchmarkCodec(b *testing.B) {
	for _, m := range []proto.Message{batch(benchSize), answers(benchSize), changes(benchSize)} {
		wire := encode(b, stock, m)
		for _, c := range []struct {
			name  string
			codec encoding.CodecV2
		}{{"stock", stock}, {"vasic", codec.Codec{}}} {
			name := fmt.Sprintf("%s/%s", m.ProtoReflect().Descriptor().Name(), c.name)
			b.Run(name+"/Marshal", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					buffers, err := c.codec.Marshal(m)
					if err != nil {
						b.Fatal(err)
					}
					buffers.Free()
				}
				perRoute(b)
			})
			b.Run(name+"/Unmarshal", func(b *testing.B) {
				b.ReportAllocs()
				data := pieces(wire, 16<<10)
				for b.Loop() {
					if err := c.codec.Unmarshal(data, m.ProtoReflect().New().Interface()); err != nil {
						b.Fatal(err)
					}
				}
				perRoute(b)
			})
		}
	}
}

func perRoute(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSize, "ns/route")
}
