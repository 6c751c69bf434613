package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	// fanWindow is how many events the slowest watcher may be behind before the programming client waits for it: a good part of what the
	// event log holds, and so none falls off. With many watchers it is less, down to fanLeast, because all of them have to be waited for.
	fanWindow = 100_000
	fanLeast  = 8192
	// fanOutstanding is how many events may be on their way to all watchers together.
	fanOutstanding = 2_000_000
	// fanWarm is how long watchers and client run before the clock starts.
	fanWarm = 300 * time.Millisecond
	// revisionField is the number of Event.revision.
	revisionField protowire.Number = 1
)

// fan is the role "fan": many watchers, which count events without decoding their routes, and a client that programs as quickly as they
// follow. On one machine, decoding in a hundred clients would be all that is measured.
type fan struct {
	loader
	conns    []*grpc.ClientConn
	watchers []*counter
	stalled  context.CancelFunc // of the watcher that does not read; nil while there is none
	accepted atomic.Uint64      // revision of the last accepted operation
}

// counter is one watcher.
type counter struct {
	events   atomic.Uint64
	revision atomic.Uint64
	failed   atomic.Pointer[error]
}

// startFan starts the role.
func startFan(settings json.RawMessage) (any, handlers, error) {
	f := &fan{}
	if err := json.Unmarshal(settings, &f.settings); err != nil {
		return nil, nil, err
	}
	var err error
	if f.program, err = newProgrammers(f.settings); err != nil {
		return nil, nil, err
	}
	return none{}, handlers{
		"table": handle(f.makeTable), "run": handle(f.run), "open": handle(f.open), "close": handle(f.closeAll), "stall": handle(f.stall),
		"churn": handle(f.churn),
	}, nil
}

// openArgs say how many watchers to open.
type openArgs struct {
	Watchers      int
	PerConnection int
}

// open opens watchers, and returns when all are synced.
func (f *fan) open(a openArgs) (none, error) {
	for len(f.watchers) < a.Watchers {
		cc, err := dialCodec(f.settings.Target)
		if err != nil {
			return none{}, err
		}
		f.conns = append(f.conns, cc)
		for range min(a.PerConnection, a.Watchers-len(f.watchers)) {
			c := &counter{}
			synced := make(chan error, 1)
			go c.follow(cc, synced)
			if err := <-synced; err != nil {
				return none{}, err
			}
			f.watchers = append(f.watchers, c)
		}
	}
	return none{}, nil
}

// dialCodec returns a connection that uses the codec of this project.
func dialCodec(target string) (*grpc.ClientConn, error) {
	return dialPlain(target, grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec.Codec{}), grpc.MaxCallRecvMsgSize(64<<20)))
}

// closeAll ends all watches.
func (f *fan) closeAll(none) (none, error) {
	for _, cc := range f.conns {
		_ = cc.Close()
	}
	f.conns, f.watchers = nil, nil
	return none{}, nil
}

// liveWatch opens a watch from now on.
func liveWatch(ctx context.Context, cc *grpc.ClientConn) (grpc.ServerStreamingClient[vasicv1.WatchResponse], error) {
	return vasicv1.NewWatchServiceClient(cc).Watch(ctx, &vasicv1.WatchRequest{LiveOnly: true})
}

// follow counts events until the connection is closed.
func (c *counter) follow(cc *grpc.ClientConn, synced chan<- error) {
	stream, err := liveWatch(context.Background(), cc)
	var message codec.Raw
	for n := 0; err == nil; n++ {
		if err = stream.RecvMsg(&message); err != nil {
			break
		}
		if n == 1 { // created, synced
			synced <- nil
			continue
		}
		for _, piece := range message {
			events, revision := countEvents(piece)
			if events > 0 {
				c.events.Add(events)
				c.revision.Store(revision)
			}
		}
	}
	c.failed.Store(&err)
	select {
	case synced <- err:
	default:
	}
}

// countEvents returns how many events an encoded WatchResponse has, and the revision of the last.
func countEvents(b []byte) (n, revision uint64) {
	var last []byte
	for len(b) > 0 {
		number, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return n, revision
		}
		b = b[size:]
		if number != eventsField || typ != protowire.BytesType {
			if size = protowire.ConsumeFieldValue(number, typ, b); size < 0 {
				return n, revision
			}
			b = b[size:]
			continue
		}
		if last, size = protowire.ConsumeBytes(b); size < 0 {
			return n, revision
		}
		b = b[size:]
		n++
	}
	for len(last) > 0 {
		number, typ, size := protowire.ConsumeTag(last)
		if size < 0 {
			break
		}
		last = last[size:]
		if number == revisionField && typ == protowire.VarintType {
			revision, _ = protowire.ConsumeVarint(last)
			break
		}
		if size = protowire.ConsumeFieldValue(number, typ, last); size < 0 {
			break
		}
		last = last[size:]
	}
	return n, revision
}

// stallArgs say whether to have the watcher that does not read.
type stallArgs struct{ On bool }

// stall opens a watch and reads no further than its first message, or ends it.
func (f *fan) stall(a stallArgs) (none, error) {
	if f.stalled != nil {
		f.stalled()
		f.stalled = nil
	}
	if !a.On {
		return none{}, nil
	}
	cc, err := dialCodec(f.settings.Target)
	if err != nil {
		return none{}, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.stalled = func() {
		cancel()
		_ = cc.Close()
	}
	stream, err := liveWatch(ctx, cc)
	if err != nil {
		return none{}, err
	}
	var message codec.Raw
	return none{}, stream.RecvMsg(&message)
}

// fanArgs say how long to measure, and how long to go on after that.
type fanArgs struct{ Seconds, Tail float64 }

// fanned is what was seen while it was measured.
type fanned struct {
	Seconds    float64
	Events     float64 // delivered to all watchers together
	Operations float64
	ServerCPU  float64 // seconds
	ClientCPU  float64 // seconds
}

// mark is one moment.
type mark struct {
	at                  time.Time
	events              uint64
	operations          int
	serverCPU, ownerCPU time.Duration
}

// mark reads all counters.
func (f *fan) mark(operations int) (m mark, err error) {
	m = mark{at: time.Now(), operations: operations}
	for _, w := range f.watchers {
		m.events += w.events.Load()
	}
	if m.serverCPU, err = processCPU(f.settings.ServerPID); err != nil {
		return m, err
	}
	m.ownerCPU, err = processCPU(os.Getpid())
	return m, err
}

// churn replaces the routes of the table as quickly as the watchers follow.
func (f *fan) churn(a fanArgs) (fanned, error) {
	refused := refusals{}
	p, err := f.program(vasic.ProgrammerOptions{BatchSize: f.settings.Batch, OnResult: func(r vasic.Result) {
		refused.count(r)
		f.accepted.Store(r.Revision)
	}})
	if err != nil {
		return fanned{}, err
	}
	var marks []mark
	measured := time.Duration(a.Seconds * float64(time.Second))
	times := []time.Duration{fanWarm, fanWarm + measured, fanWarm + measured + time.Duration(a.Tail*float64(time.Second))}
	n, start := 0, time.Now()
	for shift := 1; len(marks) < len(times); shift++ {
		ops := newOperations(vasicv1.RouteAction_ROUTE_ACTION_REPLACE, shift, false)
		for i := 0; i < f.table.len() && len(marks) < len(times); i++ {
			if err := p.Send(ops.of(i, f.table.at(i))); err != nil {
				return fanned{}, err
			}
			if n++; n%f.settings.Batch > 0 {
				continue
			}
			if err := f.waitForWatchers(f.window()); err != nil {
				return fanned{}, err
			}
			if time.Since(start) >= times[len(marks)] {
				m, err := f.mark(n)
				if err != nil {
					return fanned{}, err
				}
				marks = append(marks, m)
			}
		}
	}
	if err := errors.Join(p.Close(), refused.err(), f.waitForWatchers(0)); err != nil {
		return fanned{}, err
	}
	from, to := marks[0], marks[1]
	return fanned{
		Seconds: to.at.Sub(from.at).Seconds(), Events: float64(to.events - from.events), Operations: float64(to.operations - from.operations),
		ServerCPU: (to.serverCPU - from.serverCPU).Seconds(), ClientCPU: (to.ownerCPU - from.ownerCPU).Seconds(),
	}, nil
}

// window is how many events a watcher may be behind.
func (f *fan) window() uint64 {
	return uint64(min(max(fanOutstanding/max(len(f.watchers), 1), fanLeast), fanWindow)) //nolint:gosec // not negative
}

// waitForWatchers waits until no watcher is more than so many events behind.
func (f *fan) waitForWatchers(behind uint64) error {
	for start := time.Now(); ; time.Sleep(200 * time.Microsecond) {
		slowest := uint64(math.MaxUint64)
		for _, w := range f.watchers {
			if err := w.failed.Load(); err != nil {
				return fmt.Errorf("a watch ended: %w", *err)
			}
			slowest = min(slowest, w.revision.Load())
		}
		if slowest >= f.accepted.Load() || f.accepted.Load()-slowest <= behind {
			return nil
		}
		if time.Since(start) > watchSilence {
			return fmt.Errorf("a watcher is %d events behind and does not follow", f.accepted.Load()-slowest)
		}
	}
}

// latencies are percentiles of one quantity, in seconds.
type latencies struct{ P50, P99, P999 float64 }

// percentiles makes them; the values are sorted in place.
func percentiles(values []float64) latencies {
	slices.Sort(values)
	return latencies{percentile(values, 0.5), percentile(values, 0.99), percentile(values, 0.999)}
}
