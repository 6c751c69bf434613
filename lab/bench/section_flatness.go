package main

import (
	"context"
	"fmt"
)

// Columns of the table about sizes, which the targets refer to.
const (
	colAdd    = "adds, ns/route"
	colAddCPU = "adds, server ns/route"
)

// flatness measures whether a route costs more in a larger table, and what reading a full one takes.
func (b *bench) flatness(ctx context.Context) error {
	s := b.sheet("5. Flatness: cost of a route by size of the table",
		column{colAdd, whole}, column{colAddCPU, whole}, column{"replaces, server ns/route", whole}, column{"deletes, server ns/route", whole})
	s.notef("Tables are loaded, replaced and deleted as a whole, small ones several times, so that at least %s operations of each kind are counted. The largest is measured in the first round only.", whole(float64(b.sizes.flatOperations)))
	reads := b.sheet("5. Flatness: reading and auditing the full table", column{"a second", whole}, column{"ms in all", decimals(1)})
	for round := range b.rounds {
		for i, n := range b.sizes.flat {
			if round > 0 && i == len(b.sizes.flat)-1 {
				continue // it takes a minute
			}
			if err := b.flatnessOf(ctx, s, n, round); err != nil {
				return fmt.Errorf("%d routes: %w", n, err)
			}
		}
		if err := b.queries(ctx, reads, round); err != nil {
			return err
		}
		if err := b.flips(ctx, reads, round); err != nil {
			return err
		}
	}
	return nil
}

// flatnessOf measures one size.
func (b *bench) flatnessOf(ctx context.Context, s *sheet, n, round int) error {
	r, err := b.newLoadRig(ctx, "switch", tableArgs{Routes: n})
	if err != nil {
		return err
	}
	defer r.stop()
	totals := make([]cost, len(changes))
	for done := 0; done < max(b.sizes.flatOperations, 1); done += n {
		for i, what := range changes {
			c, err := r.change(ctx, what, false)
			if err != nil {
				return err
			}
			totals[i].seconds += c.seconds
			totals[i].server += c.server
			totals[i].routes += c.routes
		}
	}
	row := whole(float64(n)) + " routes"
	add, replace, remove := totals[0], totals[1], totals[2]
	b.sayf("flatness, round %d of %d: %s: %.0f ns an add", round+1, b.rounds, row, add.nanos(add.seconds))
	s.add(row, colAdd, add.nanos(add.seconds))
	s.add(row, colAddCPU, add.nanos(add.server))
	s.add(row, "replaces, server ns/route", replace.nanos(replace.server))
	s.add(row, "deletes, server ns/route", remove.nanos(remove.server))
	return nil
}

// queries measures reading the full table.
func (b *bench) queries(ctx context.Context, s *sheet, round int) error {
	r, err := b.newLoadRig(ctx, "switch", tableArgs{Routes: b.sizes.queryRoutes})
	if err != nil {
		return err
	}
	defer r.stop()
	if err := r.addAll(ctx, false); err != nil {
		return err
	}
	if err := r.query.call(ctx, "table", tableArgs{File: b.table, Routes: b.sizes.queryRoutes}, nil); err != nil {
		return err
	}
	for _, q := range []struct {
		row, call string
		timed     bool // for a given time, so the time in all says nothing
	}{
		{fmt.Sprintf("look-ups one by one, %d in flight", lookupsInFlight), "lookup", true},
		{fmt.Sprintf("look-ups in software and hardware, batches of %d", lookupBatch), "compare", true},
		{"routes of ListRoutes", "list", false},
		{"prefixes of Audit", "audit", false},
	} {
		var done rate
		if err := r.query.call(ctx, q.call, forArgs{b.sizes.querySeconds}, &done); err != nil {
			return fmt.Errorf("%s: %w", q.row, err)
		}
		b.queried(s, q.row, done, q.timed, round)
	}
	return nil
}

// queried notes a rate, or says aloud that there is none.
func (b *bench) queried(s *sheet, row string, done rate, timed bool, round int) {
	if done.Unsupported {
		b.sayf("flatness: skipped: %s: the server has no such service", row)
		s.notef("Skipped: %s: the server has no such service.", row)
		return
	}
	b.sayf("flatness, round %d of %d: %s: %s a second", round+1, b.rounds, row, whole(done.perSecond()))
	s.add(row, "a second", done.perSecond())
	if !timed {
		s.add(row, "ms in all", done.Seconds*1e3)
	}
}

// flips measures what follows when the gateway of many routes stops answering, and answers again.
func (b *bench) flips(ctx context.Context, s *sheet, round int) error {
	r, err := b.newLoadRig(ctx, "switch", tableArgs{Routes: b.sizes.flip, IPv4: true})
	if err != nil {
		return err
	}
	defer r.stop()
	if err := r.addAll(ctx, true); err != nil {
		return err
	}
	for _, failed := range []bool{true, false} {
		row := fmt.Sprintf("routes of a neighbour, which answers again (%s)", whole(float64(b.sizes.flip)))
		if failed {
			row = fmt.Sprintf("routes of a neighbour, which fails (%s)", whole(float64(b.sizes.flip)))
		}
		var done rate
		if err := r.query.call(ctx, "flip", flipArgs{b.sizes.flip, failed}, &done); err != nil {
			return fmt.Errorf("%s: %w", row, err)
		}
		b.queried(s, row, done, false, round)
	}
	return nil
}
