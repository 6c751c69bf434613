package wire

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Uint reads the varint at b[i] and returns it with where it ends; less than 0 if there is none. One of up to eight bytes, with as many in b, is read
// without a loop.
func Uint(b []byte, i int) (v uint64, end int) {
	const last = 0x8080808080808080 // in each byte, where it is not set, that no other one follows
	if len(b)-i >= 8 {
		v = binary.LittleEndian.Uint64(b[i:])
		if ends := ^v & last; ends != 0 {
			v &= (ends ^ (ends - 1)) &^ last
			v = v&0x007f007f007f007f | v&0x7f007f007f007f00>>1
			v = v&0x00003fff00003fff | v&0x3fff00003fff0000>>2
			v = v&0x000000000fffffff | v&0x0fffffff00000000>>4
			return v, i + 1 + bits.TrailingZeros64(ends)/8
		}
	}
	v, n := protowire.ConsumeVarint(b[i:])
	if n < 0 {
		return 0, -1
	}
	return v, i + n
}

// Bytes reads what has its length in front, at b[i], and returns it with where it ends; less than 0 if there is nothing such.
func Bytes(b []byte, i int) (v []byte, end int) {
	if i < len(b) && b[i] < 0x80 {
		if end = i + 1 + int(b[i]); end > len(b) {
			return nil, -1
		}
		return b[i+1 : end : end], end
	}
	v, n := protowire.ConsumeBytes(b[i:])
	if n < 0 {
		return nil, -1
	}
	return v[:len(v):len(v)], i + n
}

// Fixed64 reads the 8 bytes at b[i] and returns them with where they end; less than 0 if there are not so many.
func Fixed64(b []byte, i int) (v uint64, end int) {
	if len(b)-i < 8 {
		return 0, -1
	}
	return binary.LittleEndian.Uint64(b[i:]), i + 8
}

// Text is b as a string, without a copy.
func Text(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // nobody writes to what is decoded
}

// AppendUnknown appends the field at b[i] to dst and returns with that where the field ends; less than 0 if it is malformed.
func AppendUnknown(dst, b []byte, i int) (_ []byte, end int) {
	number, _, n := protowire.ConsumeField(b[i:])
	if n < 0 || number > protowire.MaxValidNumber {
		return dst, -1
	}
	return append(dst, b[i:i+n]...), i + n
}

// Unmarshal is how DecodeWire does what is rare, and how it says what is wrong.
func Unmarshal(b []byte, m proto.Message) error { return proto.Unmarshal(b, m) }
