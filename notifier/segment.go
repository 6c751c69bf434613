package notifier

import (
	"reflect"
	"sort"
)

const (
	// segmentsPerLog is how many segments a log is divided into. Dropping one loses this part of the history at once,
	// so it is not small; replacing the ring copies this many pointers, so it is not large.
	segmentsPerLog = 64
	// minSegmentBytes keeps the cost of turning to a new segment, some allocations and a copy of the ring, far below
	// the cost of the events in it.
	minSegmentBytes = 4 << 10
	// maxSegmentBytes bounds what a reader holds on to with a batch of a few bytes.
	maxSegmentBytes = 256 << 10
	// minSegments is how many segments even a log of a few kilobytes has, so that it does not lose everything at once.
	minSegments = 4
	// firstPayloadBytes is the size of payload for which the first segment is laid out.
	firstPayloadBytes = 64
)

// record describes one event: where its payload ends in its segment's data, and what filters look at.
type record[M any] struct {
	end  int
	meta M
}

// segment holds consecutive events. The struct is immutable; its two arrays are written once, from the front, by the
// writer that holds Log.mu. Readers look only at events up to the head that they have loaded.
type segment[M any] struct {
	first uint64 // revision of the event at index 0
	data  []byte
	recs  []record[M]
	cost  int // bytes that it counts for in the ring
}

// start is the offset at which the payload of the event at index i begins.
func (s *segment[M]) start(i int) int {
	if i == 0 {
		return 0
	}
	return s.recs[i-1].end
}

// ring is what the log keeps, at one moment. It is immutable, its slice included.
type ring[M any] struct {
	segs   []*segment[M] // ascending and without gaps
	oldest uint64        // first revision of the first segment, or the next revision to be appended if there is none
	bytes  int           // sum of the costs
}

// find returns the index of the segment that holds a revision, which must not be older than the oldest one kept.
func (r *ring[M]) find(revision uint64) int {
	return sort.Search(len(r.segs), func(i int) bool { return r.segs[i].first > revision }) - 1
}

// count is how many events of segment i have been published by a given head. The head must have been loaded before the
// ring was, because then whatever it publishes is in this ring or has been dropped from it.
func (r *ring[M]) count(i int, head uint64) int {
	end := head + 1
	if i+1 < len(r.segs) {
		end = min(end, r.segs[i+1].first)
	}
	first := r.segs[i].first
	if end <= first {
		return 0
	}
	return int(end - first)
}

// without returns the ring less its oldest segments, as many as have to go until spare bytes are free below capacity.
// The next revision becomes the oldest one if nothing is left.
func (r *ring[M]) without(spare, capacity int, next uint64) *ring[M] {
	segs, bytes := r.segs, r.bytes
	for len(segs) > 0 && spare > capacity-bytes {
		bytes -= segs[0].cost
		segs = segs[1:]
	}
	oldest := next
	if len(segs) > 0 {
		oldest = segs[0].first
	}
	return &ring[M]{segs: segs, oldest: oldest, bytes: bytes}
}

// with returns the ring and one more segment. It copies the list, so that segments dropped from its front can go.
func (r *ring[M]) with(s *segment[M]) *ring[M] {
	segs := make([]*segment[M], 0, len(r.segs)+1)
	segs = append(append(segs, r.segs...), s)
	return &ring[M]{segs: segs, oldest: segs[0].first, bytes: r.bytes + s.cost}
}

// layout is how a log divides its capacity. It is immutable. All sizes are bytes.
type layout struct {
	capacity int // of the whole log
	segment  int // of one segment, with its header and records
	header   int // of a segment's struct and of its place in the ring
	record   int // of one record
}

func newLayout[M any](capacity int) layout {
	size := min(max(capacity/segmentsPerLog, minSegmentBytes), maxSegmentBytes)
	return layout{
		capacity: capacity,
		segment:  min(size, capacity/minSegments),
		header:   int(reflect.TypeFor[segment[M]]().Size() + reflect.TypeFor[*segment[M]]().Size()),
		record:   int(reflect.TypeFor[record[M]]().Size()),
	}
}

// single is what a segment costs that holds one event with a payload of n bytes and nothing else.
func (y layout) single(n int) int { return y.header + y.record + n }

// divide says how many records and how many bytes of payload the next segment should have room for, if its first
// payload has n bytes and the average payload is expected to have avg. Both parts get an eighth of the room at least, so
// that a wrong guess wastes little: the guess is corrected with the next segment.
func (y layout) divide(n, avg int) (records, payload int) {
	room := y.segment - y.header
	if y.single(n) > y.segment {
		return 1, n
	}
	records = room / (avg + y.record)
	records = min(max(records, room/8/y.record), room*7/8/y.record)
	records = max(min(records, (room-n)/y.record), 1)
	return records, room - records*y.record
}

// newSegment makes a segment for events from the revision first on.
func newSegment[M any](y layout, first uint64, records, payload int) *segment[M] {
	return &segment[M]{
		first: first,
		data:  make([]byte, payload),
		recs:  make([]record[M], records),
		cost:  y.header + records*y.record + payload,
	}
}
