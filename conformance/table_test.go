package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vasic-project/vasic/server"
)

// The product table: each type of route × state of its link × state of its neighbour × single next hop, multipath and next-hop object, for both
// families. What must come of each combination is said by the functions below, in the words of SEMANTICS.md section 9, and compared with what
// `route show` tells.

// The links of the table, and what happens to each after the routes are there.
var tableLinks = []struct {
	name, after string
	usable      bool
}{
	{"swp1", "", true},
	{"swp2", "carrier off", false},
	{"swp3", "down", false},
}

func isDown(link string) bool { return link == "swp3" }

// tableStates are the states that an entry for a neighbour can have, and whether packets can be sent then (NUD_VALID). "" is no entry.
var tableStates = map[string]bool{
	"": false, "none": false, "incomplete": false, "failed": false,
	"reachable": true, "stale": true, "delay": true, "probe": true, "noarp": true, "permanent": true,
}

// Shapes of the next hops of a unicast route. The second next hop, where there is one, is on the link that stays up.
const (
	viaOne     = "single"
	viaTwo     = "multipath"
	viaObject  = "object"
	viaGroup   = "group"
	viaBuckets = "resilient"
)

// tableHop is a next hop of the table.
type tableHop struct {
	link, state, gateway string
}

// valid is rule 9.6: the neighbour is valid and its link can be used.
func (h *tableHop) valid() bool { return tableStates[h.state] && h.usable() }

func (h *tableHop) usable() bool {
	for _, l := range tableLinks {
		if l.name == h.link {
			return l.usable
		}
	}
	return false
}

// tableCase is one combination.
type tableCase struct {
	family, kind, shape string
	prefix              string
	hops                []tableHop
	device              string // of a route without gateway
}

func (c *tableCase) String() string {
	return fmt.Sprintf("IPv%s %s %s %v dev %q", c.family, c.kind, c.shape, c.hops, c.device)
}

// wantTable says what must come of the combination: whether the route is still there, its flag, and which gateways have theirs.
func (c *tableCase) want() (there bool, flag string, offloaded []string) {
	switch c.kind {
	case "local", "broadcast", "anycast": // 9.4, 9.5: to the CPU
		return c.deviceRouteStays(), "rt_trap", nil
	case "unreachable", "prohibit":
		return true, "rt_trap", nil
	case "blackhole":
		return true, "rt_offload", nil
	case "throw": // for IPv6 one of the other rejects
		return true, map[string]string{"4": "rt_offload_failed", "6": "rt_trap"}[c.family], nil
	case "multicast": // 9.2: ignored for IPv6
		return c.deviceRouteStays(), map[string]string{"4": "rt_offload_failed", "6": ""}[c.family], nil
	}
	if len(c.hops) == 0 { // 9.5: over a port of the chip
		return !isDown(c.device), map[bool]string{true: "rt_offload", false: "rt_trap"}[c.device == "swp1"], nil
	}
	flag = "rt_trap"
	for i := range c.hops {
		h := &c.hops[i]
		if h.valid() { // 9.6
			flag = "rt_offload"
			offloaded = append(offloaded, h.gateway) // 9.8
		}
		switch c.shape {
		case viaObject, viaGroup, viaBuckets: // 8.4: objects go with the carrier of their link
			there = there || h.usable()
		default: // 2.7, 3.7: a route goes when all its next hops are dead
			there = there || !isDown(h.link)
		}
	}
	return there, flag, offloaded
}

// deviceRouteStays says whether a route over a device, as it is made for addresses, outlives what happens to the link: IPv4 routes of scope host do.
func (c *tableCase) deviceRouteStays() bool {
	return !isDown(c.device) || c.kind == "local" && c.family == "4"
}

// table makes all combinations of a family.
func table(family string) []*tableCase {
	var cases []*tableCase
	add := func(c tableCase) {
		c.family = family
		n := len(cases)
		c.prefix = fmt.Sprintf("198.%d.%d.0/24", 18+n>>8, n&255)
		if family == "6" {
			c.prefix = fmt.Sprintf("2001:db8:1:%x::/64", n+1)
		}
		if c.kind == "multicast" {
			c.prefix = map[string]string{"4": fmt.Sprintf("239.0.%d.0/24", n&255), "6": fmt.Sprintf("ff0e:%x::/32", n+1)}[family]
		}
		cases = append(cases, &c)
	}
	for _, kind := range []string{"blackhole", "unreachable", "prohibit", "throw"} {
		add(tableCase{kind: kind})
	}
	for i, l := range tableLinks {
		for _, kind := range []string{"unicast", "local", "broadcast", "anycast", "multicast"} {
			if kind != "broadcast" || family == "4" {
				if kind != "anycast" || family == "6" {
					add(tableCase{kind: kind, device: l.name})
				}
			}
		}
		for j, state := range slices.Sorted(maps.Keys(tableStates)) {
			first := tableHop{l.name, state, gateway(family, i, j+2)}
			for _, shape := range []string{viaOne, viaObject} {
				add(tableCase{kind: "unicast", shape: shape, hops: []tableHop{first}})
			}
			for k, other := range []string{"failed", "reachable"} {
				second := tableHop{"swp1", other, gateway(family, 0, 100+k)}
				for _, shape := range []string{viaTwo, viaGroup, viaBuckets} {
					add(tableCase{kind: "unicast", shape: shape, hops: []tableHop{first, second}})
				}
			}
		}
	}
	return cases
}

// gateway is an address on a link.
func gateway(family string, link, host int) string {
	if family == "4" {
		return fmt.Sprintf("10.0.%d.%d", link+1, host)
	}
	return fmt.Sprintf("2001:db8:%x::%x", 0x101+link, host)
}

// commands make the routes, and entries of their neighbours.
func commands(cases []*tableCase) (neighbors, routes []string) {
	objects := make(map[tableHop]int)
	known := make(map[tableHop]bool)
	next := 1
	for _, c := range cases {
		words := fmt.Sprintf("-%s route add %s %s", c.family, c.kind, c.prefix)
		if c.kind != "unicast" && c.device != "" {
			words += " table local"
		}
		if c.device != "" {
			words += " dev " + c.device
		}
		var ids []string
		for _, h := range c.hops {
			if h.state != "" && !known[h] {
				known[h] = true
				neighbors = append(neighbors, fmt.Sprintf("neigh replace %s dev %s nud %s", h.gateway, h.link, h.state))
			}
			switch c.shape {
			case viaOne:
				words += fmt.Sprintf(" via %s dev %s", h.gateway, h.link)
				continue
			case viaTwo:
				words += fmt.Sprintf(" nexthop via %s dev %s", h.gateway, h.link)
				continue
			}
			if objects[h] == 0 {
				objects[h] = next
				routes = append(routes, fmt.Sprintf("nexthop add id %d via %s dev %s", next, h.gateway, h.link))
				next++
			}
			ids = append(ids, fmt.Sprint(objects[h]))
		}
		if len(ids) > 1 {
			group := fmt.Sprintf("nexthop add id %d group %s", next, strings.Join(ids, "/"))
			if c.shape == viaBuckets {
				group += " type resilient buckets 4"
			}
			routes, ids = append(routes, group), []string{fmt.Sprint(next)}
			next++
		}
		if len(ids) == 1 {
			words += " nhid " + ids[0]
		}
		routes = append(routes, words)
	}
	return neighbors, routes
}

// opposite makes the neighbours of the routes valid that are not to be, and the other way round; after removes those that are to have no entry.
func opposite(cases []*tableCase) (before, after []string) {
	for _, c := range cases {
		for _, h := range c.hops {
			entry := h.gateway + " dev " + h.link
			if tableStates[h.state] {
				before = append(before, "neigh replace "+entry+" nud failed")
			} else {
				before = append(before, "neigh replace "+entry+" nud reachable")
			}
			if h.state == "" && !slices.Contains(after, "neigh del "+entry) {
				after = append(after, "neigh del "+entry)
			}
		}
	}
	return before, after
}

// TestProductTable makes all combinations on one switch: routes before their neighbours are known, behind them, with neighbours that were in
// the opposite state at first, and with a reload at the end.
func TestProductTable(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"4", "6"} {
		for _, order := range []string{"neighbours first", "routes first", "neighbours change", "reload last"} {
			t.Run("IPv"+family+" "+order, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { checkTable(t, family, order) })
			})
		}
	}
}

func checkTable(t *testing.T, family, order string) {
	v := newSwitch(t, server.Config{Profile: "switch", Seed: 1, LoopbackUp: true})
	cases := table(family)
	neighbors, routes := commands(cases)
	batch := []string{"sysctl -qw vasic.neighbor_resolution=manual"}
	for i, l := range tableLinks {
		batch = append(batch, "link add "+l.name+" type dummy", "link set "+l.name+" up",
			fmt.Sprintf("addr add 10.0.%d.1/24 dev %s", i+1, l.name), fmt.Sprintf("addr add 2001:db8:%x::1/64 dev %s nodad", 0x101+i, l.name))
	}
	switch order {
	case "routes first":
		batch = slices.Concat(batch, routes, neighbors)
	case "neighbours change":
		before, after := opposite(cases)
		batch = slices.Concat(batch, before, routes, neighbors, after)
	default:
		batch = slices.Concat(batch, neighbors, routes)
	}
	for _, l := range tableLinks {
		if l.after != "" {
			batch = append(batch, "link set "+l.name+" "+l.after)
		}
	}
	// What is lasting outlives a lost carrier; the rest is as if the entry were made again, to show that the link alone makes it invalid.
	for _, cmd := range neighbors {
		if strings.Contains(cmd, " dev swp2 ") {
			batch = append(batch, cmd)
		}
	}
	if order == "reload last" {
		batch = append(batch, "reload")
	}
	for _, cmd := range batch {
		if out := v.vasicctl("", strings.Fields(cmd)...); out.Exit != 0 {
			t.Fatalf("%s: exit %d: %s", cmd, out.Exit, out.Stderr)
		}
	}
	if _, err := v.settle(); err != nil {
		t.Fatal(err)
	}
	have := v.shownRoutes(family)
	for _, c := range cases {
		there, flag, offloaded := c.want()
		got, ok := have[c.prefix]
		switch {
		case ok != there:
			t.Errorf("%v: it is there: %v, want %v", c, ok, there)
		case ok && (got.flag() != flag || !slices.Equal(got.offloaded(), offloaded)):
			t.Errorf("%v: got %q, next hops in use %v, want %q and %v", c, got.flag(), got.offloaded(), flag, offloaded)
		}
	}
	for _, c := range v.audited(v.silent) {
		t.Errorf("no flag tells of %s", c)
	}
}

// shownRoute is a member of `route show`.
type shownRoute struct {
	Dst      string
	Gateway  string
	Flags    []string
	Nexthops []struct {
		Gateway string
		Flags   []string
	}
}

// shownRoutes reads `route show` by destination, routes of the switch's own left out.
func (v *vswitch) shownRoutes(family string) map[string]shownRoute {
	out := v.vasicctl("", "-j", "-d", "-"+family, "route", "show", "table", "all")
	var list []shownRoute
	if err := json.Unmarshal([]byte(out.Stdout), &list); err != nil {
		v.t.Fatalf("route show: %v: %s", err, out.Stderr)
	}
	m := make(map[string]shownRoute)
	for _, r := range list {
		m[r.Dst] = r
	}
	return m
}

// flag is the route's flag, or flags.
func (r *shownRoute) flag() string {
	return strings.Join(slices.DeleteFunc(slices.Clone(r.Flags), func(f string) bool { return !strings.HasPrefix(f, "rt_") }), " ")
}

// offloaded are the gateways that have the flag of hardware.
func (r *shownRoute) offloaded() []string {
	var out []string
	if r.Gateway != "" && slices.Contains(r.Flags, "offload") {
		out = append(out, r.Gateway)
	}
	for _, h := range r.Nexthops {
		if h.Gateway != "" && slices.Contains(h.Flags, "offload") {
			out = append(out, h.Gateway)
		}
	}
	return out
}
