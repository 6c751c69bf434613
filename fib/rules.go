package fib

import (
	"net/netip"
	"slices"
)

// rules are the differences between the kernel's IPv4 and IPv6 FIBs. All other code of this package is the same for both.
type rules struct {
	// siblings: a multipath route is one row for each next hop, and the rows share an id.
	siblings bool
	// warns: a delete that hardware refuses is reported to the requester.
	warns bool
	// routing is what the family's routing rules are at first.
	routing []Rule
	// everything is the prefix that contains all others.
	everything netip.Prefix
	// dumpOrder is the order in which the kernel lists prefixes; containerLast: a prefix comes after all that it contains, rather than only after those of its own address.
	dumpOrder     func(a, b entry) int
	containerLast bool
	// badSource is what the kernel says to a preferred source that is not local.
	badSource string
	// defaultMetric is that of a route requested without one.
	defaultMetric uint32
	// place decides where in f.list a new row goes.
	place func(f *family, info *Info, metric uint32, tos uint8, verb Verb) (placement, *Error)
	// selects decides whether a delete takes row r, which says info.
	selects func(r *row, info *Info, s *Spec, device *Link) bool
}

var (
	rules4 = &rules{
		warns: true, badSource: "Invalid prefsrc address", everything: netip.MustParsePrefix("0.0.0.0/0"), dumpOrder: dumpOrder4,
		routing: defaultRules4, place: place4, selects: selects4,
	}
	rules6 = &rules{
		siblings: true, badSource: "Invalid source address", everything: netip.MustParsePrefix("::/0"), dumpOrder: dumpOrder6,
		routing: defaultRules6, containerLast: true, defaultMetric: metricIPv6User, place: place6, selects: selects6,
	}
)

// placement is where a new row goes in a list.
type placement struct {
	at      int // index of the new row
	removed int // rows from index at on that it replaces, counting only those that purge says
	purge   func(*row, *Info) bool
	id      uint64 // name that it takes over: of the replaced route or of its siblings; 0 for a new one
	nlflags uint16
	same    bool // the very route is there already; nothing is to be done
}

// place4 follows fib_table_insert. The order is TOS descending, metric ascending, then position.
func place4(f *family, info *Info, metric uint32, tos uint8, verb Verb) (placement, *Error) {
	at := 0
	for ; at < len(f.list); at++ {
		r := f.rows.At(f.list[at])
		if r.tos < tos || (r.tos == tos && r.metric >= metric) {
			break
		}
	}
	end, identical := at, -1
	for ; end < len(f.list); end++ {
		r := f.rows.At(f.list[end])
		if r.tos != tos || r.metric != metric {
			break
		}
		if identical < 0 && r.info == info.index {
			identical = end
		}
	}
	switch {
	case end == at && !verb.creates():
		return placement{}, errChangeMissing
	case end == at:
		return placement{at: at, nlflags: NLExcl | NLCreate}, nil
	case verb == Add:
		return placement{}, errExists
	case verb.replaces() && identical == at:
		return placement{same: true}, nil
	case identical >= 0:
		return placement{}, errExists
	case verb.replaces():
		return placement{at: at, removed: 1, id: f.rows.At(f.list[at]).id, nlflags: NLReplace}, nil
	case verb == Append:
		return placement{at: end, nlflags: NLCreate | NLAppend}, nil
	}
	return placement{at: at, nlflags: NLCreate}, nil
}

// place6 follows fib6_add_rt2node. The order is metric ascending, then age. Routes with a gateway and equal metric are siblings.
func place6(f *family, info *Info, metric uint32, _ uint8, verb Verb) (placement, *Error) {
	start := slices.IndexFunc(f.list, func(n uint32) bool { return f.rows.At(n).metric >= metric })
	if start < 0 {
		start = len(f.list)
	}
	end, alike := start, -1 // alike: the first of the same metric and kind
	for ; end < len(f.list) && f.rows.At(f.list[end]).metric == metric; end++ {
		if alike < 0 && f.infoOf(f.list[end]).canBeSibling() == info.canBeSibling() {
			alike = end
		}
	}
	switch {
	case start == end && !verb.creates() && len(f.list) == 0:
		return placement{}, errNoMatch6
	case start == end && !verb.creates():
		return placement{}, errChangeMissing
	case start == end && verb == Append:
		return placement{at: start, nlflags: NLExcl | NLCreate | NLAppend}, nil
	case start == end:
		return placement{at: start, nlflags: NLExcl | NLCreate}, nil
	case verb == Add:
		return placement{}, errExists
	case verb.replaces():
		if alike < 0 {
			alike = start
		}
		p := placement{at: alike, removed: 1, id: f.rows.At(f.list[alike]).id, nlflags: NLReplace}
		if f.infoOf(f.list[alike]).canBeSibling() { // all siblings go
			p.removed = end - alike
			p.purge = func(_ *row, i *Info) bool { return i.canBeSibling() }
		}
		return p, nil
	}
	p := placement{at: end, nlflags: NLCreate}
	if verb == Append {
		p.nlflags |= NLAppend
	}
	siblings := 0
	for _, n := range f.list[start:end] {
		have := f.infoOf(n)
		if have.sameWay6(info) {
			return placement{}, errExists
		}
		if have.canBeSibling() && info.canBeSibling() {
			p.id = f.rows.At(n).id
			siblings++
		}
	}
	if siblings >= MaxNextHops {
		return placement{}, errTooManyHops
	}
	return p, nil
}

func (f *family) infoOf(n uint32) *Info { return f.infos.list[f.rows.At(n).info] }

// selects4 follows fib_table_delete and fib_nh_match.
func selects4(r *row, info *Info, s *Spec, device *Link) bool {
	switch {
	case r.tos != s.TOS,
		s.Type != TypeUnspec && info.Effect() != s.Type,
		s.HasScope && s.Scope != ScopeNowhere && info.Scope != s.Scope,
		s.PrefSrc.IsValid() && info.PrefSrc != s.PrefSrc,
		s.Protocol != 0 && info.Protocol != s.Protocol,
		s.Metric != 0 && r.metric != s.Metric,
		s.HasMetrics && info.Metrics != s.Metrics:
		return false
	}
	switch {
	case s.NextHopID != 0:
		return info.NextHopID == s.NextHopID
	case len(s.NextHops) == 0:
		return true
	case info.NextHopID != 0:
		return false
	}
	if !s.multipath() { // compared with the first next hop only
		want := &s.NextHops[0]
		return len(info.NextHops) > 0 && (device == nil || info.NextHops[0].Link == device) &&
			(!want.Gateway.IsValid() || info.NextHops[0].Gateway == want.Gateway)
	}
	if len(s.NextHops) < len(info.NextHops) || len(info.NextHops) == 0 {
		return false
	}
	for i := range info.NextHops {
		have, want := &info.NextHops[i], &s.NextHops[i]
		if want.Device != "" && have.Link.Name != want.Device || want.Gateway.IsValid() && have.Gateway != want.Gateway {
			return false
		}
	}
	return true
}

// selects6 follows ip6_route_del, which does not compare types.
func selects6(r *row, info *Info, s *Spec, device *Link) bool {
	var want NextHopSpec
	if len(s.NextHops) > 0 {
		want = s.NextHops[0]
	}
	if info.NextHopID != 0 {
		if s.NextHopID != 0 && s.NextHopID != info.NextHopID {
			return false
		}
	} else if device != nil && info.NextHops[0].Link != device || want.Gateway.IsValid() && info.NextHops[0].Gateway != want.Gateway {
		return false
	}
	return (s.Metric == 0 || r.metric == s.Metric) &&
		(s.Protocol == 0 || info.Protocol == s.Protocol)
}
