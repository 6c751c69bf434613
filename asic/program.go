package asic

import (
	"slices"

	"github.com/vasic-project/vasic/fib"
)

// program carries out one operation: the asynchronous part of a driver (nsim_fib_event, mlxsw_sp_router_fib4_event_work). It returns false, with
// nothing done, if a fault rule delays or stalls it.
func (c *Chip) program(it *item) bool {
	op := &it.op
	var again *failure
	if it.retry != 0 && op.Kind == fib.OpDelete {
		if _, ok := c.deletions.find(it); !ok {
			return true
		}
	} else if it.retry != 0 {
		if again = c.attempt(it); again == nil {
			return true
		}
		if !c.retryFailed.Load() {
			c.postpone(again)
			return true
		}
	}
	if op.Source.IsValid() { // hardware has no table for these; say so to whoever waits
		c.foreign(op)
		return true
	}
	t := c.table(op.Family, op.Table)
	n := t.entry(op.Prefix)
	injected, waits := c.fault(op, t, n)
	if waits {
		return false
	}
	failed := injected != (verdict{})
	if !failed {
		injected = c.knobFailure()
	}
	c.quiet = it.retry != 0
	switch op.Kind {
	case fib.OpReplace:
		if c.profile.simulated && n != 0 && injected == (verdict{}) {
			c.resources.released(op.Family) // it was counted as if it took one more
		}
		c.enter(t, op, n, injected, again)
	case fib.OpAppend:
		c.append(t, op, n, injected)
	case fib.OpDelete:
		if it.retry != 0 {
			c.takeDeletion(it)
		}
		switch {
		case failed:
			c.failDelete(op, injected, it.retry)
		case it.retry != 0:
			c.evict(t, op, n)
		default:
			c.remove(t, op, n)
		}
	}
	c.quiet = false
	return true
}

// fault lets fault rules have their effect on an operation that changes hardware, and says how it fails, or that it waits. n is the entry that is there, 0 for none.
func (c *Chip) fault(op *fib.Op, t *table, n uint32) (failure verdict, waits bool) {
	if c.faults.count.Load() == 0 && c.held == 0 {
		return verdict{}, false
	}
	s := subject{operation: AddOperation, family: op.Family, table: op.Table, prefix: op.Prefix}
	present := n != 0
	ours := present && c.tableOf(n) == t
	switch {
	case op.Kind == fib.OpReplace && present:
		s.operation = ReplaceOperation
	case op.Kind == fib.OpAppend:
		s.operation = AppendOperation
	case op.Kind == fib.OpDelete:
		s.operation = DeleteOperation
	}
	hides := present && c.tableOf(n).rank < t.rank
	if hides || op.Kind == fib.OpDelete && !ours { // nothing to do in hardware
		return verdict{}, false
	}
	f, hit, waits := c.obstacle(&s)
	if hit && f.Effect == Fail {
		failure = f.failure()
	}
	return failure, waits
}

// enter makes the prefix's entry, which is n or with 0 a new one, consist of the operation's routes. If that fails, because of what is injected or for want of room,
// an older entry stays as it is. again is the failure that this is another attempt at.
func (c *Chip) enter(t *table, op *fib.Op, n uint32, injected verdict, again *failure) {
	key := keyOf(op)
	present := n != 0
	if present && c.tableOf(n).rank < t.rank {
		c.forgive(key)
		c.hide(op)
		c.reportAll(op, ignored)
		return
	}
	failure := injected
	if again != nil {
		now := again.op // routes may have left it, or joined it, since it was queued
		op = &now
		again.queued = false // what was promised to it is its own now
		c.failed.promised[again.needs.resource] -= again.needs.rows
	}
	if failure == (verdict{}) {
		failure = c.roomFailure(op, present)
	}
	members := c.judge(op)
	if failure == (verdict{}) && members[0].flags&fib.FlagOffloadFailed != 0 { // siblings are all alike
		failure = unsupported
	}
	if failure != (verdict{}) {
		if present {
			failure.flags |= fib.FlagOlderEntry
		}
		c.remember(op, failure.reason, present, again)
		c.reportAll(op, failure)
		return
	}
	c.forgive(key)
	c.superseded(key)
	if members[0].flags == 0 || c.unknownObject(op.First.Info) {
		c.ignore(t, op, n)
		return
	}
	c.write(t, op, n, members, again)
}

// ignore leaves routes out that are not for this chip, and takes entry n away, if it is not 0.
func (c *Chip) ignore(t *table, op *fib.Op, n uint32) {
	present := n != 0
	var old []member
	var from *table
	if present {
		old, from = c.entries.members(n, nil), c.tableOf(n)
		c.drop(from, op, n)
	}
	c.reportAll(op, ignored)
	for i := range old {
		c.clearFlags(op, from, old[i].ref)
	}
	if present {
		c.surface(t.space, op)
	}
}

// write writes entry n, or with 0 a new one, and reports the new routes first, then the old ones.
func (c *Chip) write(t *table, op *fib.Op, n uint32, members []member, again *failure) {
	present := n != 0
	var old []member
	from := t
	if present {
		old, from = c.entries.members(n, c.scratch[:0]), c.tableOf(n)
		if from != t {
			c.eclipse(n)
		}
	} else {
		n = c.entries.alloc(op.Prefix)
		t.prefixes.Insert(op.Prefix, n)
		if !c.profile.simulated {
			c.occupy(c.rowsFor(op.Family, op.Prefix))
		}
	}
	g := c.groupFor(members)
	c.entries.set(n, t, op.TOS, members)
	c.join(n, g)
	c.offerRoom() // of the group that it has left
	resolve(members, g)
	for i := range members {
		c.entries.setFlags(n, i, members[i].flags)
		c.report(op, i, verdictOf(members[i].flags), false)
		if i == 0 && again != nil {
			c.results[len(c.results)-1].Accepted = op.Accepted
		}
	}
	for i := range old { // never a route that is in both
		if !slices.ContainsFunc(members, func(m member) bool { return m.ref.Generation == old[i].ref.Generation }) {
			c.clearFlags(op, from, old[i].ref)
		}
	}
	if present {
		c.scratch = old[:0]
	}
}

// append lets siblings join the prefix's entry, which is n; 0 for none.
func (c *Chip) append(t *table, op *fib.Op, n uint32, injected verdict) {
	key := keyOf(op)
	if hidden := c.hiddenRoute(key); hidden != nil {
		*hidden = joined(hidden, op)
		c.reportAll(op, ignored)
		return
	}
	present := n != 0
	failed := c.failed.byKey[key]
	failure := injected
	switch {
	case failure != (verdict{}):
	case failed != nil && (!present || !c.profile.simulated): // not to an older route
		failure = verdict{flags: fib.FlagOffloadFailed, reason: failed.reason}
	case !present || c.tableOf(n) != t:
		failure = unsupported
	}
	if failed != nil { // with those that it joins
		failed.op = joined(&failed.op, op)
	}
	if failure != (verdict{}) { // what hardware has is older only in that these are missing
		c.reportAll(op, failure)
		return
	}
	old := c.entries.members(n, c.scratch[:0])
	if c.profile.simulated {
		joining := c.judge(op)
		c.entries.change(n, append(old, joining...))
		for i := range joining {
			c.report(op, i, verdict{flags: joining[i].flags}, true)
		}
	} else {
		c.regroup(t, op, n, append(old, c.judge(op)...), len(old))
	}
	c.scratch = old[:0]
}

// regroup gives an entry other siblings: it reports those of the first kept whose flags change, and all others as the routes of the operation.
func (c *Chip) regroup(t *table, op *fib.Op, n uint32, members []member, kept int) {
	was := make([]fib.Flags, kept)
	for i := range was {
		was[i] = members[i].flags
		members[i].flags = c.kind(op, members[i].ref.Info).flags
	}
	g := c.groupFor(members)
	c.entries.change(n, members)
	c.join(n, g)
	c.offerRoom()
	resolve(members, g)
	for i := range members {
		c.entries.setFlags(n, i, members[i].flags)
		v := verdictOf(members[i].flags)
		switch {
		case i >= kept:
			c.report(op, i-kept, v, false)
		case was[i] != members[i].flags:
			c.results = append(c.results, fib.Result{Family: op.Family, Flags: v.flags, Reason: v.reason, Table: t.id, Prefix: op.Prefix, Ref: members[i].ref})
		}
	}
}

// remove takes routes away that the FIB has deleted. n is the prefix's entry, 0 for none.
func (c *Chip) remove(t *table, op *fib.Op, n uint32) {
	key := keyOf(op)
	c.unfail(key, op)
	if hidden := c.hiddenRoute(key); hidden == nil {
		c.evict(t, op, n)
	} else if rest, left := without(hidden, op); left && !op.Last {
		*hidden = rest
	} else {
		delete(c.hidden, key)
	}
	c.gone(op)
}

// evict takes routes out of the prefix's entry, which is n, 0 for none, and the entry away when none is left.
func (c *Chip) evict(t *table, op *fib.Op, n uint32) {
	if n == 0 || c.tableOf(n) != t {
		return
	}
	entered := c.entries.members(n, c.scratch[:0])
	c.scratch = entered[:0]
	var rest []member
	if !op.Last && (!c.profile.simulated || op.Len() < len(entered)) {
		rest = slices.DeleteFunc(entered, func(m member) bool { return contains(op, m.ref.Generation) })
	}
	switch {
	case len(rest) == 0:
		c.drop(t, op, n)
		c.olderGone(t.space, op, nil)
		c.surface(t.space, op)
	case c.profile.simulated:
		c.entries.change(n, rest)
	default:
		c.regroup(t, op, n, rest, len(rest))
	}
}

// unfail takes routes that leave out of what has failed.
func (c *Chip) unfail(key routeKey, op *fib.Op) {
	f := c.failed.byKey[key]
	if f == nil {
		return
	}
	if rest, left := without(&f.op, op); left && !op.Last {
		f.op = rest
	} else {
		c.forgive(key)
	}
}

// drop takes an entry away.
func (c *Chip) drop(t *table, op *fib.Op, n uint32) {
	t.prefixes.Delete(op.Prefix)
	c.leave(n)
	c.entries.release(n)
	c.superseded(routeKey{t.family, t.id, op.Prefix})
	if !c.profile.simulated {
		c.vacate(c.rowsFor(t.family, op.Prefix))
	}
}
