package fib

import (
	"fmt"
	"net/netip"
)

// Family is an address family; it selects one of the two FIBs.
type Family uint8

// The address families.
const (
	IPv4 Family = iota
	IPv6
)

// Families lists both, in the order in which the kernel replays them.
var Families = [...]Family{IPv4, IPv6}

// String returns "IPv4" or "IPv6", as devlink spells it.
func (f Family) String() string {
	if f == IPv4 {
		return "IPv4"
	}
	return "IPv6"
}

// FamilyOf returns the family of an address. The address must be valid and not IPv4-mapped.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// Type is what the switch does with a packet that matches the route; the values are rtnetlink's RTN_*.
type Type uint8

// Route types.
const (
	TypeUnspec      Type = 0 // in a delete: any type
	TypeUnicast     Type = 1
	TypeLocal       Type = 2
	TypeBroadcast   Type = 3
	TypeAnycast     Type = 4
	TypeMulticast   Type = 5
	TypeBlackhole   Type = 6
	TypeUnreachable Type = 7
	TypeProhibit    Type = 8
	TypeThrow       Type = 9
)

// rejects reports whether packets that match go nowhere.
func (t Type) rejects() bool { return t >= TypeBlackhole && t <= TypeThrow }

// Scope is the distance to the destination; the values are rtnetlink's RT_SCOPE_*.
type Scope uint8

// Scopes. IPv6 routes are always global.
const (
	ScopeGlobal  Scope = 0
	ScopeSite    Scope = 200
	ScopeLink    Scope = 253
	ScopeHost    Scope = 254
	ScopeNowhere Scope = 255
)

// Table ids that the kernel gives a meaning.
const (
	TableDefault uint32 = 253
	TableMain    uint32 = 254
	TableLocal   uint32 = 255
)

// Protocol numbers that this package sets itself (rtnetlink's RTPROT_*).
const (
	ProtocolKernel uint8 = 2
	ProtocolBoot   uint8 = 3
)

// Metrics that the kernel gives IPv6 routes.
const (
	metricIPv6User   uint32 = 1024 // IP6_RT_PRIO_USER
	metricIPv6Prefix uint32 = 256  // IP6_RT_PRIO_ADDRCONF
)

// MaxNextHops is the largest number of next hops of one route.
const MaxNextHops = 256

// Flags are the hardware flags of a route.
type Flags uint8

// Hardware flags: RTM_F_OFFLOAD, RTM_F_TRAP and RTM_F_OFFLOAD_FAILED, and one that the kernel does not have.
const (
	FlagOffload Flags = 1 << iota
	FlagTrap
	FlagOffloadFailed
	FlagOlderEntry // with FlagOffloadFailed: hardware still follows an older route of the prefix
)

// States are the names of what a route's flags say, for counting. A route has at most one flag set.
var States = [...]string{"none", "offload", "trap", "offload_failed"}

// state is the index in States of these flags.
func (f Flags) state() int {
	switch {
	case f&FlagOffload != 0:
		return 1
	case f&FlagTrap != 0:
		return 2
	case f&FlagOffloadFailed != 0:
		return 3
	}
	return 0
}

// Reason says why hardware failed.
type Reason uint8

// Reasons for FlagOffloadFailed. With FlagTrap ReasonTableFull says that the next-hop group found no room.
const (
	ReasonNone          Reason = iota
	ReasonTableFull            // no free row in the hardware table
	ReasonInjected             // fail_route_offload is on, or a fault rule said so
	ReasonUnsupported          // the chip has no such entry
	ReasonHardwareError        // a register write failed
	reasonCount
)

// String returns the reason as metrics spell it.
func (r Reason) String() string {
	return [...]string{"none", "table_full", "injected", "unsupported", "hardware_error"}[r]
}

// Verb is what a request does. The words and rules are the kernel's.
type Verb uint8

// Verbs, with the netlink flags of the kernel's request.
const (
	Add     Verb = iota // CREATE|EXCL
	Replace             // CREATE|REPLACE
	Change              // REPLACE
	Append              // CREATE|APPEND
	Prepend             // CREATE
	Delete              // RTM_DELROUTE
)

func (v Verb) creates() bool  { return v != Change && v != Delete }
func (v Verb) replaces() bool { return v == Replace || v == Change }

// Netlink message flags of a route event, as the kernel's notification has them.
const (
	NLReplace uint16 = 0x100
	NLExcl    uint16 = 0x200
	NLCreate  uint16 = 0x400
	NLAppend  uint16 = 0x800
)

// Metrics are the transport parameters of a route (RTAX_*); 0 means not set.
type Metrics struct {
	MTU        uint32 // bytes
	MTULocked  bool
	AdvMSS     uint32 // bytes
	Window     uint32 // bytes
	RTT        uint32 // milliseconds
	RTTVar     uint32 // milliseconds
	SSThresh   uint32 // segments
	Cwnd       uint32 // segments
	InitCwnd   uint32 // segments
	InitRwnd   uint32 // segments
	HopLimit   uint32 // 1 to 255
	RTOMin     uint32 // milliseconds
	QuickAck   uint32
	Reordering uint32 // segments
}

// NextHop is one way out of a route.
type NextHop struct {
	Gateway netip.Addr // invalid for a device-only next hop; may be IPv6 in an IPv4 route
	Link    *Link
	Weight  uint16 // 1 to 256
	Onlink  bool

	Neighbor *Neighbor // the gateway's; nil exactly where there is none
}

// Info is what a route says beyond its name: the kernel's fib_info. Infos are interned within a family, so two routes say the same
// exactly if they point to the same Info. It is immutable, but for the next hops of a next-hop object, which change with the object while both families are
// locked; hardware, which holds no lock, learns of those by Hardware.NextHopChanged instead.
type Info struct {
	Type      Type
	Protocol  uint8
	Scope     Scope
	Multipath bool       // an IPv6 route whose object is a group, which is shown as a list also with one next hop
	NextHopID uint32     // of the next-hop object that says where packets go; 0 for none
	PrefSrc   netip.Addr // invalid where there is none
	Metrics   Metrics
	Drops     bool      // of a route with a next-hop object: the object is a blackhole; changes as NextHops do
	NextHops  []NextHop // empty only for IPv4 rejecting types and blackhole objects; without an object one for each IPv6 row

	// Encoded is a place for who encodes routes, to keep what is the same for all routes of an Info without an object. It is guarded by the family's lock.
	Encoded []byte

	index, refs uint32
	key         string
}

// Number is small, and tells an Info apart from others of its family that are in use.
func (i *Info) Number() uint32 { return i.index }

// Effect is the type of the route as shown: that of one whose next-hop object drops packets is blackhole, whatever the route says.
func (i *Info) Effect() Type {
	if i.Drops {
		return TypeBlackhole
	}
	return i.Type
}

// hasGateway reports whether the (first) next hop is a router.
func (i *Info) hasGateway() bool { return len(i.NextHops) > 0 && i.NextHops[0].Gateway.IsValid() }

// canBeSibling reports whether an IPv6 row can be part of a multipath route (rt6_qualify_for_ecmp).
func (i *Info) canBeSibling() bool { return i.NextHopID == 0 && i.hasGateway() }

// sameWay6 reports whether two IPv6 rows lead the same way (rt6_duplicate_nexthop).
func (i *Info) sameWay6(o *Info) bool {
	if i.NextHopID != 0 || o.NextHopID != 0 {
		return i.NextHopID == o.NextHopID
	}
	return i.NextHops[0].Link == o.NextHops[0].Link && i.NextHops[0].Gateway == o.NextHops[0].Gateway
}

// uses reports whether a next hop leaves by the link.
func (i *Info) uses(l *Link) bool {
	for n := range i.NextHops {
		if i.NextHops[n].Link == l {
			return true
		}
	}
	return false
}

// Sibling is one row of an IPv6 multipath route.
type Sibling struct {
	Info   *Info
	Flags  Flags
	Reason Reason
}

// Route is a view of one route at one moment. Siblings, if any, is valid only as long as whoever handed the view out says; copy it to keep it.
type Route struct {
	Family     Family
	TOS        uint8
	Flags      Flags  // for an IPv6 multipath route those of the first sibling listed
	Reason     Reason // why FlagOffloadFailed is set
	Table      uint32
	Metric     uint32
	Prefix     netip.Prefix
	Source     netip.Prefix // IPv6 only; invalid for a route from anywhere
	ID         uint64       // names the route as long as it lives; a replace keeps it
	Generation uint64       // grows with every change of content
	Info       *Info        // for an IPv6 multipath route that of the first sibling listed
	Siblings   []Sibling    // of an IPv6 multipath route all, else empty
	NextHop    *NextHopView // of a route with Info.NextHopID, unless the object is gone already
}

// String writes the route's name for logs and test failures.
func (r *Route) String() string {
	return fmt.Sprintf("%v table %d tos %#x metric %d", r.Prefix, r.Table, r.TOS, r.Metric)
}

// Kind is what an event says.
type Kind uint8

// Event kinds.
const (
	RouteAdded Kind = iota
	RouteReplaced
	RouteDeleted
	FlagsChanged
	NextHopAdded
	NextHopReplaced
	NextHopDeleted
	KindCount // how many kinds there are
)

// String returns the kind as metrics spell it.
func (k Kind) String() string {
	return [...]string{
		"route_added", "route_replaced", "route_deleted", "flags_changed", "next_hop_added", "next_hop_replaced", "next_hop_deleted",
	}[k]
}

// AboutRoute reports whether events of this kind have a Route; the others have a NextHop.
func (k Kind) AboutRoute() bool { return k < NextHopAdded }

// Event is one change as watchers see it.
type Event struct {
	Kind      Kind
	NLFlags   uint16 // netlink flags of the kernel's message
	Requested bool   // caused by a route request
	Silent    bool   // the kernel tells nobody
	Partial   bool   // RouteDeleted of some siblings; the others remain
	Route     Route
	NextHop   *NextHopView // of the kinds about next-hop objects, which have no Route but its Family
}

// Sink receives events. It is called with the family's lock held and must not block or call back.
type Sink interface {
	// Publish logs the events in order and returns the revision of the last. The events are valid only during the call.
	Publish(events []Event) (revision uint64)
	// Head returns the revision of the newest event.
	Head() uint64
}

// NotifySetting is fib_notify_on_flag_change.
type NotifySetting uint8

// Which changes of flags are published.
const (
	NotifyNone     NotifySetting = 0
	NotifyAll      NotifySetting = 1
	NotifyFailures NotifySetting = 2 // only changes of FlagOffloadFailed
)
