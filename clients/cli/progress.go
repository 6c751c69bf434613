package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress draws a line on a terminal, again and again. Its goroutine calls line; stop ends it. A nil progress does nothing.
type progress struct {
	line func(width int) string // in so many columns

	w     io.Writer
	width func() int // of the terminal, in columns

	quit chan struct{}
	done sync.WaitGroup
}

// barInterval is how often the line is drawn.
const barInterval = 100 * time.Millisecond

// newProgress returns a progress that runs, or nil if standard error is no terminal.
func (s *session) newProgress(line func(width int) string) *progress {
	f, ok := terminal(s.env.Stderr)
	if !ok {
		return nil
	}
	b := &progress{line: line, w: f, quit: make(chan struct{})}
	b.width = func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return width
	}
	b.done.Go(b.run)
	return b
}

// terminal is w if it is one.
func terminal(w io.Writer) (*os.File, bool) {
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// isTerminal says whether w is one: there a progress would mix with what is printed.
func isTerminal(w io.Writer) bool {
	_, ok := terminal(w)
	return ok
}

// stop wipes the line out.
func (b *progress) stop() {
	if b != nil {
		close(b.quit)
		b.done.Wait()
	}
}

// run draws until stop.
func (b *progress) run() {
	tick := time.NewTicker(barInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(b.w, "\r%s\x1b[K", b.line(b.width()-1))
		case <-b.quit:
			fmt.Fprint(b.w, "\r\x1b[K")
			return
		}
	}
}

// barLine is a bar that shows a share, if it is known, and text behind it, in so many columns.
func barLine(width int, share float64, known bool, text string) string {
	bar := ""
	if room := min(width-len(text)-len("[] 100%"), 40); known && room >= 5 {
		full := int(share * float64(room))
		bar = fmt.Sprintf("[%s%s] %3d%%", strings.Repeat("#", full), strings.Repeat(".", room-full), int(share*100))
	} else if known {
		bar = fmt.Sprintf("%3d%%", int(share*100))
	}
	line := bar + text
	return line[:min(len(line), max(width, 0))]
}

// shareOf is how much of a whole is done; it is not known if the whole is not.
func shareOf(done, whole int64) (share float64, known bool) {
	if whole <= 0 {
		return 0, false
	}
	return min(float64(done)/float64(whole), 1), true
}
