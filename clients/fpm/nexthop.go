package fpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
)

// Next-hop attributes (NHA_…).
const (
	attrHopID        = 1
	attrHopGroup     = 2
	attrHopBlackhole = 4
	attrHopLink      = 5
	attrHopGateway   = 6
)

const (
	hopObjectHeaderLen = 8 // struct nhmsg
	hopObjectFlags     = 4 // offset of nh_flags in it
	groupMemberLen     = 8 // struct nexthop_grp
)

// nextHop is a next-hop object as zebra announces it: a path, a group of others, or a blackhole.
type nextHop struct {
	id        uint32
	path      path
	group     []member
	blackhole bool
}

// member is one next hop of a group.
type member struct {
	id     uint32
	weight uint32
}

// decode reads the message behind its header. Objects that lead nowhere in IP, such as those of a bridge, are foreign.
func (h *nextHop) decode(b []byte) (foreign bool, err error) {
	if len(b) < hopObjectHeaderLen {
		return false, errShort
	}
	ad, err := netlink.NewAttributeDecoder(b[hopObjectHeaderLen:])
	if err != nil {
		return false, err
	}
	h.path.weight = 1
	h.path.onlink = binary.NativeEndian.Uint32(b[hopObjectFlags:])&hopOnlink != 0
	for ad.Next() {
		switch ad.Type() {
		case attrHopID:
			h.id = ad.Uint32()
		case attrHopGroup:
			ad.Do(h.decodeGroup)
		case attrHopBlackhole:
			h.blackhole = true
		case attrHopLink:
			h.path.link = ad.Uint32()
		case attrHopGateway:
			ad.Do(into(&h.path.gateway))
		}
	}
	if err := ad.Err(); err != nil {
		return false, err
	}
	if h.id == 0 {
		return false, errors.New("no id")
	}
	return h.group == nil && !h.blackhole && h.path.link == 0 && !h.path.gateway.IsValid(), nil
}

func (h *nextHop) decodeGroup(b []byte) error {
	if len(b)%groupMemberLen != 0 {
		return fmt.Errorf("a group of %d bytes", len(b))
	}
	h.group = make([]member, 0, len(b)/groupMemberLen)
	for ; len(b) > 0; b = b[groupMemberLen:] {
		// The weight is one less than meant, and has its high byte behind the low one.
		weight := uint32(b[4]) | uint32(b[5])<<8
		h.group = append(h.group, member{id: binary.NativeEndian.Uint32(b), weight: weight + 1})
	}
	return nil
}

// hopNode is the place of a next-hop id in a hopStore.
type hopNode struct {
	nextHop
	known  bool       // announced, and not deleted since
	paths  *paths     // where it leads; nil while that is not known
	users  *entry     // routes that name it, linked by entry.nextUser
	groups []*hopNode // that have it as a member
}

// hopStore holds the next-hop objects of one connection. Ids may be named before they are announced, or without ever being.
// It belongs to a rib.
type hopStore struct {
	nodes map[uint32]*hopNode
}

func newHopStore() *hopStore { return &hopStore{nodes: make(map[uint32]*hopNode)} }

// node is the place of an id, made if needed.
func (s *hopStore) node(id uint32) *hopNode {
	n := s.nodes[id]
	if n == nil {
		n = &hopNode{nextHop: nextHop{id: id}}
		s.nodes[id] = n
	}
	return n
}

// set takes over an announcement, and calls changed for each node whose paths are new.
func (s *hopStore) set(h nextHop, changed func(*hopNode)) {
	n := s.node(h.id)
	s.leaveMembers(n)
	n.nextHop, n.known = h, true
	for _, m := range h.group {
		member := s.node(m.id)
		member.groups = append(member.groups, n)
	}
	s.resolve(n, changed)
	for _, group := range n.groups {
		s.resolve(group, changed)
	}
}

// remove forgets an announcement. Routes that still name the id keep leading where they led: zebra deletes or changes them in
// its own time.
func (s *hopStore) remove(id uint32) {
	n := s.nodes[id]
	if n == nil {
		return
	}
	s.leaveMembers(n)
	n.nextHop, n.known, n.paths = nextHop{id: id}, false, nil
	s.tidy(n)
}

func (s *hopStore) leaveMembers(n *hopNode) {
	for _, m := range n.group {
		member := s.nodes[m.id]
		if i := slices.Index(member.groups, n); i >= 0 {
			member.groups = slices.Delete(member.groups, i, i+1)
		}
		s.tidy(member)
	}
}

// tidy forgets a node that nobody announces and nobody names.
func (s *hopStore) tidy(n *hopNode) {
	if !n.known && n.users == nil && len(n.groups) == 0 && s.nodes[n.id] == n {
		delete(s.nodes, n.id)
	}
}

// resolve finds where a node leads. Where that is not known any more, its users keep leading where they led.
func (s *hopStore) resolve(n *hopNode, changed func(*hopNode)) {
	to := s.lead(n)
	if to == nil {
		n.paths = nil
		return
	}
	if n.paths != nil && n.paths.blackhole == to.blackhole && slices.Equal(n.paths.list, to.list) {
		return
	}
	n.paths = to
	changed(n)
}

// lead is where a node leads: nil if a member is not known, or is itself a group, which the kernel forbids.
func (s *hopStore) lead(n *hopNode) *paths {
	switch {
	case !n.known:
		return nil
	case n.blackhole:
		return &paths{blackhole: true}
	case n.group == nil:
		return newPaths([]path{n.path})
	}
	list := make([]path, 0, len(n.group))
	for _, m := range n.group {
		member := s.nodes[m.id]
		switch {
		case !member.known || member.group != nil:
			return nil
		case member.blackhole:
			return &paths{blackhole: true}
		}
		p := member.path
		p.weight = m.weight
		list = append(list, p)
	}
	return newPaths(list)
}

// join makes e a user of the node.
func (n *hopNode) join(e *entry) {
	e.hop, e.nextUser, e.previousUser = n, n.users, nil
	if n.users != nil {
		n.users.previousUser = e
	}
	n.users = e
}

// leave ends that.
func (s *hopStore) leave(e *entry) {
	n := e.hop
	if n == nil {
		return
	}
	if e.previousUser != nil {
		e.previousUser.nextUser = e.nextUser
	} else {
		n.users = e.nextUser
	}
	if e.nextUser != nil {
		e.nextUser.previousUser = e.previousUser
	}
	e.hop, e.nextUser, e.previousUser = nil, nil, nil
	s.tidy(n)
}
