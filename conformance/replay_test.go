package conformance

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/vasic-project/vasic/server"
)

// replayed is what a switch did with a run of a trace.
type replayed struct {
	failed   []Step // commands of the setup that failed
	baseline *State
	steps    []Outcome
	lacking  string // what the switch does not have; the replay ended there
}

// replay carries out a run on a switch of its own, in virtual time.
func replay(t *testing.T, trace *Trace, run *Run) (got *replayed) {
	synctest.Test(t, func(t *testing.T) {
		got = &replayed{}
		if err := newSwitch(t, server.Config{Profile: "netdevsim", Seed: 1}).replay(trace, run, got); err != nil {
			t.Fatal(err)
		}
	})
	return got
}

// replay carries out a run. Errors are those of the replay; what the switch refuses is an outcome.
func (v *vswitch) replay(trace *Trace, run *Run, got *replayed) error {
	setup := slices.Clone(trace.Setup)
	for _, family := range []string{"ipv4", "ipv6"} {
		setup = append(setup, fmt.Sprintf("sysctl -qw net.%s.fib_notify_on_flag_change=%d", family, run.Notify))
	}
	for _, cmd := range setup {
		out, err := v.do(cmd)
		if err != nil {
			return err
		}
		if got.lacking = lacking(&out); got.lacking != "" {
			return nil
		}
		if out.Exit != 0 {
			got.failed = append(got.failed, Step{cmd, out})
		}
	}
	before, err := v.state(trace.Family)
	if err != nil {
		return err
	}
	got.baseline = before
	for i := range run.Steps {
		out, err := v.do(run.Steps[i].Cmd)
		if err != nil {
			return err
		}
		if got.lacking = lacking(&out); got.lacking != "" {
			return nil
		}
		after, err := v.state(trace.Family)
		if err != nil {
			return err
		}
		out.Gone, out.Came = missing(before.Routes, after.Routes), missing(after.Routes, before.Routes)
		out.Resources = changedResources(before, after)
		if err := v.checkMirror(); err != nil {
			v.t.Errorf("%s: %v", run.Steps[i].Cmd, err)
		}
		got.steps = append(got.steps, out)
		before = after
	}
	return nil
}

// do carries out one command line and waits until everything that it caused has happened.
func (v *vswitch) do(cmd string) (Outcome, error) {
	v.errnos = nil
	out, err := v.run(cmd)
	if err != nil {
		return out, err
	}
	if out.Exit != 0 { // some errors are expected, and the command goes on
		out.Errno = v.errnos
	}
	if out.Notifications, err = v.settle(); err != nil {
		return out, fmt.Errorf("%s: %w", cmd, err)
	}
	return out, nil
}

// changedResources are those that are not as before.
func changedResources(before, after *State) map[string]Resource {
	var m map[string]Resource
	for path, r := range after.Resources {
		if before.Resources[path] != r {
			if m == nil {
				m = make(map[string]Resource)
			}
			m[path] = r
		}
	}
	return m
}

// missing returns the members of a that b has not; the same route may be there several times.
func missing(a, b []Route) []Route {
	have := make(map[Route]int)
	for _, r := range b {
		have[r]++
	}
	var out []Route
	for _, r := range a {
		if have[r]--; have[r] < 0 {
			out = append(out, r)
		}
	}
	return out
}

// compare returns where a replay differs from the run, as far as it came.
func (j *judge) compare(got *replayed) []mismatch {
	var out []mismatch
	if len(j.run.SetupFailures) == 0 {
		for _, s := range got.failed {
			out = append(out, mismatch{"setup: " + s.Cmd, []string{fmt.Sprintf("exit %d: %s", s.Exit, s.Stderr)}})
		}
	}
	if got.baseline != nil {
		if lines := j.baseline(got.baseline); lines != nil {
			out = append(out, mismatch{"baseline", lines})
		}
	}
	for i := range got.steps {
		if lines := j.step(i, &got.steps[i]); lines != nil {
			out = append(out, mismatch{fmt.Sprintf("step %d: %s", i+1, j.run.Steps[i].Cmd), lines})
		}
	}
	return out
}
