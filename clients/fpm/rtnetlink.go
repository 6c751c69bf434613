package fpm

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
)

// What rtnetlink says of links and addresses, from include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h and if.h.
const (
	protocolRoute = 0                  // NETLINK_ROUTE
	linkGroups    = 0x1 | 0x10 | 0x100 // RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR

	typeNewLink    = 16
	typeDelLink    = 17
	typeGetLink    = 18
	typeNewAddress = 20
	typeDelAddress = 21
	typeGetAddress = 22

	linkHeaderLen    = 16      // struct ifinfomsg
	addressHeaderLen = 8       // struct ifaddrmsg
	linkIndex        = 4       // offset of ifi_index and of ifa_index
	linkFlags        = 8       // offset of ifi_flags
	linkUp           = 0x1     // IFF_UP
	linkLowerUp      = 0x10000 // IFF_LOWER_UP
	familyUnspec     = 0       // of links; others are about bridge ports

	attrLinkName = 3 // IFLA_IFNAME
	attrAddress  = 1 // IFA_ADDRESS
	attrLocal    = 2 // IFA_LOCAL, where that is another
)

// linksRetry is the wait after rtnetlink failed.
const linksRetry = time.Second

// kernelLinks are the links of this network namespace, and the addresses on them.
type kernelLinks struct {
	links map[uint32]linkState // by ifindex
	own   map[ownAddress]bool
}

func newKernelLinks() kernelLinks {
	return kernelLinks{make(map[uint32]linkState), make(map[ownAddress]bool)}
}

// clone is a copy for another owner.
func (k kernelLinks) clone() kernelLinks { return kernelLinks{maps.Clone(k.links), maps.Clone(k.own)} }

// followLinks keeps the kernel's links in the router until ctx ends.
func (r *Router) followLinks(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.readLinks(ctx)
		if ctx.Err() != nil {
			return
		}
		r.logger.Warn("cannot follow the kernel's links", "error", err)
		select {
		case <-time.After(linksRetry):
		case <-ctx.Done():
		}
	}
}

// readLinks lists the links and then follows their changes until something fails.
func (r *Router) readLinks(ctx context.Context) error {
	changes, err := netlink.Dial(protocolRoute, &netlink.Config{Groups: linkGroups})
	if err != nil {
		return err
	}
	defer func() { _ = changes.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = changes.Close() })
	defer stop()
	links, err := listLinks()
	if err != nil {
		return err
	}
	for {
		r.setLinks(links.clone())
		messages, err := changes.Receive()
		if err != nil {
			return err
		}
		if err := links.takeAll(messages); err != nil {
			return err
		}
	}
}

// listLinks reads all links and addresses of this network namespace.
func listLinks() (kernelLinks, error) {
	links := newKernelLinks()
	conn, err := netlink.Dial(protocolRoute, nil)
	if err != nil {
		return links, err
	}
	defer func() { _ = conn.Close() }()
	for _, request := range []netlink.Message{
		{Header: netlink.Header{Type: typeGetLink}, Data: make([]byte, linkHeaderLen)},
		{Header: netlink.Header{Type: typeGetAddress}, Data: make([]byte, addressHeaderLen)},
	} {
		request.Header.Flags = netlink.Request | netlink.Dump
		messages, err := conn.Execute(request)
		if err == nil {
			err = links.takeAll(messages)
		}
		if err != nil {
			return links, err
		}
	}
	return links, nil
}

// takeAll changes links by what messages say.
func (k kernelLinks) takeAll(messages []netlink.Message) error {
	for _, m := range messages {
		var err error
		switch m.Header.Type {
		case typeNewLink, typeDelLink:
			err = k.takeLink(m)
		case typeNewAddress, typeDelAddress:
			err = k.takeAddress(m)
		}
		if err != nil {
			return fmt.Errorf("rtnetlink message of type %d: %w", m.Header.Type, err)
		}
	}
	return nil
}

func (k kernelLinks) takeLink(m netlink.Message) error {
	if len(m.Data) < linkHeaderLen {
		return errShort
	}
	if m.Data[0] != familyUnspec {
		return nil
	}
	index := binary.NativeEndian.Uint32(m.Data[linkIndex:])
	if m.Header.Type == typeDelLink {
		delete(k.links, index)
		return nil
	}
	flags := binary.NativeEndian.Uint32(m.Data[linkFlags:])
	ad, err := netlink.NewAttributeDecoder(m.Data[linkHeaderLen:])
	if err != nil {
		return err
	}
	l := linkState{up: flags&linkUp != 0, carrier: flags&linkLowerUp != 0}
	for ad.Next() {
		if ad.Type() == attrLinkName {
			l.name = ad.String()
		}
	}
	if err := ad.Err(); err != nil {
		return err
	}
	if l.name != "" {
		k.links[index] = l
	}
	return nil
}

func (k kernelLinks) takeAddress(m netlink.Message) error {
	if len(m.Data) < addressHeaderLen {
		return errShort
	}
	ad, err := netlink.NewAttributeDecoder(m.Data[addressHeaderLen:])
	if err != nil {
		return err
	}
	var address, local netip.Addr // the first is that of the peer where there is the second
	for ad.Next() {
		switch ad.Type() {
		case attrAddress:
			ad.Do(into(&address))
		case attrLocal:
			ad.Do(into(&local))
		}
	}
	if err := ad.Err(); err != nil {
		return err
	}
	own := ownAddress{binary.NativeEndian.Uint32(m.Data[linkIndex:]), address}
	if local.IsValid() {
		own.address = local
	}
	if m.Header.Type == typeDelAddress {
		delete(k.own, own)
	} else {
		k.own[own] = true
	}
	return nil
}
