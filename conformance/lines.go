package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// lines spells a state: routes, then resources.
func (s *State) lines() []string {
	var out []string
	for _, r := range s.Routes {
		out = append(out, string(r))
	}
	return append(out, resourceLines(s.Resources)...)
}

// lines spells an outcome, as the package comment shows it.
func (o *Outcome) lines() []string {
	var out []string
	if o.Exit != 0 || len(o.Errno) > 0 {
		out = append(out, strings.TrimSpace(fmt.Sprintf("! %d %s", o.Exit, strings.Join(o.Errno, " "))))
	}
	for text := range strings.SplitAfterSeq(o.Stdout, "\n") {
		if text != "" {
			out = append(out, "1: "+strconv.Quote(text))
		}
	}
	for text := range strings.SplitAfterSeq(o.Stderr, "\n") {
		if text != "" {
			out = append(out, "2: "+strconv.Quote(text))
		}
	}
	for i := range o.Notifications {
		out = append(out, "> "+o.Notifications[i].String())
	}
	for n, also := range o.Also {
		mark := fmt.Sprintf("~%d", n+1)
		if len(also) == 0 {
			out = append(out, mark)
		}
		for i := range also {
			out = append(out, mark+" "+also[i].String())
		}
	}
	for _, r := range o.Gone {
		out = append(out, "- "+string(r))
	}
	for _, r := range o.Came {
		out = append(out, "+ "+string(r))
	}
	return append(out, resourceLines(o.Resources)...)
}

// parseOutcome reads what lines wrote.
func parseOutcome(lines []string) (o Outcome, err error) {
	for _, line := range lines {
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case mark == "!":
			words := strings.Fields(rest)
			if len(words) == 0 {
				return o, fmt.Errorf("%q: no exit code", line)
			}
			if o.Exit, err = strconv.Atoi(words[0]); err != nil {
				return o, err
			}
			if len(words) > 1 {
				o.Errno = words[1:]
			}
		case mark == "1:", mark == "2:":
			text, err := strconv.Unquote(rest)
			if err != nil {
				return o, fmt.Errorf("%s: %w", line, err)
			}
			if mark == "1:" {
				o.Stdout += text
			} else {
				o.Stderr += text
			}
		case mark == ">":
			n, err := parseNotification(rest)
			if err != nil {
				return o, err
			}
			o.Notifications = append(o.Notifications, n)
		case strings.HasPrefix(mark, "~"):
			if err := o.parseAlso(mark[1:], rest); err != nil {
				return o, err
			}
		case mark == "-":
			o.Gone = append(o.Gone, Route(rest))
		case mark == "+":
			o.Came = append(o.Came, Route(rest))
		case mark == "=":
			if o.Resources == nil {
				o.Resources = make(map[string]Resource)
			}
			if err := parseResource(o.Resources, rest); err != nil {
				return o, err
			}
		default:
			return o, fmt.Errorf("%q: want a line that starts with !, 1:, 2:, >, ~, -, + or =", line)
		}
	}
	return o, nil
}

// parseAlso reads a notification of another outcome, or with no text that there were none.
func (o *Outcome) parseAlso(number, rest string) error {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(o.Also)+1 {
		return fmt.Errorf("~%s: want the number of this outcome or the next", number)
	}
	if n > len(o.Also) {
		o.Also = append(o.Also, nil)
	}
	if rest == "" {
		return nil
	}
	m, err := parseNotification(rest)
	o.Also[n-1] = append(o.Also[n-1], m)
	return err
}

// parseState reads what State.lines wrote.
func parseState(lines []string) (s State, err error) {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "= "); ok {
			if s.Resources == nil {
				s.Resources = make(map[string]Resource)
			}
			if err := parseResource(s.Resources, rest); err != nil {
				return s, err
			}
			continue
		}
		s.Routes = append(s.Routes, Route(line))
	}
	return s, nil
}

// String spells a notification: message, flags, req or -, text.
func (n *Notification) String() string {
	flags, requested := "-", "-"
	if len(n.Flags) > 0 {
		flags = strings.Join(n.Flags, "|")
	}
	if n.Requested {
		requested = "req"
	}
	text := "?"
	if !n.NoText {
		text = quoteText(n.Text)
	}
	return n.Message + " " + flags + " " + requested + " " + text
}

func parseNotification(s string) (n Notification, err error) {
	words := strings.SplitN(s, " ", 4)
	if len(words) < 4 {
		return n, fmt.Errorf("notification %q: want message, flags, req or -, text", s)
	}
	n.Message = words[0]
	if words[1] != "-" {
		n.Flags = strings.Split(words[1], "|")
	}
	n.Requested = words[2] == "req"
	if n.NoText = words[3] == "?"; !n.NoText {
		n.Text, err = unquoteText(words[3])
	}
	return n, err
}

// A text's next hops go on its line, behind a backslash; one that could not be told from such a line is quoted.
const onALine, onNewLine = ` \ `, "\n\t"

func quoteText(text string) string {
	line := strings.ReplaceAll(text, onNewLine, onALine)
	if back, err := unquoteText(line); err != nil || back != text || strings.ContainsAny(line, "\n\r") || line == "?" {
		return strconv.Quote(text)
	}
	return line
}

func unquoteText(line string) (string, error) {
	if strings.HasPrefix(line, `"`) {
		return strconv.Unquote(line)
	}
	return strings.ReplaceAll(line, onALine, onNewLine), nil
}

// resourceLines spells resources: path, occupancy or ?, size.
func resourceLines(m map[string]Resource) []string {
	var out []string
	for path, r := range m {
		out = append(out, "= "+path+" "+r.String())
	}
	slices.Sort(out)
	return out
}

// String spells a resource: occupancy, or ? where none is shown, and size.
func (r Resource) String() string {
	if r.Occupancy < 0 {
		return "?/" + r.Size
	}
	return fmt.Sprintf("%d/%s", r.Occupancy, r.Size)
}

func parseResource(m map[string]Resource, s string) error {
	path, value, ok := strings.Cut(s, " ")
	occupancy, size, ok2 := strings.Cut(value, "/")
	if !ok || !ok2 {
		return fmt.Errorf("resource %q: want PATH OCCUPANCY/SIZE", s)
	}
	r := Resource{Size: size, Occupancy: -1}
	if occupancy != "?" {
		n, err := strconv.ParseUint(occupancy, 10, 31)
		if err != nil {
			return fmt.Errorf("resource %q: %w", s, err)
		}
		r.Occupancy = int(n)
	}
	m[path] = r
	return nil
}
