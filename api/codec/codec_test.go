package codec_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the stock codec
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

var stock = encoding.GetCodecV2("proto")

// messages is one empty message of each type of the API, by name.
func messages() (all []proto.Message) {
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		if strings.HasPrefix(string(mt.Descriptor().FullName()), "vasic.v1.") {
			all = append(all, mt.New().Interface())
		}
		return true
	})
	slices.SortFunc(all, func(a, b proto.Message) int {
		return strings.Compare(string(proto.MessageName(a)), string(proto.MessageName(b)))
	})
	return all
}

// random fills m with whatever its fields can hold, empty values and unknown fields included.
func random(r *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if r.IntN(3) == 0 {
			continue
		}
		switch {
		case f.IsList():
			list := m.Mutable(f).List()
			for range r.IntN(4) {
				if f.Message() == nil {
					list.Append(randomScalar(r, f))
				} else if depth > 0 {
					random(r, list.AppendMutable().Message(), depth-1)
				}
			}
		case f.Message() != nil:
			if depth > 0 {
				random(r, m.Mutable(f).Message(), depth-1)
			}
		default:
			m.Set(f, randomScalar(r, f))
		}
	}
	if r.IntN(4) == 0 && m.Descriptor().ParentFile().Package() == "vasic.v1" {
		m.SetUnknown(protoreflect.RawFields{0xb8, 0x3e, 0x96, 0x01, 0xc2, 0x3e, 0x02, 0xff, 0xfe}) // 999: varint, 1000: bytes
	}
}

func randomScalar(r *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	n := r.Uint64() >> r.IntN(64)
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n&1 == 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(n))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(n)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{byte(n), 0xff, 0}[:r.IntN(4)])
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.Repeat([]string{"", "a", "2001:db8::/32", "ü€😀"}[n%4], r.IntN(3)))
	}
	panic(f.Kind().String() + " is new in the API: teach the test")
}

// encode is what c sends for v.
func encode(t testing.TB, c encoding.CodecV2, v any) []byte {
	t.Helper()
	buffers, err := c.Marshal(v)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	defer buffers.Free()
	return buffers.Materialize()
}

// pieces is b as it comes from a connection, in frames.
func pieces(b []byte, size int) (out mem.BufferSlice) {
	for ; len(b) > size; b = b[size:] {
		out = append(out, mem.SliceBuffer(b[:size]))
	}
	return append(out, mem.SliceBuffer(b))
}

func TestEveryMessageGoesBothWaysBetweenThisCodecAndTheStockOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, empty := range messages() {
		for range 60 {
			m := empty.ProtoReflect().New()
			random(r, m, 4)
			want := m.Interface()
			got := empty.ProtoReflect().New().Interface()
			if err := stock.Unmarshal(pieces(encode(t, codec.Codec{}, want), 50), got); err != nil || !proto.Equal(got, want) {
				t.Fatalf("to stock: %v\ngot  %v\nwant %v", err, got, want)
			}
			wire := encode(t, stock, want)
			random(r, got.ProtoReflect(), 2) // what is in a message before it is decoded must go
			if err := (codec.Codec{}).Unmarshal(pieces(wire, 50), got); err != nil {
				t.Fatalf("from stock: %v", err)
			}
			clear(wire) // nothing may be left of the connection's memory
			if !proto.Equal(got, want) {
				t.Fatalf("from stock:\ngot  %v\nwant %v", got, want)
			}
		}
	}
}

func TestLargeMessagesComeFromThePoolUnharmed(t *testing.T) {
	for _, n := range []int{1, 20, 30, 100, 3000, 30000} {
		want := batch(n)
		for range 3 {
			wire := encode(t, codec.Codec{}, want)
			got := &vasicv1.ModifyRoutesRequest{}
			if err := proto.Unmarshal(wire, got); err != nil || !proto.Equal(got, want) {
				t.Errorf("%d operations: %v", n, err)
			}
		}
	}
}

func TestInvalidUTF8IsAnErrorInEveryStringAndBothWays(t *testing.T) {
	for _, m := range messages() {
		for _, path := range stringPaths(m.ProtoReflect().Descriptor()) {
			m := m.ProtoReflect().New()
			set(m, path, "x\xff")
			_, err := stock.Marshal(m.Interface())
			if _, got := (codec.Codec{}).Marshal(m.Interface()); got == nil || err == nil {
				t.Errorf("%s %v: marshalled: %v, stock: %v", m.Descriptor().Name(), path, got, err)
			} else if field := path[len(path)-1].Name(); !strings.Contains(got.Error(), "."+string(field)) {
				t.Errorf("%s: %q does not say so", field, got)
			}
			set(m, path, "xy")
			wire := bytes.Replace(encode(t, stock, m.Interface()), []byte("xy"), []byte("x\xff"), 1)
			err = stock.Unmarshal(pieces(wire, 1000), m.New().Interface())
			if got := (codec.Codec{}).Unmarshal(pieces(wire, 1000), m.New().Interface()); got == nil || err == nil {
				t.Errorf("%s %v: unmarshalled: %v, stock: %v", m.Descriptor().Name(), path, got, err)
			}
		}
	}
}

func TestMalformedUnknownFieldsAreRefused(t *testing.T) {
	for _, m := range messages() {
		for _, wire := range [][]byte{
			{0xbb, 0x3e, 0xc4, 0x3e},                                                 // group 999 ends as 1000
			{0xbb, 0x3e, 0x00, 0x00, 0xbc, 0x3e},                                     // field 0 in a group
			{0xb8, 0x3e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, // 70 bits
			{0x80, 0x80, 0x80, 0x80, 0x10, 0x00},                                     // a number too large
		} {
			if err := (codec.Codec{}).Unmarshal(pieces(wire, 100), m.ProtoReflect().New().Interface()); err == nil {
				t.Errorf("%T: accepts %x", m, wire)
			}
		}
	}
}

// stringPaths are the ways to all strings in a message type.
func stringPaths(d protoreflect.MessageDescriptor) (paths [][]protoreflect.FieldDescriptor) {
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if f.Kind() == protoreflect.StringKind {
			paths = append(paths, []protoreflect.FieldDescriptor{f})
		} else if f.Message() != nil {
			for _, rest := range stringPaths(f.Message()) {
				paths = append(paths, append([]protoreflect.FieldDescriptor{f}, rest...))
			}
		}
	}
	return paths
}

// set makes m a message whose only string is s, at the end of path.
func set(m protoreflect.Message, path []protoreflect.FieldDescriptor, s string) {
	f := path[0]
	m.Clear(f)
	switch {
	case len(path) > 1 && f.IsList():
		set(m.Mutable(f).List().AppendMutable().Message(), path[1:], s)
	case len(path) > 1:
		set(m.Mutable(f).Message(), path[1:], s)
	case f.IsList():
		m.Mutable(f).List().Append(protoreflect.ValueOfString(s))
	default:
		m.Set(f, protoreflect.ValueOfString(s))
	}
}

func TestRawIsSentAsItIs(t *testing.T) {
	one, two := encode(t, stock, batch(1)), encode(t, stock, batch(2))
	for _, v := range []any{codec.Raw{one, nil, two}, &codec.Raw{one, nil, two}, mem.BufferSlice{mem.SliceBuffer(one), mem.SliceBuffer(two)}} {
		buffers, err := (codec.Codec{}).Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if len(buffers) != 2 || &buffers[0].ReadOnlyData()[0] != &one[0] || &buffers[1].ReadOnlyData()[0] != &two[0] {
			t.Errorf("%T was copied", v)
		}
	}
	if got := encode(t, codec.Codec{}, codec.Raw(nil)); len(got) != 0 {
		t.Errorf("nothing is sent as %x", got)
	}
	var got codec.Raw
	for range 2 {
		if err := (codec.Codec{}).Unmarshal(pieces(two, 7), &got); err != nil || len(got) != 1 || !bytes.Equal(got[0], two) {
			t.Errorf("got %x, %v; want %x", got, err, two)
		}
	}
}

func TestAppendFieldBuildsAMessageBitByBit(t *testing.T) {
	want := batch(50)
	b := []byte{}
	for i, op := range want.GetOperations() {
		if i == 25 { // what cannot be encoded leaves no trace
			if _, err := codec.AppendField(b, 1, &vasicv1.RouteOperation{Route: &vasicv1.Route{Prefix: "\xff"}}); err == nil {
				t.Error("invalid UTF-8 was encoded")
			}
		}
		var err error
		if b, err = codec.AppendField(b, 1, op); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(b, encode(t, codec.Codec{}, want)) {
		t.Error("bytes differ")
	}
	b = append(make([]byte, 0, 1<<10), "before"...)
	got, err := codec.AppendField(b, 1, &healthpb.HealthCheckRequest{Service: "\xff"})
	if err == nil || string(got) != "before" {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = codec.AppendField(b, 1, &healthpb.HealthCheckRequest{Service: "s"})
	if err != nil || string(got) != "before\x0a\x03\x0a\x01s" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAppendFieldAllocatesNothing(t *testing.T) {
	op, b := batch(1).GetOperations()[0], make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(100, func() { _, _ = codec.AppendField(b, 1, op) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWhatHangsOnAMessageIsUsedAgain(t *testing.T) {
	long, short := encode(t, stock, changes(20)), encode(t, stock, changes(5))
	m := &vasicv1.WatchResponse{}
	decode := func(wire []byte) {
		if err := (codec.Codec{}).Unmarshal(pieces(wire, 100), m); err != nil {
			t.Fatal(err)
		}
	}
	decode(long)
	first, last := m.Events[0].Route.NextHops[0], m.Events[19].Route.Metric
	decode(short)
	if len(m.Events) != 5 || m.Events[0].Route.NextHops[0] != first {
		t.Errorf("%d events, the first next hop is %p, not %p", len(m.Events), m.Events[0].Route.NextHops[0], first)
	}
	decode(long)
	if m.Events[19].Route.Metric != last {
		t.Error("the last metric is another one")
	}
	if want := changes(20); !proto.Equal(m, want) {
		t.Errorf("got %v, want %v", m, want)
	}
	data := mem.BufferSlice{mem.SliceBuffer(long)}
	if n := testing.AllocsPerRun(100, func() { _ = codec.Codec{}.Unmarshal(data, m) }); n != 1 { // the copy
		t.Errorf("%v allocations", n)
	}
}

func TestAReusedMessageDoesNotGrowForEver(t *testing.T) {
	wire := encode(t, stock, batch(2000))
	reused := &codec.Reused{Message: &vasicv1.ModifyRoutesRequest{}}
	decode := func() proto.Message {
		if err := (codec.Codec{}).Unmarshal(pieces(wire, 1<<14), reused); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(reused.Message, batch(2000)) {
			t.Fatal("another message")
		}
		return reused.Message
	}
	first := decode()
	if decode() != first {
		t.Error("the second message is not decoded into the first")
	}
	for n := 2 * len(wire); n <= 4<<20; n += len(wire) {
		decode()
	}
	if reused.Message == first {
		t.Error("what hangs on it is never let go of")
	}
}

func TestANilMessageIsAnEmptyOne(t *testing.T) {
	for _, m := range []proto.Message{(*vasicv1.Route)(nil), (*healthpb.HealthCheckRequest)(nil)} {
		if got := encode(t, codec.Codec{}, m); len(got) != 0 {
			t.Errorf("%T is sent as %x", m, got)
		}
	}
}

func TestOtherValuesAreRefused(t *testing.T) {
	if _, err := (codec.Codec{}).Marshal("text"); err == nil {
		t.Error("text was marshalled")
	}
	if err := (codec.Codec{}).Unmarshal(nil, new(string)); err == nil {
		t.Error("text was unmarshalled")
	}
	if _, err := (codec.Codec{}).Marshal(&healthpb.HealthCheckRequest{Service: "\xff"}); err == nil {
		t.Error("invalid UTF-8 was marshalled")
	}
}

func TestServicesOfOthersWorkOverIt(t *testing.T) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.ForceServerCodecV2(codec.Codec{}))
	healthpb.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)
	defer server.Stop()
	for name, c := range map[string]encoding.CodecV2{"this": codec.Codec{}, "stock": stock} {
		cc, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(c)),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cc.Close() })
		r, err := healthpb.NewHealthClient(cc).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}
