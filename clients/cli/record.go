package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/clients/recording"
)

// recordRequest is a parsed `record`.
type recordRequest struct {
	file   string
	show   bool          // print the file
	force  bool          // overwrite it
	length time.Duration // 0: until ctx ends
}

// parseRecord reads what stands behind `record`.
func parseRecord(words []string) (*recordRequest, error) {
	r := &recordRequest{}
	p := parser{words: words}
	if abbreviates(p.peek(), "help") {
		return nil, helpError(usageRecord)
	}
	r.show = p.take("show")
	r.file = p.word()
	for p.more() {
		switch word := p.word(); {
		case word == "force" && !r.show:
			r.force = true
		case word == "for" && !r.show:
			r.length = p.duration("for", maxFor)
		default:
			p.fail(garbage(r.file, word))
		}
	}
	return r, p.err
}

// record is the object record: it keeps what clients do and what comes of it in a file.
func (s *session) record(ctx context.Context, words []string) error {
	req, err := parseRecord(words)
	if err != nil {
		return err
	}
	if req.show {
		return s.recordShow(ctx, req.file)
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	out, report := s.env.Stdout, s.env.Stderr
	var file *os.File
	if req.file != "-" {
		if file, err = createFile(req.file, req.force || s.options.force); err != nil {
			return err
		}
		out, report = file, s.env.Stdout
	}
	if req.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, req.length)
		defer cancel()
	}
	w := recording.NewWriter(out, strings.HasSuffix(req.file, ".gz"))
	var calls, events, size atomic.Uint64
	bar := s.newProgress(func(width int) string {
		return barLine(width, 0, false, fmt.Sprintf("%s calls  %s events  %s bytes", grouped(calls.Load()), grouped(events.Load()), grouped(size.Load())))
	})
	err = recording.Record(ctx, c, w, func() {
		calls.Store(w.Calls())
		events.Store(w.Events())
		size.Store(w.Bytes())
	})
	bar.stop()
	if file != nil {
		if closed := file.Close(); err == nil {
			err = closed
		}
		if w.Bytes() == 0 { // the switch was not reached
			err = errors.Join(err, os.Remove(req.file))
		}
	}
	if w.Bytes() > 0 {
		p := newPrinter(report, s.options)
		p.open("", '{')
		p.uint("calls", "calls ", w.Calls())
		p.uint("events", "events ", w.Events())
		p.uint("bytes", "bytes ", w.Bytes())
		p.close('}')
		p.text("\n")
		err = p.finish(err)
	}
	return err
}

// createFile makes a file, which must not be there unless force is set.
func createFile(name string, force bool) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(name, flags, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, usageError(fmt.Sprintf("Error: %q exists; %q overwrites it.", name, "force"))
	case err != nil:
		return nil, usageError(fmt.Sprintf("Cannot write %q: %v", name, pathError(err)))
	}
	return f, nil
}

// pathError is the error without the name of the file.
func pathError(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// recordShow prints a recording: an object of JSON a line with -j, else a line of text.
func (s *session) recordShow(ctx context.Context, name string) error {
	r, done, err := s.openRecording(name)
	if err != nil {
		return err
	}
	defer done()
	p := s.newPrinter()
	p.frame("started", compact(r.Started()))
	for number := 1; ctx.Err() == nil; {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return p.finish(nil)
		}
		if err != nil {
			return p.finish(usageError(fmt.Sprintf("Cannot read %q: %v", name, err)))
		}
		switch {
		case f.Event != nil:
			p.frame("event", compact(f.Event))
		case f.Ended != nil:
			p.frame("ended", compact(f.Ended))
		case f.Call != nil:
			what := fmt.Sprintf("%d %s revision %d programmed %d position %d", number, f.Call.GetMethod(), f.Call.GetRevision(), f.Call.GetProgrammed(), f.Call.GetPosition())
			if n := f.Call.GetStream(); n != 0 {
				what += fmt.Sprintf(" stream %d", n)
			}
			if code := codes.Code(f.Call.GetCode()); code != codes.OK {
				what += " " + code.String()
			}
			if refused := f.Call.GetRefused(); len(refused) > 0 {
				what += fmt.Sprintf(" refused %v", refused)
			}
			number++
			request, err := recording.Request(f.Call)
			text := compact(request)
			if err != nil {
				text = `"unknown"`
			}
			if p.json {
				call := compact(f.Call)
				p.frame("call", call[:len(call)-1]+`,"message":`+text+"}")
			} else {
				p.frame("call "+what, text)
			}
		}
	}
	return p.finish(context.Cause(ctx))
}

// frame prints one entry of a recording.
func (p *printer) frame(what, text string) {
	if p.json {
		p.w.WriteString(`{"` + what + `":` + text + "}\n")
		return
	}
	p.w.WriteString(what + " " + text + "\n")
}

// compact is a message as JSON on one line, the same for the same message.
func compact(m proto.Message) string {
	b, err := protojson.Marshal(m)
	if err != nil {
		return "null"
	}
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		return "null"
	}
	return out.String()
}
