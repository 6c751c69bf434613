package server

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"

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
	if n := len(b) - start; n < 0x80 {
		b[start-1] = byte(n)
		return b
	}
	return shutLong(b, start)
}

func shutLong(b []byte, start int) []byte {
	n := len(b) - start
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
	return appendLongVarint(b, v)
}

// appendLongVarint does what is left of it without a loop: eight groups of 7 bits are moved to where they belong at once.
func appendLongVarint(b []byte, v uint64) []byte {
	const (
		most = binary.MaxVarintLen64
		more = 0x8080808080808080 // in each byte: another one follows
	)
	n := len(b)
	if cap(b)-n < most {
		b = slices.Grow(b, most)
	}
	to := b[n : n+most]
	low := v&0x000000000fffffff | v&0x00fffffff0000000<<4
	low = low&0x00003fff00003fff | low&0x0fffc0000fffc000<<2
	low = low&0x007f007f007f007f | low&0x3f803f803f803f80<<1
	if high := byte(v >> 56); high > 0 {
		binary.LittleEndian.PutUint64(to, low|more)
		if to[8] = high; high < 0x80 {
			return b[:n+9]
		}
		to[9] = 1
		return b[:n+10]
	}
	size := (bits.Len64(v) + 6) / 7
	binary.LittleEndian.PutUint64(to, low|more&(1<<(8*size-8)-1))
	return b[:n+size]
}

// appendUint appends a number that is not 0.
func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return appendNumber(b, field, v)
}

// appendNumber appends a number, 0 too.
func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
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
	return shut(appendAddrText(b, a), start)
}

// appendPrefix appends a prefix that is valid.
func appendPrefix(b []byte, field protowire.Number, p netip.Prefix) []byte {
	if !p.IsValid() {
		return b
	}
	b, start := open(b, field)
	b = append(appendAddrText(b, p.Addr()), '/')
	d := &decimals[p.Bits()]
	return shut(append(b, d.text[:d.size]...), start)
}

// decimals are the numbers of an IPv4 address in text, each with a dot behind it.
var decimals = func() (all [256]struct {
	text [4]byte
	size int // without the dot
}) {
	for i := range all {
		all[i].size = len(strconv.Itoa(i))
		copy(all[i].text[:], strconv.Itoa(i)+".")
	}
	return all
}()

// appendAddrText is a.AppendTo(b), quicker for IPv4.
func appendAddrText(b []byte, a netip.Addr) []byte {
	if !a.Is4() {
		return a.AppendTo(b)
	}
	const most = len("255.255.255.255.")
	n := len(b)
	b = slices.Grow(b, most)[:n+most]
	for _, octet := range a.As4() {
		d := &decimals[octet]
		*(*[4]byte)(b[n:]) = d.text
		n += d.size + 1
	}
	return b[:n-1]
}

// appendMessage appends a message by its generated code.
func appendMessage(b []byte, field protowire.Number, m proto.Message) []byte {
	b, err := codec.AppendField(b, field, m)
	if err != nil {
		panic(err) // its strings were checked when they came in, or are made here
	}
	return b
}
