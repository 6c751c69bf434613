package exposure

import (
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// In hardware the tables default, main and local are one, in which the last of them that has a prefix has it.
const (
	firstShared  = 253 // default
	sharedTables = 3
)

// Tables are the tables whose routes a Tracker with these options needs to know: only the one returned, or all if that is 0.
func (o *Options) Tables() uint32 {
	if o.Table >= firstShared && o.Table < firstShared+sharedTables-1 {
		return 0 // others can hide it
	}
	return o.Table
}

// reveal looks again at the prefixes that one of a table hides, or hid.
func (t *Tracker) reveal(n name) {
	for table := uint32(firstShared); table < n.table && n.table < firstShared+sharedTables; table++ {
		if !t.shared[table-firstShared] {
			continue
		}
		below := name{prefix: n.prefix, source: n.source, table: table}
		if s := t.prefixes[below]; s != nil {
			t.refresh(s, below, Replaced, t.now)
		}
	}
}

// hidden says whether a prefix is in hardware because of another table.
func (t *Tracker) hidden(n name) bool {
	if n.table < firstShared || n.source != "" {
		return false
	}
	for table := n.table + 1; table < firstShared+sharedTables; table++ {
		if s := t.prefixes[name{prefix: n.prefix, table: table}]; s != nil && len(s.routes) > 0 {
			return true
		}
	}
	return false
}

// forwards says whether hardware is asked to carry a route.
func forwards(r *vasicv1.Route) bool {
	if r.GetSourcePrefix() != "" && !r.GetOffloadFailed() {
		return false // netdevsim never says anything of it; other chips refuse it at once
	}
	return r.GetType() == vasicv1.RouteType_ROUTE_TYPE_UNICAST && !multicast6(r.GetPrefix())
}

// multicast6 says whether a prefix is one of IPv6 multicast, which is no business of a unicast table.
func multicast6(prefix string) bool {
	return strings.HasPrefix(prefix, "ff") && strings.IndexByte(prefix, ':') == 4
}

// listed is a prefix of a list.
type listed struct {
	*state
	name name
}

// settle opens the windows of what a list has. Only the whole list says what is hidden.
func (t *Tracker) settle() {
	for _, l := range t.fresh {
		t.refresh(l.state, l.name, Added, t.now)
	}
	t.fresh = nil
}
