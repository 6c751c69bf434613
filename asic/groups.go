package asic

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/vasic-project/vasic/fib"
)

// group is a next-hop group: where the packets of its entries go. Entries whose routes have the same next hops share one; entries of a next-hop
// object have the object's. A group is in the adjacency table while at least one of its next hops can be used and there is room: one row of
// "groups", and as many of "group-members" as it has slots. One without gateways needs neither, as its packets find their neighbours themselves.
type group struct {
	number    uint32
	serial    uint64 // never used again, unlike the number
	key       string // of a shared one
	hops      []fib.NextHop
	slots     []uint32 // of each next hop; 0 for one that cannot be used
	buckets   []uint16 // of a resilient group: the next hop of each slot
	object    *fib.NextHopUpdate
	blackhole bool
	broken    bool // a fault rule left it without next hops
	lacks     bool // it would take more rows than it has
	flags     fib.Flags
	rows      [3]demand // that it has: next-hop object, group and members

	first   uint32 // its entries
	entries int
	cursor  uint32 // the entry to be looked at next
	queued  bool   // its entries are being looked at
	dirty   bool   // it is to be written
}

// link is a link as hardware knows it.
type link struct {
	usable bool
	groups map[uint32]struct{}
}

// neighbor is a gateway as hardware knows it. It has rows of "hosts" while it is valid and used by a group, and there is room.
type neighbor struct {
	serial uint64 // names it in keys of groups
	valid  bool
	placed bool
	users  int // groups that forward to it

	forgotten bool // the FIB does not use it; it goes with its last group

	groups map[uint32]struct{}
}

// groups are all groups with what they depend on.
type groups struct {
	list      []*group // by number, from 1
	free      []uint32
	serial    uint64
	byKey     map[string]*group
	byInfo    []cachedGroup // by number of the Info
	objects   map[uint32]*group
	links     map[*fib.Link]*link
	neighbors map[*fib.Neighbor]*neighbor
	buf       []byte
	order     []int

	dirty      []groupRef // to be written
	refreshing []*group   // whose entries are to be looked at
	lacking    []groupRef // that would take more rows than they have, the oldest first
	tried      int        // how many of lacking had their turn since rows were given back
}

// groupRef names a group that may be gone.
type groupRef struct {
	number uint32
	serial uint64
}

// cachedGroup is the group that the Info of a number had last. Numbers are used again, so it says which Info that was.
type cachedGroup struct {
	groupRef
	info *fib.Info
}

func newGroups() groups {
	return groups{
		list: make([]*group, 1), byKey: make(map[string]*group), objects: make(map[uint32]*group), links: make(map[*fib.Link]*link),
		neighbors: make(map[*fib.Neighbor]*neighbor),
	}
}

// live returns the group, or nil if it is gone.
func (gs *groups) live(ref groupRef) *group {
	if g := gs.list[ref.number]; g != nil && g.serial == ref.serial {
		return g
	}
	return nil
}

// add makes a group without next hops.
func (gs *groups) add() *group {
	gs.serial++
	g := &group{serial: gs.serial, flags: fib.FlagTrap}
	if k := len(gs.free); k > 0 {
		g.number = gs.free[k-1]
		gs.free = gs.free[:k-1]
		gs.list[g.number] = g
	} else {
		g.number = uint32(len(gs.list)) //nolint:gosec // as many as entries at most
		gs.list = append(gs.list, g)
	}
	return g
}

func (gs *groups) linkOf(l *fib.Link) *link {
	have := gs.links[l]
	if have == nil {
		have = &link{groups: make(map[uint32]struct{})}
		gs.links[l] = have
	}
	return have
}

func (gs *groups) neighborOf(n *fib.Neighbor) *neighbor {
	have := gs.neighbors[n]
	if have == nil {
		gs.serial++
		have = &neighbor{serial: gs.serial, groups: make(map[uint32]struct{})}
		gs.neighbors[n] = have
	}
	return have
}

// key writes what next hops say, whatever their order.
func (gs *groups) key(hops []fib.NextHop) []byte {
	gs.order = gs.order[:0]
	for i := range hops {
		gs.order = append(gs.order, i)
	}
	if len(hops) > 1 {
		slices.SortFunc(gs.order, func(i, j int) int {
			a, b := &hops[i], &hops[j]
			return cmp.Or(cmp.Compare(a.Link.Index, b.Link.Index), a.Gateway.Compare(b.Gateway), cmp.Compare(a.Weight, b.Weight))
		})
	}
	b := gs.buf[:0]
	for _, i := range gs.order {
		h := &hops[i]
		b = binary.LittleEndian.AppendUint32(b, h.Link.Index)
		b = binary.LittleEndian.AppendUint16(b, h.Weight)
		if h.Neighbor != nil {
			b = binary.LittleEndian.AppendUint64(append(b, 1), gs.neighborOf(h.Neighbor).serial)
			continue
		}
		gateway := h.Gateway.AsSlice()
		b = append(append(b, 2, byte(len(gateway))), gateway...)
	}
	gs.buf = b
	return b
}

// shared returns the group of these next hops, making it if need be.
func (c *Chip) shared(hops []fib.NextHop) *group {
	gs := &c.groups
	key := gs.key(hops)
	if g := gs.byKey[string(key)]; g != nil {
		return g
	}
	g := gs.add()
	g.key = string(key)
	gs.byKey[g.key] = g
	c.setHops(g, hops)
	c.writeGroup(g)
	return g
}

// groupFor returns the group of the routes of an entry, or nil if they need none. Their flags are those of their kind.
func (c *Chip) groupFor(members []member) *group {
	info := members[0].ref.Info
	if c.profile.simulated || members[0].flags != grouped.flags {
		return nil
	}
	if info.NextHopID != 0 {
		return c.groups.objects[info.NextHopID]
	}
	if len(members) > 1 {
		hops := make([]fib.NextHop, 0, len(members))
		for i := range members {
			hops = append(hops, members[i].ref.Info.NextHops...)
		}
		return c.shared(hops)
	}
	if len(info.NextHops) == 0 {
		return nil
	}
	// Most routes have an Info that others have, too.
	n := c.entries.numberOf(info)
	if int(n) < len(c.groups.byInfo) && n != 0 {
		if cached := &c.groups.byInfo[n]; cached.info == info {
			if g := c.groups.live(cached.groupRef); g != nil {
				return g
			}
		}
	}
	return c.shared(info.NextHops)
}

// join puts an entry into a group, or with nil into none, and takes it out of the one it was in.
func (c *Chip) join(n uint32, g *group) {
	e := c.entries.at(n)
	if g != nil && len(c.entries.more(e)) == 0 && g.object == nil {
		for int(e.info) >= len(c.groups.byInfo) {
			c.groups.byInfo = append(c.groups.byInfo, cachedGroup{})
		}
		c.groups.byInfo[e.info] = cachedGroup{groupRef{g.number, g.serial}, c.entries.infos[e.info]}
	}
	if g == nil && e.group == 0 || g != nil && e.group == g.number {
		return
	}
	c.leave(n)
	if g == nil {
		return
	}
	e.group, e.next, e.prev = g.number, g.first, 0
	if g.first != 0 {
		c.entries.at(g.first).prev = n
	}
	g.first = n
	g.entries++
}

// leave takes an entry out of its group, which goes with the last one.
func (c *Chip) leave(n uint32) {
	e := c.entries.at(n)
	if e.group == 0 {
		return
	}
	g := c.groups.list[e.group]
	if g.cursor == n {
		g.cursor = e.next
	}
	if e.prev != 0 {
		c.entries.at(e.prev).next = e.next
	} else {
		g.first = e.next
	}
	if e.next != 0 {
		c.entries.at(e.next).prev = e.prev
	}
	e.group, e.next, e.prev = 0, 0, 0
	g.entries--
	c.discard(g)
}

// discard removes a group that nothing uses.
func (c *Chip) discard(g *group) {
	if g.entries > 0 || g.object != nil {
		return
	}
	if g.key != "" {
		delete(c.groups.byKey, g.key)
	}
	c.setHops(g, nil)
	c.setBroken(g, false)
	g.blackhole = false
	c.writeGroup(g)
	c.groups.list[g.number] = nil
	c.groups.free = append(c.groups.free, g.number)
}

// setHops gives a group its next hops, and keeps who depends on what. writeGroup is to follow.
func (c *Chip) setHops(g *group, hops []fib.NextHop) {
	gs := &c.groups
	old, oldSlots := g.hops, g.slots
	g.hops, g.slots, g.buckets = slices.Clone(hops), make([]uint32, len(hops)), nil
	for i := range g.hops {
		h := &g.hops[i]
		gs.linkOf(h.Link).groups[g.number] = struct{}{}
		if h.Neighbor != nil {
			gs.neighborOf(h.Neighbor).groups[g.number] = struct{}{}
		}
	}
	for i := range old {
		h := &old[i]
		if oldSlots[i] > 0 {
			if k := slices.IndexFunc(g.hops, func(k fib.NextHop) bool { return k.Neighbor == h.Neighbor }); k >= 0 && g.slots[k] == 0 {
				g.slots[k] = oldSlots[i] // goes on
			} else {
				c.unuse(h.Neighbor)
			}
		}
		if !slices.ContainsFunc(g.hops, func(k fib.NextHop) bool { return k.Link == h.Link }) {
			c.forgetLink(h.Link, g.number)
		}
		if h.Neighbor != nil && !slices.ContainsFunc(g.hops, func(k fib.NextHop) bool { return k.Neighbor == h.Neighbor }) {
			c.forgetNeighbor(h.Neighbor, g.number)
		}
	}
}

func (c *Chip) forgetLink(l *fib.Link, number uint32) {
	have := c.groups.links[l]
	if have == nil {
		return
	}
	if delete(have.groups, number); !have.usable && len(have.groups) == 0 {
		delete(c.groups.links, l)
	}
}

func (c *Chip) forgetNeighbor(n *fib.Neighbor, number uint32) {
	have := c.groups.neighbors[n]
	if have == nil {
		return
	}
	if delete(have.groups, number); len(have.groups) > 0 {
		return
	}
	c.displace(n, have)
	if !have.valid || have.forgotten {
		delete(c.groups.neighbors, n)
	}
}

// use counts a group that forwards to a neighbour, which may be nil.
func (c *Chip) use(n *fib.Neighbor) {
	if n == nil {
		return
	}
	have := c.groups.neighborOf(n)
	if have.users++; have.users == 1 {
		n.SetOffloaded(true)
	}
}

func (c *Chip) unuse(n *fib.Neighbor) {
	if n == nil {
		return
	}
	have := c.groups.neighborOf(n)
	if have.users--; have.users == 0 {
		n.SetOffloaded(false)
	}
}

// hostDemand is the room that a neighbour takes.
func (c *Chip) hostDemand(n *fib.Neighbor) demand {
	if n.Addr.Is4() {
		return demand{hostRows, 1}
	}
	return demand{hostRows, c.profile.hostRows6}
}

// place gives a valid neighbour its row and reports whether it has one.
func (c *Chip) place(n *fib.Neighbor, have *neighbor) bool {
	if d := c.hostDemand(n); !have.placed && c.fits(d) {
		have.placed = true
		c.occupy(d)
	}
	return have.placed
}

// displace takes the row of a neighbour away.
func (c *Chip) displace(n *fib.Neighbor, have *neighbor) {
	if have.placed {
		have.placed = false
		c.vacate(c.hostDemand(n))
	}
}
