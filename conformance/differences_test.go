package conformance

import (
	"bytes"
	"fmt"
	"strings"
)

// differing is what vasic does in some steps of a trace.
type differing struct {
	file  string
	trace *Trace // with these steps only
	at    []differentStep
}

// differentStep says which step of the recorded trace one of differing.trace is, and which Difference it shows.
type differentStep struct {
	step int // from 0
	name string
}

// wanted is what vasic does at a step of the run with that notify, if it differs there.
func (d *differing) wanted(step, notify int) (*Outcome, bool) {
	if d == nil {
		return nil, false
	}
	for i, at := range d.at {
		for j := range d.trace.Runs {
			if r := &d.trace.Runs[j]; at.step == step && r.Notify == notify {
				return &r.Steps[i].Outcome, true
			}
		}
	}
	return nil, false
}

// parseDiffering reads a file of testdata/differences: a trace without baseline whose steps each have a line "step NUMBER NAME" in front.
func parseDiffering(text []byte) (*differing, error) {
	d := &differing{}
	var rest bytes.Buffer
	for line := range strings.Lines(string(text)) {
		if after, ok := strings.CutPrefix(line, "step "); ok {
			at := differentStep{}
			if _, err := fmt.Sscanf(after, "%d %s", &at.step, &at.name); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			at.step--
			d.at = append(d.at, at)
			continue
		}
		rest.WriteString(line)
	}
	var err error
	if d.trace, err = Parse(rest.Bytes()); err != nil {
		return nil, err
	}
	if n := len(d.trace.Runs[0].Steps); n != len(d.at) {
		return nil, fmt.Errorf("%d steps have %d lines \"step\"", n, len(d.at))
	}
	return d, nil
}

// format writes what parseDiffering reads.
func (d *differing) format() ([]byte, error) {
	w := writer{trace: d.trace}
	if err := w.header(); err != nil {
		return nil, err
	}
	for i, at := range d.at {
		w.printf("\nstep %d %s\n", at.step+1, at.name)
		w.step(i)
	}
	return []byte(w.b.String()), nil
}
