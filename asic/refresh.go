package asic

import (
	"cmp"
	"slices"

	"github.com/vasic-project/vasic/fib"
)

// linkChanged has the groups with next hops on the link written again.
func (c *Chip) linkChanged(l *fib.Link, usable bool) {
	if c.profile.simulated {
		return
	}
	have := c.groups.linkOf(l)
	if have.usable != usable {
		have.usable = usable
		c.soil(have.groups)
		if !usable {
			c.loseForgotten(l, have.groups)
		}
	}
	if !usable && len(have.groups) == 0 {
		delete(c.groups.links, l)
	}
}

// neighborChanged has the groups that forward to the neighbour, or could, written again.
func (c *Chip) neighborChanged(n *fib.Neighbor, valid bool) {
	have := c.groups.neighborOf(n)
	if have.valid != valid {
		have.valid = valid
		c.soil(have.groups)
		if !valid {
			c.displace(n, have)
		}
	}
	if !valid && len(have.groups) == 0 {
		delete(c.groups.neighbors, n)
	}
}

// neighborForgotten keeps a neighbour as it is as long as a group uses it, and its link can be used.
func (c *Chip) neighborForgotten(n *fib.Neighbor) {
	have := c.groups.neighborOf(n)
	l := c.groups.links[n.Link]
	if have.forgotten = true; len(have.groups) == 0 || l == nil || !l.usable {
		c.neighborChanged(n, false)
	}
}

// loseForgotten makes forgotten neighbours on a link that cannot be used invalid for good: nobody would say so when the link is back.
func (c *Chip) loseForgotten(l *fib.Link, numbers map[uint32]struct{}) {
	for number := range numbers {
		for i := range c.groups.list[number].hops {
			n := c.groups.list[number].hops[i].Neighbor
			if n == nil || n.Link != l {
				continue
			}
			if have := c.groups.neighborOf(n); have.forgotten && have.valid {
				have.valid = false
				c.displace(n, have)
			}
		}
	}
}

// soil marks groups as to be written, in the order in which they were made.
func (c *Chip) soil(numbers map[uint32]struct{}) {
	start := len(c.groups.dirty)
	for number := range numbers {
		g := c.groups.list[number]
		if !g.dirty {
			g.dirty = true
			c.groups.dirty = append(c.groups.dirty, groupRef{number, g.serial})
		}
	}
	slices.SortFunc(c.groups.dirty[start:], func(a, b groupRef) int { return cmp.Compare(a.serial, b.serial) })
}

// writeDirty writes up to drain of the groups that are marked. It returns false if a fault rule delays or stalls one.
func (c *Chip) writeDirty() bool {
	gs := &c.groups
	for n := 0; n < drain && len(gs.dirty) > 0; n++ {
		if g := gs.live(gs.dirty[0]); g != nil {
			failed, ok := false, false
			if !c.abandoning {
				failed, ok = c.groupFault(g.hops)
			}
			if !ok && !c.abandoning {
				return false
			}
			if g.dirty = false; ok {
				c.setBroken(g, failed)
				c.writeGroup(g)
			}
		}
		gs.dirty = gs.dirty[1:]
		c.excused, c.held = false, 0
	}
	if len(gs.dirty) == 0 {
		gs.dirty = nil
	}
	return true
}

// groupFault lets fault rules have their effect on the writing of a group: failed leaves it without next hops; not ok delays or stalls it.
func (c *Chip) groupFault(hops []fib.NextHop) (failed, ok bool) {
	f, hit, waits := c.obstacle(&subject{operation: NextHopOperation, hops: hops})
	return hit && f.Effect == Fail, !waits
}

func (c *Chip) setBroken(g *group, broken bool) {
	if g.broken == broken {
		return
	}
	if g.broken = broken; broken {
		c.broken.Add(1)
	} else {
		c.broken.Add(-1)
	}
}

// lookAgain has the entries of a group looked at again, from the first one.
func (c *Chip) lookAgain(g *group) {
	if g.cursor = g.first; g.first != 0 && !g.queued {
		g.queued = true
		c.groups.refreshing = append(c.groups.refreshing, g)
	}
}

// upkeep is how many groups there are to see to.
func (c *Chip) upkeep() int {
	gs := &c.groups
	n := len(gs.refreshing) + len(gs.dirty)
	if gs.tried < len(gs.lacking) {
		n++
	}
	return n
}

// refresh looks at up to limit entries of groups that have changed. Entries that leave or come meanwhile move the cursor or are seen to already.
func (c *Chip) refresh(limit int) {
	gs := &c.groups
	for limit > 0 && len(gs.refreshing) > 0 {
		g := gs.refreshing[0]
		for ; g.cursor != 0 && limit > 0; limit-- {
			n := g.cursor
			g.cursor = c.entries.at(n).next
			c.follow(n, g)
		}
		if g.cursor == 0 {
			g.queued = false
			gs.refreshing[0] = nil
			gs.refreshing = gs.refreshing[1:]
		}
	}
	if len(gs.refreshing) == 0 {
		gs.refreshing = nil
	}
}

// follow gives the routes of an entry the flags of its group, and reports those that change.
func (c *Chip) follow(n uint32, g *group) {
	e := c.entries.at(n)
	if len(c.entries.more(e)) == 0 && e.flags == g.flags {
		return
	}
	t, pfx, v := c.tables[e.table], c.prefixOf(n), verdictOf(g.flags)
	for i, m := range c.entries.members(n, c.judged[:0]) {
		if m.flags == g.flags {
			continue
		}
		c.entries.setFlags(n, i, g.flags)
		c.results = append(c.results, fib.Result{Family: t.family, Flags: v.flags, Reason: v.reason, Table: t.id, Prefix: pfx, Ref: m.ref})
	}
}

// takeUp writes up to limit of the groups that lack rows again, the oldest first, after rows were given back.
func (c *Chip) takeUp(limit int) {
	gs := &c.groups
	for ; limit > 0 && gs.tried < len(gs.lacking); limit-- {
		ref := gs.lacking[gs.tried]
		gs.tried++
		if g := gs.live(ref); g != nil && g.lacks {
			c.writeGroup(g)
		}
	}
	if gs.tried > 0 && gs.tried >= len(gs.lacking) {
		gs.lacking = slices.DeleteFunc(gs.lacking, func(ref groupRef) bool {
			g := gs.live(ref)
			return g == nil || !g.lacks
		})
		gs.tried = len(gs.lacking)
	}
}

// nextHopChanged gives the group of a next-hop object its new content. It returns false if a fault rule delays or stalls it.
func (c *Chip) nextHopChanged(u *fib.NextHopUpdate) bool {
	g := c.groups.objects[u.ID]
	if u.Gone {
		if g != nil {
			delete(c.groups.objects, u.ID)
			c.abandon(g)
		}
		return true
	}
	failed, ok := c.groupFault(u.Hops)
	if !ok {
		return false
	}
	if g != nil && g.object.Object != u.Object { // another object of that number
		c.abandon(g)
		g = nil
	}
	if g == nil {
		g = c.groups.add()
		c.groups.objects[u.ID] = g
	}
	g.object, g.blackhole = u, u.Blackhole
	c.setHops(g, u.Hops)
	g.buckets = u.Buckets
	c.setBroken(g, failed)
	c.writeGroup(g)
	return true
}

// abandon parts a group from its object, which is gone. It lasts as long as entries use it.
func (c *Chip) abandon(g *group) {
	g.object.Object.SetFlags(0)
	g.object = nil
	c.writeGroup(g)
	c.discard(g)
}
