package asic

import "github.com/vasic-project/vasic/fib"

// report adds the result of the operation's route i.
func (c *Chip) report(op *fib.Op, i int, v verdict, silent bool) {
	r := fib.Result{
		Family: op.Family, Flags: v.flags, Reason: v.reason, Silent: silent, Table: op.Table, Prefix: op.Prefix, Source: op.Source, Ref: op.Ref(i),
	}
	if i == op.Len()-1 && !c.quiet {
		r.Final, r.Accepted, r.Waiter, r.Cookie = true, op.Accepted, op.Waiter, op.Cookie
		if op.Promotion { // asked for by a delete
			r.Removal = true
		}
	}
	c.results = append(c.results, r)
}

// reportAll adds the same result for all routes of the operation.
func (c *Chip) reportAll(op *fib.Op, v verdict) {
	for i := range op.Len() {
		c.report(op, i, v, false)
	}
}

// gone reports that a delete was carried out.
func (c *Chip) gone(op *fib.Op) {
	if c.quiet {
		return
	}
	c.results = append(c.results, fib.Result{
		Family: op.Family, Gone: true, Final: true, Table: op.Table, Prefix: op.Prefix, Source: op.Source,
		Accepted: op.Accepted, Waiter: op.Waiter, Cookie: op.Cookie,
	})
}

// failDelete reports that a delete failed, and keeps it to be tried again. number is that of the earlier attempt, if this is another one.
func (c *Chip) failDelete(op *fib.Op, v verdict, number uint64) {
	if number == 0 {
		c.unfail(keyOf(op), op)
	}
	c.keep(op, v.reason, number)
	c.gone(op)
	if !c.quiet {
		last := &c.results[len(c.results)-1]
		last.Flags, last.Reason = v.flags, v.reason
	}
}

// abandoned reports that an operation is not carried out as a reload follows.
func (c *Chip) abandoned(op *fib.Op) {
	c.results = append(c.results, fib.Result{
		Family: op.Family, Abandoned: true, Final: true, Table: op.Table, Prefix: op.Prefix, Source: op.Source, Ref: op.First,
		Accepted: op.Accepted, Waiter: op.Waiter, Cookie: op.Cookie,
	})
}

// clearFlags reports that a route of a table has left hardware for that of the operation.
func (c *Chip) clearFlags(op *fib.Op, from *table, ref fib.Ref) {
	c.results = append(c.results, fib.Result{Family: op.Family, Clear: true, Table: from.id, Prefix: op.Prefix, Ref: ref})
}

// foreign reports on routes that the chip has no table for.
func (c *Chip) foreign(op *fib.Op) {
	if op.Kind == fib.OpDelete {
		c.gone(op)
		return
	}
	for i := range op.Len() {
		c.report(op, i, c.kind(op, op.Ref(i).Info), false)
	}
}

// clear empties the hardware, the newest entry first, and forgets what was counted (nsim_fib_flush_work). Next-hop objects, links and neighbours stay
// known.
func (c *Chip) clear() {
	for _, n := range c.newest() {
		t, pfx := c.tableOf(n), c.prefixOf(n)
		left := c.entries.members(n, c.scratch[:0])
		for _, m := range left {
			c.results = append(c.results, fib.Result{Family: t.family, Clear: true, Table: t.id, Prefix: pfx, Ref: m.ref})
		}
		c.drop(t, &fib.Op{Prefix: pfx}, n)
		if c.profile.simulated {
			c.resources.released(t.family)
		}
		if len(c.failed.byKey) > 0 {
			c.olderGone(t.space, &fib.Op{Family: t.family, Prefix: pfx}, left)
		}
		c.scratch = left[:0]
	}
	clear(c.hidden)
	c.handOver()
}

// reset empties the hardware for a reload, after which the FIB tells everything again but links and neighbours.
func (c *Chip) reset() {
	for key := range c.failed.byKey {
		if !c.failed.byKey[key].older {
			c.forgive(key)
		}
	}
	c.clear()
	for key := range c.failed.byKey {
		c.forgive(key)
	}
	c.failed = failures{byKey: c.failed.byKey, number: c.failed.number}
	for id, g := range c.groups.objects {
		delete(c.groups.objects, id)
		c.abandon(g)
	}
	c.groups.lacking, c.groups.tried = nil, 0
	c.vacated, c.abandoning = false, false
	c.queue.resetDone()
}
