package fib

import "net/netip"

// NextHopSpec is a next hop as requested.
type NextHopSpec struct {
	Gateway netip.Addr // invalid: device only
	Device  string     // "": decided by the gateway
	Weight  uint16     // 1 to 256
	Onlink  bool
}

// Spec is a route as requested, or the selector of a delete. The caller has checked syntax and ranges: Prefix and Source are valid
// where set, masked, and of one family; Table is not 0; weights are 1 to 256.
type Spec struct {
	Table      uint32
	Prefix     netip.Prefix
	Source     netip.Prefix // IPv6; invalid: from anywhere
	Metric     uint32       // 0: the family's default; in a delete any
	TOS        uint8        // IPv4
	Type       Type         // TypeUnspec: unicast; in a delete any
	Protocol   uint8        // 0: boot; in a delete any
	Scope      Scope
	HasScope   bool
	HasMetrics bool
	Multipath  bool // NextHops is a list though it may have one entry
	Metrics    Metrics
	NextHopID  uint32     // of a next-hop object, instead of NextHops; 0: none, in a delete any
	PrefSrc    netip.Addr // invalid: none; in a delete any
	NextHops   []NextHopSpec
}

// Request is one change of one route.
type Request struct {
	Verb   Verb
	Spec   Spec
	Waiter Waiter // asked to be told when hardware has settled; may be nil
	Cookie uint64
}

// Answer says what became of a request.
type Answer struct {
	Err        error  // *Error where refused: nothing was changed
	Warning    string // the kernel's words though the request was carried out
	Revision   uint64 // of the log after the request
	ID         uint64 // of the new or deleted route; 0 where nothing changed
	Generation uint64 // of the new route
	Pending    bool   // Request.Waiter will be told
}

// multipath reports whether the next hops are a list.
func (s *Spec) multipath() bool { return s.Multipath || len(s.NextHops) > 1 }

// scope returns the IPv4 scope that iproute2 would give the route.
func (s *Spec) scope() Scope {
	if s.HasScope {
		return s.Scope
	}
	switch s.Type {
	case TypeLocal:
		return ScopeHost
	case TypeBroadcast, TypeMulticast, TypeAnycast:
		return ScopeLink
	case TypeUnicast, TypeUnspec:
		if s.NextHopID == 0 && !s.multipath() && len(s.NextHops) == 1 && !s.NextHops[0].Gateway.IsValid() {
			return ScopeLink
		}
	}
	return ScopeGlobal
}
