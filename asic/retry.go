package asic

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/vasic-project/vasic/fib"
)

// failure is an operation that failed where that is not the end of it: it waits for room, or an older entry of the prefix is still there.
type failure struct {
	number uint64 // grows from failure to failure
	op     fib.Op
	reason fib.Reason
	older  bool // what was reported said that an older entry is there
	queued bool // another attempt is in the queue
	needs  demand
}

// failures are the last failed operation of each route, and an order for those that wait for room.
type failures struct {
	byKey    map[routeKey]*failure
	number   uint64
	queues   [resourceCount]waitlist // by the resource that they need
	promised [resourceCount]uint64   // rows for attempts in the queue
}

// waitlist is a heap of waiting failures, the oldest on top. Some may have been dealt with meanwhile.
type waitlist []waiter

type waiter struct {
	number uint64
	key    routeKey
}

func (w waitlist) Len() int           { return len(w) }
func (w waitlist) Less(i, j int) bool { return w[i].number < w[j].number }
func (w waitlist) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }

// Push implements heap.Interface.
func (w *waitlist) Push(x any) { *w = append(*w, x.(waiter)) }

// Pop implements heap.Interface.
func (w *waitlist) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	(*w)[last] = waiter{}
	*w = (*w)[:last]
	return x
}

func newFailures() failures { return failures{byKey: make(map[routeKey]*failure)} }

// RetryFailed reports whether routes that failed because a table was full are programmed again when room comes back.
func (c *Chip) RetryFailed() bool { return c.retryFailed.Load() }

// SetRetryFailed says so. Those that wait already have their turn, too.
func (c *Chip) SetRetryFailed(on bool) {
	if c.retryFailed.Swap(on) != on && on {
		c.queue.push(item{kind: itemTryAgain})
	}
}

// remember keeps a failed operation if it waits for room or an older entry is there, and forgets an earlier one of the same route. again is that
// one if this was another attempt at it, which keeps its age.
func (c *Chip) remember(op *fib.Op, reason fib.Reason, older bool, again *failure) {
	key := keyOf(op)
	c.forgive(key)
	if reason != fib.ReasonTableFull && !older {
		return
	}
	f := &failure{op: *op, reason: reason, older: older, needs: c.rowsFor(op.Family, op.Prefix)}
	f.op.Waiter, f.op.Cookie = nil, 0
	if again != nil {
		f.number = again.number
	} else {
		c.failed.number++
		f.number = c.failed.number
	}
	c.failed.byKey[key] = f
	if reason == fib.ReasonTableFull {
		c.waiting.Add(1)
		heap.Push(&c.failed.queues[f.needs.resource], waiter{f.number, key})
	}
}

// forgive forgets what failed of a route.
func (c *Chip) forgive(key routeKey) {
	if len(c.failed.byKey) == 0 {
		return
	}
	f := c.failed.byKey[key]
	if f == nil {
		return
	}
	delete(c.failed.byKey, key)
	if f.reason == fib.ReasonTableFull {
		c.waiting.Add(-1)
	}
	if f.queued {
		c.failed.promised[f.needs.resource] -= f.needs.rows
		c.vacated = true // others may have what was promised
	}
}

// attempt returns the failure that an item is another attempt at, or nil if the route was replaced or deleted meanwhile.
func (c *Chip) attempt(it *item) *failure {
	f := c.failed.byKey[keyOf(&it.op)]
	if f == nil || f.number != it.retry || !f.queued {
		return nil
	}
	return f
}

// postpone lets a failure wait again.
func (c *Chip) postpone(f *failure) {
	f.queued = false
	c.failed.promised[f.needs.resource] -= f.needs.rows
	heap.Push(&c.failed.queues[f.needs.resource], waiter{f.number, keyOf(&f.op)})
}

// offerRoom uses rows that were given back: for next-hop groups that lack some, and to queue other attempts at routes that failed, the oldest
// first, as many as there is room for.
func (c *Chip) offerRoom() {
	if !c.vacated {
		return
	}
	c.vacated = false
	if len(c.groups.lacking) > 0 {
		c.groups.tried = 0
		c.takeUp(drain / 16)
	}
	if !c.retryFailed.Load() || c.waiting.Load() == 0 {
		return
	}
	for {
		w := c.oldestWithRoom()
		if w == nil {
			return
		}
		next := heap.Pop(w).(waiter)
		f := c.failed.byKey[next.key]
		f.queued = true
		c.failed.promised[f.needs.resource] += f.needs.rows
		c.queue.push(item{kind: itemOp, retry: f.number, op: f.op})
	}
}

// oldestWithRoom returns the list whose first failure is the oldest of those that there is room for.
func (c *Chip) oldestWithRoom() (best *waitlist) {
	for _, r := range [...]resource{fibRows4, fibRows6, hostRows} {
		w := &c.failed.queues[r]
		for len(*w) > 0 {
			if f := c.failed.byKey[(*w)[0].key]; f != nil && f.number == (*w)[0].number && !f.queued {
				break
			}
			heap.Pop(w)
		}
		if len(*w) == 0 || best != nil && (*best)[0].number < (*w)[0].number {
			continue
		}
		needs := []demand{c.failed.byKey[(*w)[0].key].needs}
		for p, rows := range c.failed.promised {
			if resource(p) == r {
				needs[0].rows += rows
			} else if rows > 0 {
				needs = append(needs, demand{resource(p), rows})
			}
		}
		if c.fits(needs...) {
			best = w
		}
	}
	return best
}

// olderGone says of a route that failed that the older entry of its prefix has left hardware, too. An attempt to write what was there can have failed,
// too: routes that leave are told that they left, and no more.
func (c *Chip) olderGone(s *space, op *fib.Op, left []member) {
	if len(c.failed.byKey) == 0 {
		return
	}
	for _, t := range s.tables {
		key := routeKey{op.Family, t.id, op.Prefix}
		f := c.failed.byKey[key]
		if f == nil || !f.older {
			continue
		}
		f.older = false
		for i := range f.op.Len() {
			if slices.ContainsFunc(left, func(m member) bool { return m.ref.Generation == f.op.Ref(i).Generation }) {
				continue
			}
			c.results = append(c.results, fib.Result{
				Family: op.Family, Flags: fib.FlagOffloadFailed, Reason: f.reason, Silent: true, Clear: true, Table: t.id, Prefix: op.Prefix, Ref: f.op.Ref(i),
			})
		}
		if f.reason != fib.ReasonTableFull {
			c.forgive(key)
		}
	}
}

// without takes rows out of an operation and reports whether any are left.
func without(op *fib.Op, leaving *fib.Op) (rest fib.Op, left bool) {
	rest = *op
	rest.More = nil
	for i := range op.Len() {
		ref := op.Ref(i)
		if contains(leaving, ref.Generation) {
			continue
		}
		if left {
			rest.More = append(rest.More, ref)
		} else {
			rest.First, left = ref, true
		}
	}
	return rest, left
}

// contains reports whether an operation has the row of a generation.
func contains(op *fib.Op, generation uint64) bool {
	for i := range op.Len() {
		if op.Ref(i).Generation == generation {
			return true
		}
	}
	return false
}

// joined is an operation with the rows of another one added.
func joined(op, more *fib.Op) fib.Op {
	out := *op
	out.More = slices.Clone(op.More)
	for i := range more.Len() {
		out.More = append(out.More, more.Ref(i))
	}
	return out
}

// deletion is a delete that failed.
type deletion struct {
	number uint64
	op     fib.Op
	reason fib.Reason
}

// deletions are the failed deletes of each route in order.
type deletions struct {
	byKey  map[routeKey][]deletion
	number uint64
}

func newDeletions() deletions { return deletions{byKey: make(map[routeKey][]deletion)} }

// keep remembers a delete that failed. It is tried again when fault rules change.
func (c *Chip) keep(op *fib.Op, reason fib.Reason, number uint64) {
	ds, key := &c.deletions, keyOf(op)
	d := deletion{number: number, op: *op, reason: reason}
	if number == 0 {
		ds.number++
		d.number = ds.number
	}
	d.op.Waiter, d.op.Cookie = nil, 0
	ds.byKey[key] = append(ds.byKey[key], d)
	c.undeleted.Store(int64(len(ds.byKey)))
}

// superseded forgets the failed deletes of a route whose entry is another one now, or gone.
func (c *Chip) superseded(key routeKey) {
	if len(c.deletions.byKey) > 0 {
		delete(c.deletions.byKey, key)
		c.undeleted.Store(int64(len(c.deletions.byKey)))
	}
}

// find returns where the delete is that a queued item is another attempt at; ok is false if it is not to be tried any more.
func (ds *deletions) find(it *item) (at int, ok bool) {
	at = slices.IndexFunc(ds.byKey[keyOf(&it.op)], func(d deletion) bool { return d.number == it.retry })
	return at, at >= 0
}

// takeDeletion forgets a delete that is tried again now: if it fails again, it is kept again.
func (c *Chip) takeDeletion(it *item) {
	key := keyOf(&it.op)
	if at, ok := c.deletions.find(it); ok {
		c.deletions.byKey[key] = slices.Delete(c.deletions.byKey[key], at, at+1)
	}
	if len(c.deletions.byKey[key]) == 0 {
		delete(c.deletions.byKey, key)
	}
	c.undeleted.Store(int64(len(c.deletions.byKey)))
}

// tryAgain has what failed because of fault rules tried again.
func (c *Chip) tryAgain() {
	if c.undeleted.Load() > 0 || c.broken.Load() > 0 {
		c.queue.push(item{kind: itemTryAgain})
	}
}

// tryDeletesAgain queues the deletes that failed, in their order, and has groups without next hops written again.
func (c *Chip) tryDeletesAgain() {
	var all []deletion
	for _, list := range c.deletions.byKey {
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b deletion) int { return cmp.Compare(a.number, b.number) })
	for i := range all {
		c.queue.push(item{kind: itemOp, retry: all[i].number, op: all[i].op})
	}
	if c.broken.Load() == 0 {
		return
	}
	broken := make(map[uint32]struct{})
	for _, g := range c.groups.list {
		if g != nil && g.broken {
			broken[g.number] = struct{}{}
		}
	}
	c.soil(broken)
}
