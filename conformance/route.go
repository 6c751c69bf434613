package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Route is one route of `ip -j -d route show` as one line: the words that ip -d prints, next hops behind backslashes as with -o, and the
// flags of the route behind its attributes. Two routes are the same if their lines are.
//
//	unicast 192.0.2.0/24 via 10.0.1.2 dev d1 table main proto boot scope global rt_trap
//	unicast 192.0.2.0/24 table main proto boot scope global rt_trap \ via 10.0.1.2 dev d1 weight 1 \ via 10.0.2.2 dev d2 weight 1 dead linkdown
//
// A member that has no word here is spelt key=JSON.
type Route string

// routeWords are the words in front of the members of a route, in the order of the line.
var routeWords = []struct{ key, word string }{
	{"type", ""},
	{"dst", ""},
	{"from", "from"},
	{"tos", "tos"},
	{"nhid", "nhid"},
	{"via", "via inet6"},
	{"gateway", "via"},
	{"dev", "dev"},
	{"table", "table"},
	{"protocol", "proto"},
	{"scope", "scope"},
	{"prefsrc", "src"},
	{"metric", "metric"},
	{"weight", "weight"},
}

// routeOf spells a route that was decoded with numbers as json.Number.
func routeOf(m map[string]any) (Route, error) {
	var b strings.Builder
	if err := writeMembers(&b, m); err != nil {
		return "", err
	}
	hops, _ := m["nexthops"].([]any)
	for _, h := range hops {
		hop, ok := h.(map[string]any)
		if !ok {
			return "", fmt.Errorf("route %v: next hop %v is not an object", m["dst"], h)
		}
		b.WriteString(` \`)
		if err := writeMembers(&b, hop); err != nil {
			return "", err
		}
	}
	return Route(strings.TrimPrefix(b.String(), " ")), nil
}

// writeMembers writes the members of a route or of one next hop, each with a space in front.
func writeMembers(b *strings.Builder, m map[string]any) error {
	seen := map[string]bool{"nexthops": true, "flags": true, "pref": true}
	for _, w := range routeWords {
		v, ok := m[w.key]
		if !ok {
			continue
		}
		value := fmt.Sprint(v)
		if w.key == "via" {
			via, _ := v.(map[string]any)
			if len(via) != 2 || via["family"] != "inet6" {
				continue // spelt as it is, below
			}
			value = fmt.Sprint(via["host"])
		}
		seen[w.key] = true
		if w.word != "" {
			b.WriteString(" " + w.word)
		}
		b.WriteString(" " + value)
	}
	var rest []string
	for key := range m {
		if !seen[key] {
			rest = append(rest, key)
		}
	}
	slices.Sort(rest)
	for _, key := range rest {
		value, err := json.Marshal(m[key])
		if err != nil {
			return err
		}
		b.WriteString(" " + key + "=" + string(value))
	}
	flags, ok := m["flags"].([]any)
	if !ok {
		b.WriteString(" flags=none") // ip always prints the member
	}
	for _, f := range flags {
		fmt.Fprintf(b, " %v", f)
	}
	if pref, ok := m["pref"]; ok {
		fmt.Fprintf(b, " pref %v", pref)
	}
	return nil
}
