package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// guide runs commands and shows what the monitor says meanwhile. The first error ends the tour quietly; see err.
type guide struct {
	ctx    context.Context //nolint:containedctx // the tour is one call
	out    io.Writer
	dial   func() (*vasic.Client, error)
	client *vasic.Client
	err    error
	stop   context.CancelFunc // of the monitor
	ended  chan struct{}      // closed when the monitor has returned

	mu      sync.Mutex // guards all following fields
	scene   int
	asked   time.Time // when the last command was given
	told    []string  // monitor's lines since then
	partial []byte    // of the monitor's output
	show    bool      // print the monitor's lines as they come
}

// newGuide starts `vasicctl monitor` and waits until the switch is at rest.
func newGuide(ctx context.Context, out io.Writer, dial func() (*vasic.Client, error)) (*guide, error) {
	client, err := dial()
	if err != nil {
		return nil, err
	}
	monitorCtx, stop := context.WithCancel(ctx)
	g := &guide{ctx: ctx, out: out, dial: dial, client: client, stop: stop, ended: make(chan struct{})}
	g.settle()
	go func() {
		defer close(g.ended)
		command(monitorCtx, dial, []string{"monitor", "route"}, monitorWriter{g})
	}()
	g.await(func(s *vasicv1.GetStatusResponse) bool { return s.Watchers > 0 })
	return g, g.err
}

func (g *guide) close() {
	g.stop()
	<-g.ended
	_ = g.client.Close()
}

func (g *guide) sayf(format string, args ...any) {
	if g.err == nil {
		fmt.Fprintf(g.out, format+"\n", args...)
	}
}

func (g *guide) title(text string) {
	g.scene++
	g.sayf("\n%d. %s", g.scene, text)
}

// do gives a command and shows it, its output, and what the monitor sees until the chip is at rest.
func (g *guide) do(line string) { g.command(line, true) }

// quietly gives a command and returns what the monitor saw.
func (g *guide) quietly(line string) []string { return g.command(line, false) }

func (g *guide) command(line string, show bool) []string {
	if g.err != nil {
		return nil
	}
	if show {
		g.sayf("   $ vasicctl %s", line)
	}
	g.mu.Lock()
	g.asked, g.told, g.show = time.Now(), nil, show
	g.mu.Unlock()
	var output bytes.Buffer
	code := command(g.ctx, g.dial, strings.Fields(line), &output)
	if show {
		for text := range strings.Lines(output.String()) {
			fmt.Fprintf(g.out, "     %s\n", strings.TrimSpace(text))
		}
	}
	if code != 0 {
		g.err = fmt.Errorf("vasicctl %s ended with %d: %s", line, code, output.String())
		return nil
	}
	g.settle()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.told
}

// settle waits until hardware has nothing left to do and the monitor has had the time to say so.
func (g *guide) settle() {
	g.await(func(s *vasicv1.GetStatusResponse) bool { return s.QueueLength == 0 })
	g.pause(latency / 4)
}

// await asks the switch again and again until its status is as wanted.
func (g *guide) await(wanted func(*vasicv1.GetStatusResponse) bool) {
	for g.err == nil {
		var s *vasicv1.GetStatusResponse
		if s, g.err = g.client.Switch.GetStatus(g.ctx, &vasicv1.GetStatusRequest{}); g.err != nil || wanted(s) {
			return
		}
		g.pause(latency / 12)
	}
}

func (g *guide) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-g.ctx.Done():
		g.err = g.ctx.Err()
	}
}

// monitorWriter takes the monitor's output line by line.
type monitorWriter struct{ g *guide }

// Write implements io.Writer.
func (w monitorWriter) Write(b []byte) (int, error) {
	g := w.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.partial = append(g.partial, b...)
	for {
		line, rest, found := bytes.Cut(g.partial, []byte("\n"))
		if !found {
			return len(b), nil
		}
		text := strings.TrimSpace(string(line))
		g.partial = rest
		g.told = append(g.told, text)
		if g.show {
			fmt.Fprintf(g.out, "     +%4d ms  %s\n", time.Since(g.asked).Milliseconds(), text)
		}
	}
}

// told names what monitor lines are about: the route itself, then its flags.
func told(lines []string) string {
	var words []string
	for _, line := range lines {
		word := "added"
		if at := strings.Index(line, "rt_"); at >= 0 {
			word, _, _ = strings.Cut(line[at:], " ")
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
