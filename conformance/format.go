package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// indent is the width of the column in front of each line that names the runs which have it, by their notify; blank means all.
const indent = 3

// Format spells a trace as the package comment shows. Its runs must have the same commands.
func Format(t *Trace) ([]byte, error) {
	w := writer{trace: t}
	if err := w.header(); err != nil {
		return nil, err
	}
	if len(t.Setup) > 0 {
		w.printf("\nsetup\n")
		w.lines(func(*Run) []string { return t.Setup })
	}
	if slices.ContainsFunc(t.Runs, func(r Run) bool { return len(r.SetupFailures) > 0 }) {
		w.printf("\nsetup failures\n")
		w.lines(func(r *Run) []string { return r.SetupFailures })
	}
	w.printf("\nbaseline\n")
	w.lines(func(r *Run) []string { return r.Baseline.lines() })
	for i := range t.Runs[0].Steps {
		w.printf("\n")
		w.step(i)
	}
	return []byte(w.b.String()), nil
}

// writer spells a trace.
type writer struct {
	trace *Trace
	b     strings.Builder
}

func (w *writer) printf(format string, args ...any) { fmt.Fprintf(&w.b, format, args...) }

// header checks the trace and writes what stands in front.
func (w *writer) header() error {
	t := w.trace
	if err := t.check(); err != nil {
		return err
	}
	first := t.Runs[0].Steps
	for _, r := range t.Runs {
		if !slices.EqualFunc(r.Steps, first, func(a, b Step) bool { return a.Cmd == b.Cmd }) {
			return errors.New("the runs have different commands")
		}
	}
	if t.About != "" {
		w.printf("# %s\n", t.About)
	}
	w.printf("trace %s %s %s\n", t.Name(), t.Group, t.Class)
	if t.Kernel != "" {
		w.printf("kernel %s iproute2 %s\n", t.Kernel, t.IPRoute2)
	}
	w.printf("runs")
	for _, r := range t.Runs {
		star := ""
		if r.OrderMayDiffer {
			star = "*"
		}
		w.printf(" %d%s", r.Notify, star)
	}
	w.printf("\n")
	return nil
}

// step writes one step.
func (w *writer) step(i int) {
	w.printf("$ %s\n", w.trace.Runs[0].Steps[i].Cmd)
	w.lines(func(r *Run) []string { return r.Steps[i].lines() })
}

// lines writes what the runs have, with the names of common lines in their place.
func (w *writer) lines(of func(*Run) []string) {
	runs := make([][]string, len(w.trace.Runs))
	for i := range w.trace.Runs {
		runs[i] = of(&w.trace.Runs[i])
	}
	all := uint8(1)<<len(runs) - 1
	merged := mergeRuns(runs)
	for len(merged) > 0 {
		if name, n := commonAt(merged, all); n > 0 {
			w.printf("%*s@%s\n", indent, "", name)
			merged = merged[n:]
			continue
		}
		column := ""
		if merged[0].runs != all {
			column = w.column(merged[0].runs)
		}
		w.printf("%-*s%s\n", indent, column, merged[0].text)
		merged = merged[1:]
	}
}

// column names runs.
func (w *writer) column(runs uint8) string {
	var b strings.Builder
	for i := range w.trace.Runs {
		if runs&(1<<i) != 0 {
			fmt.Fprint(&b, w.trace.Runs[i].Notify)
		}
	}
	return b.String()
}
