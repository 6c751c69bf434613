package server

import (
	"context"
	"net/netip"
	"slices"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// verdictCount is how many verdicts there are, the unspecified one included.
const verdictCount = vasicv1.Verdict_VERDICT_MISROUTED + 1

// progressEvery is after how many pieces without a difference an audit says how far it is.
const progressEvery = 64

// audit compares all prefixes of the FIB and of the chip, piece by piece. Each piece is read with the family locked and the chip between two operations, so that
// what is compared was true at one moment. It is for one goroutine.
type audit struct {
	s        *Server
	families []fib.Family
	table    uint32 // 0: all
	within   netip.Prefix
	verdicts uint8  // a bit for each that is reported
	limit    uint64 // of what is reported; 0: none

	totals   [2][verdictCount]uint64 // by family
	compared uint64
	reported uint64
	encoder  encoder

	// Of one piece.
	busy     bool       // something is in the queue
	entry    asic.Entry // the one that is looked at
	software []byte     // the route that is reported
	rows     []auditedPrefix
	known    map[netip.Prefix]struct{} // the prefixes of rows; made when somebody asks
	siblings []fib.Sibling
	strays   []stray
	found    pieces // AuditResponse.comparisons
}

// auditedPrefix is a prefix of the FIB and the first of its routes that can carry packets, or the last one if none can.
type auditedPrefix struct {
	route  fib.Route
	usable bool
}

// stray is a hardware entry of whose prefix software has no route that can carry packets.
type stray struct {
	entry   asic.Entry
	pending bool
}

func (a *audit) selects(v vasicv1.Verdict) bool {
	return a.verdicts&(1<<v) != 0 && (a.limit == 0 || a.reported < a.limit)
}

// run compares everything and hands over what it finds. progress is called between pieces, without any lock.
func (a *audit) run(ctx context.Context, progress func(found [][]byte) error) error {
	a.encoder.fib = a.s.fib
	for _, family := range a.families {
		var seen []uint32
		if err := a.walk(ctx, family, a.table, &seen, progress); err != nil {
			return err
		}
		if err := a.strangers(ctx, family, seen, progress); err != nil {
			return err
		}
	}
	return nil
}

// walk compares the tables that software has, or one, and adds them to seen.
func (a *audit) walk(ctx context.Context, family fib.Family, table uint32, seen *[]uint32, progress func([][]byte) error) error {
	w := a.s.fib.Walk(family, table, a.within)
	for w.Audit(a.visit, func(c fib.Chunk) {
		*seen = append(*seen, c.Table)
		a.compare(family, &c)
	}) {
		*seen = slices.Compact(*seen)
		if err := a.finish(ctx, family, progress); err != nil {
			return err
		}
	}
	return nil
}

// strangers compares what hardware has of tables that software has never had.
func (a *audit) strangers(ctx context.Context, family fib.Family, seen []uint32, progress func([][]byte) error) error {
	within := a.within
	if !within.IsValid() {
		within = everything[family]
	}
	var tables []uint32
	a.s.chip.View(func(v *asic.View) { tables = v.Tables(family) })
	for _, table := range tables {
		if slices.Contains(seen, table) || a.table != 0 && a.table != table {
			continue
		}
		a.s.chip.View(func(v *asic.View) {
			for e := range v.Within(family, table, within) {
				a.strays = append(a.strays, stray{e, v.Pending(family, table, e.Prefix)})
			}
		})
		if w := a.s.fib.Walk(family, table, a.within); w.Audit(func(*fib.Route) {}, func(fib.Chunk) {}) { // software has it by now
			a.strays = a.strays[:0]
			if err := a.walk(ctx, family, table, &seen, progress); err != nil {
				return err
			}
			continue
		}
		if err := a.finish(ctx, family, progress); err != nil {
			return err
		}
	}
	return nil
}

// everything is the prefix that contains all, by family.
var everything = [...]netip.Prefix{fib.IPv4: netip.PrefixFrom(netip.IPv4Unspecified(), 0), fib.IPv6: netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// visit takes a route of the piece. Those of a prefix come one after the other, the better one first.
func (a *audit) visit(r *fib.Route) {
	p := auditedPrefix{route: *r, usable: usable(r)}
	if n := len(a.rows); n > 0 && a.rows[n-1].route.Prefix == r.Prefix {
		if a.rows[n-1].usable || !p.usable {
			return
		}
		a.rows = a.rows[:n-1]
	}
	if len(r.Siblings) > 0 { // they lie in memory that the next visit uses again
		start := len(a.siblings)
		a.siblings = append(a.siblings, r.Siblings...)
		p.route.Siblings = a.siblings[start:len(a.siblings):len(a.siblings)]
	}
	a.rows = append(a.rows, p)
}

// compare judges the piece. The family is locked.
func (a *audit) compare(family fib.Family, c *fib.Chunk) {
	a.busy = a.s.chip.Stats().QueueLength > 0
	a.s.chip.View(func(v *asic.View) {
		matched := 0 // entries of the table, in the block, of prefixes that software has
		for i := range a.rows {
			p := &a.rows[i]
			e, present := &a.entry, v.AtInto(&a.entry, family, c.Table, p.route.Prefix)
			if present && e.Table == c.Table && inBlock(c.Block, p.route.Prefix) {
				matched++
			}
			if p.usable {
				a.judge(v, &p.route, e, present)
				continue
			}
			if present && e.Table == c.Table && !c.Source.IsValid() {
				a.strays = append(a.strays, stray{*e, v.Pending(family, c.Table, e.Prefix)})
				a.entry = asic.Entry{} // its memory is the stray's now
			} else {
				a.count(family, vasicv1.Verdict_VERDICT_CONSISTENT)
			}
		}
		if !c.Source.IsValid() {
			a.findStrays(v, family, c, matched)
		}
	})
	clear(a.rows)
	a.rows, a.siblings, a.known = a.rows[:0], a.siblings[:0], nil
}

func inBlock(block, p netip.Prefix) bool { return p.Bits() >= block.Bits() && block.Contains(p.Addr()) }

// judge compares the route that software uses for its prefix with the hardware entry there, or else with the one that covers it.
func (a *audit) judge(v *asic.View, r *fib.Route, e *asic.Entry, present bool) {
	c := comparison{software: treatmentBy(r)}
	if present {
		c.hardware = treatmentOf(e)
	}
	switch {
	case present && hides(e, r):
		c.same, c.software = true, c.hardware
	case ignored(r), present && madeFrom(e, r):
		c.same = true
	}
	if !c.same || c.hardware == handles {
		c.pending = v.Pending(r.Family, r.Table, r.Prefix) || present && e.Table != r.Table && v.Pending(r.Family, e.Table, e.Prefix) ||
			!c.same && r.Info.NextHopID != 0 && a.busy // a change of its object may wait
	}
	if !c.same && !c.pending && !present {
		if present = covering(v, e, r); present {
			c.hardware = treatmentOf(e)
		}
	}
	verdict := c.verdict()
	a.count(r.Family, verdict)
	if !a.selects(verdict) {
		return
	}
	if !present {
		e = nil
	}
	a.software = a.encoder.appendRoute(a.software[:0], comparisonSoftware, r)
	a.report(verdict, e)
}

// covering reads the longest entry that contains the route's prefix.
func covering(v *asic.View, e *asic.Entry, r *fib.Route) bool {
	for bits := r.Prefix.Bits() - 1; bits >= 0; bits-- {
		if v.AtInto(e, r.Family, r.Table, netip.PrefixFrom(r.Prefix.Addr(), bits).Masked()) {
			return true
		}
	}
	return false
}

// findStrays collects the entries of the piece whose prefixes software does not have. Mostly there is none: then as many entries were matched as there are.
func (a *audit) findStrays(v *asic.View, family fib.Family, c *fib.Chunk, matched int) {
	if v.Count(family, c.Table, c.Block) != matched {
		for e := range v.Within(family, c.Table, c.Block) {
			a.takeStray(v, e)
		}
	}
	for _, p := range c.Above {
		if e, ok := v.At(family, c.Table, p); ok && e.Table == c.Table {
			a.takeStray(v, e)
		}
	}
}

// takeStray collects an entry unless software has its prefix.
func (a *audit) takeStray(v *asic.View, e asic.Entry) {
	if a.known == nil {
		a.known = make(map[netip.Prefix]struct{}, len(a.rows))
		for i := range a.rows {
			a.known[a.rows[i].route.Prefix] = struct{}{}
		}
	}
	if _, ok := a.known[e.Prefix]; !ok {
		a.strays = append(a.strays, stray{e, v.Pending(e.Family, e.Table, e.Prefix)})
	}
}

// finish judges the strays of a piece and hands over what was found.
func (a *audit) finish(ctx context.Context, family fib.Family, progress func([][]byte) error) error {
	for i := range a.strays {
		a.judgeStray(family, &a.strays[i])
	}
	clear(a.strays)
	a.strays = a.strays[:0]
	err := progress(a.found)
	a.found = nil
	if err != nil {
		return err
	}
	return ctx.Err()
}

// judgeStray compares an entry with what software does for its prefix: the route that covers it.
func (a *audit) judgeStray(family fib.Family, s *stray) {
	c := comparison{hardware: treatmentOf(&s.entry), pending: s.pending}
	a.software = a.software[:0]
	for bits := s.entry.Prefix.Bits(); bits >= 0 && c.software == ignores; bits-- {
		_ = a.s.fib.Get(s.entry.Table, netip.PrefixFrom(s.entry.Prefix.Addr(), bits).Masked(), netip.Prefix{}, 0, nil, func(r *fib.Route) {
			if usable(r) {
				c.software = treatmentBy(r)
				a.software = a.encoder.appendRoute(a.software[:0], comparisonSoftware, r)
				c.pending = c.pending || bits == s.entry.Prefix.Bits() // it came meanwhile
			}
		})
	}
	verdict := c.verdict()
	a.count(family, verdict)
	if a.selects(verdict) {
		a.report(verdict, &s.entry)
	}
}

func (a *audit) count(family fib.Family, v vasicv1.Verdict) {
	a.totals[family][v]++
	a.compared++
}

// report adds the verdict on a.software and on the entry, nil for none, to what was found.
func (a *audit) report(v vasicv1.Verdict, e *asic.Entry) {
	to := a.found.last()
	*to = appendComparison(*to, fieldAuditComparisons, netip.Addr{}, v, a.software, e)
	a.reported++
}
