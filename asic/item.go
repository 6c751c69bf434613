package asic

import (
	"fmt"
	"net/netip"

	"github.com/vasic-project/vasic/fib"
)

// itemKind is what an item asks for.
type itemKind uint8

const (
	itemOp       itemKind = iota // op
	itemLink                     // link may be used or not, as on says
	itemNeighbor                 // neighbor is valid or not, as on says
	itemForget                   // neighbor is not used by the FIB any more
	itemNextHop                  // update of a next-hop object
	itemTryAgain                 // fault rules have changed
	itemClear                    // empty the hardware
	itemRun                      // run a function
)

// item is one thing for the programming goroutine to do.
type item struct {
	kind    itemKind
	on      bool
	retry   uint64 // with itemOp: number of the failure that this is another attempt at; 0 for an operation of the FIB
	subject any    // *fib.Link, *fib.Neighbor, *fib.NextHopUpdate or func()
	op      fib.Op
}

// isOp reports whether the item counts as an operation: for steps, and in Stats.
func (it *item) isOp() bool { return it.kind == itemOp || it.kind == itemNextHop }

// opsAmong is how many operations an item counts as.
func opsAmong(it *item) int {
	if it.isOp() {
		return 1
	}
	return 0
}

// routeKey names a route's place in hardware.
type routeKey struct {
	family fib.Family
	table  uint32
	prefix netip.Prefix
}

func keyOf(op *fib.Op) routeKey { return routeKey{op.Family, op.Table, op.Prefix} }

// QueueItem describes one thing that the programming goroutine will do.
type QueueItem struct {
	Operation   string       // "replace", "append", "delete", "clear", "link", "neighbor", "nexthop", "retry" or "inspect"
	Subject     string       // of others than operations on routes: a link's name, "ADDRESS dev LINK" or the id of a next-hop object
	Prefix      netip.Prefix // of operations on routes, as the next two
	Table       uint32
	Generations []uint64
	InFlight    bool  // taken by the programming goroutine
	Stalled     bool  // a fault rule holds it
	Accepted    int64 // nanoseconds since 1970; 0 where nobody asked for it
}

func (it *item) describe() QueueItem {
	switch it.kind {
	case itemOp:
		q := QueueItem{Operation: it.op.Kind.String(), Prefix: it.op.Prefix, Table: it.op.Table, Accepted: it.op.Accepted}
		for i := range it.op.Len() {
			q.Generations = append(q.Generations, it.op.Ref(i).Generation)
		}
		return q
	case itemLink:
		return QueueItem{Operation: "link", Subject: it.subject.(*fib.Link).Name}
	case itemNeighbor, itemForget:
		n := it.subject.(*fib.Neighbor)
		return QueueItem{Operation: "neighbor", Subject: fmt.Sprintf("%v dev %s", n.Addr, n.Link.Name)}
	case itemNextHop:
		return QueueItem{Operation: "nexthop", Subject: fmt.Sprint(it.subject.(*fib.NextHopUpdate).ID)}
	case itemTryAgain:
		return QueueItem{Operation: "retry"}
	case itemClear:
		return QueueItem{Operation: "clear"}
	}
	return QueueItem{Operation: "inspect"}
}

// Queue returns the first items of the queue, at most limit, and how many there are.
func (c *Chip) Queue(limit int) (items []QueueItem, total int) { return c.queue.list(limit) }

// pendingIndex knows the last item of each route in the queue. It is kept by those who ask, so that who programs pays nothing for it.
type pendingIndex struct {
	next uint64              // number of the first item that it has not seen
	last map[routeKey]uint64 // number of the last item of a route
}

// pending reports whether an operation on the route is queued and not settled.
func (q *queue) pending(key routeKey) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := &q.index
	unsettled := q.waiting
	if p.last == nil || len(p.last) > 2*unsettled+drain {
		*p = pendingIndex{last: make(map[routeKey]uint64)}
	}
	p.next = max(p.next, q.settledItems)
	end := q.settledItems + uint64(unsettled) //nolint:gosec // not negative
	if p.next < end {
		number := q.settledItems
		q.each(func(it *item, _ bool) bool {
			if number >= p.next && it.kind == itemOp {
				p.last[keyOf(&it.op)] = number
			}
			number++
			return true
		})
		p.next = end
	}
	n, ok := p.last[key]
	return ok && n >= q.settledItems
}

// each calls fn for all items that are not settled, in order, until it returns false. The lock is held.
func (q *queue) each(fn func(it *item, inFlight bool) bool) {
	left := q.inFlight
	for n, block := range q.blocks {
		if n == 0 {
			block = block[q.head:]
		}
		for i := range block {
			if !fn(&block[i], left > 0) {
				return
			}
			left--
		}
	}
}

// list describes the first items and counts all.
func (q *queue) list(limit int) (items []QueueItem, total int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.each(func(it *item, inFlight bool) bool {
		if len(items) == limit {
			return false
		}
		described := it.describe()
		described.InFlight = inFlight
		described.Stalled = q.stalled && len(items) == 0
		items = append(items, described)
		return true
	})
	return items, q.waiting
}
