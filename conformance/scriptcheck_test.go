package conformance

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestScriptsAreSpeltAsFormatSpells keeps -update from changing anything but outcomes.
func TestScriptsAreSpeltAsFormatSpells(t *testing.T) {
	t.Parallel()
	for _, file := range scriptFiles(t) {
		text := read(t, file)
		s, err := parseScript(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if formatted := s.format(); !bytes.Equal(formatted, text) {
			t.Errorf("%s is spelt otherwise by format:\n%s", file, formatted)
		}
		if !strings.HasPrefix(string(text), "# ") || !strings.Contains(strings.SplitN(string(text), "\n", 2)[0], ": ") {
			t.Errorf("%s: the first line is not of the form \"# RULE: WORDS\"", file)
		}
	}
}

// TestEveryChangeOfAScriptIsNoticed runs some scripts, then changes what they say, one line at a time: each change must be reported, at
// that step and with that setting only.
func TestEveryChangeOfAScriptIsNoticed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rule-9.9-replace", "origin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := parseScript(read(t, filepath.Join("testdata", "script", name+".txtar")))
			if err != nil {
				t.Fatal(err)
			}
			changes := 0
			for run, notify := range s.notify {
				got := s.run(t, notify)
				if m := s.compare(run, got); len(m) > 0 {
					t.Fatalf("without a change: %s", m[0])
				}
				for i, step := range s.steps() {
					written := step.want
					for what, changed := range scriptChanges(written, uint8(1)<<run) {
						changes++
						step.want = changed
						if len(s.compare(run, got)) != 1 {
							t.Errorf("notify=%d step %d: not noticed: %s", notify, i+1, what)
						}
					}
					step.want = written
				}
			}
			if changes < 20 {
				t.Errorf("only %d changes were made", changes)
			}
		})
	}
}

// scriptChanges are outcomes that differ in one thing for a setting, and what that is.
func scriptChanges(want []runLine, run uint8) map[string][]runLine {
	changes := map[string][]runLine{
		"a line more": append(slices.Clone(want), runLine{run, "> DELROUTE - - unicast 203.0.113.0/24 dev d1"}),
		"exit code":   slices.Insert(slices.Clone(want), 0, runLine{run, "! 2 EIO"}),
	}
	last := -1 // the line before of this setting
	for i, l := range want {
		if l.runs&run == 0 {
			continue
		}
		without := slices.Clone(want)
		without[i].runs &^= run
		changes["without: "+l.text] = without
		other := slices.Clone(without)
		changes["other words: "+l.text] = slices.Insert(other, i, runLine{run, l.text + " mtu 1"})
		changes["twice: "+l.text] = slices.Insert(slices.Clone(want), i, runLine{run, l.text})
		if last >= 0 && want[last].text != l.text {
			swapped := slices.Clone(want)
			swapped[last].text, swapped[i].text = l.text, want[last].text
			swapped[last].runs, swapped[i].runs = run, run
			changes["order: "+l.text] = swapped
		}
		last = i
	}
	return changes
}

// TestBadScriptsAreRefused names what is wrong.
func TestBadScriptsAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"$ vasicctl status\n":                           "the first line is not a comment",
		"# 9.1: x\nprofile switch\n":                    "there is no step",
		"# 9.1: x\nprofile a\nprofile b\n$ wait 1s\n":   "profile is there twice",
		"# 9.1: x\nnotify 0 3\n$ wait 1s\n":             "want different settings",
		"# 9.1: x\nnotify 1 1\n$ wait 1s\n":             "want different settings",
		"# 9.1: x\nnotify\n$ wait 1s\n":                 "want settings",
		"# 9.1: x\nwhatever\n$ wait 1s\n":               `"whatever" is not known here`,
		"# 9.1: x\n   > NEWROUTE\n$ wait 1s\n":          "belongs to no command",
		"# 9.1: x\nnotify 0 1\n$ wait 1s\n2  > NEW\n":   "not run with setting 2",
		"# 9.1: x\n$ wait 1s\nprofile switch\n":         "want a command behind $",
		"# 9.1: x\nsetup\n   vasicctl x\nseed 1\n$ w\n": `"seed 1" is not known here`,
	} {
		if _, err := parseScript([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
