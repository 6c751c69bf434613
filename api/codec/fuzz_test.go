package codec_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/vasic-project/vasic/api/codec"
)

// FuzzUnmarshal holds the codec against the stock one, which gets to see each field that is not repeated once: what the codec
// accepts the stock one accepts with the same result, unless a varint is too long, and what it refuses the stock one refuses
// too, unless vtprotobuf says that a field has the wrong wire type. In any case the stock one reads what was accepted, encoded
// again, as the same.
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
	unread := apiOfBytes(f)
	f.Fuzz(func(t *testing.T, which uint, wire []byte) {
		m := types[which%uint(len(types))].ProtoReflect()
		got, want := m.New().Interface(), m.New().Interface()
		err := (codec.Codec{}).Unmarshal(pieces(wire, 16), got)
		last, wantErr := lastOnly(unread, m.Descriptor(), wire)
		if wantErr == nil {
			wantErr = stock.Unmarshal(pieces(last, 16), want)
		}
		switch {
		case err != nil:
			if wantErr == nil && !strings.Contains(err.Error(), "wrong wireType") {
				t.Fatalf("%x: refused with %v, but stock accepts", wire, err)
			}
			return
		case wantErr != nil:
			if !hasLongVarint(wire) {
				t.Fatalf("%x: accepted, but stock says %v", wire, wantErr)
			}
		case !proto.Equal(known(got), known(want)):
			t.Fatalf("%x:\ngot  %v\nwant %v", wire, got, want)
		}
		again := m.New().Interface()
		if err := stock.Unmarshal(pieces(encode(t, codec.Codec{}, got), 16), again); err != nil || !proto.Equal(known(again), known(got)) {
			t.Fatalf("encoded again: %v\ngot  %v\nwant %v", err, again, got)
		}
	})
}

// hasLongVarint says whether there may be a varint of more than 64 bits in wire, or a field number of more than 32.
func hasLongVarint(wire []byte) bool {
	run := 0
	for _, b := range wire {
		if run++; b < 0x80 {
			run = 0
		} else if run == 5 {
			return true
		}
	}
	return false
}

// apiOfBytes is the API with bytes in place of strings.
func apiOfBytes(t testing.TB) *protoregistry.Files {
	set, seen := &descriptorpb.FileDescriptorSet{}, make(map[string]bool)
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		p := protodesc.ToFileDescriptorProto(file)
		toBytes(p.GetMessageType())
		set.File = append(set.File, p)
	}
	for _, m := range messages() {
		add(m.ProtoReflect().Descriptor().ParentFile())
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func toBytes(messages []*descriptorpb.DescriptorProto) {
	for _, m := range messages {
		for _, f := range m.GetField() {
			if f.GetType() == descriptorpb.FieldDescriptorProto_TYPE_STRING {
				f.Type = descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum()
			}
		}
		toBytes(m.GetNestedType())
	}
}

// lastOnly is wire, an encoded message of type d, without what later occurrences of the same field replace.
func lastOnly(unread *protoregistry.Files, d protoreflect.MessageDescriptor, wire []byte) ([]byte, error) {
	u, err := unread.FindDescriptorByName(d.FullName())
	if err != nil {
		return nil, err
	}
	m := dynamicpb.NewMessage(u.(protoreflect.MessageDescriptor))
	if err := proto.Unmarshal(wire, m); err != nil {
		return nil, err
	}
	return proto.Marshal(m)
}
