package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"
)

// script is one file of testdata/script: a rule in plain words, and the commands and outcomes that show it.
type script struct {
	archive   *txtar.Archive
	notify    []int
	settings  []setting // of the header, in order
	setup     []string
	parts     []scriptPart
	setupLine int // the part in front of which the setup stands
}

// setting is one line of the header: a word and what stands behind it.
type setting struct{ word, rest string }

// scriptPart is a line that is kept as it is, or a step.
type scriptPart struct {
	text string
	step *scriptStep
}

// scriptStep is a command and, for each line of its outcome, the settings that have it.
type scriptStep struct {
	cmd  string
	want []runLine
}

// Words that a header may have, and whether more than once.
var headerWords = map[string]bool{
	"profile": false, "seed": false, "notify": false, "latency": false, "neighbors": false, "resources": false, "link": true,
}

// parseScript reads a script.
func parseScript(text []byte) (*script, error) {
	p := scriptParser{s: &script{archive: txtar.Parse(text), notify: []int{0}}}
	lines := strings.Split(strings.TrimSuffix(string(p.s.archive.Comment), "\n"), "\n")
	for i, line := range lines {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	switch {
	case len(lines) == 0 || !strings.HasPrefix(lines[0], "# "):
		return nil, errors.New("the first line is not a comment that says what the script shows")
	case len(p.s.steps()) == 0:
		return nil, errors.New("there is no step")
	}
	return p.s, nil
}

// scriptParser reads a script line by line.
type scriptParser struct {
	s       *script
	inSetup bool
	step    *scriptStep
}

func (p *scriptParser) line(line string) error {
	s := p.s
	keep := func() { s.parts = append(s.parts, scriptPart{text: line}) }
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case strings.TrimSpace(line) == "", word == "#":
		keep()
		return nil
	case isContent(line):
		return p.content(strings.TrimSpace(line[:indent]), strings.TrimRight(line[indent:], " "))
	case word == "$":
		p.step, p.inSetup = &scriptStep{cmd: rest}, false
		s.parts = append(s.parts, scriptPart{step: p.step})
		return nil
	case p.step != nil:
		return fmt.Errorf("%q: want a command behind $, a comment, or a line of the outcome, indented by %d", line, indent)
	case line == "setup":
		p.inSetup = true
		keep()
		s.setupLine = len(s.parts)
		return nil
	}
	many, ok := headerWords[word]
	if !ok || p.inSetup {
		return fmt.Errorf("%q is not known here", line)
	}
	if !many && slices.ContainsFunc(s.settings, func(x setting) bool { return x.word == word }) {
		return fmt.Errorf("%s is there twice", word)
	}
	s.settings = append(s.settings, setting{word, rest})
	keep()
	if word == "notify" {
		return s.parseNotify(rest)
	}
	return nil
}

// isContent says whether a line belongs to the setup or the step above it: its first columns name settings, or none.
func isContent(line string) bool {
	return len(line) > indent && line[indent-1] == ' ' && strings.Trim(line[:indent], " 012") == ""
}

func (s *script) parseNotify(rest string) error {
	s.notify = nil
	for _, w := range strings.Fields(rest) {
		n, err := strconv.Atoi(w)
		if err != nil || n < 0 || n > 2 || slices.Contains(s.notify, n) {
			return fmt.Errorf("notify %s: want different settings, from 0 to 2", rest)
		}
		s.notify = append(s.notify, n)
	}
	if len(s.notify) == 0 {
		return errors.New("notify: want settings")
	}
	return nil
}

func (p *scriptParser) content(column, text string) error {
	switch {
	case p.inSetup && column == "":
		p.s.setup = append(p.s.setup, text)
		return nil
	case p.step == nil:
		return fmt.Errorf("%q belongs to no command", text)
	}
	var runs uint8
	for i, n := range p.s.notify {
		if column == "" || strings.Contains(column, strconv.Itoa(n)) {
			runs |= 1 << i
		}
	}
	if runs == 0 {
		return fmt.Errorf("the script is not run with setting %s", column)
	}
	p.step.want = append(p.step.want, runLine{runs, text})
	return nil
}

// steps are the steps in order.
func (s *script) steps() []*scriptStep {
	var out []*scriptStep
	for _, p := range s.parts {
		if p.step != nil {
			out = append(out, p.step)
		}
	}
	return out
}

// setting is what the header says, or def.
func (s *script) setting(word, def string) string {
	for _, x := range s.settings {
		if x.word == word {
			return x.rest
		}
	}
	return def
}

// format spells the script as parseScript reads it.
func (s *script) format() []byte {
	var b strings.Builder
	for i, p := range s.parts {
		if i == s.setupLine {
			for _, cmd := range s.setup {
				fmt.Fprintf(&b, "%*s%s\n", indent, "", cmd)
			}
		}
		if p.step == nil {
			b.WriteString(p.text + "\n")
			continue
		}
		b.WriteString("$ " + p.step.cmd + "\n")
		for _, l := range p.step.want {
			fmt.Fprintf(&b, "%-*s%s\n", indent, s.column(l.runs), l.text)
		}
	}
	return txtar.Format(&txtar.Archive{Comment: []byte(b.String()), Files: s.archive.Files})
}

// column names settings; nothing means all.
func (s *script) column(runs uint8) string {
	if runs == 1<<len(s.notify)-1 {
		return ""
	}
	var b strings.Builder
	for i, n := range s.notify {
		if runs&(1<<i) != 0 {
			b.WriteString(strconv.Itoa(n))
		}
	}
	return b.String()
}

// compare returns what differs between the outcomes of the steps with the script's setting number run and what the script says.
func (s *script) compare(run int, got [][]string) []mismatch {
	var out []mismatch
	for i, step := range s.steps() {
		if want := linesOf(step.want, run); !slices.Equal(got[i], want) {
			out = append(out, mismatch{fmt.Sprintf("step %d: %s", i+1, step.cmd), sideBySide(got[i], want)})
		}
	}
	return out
}

// take makes the outcomes with each setting what the script says.
func (s *script) take(got [][][]string) {
	for i, step := range s.steps() {
		runs := make([][]string, len(got))
		for run := range got {
			runs[run] = got[run][i]
		}
		step.want = mergeRuns(runs)
	}
}
