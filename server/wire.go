package server

import (
	"net/netip"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// open begins a field that holds bytes, with room for a length of one byte; shut ends it.
func open(b []byte, field protowire.Number) (_ []byte, start int) {
	b = append(protowire.AppendTag(b, field, protowire.BytesType), 0)
	return b, len(b)
}

// shut writes the length of the field that open began, and moves the bytes if that takes more room.
func shut(b []byte, start int) []byte {
	n := len(b) - start
	if n < 0x80 {
		b[start-1] = byte(n)
		return b
	}
	more := protowire.SizeVarint(uint64(n)) - 1 //nolint:gosec // not negative
	b = slices.Grow(b, more)[:len(b)+more]
	copy(b[start+more:], b[start:start+n])
	protowire.AppendVarint(b[:start-1], uint64(n)) //nolint:gosec // not negative
	return b
}

// appendUint appends a number that is not 0.
func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// appendFlag appends a flag that is set.
func appendFlag(b []byte, field protowire.Number, on bool) []byte {
	if !on {
		return b
	}
	return append(protowire.AppendTag(b, field, protowire.VarintType), 1)
}

// appendAddr appends an address that is valid.
func appendAddr(b []byte, field protowire.Number, a netip.Addr) []byte {
	if !a.IsValid() {
		return b
	}
	b, start := open(b, field)
	return shut(a.AppendTo(b), start)
}

// appendPrefix appends a prefix that is valid.
func appendPrefix(b []byte, field protowire.Number, p netip.Prefix) []byte {
	if !p.IsValid() {
		return b
	}
	b, start := open(b, field)
	return shut(p.AppendTo(b), start)
}

// appendMessage appends a message by its generated code.
func appendMessage(b []byte, field protowire.Number, m interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}) []byte {
	size := m.SizeVT()
	b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size)) //nolint:gosec // not negative
	head := len(b)
	b = slices.Grow(b, size)[:head+size]
	if _, err := m.MarshalToSizedBufferVT(b[head:]); err != nil {
		panic(err) // vtprotobuf fails only on messages with extensions of its own
	}
	return b
}
