package fpm_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
)

// The part of rtnetlink that a zebra of the tests speaks.
const (
	newRoute, delRoute     = 24, 25
	newNextHop, delNextHop = 104, 105
	newNeighbor            = 28

	request, replace, create = 0x1, 0x100, 0x400

	bgp, static, kernel = 186, 196, 2

	flagOffload, flagTrap, flagFailed = 0x4000, 0x8000, 0x20000000
)

// spec is a route as a test wants zebra to write it.
type spec struct {
	prefix   string
	table    uint32 // 0 means main
	protocol uint8  // 0 means bgp
	kind     uint8  // 0 means unicast
	hopID    uint32
	gateway  string
	link     uint32
	pid      uint32 // tells messages apart, as zebra's does after a restart
	hops     []hop  // a multipath list
}

type hop struct {
	gateway string
	link    uint32
	weight  uint8
}

func (s spec) header(kind uint16, protocol, routeType uint8) []byte {
	p := netip.MustParsePrefix(s.prefix)
	family := byte(2)
	if p.Addr().Is6() {
		family = 10
	}
	table := s.table
	if table == 0 {
		table = 254
	}
	short := byte(0)
	if table < 256 {
		short = byte(table)
	}
	m := message(kind, request|create, s.pid, []byte{family, byte(p.Bits()), 0, 0, short, protocol, 0, routeType, 0, 0, 0, 0})
	m = attribute(m, 1, p.Addr().AsSlice())
	m = attribute(m, 6, number(20))
	if short == 0 {
		m = attribute(m, 15, number(table))
	}
	return m
}

// set is the RTM_NEWROUTE of the route.
func (s spec) set() []byte {
	protocol, kind := s.protocol, s.kind
	if protocol == 0 {
		protocol = bgp
	}
	if kind == 0 {
		kind = 1
	}
	m := s.header(newRoute, protocol, kind)
	if s.hopID != 0 {
		m = attribute(m, 30, number(s.hopID))
	}
	if s.gateway != "" {
		m = attribute(m, 5, netip.MustParseAddr(s.gateway).AsSlice())
	}
	if s.link != 0 {
		m = attribute(m, 4, number(s.link))
	}
	if s.hops != nil {
		var list []byte
		for _, h := range s.hops {
			a := attribute(nil, 5, netip.MustParseAddr(h.gateway).AsSlice())
			one := binary.NativeEndian.AppendUint16(nil, uint16(8+len(a)))
			one = append(one, 0, max(h.weight, 1)-1)
			one = binary.NativeEndian.AppendUint32(one, h.link)
			list = append(list, append(one, a...)...)
		}
		m = attribute(m, 9, list)
	}
	return closed(m)
}

// unset is its RTM_DELROUTE.
func (s spec) unset() []byte { return closed(s.header(delRoute, bgp, 0)) }

// object is the RTM_NEWNEXTHOP of one next hop.
func object(id uint32, gateway string, link uint32) []byte {
	family := byte(2)
	if strings.Contains(gateway, ":") {
		family = 10
	}
	m := message(newNextHop, request|create|replace, 0, []byte{family, 0, 11, 0, 0, 0, 0, 0})
	m = attribute(m, 1, number(id))
	if gateway != "" {
		m = attribute(m, 6, netip.MustParseAddr(gateway).AsSlice())
	}
	return closed(attribute(m, 5, number(link)))
}

// group is the RTM_NEWNEXTHOP of a group.
func group(id uint32, members ...uint32) []byte {
	var list []byte
	for _, member := range members {
		list = append(append(list, number(member)...), 0, 0, 0, 0)
	}
	m := message(newNextHop, request|create|replace, 0, []byte{0, 0, 11, 0, 0, 0, 0, 0})
	return closed(attribute(attribute(m, 1, number(id)), 2, list))
}

// dropObject is the RTM_DELNEXTHOP of an id.
func dropObject(id uint32) []byte {
	m := message(delNextHop, request|create, 0, []byte{0, 0, 0, 0, 0, 0, 0, 0})
	return closed(attribute(m, 1, number(id)))
}

func message(kind, flags uint16, pid uint32, body []byte) []byte {
	m := binary.NativeEndian.AppendUint32(nil, 0) // closed writes it
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, flags)
	m = binary.NativeEndian.AppendUint32(m, 0)
	m = binary.NativeEndian.AppendUint32(m, pid)
	return append(m, body...)
}

func attribute(m []byte, kind uint16, data []byte) []byte {
	m = binary.NativeEndian.AppendUint16(m, uint16(4+len(data)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = append(m, data...)
	for len(m)%4 != 0 {
		m = append(m, 0)
	}
	return m
}

func number(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func closed(m []byte) []byte {
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	return m
}

// frameOf puts messages in a frame.
func frameOf(messages ...[]byte) []byte {
	b := []byte{1, 1, 0, 0}
	for _, m := range messages {
		b = append(b, m...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// answer is what zebra reads out of an answer.
type answer struct {
	prefix string
	table  uint32
	flags  uint32
	pid    uint32
	raw    []byte
}

// String is the prefix with its flags, and its table if that is not main.
func (a answer) String() string {
	text := name(a.table, a.prefix)
	for _, f := range []struct {
		bit  uint32
		name string
	}{{flagOffload, "offload"}, {flagTrap, "trap"}, {flagFailed, "failed"}} {
		if a.flags&f.bit != 0 {
			text += " " + f.name
		}
	}
	return text
}

// name is a prefix with its table, if that is not main.
func name(table uint32, prefix string) string {
	if table == 254 {
		return prefix
	}
	return fmt.Sprintf("%s table %d", prefix, table)
}

func readAnswer(t testing.TB, m []byte) answer {
	t.Helper()
	if len(m) < 28 || int(binary.NativeEndian.Uint32(m)) != len(m) || binary.NativeEndian.Uint16(m[4:]) != newRoute {
		t.Errorf("not an answer that zebra takes: %x", m)
		return answer{}
	}
	if binary.NativeEndian.Uint16(m[6:])&request == 0 {
		t.Errorf("an answer without NLM_F_REQUEST: %x", m)
	}
	a := answer{table: uint32(m[20]), flags: binary.NativeEndian.Uint32(m[24:]), pid: binary.NativeEndian.Uint32(m[12:]), raw: m}
	attributes, err := netlink.UnmarshalAttributes(m[28:])
	if err != nil {
		t.Error(err)
	}
	for _, at := range attributes {
		switch at.Type {
		case 1:
			addr, _ := netip.AddrFromSlice(at.Data)
			a.prefix = netip.PrefixFrom(addr, int(m[17])).String()
		case 15:
			a.table = binary.NativeEndian.Uint32(at.Data)
		}
	}
	return a
}
