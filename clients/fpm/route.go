package fpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Route attributes (RTA_…) that say where a route is and where it leads. Others, such as metrics, preferred source and
// encapsulation, do not matter to this chip.
const (
	attrDestination = 1
	attrSource      = 2
	attrOutputLink  = 4
	attrGateway     = 5
	attrMultipath   = 9
	attrTable       = 15
	attrVia         = 18
	attrNextHopID   = 30
)

const (
	routeHeaderLen = 12 // struct rtmsg
	routeFlags     = 8  // offset of rtm_flags in it
	hopHeaderLen   = 8  // struct rtnexthop
	tableMain      = 254
	hopOnlink      = 0x4 // RTNH_F_ONLINK, in rtnh_flags, nh_flags and for a single next hop in rtm_flags
)

// routeKind is what is done with packets, in rtnetlink's numbers, which are those of vasicv1.RouteType.
type routeKind uint8

const (
	unicast     routeKind = 1
	local       routeKind = 2
	blackhole   routeKind = 6
	unreachable routeKind = 7
	prohibit    routeKind = 8
)

// rejects says whether packets go nowhere, so that there are no next hops.
func (k routeKind) rejects() bool { return k >= blackhole }

// programmable says whether a route of this kind is for the chip. Zebra sends no others.
func (k routeKind) programmable() bool { return k == unicast || k >= blackhole && k <= prohibit }

// protocol is who installed a route, in rtnetlink's numbers.
type protocol uint8

// listens says whether zebra takes answers for routes of this owner. Those of the kernel need none, and zebra's own number,
// which the FPM module of old used for all routes, is nobody's.
func (p protocol) listens() bool {
	switch p {
	case 0, 1, 2, 3, 11: // RTPROT_UNSPEC, _REDIRECT, _KERNEL, _BOOT, _ZEBRA
		return false
	}
	return true
}

// route is a route as zebra wants it.
type route struct {
	key      key
	kind     routeKind
	protocol protocol
	hopID    uint32 // of a next-hop object; 0 if paths says where the route leads
	paths    *paths
}

// path is one way out.
type path struct {
	gateway netip.Addr // the zero value where the destination is on the link
	link    uint32     // ifindex
	weight  uint32     // 1 to 65536
	onlink  bool
}

// paths are the ways out of a route. They are immutable, and shared by the routes of one next-hop object.
type paths struct {
	list      []path
	blackhole bool // there is none: a next-hop object can say so

	hops  []*vasicv1.NextHop // list as the switch is told of it; kept by rib.nextHops
	names uint64             // linkNames.version when hops was made
}

var (
	errShort   = errors.New("the message is shorter than its fixed part")
	errAddress = errors.New("an address has the wrong length")
)

// decode reads the message behind its header. Routes of other families than IPv4 and IPv6 are foreign.
func (r *route) decode(b []byte) (foreign bool, err error) {
	if len(b) < routeHeaderLen {
		return false, errShort
	}
	family := b[0]
	if family != familyIPv4 && family != familyIPv6 {
		return true, nil
	}
	var (
		single      path
		hasSingle   bool
		destination netip.Addr
		source      netip.Addr
		multipath   []path
	)
	destinationBits, sourceBits := int(b[1]), int(b[2])
	r.key.table = uint32(b[4])
	r.protocol, r.kind = protocol(b[5]), routeKind(b[7])
	ad, err := netlink.NewAttributeDecoder(b[routeHeaderLen:])
	if err != nil {
		return false, err
	}
	for ad.Next() {
		switch ad.Type() {
		case attrDestination:
			ad.Do(into(&destination))
		case attrSource:
			ad.Do(into(&source))
		case attrOutputLink:
			single.link, hasSingle = ad.Uint32(), true
		case attrGateway:
			hasSingle = true
			ad.Do(into(&single.gateway))
		case attrVia:
			hasSingle = true
			ad.Do(intoVia(&single.gateway))
		case attrMultipath:
			ad.Do(func(b []byte) (err error) {
				multipath, err = decodeMultipath(b)
				return err
			})
		case attrTable:
			r.key.table = ad.Uint32()
		case attrNextHopID:
			r.hopID = ad.Uint32()
		}
	}
	if err := ad.Err(); err != nil {
		return false, err
	}
	if r.key.table == 0 {
		r.key.table = tableMain // as the kernel does
	}
	if r.key.prefix, err = prefixOf(family, destination, destinationBits); err != nil {
		return false, fmt.Errorf("destination: %w", err)
	}
	if sourceBits > 0 {
		if r.key.source, err = prefixOf(family, source, sourceBits); err != nil {
			return false, fmt.Errorf("source: %w", err)
		}
	}
	switch {
	case r.hopID != 0 || r.kind.rejects():
	case multipath != nil:
		r.paths = newPaths(multipath)
	case hasSingle:
		single.weight = 1
		single.onlink = binary.NativeEndian.Uint32(b[routeFlags:])&hopOnlink != 0
		r.paths = newPaths([]path{single})
	}
	return false, nil
}

// decodeMultipath reads an array of struct rtnexthop, each with attributes behind it.
func decodeMultipath(b []byte) ([]path, error) {
	list := []path{}
	for len(b) > 0 {
		if len(b) < hopHeaderLen {
			return nil, fmt.Errorf("%d bytes are too few for a next hop", len(b))
		}
		length := int(binary.NativeEndian.Uint16(b))
		if length < hopHeaderLen || length > len(b) {
			return nil, fmt.Errorf("next hop of %d bytes where %d are left", length, len(b))
		}
		p := path{
			onlink: b[2]&hopOnlink != 0,
			weight: uint32(b[3]) + 1,
			link:   binary.NativeEndian.Uint32(b[4:]),
		}
		ad, err := netlink.NewAttributeDecoder(b[hopHeaderLen:length])
		if err != nil {
			return nil, err
		}
		for ad.Next() {
			switch ad.Type() {
			case attrGateway:
				ad.Do(into(&p.gateway))
			case attrVia:
				ad.Do(intoVia(&p.gateway))
			}
		}
		if err := ad.Err(); err != nil {
			return nil, err
		}
		list = append(list, p)
		b = b[min(align(length), len(b)):]
	}
	return list, nil
}

// into reads an IPv4 or IPv6 address.
func into(to *netip.Addr) func([]byte) error {
	return func(b []byte) error {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return errAddress
		}
		*to = a
		return nil
	}
}

// intoVia reads struct rtvia: a family and an address of it.
func intoVia(to *netip.Addr) func([]byte) error {
	return func(b []byte) error {
		if len(b) < 2 {
			return errAddress
		}
		return into(to)(b[2:])
	}
}

// prefixOf is the prefix of an address and a number of bits. Zebra writes the default route with or without an address.
func prefixOf(family uint8, a netip.Addr, bits int) (netip.Prefix, error) {
	want := netip.IPv4Unspecified()
	if family == familyIPv6 {
		want = netip.IPv6Unspecified()
	}
	if !a.IsValid() {
		if bits != 0 {
			return netip.Prefix{}, fmt.Errorf("%d bits of no address", bits)
		}
		a = want
	}
	if a.BitLen() != want.BitLen() {
		return netip.Prefix{}, errAddress
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%d bits of an address with %d", bits, a.BitLen())
	}
	return p, nil
}
