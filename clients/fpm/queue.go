package fpm

// queue is a first-in-first-out queue whose memory follows its length. The zero value is empty.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) push(v T) { q.items = append(q.items, v) }

func (q *queue[T]) len() int { return len(q.items) - q.head }

// first is the oldest value; the queue must not be empty.
func (q *queue[T]) first() T { return q.items[q.head] }

// pop removes the oldest value; the queue must not be empty.
func (q *queue[T]) pop() T {
	var none T
	v := q.items[q.head]
	q.items[q.head] = none
	q.head++
	switch {
	case q.head == len(q.items) && cap(q.items) > queueKeep:
		q.items, q.head = nil, 0
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head > len(q.items)/2 && q.head > queueKeep:
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return v
}

// queueKeep is how many places an empty queue keeps.
const queueKeep = 4096
