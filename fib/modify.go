package fib

import (
	"net/netip"
	"slices"
	"time"
)

// Modify applies requests of one family in order, all under one lock, and writes an answer for each into answers, which is as long.
// A refused request changes nothing and does not disturb the others.
func (f *FIB) Modify(af Family, requests []Request, answers []Answer) {
	fam := f.families[af]
	fam.mu.Lock()
	defer fam.mu.Unlock()
	fam.now = time.Now().UnixNano()
	for i := range requests {
		fam.modify(&requests[i], &answers[i])
		answers[i].Revision = uint64(len(fam.events)) // events so far; made a revision below
	}
	total := uint64(len(fam.events))
	revision := fam.commit()
	for i := range answers {
		answers[i].Revision = revision - (total - answers[i].Revision)
	}
}

func (f *family) modify(q *Request, a *Answer) {
	*a = Answer{}
	if q.Verb == Delete {
		f.requestDelete(q, a)
		return
	}
	infos, err := f.resolve(&q.Spec)
	if err != nil {
		a.Err = err
		return
	}
	metric := q.Spec.Metric
	if metric == 0 {
		metric = f.rules.defaultMetric
	}
	d := draft{
		table: f.table(q.Spec.Table, q.Spec.Source), prefix: q.Spec.Prefix, metric: metric, tos: q.Spec.TOS, verb: q.Verb,
		list: f.rules.siblings && q.Spec.multipath(), requested: true,
	}
	f.insert(&d, infos, q, a)
	for _, info := range infos { // the rows hold references of their own
		f.infos.release(info)
	}
}

// draft is a route about to be inserted.
type draft struct {
	table     *table
	prefix    netip.Prefix
	metric    uint32
	tos       uint8
	verb      Verb
	list      bool // an IPv6 next-hop list (ip6_route_multipath_add)
	requested bool
}

// insert puts one row for each info into the prefix's list, tells hardware, and publishes. q may be nil for the switch's own routes.
func (f *family) insert(d *draft, infos []*Info, q *Request, a *Answer) {
	f.load(d.table, d.prefix)
	f.removed, f.added = f.removed[:0], f.added[:0]
	var first placement
	var err *Error
	f.undo = append(f.undo[:0], f.list...)
	verb := d.verb
	for i, info := range infos {
		var p placement
		if p, err = f.rules.place(f, info, d.metric, d.tos, verb); err != nil {
			break
		}
		if p.same {
			a.ID = 0
			return
		}
		if i == 0 {
			first = p
			verb = Prepend // the rest are plain creates
		}
		f.unlink(p)
		info.refs++
		n := f.newRow(info, d.metric, d.tos, p.id)
		f.list = slices.Insert(f.list, p.at, n)
		f.added = append(f.added, n)
	}
	if d.list && first.nlflags != 0 {
		first.nlflags = NLCreate
		switch {
		case d.verb.replaces():
			first.nlflags = NLReplace
		case d.verb == Append:
			first.nlflags |= NLAppend
		}
	}
	tell := false
	if err == nil && f.attached {
		if tell = f.difference(d.table, d.prefix); tell {
			if refused := f.fib.hardware.Admit(&f.op); refused != nil {
				err = asError(refused)
			}
		}
	}
	if err != nil {
		f.rollBack(d, first.nlflags, tell)
		a.Err = err
		return
	}
	f.store(d.table, d.prefix)
	e := f.event(RouteAdded)
	if len(f.removed) > 0 {
		e.Kind = RouteReplaced
	}
	e.NLFlags, e.Requested = first.nlflags, d.requested
	told := f.added[0]
	if d.list { // listed from the first sibling, which may be an older one
		told = f.group(told, nil)[0]
	}
	f.view(&e.Route, d.table, d.prefix, told)
	a.ID, a.Generation = e.Route.ID, e.Route.Generation
	if tell {
		f.submit(q, a)
	}
	for _, n := range f.removed {
		f.drop(n)
	}
}

// unlink moves the rows that p replaces from f.list to f.removed.
func (f *family) unlink(p placement) {
	at := p.at
	for range p.removed {
		n := f.list[at]
		if p.purge != nil && !p.purge(f.rows.At(n), f.infoOf(n)) {
			at++
			continue
		}
		f.removed = append(f.removed, n)
		f.list = slices.Delete(f.list, at, at+1)
	}
}

// rollBack takes back an insert that failed. For an IPv6 next-hop list whose first rows were in already, the kernel tells
// users that they came and went (ip6_route_multipath_add), so that is published, too. Hardware, which has heard of none of it, is told that each goes,
// as the kernel does; unless it was hardware that refused.
func (f *family) rollBack(d *draft, nlflags uint16, refused bool) {
	if d.list && len(f.added) > 0 && !d.verb.replaces() {
		first := f.group(f.added[0], nil)[0]
		e := f.event(RouteAdded)
		e.NLFlags, e.Requested = nlflags, d.requested
		f.view(&e.Route, d.table, d.prefix, first)
		for _, n := range f.added {
			f.list = slices.DeleteFunc(f.list, func(m uint32) bool { return m == n })
			if !refused {
				f.tellGone(d, n)
			}
			f.publishDelete(d.table, d.prefix, []uint32{n}, d.requested, false)
		}
	}
	for _, n := range f.added {
		f.drop(n)
	}
	f.list = append(f.list[:0], f.undo...)
}

// tellGone queues the Delete of one sibling of the candidate that hardware never saw.
func (f *family) tellGone(d *draft, n uint32) {
	if !f.attached || len(f.list) == 0 || f.rows.At(f.list[0]).id != f.rows.At(n).id {
		return
	}
	f.op = Op{Kind: OpDelete, Family: f.af, Table: d.table.id, Prefix: d.prefix, Source: d.table.source, Accepted: f.now}
	f.refer(&f.op, []uint32{n}, nil)
	if f.fib.hardware.Admit(&f.op) != nil {
		f.op = Op{Kind: OpClear, Family: f.af}
	}
	f.ops = append(f.ops, f.op)
}

// submit queues the admitted operation f.op for commit, with the request's waiter.
func (f *family) submit(q *Request, a *Answer) {
	if q != nil && q.Waiter != nil {
		if a.Pending { // a delete of several next hops: the last of its operations settles it
			f.ops[len(f.ops)-1].Waiter = nil
		}
		f.op.Waiter, f.op.Cookie = q.Waiter, q.Cookie
		a.Pending = true
	}
	f.ops = append(f.ops, f.op)
}

// publishDelete publishes that rows leave f.list, which must not hold them any more, or holds only them if they are the whole.
func (f *family) publishDelete(t *table, pfx netip.Prefix, rows []uint32, requested, silent bool) {
	e := f.event(RouteDeleted)
	e.Requested, e.Silent = requested, silent
	f.viewRow(&e.Route, t, pfx, rows[0])
	if len(rows) > 1 {
		start := len(f.siblings)
		for _, n := range rows {
			r := f.rows.At(n)
			f.siblings = append(f.siblings, Sibling{Info: f.infos.list[r.info], Flags: r.flags, Reason: r.reason})
			e.Route.Generation = max(e.Route.Generation, r.generation)
		}
		e.Route.Siblings = f.siblings[start:len(f.siblings):len(f.siblings)]
	}
	if f.rules.siblings {
		var rest uint64
		for _, n := range f.list {
			if r := f.rows.At(n); r.id == e.Route.ID && !slices.Contains(rows, n) {
				rest = max(rest, r.generation)
			}
		}
		if rest != 0 {
			e.Partial, e.Route.Generation = true, rest
		}
	}
}
