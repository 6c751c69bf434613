package recording

import (
	"bytes"
	"sync"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Difference is where a replay did something else than the recording says.
type Difference struct {
	// What is a sentence about it, without a full stop.
	What string
	// Number counts the events before it that were the same.
	Number uint64
	// Recorded is the event of the recording; nil if it has none, or if the difference is not about an event.
	Recorded *vasicv1.Event
	// Replayed is what came instead; nil if nothing did.
	Replayed *vasicv1.Event
}

// comparer holds two streams of events against each other. What time it was is not compared, and revisions are counted from the
// beginning of each. It may be used from any number of goroutines; both streams must each come in order.
type comparer struct {
	recordedBase uint64
	replayedBase uint64

	mu       sync.Mutex // guards the following
	recorded [][]byte   // waiting for their counterpart; one of the two is empty
	replayed [][]byte
	same     uint64
	newest   uint64 // revision of the replayed stream, as the switch has it
	found    *Difference
	changed  chan struct{} // has room for one: something happened
	differs  chan struct{} // closed when found is set
}

func newComparer(recordedBase, replayedBase uint64) *comparer {
	return &comparer{
		recordedBase: recordedBase, replayedBase: replayedBase, newest: replayedBase,
		changed: make(chan struct{}, 1), differs: make(chan struct{}),
	}
}

// canonical is what of an event is compared.
func canonical(e *vasicv1.Event, base uint64) []byte {
	revision, nanos := e.Revision, e.UnixNanos
	e.Revision, e.UnixNanos = revision-base, 0
	b, err := e.MarshalVT()
	e.Revision, e.UnixNanos = revision, nanos
	if err != nil {
		return nil // nothing that was received is like that
	}
	return b
}

// event is the event that canonical was made of, but for its time.
func event(b []byte, base uint64) *vasicv1.Event {
	if b == nil {
		return nil
	}
	e := &vasicv1.Event{}
	if err := e.DecodeWire(b); err != nil {
		return nil
	}
	e.Revision += base
	return e
}

// record takes an event of the recording.
func (c *comparer) record(e *vasicv1.Event) {
	b := canonical(e, c.recordedBase)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.replayed) == 0 {
		c.recorded = append(c.recorded, b)
		return
	}
	other := c.replayed[0]
	c.replayed = c.replayed[1:]
	c.match(b, other)
}

// replay takes events of the switch.
func (c *comparer) replay(events []*vasicv1.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		c.newest = max(c.newest, e.Revision)
		b := canonical(e, c.replayedBase)
		if len(c.recorded) == 0 {
			c.replayed = append(c.replayed, b)
			continue
		}
		other := c.recorded[0]
		c.recorded = c.recorded[1:]
		c.match(other, b)
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// match compares two events. Called with mu held.
func (c *comparer) match(recorded, replayed []byte) {
	if c.found != nil {
		return
	}
	if bytes.Equal(recorded, replayed) {
		c.same++
		return
	}
	c.find(&Difference{
		What:     "another event came than the recorded one",
		Recorded: event(recorded, c.recordedBase), Replayed: event(replayed, c.replayedBase),
	})
}

// find notes a difference. Called with mu held.
func (c *comparer) find(d *Difference) {
	d.Number = c.same
	c.found = d
	close(c.differs)
}

// end says that both streams are over, and returns the first difference, if there is one. Unless settled is set, the switch may
// have had more to say when the recording ended.
func (c *comparer) end(settled bool) *Difference {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.found != nil:
	case len(c.recorded) > 0:
		c.find(&Difference{What: "an event of the recording did not come", Recorded: event(c.recorded[0], c.recordedBase)})
	case settled && len(c.replayed) > 0:
		c.find(&Difference{What: "an event came that the recording does not have", Replayed: event(c.replayed[0], c.replayedBase)})
	}
	return c.found
}

// difference is the first one, or nil.
func (c *comparer) difference() *Difference {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found
}

// counts returns how many events were the same, and how many came that no recorded one was there for.
func (c *comparer) counts() (same, more uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.same, uint64(len(c.replayed))
}

// reached is the newest revision that came, as the switch counts.
func (c *comparer) reached() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}
