package asic

import (
	"context"
	"net/netip"
	"slices"

	"github.com/vasic-project/vasic/fib"
)

// program carries out one operation: the asynchronous part of a driver (nsim_fib_event, mlxsw_sp_router_fib4_event_work).
func (c *Chip) program(ctx context.Context, op *fib.Op) {
	t := c.table(op.Family, op.Table)
	if op.Source.IsValid() { // hardware has no table for these; say so to whoever waits
		if op.Kind == fib.OpDelete {
			c.gone(op)
			return
		}
		c.reportJudged(op)
		return
	}
	switch op.Kind {
	case fib.OpReplace:
		c.replace(ctx, t, op)
	case fib.OpAppend:
		c.append(ctx, t, op)
	case fib.OpDelete:
		if !c.profile.instantDelete {
			c.wait(ctx)
		}
		c.remove(t, op)
	}
}

// replace makes the prefix's entry consist of the operation's routes. If that fails, an older entry stays as it is.
func (c *Chip) replace(ctx context.Context, t *table, op *fib.Op) {
	n, present := t.entries.Get(op.Prefix)
	failure := c.failure(op, present)
	if failure.reason != fib.ReasonNone {
		c.wait(ctx)
		c.reportAll(op, failure)
		return
	}
	var old []member
	if present {
		old = c.entries.members(n, c.scratch[:0])
	}
	verdicts := c.judge(op)
	if verdicts[0].flags&^(fib.FlagOffload|fib.FlagTrap) != 0 || verdicts[0].flags == 0 { // not for this chip; siblings are all alike
		leaves := present && verdicts[0].flags == 0
		if leaves {
			c.drop(t, op.Prefix, n)
		}
		c.wait(ctx)
		c.reportJudged(op)
		if leaves {
			for i := range old {
				c.clearFlags(op, old[i].ref)
			}
		}
		c.scratch = old[:0]
		return
	}
	if present {
		c.resources.released(op.Family) // it was counted as if it took one more
	} else {
		n = c.entries.alloc(op.Family)
		t.entries.Insert(op.Prefix, n)
	}
	c.entries.set(n, op.TOS, verdicts)
	c.wait(ctx)
	for i := range verdicts {
		c.report(op, i, verdict{flags: verdicts[i].flags}, false)
	}
	for i := range old { // the new one first, then the old one; never a route that is in both
		if !slices.ContainsFunc(verdicts, func(m member) bool { return m.ref.Generation == old[i].ref.Generation }) {
			c.clearFlags(op, old[i].ref)
		}
	}
	c.scratch = old[:0]
}

// append lets siblings join the prefix's entry.
func (c *Chip) append(ctx context.Context, t *table, op *fib.Op) {
	n, present := t.entries.Get(op.Prefix)
	failure := c.failure(op, true)
	if failure.reason == fib.ReasonNone && !present {
		failure = unsupported
	}
	if failure.reason != fib.ReasonNone {
		c.wait(ctx)
		c.reportAll(op, failure)
		return
	}
	old := c.entries.members(n, c.scratch[:0])
	joining := c.judge(op)
	if !c.profile.silentAppend {
		c.wait(ctx)
	}
	c.entries.change(n, append(old, joining...))
	for i := range joining {
		c.report(op, i, verdict{flags: joining[i].flags}, c.profile.silentAppend)
	}
	c.scratch = old[:0]
}

// remove takes routes out of the prefix's entry, and the entry away when none is left.
func (c *Chip) remove(t *table, op *fib.Op) {
	defer c.gone(op)
	n, present := t.entries.Get(op.Prefix)
	if !present {
		return
	}
	rest := c.scratch[:0]
	if entered := c.entries.members(n, rest); !op.Last && (!c.profile.countsSiblings || op.Len() < len(entered)) {
		rest = slices.DeleteFunc(entered, func(m member) bool {
			for i := range op.Len() {
				if op.Ref(i).Generation == m.ref.Generation {
					return true
				}
			}
			return false
		})
	}
	if len(rest) == 0 {
		c.drop(t, op.Prefix, n)
		return
	}
	c.entries.change(n, rest)
	c.scratch = rest[:0]
}

// drop takes an entry away.
func (c *Chip) drop(t *table, pfx netip.Prefix, n uint32) {
	t.entries.Delete(pfx)
	c.entries.release(t.key.family, n)
}

// failure says why an operation fails before the chip has looked at its routes; reason is ReasonNone where it does not.
func (c *Chip) failure(op *fib.Op, present bool) verdict {
	switch {
	case c.Knob(FailRouteOffload):
		return verdict{flags: fib.FlagOffloadFailed, reason: fib.ReasonInjected}
	case !c.profile.accounting && !present && uint64(c.entries.count[op.Family]) >= c.resources.limit(op.Family):
		return verdict{flags: fib.FlagOffloadFailed, reason: fib.ReasonTableFull}
	}
	return verdict{}
}

// judge returns the operation's routes with the flags that they get. The slice is valid until the next call.
func (c *Chip) judge(op *fib.Op) []member {
	c.judged = c.judged[:0]
	for i := range op.Len() {
		ref := op.Ref(i)
		c.judged = append(c.judged, member{ref: ref, flags: c.profile.judge(c, op, ref.Info).flags})
	}
	return c.judged
}

// report adds the result of the operation's route i.
func (c *Chip) report(op *fib.Op, i int, v verdict, silent bool) {
	r := fib.Result{
		Family: op.Family, Flags: v.flags, Reason: v.reason, Silent: silent, Table: op.Table, Prefix: op.Prefix, Source: op.Source, Ref: op.Ref(i),
	}
	if i == op.Len()-1 {
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

// reportJudged adds what the profile says of each route of the operation, which does not become an entry.
func (c *Chip) reportJudged(op *fib.Op) {
	for i := range op.Len() {
		c.report(op, i, c.profile.judge(c, op, op.Ref(i).Info), false)
	}
}

// gone reports that a delete was carried out.
func (c *Chip) gone(op *fib.Op) {
	c.results = append(c.results, fib.Result{
		Family: op.Family, Gone: true, Final: true, Table: op.Table, Prefix: op.Prefix, Source: op.Source,
		Accepted: op.Accepted, Waiter: op.Waiter, Cookie: op.Cookie,
	})
}

// clearFlags reports that a route has left hardware for that of the operation.
func (c *Chip) clearFlags(op *fib.Op, ref fib.Ref) {
	c.results = append(c.results, fib.Result{Family: op.Family, Clear: true, Table: op.Table, Prefix: op.Prefix, Ref: ref})
}

// clear empties the hardware, the newest entry first, and forgets what was counted (nsim_fib_flush_work).
func (c *Chip) clear() {
	for _, p := range c.places() {
		for _, m := range c.entries.members(p.n, nil) {
			c.results = append(c.results, fib.Result{Family: p.table.key.family, Clear: true, Table: p.table.key.id, Prefix: p.prefix, Ref: m.ref})
		}
		c.drop(p.table, p.prefix, p.n)
		c.resources.released(p.table.key.family)
	}
	c.handOver()
}

// linkChanged judges again every route that leaves by the link.
func (c *Chip) linkChanged(l *fib.Link, usable bool) {
	if c.usable[l] == usable {
		return
	}
	c.usable[l] = usable
	if !usable {
		delete(c.usable, l)
	}
	if !c.profile.dependsOnLinks {
		return
	}
	touched := make([]bool, len(c.entries.infos))
	for n, info := range c.entries.infos {
		touched[n] = info != nil && slices.ContainsFunc(info.NextHops, func(h fib.NextHop) bool { return h.Link == l })
	}
	for _, p := range c.places() {
		e := c.entries.at(p.n)
		if e.more == 0 && !touched[e.info] {
			continue
		}
		op := fib.Op{Family: p.table.key.family, Table: p.table.key.id, Prefix: p.prefix, TOS: e.tos}
		for i, m := range c.entries.members(p.n, c.scratch[:0]) {
			if v := c.profile.judge(c, &op, m.ref.Info); v.flags != m.flags {
				c.entries.setFlags(p.n, i, v.flags)
				c.results = append(c.results, fib.Result{
					Family: op.Family, Flags: v.flags, Reason: v.reason, Table: op.Table, Prefix: op.Prefix, Ref: m.ref,
				})
			}
		}
	}
}
