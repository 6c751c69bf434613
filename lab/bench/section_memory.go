package main

import (
	"context"
	"fmt"
)

// Columns of the memory table, which the targets refer to.
const (
	colHeap  = "live heap B/route"
	colAfter = "live heap after deletes B/route"
)

// memory measures what a route takes, at several sizes of the table, and what is left of it when all are deleted.
func (b *bench) memory(ctx context.Context) error {
	s := b.sheet("2. Memory of the switch",
		column{colHeap, decimals(1)}, column{"resident B/route", decimals(1)}, column{"live heap MB", decimals(1)}, column{"resident MB", decimals(1)},
		column{"event log MB", decimals(1)}, column{colAfter, decimals(1)}, column{"resident after deletes MB", decimals(1)})
	s.notef("Software and hardware together, one next hop a route, less what the empty switch has. The event log, which is bounded, is taken off except from " +
		"`resident MB`. Tables beyond the real one have parts of its shorter prefixes, each a /24 or a /48; they are measured in the first round only.")
	for round := range b.rounds {
		for _, n := range b.sizes.memory {
			if round > 0 && n != b.sizes.memory[0] {
				continue
			}
			if err := b.memoryOf(ctx, s, n, round); err != nil {
				return fmt.Errorf("%d routes: %w", n, err)
			}
		}
	}
	return nil
}

// memoryOf measures one size.
func (b *bench) memoryOf(ctx context.Context, s *sheet, n, round int) error {
	r, err := b.newLoadRig(ctx, "switch", tableArgs{Routes: n})
	if err != nil {
		return err
	}
	defer r.stop()
	var empty, full, after memory
	if err := r.server.call(ctx, "memory", none{}, &empty); err != nil {
		return err
	}
	if err := r.addAll(ctx, false); err != nil {
		return err
	}
	if err := r.server.call(ctx, "memory", none{}, &full); err != nil {
		return err
	}
	if _, err := r.deleteAll(ctx); err != nil {
		return err
	}
	// The first reading gives memory back to the system, the second sees what is resident then.
	for range 2 {
		if err := r.server.call(ctx, "memory", none{}, &after); err != nil {
			return err
		}
	}
	routes := float64(r.table.Routes)
	row := whole(routes) + " routes"
	if n == 0 {
		row += " (real table)"
	}
	heap := (float64(full.Heap) - float64(empty.Heap)) / routes
	b.sayf("memory, round %d of %d: %s: %.1f B a route", round+1, b.rounds, row, heap)
	s.add(row, colHeap, heap)
	resident := float64(full.Resident) - float64(full.Log) - (float64(empty.Resident) - float64(empty.Log))
	s.add(row, "resident B/route", resident/routes)
	s.add(row, "live heap MB", float64(full.Heap)/1e6)
	s.add(row, "resident MB", float64(full.Resident)/1e6)
	s.add(row, "event log MB", float64(full.Log)/1e6)
	s.add(row, colAfter, (float64(after.Heap)-float64(empty.Heap))/routes)
	s.add(row, "resident after deletes MB", float64(after.Resident)/1e6)
	return nil
}
