// Package codec is the gRPC codec of vasic's servers and clients. It writes and reads the ordinary protobuf wire format, so a
// peer that uses the stock codec notices nothing, but it does so with the generated vtprotobuf code where a message has it.
//
// Servers install it with grpc.ForceServerCodecV2(codec.Codec{}), clients with grpc.ForceCodecV2(codec.Codec{}). It is not
// registered globally: importing the package changes nothing for other users of gRPC in the process.
//
// # What always holds
//
//   - Strings are valid UTF-8, as proto3 demands, in what is sent and in what is received, and errors name the field that is
//     wrong. Only Raw and mem.BufferSlice go out unseen.
//   - Unmarshal accepts what the stock codec accepts, with the same result, and what it accepts can be sent on.
//   - A message that holds some of other packages (google.protobuf.Duration) is left to protobuf-go.
//   - Unmarshal empties the message first, as proto.Unmarshal does. But what hung on the message, elements of lists and
//     messages in fields, is filled again: who calls RecvMsg with one message again and again has what was in it for the time
//     between two calls only, and it never needs less memory than it once did. Reused bounds that.
//   - The strings and bytes of a decoded message lie in one array that belongs to nobody else. Keeping one of them keeps the
//     array, which has the size of the message.
//
// # Concurrency
//
// A Codec has no state; any number of goroutines may use it. The pool of buffers behind it is shared by the process.
package codec

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
)

// Name is the content subtype: application/grpc+proto, which is what every gRPC implementation speaks by default.
const Name = "proto"

// Codec implements encoding.CodecV2. The zero value is ready for use.
type Codec struct{}

var _ encoding.CodecV2 = Codec{}

// Raw is one message in encoded form, in pieces. Marshal sends the pieces one after another without copying them; nobody may
// write to them any more, since they are read after the send has returned; the list of pieces itself is free again then. A Raw
// without bytes is an empty message.
//
// It is how one encoding of an event reaches many watchers: stream.SendMsg(codec.Raw(chunks)).
//
// Unmarshal into a *Raw leaves the message undecoded, in at most one piece that belongs to the caller.
type Raw [][]byte

// Reused is what to receive into when many messages of one type come, and each is done with before the next: Unmarshal fills again what hangs on Message. It
// takes a fresh message whenever reusedBytes have come, so that what a few large ones needed is not kept for as long as many small ones come.
type Reused struct {
	Message proto.Message // of the type; another one after Unmarshal
	bytes   int           // that were decoded into it
}

// reusedBytes is some hundred batches of routes. At worst each byte takes some sixty in memory.
const reusedBytes = 4 << 20

// next makes ready for a message of n bytes.
func (r *Reused) next(n int) {
	if r.bytes += n; r.bytes > reusedBytes {
		r.Message, r.bytes = r.Message.ProtoReflect().New().Interface(), n
	}
}

// vtMessage is what vtprotobuf generates with the features marshal and size, and our protoc-gen-go-wire.
type vtMessage interface {
	proto.Message
	CheckWire() error
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
	DecodeWire([]byte) error
}

// Name returns Name.
func (Codec) Name() string { return Name }

// Marshal encodes v, which is a protobuf message, a Raw, or a mem.BufferSlice that holds a message in encoded form and whose
// references pass to gRPC. Small messages and those of a Raw are left to the garbage collector, others lie in a pooled buffer.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	switch v := v.(type) {
	case Raw:
		return v.buffers(), nil
	case *Raw:
		return v.buffers(), nil
	case mem.BufferSlice:
		return v, nil
	case vtMessage:
		return marshalVT(v)
	}
	m, err := message(v)
	if err != nil {
		return nil, err
	}
	b, err := marshal(m)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal decodes one message into v, a protobuf message, a *Reused or a *Raw. It keeps nothing of data.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case *Reused:
		m.next(data.Len())
		return c.Unmarshal(data, m.Message)
	case vtMessage:
		if err := m.DecodeWire(data.Materialize()); err != nil {
			return fmt.Errorf("codec: %T: %w", m, err)
		}
		return nil
	case *Raw:
		*m = append((*m)[:0], data.Materialize())
		return nil
	}
	m, err := message(v)
	if err != nil {
		return err
	}
	buf := data.MaterializeToBuffer(pool)
	defer buf.Free()
	if err := proto.Unmarshal(buf.ReadOnlyData(), m); err != nil {
		return fmt.Errorf("codec: %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return nil
}

// AppendField appends m to b as the message field of that number: tag, length, encoding. Messages of the vtprotobuf kind are
// encoded in place, and nothing is allocated while b has room. With an error b is returned as it was.
//
// It is for a message whose repeated field is filled bit by bit, or by several writers, and then sent as a Raw.
func AppendField(b []byte, number protowire.Number, m proto.Message) ([]byte, error) {
	start := len(b)
	vt, ok := m.(vtMessage)
	if !ok {
		encoded, err := marshal(m)
		if err != nil {
			return b, err
		}
		return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), encoded), nil
	}
	size := vt.SizeVT()
	b = protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(size))
	head := len(b)
	b = slices.Grow(b, size)[:head+size]
	if err := encodeVT(vt, b[head:]); err != nil {
		return b[:start], err
	}
	return b, nil
}

// marshalVT encodes m into a buffer of its own, pooled if that is worth it.
func marshalVT(m vtMessage) (mem.BufferSlice, error) {
	size := m.SizeVT()
	if mem.IsBelowBufferPoolingThreshold(size) {
		b := make([]byte, size)
		if err := encodeVT(m, b); err != nil {
			return nil, err
		}
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	b := pool.Get(size)
	if err := encodeVT(m, *b); err != nil {
		pool.Put(b)
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(b, pool)}, nil
}

// encodeVT encodes m into b, which has m's size.
func encodeVT(m vtMessage, b []byte) error {
	if err := m.CheckWire(); err != nil {
		return fmt.Errorf("codec: %w", err)
	}
	n, err := m.MarshalToSizedBufferVT(b)
	if err != nil {
		return err
	}
	if n != len(b) {
		return fmt.Errorf("codec: %T was changed while it was encoded", m)
	}
	return nil
}

// marshal encodes m with protobuf-go, whose errors do not say which string they mean.
func marshal(m proto.Message) ([]byte, error) {
	b, err := proto.Marshal(m)
	if err == nil {
		return b, nil
	}
	at := string(m.ProtoReflect().Descriptor().FullName())
	_ = protorange.Range(m.ProtoReflect(), func(v protopath.Values) error {
		if s, ok := v.Index(-1).Value.Interface().(string); ok && !utf8.ValidString(s) {
			at = v.Path.String()
			return protorange.Terminate
		}
		return nil
	})
	return nil, fmt.Errorf("codec: %s: %w", at, err)
}

// buffers is r as gRPC wants it.
func (r Raw) buffers() mem.BufferSlice {
	out := make(mem.BufferSlice, 0, len(r))
	for _, piece := range r {
		if len(piece) > 0 {
			out = append(out, mem.SliceBuffer(piece))
		}
	}
	return out
}

// message is v as a protobuf message, of either generation of the Go API.
func message(v any) (proto.Message, error) {
	switch v := v.(type) {
	case proto.Message:
		return v, nil
	case protoadapt.MessageV1:
		return protoadapt.MessageV2Of(v), nil
	}
	return nil, fmt.Errorf("codec: %T is not a protobuf message", v)
}
