package fib

import (
	"net/netip"
	"slices"
)

// requestDelete carries out a delete request.
func (f *family) requestDelete(q *Request, a *Answer) {
	s := &q.Spec
	t, missing := f.existing(s.Table, s.Source)
	if missing != nil {
		a.Err = missing
		return
	}
	if !f.rules.siblings || !s.multipath() {
		a.Err = asNil(f.deleteOne(t, s, s.NextHops, q, a))
		return
	}
	for i := range s.NextHops { // ip6_route_multipath_del: each next hop is a request of its own; the first error counts, the rest still go
		if err := f.deleteOne(t, s, s.NextHops[i:i+1], q, a); err != nil && a.Err == nil {
			a.Err = err
		}
	}
	if a.Err != nil && a.Pending { // a refusal is final
		f.ops[len(f.ops)-1].Waiter, a.Pending = nil, false
	}
}

// deleteOne deletes the first route that matches.
func (f *family) deleteOne(t *table, s *Spec, hops []NextHopSpec, q *Request, a *Answer) *Error {
	var device *Link
	if len(hops) == 1 && hops[0].Device != "" {
		if device = f.fib.links.byName[hops[0].Device]; device == nil {
			return errNoLink(hops[0].Device)
		}
	}
	want := &f.wanted
	*want = *s
	defer func() { *want = Spec{} }() // it points into the request
	want.NextHops = hops
	f.load(t, s.Prefix)
	at := slices.IndexFunc(f.list, func(n uint32) bool { return f.rules.selects(f.rows.At(n), f.infoOf(n), want, device) })
	if at < 0 {
		return errDeleteMissing
	}
	f.leaving = append(f.leaving[:0], f.list[at])
	if f.rules.siblings && (len(hops) == 0 || !hops[0].Gateway.IsValid()) {
		f.leaving = f.group(f.list[at], f.leaving[:0])
	}
	a.ID = f.rows.At(f.leaving[0]).id
	warning := f.remove(t, s.Prefix, f.leaving, true, false, q, a)
	if warning != nil && f.rules.warns {
		a.Warning = warning.Kernel
	}
	return nil
}

// remove takes rows of the loaded list out of the FIB, publishes, and tells hardware. A refusal by hardware is only returned: a delete
// cannot be vetoed.
func (f *family) remove(t *table, pfx netip.Prefix, leaving []uint32, requested, silent bool, q *Request, a *Answer) *Error {
	f.list = slices.DeleteFunc(f.list, func(n uint32) bool { return slices.Contains(leaving, n) })
	var warning *Error
	if f.attached {
		if f.difference(t, pfx) {
			f.op.Promotion = f.op.Kind == OpReplace
			if refused := f.fib.hardware.Admit(&f.op); refused != nil {
				warning = asError(refused)
				f.ops = append(f.ops, Op{Kind: OpClear, Family: f.af})
			} else {
				f.submit(q, a)
			}
		}
	}
	f.publishDelete(t, pfx, leaving, requested, silent)
	f.store(t, pfx)
	for _, n := range leaving {
		f.drop(n)
	}
	return warning
}

// asNil keeps a nil *Error from becoming a non-nil error.
func asNil(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}
