package fib

import (
	"cmp"
	"slices"
)

// replaceNextHop gives an object in use new contents: its routes, and those of groups that contain it, follow (replace_nexthop).
func (f *FIB) replaceNextHop(old, o *NextHopObject) {
	f.abandon(old)
	for _, m := range o.members { // the object stays, its contents change
		i := slices.Index(m.object.groups, o)
		m.object.groups[i] = old
	}
	old.family, old.protocol, old.blackhole = o.family, o.protocol, o.blackhole
	old.hop, old.members, old.resilient = o.hop, o.members, o.resilient
	f.scheduleUpkeep(old)
	f.publishNextHop(NextHopReplaced, old, NLReplace|NLCreate, false)
	f.rewrite(old)
	f.publishRewritten(old, true)
	for _, g := range old.groups {
		f.tellGroup(g)
		f.rewrite(g)
		f.publishRewritten(g, true)
	}
}

// tellGroup tells hardware of a group that another object's change has changed. It needs no more room than it has.
func (f *FIB) tellGroup(g *NextHopObject) {
	u := g.update()
	_ = f.hardware.AdmitNextHop(u)
	f.hardware.NextHopChanged(u)
}

// rewrite gives the Infos of routes that use the object its present next hops.
func (f *FIB) rewrite(o *NextHopObject) {
	hops := f.expand(o)
	for _, fam := range f.families {
		for _, info := range fam.infos.list {
			if info != nil && info.NextHopID == o.id {
				info.NextHops, info.Drops = hops, o.drops()
			}
		}
	}
}

// usesObject reports whether a route uses the object.
func (f *family) usesObject(id uint32) bool {
	return slices.ContainsFunc(f.infos.list, func(i *Info) bool { return i != nil && i.NextHopID == id })
}

// using returns the rows that use the object, in the order in which the kernel goes through them: IPv4 from the highest prefix down
// (fib_info_notify_update, fib_flush), IPv6 the newest first (f6i_list).
func (f *family) using(id uint32) (list []place) {
	for _, t := range f.order {
		entries := f.having(t, func(i *Info) bool { return i.NextHopID == id })
		slices.SortFunc(entries, descending)
		for _, e := range entries {
			for n := e.head; n != 0; n = f.rows.At(n).next {
				if f.infoOf(n).NextHopID == id {
					list = append(list, place{t, e.prefix, n})
				}
			}
		}
	}
	if f.rules.siblings {
		slices.SortFunc(list, func(a, b place) int {
			return cmp.Compare(f.rows.At(b.n).generation, f.rows.At(a.n).generation)
		})
	}
	return list
}

// publishRewritten publishes the routes whose object has changed. Those that the kernel says nothing of are marked silent.
func (f *FIB) publishRewritten(o *NextHopObject, said bool) {
	for _, fam := range f.families {
		said := said && f.NextHopCompat()
		for _, p := range fam.using(o.id) {
			fam.load(p.table, p.prefix)
			e := fam.event(RouteReplaced)
			e.NLFlags, e.Requested, e.Silent = NLReplace, said, !said
			fam.view(&e.Route, p.table, p.prefix, p.n)
			fam.flushMany()
		}
		fam.flushEvents()
	}
}

// DeleteNextHop removes an object with the routes that use it, and from the groups that contain it. Error: ErrNextHopNotFound.
func (f *FIB) DeleteNextHop(id uint32) error {
	return f.changeLinks(func() error {
		o := f.nextHops.byID[id]
		if o == nil {
			return errNoNextHop(id)
		}
		f.removeNextHop(o, false)
		return nil
	})
}

// removeNextHop follows remove_nexthop. Because of a link the kernel does it silently, but for the IPv6 routes.
func (f *FIB) removeNextHop(o *NextHopObject, silent bool) {
	delete(f.nextHops.byID, o.id)
	f.publishNextHop(NextHopDeleted, o, 0, silent)
	for _, fam := range f.families {
		quiet := fam.af == IPv4 || !f.NextHopCompat()
		for _, p := range fam.using(o.id) {
			fam.load(p.table, p.prefix)
			_ = fam.remove(p.table, p.prefix, []uint32{p.n}, false, quiet, nil, &Answer{})
		}
		fam.commit()
	}
	for _, g := range slices.Clone(o.groups) {
		if len(g.members) == 1 {
			f.removeNextHop(g, silent)
			continue
		}
		g.members = slices.DeleteFunc(g.members, func(m member) bool { return m.object == o })
		g.resilient.balance(g.members)
		f.tellGroup(g)
		f.scheduleUpkeep(g)
		f.publishNextHop(NextHopReplaced, g, 0, silent)
		f.rewrite(g)
		f.publishRewritten(g, false)
	}
	f.abandon(o)
	gone := &NextHopUpdate{Object: o, ID: o.id, Gone: true}
	_ = f.hardware.AdmitNextHop(gone)
	f.hardware.NextHopChanged(gone)
}

// nextHopsLost removes the objects on a link that has gone down, lost its carrier, or gone away (nexthop_flush_dev).
func (f *FIB) nextHopsLost(l *Link) {
	for _, o := range f.nextHops.sorted() {
		if o.hop.Link == l && f.nextHops.byID[o.id] == o {
			f.removeNextHop(o, true)
		}
	}
}

// replayNextHops tells hardware all objects anew.
func (f *FIB) replayNextHops() error {
	for _, o := range f.nextHops.sorted() {
		u := o.update()
		if err := f.hardware.AdmitNextHop(u); err != nil {
			return asError(err)
		}
		f.hardware.NextHopChanged(u)
	}
	return nil
}
