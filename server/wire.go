package server

import (
	"net/netip"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/api/codec"
)

// appendTag is protowire.AppendTag for field numbers up to 2047, and small enough to be inlined.
func appendTag(b []byte, field protowire.Number, kind protowire.Type) []byte {
	tag := uint16(field)<<3 | uint16(kind) //nolint:gosec // small
	if tag < 0x80 {
		return append(b, byte(tag))
	}
	return append(b, byte(tag)|0x80, byte(tag>>7))
}

// open begins a field that holds bytes, with room for a length of one byte; shut ends it.
func open(b []byte, field protowire.Number) (_ []byte, start int) {
	b = append(appendTag(b, field, protowire.BytesType), 0)
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

// appendVarint is protowire.AppendVarint with a short way for what nearly every number is.
func appendVarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return protowire.AppendVarint(b, v)
}

// appendUint appends a number that is not 0.
func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return appendVarint(appendTag(b, field, protowire.VarintType), v)
}

// appendFlag appends a flag that is set.
func appendFlag(b []byte, field protowire.Number, on bool) []byte {
	if !on {
		return b
	}
	return append(appendTag(b, field, protowire.VarintType), 1)
}

// appendText appends a string that is not empty.
func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return append(appendVarint(appendTag(b, field, protowire.BytesType), uint64(len(text))), text...)
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
func appendMessage(b []byte, field protowire.Number, m proto.Message) []byte {
	b, err := codec.AppendField(b, field, m)
	if err != nil {
		panic(err) // its strings were checked when they came in, or are made here
	}
	return b
}
