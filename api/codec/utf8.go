package codec

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plan says where the strings of a message type are on the wire. It is immutable once it is in plans.
type plan struct {
	name   protoreflect.FullName
	fields []step // by field number
}

// step is what to do with a field: skip it, check it (text), or descend (sub).
type step struct {
	text bool
	sub  *plan
}

// plans holds a *plan for each protoreflect.MessageDescriptor met so far.
var plans sync.Map

// checkUTF8 walks over b, the encoding of m, and returns an error if a string of it is not UTF-8, or if b is not well-formed.
// It looks at the wire and not at the message, because so it needs neither reflection nor code for each type, and it cannot
// forget a field that is added.
func checkUTF8(m proto.Message, b []byte) error {
	d := m.ProtoReflect().Descriptor()
	p, ok := plans.Load(d)
	if !ok {
		p, _ = plans.LoadOrStore(d, newPlan(d, make(map[protoreflect.FullName]*plan)))
	}
	return p.(*plan).check(b)
}

// newPlan makes the plan of d and of what d contains; made holds those of this run, so that recursive types end.
func newPlan(d protoreflect.MessageDescriptor, made map[protoreflect.FullName]*plan) *plan {
	if p := made[d.FullName()]; p != nil {
		return p
	}
	p := &plan{name: d.FullName()}
	made[d.FullName()] = p
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		for len(p.fields) <= int(f.Number()) {
			p.fields = append(p.fields, step{})
		}
		switch f.Kind() {
		case protoreflect.StringKind:
			p.fields[f.Number()].text = true
		case protoreflect.MessageKind:
			p.fields[f.Number()].sub = newPlan(f.Message(), made)
		}
	}
	return p
}

// check walks over the encoding b of one message.
func (p *plan) check(b []byte) error {
	for len(b) > 0 {
		tag, n := uint64(b[0]), 1
		if tag >= 0x80 {
			if tag, n = protowire.ConsumeVarint(b); n < 0 {
				return p.malformed(n)
			}
		}
		b = b[n:]
		number, wireType := tag>>3, protowire.Type(tag&7)
		switch wireType {
		case protowire.VarintType:
			n = 0
			for n < len(b) && b[n] >= 0x80 {
				n++
			}
			if n++; n > len(b) || n > 9 {
				if _, n = protowire.ConsumeVarint(b); n < 0 {
					return p.malformed(n)
				}
			}
			b = b[n:]
		case protowire.BytesType:
			var size uint64
			if len(b) > 0 && b[0] < 0x80 {
				size, n = uint64(b[0]), 1
			} else if size, n = protowire.ConsumeVarint(b); n < 0 {
				return p.malformed(n)
			}
			if b = b[n:]; size > uint64(len(b)) {
				return p.malformed(-1)
			}
			if number < uint64(len(p.fields)) {
				switch s := p.fields[number]; {
				case s.sub != nil:
					if err := s.sub.check(b[:size]); err != nil {
						return err
					}
				case s.text && !valid(b[:size]):
					return fmt.Errorf("codec: field %d of %s holds invalid UTF-8", number, p.name)
				}
			}
			b = b[size:]
		default:
			num := protowire.Number(number)
			if n = protowire.ConsumeFieldValue(num, wireType, b); n < 0 {
				return p.malformed(n)
			}
			b = b[n:]
		}
		if number == 0 || number > uint64(protowire.MaxValidNumber) {
			return p.malformed(-2)
		}
	}
	return nil
}

// malformed turns protowire's negative length into an error.
func (p *plan) malformed(n int) error {
	return fmt.Errorf("codec: malformed %s: %w", p.name, protowire.ParseError(n))
}

// valid is utf8.Valid with a short way for what nearly every string here is: up to 16 bytes of ASCII.
func valid(b []byte) bool {
	const high = 0x8080808080808080
	switch n := len(b); {
	case n > 16:
	case n >= 8:
		if (binary.LittleEndian.Uint64(b)|binary.LittleEndian.Uint64(b[n-8:]))&high == 0 {
			return true
		}
	case n >= 4:
		if (binary.LittleEndian.Uint32(b)|binary.LittleEndian.Uint32(b[n-4:]))&(high&0xffffffff) == 0 {
			return true
		}
	}
	return utf8.Valid(b)
}
