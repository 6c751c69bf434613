package model

import (
	"cmp"
	"net/netip"
	"slices"
)

// object is a next-hop object (8): a next hop, or a group of them.
type object struct {
	id      uint32
	family  int
	hop     hop // of one that is no group
	members []member
	flags   string
}

// member is a next hop of a group.
type member struct {
	object *object
	weight int
}

// Object is a next-hop object as requested, listed or published.
type Object struct {
	ID      uint32
	Family  int // listed only
	Gateway netip.Addr
	Device  string
	Members []Member
	Flags   string // listed only
}

// Member is a next hop of a group.
type Member struct {
	ID     uint32
	Weight int
}

// Kinds of event about next-hop objects.
const (
	ObjectAdded    = "object added"
	ObjectReplaced = "object replaced"
	ObjectDeleted  = "object deleted"
)

// hardObject is a next-hop object as hardware knows it. It outlives the object as long as an entry uses it.
type hardObject struct{ hops []hop }

func (o *object) group() bool { return len(o.members) > 0 }

// hops are those of a route that uses the object.
func (o *object) hops() (hops []hop) {
	if !o.group() {
		return []hop{o.hop}
	}
	for _, member := range o.members {
		h := member.object.hop
		h.weight = member.weight
		hops = append(hops, h)
	}
	return hops
}

func (o *object) isIPv4() bool {
	if o.group() {
		return slices.ContainsFunc(o.members, func(m member) bool { return m.object.isIPv4() })
	}
	return o.family == ipv4
}

func (o *object) contains(single *object) bool {
	return slices.ContainsFunc(o.members, func(m member) bool { return m.object == single })
}

func (o *object) view() *Object {
	v := &Object{ID: o.id, Family: o.family, Gateway: o.hop.gateway, Flags: o.flags}
	if o.hop.link != nil {
		v.Device = o.hop.link.name
	}
	for _, m := range o.members {
		v.Members = append(v.Members, Member{m.object.id, m.weight})
	}
	return v
}

// object returns the object of that id, or nil.
func (m *Model) object(id uint32) *object {
	if i := slices.IndexFunc(m.objects, func(o *object) bool { return o.id == id }); i >= 0 {
		return m.objects[i]
	}
	return nil
}

// Objects lists all next-hop objects by id.
func (m *Model) Objects() (list []Object) {
	for _, o := range m.objects {
		list = append(list, *o.view())
	}
	return list
}

// groupsOf are the groups that contain an object, in the order in which it joined them.
func (m *Model) groupsOf(single *object) (list []*object) {
	for _, o := range m.joined {
		if o.contains(single) {
			list = append(list, o)
		}
	}
	return list
}

// SetObject makes an object, or with replace changes the one of that id.
func (m *Model) SetObject(w Object, replaces bool) string {
	old := m.object(w.ID)
	if old != nil && !replaces {
		return "EEXIST"
	}
	o, errno := m.newObject(w)
	if errno == "" && old != nil {
		errno = m.canReplace(old, o)
	}
	if errno != "" {
		m.forgetNeighbors()
		return errno
	}
	event := Event{Kind: ObjectAdded, NLFlags: nlExcl | nlCreate, Requested: true}
	if old == nil {
		m.objects = append(m.objects, o)
		slices.SortFunc(m.objects, func(a, b *object) int { return cmp.Compare(a.id, b.id) })
	} else {
		event.Kind, event.NLFlags = ObjectReplaced, nlReplace|nlCreate
		old.family, old.hop, old.members = o.family, o.hop, o.members
		o = old
	}
	if o.group() {
		m.joined = append(slices.DeleteFunc(m.joined, func(g *object) bool { return g == o }), o)
	}
	m.tellObject(o)
	event.Object = o.view()
	m.events = append(m.events, event)
	if old != nil {
		m.rewrite(o, true)
		for _, g := range m.groupsOf(o) {
			m.tellObject(g)
			m.rewrite(g, true)
		}
	}
	m.forgetNeighbors()
	return ""
}

// newObject checks a request.
func (m *Model) newObject(w Object) (o *object, errno string) {
	o = &object{id: w.ID}
	for i, member := range w.Members {
		single := m.object(member.ID)
		if single == nil || single.group() || slices.ContainsFunc(w.Members[:i], func(e Member) bool { return e.ID == member.ID }) {
			return nil, "EINVAL"
		}
		o.members = append(o.members, memberOf(single, member.Weight))
		o.family = o.members[0].object.family
	}
	if o.group() {
		return o, ""
	}
	o.family = w.Family
	if w.Gateway.IsValid() {
		o.family = familyOf(w.Gateway)
	}
	if w.Device != "" {
		switch l := m.link(w.Device); {
		case l == nil:
			return nil, "ENODEV"
		case !l.usable():
			return nil, "ENETDOWN"
		}
	}
	anywhere := key{TableMain, netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
	if o.family == ipv6 {
		anywhere.prefix = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	o.hop, errno = m.hop(anywhere, Hop{Gateway: w.Gateway, Device: w.Device}, false)
	return o, errno
}

func memberOf(o *object, weight int) member { return member{o, max(weight, 1)} }

// canReplace says whether an object can become another one.
func (m *Model) canReplace(old, o *object) string {
	if old.group() != o.group() || o.isIPv4() && slices.ContainsFunc(append(m.groupsOf(old), old), func(g *object) bool {
		return slices.ContainsFunc(m.usersOf(g), func(p place) bool { return p.key.family() == ipv6 })
	}) {
		return "EINVAL"
	}
	return ""
}

// tellObject tells hardware what an object is now; netdevsim says that it traps at once (5.13).
func (m *Model) tellObject(o *object) {
	if m.chip.netdevsim {
		o.flags = "trap"
		return
	}
	m.chip.queue = append(m.chip.queue, operation{object: o, hops: o.hops()})
}

// place is a row and where it is.
type place struct {
	key key
	row *row
}

// usersOf are the rows that use an object: IPv4 from the highest prefix down, then IPv6, the newest first.
func (m *Model) usersOf(o *object) (list []place) {
	for _, k := range m.flushOrder() {
		for _, r := range m.routes[k] {
			if r.object == o.id {
				list = append(list, place{k, r})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b place) int {
		if a.key.family() != b.key.family() || a.key.family() == ipv4 {
			return a.key.family() - b.key.family()
		}
		return cmp.Compare(b.row.serial, a.row.serial)
	})
	return list
}

// rewrite gives the routes of an object its next hops, and tells about it (8.2).
func (m *Model) rewrite(o *object, said bool) {
	for _, p := range m.usersOf(o) {
		p.row.hops = o.hops()
	}
	for _, p := range m.usersOf(o) {
		m.events = append(m.events, Event{Kind: Replaced, NLFlags: nlReplace, Requested: said, Silent: !said, Route: m.view(p.key, m.routes[p.key], p.row)})
	}
}

// DeleteObject removes an object with the routes that use it, and from the groups that contain it (8.3).
func (m *Model) DeleteObject(id uint32) string {
	o := m.object(id)
	if o == nil {
		return "ENOENT"
	}
	m.removeObject(o, false)
	m.forgetNeighbors()
	return ""
}

func (m *Model) removeObject(o *object, silent bool) {
	without := func(list []*object) []*object { return slices.DeleteFunc(list, func(e *object) bool { return e == o }) }
	groups := m.groupsOf(o)
	m.objects, m.joined = without(m.objects), without(m.joined)
	m.events = append(m.events, Event{Kind: ObjectDeleted, Requested: !silent, Silent: silent, Object: o.view()})
	for _, p := range m.usersOf(o) {
		m.deleteRows(p.key, []*row{p.row}, false, p.key.family() == ipv4)
	}
	for _, g := range groups {
		if len(g.members) == 1 {
			m.removeObject(g, silent)
			continue
		}
		g.members = slices.DeleteFunc(slices.Clone(g.members), func(e member) bool { return e.object == o })
		m.tellObject(g)
		m.events = append(m.events, Event{Kind: ObjectReplaced, Requested: !silent, Silent: silent, Object: g.view()})
		m.rewrite(g, false)
	}
	if !m.chip.netdevsim {
		m.chip.queue = append(m.chip.queue, operation{object: o, gone: true})
	}
}

// objectsLost removes, silently, the objects on a link that went down, lost its carrier, or is removed (8.4).
func (m *Model) objectsLost(l *link) {
	for _, o := range slices.Clone(m.objects) {
		if o.hop.link == l && m.object(o.id) == o {
			m.removeObject(o, true)
		}
	}
}

// objectChanged is the chip's part.
func (m *Model) objectChanged(op operation) {
	c := &m.chip
	switch {
	case op.gone:
		delete(c.objects, op.object)
		op.object.flags = ""
	case c.objects[op.object] == nil:
		c.objects[op.object] = &hardObject{op.hops}
	default:
		c.objects[op.object].hops = op.hops
	}
}

// hardObject is what hardware knows of the object of a route, nil if it has none.
func (m *Model) hardObject(r *row) *hardObject {
	for o, hard := range m.chip.objects {
		if r.object != 0 && o.id == r.object {
			return hard
		}
	}
	return nil
}
