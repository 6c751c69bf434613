package cli

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// loadBar is the progress of a load. It reads the counters.
type loadBar struct {
	counts *loadCounts
	read   *countingReader
	size   int64 // of the file, in bytes; 0 if it is not known
	noWait bool
	start  time.Time
	all    atomic.Bool // everything has been sent
}

// sentAll says that every line has been sent, so that from now on their number is known.
func (b *loadBar) sentAll() { b.all.Store(true) }

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
	return barLine(width, share, known, text.String())
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
