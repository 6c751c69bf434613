package fib

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// Rule says that look-ups ask a table, or with L3mdev the table of the packet's VRF. Rules are asked in order of priority.
type Rule struct {
	Family   Family
	Priority uint32
	Table    uint32 // 0 with L3mdev
	L3mdev   bool
	Protocol uint8
}

// Priorities of the kernel's own rules.
const (
	priorityL3mdev  uint32 = 1000
	priorityMain    uint32 = 32766
	priorityDefault uint32 = 32767
)

// defaultRules4 and defaultRules6 are the rules of a fresh network namespace.
var (
	defaultRules4 = []Rule{
		{Family: IPv4, Table: TableLocal, Protocol: ProtocolKernel},
		{Family: IPv4, Priority: priorityMain, Table: TableMain, Protocol: ProtocolKernel},
		{Family: IPv4, Priority: priorityDefault, Table: TableDefault, Protocol: ProtocolKernel},
	}
	defaultRules6 = []Rule{
		{Family: IPv6, Table: TableLocal, Protocol: ProtocolKernel},
		{Family: IPv6, Priority: priorityMain, Table: TableMain, Protocol: ProtocolKernel},
	}
)

// setRouting replaces the rules and what follows from them.
func (f *family) setRouting(list []Rule) {
	f.routing, f.asked = list, f.asked[:0:0]
	for i := range list {
		if !list[i].L3mdev && !slices.Contains(f.asked, list[i].Table) {
			f.asked = append(f.asked, list[i].Table)
		}
	}
}

// AddRule makes a rule behind those of its priority; without one it comes before all but the first. Errors: ErrRuleExists, or hardware's.
func (f *FIB) AddRule(r Rule, hasPriority bool) (Rule, error) {
	fam := f.families[r.Family]
	err := f.changeLinks(func() error {
		if !hasPriority { // fib_default_rule_pref
			if len(fam.routing) > 1 && fam.routing[1].Priority > 0 {
				r.Priority = fam.routing[1].Priority - 1
			}
		} else if slices.ContainsFunc(fam.routing, func(o Rule) bool { return o.Priority == r.Priority && o.Table == r.Table && o.L3mdev == r.L3mdev }) {
			return &Error{Err: ErrRuleExists, Errno: syscall.EEXIST, Detail: fmt.Sprintf("priority %d table %d", r.Priority, r.Table)}
		}
		return fam.addRule(r)
	})
	return r, err
}

func (f *family) addRule(r Rule) error {
	if err := f.fib.hardware.AdmitRule(&r, true); err != nil {
		return asError(err)
	}
	at := slices.IndexFunc(f.routing, func(o Rule) bool { return o.Priority > r.Priority })
	if at < 0 {
		at = len(f.routing)
	}
	f.setRouting(slices.Insert(slices.Clone(f.routing), at, r))
	return nil
}

// DeleteRule removes the first rule that has the priority, if one is given, and the table, if that is not 0. Error: ErrRuleNotFound.
func (f *FIB) DeleteRule(family Family, priority *uint32, table uint32) error {
	fam := f.families[family]
	return f.changeLinks(func() error {
		at := slices.IndexFunc(fam.routing, func(r Rule) bool {
			return (priority == nil || r.Priority == *priority) && (table == 0 || r.Table == table)
		})
		if at < 0 {
			return &Error{Err: ErrRuleNotFound, Errno: syscall.ENOENT}
		}
		_ = f.hardware.AdmitRule(&fam.routing[at], false)
		fam.setRouting(slices.Delete(slices.Clone(fam.routing), at, at+1))
		return nil
	})
}

// Rules lists the rules of a family by priority.
func (f *FIB) Rules(family Family) (list []Rule) {
	_ = f.readLinks(func() error {
		list = slices.Clone(f.families[family].routing)
		return nil
	})
	return list
}

// replayRules tells hardware the rules anew.
func (f *family) replayRules() error {
	for i := range f.routing {
		if err := f.fib.hardware.AdmitRule(&f.routing[i], true); err != nil {
			return asError(err)
		}
	}
	return nil
}

// place is a row with its name.
type place struct {
	table  *table
	prefix netip.Prefix
	n      uint32
}
