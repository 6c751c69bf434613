package notifier

import (
	"sync"
	"sync/atomic"
)

// DefaultCapacityBytes is the capacity of a log whose Config does not give one: about half a million events of the size
// that a route has.
const DefaultCapacityBytes = 64 << 20

// Config sets up a log.
type Config struct {
	// Epoch identifies this log among those that came before it. It should differ after every restart, and not be 0,
	// which in NewReader means "any".
	Epoch uint64
	// CapacityBytes is the upper bound of what the log keeps, in bytes: payloads, metadata and room not yet used.
	// 0 or less means DefaultCapacityBytes.
	CapacityBytes int
}

// Log is the event log. M is the metadata that filters look at; it should hold no pointers, so that the garbage
// collector need not look into the log. Writers are serialised by mu; readers load head, closed and ring, in this order,
// and take no lock that a writer takes.
type Log[M any] struct {
	epoch  uint64
	layout layout

	head   atomic.Uint64           // newest published revision; stored with mu held
	closed atomic.Bool             // stored with mu held
	ring   atomic.Pointer[ring[M]] // what is kept; stored with mu held
	wake   atomic.Pointer[wakeup]  // what waiting readers wait for; nil when there are none

	mu sync.Mutex // guards the following fields, and is held to store the atomic ones above
	w  writer[M]

	readersMu sync.Mutex // guards readers
	readers   map[*Reader[M]]struct{}
	compacted atomic.Uint64 // readers that fell off
}

// wakeup is one round of waiting. Readers install it and wait for done; the writer that takes it away closes done.
type wakeup struct{ done chan struct{} }

// writer is the writing end of the log. It is guarded by Log.mu.
type writer[M any] struct {
	next uint64      // revision of the next event
	seg  *segment[M] // the segment being filled; nil before the first event and when the last one was too large to keep
	n    int         // events in seg
	used int         // bytes of payload in seg
	avg  int         // average payload of the last segment that was filled, in bytes
}

// New makes an empty log. It allocates memory as events come, not in advance.
func New[M any](cfg Config) *Log[M] {
	if cfg.CapacityBytes <= 0 {
		cfg.CapacityBytes = DefaultCapacityBytes
	}
	l := &Log[M]{
		epoch:   cfg.Epoch,
		layout:  newLayout[M](cfg.CapacityBytes),
		w:       writer[M]{next: 1, avg: firstPayloadBytes},
		readers: make(map[*Reader[M]]struct{}),
	}
	l.ring.Store(&ring[M]{oldest: 1})
	return l
}

// Epoch is the epoch that the log was made with.
func (l *Log[M]) Epoch() uint64 { return l.epoch }

// Head is the revision of the newest event, or 0 if there has been none. It costs one atomic load.
func (l *Log[M]) Head() uint64 { return l.head.Load() }

// Append adds n events and returns the revision of the last one. The events get consecutive revisions, which no other
// Append comes between, and become visible to readers together. With n of 0 or less, and after Close, it adds nothing
// and returns Head.
//
// For each event encode is called once: it appends the payload of event i (from 0), which has the given revision, to dst
// and returns the result and the event's metadata. A dst with enough capacity is the log's own memory; encode must not
// keep it. It is called with the log's lock held, so it must not call back into the log nor block. If it panics, the
// events before that one are in the log.
func (l *Log[M]) Append(n int, encode func(i int, revision uint64, dst []byte) ([]byte, M)) (last uint64) {
	if n <= 0 {
		return l.Head()
	}
	l.mu.Lock()
	defer func() {
		last = l.w.next - 1
		l.head.Store(last)
		l.mu.Unlock()
		l.wakeReaders()
	}()
	if l.closed.Load() {
		return
	}
	for i := range n {
		payload, meta := encode(i, l.w.next, l.w.free())
		l.add(payload, meta)
	}
	return
}

// free is the unused end of the segment being filled, as an empty slice with the capacity that is left.
func (w *writer[M]) free() []byte {
	if w.seg == nil {
		return nil
	}
	return w.seg.data[w.used:w.used]
}

// add writes the next event. mu must be held.
func (l *Log[M]) add(payload []byte, meta M) {
	w := &l.w
	if w.seg == nil || w.n == len(w.seg.recs) || len(payload) > len(w.seg.data)-w.used {
		if !l.turn(len(payload)) {
			w.next++
			return
		}
	}
	// Nearly always the payload is where it belongs already, and copying it there does nothing.
	w.used += copy(w.seg.data[w.used:], payload)
	w.seg.recs[w.n] = record[M]{end: w.used, meta: meta}
	w.n++
	w.next++
}

// turn opens a new segment for the next event, whose payload has n bytes, and drops as many old ones as that takes. It
// returns false if the event is larger than the log; then the log is left empty. mu must be held.
func (l *Log[M]) turn(n int) bool {
	w := &l.w
	if w.n > 1 { // an event that had a segment for itself says little about the next ones
		w.avg = w.used / w.n
	}
	w.seg, w.n, w.used = nil, 0, 0

	old := l.ring.Load()
	if l.layout.single(n) > l.layout.capacity {
		l.ring.Store(&ring[M]{oldest: w.next + 1})
		return false
	}
	records, payload := l.layout.divide(n, w.avg)
	w.seg = newSegment[M](l.layout, w.next, records, payload)
	l.ring.Store(old.without(w.seg.cost, l.layout.capacity, w.next).with(w.seg))
	return true
}

// Close ends the log: nothing can be appended any more, and readers get ErrClosed once they have read what there is.
// Closing again does nothing.
func (l *Log[M]) Close() {
	l.mu.Lock()
	l.closed.Store(true)
	l.mu.Unlock()
	l.wakeReaders()
}

// wakeReaders wakes whoever waits. It comes after the change that they wait for, and arm comes before they look for it the
// last time, so that one of the two sees the other.
func (l *Log[M]) wakeReaders() {
	if l.wake.Load() == nil {
		return
	}
	if w := l.wake.Swap(nil); w != nil {
		close(w.done)
	}
}

// arm returns what the next change will close. The caller must look once more for the change before it waits.
func (l *Log[M]) arm() <-chan struct{} {
	for {
		if w := l.wake.Load(); w != nil {
			return w.done
		}
		w := &wakeup{done: make(chan struct{})}
		if l.wake.CompareAndSwap(nil, w) {
			return w.done
		}
	}
}
