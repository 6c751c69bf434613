package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	// latencyRoutes is how many routes the single operations are about. Each is replaced about once a second.
	latencyRoutes = 1000
	// latencyDrain is how long the last answers and events may take.
	latencyDrain = 5 * time.Second
)

// prober is the role "latency": a client that sends single operations at a fixed rate, and watches what becomes of them.
type prober struct {
	program *vasic.Programmer
	routes  []string
	shift   int

	mu      sync.Mutex // guards all following fields
	sent    map[uint64]time.Time
	pending map[uint64]*probe // by generation; an answer and an event are met in either order
	done    []probe
}

// probe is one operation.
type probe struct{ sent, accepted, event time.Time }

// startLatency starts the role.
func startLatency(settings json.RawMessage) (any, handlers, error) {
	var s clientSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, nil, err
	}
	p := &prober{sent: make(map[uint64]time.Time), pending: make(map[uint64]*probe)}
	for i := range latencyRoutes {
		p.routes = append(p.routes, fmt.Sprintf("198.18.%d.%d/32", i/256, i%256))
	}
	c, err := vasic.Dial(s.Target)
	if err != nil {
		return nil, nil, err
	}
	synced := make(chan error, 1)
	go p.follow(c, synced)
	if err := <-synced; err != nil {
		return nil, nil, err
	}
	p.program, err = c.NewProgrammer(context.Background(), vasic.ProgrammerOptions{BatchSize: 1, OnResult: p.answered})
	return none{}, handlers{"run": handle(p.run)}, err
}

// follow watches the routes of the single operations.
func (p *prober) follow(c *vasic.Client, synced chan<- error) {
	protocol := uint32(protocolLatency)
	options := vasic.WatchOptions{LiveOnly: true, Filter: &vasicv1.WatchFilter{
		Protocol: &protocol, Kinds: []vasicv1.EventKind{vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED},
	}}
	for u, err := range c.Watch(context.Background(), options).All(context.Background()) {
		if err != nil {
			synced <- err
			return
		}
		switch u := u.(type) {
		case *vasic.Synced:
			synced <- nil
		case *vasic.Events:
			now := time.Now()
			p.mu.Lock()
			for _, e := range u.Events {
				if e.Kind == vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED && e.Route.Offload && e.Route.Protocol == protocolLatency {
					p.complete(e.Route.Generation, func(o *probe) { o.event = now })
				}
			}
			p.mu.Unlock()
		}
	}
}

// answered takes an answer.
func (p *prober) answered(r vasic.Result) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	sent, ok := p.sent[r.ID]
	if !ok || r.Status != vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED {
		return
	}
	delete(p.sent, r.ID)
	p.complete(r.Generation, func(o *probe) { o.sent, o.accepted = sent, now })
}

// complete notes one of the two things that happen to an operation. Called with mu held.
func (p *prober) complete(generation uint64, note func(*probe)) {
	o := p.pending[generation]
	if o == nil {
		o = &probe{}
		p.pending[generation] = o
	}
	if note(o); !o.sent.IsZero() && !o.event.IsZero() {
		p.done = append(p.done, *o)
		delete(p.pending, generation)
	}
}

// latencyArgs say how many operations to send.
type latencyArgs struct {
	Seconds float64
	Rate    float64 // operations a second
}

// latencyDone is what they took.
type latencyDone struct {
	Operations int
	Accept     latencies // request to answer
	Event      latencies // answer to flag event; 0 where the event came first
	Both       latencies // request to flag event
}

// run sends operations at a fixed rate. An operation that is sent late, because the one before it blocked, counts from when it was due.
func (p *prober) run(a latencyArgs) (latencyDone, error) {
	p.mu.Lock()
	p.done = p.done[:0]
	clear(p.sent)
	clear(p.pending)
	p.mu.Unlock()
	gateways := newGateways()
	hop := &vasicv1.NextHop{}
	route := &vasicv1.Route{Protocol: protocolLatency, NextHops: []*vasicv1.NextHop{hop}}
	interval := time.Duration(float64(time.Second) / a.Rate)
	n := int(a.Seconds * a.Rate)
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * interval)
		time.Sleep(time.Until(due))
		if now := time.Now(); now.Sub(due) < interval {
			due = now // late because of the timer, not because of the switch
		}
		if i%len(p.routes) == 0 {
			p.shift++
		}
		route.Prefix = p.routes[i%len(p.routes)]
		hop.Gateway = gateways.of(route.Prefix, i, p.shift)
		id := uint64(i) //nolint:gosec // not negative
		p.mu.Lock()
		p.sent[id] = due
		p.mu.Unlock()
		if err := p.program.Send(vasic.Operation{ID: id, Action: vasicv1.RouteAction_ROUTE_ACTION_REPLACE, Route: route}); err != nil {
			return latencyDone{}, err
		}
	}
	return p.finish(n)
}

// finish waits for the last event and sums up.
func (p *prober) finish(n int) (latencyDone, error) {
	deadline := time.Now().Add(latencyDrain)
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.done) < n && time.Now().Before(deadline) {
		p.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		p.mu.Lock()
	}
	if len(p.done) < n {
		return latencyDone{}, fmt.Errorf("%d of %d operations have no flag event", n-len(p.done), n)
	}
	var accept, event, both []float64
	for _, o := range p.done {
		accept = append(accept, o.accepted.Sub(o.sent).Seconds())
		event = append(event, max(o.event.Sub(o.accepted).Seconds(), 0))
		both = append(both, o.event.Sub(o.sent).Seconds())
	}
	return latencyDone{Operations: n, Accept: percentiles(accept), Event: percentiles(event), Both: percentiles(both)}, nil
}
