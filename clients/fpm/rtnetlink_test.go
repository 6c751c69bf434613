package fpm

import (
	"encoding/binary"
	"maps"
	"testing"

	"github.com/mdlayher/netlink"
)

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
	links := map[uint32]linkState{}
	for _, m := range []netlink.Message{
		linkMessage(typeNewLink, 0, 1, linkUp|linkLowerUp, "lo"),
		linkMessage(typeNewLink, 0, 2, linkUp|linkLowerUp, "e12"),
		linkMessage(typeNewLink, 0, 3, linkUp, "e13"),
		linkMessage(typeNewLink, 0, 2, 0, "e12"),
		linkMessage(typeNewLink, 0, 3, linkUp|linkLowerUp, "renamed"),
		linkMessage(typeNewLink, 0, 4, linkUp, "gone"),
		linkMessage(typeDelLink, 0, 4, 0, "gone"),
		linkMessage(typeDelLink, 7, 3, 0, "renamed"), // it has left a bridge
		linkMessage(2, 0, 9, 0, "error"),
	} {
		if err := takeLink(links, m); err != nil {
			t.Fatal(err)
		}
	}
	want := map[uint32]linkState{1: {"lo", true, true}, 2: {"e12", false, false}, 3: {"renamed", true, true}}
	if !maps.Equal(links, want) {
		t.Errorf("links %v, want %v", links, want)
	}
	if err := takeLink(links, netlink.Message{Header: netlink.Header{Type: typeNewLink}, Data: []byte{1}}); err == nil {
		t.Error("a short message was taken")
	}
}

func TestTheKernelsLinksCanBeListed(t *testing.T) {
	links, err := listLinks()
	if err != nil {
		t.Skip("no rtnetlink here: ", err)
	}
	if links[loopbackIndex].name != loopback {
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
