package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// resolution is a neighbour that becomes reachable at a time, unless another attempt began meanwhile.
type resolution struct {
	at      time.Time
	n       *Neighbor
	attempt uint64
}

// wait sets the timer to the first resolution that is due. The lock is held.
func (ns *neighbors) wait() {
	if ns.timer != nil {
		ns.timer.Stop()
	}
	if len(ns.due) > 0 && !ns.closed && !ns.held {
		ns.timer = time.AfterFunc(time.Until(ns.due[0].at), ns.answer)
	}
}

// Resolved names a neighbour that has resolved after a delay.
type Resolved struct {
	Link string
	Addr netip.Addr
}

// answer ends the resolutions whose time has come. There is one timer for all, so that what falls together has an order at all.
func (ns *neighbors) answer() {
	if ns.tell != nil {
		ns.tell(ns.answered)
	} else {
		ns.answered()
	}
}

// answered does that, in their order, and returns them.
func (ns *neighbors) answered() (list []Resolved) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.closed || ns.held {
		return nil
	}
	now := time.Now()
	done := 0
	for ; done < len(ns.due) && !ns.due[done].at.After(now); done++ {
		if r := &ns.due[done]; r.n.attempt == r.attempt && r.n.state == NeighborIncomplete {
			ns.set(r.n, NeighborReachable)
			list = append(list, Resolved{r.n.Link.Name, r.n.Addr})
		}
	}
	ns.due = slices.Delete(ns.due, 0, done)
	ns.wait()
	return list
}

// OnResolution has neighbours that resolve after a delay do so when tell calls answer, which returns them. tell is called without locks. Before the first
// link is made.
func (f *FIB) OnResolution(tell func(answer func() []Resolved)) { f.neighbors.tell = tell }

// HoldResolution says whether neighbours that resolve after a delay wait for ResolveNeighbor.
func (f *FIB) HoldResolution(held bool) {
	ns := &f.neighbors
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.held = held
	ns.wait()
}

// ResolveNeighbor ends the resolution of a neighbour now. Errors: ErrLinkNotFound, ErrNeighborNotFound.
func (f *FIB) ResolveNeighbor(link string, addr netip.Addr) error {
	return f.atNeighbor(link, addr, func(ns *neighbors, _ *Link, n *Neighbor) error {
		if n == nil || n.entry || n.state != NeighborIncomplete {
			return &Error{Err: ErrNeighborNotFound, Errno: syscall.ENOENT, Detail: fmt.Sprintf("%v on %q is not being resolved", addr, link)}
		}
		ns.set(n, NeighborReachable)
		return nil
	})
}
