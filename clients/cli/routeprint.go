package cli

import (
	"fmt"
	"strconv"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// routeStyle says which parts of a route are printed. What a selector fixes is left out, as ip does.
type routeStyle struct {
	details    bool // -d: also what is as expected
	oneLine    bool // -o: next hops on the route's line
	reason     bool // why hardware does not carry the route, which ip does not know
	hideTable  bool
	hideDevice bool
	hideProto  bool
	hideScope  bool
	hideVia    bool
	hideSource bool
	hideMetric bool
	hideTos    bool
}

// A routeLine is what is printed of a route; ip shows a looked-up route much like one of a table.
type routeLine struct {
	*vasicv1.Route
	deleted bool
	dst     string // in place of the prefix, if set
	from    string // in place of the source prefix, if set
	lookup  bool   // the answer to `route get`: no flags, and for IPv4 no protocol, scope and metric
	cache   *cacheLine
	note    func(*printer) // called in front of the other members, if set
}

// cacheLine is the second line of `ip route get`.
type cacheLine struct{ flags []string }

// route prints one route, as text with its new line.
func (p *printer) route(r routeLine, s routeStyle) {
	six := familyOf(r.Prefix) == family6
	single := singleNextHop(r.Route)

	p.open("", '{')
	if r.note != nil {
		r.note(p)
	}
	if r.deleted {
		p.boolean("deleted")
		p.text("Deleted ")
	}
	if r.Type != vasicv1.RouteType_ROUTE_TYPE_UNICAST || s.details {
		p.str("type", "", typeNames.name(uint32(r.Type)))
	}
	if r.dst != "" {
		p.str("dst", "", r.dst)
	} else {
		p.str("dst", "", destination(r.Prefix))
	}
	if r.from != "" {
		p.str("from", "from ", r.from)
	} else if r.SourcePrefix != "" {
		p.str("from", "from ", destination(r.SourcePrefix))
	}
	if r.NextHopId != 0 {
		p.uint("nhid", "nhid ", uint64(r.NextHopId))
	}
	if r.Tos != 0 && !s.hideTos {
		p.str("tos", "tos ", tosName(r.Tos))
	}
	switch {
	case single:
		p.nextHop(r.NextHops[0], six, s)
	case hangsOnLo(r.Route) && !s.hideDevice:
		p.str("dev", "dev ", "lo") // where the kernel hangs IPv6 routes that lead nowhere
	}
	if (r.Table != tableMain || s.details) && !s.hideTable {
		p.str("table", "table ", tableNames.name(r.Table))
	}
	if !r.lookup || six {
		if (r.Protocol != protocolBoot || s.details) && !s.hideProto {
			p.str("protocol", "proto ", protocolNames.name(r.Protocol))
		}
		if scope := r.GetScope(); (scope != scopeGlobal || s.details) && !s.hideScope {
			p.str("scope", "scope ", scopeNames.name(scope))
		}
	}
	if r.Prefsrc != "" && !s.hideSource {
		p.str("prefsrc", "src ", r.Prefsrc)
	}
	if (six || r.GetMetric() != 0 && !r.lookup) && !s.hideMetric {
		p.uint("metric", "metric ", uint64(r.GetMetric()))
	}

	p.open("flags", '[')
	if !r.lookup {
		if single {
			p.nextHopFlags(r.NextHops[0])
		}
		p.flag(r.Offload, "rt_offload")
		p.flag(r.Trap, "rt_trap")
		p.flag(r.OffloadFailed, "rt_offload_failed")
	}
	p.close(']')
	if s.reason {
		p.failure(r.Route)
	}
	if r.cache != nil {
		p.cache(r.cache, s)
	}
	p.metrics(r.Metrics)
	if six {
		// ip ends the line here without a space; next hops start with a new line.
		if p.json {
			p.str("pref", "", "medium")
		} else {
			p.text("pref medium")
		}
	}
	if r.NextHopObject != nil && r.NextHopId != 0 && s.details {
		p.text("\n\tnh_info ") // on a line of its own even with -o
		p.nextHopObject(nextHopLine{NextHopObject: r.NextHopObject, key: "nh_info"}, s.details)
	}
	if !single && len(r.NextHops) > 0 {
		p.open("nexthops", '[')
		for _, nh := range r.NextHops {
			p.multipathNextHop(nh, six, s)
		}
		p.close(']')
	}
	p.close('}')
	p.text("\n")
}

// failure prints why hardware does not carry a route, and whether it follows an older one instead. ip has no such words.
func (p *printer) failure(r *vasicv1.Route) {
	if r.FailureReason != vasicv1.FailureReason_FAILURE_REASON_UNSPECIFIED {
		p.str("failure_reason", "reason ", failureReasons.name(uint32(r.FailureReason)))
	}
	if r.OlderInHardware {
		p.boolean("older_in_hardware")
		p.text("older_in_hardware ")
	}
}

// singleNextHop says whether ip prints the next hop of r on the route's own line. The next hops of an IPv6 route with a group have
// lines of their own even if there is only one.
func singleNextHop(r *vasicv1.Route) bool {
	if r.NextHopId != 0 && (r.Multipath || len(r.NextHopObject.GetGroup()) > 0) && familyOf(r.Prefix) == family6 {
		return false
	}
	return len(r.NextHops) == 1
}

// hangsOnLo says whether r is one of the IPv6 routes that lead nowhere, which the kernel hangs on lo.
func hangsOnLo(r *vasicv1.Route) bool {
	return len(r.NextHops) == 0 && r.NextHopId == 0 && familyOf(r.Prefix) == family6
}

// destination is a prefix as ip prints it: a host without length, everything as "default".
func destination(prefix string) string {
	addr, length, ok := strings.Cut(prefix, "/")
	switch {
	case !ok:
		return prefix
	case length == "0":
		return "default"
	case length == "128", length == "32" && familyOf(addr) == family4:
		return addr
	}
	return prefix
}

// nextHop prints where a next hop leads.
func (p *printer) nextHop(nh *vasicv1.NextHop, six bool, s routeStyle) {
	switch {
	case nh.Gateway == "" || s.hideVia:
	case !six && familyOf(nh.Gateway) == family6:
		p.open("via", '{')
		p.str("family", "via ", "inet6")
		p.str("host", "", nh.Gateway)
		p.close('}')
	default:
		p.str("gateway", "via ", nh.Gateway)
	}
	if nh.Device != "" && !s.hideDevice {
		p.str("dev", "dev ", nh.Device)
	}
}

// multipathNextHop prints one of several next hops.
func (p *printer) multipathNextHop(nh *vasicv1.NextHop, six bool, s routeStyle) {
	if s.oneLine {
		p.text("\\\tnexthop ")
	} else {
		p.text("\n\tnexthop ")
	}
	p.open("", '{')
	p.nextHop(nh, six, routeStyle{})
	p.uint("weight", "weight ", uint64(max(nh.Weight, 1)))
	p.open("flags", '[')
	p.nextHopFlags(nh)
	p.close(']')
	p.close('}')
}

// nextHopFlags prints the flags of a next hop, in ip's order.
func (p *printer) nextHopFlags(nh *vasicv1.NextHop) {
	p.flag(nh.Dead, "dead")
	p.flag(nh.Onlink, "onlink")
	p.flag(nh.Offload, "offload")
	p.flag(nh.Trap, "trap")
	p.flag(nh.Linkdown, "linkdown")
}

// cache prints what ip knows of a cached route.
func (p *printer) cache(c *cacheLine, s routeStyle) {
	if s.oneLine {
		p.text("\\    cache ")
	} else {
		p.text("\n    cache ")
	}
	p.open("cache", '[')
	if len(c.flags) > 0 {
		p.text("<" + strings.Join(c.flags, ",") + "> ")
	}
	for _, f := range c.flags {
		p.flag(p.json, f)
	}
	p.close(']')
}

// metrics prints the transport parameters, in rtnetlink's order.
func (p *printer) metrics(m *vasicv1.RouteMetrics) {
	if m.SizeVT() == 0 {
		return
	}
	p.open("metrics", '[')
	p.open("", '{')
	lock := ""
	if m.MtuLocked {
		lock = "lock "
	}
	p.metric("mtu", lock, m.Mtu, false)
	p.metric("window", "", m.Window, false)
	p.metric("rtt", "", m.Rtt, true)
	p.metric("rttvar", "", m.Rttvar, true)
	p.metric("ssthresh", "", m.Ssthresh, false)
	p.metric("cwnd", "", m.Cwnd, false)
	p.metric("advmss", "", m.Advmss, false)
	p.metric("reordering", "", m.Reordering, false)
	p.metric("hoplimit", "", m.Hoplimit, false)
	p.metric("initcwnd", "", m.Initcwnd, false)
	p.metric("rto_min", "lock ", m.RtoMin, true) // ip always locks it
	p.metric("initrwnd", "", m.Initrwnd, false)
	p.metric("quickack", "", m.Quickack, false)
	p.close('}')
	p.close(']')
}

// metric prints one of them, if it is set; milliseconds get their unit in text.
func (p *printer) metric(word, lock string, n uint32, milliseconds bool) {
	switch {
	case n == 0:
	case !milliseconds || p.json:
		p.uint(word, word+" "+lock, uint64(n))
	case n >= 1000:
		p.text(fmt.Sprintf("%s %s%ss ", word, lock, strconv.FormatFloat(float64(n)/1000, 'g', 6, 64)))
	default:
		p.text(fmt.Sprintf("%s %s%dms ", word, lock, n))
	}
}
