package notifier

import (
	"context"
	"sort"
	"sync/atomic"
)

// scanLimit is how many events one Next of a filtered reader looks at before it returns, matching or not: some tens of
// microseconds of work, after which the caller can do something else.
const scanLimit = 8192

// Reader reads a log from one revision on. It is owned by one goroutine at a time; only Cursor may be called from others.
type Reader[M any] struct {
	log    *Log[M]
	cursor atomic.Uint64 // stored by the owner, loaded by anyone
	fallen bool          // has been counted as fallen off
	closed bool
}

// Batch is what Next hands out. The zero value is ready for use, and using one again for the next call saves
// allocations: Next overwrites the list Chunks, but never the bytes that its elements refer to.
type Batch struct {
	// Chunks are the payloads of the matching events, in order, as contiguous runs of bytes; a run may hold many
	// payloads, and is never empty. The bytes are the log's own: nobody may write to them, and they stay valid and
	// unchanged for as long as they are held.
	Chunks [][]byte
	// Events is the number of matching events. It is 0 if none of those looked at matched.
	Events int
	// Bytes is the sum of the lengths of Chunks.
	Bytes int
	// First is the revision of the first event looked at, matching or not.
	First uint64
	// Last is the revision of the last event looked at, matching or not: the reader's new cursor.
	Last uint64
}

// NewReader returns a reader of the events with revisions greater than after, whatever is in the log when it is called.
// It must be closed when it is no longer needed. The epoch is that of the resume token which after comes from, or 0 if it
// comes from this log for certain. The errors are *EpochError if the epoch is another log's, *FutureError if after is
// greater than Head, and *CompactedError if events after it have been dropped. A closed log can still be read.
func (l *Log[M]) NewReader(epoch, after uint64) (*Reader[M], error) {
	if epoch != 0 && epoch != l.epoch {
		return nil, &EpochError{Requested: epoch, Current: l.epoch}
	}
	if head := l.Head(); after > head {
		return nil, &FutureError{Requested: after, Head: head}
	}
	if oldest := l.ring.Load().oldest; after+1 < oldest {
		return nil, &CompactedError{Requested: after, Oldest: oldest}
	}
	r := &Reader[M]{log: l}
	r.cursor.Store(after)
	l.readersMu.Lock()
	l.readers[r] = struct{}{}
	l.readersMu.Unlock()
	return r, nil
}

// Close ends the reader, whose Next will return ErrClosed. It does not end a Next that waits; a context does. Batches
// stay valid. Closing again does nothing.
func (r *Reader[M]) Close() {
	r.closed = true
	r.log.readersMu.Lock()
	delete(r.log.readers, r)
	r.log.readersMu.Unlock()
}

// Cursor is the revision of the last event that the reader has looked at, or the one that it was made with. A reader
// made with it goes on where this one stands. It may be called from any goroutine.
func (r *Reader[M]) Cursor() uint64 { return r.cursor.Load() }

// Next waits until there is an event after the cursor, and then fills b with what follows: up to maxBytes of payloads of
// events for which match returns true (all of them if match is nil), but one such event at least, however large, if it
// meets one. It advances the cursor over everything that it looked at. It does not look at everything there is: a call
// may return no events and an advanced cursor, and the next one goes on from there.
//
// The argument of match lies in the log: match must not change it nor keep it. No lock is held while it runs.
//
// The errors are *CompactedError if the event after the cursor has been dropped, ErrClosed if the log has been closed and
// read to its end or the reader has been closed, and the context's error if it is done, which is looked at first. With an
// error b is empty and the cursor where it was.
func (r *Reader[M]) Next(ctx context.Context, b *Batch, maxBytes int, match func(*M) bool) error {
	cursor := r.cursor.Load()
	b.reset(cursor)
	head, err := r.wait(ctx, cursor)
	if err != nil {
		return err
	}
	kept := r.log.ring.Load() // after the head, see ring.count
	if cursor+1 < kept.oldest {
		if !r.fallen {
			r.fallen = true
			r.log.compacted.Add(1)
		}
		return &CompactedError{Requested: cursor, Oldest: kept.oldest}
	}

	b.First = cursor + 1
	limit := head
	if match != nil {
		limit = min(head, cursor+scanLimit)
	}
	for i := kept.find(cursor + 1); cursor < limit; i++ {
		seg := kept.segs[i]
		from, to := int(cursor+1-seg.first), kept.count(i, limit)
		var n int
		if match == nil {
			n = seg.take(b, from, to, maxBytes)
		} else {
			n = seg.takeMatching(b, from, to, maxBytes, match)
		}
		cursor += uint64(n)
		if from+n < to {
			break
		}
	}
	b.Last = cursor
	r.cursor.Store(cursor)
	return nil
}

// wait returns a head greater than the cursor, as soon as there is one.
func (r *Reader[M]) wait(ctx context.Context, cursor uint64) (head uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if r.closed {
		return 0, ErrClosed
	}
	var woken <-chan struct{}
	for {
		closed := r.log.closed.Load() // before the head: if it is set, the head will not move any more
		switch head := r.log.Head(); {
		case head > cursor:
			return head, nil
		case closed:
			return 0, ErrClosed
		case woken == nil:
			woken = r.log.arm()
			continue // and look once more
		}
		select {
		case <-woken:
			woken = nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// take adds the events from index from to before index to, as far as maxBytes allows, and returns how many.
func (s *segment[M]) take(b *Batch, from, to, maxBytes int) int {
	start, room := s.start(from), maxBytes-b.Bytes
	n := sort.Search(to-from, func(i int) bool { return s.recs[from+i].end-start > room })
	if n == 0 && b.Events == 0 {
		n = 1
	}
	end := s.start(from + n)
	b.add(s.data[start:end:end])
	b.Events += n
	b.Bytes += end - start
	return n
}

// takeMatching adds the matching events from index from to before index to, as far as maxBytes allows, and returns how
// many it looked at. It stops before the event for which there is no room.
func (s *segment[M]) takeMatching(b *Batch, from, to, maxBytes int, match func(*M) bool) int {
	start := s.start(from) // of the run of matching events
	end := start           // of the run
	for i := from; i < to; i++ {
		rec := &s.recs[i]
		if !match(&rec.meta) {
			b.add(s.data[start:end:end])
			start, end = rec.end, rec.end
			continue
		}
		size := rec.end - end
		if b.Events > 0 && size > maxBytes-b.Bytes {
			to = i
			break
		}
		b.Events++
		b.Bytes += size
		end = rec.end
	}
	b.add(s.data[start:end:end])
	return to - from
}

// add appends a run of payloads.
func (b *Batch) add(run []byte) {
	if len(run) > 0 {
		b.Chunks = append(b.Chunks, run)
	}
}

// reset empties the batch, and lets go of the segments that it referred to.
func (b *Batch) reset(cursor uint64) {
	clear(b.Chunks)
	*b = Batch{Chunks: b.Chunks[:0], Last: cursor}
}
