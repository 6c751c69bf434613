package fpm

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Netlink's message header (struct nlmsghdr) and the values of rtnetlink that zebra uses, from include/uapi/linux/netlink.h,
// rtnetlink.h and nexthop.h. They are spelt out here because golang.org/x/sys has them for Linux only.
const (
	messageHeaderLen = 16
	flagsOffset      = 6 // of nlmsg_flags

	typeNewRoute   = 24 // RTM_NEWROUTE
	typeDelRoute   = 25
	typeNewNextHop = 104
	typeDelNextHop = 105

	flagRequest = 0x1 // NLM_F_REQUEST

	familyIPv4 = 2
	familyIPv6 = 10
)

// key names a route of zebra's: there is one for each.
type key struct {
	table  uint32
	prefix netip.Prefix
	source netip.Prefix // of an IPv6 route for packets from there; else the zero value
}

// updateKind says what an update does.
type updateKind uint8

const (
	setRoute updateKind = iota
	deleteRoute
	setNextHop
	deleteNextHop
	skipped // a message of another type or family
)

// update is one message, decoded.
type update struct {
	kind  updateKind
	route route   // for setRoute and, of it only the key, deleteRoute
	hop   nextHop // for setNextHop and, of it only the id, deleteNextHop
	// message is the netlink message of setRoute as zebra wrote it. It is the frame's memory.
	message []byte
	// replaced is set for a deleteRoute that the same frame follows up with a setRoute: both together are one replacement.
	replaced bool
}

// decoder turns frames into updates. The zero value is ready for use.
type decoder struct {
	updates []update
	frames  int
}

// reset forgets what was decoded.
func (d *decoder) reset() {
	clear(d.updates)
	d.updates, d.frames = d.updates[:0], 0
}

// frame appends the updates of all messages of a frame. If one is malformed, it appends none.
func (d *decoder) frame(f frame) error {
	before := len(d.updates)
	err := d.messages(f)
	if err != nil {
		clear(d.updates[before:])
		d.updates = d.updates[:before]
		return err
	}
	d.frames++
	return nil
}

func (d *decoder) messages(f frame) error {
	if f.kind != frameNetlink {
		d.updates = append(d.updates, update{kind: skipped})
		return nil
	}
	first := len(d.updates)
	for at := 0; at < len(f.payload); {
		rest := f.payload[at:]
		if len(rest) < messageHeaderLen {
			return &MalformedError{f.offset + int64(at), fmt.Sprintf("%d bytes are too few for a netlink message", len(rest))}
		}
		length := binary.NativeEndian.Uint32(rest)
		if length < messageHeaderLen || uint64(length) > uint64(len(rest)) {
			return &MalformedError{f.offset + int64(at), fmt.Sprintf("netlink message of %d bytes where %d are left", length, len(rest))}
		}
		u, err := decodeMessage(rest[:length])
		if err != nil {
			return &MalformedError{f.offset + int64(at), err.Error()}
		}
		if last := len(d.updates) - 1; last >= first && u.kind == setRoute && d.updates[last].kind == deleteRoute {
			d.updates[last].replaced = d.updates[last].route.key == u.route.key
		}
		d.updates = append(d.updates, u)
		at += align(int(length))
	}
	return nil
}

// decodeMessage decodes one message, whose header's length is right.
func decodeMessage(m []byte) (update, error) {
	body := m[messageHeaderLen:]
	switch binary.NativeEndian.Uint16(m[4:]) {
	case typeNewRoute:
		u := update{kind: setRoute, message: m}
		foreign, err := u.route.decode(body)
		if foreign || !u.route.kind.programmable() {
			u = update{kind: skipped}
		}
		return u, wrap("RTM_NEWROUTE", err)
	case typeDelRoute:
		u := update{kind: deleteRoute}
		foreign, err := u.route.decode(body)
		if foreign {
			u = update{kind: skipped}
		}
		return u, wrap("RTM_DELROUTE", err)
	case typeNewNextHop:
		u := update{kind: setNextHop}
		foreign, err := u.hop.decode(body)
		if foreign {
			u = update{kind: skipped}
		}
		return u, wrap("RTM_NEWNEXTHOP", err)
	case typeDelNextHop:
		u := update{kind: deleteNextHop}
		_, err := u.hop.decode(body)
		return u, wrap("RTM_DELNEXTHOP", err)
	}
	return update{kind: skipped}, nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
