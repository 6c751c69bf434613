package fib

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
)

// NextHopObject is a next hop, or a group of them, that routes refer to by id (struct nexthop). All but its flags is guarded as Link is.
type NextHopObject struct {
	flags atomic.Uint32 // Flags; stored by hardware

	id        uint32
	family    Family
	protocol  uint8
	blackhole bool
	hop       NextHop  // of one that is neither a group nor a blackhole
	members   []member // of a group
	resilient *resilient
	groups    []*NextHopObject // that it is a member of, the oldest first
}

// member is a next hop of a group.
type member struct {
	object *NextHopObject
	weight uint16
}

// nextHops are all next-hop objects. Guarded as Link is.
type nextHops struct {
	byID   map[uint32]*NextHopObject
	last   uint32      // chosen last by the FIB itself
	hidden atomic.Bool // net.ipv4.nexthop_compat_mode is off
}

// Flags returns what hardware does with the object: FlagOffload, FlagTrap or nothing.
func (o *NextHopObject) Flags() Flags { return Flags(o.flags.Load()) } //nolint:gosec // only Flags are stored

// SetFlags is for hardware.
func (o *NextHopObject) SetFlags(flags Flags) { o.flags.Store(uint32(flags)) }

func (o *NextHopObject) isGroup() bool { return len(o.members) > 0 }

// GroupMember is a next hop of a group.
type GroupMember struct {
	ID     uint32
	Weight uint16 // 1 to 256
}

// ResilientView describes a resilient group. Times are in centiseconds.
type ResilientView struct {
	Buckets         uint16
	IdleTimer       uint32
	UnbalancedTimer uint32
	UnbalancedTime  uint64
}

// NextHopView describes a next-hop object at one moment.
type NextHopView struct {
	ID        uint32
	Family    Family
	Blackhole bool
	Dead      bool
	LinkDown  bool
	Protocol  uint8
	Scope     Scope
	Flags     Flags
	Hop       NextHop        // of one that is neither a group nor a blackhole
	Members   []GroupMember  // of a group
	Resilient *ResilientView // of a resilient group
}

func (o *NextHopObject) view() *NextHopView {
	v := &NextHopView{ID: o.id, Family: o.family, Blackhole: o.blackhole, Protocol: o.protocol, Flags: o.Flags(), Hop: o.hop}
	switch {
	case o.isGroup():
		for _, m := range o.members {
			v.Members = append(v.Members, GroupMember{m.object.id, m.weight})
		}
		if o.resilient != nil {
			v.Resilient = o.resilient.view()
		}
	case o.blackhole:
	default:
		v.Dead, v.LinkDown = o.hop.Link.Dead(), o.hop.Link.LinkDown()
		v.Scope = ScopeHost
		if o.hop.Gateway.IsValid() || o.family == IPv6 {
			v.Scope = ScopeLink
		}
	}
	return v
}

// drops reports whether the object is a blackhole, or a group of one.
func (o *NextHopObject) drops() bool {
	return o.blackhole || len(o.members) == 1 && o.members[0].object.blackhole
}

// expand returns the next hops of a route that uses the object.
func (f *FIB) expand(o *NextHopObject) []NextHop {
	switch {
	case o.drops():
		return []NextHop{{Link: f.links.order[0], Weight: 1}} // lo
	case !o.isGroup():
		return []NextHop{o.hop}
	}
	hops := make([]NextHop, len(o.members))
	for i, m := range o.members {
		hops[i] = m.object.hop
		hops[i].Weight = m.weight
	}
	return hops
}

// update describes the object to hardware.
func (o *NextHopObject) update() *NextHopUpdate {
	u := &NextHopUpdate{Object: o, ID: o.id, Blackhole: o.drops(), Group: o.isGroup()}
	switch {
	case o.isGroup():
		for _, m := range o.members {
			u.Members = append(u.Members, m.object.id)
			if !u.Blackhole {
				hop := m.object.hop
				hop.Weight = m.weight
				u.Hops = append(u.Hops, hop)
			}
		}
		if o.resilient != nil {
			u.Buckets = o.resilient.indexes(o.members)
		}
	case !o.blackhole:
		u.Hops = []NextHop{o.hop}
	}
	return u
}

// object resolves a route that names a next-hop object (fib_check_nexthop, fib6_check_nexthop).
func (f *family) object(s *Spec, want *Info) *Error {
	o := f.fib.nextHops.byID[s.NextHopID]
	switch {
	case o == nil:
		return &Error{Err: ErrNextHopNotFound, Errno: syscall.EINVAL, Kernel: "Nexthop id does not exist", Detail: fmt.Sprint(s.NextHopID)}
	case len(s.NextHops) > 0:
		return invalid("Nexthop specification and nexthop id are mutually exclusive", "")
	case want.Type != TypeUnicast:
		return invalid("", "a route of this type has no next-hop object")
	case f.af == IPv6 && o.isIPv4():
		return errNotForIPv6
	case want.Scope >= ScopeLink:
		return invalid("Scope mismatch with nexthop", "")
	}
	want.NextHopID, want.Multipath = o.id, o.isGroup() && f.af == IPv6
	want.NextHops, want.Drops = f.fib.expand(o), o.drops()
	return nil
}

var errNotForIPv6 = invalid("IPv6 routes can not use an IPv4 nexthop", "")

// isIPv4 reports whether the object, or a member of it, is only for IPv4 routes. Blackholes are for both.
func (o *NextHopObject) isIPv4() bool {
	for _, m := range o.members {
		if m.object.isIPv4() {
			return true
		}
	}
	return !o.isGroup() && !o.blackhole && o.family == IPv4
}

// NextHopObjectSpec is a next-hop object as requested. The caller has checked syntax and ranges, and that exactly one of Blackhole, Group, and
// Gateway or Device is given.
type NextHopObjectSpec struct {
	ID              uint32 // 0 in a creation: the FIB chooses one
	Family          Family // of one that has no gateway
	Gateway         netip.Addr
	Device          string
	Onlink          bool
	Blackhole       bool
	Protocol        uint8
	Group           []GroupMember
	Resilient       bool
	Buckets         uint16
	IdleTimer       uint32 // centiseconds
	UnbalancedTimer uint32 // centiseconds

	HasBuckets, HasIdleTimer, HasUnbalancedTimer bool // absent: a replace keeps what the group has
}

// SetNextHop makes an object, or with replace changes the one of that id; with create too, either. It returns the id. Errors: ErrNextHopExists,
// ErrNextHopNotFound, ErrLinkNotFound, ErrLinkDown, ErrGatewayUnreachable, ErrInvalid, or hardware's.
func (f *FIB) SetNextHop(s *NextHopObjectSpec, create, replace bool) (id uint32, err error) {
	err = f.changeLinks(func() error {
		old := f.nextHops.byID[s.ID]
		switch {
		case old != nil && !replace:
			return &Error{Err: ErrNextHopExists, Errno: syscall.EEXIST, Detail: fmt.Sprint(s.ID)}
		case old == nil && !create:
			return errNoNextHop(s.ID)
		}
		o, refused := f.makeNextHop(s)
		if refused == nil {
			refused = f.checkReplace(old, o)
		}
		if refused != nil {
			return refused
		}
		if o.id = s.ID; o.id == 0 {
			o.id = f.nextHops.choose()
		}
		id = o.id
		if old != nil {
			o.resilient.takeOver(old.resilient)
		}
		o.resilient.balance(o.members)
		f.adopt(o)
		u := o.update()
		if old != nil {
			u.Object = old
		}
		if err := f.hardware.AdmitNextHop(u); err != nil {
			f.abandon(o)
			return asError(err)
		}
		f.hardware.NextHopChanged(u)
		if old == nil {
			f.nextHops.byID[id] = o
			f.scheduleUpkeep(o)
			f.publishNextHop(NextHopAdded, o, NLExcl|NLCreate, false)
			return nil
		}
		f.replaceNextHop(old, o)
		return nil
	})
	return id, err
}

// choose returns a free id (nh_find_unused_id).
func (n *nextHops) choose() uint32 {
	for n.last++; n.last == 0 || n.byID[n.last] != nil; n.last++ {
		continue
	}
	return n.last
}

func errNoNextHop(id uint32) *Error {
	return &Error{Err: ErrNextHopNotFound, Errno: syscall.ENOENT, Detail: fmt.Sprint(id)}
}

// makeNextHop checks a request and returns the object, which refers to nothing yet (nh_check_attr_group, nh_create_ipv4, nh_create_ipv6).
func (f *FIB) makeNextHop(s *NextHopObjectSpec) (*NextHopObject, *Error) {
	o := &NextHopObject{family: s.Family, protocol: s.Protocol, blackhole: s.Blackhole}
	switch {
	case s.Blackhole:
		return o, nil
	case len(s.Group) > 0:
		return f.makeGroup(o, s)
	}
	spec := NextHopSpec{Gateway: s.Gateway, Device: s.Device, Onlink: s.Onlink}
	if s.Gateway.IsValid() {
		o.family = FamilyOf(s.Gateway)
	}
	fam := f.families[o.family]
	hop, err := fam.hop(&spec)
	switch {
	case err != nil:
	case hop.Link == nil && !hop.Gateway.IsValid():
		err = errNoWay("a next hop needs a gateway or a device")
	case hop.Link != nil && !hop.Link.Up:
		err = errLinkDown("Nexthop device is not up", hop.Link)
	case hop.Link != nil && !hop.Link.Carrier:
		err = errLinkDown("Carrier for nexthop device is down", hop.Link)
	case !hop.Gateway.IsValid() && hop.Onlink:
		err = invalid("ONLINK flag can not be set for nexthop without a gateway", "")
	case !hop.Gateway.IsValid():
	case o.family == IPv4:
		err = fam.gateway4(&hop, ScopeGlobal, TableMain)
	default:
		err = fam.gateway6(&hop, TableMain)
	}
	o.hop = hop
	return o, err
}

// makeGroup checks the members of a group.
func (f *FIB) makeGroup(o *NextHopObject, s *NextHopObjectSpec) (*NextHopObject, *Error) {
	for i, m := range s.Group {
		single := f.nextHops.byID[m.ID]
		switch {
		case single == nil:
			return nil, &Error{Err: ErrNextHopNotFound, Errno: syscall.EINVAL, Kernel: "Invalid nexthop id", Detail: fmt.Sprint(m.ID)}
		case single.isGroup():
			return nil, invalid("Multipath group can not be a nexthop within a group", fmt.Sprint(m.ID))
		case single.blackhole && len(s.Group) > 1:
			return nil, invalid("Blackhole nexthop can not be used in a group with more than 1 path", fmt.Sprint(m.ID))
		case slices.ContainsFunc(s.Group[:i], func(e GroupMember) bool { return e.ID == m.ID }):
			return nil, invalid("Nexthop id can not be used twice in a group", fmt.Sprint(m.ID))
		}
		o.members = append(o.members, member{single, max(m.Weight, 1)})
	}
	o.family = o.members[0].object.family
	if s.Resilient {
		var err *Error
		if o.resilient, err = newResilient(s); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// checkReplace says whether an object in use can become another one (replace_nexthop).
func (f *FIB) checkReplace(old, o *NextHopObject) *Error {
	if old == nil {
		return nil
	}
	switch {
	case old.isGroup() && !o.isGroup():
		return invalid("Can not replace a nexthop group with a nexthop", "")
	case !old.isGroup() && o.isGroup():
		return invalid("Can not replace a nexthop with a nexthop group", "")
	case (old.resilient == nil) != (o.resilient == nil):
		return invalid("Can not replace a nexthop group of different type", "")
	case o.blackhole && slices.ContainsFunc(old.groups, func(g *NextHopObject) bool { return len(g.members) > 1 }):
		return invalid("Blackhole nexthop can not be used in a group with more than 1 path", "")
	case o.isIPv4() && slices.ContainsFunc(append(slices.Clone(old.groups), old), func(g *NextHopObject) bool {
		return f.families[IPv6].usesObject(g.id)
	}):
		return errNotForIPv6
	}
	if old.resilient != nil {
		return old.resilient.checkReplace(o.resilient)
	}
	return nil
}

// adopt takes the references of a new object: of its neighbour, or to its members.
func (f *FIB) adopt(o *NextHopObject) {
	if o.hop.Gateway.IsValid() {
		o.hop.Neighbor = f.neighbors.use(o.hop.Link, o.hop.Gateway)
	}
	for _, m := range o.members {
		m.object.groups = append(m.object.groups, o)
	}
}

// abandon gives them back.
func (f *FIB) abandon(o *NextHopObject) {
	if o.hop.Neighbor != nil {
		f.neighbors.release(o.hop.Neighbor, &f.families[IPv6].infos.unused) // committed last
	}
	for _, m := range o.members {
		m.object.groups = slices.DeleteFunc(m.object.groups, func(g *NextHopObject) bool { return g == o })
	}
}

// publishNextHop publishes an event about an object at once.
func (f *FIB) publishNextHop(kind Kind, o *NextHopObject, nlflags uint16, silent bool) {
	fam := f.families[o.family]
	e := fam.event(kind)
	e.NLFlags, e.Requested, e.Silent, e.Route.Family, e.NextHop = nlflags, !silent, silent, o.family, o.view()
	fam.flushEvents()
}

// NextHop shows visit one object. Error: ErrNextHopNotFound.
func (f *FIB) NextHop(id uint32, visit func(*NextHopView)) error {
	return f.readLinks(func() error {
		o := f.nextHops.byID[id]
		if o == nil {
			return errNoNextHop(id)
		}
		visit(o.view())
		return nil
	})
}

// NextHops shows visit all objects by id.
func (f *FIB) NextHops(visit func(*NextHopView)) {
	_ = f.readLinks(func() error {
		for _, o := range f.nextHops.sorted() {
			visit(o.view())
		}
		return nil
	})
}

func (n *nextHops) sorted() []*NextHopObject {
	list := make([]*NextHopObject, 0, len(n.byID))
	for _, o := range n.byID {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b *NextHopObject) int { return cmp.Compare(a.id, b.id) })
	return list
}

// SetNextHopCompat sets net.ipv4.nexthop_compat_mode: whether routes with an object are published again when it changes.
func (f *FIB) SetNextHopCompat(on bool) { f.nextHops.hidden.Store(!on) }

// NextHopCompat returns what SetNextHopCompat set; true at first.
func (f *FIB) NextHopCompat() bool { return !f.nextHops.hidden.Load() }
