package fpm

import (
	"encoding/binary"
	"maps"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// addressMessage is what rtnetlink says of an address, and of the peer if there is one.
func addressMessage(kind netlink.HeaderType, index uint32, address, peer string) netlink.Message {
	b := append([]byte{familyIPv4}, make([]byte, addressHeaderLen-1)...)
	binary.NativeEndian.PutUint32(b[linkIndex:], index)
	ae := netlink.NewAttributeEncoder()
	if peer != "" {
		ae.Bytes(attrLocal, netip.MustParseAddr(address).AsSlice())
		address = peer
	}
	ae.Bytes(attrAddress, netip.MustParseAddr(address).AsSlice())
	attributes, err := ae.Encode()
	if err != nil {
		panic(err)
	}
	return netlink.Message{Header: netlink.Header{Type: kind}, Data: append(b, attributes...)}
}

// linkMessage is what rtnetlink says of a link.
func linkMessage(kind netlink.HeaderType, family uint8, index, flags uint32, name string) netlink.Message {
	b := append([]byte{family}, make([]byte, linkHeaderLen-1)...)
	binary.NativeEndian.PutUint32(b[linkIndex:], index)
	binary.NativeEndian.PutUint32(b[linkFlags:], flags)
	ae := netlink.NewAttributeEncoder()
	if name != "" {
		ae.String(attrLinkName, name)
	}
	attributes, err := ae.Encode()
	if err != nil {
		panic(err)
	}
	return netlink.Message{Header: netlink.Header{Type: kind}, Data: append(b, attributes...)}
}

func TestLinksAreWhatTheKernelSays(t *testing.T) {
	links := newKernelLinks()
	err := links.takeAll([]netlink.Message{
		linkMessage(typeNewLink, 0, 1, linkUp|linkLowerUp, "lo"),
		linkMessage(typeNewLink, 0, 2, linkUp|linkLowerUp, "e12"),
		linkMessage(typeNewLink, 0, 3, linkUp, "e13"),
		linkMessage(typeNewLink, 0, 2, 0, "e12"),
		linkMessage(typeNewLink, 0, 3, linkUp|linkLowerUp, "renamed"),
		linkMessage(typeNewLink, 0, 4, linkUp, "gone"),
		linkMessage(typeDelLink, 0, 4, 0, "gone"),
		linkMessage(typeDelLink, 7, 3, 0, "renamed"), // it has left a bridge
		linkMessage(2, 0, 9, 0, "error"),
		addressMessage(typeNewAddress, 2, "10.0.12.1", ""),
		addressMessage(typeNewAddress, 3, "10.0.13.1", "10.0.13.3"),
		addressMessage(typeNewAddress, 3, "10.0.14.1", ""),
		addressMessage(typeDelAddress, 3, "10.0.14.1", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint32]linkState{1: {"lo", true, true}, 2: {"e12", false, false}, 3: {"renamed", true, true}}
	if !maps.Equal(links.links, want) {
		t.Errorf("links %v, want %v", links.links, want)
	}
	own := map[ownAddress]bool{{2, netip.MustParseAddr("10.0.12.1")}: true, {3, netip.MustParseAddr("10.0.13.1")}: true}
	if !maps.Equal(links.own, own) {
		t.Errorf("addresses %v, want %v", links.own, own)
	}
	for _, kind := range []netlink.HeaderType{typeNewLink, typeNewAddress} {
		if err := links.takeAll([]netlink.Message{{Header: netlink.Header{Type: kind}, Data: []byte{1}}}); err == nil {
			t.Errorf("a short message of type %d was taken", kind)
		}
	}
}

func TestTheKernelsLinksCanBeListed(t *testing.T) {
	links, err := listLinks()
	if err != nil {
		t.Skip("no rtnetlink here: ", err)
	}
	if links.links[loopbackIndex].name != loopback {
		t.Errorf("links %v", links)
	}
}

func TestNamesOfLinks(t *testing.T) {
	n := &linkNames{prefix: "r1-", made: map[uint32]string{}, links: map[uint32]linkState{1: {name: "lo"}, 2: {name: "e12"}}}
	for index, want := range map[uint32]string{1: "lo", 2: "r1-if2"} {
		if name, ok := n.name(index); name != want || !ok {
			t.Errorf("link %d is %q, want %q", index, name, want)
		}
	}
	n.kernel = true
	for index, want := range map[uint32]string{1: "lo", 2: "r1-e12"} {
		if name, ok := n.name(index); name != want || !ok {
			t.Errorf("link %d of the kernel is %q, want %q", index, name, want)
		}
	}
	if name, ok := n.name(3); ok {
		t.Errorf("link 3, which the kernel does not have, is %q", name)
	}
}

func TestTheRoutersOwnAddressesAreLocalRoutes(t *testing.T) {
	own := netip.MustParsePrefix("10.0.12.1/32")
	r := newRIB(&linkNames{
		kernel: true, links: map[uint32]linkState{2: {name: "e12"}}, own: map[ownAddress]bool{{2, own.Addr()}: true},
	}, tableRange{last: math.MaxUint32}, DefaultMetric, AnswerTrap)
	r.connect(time.Time{})
	r.sync(0)
	for prefix, want := range map[netip.Prefix]vasicv1.RouteType{
		own:                                    vasicv1.RouteType_ROUTE_TYPE_LOCAL,
		netip.MustParsePrefix("10.0.12.0/24"):  vasicv1.RouteType_ROUTE_TYPE_UNICAST,
		netip.MustParsePrefix("10.0.12.9/32"):  vasicv1.RouteType_ROUTE_TYPE_UNICAST,
		netip.MustParsePrefix("2001:db8::/32"): vasicv1.RouteType_ROUTE_TYPE_UNICAST,
	} {
		r.apply(&update{kind: setRoute, message: []byte{1}, route: route{
			key: key{table: tableMain, prefix: prefix}, kind: unicast, protocol: 2, paths: newPaths([]path{{link: 2, weight: 1}}),
		}}, time.Time{})
		ops := r.plan(nil, 10)
		var m vasicv1.Route
		if len(ops) != 1 || r.request(ops[0], &m) != vasicv1.RouteAction_ROUTE_ACTION_REPLACE || m.Type != want || m.NextHops[0].Device != "e12" {
			t.Errorf("%v becomes %v", prefix, &m)
		}
		if c, ok := r.content(ops[0].entry); !ok || c != contentOfRoute(&m) && m.Protocol != 0 {
			t.Errorf("%v: what is wanted and what is asked for are not the same", prefix)
		}
	}
}
