package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxLine bounds a line of a batch or load file, in bytes; a route with 256 next hops has about 20 kB.
const maxLine = 1 << 20

// batch carries out the commands in a file, one a line, or on standard input if file is "-". It stops at the first that fails,
// unless -force was given.
func (s *session) batch(ctx context.Context, file string) int {
	var in io.Reader
	if file == "-" {
		in = s.stdin(ctx)
	} else {
		f, err := os.Open(file)
		if err != nil {
			return s.report(cannotOpen(file, err))
		}
		defer f.Close()
		in = f
	}
	lines := newCommandLines(in)
	code := exitDone
	for lines.next() {
		words, err := splitWords(lines.text)
		if err == nil && len(words) == 0 {
			continue
		}
		if err == nil {
			err = s.do(ctx, words)
		}
		failed := s.report(err)
		if failed == exitDone {
			continue
		}
		s.warnf("Command failed %s:%d", file, lines.number)
		code = max(code, failed)
		if !s.options.force || ctx.Err() != nil {
			return code
		}
	}
	if ctx.Err() != nil {
		s.warnf(interrupted)
		return exitRefused
	}
	if lines.err != nil {
		s.warnf("Cannot read %q after line %d: %v", file, lines.number, lines.err)
		code = max(code, exitUsage)
	}
	return code
}

// cannotOpen is ip's message for a file that cannot be opened.
func cannotOpen(file string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	words := err.Error()
	return usageError(fmt.Sprintf("Cannot open file %q for reading: %s", file, strings.ToUpper(words[:1])+words[1:]))
}

// commandLines reads a batch: a # starts a comment, a backslash at the end of a line joins the next one to it.
type commandLines struct {
	in     *bufio.Scanner
	text   string // the present line
	number int    // of the line that text ends on
	err    error
}

func newCommandLines(in io.Reader) *commandLines {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, maxLine)
	return &commandLines{in: sc}
}

// next goes on to the next line and says whether there is one.
func (l *commandLines) next() bool {
	l.text = ""
	for l.in.Scan() {
		l.number++
		text, _, _ := strings.Cut(l.in.Text(), "#")
		before, more := strings.CutSuffix(text, `\`)
		l.text += before
		if !more {
			return true
		}
	}
	l.err = l.in.Err()
	return l.text != ""
}

// splitWords splits a line at white space; ' and " keep words together.
func splitWords(line string) ([]string, error) {
	var words []string
	for {
		line = strings.TrimLeft(line, " \t\r\n")
		if line == "" {
			return words, nil
		}
		if quote := line[0]; quote == '"' || quote == '\'' {
			word, rest, ok := strings.Cut(line[1:], string(quote))
			if !ok {
				return nil, usageError("Unterminated quoted string")
			}
			words, line = append(words, word), rest
			continue
		}
		end := strings.IndexAny(line, " \t\r\n")
		if end < 0 {
			end = len(line)
		}
		words, line = append(words, line[:end]), line[end:]
	}
}
