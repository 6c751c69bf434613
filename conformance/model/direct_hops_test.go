package model_test

import (
	"net/netip"

	"github.com/vasic-project/vasic/conformance/model"
	"github.com/vasic-project/vasic/fib"
)

var neighborStates = map[string]fib.NeighborState{
	model.NeighborNone: fib.NeighborNone, model.NeighborFailed: fib.NeighborFailed, model.NeighborReachable: fib.NeighborReachable,
	model.NeighborStale: fib.NeighborStale, model.NeighborPermanent: fib.NeighborPermanent,
}

func (d *direct) setNeighbor(link string, addr netip.Addr, state string, exclusive bool) string {
	_, err := d.fib.SetNeighbor(link, addr, "", neighborStates[state], exclusive)
	return errnoOf(err)
}

func (d *direct) deleteNeighbor(link string, addr netip.Addr) string {
	return errnoOf(d.fib.DeleteNeighbor(link, addr))
}

func (d *direct) neighbors() (list []model.Neighbor) {
	known, err := d.fib.Neighbors("")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, n := range known {
		shown := model.Neighbor{Link: n.Link, Addr: n.Addr, Automatic: n.Automatic, Offloaded: n.Offloaded}
		for text, state := range neighborStates {
			if state == n.State {
				shown.State = text
			}
		}
		list = append(list, shown)
	}
	return list
}

func objectOf(v *fib.NextHopView) *model.Object {
	o := &model.Object{ID: v.ID, Family: int(v.Family), Gateway: v.Hop.Gateway, Flags: flagText(v.Flags)}
	if v.Hop.Link != nil {
		o.Device = v.Hop.Link.Name
	}
	for _, m := range v.Members {
		o.Members = append(o.Members, model.Member{ID: m.ID, Weight: int(m.Weight)})
	}
	return o
}

func (d *direct) setObject(o model.Object, replace bool) string {
	s := &fib.NextHopObjectSpec{ID: o.ID, Family: fib.Families[o.Family], Gateway: o.Gateway, Device: o.Device}
	for _, m := range o.Members {
		s.Group = append(s.Group, fib.GroupMember{ID: m.ID, Weight: uint16(m.Weight)}) //nolint:gosec // small
	}
	_, err := d.fib.SetNextHop(s, true, replace)
	return errnoOf(err)
}

func (d *direct) deleteObject(id uint32) string { return errnoOf(d.fib.DeleteNextHop(id)) }

func (d *direct) objects() (list []model.Object) {
	d.fib.NextHops(func(v *fib.NextHopView) { list = append(list, *objectOf(v)) })
	return list
}
