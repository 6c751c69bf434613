package fib

import (
	"fmt"
	"slices"
	"syscall"
)

// localTable is where the local, broadcast and multicast routes of a link are: in its VRF's table if it has one.
func (l *Link) localTable() uint32 { return l.tableOr(TableLocal) }

// mainTable is where the connected routes of a link are.
func (l *Link) mainTable() uint32 { return l.tableOr(TableMain) }

func (l *Link) tableOr(table uint32) uint32 {
	switch {
	case l.Kind == LinkVRF:
		return l.Table
	case l.Master != nil:
		return l.Master.Table
	}
	return table
}

// addL3mdevRules makes the rule that sends packets of VRFs to their tables, in both families, if it is not there (vrf_add_fib_rules).
func (f *FIB) addL3mdevRules() error {
	for _, fam := range f.families {
		if slices.ContainsFunc(fam.routing, func(r Rule) bool { return r.L3mdev }) {
			continue
		}
		if err := fam.addRule(Rule{Family: fam.af, Priority: priorityL3mdev, L3mdev: true, Protocol: ProtocolKernel}); err != nil {
			return err
		}
	}
	return nil
}

// SetLinkMaster puts a link into a VRF, or with "" takes it out. Errors: ErrLinkNotFound, ErrInvalid.
func (f *FIB) SetLinkMaster(name, master string) (info LinkInfo, err error) {
	err = f.changeLinks(func() error {
		l, vrf := f.links.byName[name], f.links.byName[master]
		switch {
		case l == nil:
			return errNoLink(name)
		case master != "" && vrf == nil:
			return errNoLink(master)
		case vrf != nil && vrf.Kind != LinkVRF:
			return &Error{Err: ErrInvalid, Errno: syscall.EOPNOTSUPP, Detail: fmt.Sprintf("%q is not a VRF", master)}
		case vrf != nil && (l.Loopback || l.Kind == LinkVRF):
			return invalid("Can not enslave an L3 master device to a VRF", fmt.Sprintf("%q", name))
		}
		f.setMaster(l, vrf)
		info = l.info()
		return nil
	})
	return info, err
}

// setMaster moves a link to another VRF, or with nil to none: all its routes go, and if it is up it goes down and up again, so that those of its addresses come
// up in the other table; its IPv6 addresses are lost on the way (do_vrf_add_slave, cycle_netdev, and NETDEV_CHANGEUPPER in fib_netdev_event).
func (f *FIB) setMaster(l, vrf *Link) {
	if l.Master == vrf {
		return
	}
	wasUp := l.Up
	if wasUp {
		f.linkDown(l)
	}
	f.families[IPv4].linkLost4(l, true, false)
	f.families[IPv4].flushEvents()
	f.tellLinkLost(l)
	l.Master = vrf
	if wasUp {
		f.linkUp(l)
		f.hardware.LinkChanged(l, !l.LinkDown())
	}
}
