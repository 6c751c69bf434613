package notifier

// Stats is a picture of a log at one moment.
type Stats struct {
	Head          uint64 // revision of the newest event, 0 if there has been none
	Oldest        uint64 // revision of the oldest event kept, Head+1 if none is kept
	Bytes         int    // memory that the log keeps, in bytes, with room not yet used; at most CapacityBytes
	CapacityBytes int    // upper bound of Bytes
	Readers       int    // open readers
	MaxLag        uint64 // revisions between the slowest open reader's cursor and Head, 0 if there is no reader
	Compacted     uint64 // readers that have fallen off, each counted once; refusals of NewReader are not counted
	DroppedEvents uint64 // events that are no longer kept, since the log was made
}

// Stats returns the log's figures. It waits for an Append that is under way, and looks at every open reader.
func (l *Log[M]) Stats() Stats {
	l.mu.Lock()
	head, kept := l.head.Load(), l.ring.Load()
	l.mu.Unlock()
	s := Stats{
		Head:          head,
		Oldest:        kept.oldest,
		Bytes:         kept.bytes,
		CapacityBytes: l.layout.capacity,
		Compacted:     l.compacted.Load(),
		DroppedEvents: kept.oldest - 1,
	}
	l.readersMu.Lock()
	defer l.readersMu.Unlock()
	s.Readers = len(l.readers)
	for r := range l.readers {
		if cursor := r.cursor.Load(); cursor < head { // it may have read on since
			s.MaxLag = max(s.MaxLag, head-cursor)
		}
	}
	return s
}
