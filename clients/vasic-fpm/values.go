package main

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/vasic-project/vasic/clients/fpm"
)

// listener is where one router connects.
type listener struct {
	listen      string
	server      string // "" means that of --server
	tableOffset uint32
	linkPrefix  string
}

// routerFlag collects address,key=value,....
type routerFlag []listener

func (r *routerFlag) values() []string {
	list := make([]string, 0, len(*r))
	for _, l := range *r {
		text := l.listen
		if l.server != "" {
			text += ",switch=" + l.server
		}
		if l.tableOffset != 0 {
			text += ",table-offset=" + strconv.FormatUint(uint64(l.tableOffset), 10)
		}
		if l.linkPrefix != "" {
			text += ",link-prefix=" + l.linkPrefix
		}
		list = append(list, text)
	}
	return list
}

// String implements flag.Value.
func (r *routerFlag) String() string { return strings.Join(r.values(), " ") }

// Get implements flag.Getter.
func (r *routerFlag) Get() any { return r.values() }

// Set implements flag.Value.
func (r *routerFlag) Set(text string) error {
	words := strings.Split(text, ",")
	l := listener{listen: words[0]}
	if _, _, err := net.SplitHostPort(l.listen); err != nil && !strings.HasPrefix(l.listen, "unix:") {
		return fmt.Errorf("%q is not host:port or unix:///path", l.listen)
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "switch":
			l.server = value
		case "table-offset":
			offset, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return fmt.Errorf("table-offset: %q is not a number of 32 bits", value)
			}
			l.tableOffset = uint32(offset)
		case "link-prefix":
			l.linkPrefix = value
		default:
			return fmt.Errorf("%q is not switch=, table-offset= or link-prefix=", word)
		}
	}
	if slices.ContainsFunc(*r, func(o listener) bool { return o.listen == l.listen }) {
		return fmt.Errorf("%q is given twice", l.listen)
	}
	*r = append(*r, l)
	return nil
}

// lastTable is the last table of l's switch before the share of another router begins. Two routers may not begin at the same.
func (r *routerFlag) lastTable(l listener, server string) (uint32, error) {
	last := uint32(math.MaxUint32)
	for _, o := range *r {
		switch on := o.server; {
		case o.listen == l.listen || on != l.server && on != "" && on != server:
		case on == "" && l.server != "" && l.server != server:
		case o.tableOffset == l.tableOffset:
			return 0, fmt.Errorf("%s and %s have the same tables of one switch; give one a table-offset", l.listen, o.listen)
		case o.tableOffset > l.tableOffset:
			last = min(last, o.tableOffset)
		}
	}
	return last, nil
}

// faultFlag collects fault=value.
type faultFlag struct {
	fpm.Faults
	given []string
}

// String implements flag.Value.
func (f *faultFlag) String() string { return strings.Join(f.given, " ") }

// Get implements flag.Getter.
func (f *faultFlag) Get() any { return f.given }

// Set implements flag.Value.
func (f *faultFlag) Set(text string) error {
	if err := f.Faults.Set(text); err != nil {
		return err
	}
	f.given = append(f.given, text)
	return nil
}
