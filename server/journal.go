package server

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/notifier"
)

// Fields of vasic.v1 messages that are filled by hand.
const (
	fieldWatchEvents    protowire.Number = 1 // WatchResponse.events
	fieldWatchSnapshot  protowire.Number = 3 // WatchResponse.snapshot
	fieldSnapshotRoutes protowire.Number = 1 // Snapshot.routes
	fieldListRoutes     protowire.Number = 1 // ListRoutesResponse.routes
	fieldResults        protowire.Number = 1 // ModifyRoutesResponse.results
	fieldRecordEvents   protowire.Number = 3 // RecordResponse.events
	fieldEventRevision  protowire.Number = 1 // Event.revision

	fieldCompareComparisons protowire.Number = 1 // CompareAddressesResponse.comparisons
	fieldAuditComparisons   protowire.Number = 1 // AuditResponse.comparisons
	fieldAuditProgress      protowire.Number = 4 // AuditResponse.progress
)

// meta is what filters and snapshots need to know of an event. It has no pointers. Of an event about a next-hop object only revision, family and kind are set.
type meta struct {
	revision uint64
	addr     [16]byte
	table    uint32
	source   uint32 // number of the source prefix; 0 for none
	bits     uint8
	family   fib.Family
	kind     fib.Kind
	protocol uint8
	flags    fib.Flags
}

func (m *meta) prefix() netip.Prefix {
	a := netip.AddrFrom16(m.addr)
	if m.family == fib.IPv4 {
		a = netip.AddrFrom4([4]byte(m.addr[12:]))
	}
	return netip.PrefixFrom(a, int(m.bits))
}

// journal is the FIB's sink: it encodes each event once into the log, as WatchResponse.events, so that a run of events is a message.
type journal struct {
	log     *notifier.Log[meta]
	told    func()                       // called after each publication; must not block
	encoder encoder                      // used only with the log's lock held, while it encodes
	counts  [fib.KindCount]atomic.Uint64 // events published, by kind

	mu      sync.Mutex // guards sources; a leaf lock
	sources map[netip.Prefix]uint32
}

func newJournal(epoch uint64, capacityBytes int) *journal {
	return &journal{
		told:    func() {},
		log:     notifier.New[meta](notifier.Config{Epoch: epoch, CapacityBytes: capacityBytes}),
		sources: make(map[netip.Prefix]uint32),
	}
}

// Head implements fib.Sink.
func (j *journal) Head() uint64 { return j.log.Head() }

// Publish implements fib.Sink.
func (j *journal) Publish(events []fib.Event) uint64 {
	var room [16]byte
	stamped := appendStamp(room[:0], time.Now().UnixNano())
	defer j.told()
	return j.log.Append(len(events), func(i int, revision uint64, dst []byte) ([]byte, meta) {
		ev := &events[i]
		j.counts[ev.Kind].Add(1)
		return j.encoder.appendEvent(dst, fieldWatchEvents, ev, revision, stamped), j.metaOf(ev, revision)
	})
}

func (j *journal) metaOf(ev *fib.Event, revision uint64) meta {
	r := &ev.Route
	if !ev.Kind.AboutRoute() {
		return meta{revision: revision, family: r.Family, kind: ev.Kind}
	}
	return meta{
		revision: revision, addr: r.Prefix.Addr().As16(), bits: uint8(r.Prefix.Bits()), table: r.Table, source: j.sourceNumber(r.Source), family: r.Family, //nolint:gosec // at most 128
		kind: ev.Kind, protocol: r.Info.Protocol, flags: r.Flags,
	}
}

// sourceNumber names a source prefix. Few routes have one.
func (j *journal) sourceNumber(source netip.Prefix) uint32 {
	if !source.IsValid() {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	n, ok := j.sources[source]
	if !ok {
		n = uint32(len(j.sources) + 1) //nolint:gosec // bounded by the number of tables
		j.sources[source] = n
	}
	return n
}
