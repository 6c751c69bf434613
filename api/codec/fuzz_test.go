package codec_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/api/codec"
)

// FuzzUnmarshal holds the codec against the stock one: what it accepts the stock one accepts with the same result, and what
// it refuses the stock one refuses too, unless vtprotobuf says that a field has the wrong wire type.
func FuzzUnmarshal(f *testing.F) {
	types := messages()
	r := rand.New(rand.NewPCG(3, 4))
	for i, m := range types {
		m := m.ProtoReflect().New()
		random(r, m, 4)
		f.Add(uint(i), encode(f, stock, m.Interface()))
	}
	f.Add(uint(0), []byte{0x0b, 0x0c})                                                       // a group
	f.Add(uint(0), []byte{0x0a, 0x02, 0x08, 0x80})                                           // cut off
	f.Add(uint(0), []byte{0x00, 0x00})                                                       // field 0
	f.Add(uint(0), []byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00}) // a number too large
	// Unknown fields are left out: stock protobuf shortens their tags, and vtprotobuf drops those of google.protobuf.Duration.
	known := func(m proto.Message) proto.Message {
		wire, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		m = m.ProtoReflect().New().Interface()
		if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(wire, m); err != nil {
			f.Fatal(err)
		}
		return m
	}
	f.Fuzz(func(t *testing.T, which uint, wire []byte) {
		m := types[which%uint(len(types))].ProtoReflect()
		got, want := m.New().Interface(), m.New().Interface()
		err := (codec.Codec{}).Unmarshal(pieces(wire, 16), got)
		wantErr := stock.Unmarshal(pieces(wire, 16), want)
		if err == nil && wantErr != nil {
			t.Fatalf("%x: accepted, but stock says %v", wire, wantErr)
		}
		if err == nil && !proto.Equal(known(got), known(want)) {
			t.Fatalf("%x:\ngot  %v\nwant %v", wire, got, want)
		}
		if err != nil {
			if wantErr == nil && !strings.Contains(err.Error(), "wrong wireType") {
				t.Fatalf("%x: refused with %v, but stock accepts", wire, err)
			}
			return
		}
		again := m.New().Interface()
		if err := stock.Unmarshal(pieces(encode(t, codec.Codec{}, got), 16), again); err != nil || !proto.Equal(known(again), known(want)) {
			t.Fatalf("encoded again: %v\ngot  %v\nwant %v", err, again, want)
		}
	})
}
