package server

import (
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// DefaultHeadroomBytes is what vasicd gives KeepHeadroom: as much as a full Internet table takes, twice.
const DefaultHeadroomBytes = 256 << 20

// KeepHeadroom lets the garbage collector wait until at least so many bytes were allocated since its last run, rather than as many as are alive, which is little
// while a table is being loaded: then a quarter of the time went into collecting. It is for a process that is a switch and nothing else, as it concerns all of it. Where
// the environment variable GOGC says how often to collect, that counts, and KeepHeadroom does nothing.
func KeepHeadroom(bytes uint64) {
	if os.Getenv("GOGC") == "" {
		(&headroom{bytes: bytes}).adjust()
	}
}

// headroom has itself finalized, and comes back, whenever the collector has run.
type headroom struct {
	bytes uint64
	_     [16]byte // tiny objects share memory, and may never be finalized
}

func (h *headroom) adjust() {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(sample)
	live := max(sample[0].Value.Uint64(), 4<<20)        // the runtime starts from 4 MiB, times the percentage
	debug.SetGCPercent(int(max(100, 100*h.bytes/live))) //nolint:gosec // at most a hundred times the megabytes
	runtime.SetFinalizer(h, (*headroom).adjust)
}
