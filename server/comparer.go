package server

import (
	"net/netip"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

const (
	// compareChunk is how many addresses are compared under one lock at most: some hundred microseconds.
	compareChunk = 256
	// maxAnswerBytes is where an answer that should be one message is split all the same: safely below gRPC's default limit of 4 MiB.
	maxAnswerBytes = 2 << 20
)

// comparer compares what software and hardware do with packets to addresses. It is for one goroutine.
type comparer struct {
	s        *Server
	encoder  encoder
	usual    int        // how many bytes the last answer had
	entry    asic.Entry // the one that is looked at
	software []byte     // and the route
}

// answer compares one batch and sends the CompareAddressesResponse.comparisons; in several messages if one would be too large.
func (c *comparer) answer(addresses []netip.Addr, table uint32, send func(comparisons []byte) error) error {
	for len(addresses) > 0 {
		b := make([]byte, 0, c.usual+c.usual/16) // it belongs to gRPC once it is sent
		for len(addresses) > 0 && len(b) < maxAnswerBytes {
			var n int
			b, n = c.some(b, addresses, table)
			addresses = addresses[n:]
		}
		c.usual = len(b)
		if err := send(b); err != nil {
			return err
		}
	}
	return nil
}

// some compares the first addresses, of one family, at one moment. It appends what it finds and returns how many they were.
func (c *comparer) some(b []byte, addresses []netip.Addr, table uint32) (_ []byte, n int) {
	family := fib.FamilyOf(addresses[0])
	c.s.fib.View(family, func(software fib.View) {
		tables := software.LookupTables()
		if table != 0 {
			tables = []uint32{table}
		}
		busy := c.s.chip.Stats().QueueLength > 0
		c.s.chip.View(func(hardware *asic.View) {
			for n < min(len(addresses), compareChunk) && fib.FamilyOf(addresses[n]) == family && len(b) < maxAnswerBytes {
				b = c.compare(b, software, hardware, addresses[n], tables, busy)
				n++
			}
		})
	})
	return b, n
}

// compare compares what the two do with a packet to one address and appends that. busy says that something is in the queue.
func (c *comparer) compare(b []byte, software fib.View, hardware *asic.View, a netip.Addr, tables []uint32, busy bool) []byte {
	var m comparison
	e := &c.entry
	if hardware.LookupInto(e, a, tables) {
		m.hardware = treatmentOf(e)
	} else {
		e = nil
	}
	family := fib.FamilyOf(a)
	c.software = c.software[:0]
	r := software.Lookup(a, tables, 0)
	if r != nil {
		c.software = c.encoder.appendRoute(c.software, comparisonSoftware, r)
		m.software = treatmentBy(r)
		m.same = e != nil && madeFrom(e, r) || ignored(r)
	}
	if !m.same || m.hardware == handles {
		m.pending = e != nil && hardware.Pending(family, e.Table, e.Prefix) ||
			r != nil && (hardware.Pending(family, r.Table, r.Prefix) || !m.same && r.Info.NextHopID != 0 && busy)
	}
	return appendComparison(b, fieldCompareComparisons, a, m.verdict(), c.software, e)
}
