package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/vasic-project/vasic/clients/recording"
)

// replayRequest is a parsed `replay`.
type replayRequest struct {
	file    string
	options recording.ReplayOptions
}

// parseReplay reads what stands behind `replay`.
func parseReplay(words []string) (*replayRequest, error) {
	r := &replayRequest{}
	p := parser{words: words}
	if abbreviates(p.peek(), "help") {
		return nil, helpError(usageRecord)
	}
	r.file = p.word()
	for p.more() {
		switch word := p.word(); word {
		case "speed":
			switch w := p.word(); w {
			case "recorded":
				r.options.Paced = true
			case "full":
				r.options.Paced = false
			default:
				p.fail(wrongWord(w, `a speed is "recorded" or "full"`))
			}
		case "force":
			r.options.Force = true
		default:
			p.fail(garbage(r.file, word))
		}
	}
	return r, p.err
}

// replay is the object replay: it does again what a recording has, and compares what comes of it.
func (s *session) replay(ctx context.Context, words []string) error {
	req, err := parseReplay(words)
	if err != nil {
		return err
	}
	req.options.Force = req.options.Force || s.options.force
	f, err := os.Open(req.file)
	if err != nil {
		return cannotOpen(req.file, err)
	}
	defer f.Close()
	counted := &countingReader{in: f}
	r, err := recording.NewReader(counted)
	if err != nil {
		return usageError(fmt.Sprintf("Cannot read %q: %v", req.file, err))
	}
	var size int64
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	run := recording.NewReplay(c, r, req.options)
	bar := s.newProgress(func(width int) string {
		share, known := shareOf(counted.bytes.Load(), size)
		return barLine(width, share, known, fmt.Sprintf(" %s calls  %s events", grouped(run.Calls()), grouped(run.Events())))
	})
	result, err := run.Run(ctx)
	bar.stop()
	if mismatch, ok := errors.AsType[*recording.MismatchError](err); ok {
		return usageError(fmt.Sprintf("Error: %v; a replay needs a fresh switch like the recorded one (%q replays nevertheless).", mismatch, "force"))
	}
	if errors.Is(err, recording.ErrDamaged) {
		return usageError(fmt.Sprintf("Cannot read %q: %v", req.file, err))
	}
	if err != nil {
		return err
	}
	if result.Torn != nil {
		s.warnf("Warning: %q: %v; what is whole was replayed.", req.file, result.Torn)
	}
	return s.replayed(&result)
}

// replayed prints what became of a replay, and decides the exit code.
func (s *session) replayed(r *recording.Result) error {
	p := s.newPrinter()
	if p.json {
		p.open("", '{')
		p.uint("calls", "", r.Calls)
		p.uint("skipped", "", r.Skipped)
		p.uint("events", "", r.Events)
		p.uint("more", "", r.More)
		if d := r.Difference; d != nil {
			p.key("difference")
			p.open("", '{')
			p.str("what", "", d.What)
			if d.Recorded != nil {
				p.raw("recorded", compact(d.Recorded))
			}
			if d.Replayed != nil {
				p.raw("replayed", compact(d.Replayed))
			}
			p.close('}')
		}
		p.close('}')
	} else if r.Difference == nil {
		p.text(fmt.Sprintf("%d calls, %d events: the same\n", r.Calls, r.Events))
		if r.More > 0 {
			p.text(fmt.Sprintf("%d events more came of what the recording ended in the middle of\n", r.More))
		}
	}
	if err := p.finish(nil); err != nil || r.Difference == nil {
		return err
	}
	d := r.Difference
	text := fmt.Sprintf("Error: after %d calls and %d events that are the same: %s.", r.Calls, r.Events, d.What)
	if d.Recorded != nil {
		text += "\nrecorded " + compact(d.Recorded)
	}
	if d.Replayed != nil {
		text += "\nreplayed " + compact(d.Replayed)
	}
	return &exitError{code: exitRefused, text: text}
}

// raw writes a member whose value is JSON already.
func (p *printer) raw(key, value string) {
	p.key(key)
	p.w.WriteString(value)
	p.sep = ','
}
