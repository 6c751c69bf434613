package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// loadInFlight is how many operations wait for an answer at most; it covers the time that a busy switch needs for some batches.
const loadInFlight = 16384

// clientSettings say to whom a client talks, and how.
type clientSettings struct {
	Target    string
	Plain     bool // with gRPC's own codec
	Batch     int  // operations in a message
	ServerPID int  // whose processor time is measured
}

// loader is the role "load": it programs tables.
type loader struct {
	settings clientSettings
	program  func(vasic.ProgrammerOptions) (programmer, error)
	table    *prefixes
}

// programmer is vasic.Programmer or what does the same with another codec.
type programmer interface {
	Send(op vasic.Operation) error
	Flush() error
	Close() error
}

// tableArgs say which table to make.
type tableArgs struct {
	File   string
	Routes int  // 0: as many as the file has
	IPv4   bool // only IPv4
}

// tableMade says what a table has.
type tableMade struct {
	Routes int
	Sum    uint64
}

// makeTable reads and makes one.
func makeTable(a tableArgs) (*prefixes, error) {
	list, err := readTable(a.File)
	if err != nil {
		return nil, err
	}
	if a.IPv4 {
		list = onlyIPv4(list)
	}
	return sized(list, a.Routes)
}

// startLoad starts the role.
func startLoad(settings json.RawMessage) (any, handlers, error) {
	l := &loader{}
	if err := json.Unmarshal(settings, &l.settings); err != nil {
		return nil, nil, err
	}
	var err error
	if l.program, err = newProgrammers(l.settings); err != nil {
		return nil, nil, err
	}
	return none{}, handlers{"table": handle(l.makeTable), "run": handle(l.run), "churn": handle(l.churn)}, nil
}

// newProgrammers returns what opens streams to a server.
func newProgrammers(s clientSettings) (func(vasic.ProgrammerOptions) (programmer, error), error) {
	if !s.Plain {
		c, err := vasic.Dial(s.Target)
		if err != nil {
			return nil, err
		}
		return func(o vasic.ProgrammerOptions) (programmer, error) { return c.NewProgrammer(context.Background(), o) }, nil
	}
	cc, err := dialPlain(s.Target)
	if err != nil {
		return nil, err
	}
	return func(o vasic.ProgrammerOptions) (programmer, error) {
		stream, err := vasicv1.NewRouteServiceClient(cc).ModifyRoutes(context.Background())
		if err != nil {
			return nil, err
		}
		return newPlainProgrammer(stream, o), nil
	}, nil
}

func (l *loader) makeTable(a tableArgs) (tableMade, error) {
	t, err := makeTable(a)
	if err != nil {
		return tableMade{}, err
	}
	l.table = t
	made := tableMade{Routes: t.len()}
	for i := range t.len() {
		made.Sum += sum(t.at(i))
	}
	return made, nil
}

// runArgs say what to do with every route of the table.
type runArgs struct {
	Action vasicv1.RouteAction
	Shift  int    // of the gateways
	One    bool   // one gateway for all
	Pace   string // address where the watcher says how far it is; "" where nobody watches
}

// ran says when it was done, in nanoseconds since 1970.
type ran struct {
	Start    int64
	Accepted int64 // the last answer was received
}

// run does something with every route of the table, in order.
func (l *loader) run(a runArgs) (ran, error) {
	refused := refusals{}
	p, err := l.program(vasic.ProgrammerOptions{BatchSize: l.settings.Batch, MaxInFlight: loadInFlight, OnResult: refused.count})
	if err != nil {
		return ran{}, err
	}
	var watcher *pace
	if a.Pace != "" {
		if watcher, err = newPace(a.Pace); err != nil {
			return ran{}, err
		}
		defer watcher.close()
	}
	out := ran{Start: time.Now().UnixNano()}
	ops := newOperations(a.Action, a.Shift, a.One)
	for i := range l.table.len() {
		if watcher != nil && i%l.settings.Batch == 0 {
			watcher.wait(i)
		}
		if err := p.Send(ops.of(i, l.table.at(i))); err != nil {
			return ran{}, err
		}
	}
	if err := p.Close(); err != nil {
		return ran{}, err
	}
	out.Accepted = time.Now().UnixNano()
	return out, refused.err()
}

// churnArgs say for how long and how quickly routes are replaced.
type churnArgs struct {
	Seconds float64
	Rate    int // operations a second; 0: as many as the server takes
}

// churned says what was done.
type churned struct{ Operations int }

// churn replaces the routes of the table, over and over.
func (l *loader) churn(a churnArgs) (churned, error) {
	refused := refusals{}
	p, err := l.program(vasic.ProgrammerOptions{BatchSize: l.settings.Batch, OnResult: refused.count})
	if err != nil {
		return churned{}, err
	}
	n, start := 0, time.Now()
	for shift := 1; time.Since(start).Seconds() < a.Seconds; shift++ {
		ops := newOperations(vasicv1.RouteAction_ROUTE_ACTION_REPLACE, shift, false)
		for i := 0; i < l.table.len() && (n%l.settings.Batch > 0 || time.Since(start).Seconds() < a.Seconds); i++ {
			if n++; a.Rate > 0 && n%l.settings.Batch == 0 {
				time.Sleep(time.Until(start.Add(time.Duration(float64(n) / float64(a.Rate) * float64(time.Second)))))
			}
			if err := p.Send(ops.of(i, l.table.at(i))); err != nil {
				return churned{}, err
			}
		}
	}
	if err := p.Close(); err != nil {
		return churned{}, err
	}
	return churned{n}, refused.err()
}

// refusals counts what the switch does not accept. Nothing that the harness asks for should be refused.
type refusals struct {
	n     atomic.Int64
	first atomic.Pointer[error]
}

// count takes an answer.
func (r *refusals) count(result vasic.Result) {
	if result.Status == vasicv1.OperationStatus_OPERATION_STATUS_REFUSED {
		r.n.Add(1)
		r.first.CompareAndSwap(nil, &result.Err)
	}
}

// err says whether anything was refused.
func (r *refusals) err() error {
	if n := r.n.Load(); n > 0 {
		return fmt.Errorf("%d operations were refused, the first because: %w", n, *r.first.Load())
	}
	return nil
}
