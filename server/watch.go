package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/notifier"
)

const (
	// maxMessageBytes is where a message of events or routes ends, and may end one event or route later: well below gRPC's default limit of 4 MiB.
	maxMessageBytes = 256 << 10

	defaultBookmarkInterval = 10 * time.Second
	minBookmarkInterval     = 100 * time.Millisecond
	maxBookmarkInterval     = time.Hour
)

// watchService is vasic.v1.WatchService.
type watchService struct {
	vasicv1.UnimplementedWatchServiceServer
	s *Server
}

// watch is one Watch call. It is owned by its handler's goroutine.
type watch struct {
	s        *Server
	stream   grpc.ServerStreamingServer[vasicv1.WatchResponse]
	filter   *watchFilter
	reader   *notifier.Reader[meta]
	batch    notifier.Batch
	bookmark time.Duration
	snapshot *snapshot // what was read so far; nil once synced
}

func (w watchService) Watch(req *vasicv1.WatchRequest, stream grpc.ServerStreamingServer[vasicv1.WatchResponse]) error {
	filter, bad := parseWatchFilter(req.Filter)
	if bad != nil {
		return bad
	}
	interval := defaultBookmarkInterval
	if d := req.BookmarkInterval; d != nil {
		if interval = d.AsDuration(); !d.IsValid() || interval < minBookmarkInterval || interval > maxBookmarkInterval {
			return invalid(vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE, "bookmark_interval", "%v is not between %v and %v", interval, minBookmarkInterval, maxBookmarkInterval)
		}
	}
	release, err := w.s.admitWatcher()
	if err != nil {
		return statusOf(err)
	}
	defer release()
	log := w.s.journal.log
	head := log.Head()
	epoch, after := uint64(0), head
	if req.ResumeAfter != nil {
		epoch, after = req.ResumeAfter.Epoch, req.ResumeAfter.Revision
	}
	reader, err := log.NewReader(epoch, after)
	if err != nil {
		return statusOf(err)
	}
	defer reader.Close()
	wt := &watch{s: w.s, stream: stream, filter: filter, reader: reader, bookmark: interval}
	if err := stream.Send(&vasicv1.WatchResponse{Created: &vasicv1.Created{Epoch: log.Epoch(), Revision: head}}); err != nil {
		return err
	}
	if req.ResumeAfter == nil && !req.LiveOnly {
		if err := wt.list(); err != nil {
			return statusOf(err)
		}
	}
	if err := wt.catchUp(log.Head()); err != nil {
		return wt.end(err)
	}
	return wt.end(wt.follow())
}

// list sends the snapshot and remembers of which moment each part is.
func (w *watch) list() error {
	w.snapshot = newSnapshot()
	out := routePieces{encoder: encoder{fib: w.s.fib}, field: fieldSnapshotRoutes}
	send := func(routes []byte) error {
		head := protowire.AppendVarint(protowire.AppendTag(nil, fieldWatchSnapshot, protowire.BytesType), uint64(len(routes)))
		return w.stream.SendMsg(codec.Raw{head, routes})
	}
	for _, family := range w.filter.families {
		read := func(c *fib.Chunk) { w.snapshot.add(family, w.s.journal.sourceNumber(c.Source), c) }
		walk := w.s.fib.Walk(family, w.filter.table, w.filter.within)
		if err := out.stream(w.stream.Context(), walk, w.filter.selects, read, send); err != nil {
			return err
		}
	}
	return nil
}

// catchUp sends the events up to a revision, without those that the snapshot has in it already, and then says synced.
func (w *watch) catchUp(to uint64) error {
	match := func(m *meta) bool {
		return w.filter.matches(m) && (w.snapshot == nil || !w.snapshot.has(m))
	}
	for w.reader.Cursor() < to {
		if err := w.next(w.stream.Context(), match); err != nil {
			return err
		}
	}
	w.snapshot = nil
	return w.stream.Send(&vasicv1.WatchResponse{Synced: &vasicv1.Synced{Revision: w.reader.Cursor()}})
}

// next waits for events and sends those that match.
func (w *watch) next(ctx context.Context, match func(*meta) bool) error {
	if err := w.reader.Next(ctx, &w.batch, maxMessageBytes, match); err != nil {
		return err
	}
	if w.batch.Events == 0 {
		return nil
	}
	return w.stream.SendMsg(codec.Raw(w.batch.Chunks))
}

// follow sends events as they come, and bookmarks while none do.
func (w *watch) follow() error {
	match := w.filter.matches
	if w.filter.everything() {
		match = nil
	}
	for {
		ctx, cancel := context.WithTimeout(w.stream.Context(), w.bookmark)
		err := error(nil)
		for err == nil {
			if err = w.next(ctx, match); w.batch.Events > 0 {
				break
			}
		}
		cancel()
		switch {
		case err == nil, w.stream.Context().Err() == nil && errors.Is(err, context.DeadlineExceeded):
		default:
			return err
		}
		if err != nil {
			w.batch.Events = 0
			if err := w.stream.Send(&vasicv1.WatchResponse{Bookmark: &vasicv1.Bookmark{Revision: w.reader.Cursor()}}); err != nil {
				return err
			}
		}
	}
}

// end says goodbye if the switch stops.
func (w *watch) end(err error) error {
	if errors.Is(err, notifier.ErrClosed) {
		if err := w.stream.Send(&vasicv1.WatchResponse{Closing: &vasicv1.Closing{Revision: w.reader.Cursor()}}); err != nil {
			return err
		}
		return errShuttingDown
	}
	return statusOf(err)
}

// snapshot remembers at which revision each part of the tables was read.
type snapshot struct {
	tables map[snapshotTable]*bart.Table[uint64]
}

type snapshotTable struct {
	family fib.Family
	table  uint32
	source uint32
}

func newSnapshot() *snapshot { return &snapshot{tables: make(map[snapshotTable]*bart.Table[uint64])} }

func (s *snapshot) add(family fib.Family, source uint32, c *fib.Chunk) {
	key := snapshotTable{family, c.Table, source}
	t := s.tables[key]
	if t == nil {
		t = new(bart.Table[uint64])
		s.tables[key] = t
	}
	t.Insert(c.Block, c.Revision)
	for _, pfx := range c.Above {
		t.Insert(pfx, c.Revision)
	}
}

// has reports whether the event was in what was read: the smallest part that contains its prefix was read no earlier. A prefix above a
// part that was split is a part of its own.
func (s *snapshot) has(m *meta) bool {
	t := s.tables[snapshotTable{m.family, m.table, m.source}]
	if t == nil {
		return false
	}
	read, ok := t.LookupPrefix(m.prefix())
	return ok && m.revision <= read
}

// watchFilter is a WatchFilter that was checked.
type watchFilter struct {
	families []fib.Family
	table    uint32
	within   netip.Prefix
	protocol int   // -1: any
	kinds    uint8 // a bit for each kind
	flags    flagFilter
}

const allKinds = 1<<fib.KindCount - 1

func parseWatchFilter(req *vasicv1.WatchFilter) (f *watchFilter, bad *refusal) {
	if req == nil {
		req = &vasicv1.WatchFilter{}
	}
	f = &watchFilter{table: req.Table, protocol: -1}
	if f.families, bad = parseFamily("filter.family", req.Family); bad != nil {
		return nil, bad
	}
	if req.WithinPrefix != "" {
		if f.within, bad = parsePrefix("filter.within_prefix", req.WithinPrefix); bad != nil {
			return nil, bad
		}
		f.families = oneFamily(f.families, f.within)
	}
	if req.Protocol != nil {
		if *req.Protocol > 255 {
			return nil, outOfRange("filter.protocol", uint64(*req.Protocol), 0, 255)
		}
		f.protocol = int(*req.Protocol)
	}
	for _, k := range req.Kinds {
		if k <= vasicv1.EventKind_EVENT_KIND_UNSPECIFIED || k > vasicv1.EventKind_EVENT_KIND_NEXT_HOP_DELETED {
			return nil, unknownEnum("filter.kinds", int32(k))
		}
		f.kinds |= 1 << (k - vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED)
	}
	if f.kinds == 0 {
		f.kinds = allKinds
	}
	f.flags, bad = parseFlags("filter.flags", req.Flags)
	return f, bad
}

func (f *watchFilter) everything() bool {
	return len(f.families) == 2 && f.table == 0 && !f.within.IsValid() && f.protocol < 0 && f.kinds == allKinds && f.flags == flagFilter{}
}

func (f *watchFilter) matches(m *meta) bool {
	if f.kinds&(1<<m.kind) == 0 || !slices.Contains(f.families, m.family) {
		return false
	}
	if !m.kind.AboutRoute() { // it has none of what else a filter looks at
		return f.table == 0 && f.protocol < 0 && !f.within.IsValid() && f.flags == flagFilter{}
	}
	return (f.table == 0 || f.table == m.table) && (f.protocol < 0 || f.protocol == int(m.protocol)) && f.flags.matches(m.flags) &&
		(!f.within.IsValid() || int(m.bits) >= f.within.Bits() && f.within.Contains(m.prefix().Addr()))
}

// selects decides about the snapshot, which has no kinds.
func (f *watchFilter) selects(v *fib.Route) bool {
	return (f.protocol < 0 || f.protocol == int(v.Info.Protocol)) && f.flags.matches(v.Flags)
}

// errTooManyWatchers is made by admitWatcher.
func errTooManyWatchers(limit int) *refusal {
	return &refusal{
		code: codes.ResourceExhausted, reason: vasicv1.ErrorReason_ERROR_REASON_TOO_MANY_WATCHERS,
		message: fmt.Sprintf("%d watches are open, as many as max_watchers allows", limit),
	}
}
