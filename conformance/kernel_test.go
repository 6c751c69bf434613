package conformance

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var (
	rawDir = flag.String("raw", os.Getenv("VASIC_RAW_TRACES"), "directory of raw JSON traces for TestRawTraces")
	update = flag.Bool("update", false, "write what vasic does now at the steps listed in testdata/differences; look at the changes")
)

// TestKernelTraces replays testdata/kernel.
func TestKernelTraces(t *testing.T) {
	t.Parallel()
	traces := loadTraces(t)
	differing := loadDiffering(t, traces)
	for _, trace := range traces {
		t.Run(trace.Name(), func(t *testing.T) {
			t.Parallel()
			if lacked := checkTrace(t, trace, differing[trace.Name()]); lacked != "" {
				t.Errorf("the switch has no %s", lacked)
			}
		})
	}
}

// TestRawTraces replays recordings as they are, also those that are not in testdata. Traces that need what the switch does not have are
// skipped.
func TestRawTraces(t *testing.T) {
	t.Parallel()
	if *rawDir == "" {
		t.Skip("no directory given with -raw or VASIC_RAW_TRACES")
	}
	traces := loadRaw(t, *rawDir)
	differing := loadDiffering(t, nil)
	for _, trace := range traces {
		t.Run(trace.Name(), func(t *testing.T) {
			t.Parallel()
			text, err := Format(trace)
			if err != nil {
				t.Fatal(err)
			}
			checkParsed(t, trace, text)
			if have, err := os.ReadFile(traceFile(trace)); err == nil && !bytes.Equal(have, text) {
				t.Errorf("%s holds another recording; convert it again", traceFile(trace))
			}
			if lacked := checkTrace(t, trace, differing[trace.Name()]); lacked != "" && !t.Failed() {
				t.Skipf("needs %s", lacked)
			}
		})
	}
}

// checkTrace replays all runs of a trace, as far as they go, and returns what the switch lacked to go on, or nothing.
func checkTrace(t *testing.T, trace *Trace, d *differing) (lacked string) {
	if trace.Class == ClassHost {
		t.Skip("about the device and its namespace, not about the switch")
	}
	differs := make(map[int]bool)
	for i := range trace.Runs {
		run := &trace.Runs[i]
		j := &judge{trace: trace, run: run, differing: d}
		t.Run(fmt.Sprintf("notify=%d", run.Notify), func(t *testing.T) {
			got := replay(t, trace, run)
			if got.lacking != "" {
				lacked = got.lacking
			}
			if *update && d != nil {
				d.take(run.Notify, got.steps)
			}
			for _, m := range j.compare(got) {
				t.Error(m)
			}
			for k := range got.steps {
				if j.kernelStep(k, &got.steps[k]) != nil {
					differs[k] = true
				}
			}
		})
	}
	if d != nil && lacked == "" {
		d.check(t, differs)
	}
	return lacked
}

// check reports listed steps that do not differ.
func (d *differing) check(t *testing.T, differs map[int]bool) {
	for _, at := range d.at {
		if !differs[at.step] {
			t.Errorf("step %d does as the kernel; it is no longer a case of %s", at.step+1, at.name)
		}
	}
	if *update {
		text, err := d.format()
		if err == nil {
			err = os.WriteFile(d.file, text, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// take makes what vasic does now the wanted outcome.
func (d *differing) take(notify int, steps []Outcome) {
	for i := range d.trace.Runs {
		if r := &d.trace.Runs[i]; r.Notify == notify {
			for k, at := range d.at {
				if at.step < len(steps) {
					r.Steps[k].Outcome = steps[at.step]
				}
			}
		}
	}
}

// loadTraces reads testdata/kernel.
func loadTraces(t *testing.T) []*Trace {
	t.Helper()
	var traces []*Trace
	for _, file := range glob(t, "testdata/kernel/*.v*.txt") {
		trace, err := Parse(read(t, file))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if name := trace.Name() + ".txt"; name != filepath.Base(file) {
			t.Errorf("%s holds %s", file, name)
		}
		traces = append(traces, trace)
	}
	if len(traces) == 0 {
		t.Fatal("testdata/kernel has no traces")
	}
	return traces
}

// loadRaw reads a directory of the recorder's files.
func loadRaw(t *testing.T, dir string) []*Trace {
	t.Helper()
	var traces []*Trace
	for _, file := range glob(t, filepath.Join(dir, "*.json")) {
		trace, err := ReadRaw(bytes.NewReader(read(t, file)))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		traces = append(traces, trace)
	}
	if len(traces) == 0 {
		t.Fatalf("%s has no traces", dir)
	}
	return traces
}

// loadDiffering reads testdata/differences by name of trace, and checks that the names of differences are in use and known. Where traces
// are given, the files must fit them.
func loadDiffering(t *testing.T, traces []*Trace) map[string]*differing {
	t.Helper()
	all, used := make(map[string]*differing), make(map[string]bool)
	for _, file := range glob(t, "testdata/differences/*.txt") {
		d, err := parseDiffering(read(t, file))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		d.file = file
		all[d.trace.Name()] = d
		for i, at := range d.at {
			used[at.name] = true
			if !slices.ContainsFunc(Differences, func(known Difference) bool { return known.Name == at.name }) {
				t.Errorf("%s: %s is not in Differences", file, at.name)
			}
			for _, trace := range traces {
				steps := trace.Runs[0].Steps
				if trace.Name() == d.trace.Name() && (at.step >= len(steps) || steps[at.step].Cmd != d.trace.Runs[0].Steps[i].Cmd) {
					t.Errorf("%s: step %d is another command in the trace", file, at.step+1)
				}
			}
		}
	}
	for _, known := range Differences {
		if !used[known.Name] {
			t.Errorf("%s is in Differences, but in no file of testdata/differences", known.Name)
		}
	}
	return all
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.FromSlash(pattern))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
