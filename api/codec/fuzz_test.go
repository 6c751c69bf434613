package codec_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/api/codec"
)

// FuzzUnmarshal holds the codec against the stock one: both accept the same, with the same result, and the stock one reads what was
// accepted, encoded again, as the same.
func FuzzUnmarshal(f *testing.F) {
	types := messages()
	r := rand.New(rand.NewPCG(3, 4))
	for i, m := range types {
		m := m.ProtoReflect().New()
		random(r, m, 4)
		f.Add(uint(i), encode(f, stock, m.Interface()))
		f.Add(uint(i), []byte{0x0a, 0x01, 0xff, 0x0a, 0x01, 'a'})                                      // replaced
		f.Add(uint(i), []byte{0x0a, 0x8b, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0x0a}) // a length of 65 bits
		f.Add(uint(i), []byte{0x8a, 0x80, 0x80, 0x80, 0x80, 0x01, 0x01, 'a'})                          // a number of 33 bits
		f.Add(uint(i), []byte{0x08, 0x01, 0x0a, 0x02, 0x08, 0x01, 0x0a, 0x02, 0x10, 0x01})             // in two pieces
	}
	f.Add(uint(0), []byte{0x0b, 0x0c})                                                       // a group
	f.Add(uint(0), []byte{0x0a, 0x02, 0x08, 0x80})                                           // cut off
	f.Add(uint(0), []byte{0x00, 0x00})                                                       // field 0
	f.Add(uint(0), []byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00}) // a number too large
	// Unknown fields are left out: stock protobuf shortens their tags.
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
		err, wantErr := (codec.Codec{}).Unmarshal(pieces(wire, 16), got), stock.Unmarshal(pieces(wire, 16), want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%x: %v, but stock says %v", wire, err, wantErr)
		}
		if err != nil {
			return
		}
		if !proto.Equal(known(got), known(want)) {
			t.Fatalf("%x:\ngot  %v\nwant %v", wire, got, want)
		}
		again := m.New().Interface()
		if err := stock.Unmarshal(pieces(encode(t, codec.Codec{}, got), 16), again); err != nil || !proto.Equal(known(again), known(got)) {
			t.Fatalf("encoded again: %v\ngot  %v\nwant %v", err, again, got)
		}
		// Into a message that has been used, which is used again.
		random(rand.New(rand.NewPCG(5, 6)), again.ProtoReflect(), 3)
		if err := (codec.Codec{}).Unmarshal(pieces(wire, 16), again); err != nil || !proto.Equal(known(again), known(want)) {
			t.Fatalf("%x, a second time: %v\ngot  %v\nwant %v", wire, err, again, want)
		}
	})
}
