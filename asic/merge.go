package asic

import (
	"github.com/vasic-project/vasic/fib"
)

// hide keeps a route out of hardware because one of an earlier table has its prefix (mlxsw_sp_fib4_allow_replace). It carries no flags.
func (c *Chip) hide(op *fib.Op) {
	kept := *op
	kept.Kind, kept.Waiter, kept.Cookie = fib.OpReplace, nil, 0
	c.hidden[keyOf(op)] = &kept
}

// hiddenRoute returns the routes of a table and prefix that are hidden, or nil.
func (c *Chip) hiddenRoute(key routeKey) *fib.Op {
	if len(c.hidden) == 0 {
		return nil
	}
	return c.hidden[key]
}

// surface brings the first hidden route of a prefix whose entry has left into hardware.
func (c *Chip) surface(s *space, gone *fib.Op) {
	if len(c.hidden) == 0 {
		return
	}
	for _, t := range s.tables {
		key := routeKey{gone.Family, t.id, gone.Prefix}
		op := c.hidden[key]
		if op == nil {
			continue
		}
		delete(c.hidden, key)
		quiet := c.quiet
		c.quiet = true // nobody asked for it
		c.enter(t, op, t.entry(op.Prefix), c.knobFailure(), nil)
		c.quiet = quiet
		if t.entry(gone.Prefix) != 0 {
			return
		}
	}
}

// eclipse keeps what an entry is for out of hardware, as a route of an earlier table takes its place: the route that the FIB last asked for, unless its
// delete failed only.
func (c *Chip) eclipse(n uint32) {
	op := c.entryOp(n)
	key := keyOf(op)
	if f := c.failed.byKey[key]; f != nil && f.op.Kind == fib.OpReplace { // the entry is an older one
		op = &f.op
		for i := range op.Len() {
			c.results = append(c.results, fib.Result{Family: op.Family, Table: op.Table, Prefix: op.Prefix, Ref: op.Ref(i)})
		}
		c.forgive(key)
	}
	left := true
	for _, d := range c.deletions.byKey[key] {
		rest, some := without(op, &d.op)
		op, left = &rest, left && some && !d.op.Last
	}
	c.superseded(key)
	if left {
		c.hide(op)
	}
}

// entryOp is the operation that makes an entry what it is.
func (c *Chip) entryOp(n uint32) *fib.Op {
	t := c.tableOf(n)
	op := &fib.Op{Kind: fib.OpReplace, Family: t.family, Table: t.id, TOS: c.entries.at(n).tos, Prefix: c.prefixOf(n)}
	for i, m := range c.entries.members(n, nil) {
		if i == 0 {
			op.First = m.ref
		} else {
			op.More = append(op.More, m.ref)
		}
	}
	return op
}
