package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// loadBar draws the progress of a load on a terminal, on one line. Without a terminal it does nothing. Its goroutine reads
// the counters; stop ends it.
type loadBar struct {
	counts *loadCounts
	read   *countingReader
	size   int64 // of the file, in bytes; 0 if it is not known
	noWait bool
	start  time.Time

	w     io.Writer
	width func() int // of the terminal, in columns

	all  atomic.Bool // everything has been sent
	quit chan struct{}
	done sync.WaitGroup
}

// barInterval is how often the line is drawn.
const barInterval = 100 * time.Millisecond

// newLoadBar returns a bar that runs, or nil if standard error is no terminal.
func (s *session) newLoadBar(counts *loadCounts, read *countingReader, size int64, noWait bool) *loadBar {
	f, ok := s.env.Stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	b := &loadBar{counts: counts, read: read, size: size, noWait: noWait, start: time.Now(), w: f, quit: make(chan struct{})}
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

// sentAll says that every line has been sent, so that from now on their number is known.
func (b *loadBar) sentAll() {
	if b != nil {
		b.all.Store(true)
	}
}

// stop wipes the line out.
func (b *loadBar) stop() {
	if b != nil {
		close(b.quit)
		b.done.Wait()
	}
}

// run draws until stop.
func (b *loadBar) run() {
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

// line is what is drawn in so many columns.
func (b *loadBar) line(width int) string {
	accepted := b.counts.status(vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED)
	refused := b.counts.status(vasicv1.OperationStatus_OPERATION_STATUS_REFUSED)
	failed := b.counts.status(vasicv1.OperationStatus_OPERATION_STATUS_FAILED)
	var text strings.Builder
	fmt.Fprintf(&text, " %s accepted", grouped(accepted))
	if !b.noWait {
		fmt.Fprintf(&text, "  %s in hardware  %s failed", grouped(b.counts.inHardware()), grouped(failed))
	}
	if n := refused + b.counts.unreadable.Load(); n > 0 {
		fmt.Fprintf(&text, "  %s refused", grouped(n))
	}
	fmt.Fprintf(&text, "  %s/s", grouped(uint64(float64(accepted+refused)/max(time.Since(b.start).Seconds(), 0.001))))

	share, known := b.share()
	bar := ""
	if room := min(width-text.Len()-len("[] 100%"), 40); known && room >= 5 {
		full := int(share * float64(room))
		bar = fmt.Sprintf("[%s%s] %3d%%", strings.Repeat("#", full), strings.Repeat(".", room-full), int(share*100))
	} else if known {
		bar = fmt.Sprintf("%3d%%", int(share*100))
	}
	line := bar + text.String()
	return line[:min(len(line), max(width, 0))]
}

// share is how much of the file has been settled; how many lines it has is estimated by its size until all have been read.
func (b *loadBar) share() (float64, bool) {
	total := float64(b.counts.sent.Load())
	if !b.all.Load() {
		read := b.read.bytes.Load()
		if b.size == 0 || read == 0 {
			return 0, false
		}
		total *= float64(b.size) / float64(read)
	}
	if total == 0 {
		return 0, b.all.Load()
	}
	return min(float64(b.counts.settled(b.noWait))/total, 1), true
}

// grouped is n with commas.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
