package asic

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vasic-project/vasic/fib"
)

// queue is the programming queue: blocks of up to drain items, so that nothing is copied but the items themselves, once. take, advance and
// settled are for the programming goroutine alone.
type queue struct {
	capacity  int
	interrupt atomic.Bool // somebody wants the goroutine to come back to take

	mu       sync.Mutex // guards all following fields; a leaf lock
	blocks   [][]item   // waiting, the oldest first; only the last one is appended to
	waiting  int        // items in blocks
	taken    []item     // taken and not settled
	inFlight int        // how many those are
	ops      int        // operations among all of them
	upkeep   int        // next-hop groups whose routes are yet to be looked at again
	busy     bool       // the programming goroutine is between take and settled
	stalled  bool       // a fault rule holds the front
	urgent   int        // so many items from the front are done although paused
	paused   bool
	steps    int  // operations that may be done although paused
	undone   int  // steps of the present call of step that were given out, or cut short by a pause, and not made use of
	whole    bool // what is in flight is a whole block, to be used again
	spare    []item
	changed  chan struct{} // closed when those who wait shall look again; nil where nobody waits

	settledItems uint64 // how many items were settled ever: the number of the first one that is not
	index        pendingIndex

	stepping sync.Mutex // held by step; before mu
}

// wake lets everybody who waits look again. The lock is held.
func (q *queue) wake() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// await waits until ready, which is called with the lock held, says so. It returns with the lock held exactly if it returns nil.
func (q *queue) await(ctx context.Context, stopped <-chan struct{}, ready func() bool) error {
	q.mu.Lock()
	for !ready() {
		if q.changed == nil {
			q.changed = make(chan struct{})
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-stopped:
			return ErrStopped
		}
		q.mu.Lock()
	}
	return nil
}

// add appends an item. The lock is held.
func (q *queue) add() *item {
	n := len(q.blocks)
	if n == 0 || len(q.blocks[n-1]) == cap(q.blocks[n-1]) {
		block := q.spare
		if q.spare = nil; block == nil {
			block = make([]item, 0, drain)
		}
		q.blocks = append(q.blocks, block)
		n++
	}
	last := &q.blocks[n-1]
	*last = (*last)[:len(*last)+1]
	q.waiting++
	return &(*last)[len(*last)-1]
}

func (q *queue) push(it item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*q.add() = it
	q.ops += opsAmong(&it)
	q.wake()
}

// pushOps queues operations.
func (q *queue) pushOps(ops []fib.Op) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range ops {
		if it := q.add(); ops[i].Kind == fib.OpClear {
			it.kind = itemClear
		} else {
			it.op = ops[i]
			q.ops++
		}
	}
	q.wake()
}

// pushUrgent has the item and all before it done even while paused.
func (q *queue) pushUrgent(it item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*q.add() = it
	q.urgent, q.stalled = q.waiting, false
	q.wake()
}

// batch is what take gives out.
type batch struct {
	items []item
	// whole: what the items ask for is done to its end, next-hop groups included, although the goroutine is paused.
	whole bool
	// urgent: no fault rule stalls them.
	urgent bool
}

// take waits until there is something that may be done and returns it, at most one block. It returns false when ctx is done.
func (q *queue) take(ctx context.Context) (batch, bool) {
	err := q.await(ctx, nil, func() bool {
		return (q.waiting > 0 || q.upkeep > 0) && !q.stalled && (!q.paused || q.steps > 0 || q.urgent > 0)
	})
	if err != nil {
		return batch{}, false
	}
	defer q.mu.Unlock()
	if ctx.Err() != nil { // what waits stays
		return batch{}, false
	}
	q.interrupt.Store(false)
	q.busy = true
	out := batch{whole: q.paused || q.urgent > 0, urgent: q.urgent > 0}
	if q.waiting == 0 {
		q.whole = false
		return out, true
	}
	block := q.blocks[0]
	n := len(block)
	switch {
	case q.urgent > 0:
		n = min(n, q.urgent)
	case q.paused:
		n = q.stepOver(block)
	}
	q.whole = n == len(block) && cap(block) == drain
	if n == len(block) {
		q.blocks[0] = nil
		q.blocks = slices.Delete(q.blocks, 0, 1)
	} else {
		q.blocks[0] = block[n:]
	}
	q.waiting -= n
	q.urgent = max(0, q.urgent-n)
	q.inFlight, q.taken = n, block[:n]
	out.items = block[:n]
	return out, true
}

// advance says that the results of n more of the items taken are handed over.
func (q *queue) advance(n int) {
	if n == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.taken[:n] {
		q.ops -= opsAmong(&q.taken[i])
	}
	q.taken = q.taken[n:]
	q.inFlight -= n
	q.settledItems += uint64(n) //nolint:gosec // not negative
	q.wake()
}

// stepOver returns how many items of the block make up the steps allowed, and uses them up. What is no operation costs no step.
func (q *queue) stepOver(block []item) int {
	for i := range block {
		if block[i].isOp() {
			if q.steps == 0 {
				return i
			}
			q.steps--
		}
	}
	return len(block)
}

// settled says that the results of what was taken are handed over, except for the items in rest, which go back to the front, where a fault rule may
// hold them: stalled, called with the lock held, says so. upkeep is how many next-hop groups are left to see to.
func (q *queue) settled(out batch, rest []item, upkeep int, stalled func() bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	done := q.taken[:q.inFlight-len(rest)]
	for i := range done {
		q.ops -= opsAmong(&done[i])
	}
	q.settledItems += uint64(len(done))
	q.inFlight, q.taken = 0, nil
	q.upkeep = upkeep
	if len(rest) > 0 {
		q.blocks = slices.Insert(q.blocks, 0, rest)
		q.waiting += len(rest)
		if q.paused {
			for i := range rest {
				if rest[i].isOp() {
					q.undone++
				}
			}
		}
		if q.urgent > 0 || out.urgent {
			q.urgent += len(rest)
		}
	}
	q.stalled = q.urgent == 0 && stalled()
	if q.whole && len(rest) == 0 {
		clear(out.items)
		q.spare = out.items[:0]
	}
	q.wake()
}

// unstall lets the front be tried again.
func (q *queue) unstall() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stalled = false
	q.wake()
}

// reserve waits until the queue has room for requests.
func (q *queue) reserve(ctx context.Context, stopped <-chan struct{}) error {
	if err := q.await(ctx, stopped, func() bool { return q.ops < q.capacity }); err != nil {
		return err
	}
	q.mu.Unlock()
	return nil
}

// idle waits until nothing is left to do.
func (q *queue) idle(ctx context.Context, stopped <-chan struct{}) error {
	if err := q.await(ctx, stopped, func() bool { return q.waiting+q.inFlight+q.upkeep == 0 }); err != nil {
		return err
	}
	q.mu.Unlock()
	return nil
}

// pause waits until nothing is being done.
func (q *queue) pause(ctx context.Context, stopped <-chan struct{}) error {
	q.mu.Lock()
	q.paused = true
	q.undone += q.steps // a step under way ends with what is in flight
	q.steps = 0
	q.mu.Unlock()
	q.interrupt.Store(true)
	if err := q.await(ctx, stopped, func() bool { return !q.busy }); err != nil {
		return err
	}
	q.mu.Unlock()
	return nil
}

func (q *queue) resume() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = false
	q.wake()
}

// step lets n operations through and waits for them.
func (q *queue) step(ctx context.Context, n int, stopped <-chan struct{}) (done int, err error) {
	q.stepping.Lock()
	defer q.stepping.Unlock()
	q.mu.Lock()
	if !q.paused {
		q.mu.Unlock()
		return 0, ErrNotPaused
	}
	q.steps, q.undone = n, 0
	q.wake()
	q.mu.Unlock()
	err = q.await(ctx, stopped, func() bool { return !q.busy && (q.steps == 0 || q.waiting+q.upkeep == 0 || q.stalled) })
	if err != nil {
		q.mu.Lock()
	}
	defer q.mu.Unlock()
	done = n - q.steps - q.undone
	q.steps = 0
	return done, err
}

// state returns the length and whether the queue is paused.
func (q *queue) state() (length int, paused bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ops + q.upkeep, q.paused
}
