package conformance

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// judge compares what a switch did with one run of a trace.
type judge struct {
	trace     *Trace
	run       *Run
	differing *differing // nil if vasic does as the kernel in the whole trace
}

// step compares the outcome of a step and returns what differs, a line for each, or nothing.
func (j *judge) step(i int, got *Outcome) []string {
	if want, ok := j.differing.wanted(i, j.run.Notify); ok {
		return difference(got, want, slices.EqualFunc(got.Notifications, want.Notifications, matches))
	}
	return j.kernelStep(i, got)
}

// kernelStep is step without regard to what vasic does otherwise.
func (j *judge) kernelStep(i int, got *Outcome) []string {
	return difference(got, &j.run.Steps[i].Outcome, slices.ContainsFunc(j.legal(i), func(want []Notification) bool {
		return j.same(got.Notifications, want)
	}))
}

// legal returns the notifications that a step may have: those recorded in this run, and those with the messages of requests as another run
// has them, if only their hardware flags differ. Which flags such a message shows depends on how far hardware was, not on the notification
// setting.
func (j *judge) legal(i int) [][]Notification {
	own := &j.run.Steps[i].Outcome
	list := append([][]Notification{own.Notifications}, own.Also...)
	requests, flags := splitFlagChanges(own.Notifications)
	for _, other := range j.trace.Runs {
		if other.Notify == j.run.Notify || len(other.Steps) <= i {
			continue
		}
		for _, seen := range append([][]Notification{other.Steps[i].Notifications}, other.Steps[i].Also...) {
			theirs, _ := splitFlagChanges(seen)
			if slices.EqualFunc(theirs, requests, sameButFlags) {
				list = append(list, append(theirs, flags...))
			}
		}
	}
	return list
}

// same says whether two lists of notifications are the same but for differences in order that are legal.
func (j *judge) same(got, want []Notification) bool {
	gotRequests, gotFlags := splitFlagChanges(got)
	wantRequests, wantFlags := splitFlagChanges(want)
	switch {
	case slices.EqualFunc(gotRequests, wantRequests, matches) && slices.EqualFunc(gotFlags, wantFlags, matches):
		return true // hardware was quicker or slower than requests, but either did all in its order
	case j.run.OrderMayDiffer && sameInAnyOrder(got, want):
		return true
	}
	return j.trace.Class == ClassRace && sameRace(got, want)
}

// flagChange says whether the notification is about the hardware flags of a route: messages of the programming goroutine, which are not
// in step with those of requests.
func (n *Notification) flagChange() bool {
	return n.Message == "NEWROUTE" && len(n.Flags) == 0 && !n.Requested
}

// matches says whether n is what want describes.
func (n *Notification) matches(want *Notification) bool {
	return n.Message == want.Message && slices.Equal(n.Flags, want.Flags) && n.Requested == want.Requested && (n.Text == want.Text || want.NoText)
}

func splitFlagChanges(list []Notification) (requests, flags []Notification) {
	for _, n := range list {
		if n.flagChange() {
			flags = append(flags, n)
		} else {
			requests = append(requests, n)
		}
	}
	return requests, flags
}

func matches(got, want Notification) bool { return got.matches(&want) }

var withoutFlags = strings.NewReplacer(" rt_trap", "", " rt_offload_failed", "", " rt_offload", "")

// sameButFlags compares all but the hardware flags in the text.
func sameButFlags(a, b Notification) bool {
	a.Text, b.Text = withoutFlags.Replace(a.Text), withoutFlags.Replace(b.Text)
	return a.matches(&b)
}

// sameInAnyOrder matches each with one of want.
func sameInAnyOrder(got, want []Notification) bool {
	if len(got) != len(want) {
		return false
	}
	want = slices.Clone(want)
	slices.SortStableFunc(want, func(a, b Notification) int { // those without a text match more, so they choose last
		switch {
		case a.NoText == b.NoText:
			return 0
		case b.NoText:
			return -1
		}
		return 1
	})
	left := slices.Clone(got)
	for i := range want {
		at := slices.IndexFunc(left, func(g Notification) bool { return g.matches(&want[i]) })
		if at < 0 {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return true
}

// sameRace is the same messages and the same texts, in any order: which message a text belonged to could not be recorded reliably while
// requests and hardware raced.
func sameRace(got, want []Notification) bool {
	parts := func(list []Notification) (heads, texts []string) {
		for _, n := range list {
			texts = append(texts, n.Text)
			n.NoText = true
			heads = append(heads, n.String())
		}
		slices.Sort(heads)
		slices.Sort(texts)
		return heads, texts
	}
	gotHeads, gotTexts := parts(got)
	wantHeads, wantTexts := parts(want)
	return slices.Equal(gotHeads, wantHeads) && slices.Equal(gotTexts, wantTexts)
}

// difference compares all but the notifications, of which the caller knows whether they are the same.
func difference(got, want *Outcome, sameNotifications bool) []string {
	var out []string
	report := func(what, got, want string) {
		if got != want {
			out = append(out, fmt.Sprintf("%s: got %s, want %s", what, got, want))
		}
	}
	report("exit", fmt.Sprint(got.Exit), fmt.Sprint(want.Exit))
	report("errno", fmt.Sprint(got.Errno), fmt.Sprint(want.Errno))
	report("stdout", fmt.Sprintf("%q", withoutIdleTime(got.Stdout)), fmt.Sprintf("%q", withoutIdleTime(want.Stdout)))
	report("stderr", fmt.Sprintf("%q", got.Stderr), fmt.Sprintf("%q", want.Stderr))
	if !sameNotifications {
		out = append(out, "notifications:")
		out = append(out, sideBySide(spell(got.Notifications), spell(want.Notifications))...)
	}
	if got, want := sorted(got.Gone), sorted(want.Gone); !slices.Equal(got, want) {
		out = append(out, "routes gone:")
		out = append(out, sideBySide(got, want)...)
	}
	if got, want := sorted(got.Came), sorted(want.Came); !slices.Equal(got, want) {
		out = append(out, "routes came:")
		out = append(out, sideBySide(got, want)...)
	}
	if !maps.Equal(got.Resources, want.Resources) {
		out = append(out, "resources:")
		out = append(out, sideBySide(resourceLines(got.Resources), resourceLines(want.Resources))...)
	}
	return out
}

var idleTime = regexp.MustCompile(`\bidle_time [0-9.]+`)

// withoutIdleTime hides how long the buckets of a resilient group have been idle: that depends on how fast the commands of a recording
// followed each other.
func withoutIdleTime(text string) string { return idleTime.ReplaceAllString(text, "idle_time …") }

// baseline compares the state after the setup, with the order of the dump.
func (j *judge) baseline(got *State) []string {
	if g, w := got.lines(), j.run.Baseline.lines(); !slices.Equal(g, w) {
		return sideBySide(g, w)
	}
	return nil
}

func spell(list []Notification) []string {
	var out []string
	for i := range list {
		out = append(out, list[i].String())
	}
	return out
}

func sorted(routes []Route) []string {
	var out []string
	for _, r := range routes {
		out = append(out, string(r))
	}
	slices.Sort(out)
	return out
}

// sideBySide shows two lists as one.
func sideBySide(got, want []string) []string {
	var out []string
	for _, l := range mergeRuns([][]string{got, want}) {
		mark := map[uint8]string{1: "got ", 2: "want", 3: "    "}[l.runs]
		out = append(out, "  "+mark+"  "+l.text)
	}
	return out
}

// mismatch is a part of a run that did not come out as wanted.
type mismatch struct {
	where string // "setup: CMD", "baseline" or "step 3: CMD"
	lines []string
}

func (m mismatch) String() string { return m.where + "\n    " + strings.Join(m.lines, "\n    ") }
