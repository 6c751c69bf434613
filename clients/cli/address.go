package cli

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// The families under short names; familyAny is "not said yet".
const (
	familyAny = vasicv1.Family_FAMILY_UNSPECIFIED
	family4   = vasicv1.Family_FAMILY_IPV4
	family6   = vasicv1.Family_FAMILY_IPV6
)

// familyWord is how iproute2's messages call a family.
func familyWord(f vasicv1.Family) string {
	switch f {
	case family4:
		return "inet"
	case family6:
		return "inet6"
	}
	return "any valid"
}

// familyOf is the family of an address or of a prefix in CIDR form.
func familyOf(text string) vasicv1.Family {
	if strings.IndexByte(text, ':') >= 0 {
		return family6
	}
	return family4
}

// prefix is a prefix as a command line gives it: host bits are kept, and "default" has no family.
type prefix struct {
	family vasicv1.Family
	addr   netip.Addr // invalid for "default" without a family
	bits   int
}

// host says whether the prefix is one address.
func (p prefix) host() bool { return p.addr.IsValid() && p.bits == p.addr.BitLen() }

// in returns p with the family f if it has none.
func (p prefix) in(f vasicv1.Family) prefix {
	switch {
	case p.family != familyAny:
		return p
	case f == family6:
		return prefix{family: family6, addr: netip.IPv6Unspecified()}
	}
	return prefix{family: family4, addr: netip.IPv4Unspecified()}
}

// masked returns p without host bits.
func (p prefix) masked() prefix {
	if p.addr.IsValid() {
		p.addr = netip.PrefixFrom(p.addr, p.bits).Masked().Addr()
	}
	return p
}

// contains says whether o lies within p.
func (p prefix) contains(o prefix) bool {
	return p.bits <= o.bits && p.addr.BitLen() == o.addr.BitLen() && netip.PrefixFrom(p.addr, p.bits).Contains(o.addr)
}

// String is the prefix in CIDR form.
func (p prefix) String() string { return netip.PrefixFrom(p.addr, p.bits).String() }

// parsePrefix reads ADDRESS, ADDRESS/LENGTH, ADDRESS/NETMASK (IPv4) or default, all, any as iproute2's get_prefix does: an IPv4
// address may leave out zero bytes at its end ("10/8"), and an address without length is a host.
func parsePrefix(s string, f vasicv1.Family) (prefix, error) {
	if s == "default" || s == "all" || s == "any" {
		if f == familyAny {
			return prefix{}, nil
		}
		return prefix{}.in(f), nil
	}
	text, length, slash := strings.Cut(s, "/")
	addr, ok := parseIP(text, f)
	if !ok {
		return prefix{}, expected(f, "prefix", s)
	}
	p := prefix{family: family4, addr: addr, bits: addr.BitLen()}
	if addr.Is6() {
		p.family = family6
	}
	if !slash {
		return p, nil
	}
	if n, ok := parseUint(length, 8); ok {
		p.bits = int(n)
	} else if p.bits, ok = netmaskLength(length); !ok || p.family != family4 {
		return prefix{}, expected(f, "prefix", s)
	}
	if p.bits > addr.BitLen() {
		return prefix{}, expected(f, "prefix", s)
	}
	return p, nil
}

// parseAddress reads an address of family f, or of any.
func parseAddress(s string, f vasicv1.Family) (netip.Addr, error) {
	addr, ok := parseIP(s, f)
	if !ok {
		return netip.Addr{}, expected(f, "address", s)
	}
	return addr, nil
}

// expected is iproute2's message for an address or a prefix that cannot be read.
func expected(f vasicv1.Family, what, got string) error {
	return usageError(fmt.Sprintf("Error: %s %s is expected rather than %q.", familyWord(f), what, got))
}

// parseIP reads an address of family f, or of any.
func parseIP(s string, f vasicv1.Family) (netip.Addr, bool) {
	if strings.IndexByte(s, ':') >= 0 {
		if f == family4 {
			return netip.Addr{}, false
		}
		addr, err := netip.ParseAddr(s)
		return addr, err == nil && addr.Zone() == ""
	}
	if f == family6 {
		return netip.Addr{}, false
	}
	var b [4]byte
	rest, dot := s, true
	for i := 0; dot; i++ {
		var part string
		part, rest, dot = strings.Cut(rest, ".")
		n, ok := parseUint(part, 8)
		if !ok || i == len(b) {
			return netip.Addr{}, false
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b), true
}

// netmaskLength reads a dotted netmask without holes.
func netmaskLength(s string) (int, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return 0, false
	}
	b := addr.As4()
	mask := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := bits.LeadingZeros32(^mask)
	return n, mask == ^uint32(0)<<(32-n)
}
