package fib

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// NeighborState is what is known of a neighbour (the kernel's NUD states).
type NeighborState uint8

// Neighbour states.
const (
	NeighborNone NeighborState = iota
	NeighborIncomplete
	NeighborReachable
	NeighborStale
	NeighborDelay
	NeighborProbe
	NeighborFailed
	NeighborNoARP
	NeighborPermanent
)

// Valid reports whether packets can be sent to a neighbour in this state (NUD_VALID).
func (s NeighborState) Valid() bool {
	return s != NeighborNone && s != NeighborIncomplete && s != NeighborFailed
}

// lasts reports whether an entry outlives the loss of carrier (neigh_carrier_down).
func (s NeighborState) lasts() bool { return s == NeighborPermanent || s == NeighborNoARP }

// Neighbor is a gateway on a link, shared by all next hops that use it. Link and Addr are immutable; hardware tells neighbours apart by their pointer.
type Neighbor struct {
	Link *Link
	Addr netip.Addr

	offloaded atomic.Bool

	// Guarded by neighbors.mu.
	state   NeighborState
	entry   bool   // somebody made an entry
	lladdr  string // of the entry
	refs    int    // Infos and next-hop objects that use it
	attempt uint64 // tells the present resolution from earlier ones
}

// Offloaded reports whether hardware forwards to the neighbour.
func (n *Neighbor) Offloaded() bool { return n.offloaded.Load() }

// SetOffloaded is for hardware.
func (n *Neighbor) SetOffloaded(on bool) { n.offloaded.Store(on) }

// NeighborInfo is a neighbour as listed.
type NeighborInfo struct {
	Addr      netip.Addr
	Link      string
	LLAddr    string // as given; may be empty
	State     NeighborState
	Offloaded bool // hardware forwards to it
	Automatic bool // it resolved by itself
}

type neighborKey struct {
	link *Link
	addr netip.Addr
}

// neighbors are all neighbours that are used or have an entry. A leaf lock guards them, so that both families can use one; hardware is told under it, which
// keeps what it hears of a neighbour in order.
type neighbors struct {
	hardware Hardware

	mu     sync.Mutex
	byKey  map[neighborKey]*Neighbor
	manual bool          // gateways do not resolve by themselves
	delay  time.Duration // that resolution takes
	closed bool
	held   bool                           // those under way wait for ResolveNeighbor
	tell   func(answer func() []Resolved) // has neighbours resolve; nil: at once
	due    []resolution                   // under way, by time and then in the order in which they began
	timer  *time.Timer                    // for the first of due
}

// use returns the neighbour with one more reference, and lets it resolve if it is new.
func (ns *neighbors) use(l *Link, addr netip.Addr) *Neighbor {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.get(l, addr)
	if n.refs++; n.refs == 1 {
		ns.resolve(n)
	}
	return n
}

// release gives a reference back. A neighbour that nobody needs any more is added to unused, for forget.
func (ns *neighbors) release(n *Neighbor, unused *[]*Neighbor) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if n.refs--; n.refs == 0 && !n.entry {
		delete(ns.byKey, neighborKey{n.Link, n.Addr})
		n.attempt++
		*unused = append(*unused, n)
	}
}

// forget tells hardware of neighbours that are not used any more, and empties the list. Operations that used them must have been submitted.
func (ns *neighbors) forget(unused *[]*Neighbor) {
	if len(*unused) == 0 {
		return
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, n := range *unused {
		if n.state.Valid() {
			n.state = NeighborNone
			ns.hardware.NeighborForgotten(n)
		}
	}
	clear(*unused)
	*unused = (*unused)[:0]
}

// get returns the neighbour, making it if need be. The lock is held, as for all that follow.
func (ns *neighbors) get(l *Link, addr netip.Addr) *Neighbor {
	key := neighborKey{l, addr}
	n := ns.byKey[key]
	if n == nil {
		n = &Neighbor{Link: l, Addr: addr}
		ns.byKey[key] = n
	}
	return n
}

// set changes the state and tells hardware if that makes a difference to it.
func (ns *neighbors) set(n *Neighbor, state NeighborState) {
	was := n.state.Valid()
	n.state = state
	if state.Valid() != was {
		ns.hardware.NeighborChanged(n, !was)
	}
}

// resolve begins to resolve a neighbour that routes use, unless it is known or that is not wanted.
func (ns *neighbors) resolve(n *Neighbor) {
	if ns.manual || n.entry || n.refs == 0 || n.state.Valid() || n.Link.LinkDown() {
		return
	}
	n.attempt++
	if ns.delay <= 0 {
		ns.set(n, NeighborReachable)
		return
	}
	ns.set(n, NeighborIncomplete)
	r := resolution{time.Now().Add(ns.delay), n, n.attempt}
	at := len(ns.due)
	for at > 0 && ns.due[at-1].at.After(r.at) { // the delay has become shorter
		at--
	}
	ns.due = slices.Insert(ns.due, at, r)
	if at == 0 {
		ns.wait()
	}
}

// lost drops what is known of the neighbours on a link that went down or, with keep, lost its carrier: entries that last stay then.
func (ns *neighbors) lost(l *Link, keep bool) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, n := range ns.on(l) {
		if keep && n.entry && n.state.lasts() {
			continue
		}
		n.entry, n.lladdr = false, ""
		n.attempt++
		ns.set(n, NeighborNone)
		if n.refs == 0 {
			delete(ns.byKey, neighborKey{n.Link, n.Addr})
		}
	}
}

// found resolves the neighbours that routes use on a link that can be used again.
func (ns *neighbors) found(l *Link) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, n := range ns.on(l) {
		ns.resolve(n)
	}
}

// on returns the neighbours on a link, or with nil all, by link and address.
func (ns *neighbors) on(l *Link) (list []*Neighbor) {
	for key, n := range ns.byKey {
		if l == nil || key.link == l {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *Neighbor) int {
		return cmp.Or(cmp.Compare(a.Link.Index, b.Link.Index), a.Addr.Compare(b.Addr))
	})
	return list
}

func (n *Neighbor) info() NeighborInfo {
	return NeighborInfo{
		Addr: n.Addr, Link: n.Link.Name, LLAddr: n.lladdr, State: n.state, Offloaded: n.Offloaded(), Automatic: !n.entry,
	}
}

// atNeighbor runs do for an address on a link, with what is known of it, which may be nil, and with the lock that guards it. Error: ErrLinkNotFound.
func (f *FIB) atNeighbor(link string, addr netip.Addr, do func(ns *neighbors, l *Link, n *Neighbor) error) error {
	return f.readLinks(func() error {
		l := f.links.byName[link]
		if l == nil {
			return errNoLink(link)
		}
		ns := &f.neighbors
		ns.mu.Lock()
		defer ns.mu.Unlock()
		return do(ns, l, ns.byKey[neighborKey{l, addr}])
	})
}

// SetNeighbor makes an entry, or changes the one that is there unless exclusive. Errors: ErrLinkNotFound, ErrLinkDown, ErrNeighborExists.
func (f *FIB) SetNeighbor(link string, addr netip.Addr, lladdr string, state NeighborState, exclusive bool) (info NeighborInfo, err error) {
	err = f.atNeighbor(link, addr, func(ns *neighbors, l *Link, n *Neighbor) error {
		switch {
		case !l.Up:
			return errLinkDown("", l)
		case exclusive && n != nil && n.entry:
			return &Error{Err: ErrNeighborExists, Errno: syscall.EEXIST, Detail: fmt.Sprintf("%v on %q", addr, link)}
		}
		n = ns.get(l, addr)
		n.entry, n.lladdr = true, lladdr
		n.attempt++
		ns.set(n, state)
		info = n.info()
		return nil
	})
	return info, err
}

// DeleteNeighbor removes an entry, or what resolved by itself. A neighbour that routes use is then resolved anew. Errors: ErrLinkNotFound, ErrNeighborNotFound.
func (f *FIB) DeleteNeighbor(link string, addr netip.Addr) error {
	return f.atNeighbor(link, addr, func(ns *neighbors, l *Link, n *Neighbor) error {
		if n == nil {
			return &Error{Err: ErrNeighborNotFound, Errno: syscall.ENOENT, Detail: fmt.Sprintf("%v on %q", addr, link)}
		}
		n.entry, n.lladdr = false, ""
		n.attempt++
		ns.set(n, NeighborNone)
		if n.refs == 0 {
			delete(ns.byKey, neighborKey{l, addr})
		}
		ns.resolve(n)
		return nil
	})
}

// Neighbors lists the neighbours of a link, or with "" of all, by link index and address: those with an entry, and those that routes use. Error: ErrLinkNotFound.
func (f *FIB) Neighbors(link string) (list []NeighborInfo, err error) {
	ns := &f.neighbors
	err = f.readLinks(func() error {
		l := f.links.byName[link]
		if l == nil && link != "" {
			return errNoLink(link)
		}
		ns.mu.Lock()
		defer ns.mu.Unlock()
		for _, n := range ns.on(l) {
			list = append(list, n.info())
		}
		return nil
	})
	return list, err
}

// SetNeighborResolution says whether gateways of routes resolve by themselves and how long that takes. Those that have resolved become unknown again when auto ends.
func (f *FIB) SetNeighborResolution(auto bool, delay time.Duration) {
	ns := &f.neighbors
	_ = f.readLinks(func() error {
		ns.mu.Lock()
		defer ns.mu.Unlock()
		ns.delay = delay
		if ns.manual == !auto {
			return nil
		}
		ns.manual = !auto
		for _, n := range ns.on(nil) {
			if n.entry {
				continue
			}
			if ns.manual {
				n.attempt++
				ns.set(n, NeighborNone)
			}
			ns.resolve(n)
		}
		return nil
	})
}

// NeighborResolution returns what SetNeighborResolution set; at first automatic, without delay.
func (f *FIB) NeighborResolution() (auto bool, delay time.Duration) {
	ns := &f.neighbors
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return !ns.manual, ns.delay
}

// Close ends what goes on by itself: neighbours that are being resolved and groups out of balance stay as they are.
func (f *FIB) Close() {
	f.linksMu.Lock()
	defer f.linksMu.Unlock()
	f.closed = true
	f.neighbors.mu.Lock()
	defer f.neighbors.mu.Unlock()
	f.neighbors.closed = true
	f.neighbors.wait()
}
