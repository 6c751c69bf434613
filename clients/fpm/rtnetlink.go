package fpm

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"time"

	"github.com/mdlayher/netlink"
)

// What rtnetlink says of links, from include/uapi/linux/rtnetlink.h, if_link.h and if.h.
const (
	protocolRoute = 0 // NETLINK_ROUTE
	groupLink     = 1 // RTMGRP_LINK
	typeNewLink   = 16
	typeDelLink   = 17
	typeGetLink   = 18
	linkHeaderLen = 16      // struct ifinfomsg
	linkIndex     = 4       // offset of ifi_index in it
	linkFlags     = 8       // offset of ifi_flags
	attrLinkName  = 3       // IFLA_IFNAME
	linkUp        = 0x1     // IFF_UP
	linkLowerUp   = 0x10000 // IFF_LOWER_UP
	familyUnspec  = 0       // others are about bridge ports
	linksRetry    = time.Second
)

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
	changes, err := netlink.Dial(protocolRoute, &netlink.Config{Groups: groupLink})
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
	r.setLinks(maps.Clone(links))
	for {
		messages, err := changes.Receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := takeLink(links, m); err != nil {
				return err
			}
		}
		r.setLinks(maps.Clone(links))
	}
}

// listLinks reads all links of this network namespace.
func listLinks() (map[uint32]linkState, error) {
	conn, err := netlink.Dial(protocolRoute, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	messages, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: typeGetLink, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, linkHeaderLen),
	})
	if err != nil {
		return nil, err
	}
	links := make(map[uint32]linkState, len(messages))
	for _, m := range messages {
		if err := takeLink(links, m); err != nil {
			return nil, err
		}
	}
	return links, nil
}

// takeLink changes links by what a message says.
func takeLink(links map[uint32]linkState, m netlink.Message) error {
	if m.Header.Type != typeNewLink && m.Header.Type != typeDelLink {
		return nil
	}
	if len(m.Data) < linkHeaderLen {
		return fmt.Errorf("link message: %w", errShort)
	}
	if m.Data[0] != familyUnspec {
		return nil
	}
	index := binary.NativeEndian.Uint32(m.Data[linkIndex:])
	if m.Header.Type == typeDelLink {
		delete(links, index)
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
		links[index] = l
	}
	return nil
}
