package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/server"
)

// resourceFlag collects path=entries.
type resourceFlag map[string]uint64

func (r resourceFlag) values() (list []string) {
	for _, path := range slices.Sorted(maps.Keys(r)) {
		list = append(list, fmt.Sprintf("%s=%d", path, r[path]))
	}
	return list
}

// String implements flag.Value.
func (r resourceFlag) String() string { return strings.Join(r.values(), " ") }

// Get implements flag.Getter.
func (r resourceFlag) Get() any { return r }

// Set implements flag.Value.
func (r resourceFlag) Set(text string) error {
	path, size, ok := strings.Cut(text, "=")
	if !ok || !slices.Contains(asic.ResourcePaths, path) {
		return fmt.Errorf("%q is not path=entries with one of the paths %s", text, strings.Join(asic.ResourcePaths, ", "))
	}
	n, err := strconv.ParseUint(size, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number of entries", size)
	}
	r[path] = n
	return nil
}

// portFlag collects name=address,address.
type portFlag []server.Link

func (p *portFlag) values() (list []string) {
	for _, l := range *p {
		text := l.Name
		for i, a := range l.Addresses {
			text += string("=,"[min(i, 1)]) + a.String()
		}
		list = append(list, text)
	}
	return list
}

// String implements flag.Value.
func (p *portFlag) String() string { return strings.Join(p.values(), " ") }

// Get implements flag.Getter.
func (p *portFlag) Get() any { return p }

// Set implements flag.Value.
func (p *portFlag) Set(text string) error {
	name, addresses, _ := strings.Cut(text, "=")
	l := server.Link{Name: name}
	for a := range strings.SplitSeq(addresses, ",") {
		if a == "" {
			continue
		}
		pfx, err := netip.ParsePrefix(a)
		if err != nil {
			return fmt.Errorf("%q is not an address with prefix length like 10.0.1.1/24", a)
		}
		l.Addresses = append(l.Addresses, pfx)
	}
	if err := l.Check(); err != nil {
		return err
	}
	if slices.ContainsFunc(*p, func(o server.Link) bool { return o.Name == l.Name }) {
		return fmt.Errorf("%q is given twice", l.Name)
	}
	*p = append(*p, l)
	return nil
}
