package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Parse reads what Format wrote.
func Parse(text []byte) (*Trace, error) {
	p := parser{trace: &Trace{}}
	for number, line := range strings.Split(string(text), "\n") {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	if err := p.flush(); err != nil {
		return nil, err
	}
	return p.trace, p.trace.check()
}

// parser reads a trace line by line: lines of the present section gather until the next one starts.
type parser struct {
	trace   *Trace
	section string // "", "setup", "setup failures", "baseline" or "$ COMMAND"
	lines   []runLine
}

func (p *parser) line(line string) error {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	if len(line) > indent && (line[indent-1] == ' ') && strings.Trim(line[:indent], " 012") == "" {
		return p.content(strings.TrimSpace(line[:indent]), line[indent:])
	}
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "#":
		p.trace.About = rest
		return nil
	case "trace":
		return p.header(rest)
	case "kernel":
		_, err := fmt.Sscanf(rest, "%s iproute2 %s", &p.trace.Kernel, &p.trace.IPRoute2)
		return err
	case "runs":
		return p.runs(rest)
	case "setup", "baseline", "$":
		if err := p.flush(); err != nil {
			return err
		}
		p.section = line
		return nil
	}
	return fmt.Errorf("%q is not known here", line)
}

func (p *parser) header(rest string) error {
	words := strings.Fields(rest)
	if len(words) != 3 {
		return fmt.Errorf("trace %q: want NAME GROUP CLASS", rest)
	}
	dot := strings.LastIndex(words[0], ".v")
	if dot < 0 {
		return fmt.Errorf("trace %q: want SCENARIO.vFAMILY", words[0])
	}
	p.trace.Scenario, p.trace.Family = words[0][:dot], words[0][dot+2:]
	p.trace.Group, p.trace.Class = words[1], words[2]
	return nil
}

func (p *parser) runs(rest string) error {
	for _, word := range strings.Fields(rest) {
		digits, star := strings.CutSuffix(word, "*")
		notify, err := strconv.Atoi(digits)
		if err != nil {
			return err
		}
		p.trace.Runs = append(p.trace.Runs, Run{Notify: notify, OrderMayDiffer: star})
	}
	return nil
}

// content takes a line of the section; column names the runs that have it.
func (p *parser) content(column, text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("nothing stands behind the column of runs")
	}
	var runs uint8
	for i := range p.trace.Runs {
		if column == "" || strings.Contains(column, strconv.Itoa(p.trace.Runs[i].Notify)) {
			runs |= 1 << i
		}
	}
	name, ok := strings.CutPrefix(text, "@")
	if !ok {
		p.lines = append(p.lines, runLine{runs, text})
		return nil
	}
	block := commonLines(name)
	if block == nil {
		return fmt.Errorf("no common lines @%s", name)
	}
	for _, l := range block {
		p.lines = append(p.lines, runLine{runs, l})
	}
	return nil
}

// flush ends the section.
func (p *parser) flush() error {
	lines := p.lines
	p.lines = nil
	if p.section == "setup" {
		p.trace.Setup = linesOf(lines, 0)
		return nil
	}
	for i := range p.trace.Runs {
		run, own := &p.trace.Runs[i], linesOf(lines, i)
		var err error
		switch {
		case p.section == "setup failures":
			run.SetupFailures = own
		case p.section == "baseline":
			run.Baseline, err = parseState(own)
		case p.section != "":
			step := Step{Cmd: strings.TrimPrefix(p.section, "$ ")}
			step.Outcome, err = parseOutcome(own)
			run.Steps = append(run.Steps, step)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
