package asic

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vasic-project/vasic/fib"
)

// maxSpare is how many blocks are kept when the queue becomes shorter: about 1.5 MB.
const maxSpare = 8

// queue is the programming queue: blocks of up to drain items, so that nothing is copied but the items themselves, once. It also knows what the
// programming goroutine may do, and how far it is. take, look, batch and settled are for that goroutine alone.
type queue struct {
	capacity  int
	interrupt atomic.Bool // somebody wants the goroutine to come back to take

	mu       sync.Mutex // guards all following fields; a leaf lock
	blocks   [][]item   // what is not settled, the oldest first; only the last one is appended to
	head     int        // of the first block, so many items are settled
	waiting  int        // items that are not settled
	inFlight int        // of those, so many are being worked on
	ops      int        // operations among them
	upkeep   int        // next-hop groups whose routes are yet to be looked at again
	busy     bool       // the programming goroutine is between take and settled
	batching bool       // and works on many items at once
	stalled  bool       // a fault rule holds the front
	exact    int        // so many want one unit at a time to be done
	resets   int        // reloads among the items that have yet to empty the hardware
	urgent   int        // so many items from the front are done although paused
	paused   bool
	held     bool          // nothing is done but up to until
	until    uint64        // position up to which units are done although paused or held
	steps    int           // operations that may be done although paused
	stepped  int           // how many of the present call of step were done
	walking  bool          // a call of step waits for them
	spare    [][]item      // up to maxSpare blocks to be used again
	changed  chan struct{} // closed when those who wait shall look again; nil where nobody waits

	position     uint64 // units done
	programmed   uint64 // operations done
	settledItems uint64 // how many items were settled ever: the number of the first one that is not
	index        pendingIndex

	stepping slot // held by step and stepTo; before mu
}

// slot is a lock that can be waited for with a context. Whoever sends has it.
type slot chan struct{}

func (s slot) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slot) unlock() { <-s }

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
		var block []item
		if k := len(q.spare); k > 0 {
			block, q.spare = q.spare[k-1], q.spare[:k-1]
		} else {
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

// front returns the first item; nil if there is none. The lock is held.
func (q *queue) front() *item {
	if q.waiting == 0 {
		return nil
	}
	return &q.blocks[0][q.head]
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

// pushReset does so with one that empties the hardware, and calls resetDone.
func (q *queue) pushReset(it item) {
	q.mu.Lock()
	q.resets++
	q.mu.Unlock()
	q.pushUrgent(it)
}

func (q *queue) resetDone() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.resets--
}

// permitted reports whether something is to be done and may be. The lock is held.
func (q *queue) permitted() bool {
	switch {
	case q.waiting+q.upkeep == 0, q.stalled:
		return false
	case q.until > q.position:
		return true
	case q.held:
		return false
	case q.urgent > 0, !q.paused:
		return true
	}
	return q.walking && (q.upkeep > 0 || q.steps > 0 || !q.front().isOp())
}

// take waits until something may be done. It returns false when ctx is done.
func (q *queue) take(ctx context.Context) bool {
	if q.await(ctx, nil, q.permitted) != nil {
		return false
	}
	defer q.mu.Unlock()
	if ctx.Err() != nil { // what waits stays
		return false
	}
	q.interrupt.Store(false)
	q.busy = true
	return true
}

// front is what the choice of the next unit depends on. All of it changes with units and with calls only, not by time.
type front struct {
	head    *item // the first item; nil for none
	allowed bool  // it is its turn, as far as pauses and steps go
	running bool  // the chip is neither paused nor in a hurry
	urgent  bool  // no fault rule stalls it
	reset   bool  // a reload is behind it
}

// look returns what is in front.
func (q *queue) look() (f front) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f.head, f.urgent, f.running = q.front(), q.urgent > 0, !q.paused && q.urgent == 0
	f.reset = f.urgent && q.resets > 0
	f.allowed = f.head != nil && (q.urgent > 0 || !q.paused || q.steps > 0 || !f.head.isOp())
	q.inFlight = min(1, q.waiting)
	return f
}

// batch returns the items of the first block to be done at once, or false if one unit is to be done.
func (q *queue) batch() (items []item, many bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.exact > 0 || q.held || q.paused || q.urgent > 0 || q.until > q.position {
		return nil, false
	}
	q.batching = true
	if q.waiting > 0 {
		items = q.blocks[0][q.head:]
		q.inFlight = len(items)
	}
	return items, true
}

// progress is what the programming goroutine did.
type progress struct {
	items      int    // from the front
	operations int    // among them
	units      uint64 // by which the position grows
	upkeep     int    // how many next-hop groups are left to see to
}

// settled takes note of what was done, whose results are handed over. A fault rule may hold what is first now: stalled, called with the lock held, says so.
func (q *queue) settled(p progress, stalled func() bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy, q.batching, q.inFlight = false, false, 0
	q.position += p.units
	q.programmed += uint64(p.operations) //nolint:gosec // not negative
	q.settledItems += uint64(p.items)    //nolint:gosec // not negative
	q.upkeep = p.upkeep
	q.ops -= p.operations
	q.waiting -= p.items
	if q.paused && q.urgent == 0 {
		n := min(q.steps, p.operations)
		q.steps -= n
		q.stepped += n
	}
	q.urgent = max(0, q.urgent-p.items)
	if p.items > 0 {
		block := q.blocks[0]
		clear(block[q.head : q.head+p.items])
		switch q.head += p.items; {
		case q.head < len(block):
		case len(q.blocks) == 1:
			q.blocks[0], q.head = block[:0], 0
		default:
			q.blocks, q.head = slices.Delete(q.blocks, 0, 1), 0
			if len(q.spare) < maxSpare {
				q.spare = append(q.spare, block[:0])
			}
		}
	}
	q.stalled = q.urgent == 0 && stalled()
	q.wake()
}

// unstall lets the front be tried again.
func (q *queue) unstall() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stalled = false
	q.wake()
}

// reserve waits until the queue has room for requests. While it is held there always is, as nothing would make room.
func (q *queue) reserve(ctx context.Context, stopped <-chan struct{}) error {
	if err := q.await(ctx, stopped, func() bool { return q.ops < q.capacity || q.held }); err != nil {
		return err
	}
	q.mu.Unlock()
	return nil
}

// idle waits until nothing is left to do.
func (q *queue) idle(ctx context.Context, stopped <-chan struct{}) error {
	if err := q.await(ctx, stopped, func() bool { return q.waiting+q.upkeep == 0 && !q.busy }); err != nil {
		return err
	}
	q.mu.Unlock()
	return nil
}

// state returns numbers about the queue.
func (q *queue) state() (s Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{
		QueueLength: q.ops + q.upkeep, QueueCapacity: q.capacity, Paused: q.paused, Held: q.held, Stalled: q.stalled, Programmed: q.programmed, Position: q.position,
	}
}
