package fib

import "net/netip"

// OpKind is what hardware shall do with a prefix's entry (FIB_EVENT_ENTRY_*).
type OpKind uint8

// Operations. Add does not exist: a first route is a Replace, too.
const (
	OpReplace OpKind = iota // the entry becomes Routes
	OpAppend                // Routes join the entry (IPv6 siblings)
	OpDelete                // Routes leave the entry; the entry goes when none is left
	OpClear                 // a delete was refused, and hardware loses everything; without routes
)

// String returns the operation as metrics and listings spell it.
func (k OpKind) String() string { return [...]string{"replace", "append", "delete", "clear"}[k] }

// Ref names one row of a FIB at one generation.
type Ref struct {
	Generation uint64
	Info       *Info
	Row        uint32
}

// Op is one hardware operation. It is immutable once submitted.
type Op struct {
	Kind      OpKind
	Family    Family
	TOS       uint8 // of the first row
	Promotion bool  // Replace because a better route went away, which a request did not ask for
	Last      bool  // Delete: no route of the prefix remains
	Table     uint32
	Prefix    netip.Prefix
	Source    netip.Prefix // IPv6 source-specific routes
	First     Ref          // the first row
	More      []Ref        // further siblings of an IPv6 multipath route

	Accepted int64  // when the request was accepted, nanoseconds since 1970
	Waiter   Waiter // told when hardware has settled; nil where nobody asked
	Cookie   uint64 // for Waiter
}

// Len returns the number of rows.
func (o *Op) Len() int { return 1 + len(o.More) }

// Ref returns row i.
func (o *Op) Ref(i int) Ref {
	if i == 0 {
		return o.First
	}
	return o.More[i-1]
}

// Hardware is the chip as the FIB sees it. Its methods are called with a family's lock held and must not block or call back.
type Hardware interface {
	// Admit asks whether the chip takes an operation of this kind now, and reserves what it needs. A refused delete leaves the
	// FIB all the same, as it cannot be vetoed; the error is then a warning, and OpClear is submitted in its place.
	Admit(*Op) error
	// Submit queues admitted operations in order.
	Submit([]Op)
	// LinkChanged says, in order with the operations, whether next hops on the link can be used from now on.
	LinkChanged(l *Link, usable bool)
	// NeighborChanged says, in order with the operations, whether the neighbour is valid from now on. One never spoken of is not.
	NeighborChanged(n *Neighbor, valid bool)
	// NeighborForgotten says, in order with the operations, that nothing in the FIB uses a valid neighbour any more and that it will not be spoken of again.
	// An entry that hardware has all the same, as a replace or a delete failed, can still be forwarded to it, until its link cannot be used.
	NeighborForgotten(n *Neighbor)
	// AdmitNextHop asks whether the chip takes a change of a next-hop object now, and reserves what it needs. It is asked before every change; only the removal
	// of one cannot be refused.
	AdmitNextHop(*NextHopUpdate) error
	// NextHopChanged queues an admitted change in order with the operations: operations that name the object come later.
	NextHopChanged(*NextHopUpdate)
	// AdmitRule asks whether the chip takes a new rule; removal of one cannot be refused.
	AdmitRule(r *Rule, add bool) error
}

// NextHopUpdate is a new state of a next-hop object. It is immutable once handed over.
type NextHopUpdate struct {
	Object    *NextHopObject // where hardware stores flags; it reads nothing else of it
	ID        uint32
	Gone      bool // the object is removed; what follows is not set
	Blackhole bool
	Group     bool
	Hops      []NextHop // the next hop, or for a group one for each member with the member's weight; none for a blackhole
	Members   []uint32  // of a group, the ids of Hops
	Buckets   []uint16  // of a resilient group, the index in Hops for each bucket
}

// Outcome is the end of an operation for whoever waits for it.
type Outcome uint8

// Outcomes.
const (
	Offloaded Outcome = iota
	Trapped
	Failed
	Removed     // a delete reached hardware
	NotSelected // hardware was not asked
	Superseded  // the route was replaced or deleted before hardware settled
)

// String returns the outcome as metrics spell it.
func (o Outcome) String() string {
	return [...]string{"offloaded", "trapped", "failed", "removed", "not_selected", "superseded"}[o]
}

// can reports whether the outcome comes with the reason: a failure always has one, and a trapped route where its next-hop group found no room.
func (o Outcome) can(r Reason) bool {
	switch o {
	case Failed:
		return r != ReasonNone
	case Trapped:
		return r == ReasonNone || r == ReasonTableFull
	}
	return r == ReasonNone
}

// Waiter is told how an operation ended. Settle is called with no or one family's lock held and must not block or call back.
type Waiter interface {
	Settle(cookie uint64, outcome Outcome, reason Reason)
}

// Result is what hardware did with one row.
type Result struct {
	Family    Family
	Flags     Flags // all flags of the row from now on
	Reason    Reason
	Silent    bool // do not publish as a change of flags (netdevsim's direct store on append)
	Clear     bool // the row left hardware for another one; that it may be gone from the FIB, too, is expected
	Gone      bool // nothing to store: a delete was carried out or, with a Reason, failed
	Final     bool // the last result of its operation: Waiter is told
	Abandoned bool // nothing to store: a reload came while a fault rule held the operation or one before it, which is not carried out
	// Removal: the operation was for a delete, whose waiter is told Removed although another route came into its place.
	Removal bool
	Table   uint32
	Prefix  netip.Prefix
	Source  netip.Prefix
	Ref     Ref

	Accepted int64 // from the operation, for Final results
	Waiter   Waiter
	Cookie   uint64
}
