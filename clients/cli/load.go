package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	// loadBatch is how many routes go into one message.
	loadBatch = 512
	// loadInFlight is how many routes wait for an answer at most; it covers the time that a busy switch needs for some batches.
	loadInFlight = 32 * loadBatch
	// shownErrors is how many lines that failed are named.
	shownErrors = 10
)

// loadCounts is what became of the lines of a file. Counters of answers are written by the goroutine that receives them.
type loadCounts struct {
	statuses   [int(vasicv1.OperationStatus_OPERATION_STATUS_SUPERSEDED) + 1]atomic.Uint64 // by OperationStatus
	unchanged  atomic.Uint64                                                               // accepted, and nothing was changed
	unreadable atomic.Uint64
	sent       atomic.Uint64

	mu     sync.Mutex // guards errors
	errors []string   // the first few, with file and line
}

// status returns how many operations had that status.
func (c *loadCounts) status(s vasicv1.OperationStatus) uint64 { return c.statuses[s].Load() }

// inHardware is how many operations hardware has carried out.
func (c *loadCounts) inHardware() uint64 {
	return c.status(vasicv1.OperationStatus_OPERATION_STATUS_OFFLOADED) +
		c.status(vasicv1.OperationStatus_OPERATION_STATUS_TRAPPED) +
		c.status(vasicv1.OperationStatus_OPERATION_STATUS_REMOVED)
}

// notSelected is how many changes hardware was not asked for.
func (c *loadCounts) notSelected() uint64 {
	n := c.status(vasicv1.OperationStatus_OPERATION_STATUS_NOT_SELECTED)
	return n - min(n, c.unchanged.Load())
}

// settled is how many lines nothing more will be heard of; noWait says that hardware does not matter.
func (c *loadCounts) settled(noWait bool) uint64 {
	n := c.status(vasicv1.OperationStatus_OPERATION_STATUS_REFUSED)
	if noWait {
		return n + c.status(vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED)
	}
	for s := vasicv1.OperationStatus_OPERATION_STATUS_OFFLOADED; int(s) < len(c.statuses); s++ {
		n += c.status(s)
	}
	return n
}

// fail notes a line that failed.
func (c *loadCounts) fail(file string, line uint64, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.errors) < shownErrors {
		c.errors = append(c.errors, fmt.Sprintf("%s:%d: %s", file, line, why))
	}
}

// routeLoad programs the routes of a file over one stream.
func (s *session) routeLoad(ctx context.Context, words []string) error {
	req, err := parseLoad(words, s.options.family)
	if err != nil {
		return err
	}
	var in io.Reader
	size := int64(0)
	if req.file == "-" {
		in = s.stdin(ctx)
	} else {
		f, err := os.Open(req.file)
		if err != nil {
			return cannotOpen(req.file, err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in = f
	}
	counted := &countingReader{in: in}
	lines, err := newLoadLines(counted)
	if err != nil {
		return usageError(fmt.Sprintf("Cannot read %q: %v", req.file, err))
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	req.table = knownTables(ctx, c)
	source, err := newRouteSource(lines, req)
	if err != nil {
		return err
	}
	counts, start := &loadCounts{}, time.Now()
	programmer, err := c.NewProgrammer(ctx, vasic.ProgrammerOptions{
		BatchSize:      loadBatch,
		MaxInFlight:    loadInFlight,
		ReportHardware: !req.noWait,
		OnResult:       func(r vasic.Result) { s.loadResult(counts, req.file, r) },
	})
	if err != nil {
		return err
	}
	bar := &loadBar{counts: counts, read: counted, size: size, noWait: req.noWait, start: time.Now()}
	drawn := s.newProgress(bar.line)
	s.send(programmer, source, counts)
	bar.sentAll()
	err = programmer.Close()
	drawn.stop()
	return s.loadDone(counts, req, lines, time.Since(start), err)
}

// send sends every line as an operation. What ends the stream is for Close to say.
func (s *session) send(p *vasic.Programmer, source *routeSource, counts *loadCounts) {
	file := source.req.file
	for {
		op, ok, err := source.next()
		if !ok {
			return
		}
		if err == nil {
			err = p.Send(op)
			if err != nil && !errors.Is(err, vasic.ErrMalformed) {
				return
			}
		}
		if err == nil {
			counts.sent.Add(1)
			continue
		}
		counts.unreadable.Add(1)
		counts.fail(file, op.ID, firstLine(s.messageOf(err)))
	}
}

// messageOf is what report would print.
func (s *session) messageOf(err error) string {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.text
	}
	return s.errorText(err)
}

// loadResult counts an answer. It runs in the goroutine that receives them.
func (s *session) loadResult(counts *loadCounts, file string, r vasic.Result) {
	if int(r.Status) < len(counts.statuses) {
		counts.statuses[r.Status].Add(1)
	}
	switch r.Status {
	case vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED:
		if r.RouteID == 0 { // the same route was there
			counts.unchanged.Add(1)
		}
	case vasicv1.OperationStatus_OPERATION_STATUS_REFUSED:
		counts.fail(file, r.ID, s.errorText(r.Err))
	case vasicv1.OperationStatus_OPERATION_STATUS_FAILED:
		counts.fail(file, r.ID, "hardware did not take the route: "+failureText(r.FailureReason))
	}
}

// loadDone prints what became of the file, and decides the exit code.
func (s *session) loadDone(counts *loadCounts, req *loadRequest, lines *loadLines, took time.Duration, err error) error {
	refused := counts.status(vasicv1.OperationStatus_OPERATION_STATUS_REFUSED)
	failed := counts.status(vasicv1.OperationStatus_OPERATION_STATUS_FAILED)
	unreadable := counts.unreadable.Load()
	for _, e := range counts.errors {
		s.warnf("%s", e)
	}
	if rest := refused + failed + unreadable - uint64(len(counts.errors)); rest > 0 {
		s.warnf("… and %d more.", rest)
	}
	accepted := counts.status(vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED)
	rate := float64(accepted+refused) / max(took.Seconds(), 1e-9)
	p := s.newPrinter()
	p.open("", '{')
	p.uint("accepted", "accepted ", accepted)
	p.uint("unchanged", "unchanged ", counts.unchanged.Load())
	p.uint("refused", "refused ", refused)
	p.uint("unreadable", "unreadable ", unreadable)
	if !req.noWait {
		p.uint("in_hardware", "in_hardware ", counts.inHardware())
		p.uint("failed", "failed ", failed)
		p.uint("not_selected", "not_selected ", counts.notSelected())
		p.uint("superseded", "superseded ", counts.status(vasicv1.OperationStatus_OPERATION_STATUS_SUPERSEDED))
	}
	p.float("seconds", "seconds ", took.Seconds(), 3)
	p.float("routes_per_second", "routes_per_second ", rate, 0)
	p.close('}')
	p.text("\n")
	err = p.finish(err)
	switch {
	case err != nil:
		return err
	case lines.err != nil && !errors.Is(lines.err, io.EOF):
		return usageError(fmt.Sprintf("Cannot read %q after line %d: %v", req.file, lines.number, lines.err))
	case refused > 0:
		return &exitError{code: exitRefused}
	case unreadable > 0:
		return &exitError{code: exitUsage}
	}
	return nil
}
