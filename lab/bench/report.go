package main

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"
)

// target is one of the figures that vasic wants to reach: ratios and bounds that hold on any machine of some size.
type target struct {
	name  string
	wants string
	value func(*bench) series
	ok    func(float64) bool
	write format
}

// atLeast and atMost are the two kinds of bounds.
func atLeast(bound float64) func(float64) bool { return func(v float64) bool { return v >= bound } }
func atMost(bound float64) func(float64) bool  { return func(v float64) bool { return v <= bound } }

// targets are all of them.
var targets = []target{
	{"whole path, adds, of the plain limit", "≥ 1.5", pathRatio(rowPlain), atLeast(1.5), decimals(2)},
	{"whole path, adds, of the limit", "≥ 0.5", pathRatio(rowLimit), atLeast(0.5), decimals(2)},
	{"whole path, adds, of the kernel's netlink with a listener", "≥ 10", pathRatio(rowKern), atLeast(10), decimals(1)},
	{"cost of a route, largest table of smallest", "≤ 1.3", (*bench).flatnessRatio, atMost(1.3), decimals(2)},
	{"live heap a route, worst of all sizes, bytes", "≤ 160", (*bench).heapOfRoute, atMost(160), decimals(1)},
	{"live heap left after the deletes, of that before", "≤ 0.05", (*bench).heapLeft, atMost(0.05), decimals(3)},
	{"events delivered a second, 100 watchers, millions", "≥ 8", fanCell(100, colDelivered, 1e-6), atLeast(8), decimals(1)},
	{"server time an event, 100 watchers, of encoding it for each", "≤ 0.25", (*bench).encodingRatio, atMost(0.25), decimals(2)},
	{"rate of the others beside a stopped watcher", "≥ 0.95", (*bench).stoppedRatio, atLeast(0.95), decimals(3)},
	{"10,000 idle watchers, resident MB", "≤ 500", (*bench).idleResident, atMost(500), decimals(0)},
	{"accept on a churning switch, p99, ms", "< 5", latencyCell(rowChurn, colAccept+" p99"), atMost(5), decimals(2)},
	{"accept on a switch churning as quickly as possible, p99, ms", "< 5", latencyCell(rowFlatOut, colAccept+" p99"), atMost(5), decimals(2)},
	{"accept → flag event, idle, p50, ms", "< 0.2", latencyCell(rowIdle, colEvent+" p50"), atMost(0.2), decimals(3)},
	{"accept → flag event, idle, p99, ms", "< 1", latencyCell(rowIdle, colEvent+" p99"), atMost(1), decimals(3)},
}

// cell finds a cell by the title that its table starts with; nil if it was not measured.
func (b *bench) cell(title, row, column string) series {
	for _, s := range b.sheets {
		if values := s.get(row, column); strings.HasPrefix(s.title, title) && len(values) > 0 {
			return values
		}
	}
	return nil
}

func pathRatio(other string) func(*bench) series {
	return func(b *bench) series {
		return b.cell("1.", rowVasic+", adds", colRate).over(b.cell("1.", other+", adds", colRate))
	}
}

func fanCell(watchers int, column string, factor float64) func(*bench) series {
	return func(b *bench) series {
		var out series
		for _, v := range b.cell("3.", watchersRow(watchers), column) {
			out = append(out, v*factor)
		}
		return out
	}
}

func latencyCell(row, column string) func(*bench) series {
	return func(b *bench) series { return b.cell("4.", row, column) }
}

func (b *bench) flatnessRatio() series {
	row := func(n int) series { return b.cell("5.", whole(float64(n))+" routes", colAdd) }
	return row(b.sizes.flat[len(b.sizes.flat)-1]).over(row(b.sizes.flat[0]))
}

// heapOfRoute is that of the size of table that needs most.
func (b *bench) heapOfRoute() (most series) {
	for _, s := range b.sheets {
		if !strings.HasPrefix(s.title, "2.") {
			continue
		}
		for _, size := range s.names {
			if v := s.get(size, colHeap); len(most) == 0 || v.median() > most.median() {
				most = v
			}
		}
	}
	return most
}

// heapLeft is about the first size.
func (b *bench) heapLeft() series {
	for _, s := range b.sheets {
		if strings.HasPrefix(s.title, "2.") && len(s.names) > 0 {
			return s.get(s.names[0], colAfter).over(s.get(s.names[0], colHeap))
		}
	}
	return nil
}

func (b *bench) encodingRatio() series {
	n := b.sizes.compared
	return b.cell("3.", watchersRow(n), colPerEvent).over(b.cell("3.", watchersRow(n)+rowEach, colPerEvent))
}

func (b *bench) stoppedRatio() series { return b.cell("3.", watchersRow(b.sizes.stopped), colRatio) }

func (b *bench) idleResident() series {
	return b.cell("3. Fan-out: idle", watchersRow(b.sizes.idle), "resident MB")
}

// report is the whole text.
func (b *bench) report(args []string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Performance\n\nMeasured by `%s`, which wrote this page, in %v.\n\n", commandLine(args), time.Since(b.start).Round(time.Second))
	fmt.Fprintf(&out, "%s\n\n", b.machine())
	fmt.Fprintf(&out, "Servers, programming clients and watchers are processes of their own, over TCP on loopback. Figures are medians of %s, with the smallest and "+
		"the largest in brackets; rounds are interleaved, so that figures of one round are of nearly the same time, and ratios are made within a round. A lone figure "+
		"was measured once. Compare ratios, not figures of different machines.\n\n", plural(b.rounds, "round"))
	if b.quick {
		out.WriteString("**Measured with -quick: everything is too small and too short to say anything about speed.**\n\n")
	}
	if !b.quick {
		b.reached(&out)
	}
	out.WriteString("## Figures\n\n")
	for _, s := range b.sheets {
		s.markdown(&out)
	}
	return out.String()
}

// plural is a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return whole(float64(n)) + " " + thing + "s"
}

// reached writes what was wanted and what was measured.
func (b *bench) reached(out *strings.Builder) {
	var lines []string
	for _, t := range targets {
		v := t.value(b)
		m := v.median()
		if math.IsNaN(m) {
			continue
		}
		verdict := "reached"
		if !t.ok(m) {
			verdict = "**not reached**"
		}
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s |\n", t.name, t.wants, v.summary(t.write), verdict))
	}
	if len(lines) > 0 {
		out.WriteString("## What it wants to reach\n\n| | wanted | measured | |\n|---|---|---|---|\n" + strings.Join(lines, "") + "\n")
	}
}

// commandLine is what made the report. A file is named without its path.
func commandLine(args []string) string {
	words := []string{"go run ./lab/bench"}
	for _, a := range args {
		if i := strings.LastIndexByte(a, '/'); i >= 0 {
			name, _, ok := strings.Cut(a, "=")
			if a = a[i+1:]; ok {
				a = name + "=" + a
			}
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// machine describes the machine, without saying which one it is.
func (b *bench) machine() string {
	return fmt.Sprintf("Machine: %s, %d processors, %.0f GB of memory, %s %s/%s, %s.",
		processorName(), runtime.NumCPU(), float64(memoryBytes())/1e9, kernelName(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
