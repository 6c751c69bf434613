package asic

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vasic-project/vasic/fib"
)

// item is one thing for the programming goroutine to do: an operation, a change of a link, or a function.
type item struct {
	op     fib.Op
	link   *fib.Link
	usable bool
	run    func()
}

func (it *item) isOp() bool { return it.link == nil && it.run == nil }

// queue is the programming queue: blocks of up to drain items, so that nothing is copied but the items themselves, once. take, putBack and
// settled are for the programming goroutine alone.
type queue struct {
	capacity  int
	interrupt atomic.Bool // somebody wants the goroutine to come back to take

	mu       sync.Mutex // guards all following fields; a leaf lock
	blocks   [][]item   // waiting, the oldest first; only the last one is appended to
	waiting  int        // items in blocks
	inFlight int        // items taken and not settled
	urgent   int        // so many items from the front are done although paused
	paused   bool
	steps    int  // operations that may be done although paused
	undone   int  // steps of the present call of step that were given out, or cut short by a pause, and not made use of
	whole    bool // what is in flight is a whole block, to be used again
	spare    []item
	changed  chan struct{} // closed when those who wait shall look again; nil where nobody waits

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
	q.wake()
}

// pushOps queues operations; in the place of an OpClear empty is run.
func (q *queue) pushOps(ops []fib.Op, empty func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range ops {
		if it := q.add(); ops[i].Kind == fib.OpClear {
			it.run = empty
		} else {
			it.op = ops[i]
		}
	}
	q.wake()
}

// pushUrgent has the item and all before it done even while paused.
func (q *queue) pushUrgent(it item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*q.add() = it
	q.urgent = q.waiting
	q.wake()
}

// take waits until there is something that may be done and returns it, at most one block. It returns false when ctx is done.
func (q *queue) take(ctx context.Context) ([]item, bool) {
	err := q.await(ctx, nil, func() bool {
		return q.waiting > 0 && (!q.paused || q.steps > 0 || q.urgent > 0)
	})
	if err != nil {
		return nil, false
	}
	defer q.mu.Unlock()
	if ctx.Err() != nil { // what waits stays
		return nil, false
	}
	q.interrupt.Store(false)
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
	q.inFlight = n
	return block[:n], true
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

// settled says that the results of what was taken are handed over, except for the items in rest, which go back to the front.
func (q *queue) settled(batch, rest []item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight = 0
	if len(rest) > 0 {
		q.blocks = slices.Insert(q.blocks, 0, rest)
		q.waiting += len(rest)
		for i := range rest {
			if rest[i].isOp() {
				q.undone++
			}
		}
		if q.urgent > 0 {
			q.urgent += len(rest)
		}
	}
	if q.whole && len(rest) == 0 {
		clear(batch)
		q.spare = batch[:0]
	}
	q.wake()
}

// reserve waits until the queue has room for requests.
func (q *queue) reserve(ctx context.Context, stopped <-chan struct{}) error {
	if err := q.await(ctx, stopped, func() bool { return q.waiting+q.inFlight < q.capacity }); err != nil {
		return err
	}
	q.mu.Unlock()
	return nil
}

// idle waits until nothing is left to do.
func (q *queue) idle(ctx context.Context, stopped <-chan struct{}) error {
	if err := q.await(ctx, stopped, func() bool { return q.waiting+q.inFlight == 0 }); err != nil {
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
	if err := q.await(ctx, stopped, func() bool { return q.inFlight == 0 }); err != nil {
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
	err = q.await(ctx, stopped, func() bool { return q.inFlight == 0 && (q.steps == 0 || q.waiting == 0) })
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
	return q.waiting + q.inFlight, q.paused
}
