package conformance

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

// TestScripts runs testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, file := range scriptFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s, err := parseScript(read(t, file))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			got := make([][][]string, len(s.notify))
			for run, notify := range s.notify {
				t.Run(fmt.Sprintf("notify=%d", notify), func(t *testing.T) { got[run] = s.run(t, notify) })
			}
			if t.Failed() {
				return
			}
			if *update {
				s.take(got)
				if err := os.WriteFile(file, s.format(), 0o644); err != nil {
					t.Error(err)
				}
				return
			}
			for run, notify := range s.notify {
				for _, m := range s.compare(run, got[run]) {
					t.Errorf("notify=%d, %s", notify, m)
				}
			}
		})
	}
}

func scriptFiles(t *testing.T) []string {
	files := glob(t, "testdata/script/*.txtar")
	if len(files) == 0 {
		t.Fatal("testdata/script has no scripts")
	}
	return files
}

// scriptRun is a script being run with one setting.
type scriptRun struct {
	*vswitch
	script *script
	dir    string // where the files of the archive are
}

// run carries out a script on a switch of its own, in virtual time, and returns the outcome of each step.
func (s *script) run(t *testing.T, notify int) (got [][]string) {
	dir := t.TempDir()
	for _, f := range s.archive.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		cfg, err := s.config(notify)
		if err != nil {
			t.Fatal(err)
		}
		r := &scriptRun{newSwitch(t, cfg), s, dir}
		if err := r.prepare(); err != nil {
			t.Fatal(err)
		}
		before, err := r.state("46")
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range s.steps() {
			out, after, err := r.do(step.cmd, before)
			if err != nil {
				t.Fatalf("%s: %v", step.cmd, err)
			}
			got = append(got, r.lines(&out))
			before = after
		}
	})
	return got
}

// config is the switch that the header asks for.
func (s *script) config(notify int) (server.Config, error) {
	cfg := server.Config{Profile: s.setting("profile", "switch"), LoopbackUp: true}
	cfg.NotifyIPv4, cfg.NotifyIPv6 = fib.NotifySetting(notify), fib.NotifySetting(notify)
	var err error
	for _, f := range s.archive.Files {
		if f.Name == cfg.Profile {
			if cfg.ChipProfile, err = asic.LoadProfile(bytes.NewReader(f.Data)); err != nil {
				return cfg, err
			}
		}
	}
	if cfg.Seed, err = strconv.ParseUint(s.setting("seed", "1"), 10, 64); err != nil {
		return cfg, err
	}
	for _, x := range s.settings {
		if x.word != "link" {
			continue
		}
		words := strings.Fields(x.rest)
		l := server.Link{Name: words[0]}
		for _, w := range words[1:] {
			p, err := netip.ParsePrefix(w)
			if err != nil {
				return cfg, err
			}
			l.Addresses = append(l.Addresses, p)
		}
		cfg.Links = append(cfg.Links, l)
	}
	return cfg, nil
}

// prepare makes the settings of the header and carries out the setup.
func (r *scriptRun) prepare() error {
	latency, err := time.ParseDuration(r.script.setting("latency", "1ms"))
	if err != nil {
		return err
	}
	set := &vasicv1.Settings{ProgrammingLatency: durationpb.New(latency), NeighborResolution: vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_MANUAL}
	paths := []string{"programming_latency", "neighbor_resolution"}
	if word, delay, _ := strings.Cut(r.script.setting("neighbors", "manual"), " "); word == "auto" {
		d, err := time.ParseDuration(delay)
		if err != nil {
			return err
		}
		set.NeighborResolution, set.NeighborResolutionDelay = vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_AUTO, durationpb.New(d)
		paths = append(paths, "neighbor_resolution_delay")
	}
	_, err = vasicv1.NewSwitchServiceClient(r.conn).UpdateSettings(r.t.Context(),
		&vasicv1.UpdateSettingsRequest{Settings: set, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	if err != nil {
		return err
	}
	for _, cmd := range r.script.setup {
		out, err := r.command(cmd)
		if err == nil && out.Exit != 0 {
			err = fmt.Errorf("exit %d: %s", out.Exit, out.Stderr)
		}
		if err != nil {
			return fmt.Errorf("setup: %s: %w", cmd, err)
		}
	}
	_, err = r.settle()
	return err
}

// do carries out a step and waits until everything that it caused has happened.
func (r *scriptRun) do(cmd string, before *State) (out Outcome, after *State, err error) {
	r.errnos = nil
	if out, err = r.command(cmd); err != nil {
		return out, nil, err
	}
	if out.Exit != 0 {
		out.Errno = r.errnos
	}
	rested := time.Now().Add(2 * quiet)
	if out.Notifications, err = r.settle(); err != nil {
		return out, nil, err
	}
	time.Sleep(time.Until(rested)) // a step without notifications takes as long as one with some, so that ages are the same with each setting
	if after, err = r.state("46"); err != nil {
		return out, nil, err
	}
	out.Gone, out.Came = missing(before.Routes, after.Routes), missing(after.Routes, before.Routes)
	for path, resource := range changedResources(before, after) {
		if slices.Contains(strings.Fields(r.script.setting("resources", "")), path) {
			if out.Resources == nil {
				out.Resources = make(map[string]Resource)
			}
			out.Resources[path] = resource
		}
	}
	return out, after, r.checkMirror()
}

// command carries out a command line: one of vasicctl, `wait DURATION`, or `for FIRST LAST vasicctl …`, which is a batch with a line for
// each number, where {i} stands for the number and {hi} and {lo} for its two bytes.
func (r *scriptRun) command(cmd string) (Outcome, error) {
	words := strings.Fields(cmd)
	switch {
	case len(words) > 1 && words[0] == "vasicctl":
		out := r.vasicctl("", r.paths(words[1:])...)
		out.Stdout, out.Stderr = strings.ReplaceAll(out.Stdout, r.dir+"/", ""), strings.ReplaceAll(out.Stderr, r.dir+"/", "")
		return out, nil
	case len(words) == 2 && words[0] == "wait":
		d, err := time.ParseDuration(words[1])
		time.Sleep(d)
		return Outcome{}, err
	case len(words) > 4 && words[0] == "for" && words[3] == "vasicctl":
		first, err1 := strconv.Atoi(words[1])
		last, err2 := strconv.Atoi(words[2])
		if err1 != nil || err2 != nil {
			return Outcome{}, fmt.Errorf("for %s %s: want numbers", words[1], words[2])
		}
		var batch bytes.Buffer
		for i := first; i <= last; i++ {
			line := strings.NewReplacer("{i}", strconv.Itoa(i), "{hi}", strconv.Itoa(i>>8), "{lo}", strconv.Itoa(i&255)).Replace(strings.Join(words[4:], " "))
			batch.WriteString(line + "\n")
		}
		return r.vasicctl(batch.String(), "-batch", "-"), nil
	}
	return Outcome{}, fmt.Errorf("no such command: %q", cmd)
}

// paths puts the place of the archive's files in front of their names.
func (r *scriptRun) paths(words []string) []string {
	out := slices.Clone(words)
	for i, w := range words {
		if slices.ContainsFunc(r.script.archive.Files, func(f txtar.File) bool { return f.Name == w }) {
			out[i] = filepath.Join(r.dir, w)
		}
	}
	return out
}

// manyLines is from how many notifications or routes on a step says only how many there are of each sort.
const manyLines = 25

// lines spells the outcome of a step.
func (r *scriptRun) lines(o *Outcome) []string {
	short := *o
	short.Stdout, short.Stderr = "", ""
	var out []string
	if len(o.Notifications) >= manyLines {
		short.Notifications = nil
		out = append(out, counted("> ", o.Notifications, func(n Notification) string {
			n.Text = strings.Join(routeFlags(n.Text), " ")
			return n.String()
		})...)
	}
	if len(o.Gone) >= manyLines || len(o.Came) >= manyLines {
		short.Gone, short.Came = nil, nil
		flags := func(r Route) string { return strings.Join(append([]string{"routes"}, routeFlags(string(r))...), " ") }
		out = append(out, counted("- ", o.Gone, flags)...)
		out = append(out, counted("+ ", o.Came, flags)...)
	}
	rest := short.lines()
	head := 0
	if len(rest) > 0 && strings.HasPrefix(rest[0], "!") {
		head = 1
	}
	out = slices.Concat(rest[:head], outputLines("1:", o.Stdout), outputLines("2:", o.Stderr), out, rest[head:])
	for i := range out {
		out[i] = strings.TrimRight(out[i], " ")
	}
	return out
}

// outputLines are the lines of an output, each behind a mark.
func outputLines(mark, text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, strings.TrimRight(mark+" "+strings.TrimRight(line, "\n"), " "))
	}
	return out
}

// counted says how many members of a list there are of each sort, in order of their first ones.
func counted[T any](mark string, list []T, sort func(T) string) []string {
	var sorts []string
	count := make(map[string]int)
	for _, x := range list {
		s := sort(x)
		if count[s]++; count[s] == 1 {
			sorts = append(sorts, s)
		}
	}
	for i, s := range sorts {
		sorts[i] = fmt.Sprintf("%s%d × %s", mark, count[s], s)
	}
	return sorts
}

// routeFlags are the words that tell the flags of a route.
func routeFlags(text string) []string {
	return slices.DeleteFunc(strings.Fields(text), func(w string) bool { return !strings.HasPrefix(w, "rt_") })
}
