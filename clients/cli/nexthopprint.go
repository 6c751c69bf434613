package cli

import (
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// centiseconds are in a second: the kernel's unit for the times of resilient groups.
const centiseconds = 100

// seconds is a time in centiseconds as iproute2 shows it.
func seconds[T uint32 | uint64](t T) float64 { return float64(t) / centiseconds }

// A nextHopLine is what is printed of a next-hop object.
type nextHopLine struct {
	*vasicv1.NextHopObject
	key     string // as a member of this name
	deleted bool
	note    func(*printer) // called in front of the other members, if set
}

// nextHopObject prints a next-hop object, without a new line.
func (p *printer) nextHopObject(l nextHopLine, details bool) {
	p.open(l.key, '{')
	if l.note != nil {
		l.note(p)
	}
	if l.deleted {
		p.boolean("deleted")
		p.text("Deleted ")
	}
	p.uint("id", "id ", uint64(l.Id))
	if len(l.Group) > 0 {
		p.members(l.Group)
	}
	if l.GroupType == vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_RESILIENT {
		p.str("type", "type ", "resilient")
		p.resilient(l.Resilient)
	}
	if l.Gateway != "" {
		// As ip has it, a gateway is of the object's own family.
		p.str("gateway", "via ", l.Gateway)
	}
	if l.Device != "" {
		p.str("dev", "dev ", l.Device)
	}
	if l.Scope != scopeGlobal || details {
		p.str("scope", "scope ", scopeNames.name(l.Scope))
	}
	if l.Blackhole {
		p.null("blackhole", "blackhole")
	}
	if l.Protocol != 0 || details {
		p.str("protocol", "proto ", protocolNames.name(l.Protocol))
	}
	p.open("flags", '[')
	p.nextHopFlags(&vasicv1.NextHop{Dead: l.Dead, Onlink: l.Onlink, Offload: l.Offload, Trap: l.Trap, Linkdown: l.Linkdown})
	p.close(']')
	p.close('}')
}

// members prints the next hops of a group: "1/2,5", where a weight of 1 is not said.
func (p *printer) members(group []*vasicv1.NextHopGroupMember) {
	p.text("group ")
	p.open("group", '[')
	for i, m := range group {
		p.open("", '{')
		switch {
		case p.json:
			p.uint("id", "", uint64(m.Id))
			if m.Weight > 1 {
				p.uint("weight", "", uint64(m.Weight))
			}
		default:
			if i > 0 {
				p.w.WriteByte('/')
			}
			p.number(uint64(m.Id))
			if m.Weight > 1 {
				p.w.WriteByte(',')
				p.number(uint64(m.Weight))
			}
		}
		p.close('}')
	}
	p.text(" ")
	p.close(']')
}

// resilient prints the parameters of a resilient group, times in seconds.
func (p *printer) resilient(r *vasicv1.ResilientParameters) {
	p.open("resilient_args", '{')
	p.uint("buckets", "buckets ", uint64(r.GetBuckets()))
	p.general("idle_timer", "idle_timer ", seconds(r.GetIdleTimer()))
	p.general("unbalanced_timer", "unbalanced_timer ", seconds(r.GetUnbalancedTimer()))
	p.general("unbalanced_time", "unbalanced_time ", seconds(r.GetUnbalancedTime()))
	p.close('}')
}

// bucket prints a slot of a resilient group, as text with its new line.
func (p *printer) bucket(b *vasicv1.Bucket) {
	p.open("", '{')
	p.uint("id", "id ", uint64(b.Id))
	p.open("bucket", '{')
	p.uint("index", "index ", uint64(b.Index))
	p.general("idle_time", "idle_time ", seconds(b.IdleTime))
	p.uint("nhid", "nhid ", uint64(b.NextHopId))
	p.close('}')
	p.open("flags", '[')
	p.flag(b.Offload, "offload")
	p.flag(b.Trap, "trap")
	p.close(']')
	p.text("\n")
	p.close('}')
}

// A nextHopSelector says which next-hop objects `nexthop show` and `nexthop flush` mean.
type nextHopSelector struct {
	all    bool   // nothing was said
	id     uint32 // this one only, if byID
	byID   bool
	device string
	master masterSelector
	groups bool
	proto  *uint32
	nhid   uint32 // buckets only: that send to this next hop
}

// parseNextHopSelector reads a SELECTOR, for buckets a BUCKET_SELECTOR. As in ip, words behind "id N" are not looked at, except
// for buckets.
func parseNextHopSelector(words []string, buckets bool) (*nextHopSelector, error) {
	s := &nextHopSelector{all: len(words) == 0}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case abbreviates(word, "dev"):
			s.device = p.word()
		case !buckets && abbreviates(word, "groups"):
			s.groups = true
		case abbreviates(word, "master"):
			s.master.keyword(&p, "master")
		case abbreviates(word, "vrf"):
			s.master.keyword(&p, "vrf")
		case word == "id":
			s.id, s.byID = p.nextHopID(), true
			if !buckets {
				return s, p.err
			}
		case buckets && word == "nhid":
			s.nhid = p.nextHopID()
		case !buckets && abbreviates(word, "protocol"):
			// ip reads only numbers here. 0 means all, as the kernel has it.
			w := p.word()
			n, ok := protocolNames.parse(w, 32)
			if !ok && p.err == nil {
				p.fail(wrongWord(w, "invalid protocol value"))
			}
			if n != 0 {
				s.proto = &n
			}
		case !buckets && abbreviates(word, "fdb"):
			p.fail(notSupported("nexthop fdb"))
		case abbreviates(word, "help"):
			p.fail(helpError(usageNextHop))
		default:
			p.fail(wrongWord(word, ""))
		}
	}
	return s, p.err
}

// nextHopID takes the next word as the id of a next-hop object.
func (p *parser) nextHopID() uint32 {
	w := p.word()
	n, ok := parseUint(w, 32)
	if !ok && p.err == nil {
		p.fail(wrongWord(w, "invalid id value"))
	}
	return uint32(n)
}

// keep says whether the selector means o, which is on one of devices; nil means on any. A condition about the family or the link
// leaves groups out, as the kernel does.
func (s *nextHopSelector) keep(o *vasicv1.NextHopObject, f vasicv1.Family, devices map[string]bool) bool {
	if len(o.Group) > 0 && (f != familyAny || devices != nil) {
		return false
	}
	return devices == nil || devices[o.Device]
}
