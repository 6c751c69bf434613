package asic

import (
	"github.com/vasic-project/vasic/fib"
)

// writeGroup writes what a group has to say into the adjacency table: the next hops that can be used, as far as there is room
// (mlxsw_sp_nexthop_group_refresh). If that changes what its entries do, they are looked at again.
func (c *Chip) writeGroup(g *group) {
	usable, short := c.usableHops(g)
	slots := g.share(usable, c.profile.maxSlots)
	had, hadRows := c.vacated, g.rows
	for _, d := range g.rows {
		c.vacate(d)
	}
	c.vacated = had
	g.rows = [3]demand{}
	if !c.occupyRows(g, slots) {
		short, slots = true, make([]uint32, len(g.hops))
	}
	for i := range hadRows {
		if hadRows[i].rows > g.rows[i].rows {
			c.vacated = true
		}
	}
	flags := fib.FlagTrap
	if g.blackhole {
		flags = fib.FlagOffload
	}
	for i, n := range slots {
		if n > 0 {
			flags = fib.FlagOffload
			if g.slots[i] == 0 {
				c.use(g.hops[i].Neighbor)
			}
		}
	}
	for i, n := range g.slots {
		if n > 0 && slots[i] == 0 {
			c.unuse(g.hops[i].Neighbor)
		}
	}
	g.slots = slots
	if short && flags == fib.FlagTrap {
		flags |= flagShort
	}
	if short != g.lacks {
		if g.lacks = short; short {
			c.groups.lacking = append(c.groups.lacking, groupRef{g.number, g.serial})
			c.lacking.Add(1)
		} else {
			c.lacking.Add(-1)
		}
	}
	if g.object != nil && g.object.Object != nil {
		g.object.Object.SetFlags(flags & fib.FlagOffload) // never TRAP (mlxsw_sp_nexthop_obj_group_update)
	}
	if flags != g.flags {
		g.flags = flags
		c.lookAgain(g)
	}
}

// usableHops says which next hops can be used: those on a link that is up, with a neighbour that is valid and has its row. short says that one has no row.
func (c *Chip) usableHops(g *group) (usable []bool, short bool) {
	usable = make([]bool, len(g.hops))
	for i := range g.hops {
		h := &g.hops[i]
		l := c.groups.links[h.Link]
		if g.broken || l == nil || !l.usable || h.Link.Loopback {
			continue
		}
		if h.Neighbor != nil {
			n := c.groups.neighborOf(h.Neighbor)
			if !n.valid {
				continue
			}
			if !c.place(h.Neighbor, n) {
				short = true
				continue
			}
		}
		usable[i] = true
	}
	return usable, short
}

// occupyRows takes the rows that a group with these slots needs, and reports whether there was room.
func (c *Chip) occupyRows(g *group, slots []uint32) bool {
	if g.object != nil {
		d := demand{nextHopRows, rowsOf(g.object)}
		if !c.fits(d) {
			return false
		}
		g.rows[0] = d
		c.occupy(d)
	}
	members, gateways := uint64(0), false
	for i, n := range slots {
		members += uint64(n)
		gateways = gateways || g.hops[i].Gateway.IsValid()
	}
	if members == 0 || !gateways {
		return true
	}
	if len(g.buckets) > 0 { // those of a next hop that cannot be used trap
		members = uint64(len(g.buckets))
	}
	one, all := demand{groupRows, 1}, demand{memberRows, members}
	if !c.fits(one, all) {
		return false
	}
	g.rows[1], g.rows[2] = one, all
	c.occupy(one)
	c.occupy(all)
	return true
}

// share gives each usable next hop its slots: of a resilient group its buckets, otherwise its weight, divided by what all weights have in
// common. If that is more than limit, slots are given by proportion, at least one to each as long as there are any.
func (g *group) share(usable []bool, limit uint64) []uint32 {
	slots := make([]uint32, len(g.hops))
	if len(g.buckets) > 0 {
		for _, i := range g.buckets {
			if usable[i] {
				slots[i]++
			}
		}
		return slots
	}
	common, sum := uint64(0), uint64(0)
	for i := range g.hops {
		if usable[i] {
			w := uint64(max(g.hops[i].Weight, 1))
			common, sum = gcd(common, w), sum+w
		}
	}
	if sum == 0 {
		return slots
	}
	if sum/common <= limit || limit == 0 {
		for i := range g.hops {
			if usable[i] {
				slots[i] = uint32(uint64(max(g.hops[i].Weight, 1)) / common) //nolint:gosec // at most a weight
			}
		}
		return slots
	}
	left := limit
	for i := range g.hops { // as many as there is room for get one, whatever their weight
		if usable[i] && left > 0 {
			slots[i] = 1
			left--
		}
	}
	spare := left
	for i := range g.hops {
		if slots[i] > 0 {
			more := min(spare*uint64(max(g.hops[i].Weight, 1))/sum, left)
			slots[i] += uint32(more) //nolint:gosec // at most the limit
			left -= more
		}
	}
	return slots
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
