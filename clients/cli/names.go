package cli

import (
	"strconv"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Numbers that the code itself needs; the rest is in the tables below.
const (
	tableMain  = 254
	tableLocal = 255

	protocolBoot = 3

	scopeGlobal = 0
	scopeLink   = 253
	scopeHost   = 254
)

// A name is a word for a number.
type name struct {
	word   string
	number uint32
}

// names is a table of words for numbers, as iproute2's files rt_tables, rt_protos, rt_scopes and rt_dsfield hold them.
type names []name

var (
	tableNames = names{{"unspec", 0}, {"default", 253}, {"main", tableMain}, {"local", tableLocal}}

	protocolNames = names{
		{"unspec", 0}, {"redirect", 1}, {"kernel", 2}, {"boot", protocolBoot}, {"static", 4}, {"gated", 8}, {"ra", 9},
		{"mrt", 10}, {"zebra", 11}, {"bird", 12}, {"dnrouted", 13}, {"xorp", 14}, {"ntk", 15}, {"dhcp", 16}, {"keepalived", 18},
		{"babel", 42}, {"openr", 99}, {"bgp", 186}, {"isis", 187}, {"ospf", 188}, {"rip", 189}, {"eigrp", 192},
	}

	scopeNames = names{{"global", scopeGlobal}, {"site", 200}, {"link", scopeLink}, {"host", scopeHost}, {"nowhere", 255}}

	dsfieldNames = names{
		{"default", 0}, {"CS1", 0x20}, {"AF11", 0x28}, {"AF12", 0x30}, {"AF13", 0x38}, {"CS2", 0x40}, {"AF21", 0x48},
		{"AF22", 0x50}, {"AF23", 0x58}, {"CS3", 0x60}, {"AF31", 0x68}, {"AF32", 0x70}, {"AF33", 0x78}, {"CS4", 0x80},
		{"AF41", 0x88}, {"AF42", 0x90}, {"AF43", 0x98}, {"CS5", 0xa0}, {"EF", 0xb8}, {"CS6", 0xc0}, {"CS7", 0xe0},
	}
)

// lookup returns the number of a word.
func (t names) lookup(word string) (uint32, bool) {
	for i := range t {
		if t[i].word == word {
			return t[i].number, true
		}
	}
	return 0, false
}

// name returns the word for n, or n in figures.
func (t names) name(n uint32) string {
	for i := range t {
		if t[i].number == n {
			return t[i].word
		}
	}
	return strconv.FormatUint(uint64(n), 10)
}

// parse reads a word of the table or a number of so many bits.
func (t names) parse(s string, bits int) (uint32, bool) {
	if n, ok := t.lookup(s); ok {
		return n, true
	}
	n, ok := parseUint(s, bits)
	return uint32(n), ok
}

// tosName is a type of service as iproute2 prints it: by name, or as a hexadecimal number.
func tosName(n uint32) string {
	for i := range dsfieldNames {
		if dsfieldNames[i].number == n {
			return dsfieldNames[i].word
		}
	}
	const digits = "0123456789abcdef"
	return "0x" + string([]byte{digits[n>>4&0xf], digits[n&0xf]})
}

// parseTos reads a type of service: a name, or a hexadecimal number with or without 0x, as iproute2 does.
func parseTos(s string) (uint32, bool) {
	if n, ok := dsfieldNames.lookup(s); ok {
		return n, true
	}
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s = s[2:]
	}
	n, ok := parseDigits(s, 16, 8)
	return uint32(n), ok
}

// routeTypes are the words for types; min is how many letters of a word iproute2 asks for.
var routeTypes = []struct {
	word   string
	min    int
	number vasicv1.RouteType
}{
	{"local", 5, vasicv1.RouteType_ROUTE_TYPE_LOCAL},
	{"broadcast", 1, vasicv1.RouteType_ROUTE_TYPE_BROADCAST},
	{"brd", 3, vasicv1.RouteType_ROUTE_TYPE_BROADCAST},
	{"anycast", 1, vasicv1.RouteType_ROUTE_TYPE_ANYCAST},
	{"multicast", 2, vasicv1.RouteType_ROUTE_TYPE_MULTICAST},
	{"prohibit", 3, vasicv1.RouteType_ROUTE_TYPE_PROHIBIT},
	{"unreachable", 1, vasicv1.RouteType_ROUTE_TYPE_UNREACHABLE},
	{"blackhole", 2, vasicv1.RouteType_ROUTE_TYPE_BLACKHOLE},
	{"unicast", 3, vasicv1.RouteType_ROUTE_TYPE_UNICAST},
	{"throw", 5, vasicv1.RouteType_ROUTE_TYPE_THROW},
}

// parseRouteType reads a word for a type.
func parseRouteType(s string) (vasicv1.RouteType, bool) {
	for _, t := range routeTypes {
		if len(s) >= t.min && abbreviates(s, t.word) {
			return t.number, true
		}
	}
	return vasicv1.RouteType_ROUTE_TYPE_UNSPECIFIED, false
}

// typeNames are what types print as.
var typeNames = names{
	{"none", uint32(vasicv1.RouteType_ROUTE_TYPE_UNSPECIFIED)},
	{"unicast", uint32(vasicv1.RouteType_ROUTE_TYPE_UNICAST)},
	{"local", uint32(vasicv1.RouteType_ROUTE_TYPE_LOCAL)},
	{"broadcast", uint32(vasicv1.RouteType_ROUTE_TYPE_BROADCAST)},
	{"anycast", uint32(vasicv1.RouteType_ROUTE_TYPE_ANYCAST)},
	{"multicast", uint32(vasicv1.RouteType_ROUTE_TYPE_MULTICAST)},
	{"blackhole", uint32(vasicv1.RouteType_ROUTE_TYPE_BLACKHOLE)},
	{"unreachable", uint32(vasicv1.RouteType_ROUTE_TYPE_UNREACHABLE)},
	{"prohibit", uint32(vasicv1.RouteType_ROUTE_TYPE_PROHIBIT)},
	{"throw", uint32(vasicv1.RouteType_ROUTE_TYPE_THROW)},
}

// errnos are strerror's words for the names that errors of the switch carry.
var errnos = map[string]string{
	"EPERM":         "Operation not permitted",
	"ENOENT":        "No such file or directory",
	"ESRCH":         "No such process",
	"EACCES":        "Permission denied",
	"EBUSY":         "Device or resource busy",
	"EEXIST":        "File exists",
	"ENODEV":        "No such device",
	"EINVAL":        "Invalid argument",
	"ENOSPC":        "No space left on device",
	"ERANGE":        "Numerical result out of range",
	"EOPNOTSUPP":    "Operation not supported",
	"EAFNOSUPPORT":  "Address family not supported by protocol",
	"EADDRINUSE":    "Address already in use",
	"EADDRNOTAVAIL": "Cannot assign requested address",
	"ENETDOWN":      "Network is down",
	"ENETUNREACH":   "Network is unreachable",
	"ENOBUFS":       "No buffer space available",
	"ETIMEDOUT":     "Connection timed out",
	"EHOSTUNREACH":  "No route to host",
}
