package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// latencyRate is how many single operations a second are sent.
	latencyRate = 1000
	// churnRate is that of a switch with much to do.
	churnRate = 100_000

	rowIdle    = "idle"
	rowChurn   = "churning, 100,000 routes/s"
	rowFlatOut = "churning, as quickly as possible"

	colAccept = "accept ms"
	colEvent  = "accept → flag event ms"
	colBoth   = "request → flag event ms"
)

// latencyColumns are percentiles of all three.
func latencyColumns() (columns []column) {
	for _, name := range []string{colAccept, colEvent, colBoth} {
		for _, p := range []string{"p50", "p99", "p99.9"} {
			columns = append(columns, column{name + " " + p, decimals(3)})
		}
	}
	return columns
}

// latency measures single operations on a loaded switch.
func (b *bench) latency(ctx context.Context) error {
	s := b.sheet("4. Latency of single operations", latencyColumns()...)
	s.notef("%s operations a second, each in a message of its own, with a watcher of their flag events in the same client, on a switch with the real table and no configured latency. "+
		"The event can be here before the answer, and then counts as 0 behind it; request → flag event is both together. Churning: another client replaces the table's routes meanwhile.", whole(latencyRate))
	for round := range b.rounds {
		for _, role := range []string{"limit", "switch"} {
			if err := b.latencyOf(ctx, s, role, round); err != nil {
				return err
			}
		}
	}
	return nil
}

// latencyOf measures one server, with more and more to do.
func (b *bench) latencyOf(ctx context.Context, s *sheet, role string, round int) error {
	r, err := b.newLoadRig(ctx, role, tableArgs{Routes: b.sizes.latencyRoutes})
	if err != nil {
		return err
	}
	defer r.stop()
	if role == "switch" { // the limit keeps no routes
		if err := r.addAll(ctx, false); err != nil {
			return err
		}
	}
	r.watch.stop() // it would take processor time from the others
	probe, err := r.client(ctx, "latency")
	if err != nil {
		return err
	}
	for _, busy := range []struct {
		row  string
		rate int
	}{{rowIdle, -1}, {rowChurn, churnRate}, {rowFlatOut, 0}} {
		churn := make(chan error, 1)
		if busy.rate >= 0 {
			go func() {
				churn <- r.load.call(ctx, "churn", churnArgs{Seconds: b.sizes.latencySeconds + 1, Rate: busy.rate}, nil)
			}()
			time.Sleep(500 * time.Millisecond)
		} else {
			churn <- nil
		}
		row := busy.row
		if role != "switch" {
			row = role + ", " + row
		}
		err := b.probe(ctx, s, row, probe, round)
		if churnErr := <-churn; err == nil {
			err = churnErr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", row, err)
		}
	}
	return nil
}

// probe measures once.
func (b *bench) probe(ctx context.Context, s *sheet, row string, probe *child, round int) error {
	warm := latencyArgs{Seconds: 0.2, Rate: latencyRate}
	var done latencyDone
	if err := probe.call(ctx, "run", warm, &done); err != nil {
		return err
	}
	if err := probe.call(ctx, "run", latencyArgs{Seconds: b.sizes.latencySeconds, Rate: latencyRate}, &done); err != nil {
		return err
	}
	b.sayf("latency, round %d of %d: %s: accept p99 %.3f ms, event p50 %.3f ms", round+1, b.rounds, row, done.Accept.P99*1e3, done.Event.P50*1e3)
	for _, l := range []struct {
		name string
		latencies
	}{{colAccept, done.Accept}, {colEvent, done.Event}, {colBoth, done.Both}} {
		s.add(row, l.name+" p50", l.P50*1e3)
		s.add(row, l.name+" p99", l.P99*1e3)
		s.add(row, l.name+" p99.9", l.P999*1e3)
	}
	return nil
}
