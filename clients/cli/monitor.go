package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// monitorRequest is a parsed `monitor`.
type monitorRequest struct {
	banner   bool // "[ROUTE]" or "[NEXTHOP]" in front of each event
	routes   bool
	nextHops bool
	reason   bool // show why hardware does not carry a route
	device   string
	from     *uint64 // the revision to go on after
	count    uint64  // events to show; 0: no end
}

// parseMonitor reads what stands behind `monitor`.
func parseMonitor(words []string) (*monitorRequest, error) {
	m := &monitorRequest{}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "all":
			m.banner, m.routes, m.nextHops = true, true, true
		case word == "label":
			m.banner = true
		case word == "reason":
			m.reason = true
		case abbreviates(word, "route"):
			m.routes = true
		case word == "dev":
			m.device = p.word()
		case word == "--from", word == "from":
			n := p.number64("revision")
			m.from = &n
		case word == "--count", word == "count":
			m.count = p.number64("count")
		case word == "file", word == "all-nsid", abbreviates(word, "link"), abbreviates(word, "address"), abbreviates(word, "neigh"),
			abbreviates(word, "rule"):
			p.fail(notSupported("monitor " + word))
		case abbreviates(word, "nexthop"):
			m.nextHops = true
		case abbreviates(word, "help"):
			p.fail(helpError(usageMonitor))
		default:
			p.fail(usageError(fmt.Sprintf(`Argument %q is unknown, try "vasicctl monitor help".`, word)))
		}
	}
	if !m.routes && !m.nextHops {
		m.routes, m.nextHops = true, true
	}
	return m, p.err
}

// The kinds of events.
var (
	routeEvents = []vasicv1.EventKind{
		vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED, vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED, vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED,
		vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED,
	}
	nextHopEvents = []vasicv1.EventKind{
		vasicv1.EventKind_EVENT_KIND_NEXT_HOP_ADDED, vasicv1.EventKind_EVENT_KIND_NEXT_HOP_REPLACED, vasicv1.EventKind_EVENT_KIND_NEXT_HOP_DELETED,
	}
)

// filter is what the switch can select by itself: never less than is shown. A family concerns routes only, as with ip.
func (m *monitorRequest) filter(f vasicv1.Family) *vasicv1.WatchFilter {
	switch {
	case m.routes && m.nextHops:
		return &vasicv1.WatchFilter{Kinds: slices.Concat(routeEvents, nextHopEvents)}
	case m.nextHops:
		return &vasicv1.WatchFilter{Kinds: nextHopEvents}
	}
	return &vasicv1.WatchFilter{Kinds: routeEvents, Family: f}
}

// keep says whether an event that filter has selected is shown.
func (m *monitorRequest) keep(e *vasicv1.Event, f vasicv1.Family) bool {
	if o := e.GetNextHopObject(); o != nil {
		return !e.Silent && (m.device == "" || o.Device == m.device)
	}
	return !e.Silent && e.Route != nil && (m.device == "" || onlyDevice(e.Route) == m.device) && (f == familyAny || f == familyOf(e.Route.Prefix))
}

// monitor shows what happens to routes and next-hop objects, until ctx ends. It says on standard error when the connection was lost and whether
// events were.
func (s *session) monitor(ctx context.Context, words []string) error {
	m, err := parseMonitor(words)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if err := checkDevice(ctx, c, m.device); err != nil {
		return err
	}
	options := vasic.WatchOptions{LiveOnly: true, Filter: m.filter(s.options.family), Reuse: true}
	if m.from != nil {
		options.Resume = &vasic.Token{Revision: *m.from}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := c.Watch(ctx, options)
	defer w.Close()
	v := eventPrinter{s: s, p: s.newPrinter(), m: m, style: routeStyle{details: s.options.details, oneLine: s.options.oneLine, reason: m.reason, hideDevice: m.device != ""}}
	connected := false
	for {
		u, err := w.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // the way a monitor ends
		case err != nil:
			return err
		}
		switch u := u.(type) {
		case *vasic.Disconnected:
			if !connected && !errors.Is(u.Err, vasic.ErrCompacted) && !errors.Is(u.Err, vasic.ErrRevisionInFuture) {
				return u.Err // there is nothing to go on with
			}
			if u.Attempt == 1 && u.RetryIn > 0 {
				s.warnf("Lost the switch at %s: %s; trying again.", s.options.server, errorMessage(u.Err))
			}
		case *vasic.Reconnected:
			if u.Resumed {
				s.warnf("Connected again at revision %d; no event is lost.", u.Revision)
			}
		case *vasic.Reset:
			if u.Reason != vasic.ResetFirst {
				s.warnf("Events are lost (%s); going on at revision %d.", u.Reason, u.Revision)
			}
		case *vasic.Events:
			if enough, err := v.events(u.Events); enough || err != nil {
				return err
			}
		}
		connected = true
	}
}

// errorMessage is what an error of the switch or of the connection says.
func errorMessage(err error) string {
	if e, ok := vasic.AsError(err); ok {
		return dialMessage(sentence(e.Message))
	}
	return err.Error()
}

// eventPrinter prints events as `ip monitor` does.
type eventPrinter struct {
	s     *session
	p     *printer
	m     *monitorRequest
	style routeStyle
	shown uint64
}

// events prints a batch and says whether enough was shown.
func (v *eventPrinter) events(events []*vasicv1.Event) (enough bool, err error) {
	for _, e := range events {
		if !v.m.keep(e, v.s.options.family) {
			continue
		}
		v.event(e)
		if v.shown++; v.shown == v.m.count {
			enough = true
			break
		}
	}
	return enough, v.p.w.Flush()
}

// event prints one event: a line, or an object with -j. With -s its revision goes before it.
func (v *eventPrinter) event(e *vasicv1.Event) {
	p, o, object := v.p, &v.s.options, e.GetNextHopObject()
	when := time.Unix(0, e.UnixNanos)
	if !p.json {
		if o.timestamp {
			p.text(timestamp(when, o.timeShort))
		}
		if o.statistics > 0 {
			p.text(fmt.Sprintf("[%d] ", e.Revision))
		}
		switch {
		case v.m.banner && object != nil:
			p.text("[NEXTHOP]")
		case v.m.banner:
			p.text("[ROUTE]")
		}
	}
	note := func(p *printer) {
		if p.json && o.timestamp {
			p.str("timestamp", "", when.Format(stampLayout))
		}
		if p.json && o.statistics > 0 {
			p.uint("revision", "", e.Revision)
		}
	}
	if object != nil {
		p.nextHopObject(nextHopLine{NextHopObject: object, deleted: e.Kind == vasicv1.EventKind_EVENT_KIND_NEXT_HOP_DELETED, note: note}, o.details)
		p.text("\n")
	} else {
		p.route(routeLine{Route: e.Route, deleted: e.Kind == vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED, note: note}, v.style)
	}
	p.end()
}

// stampLayout is that of ip -ts.
const stampLayout = "2006-01-02T15:04:05.000000"

// timestamp is what ip prints in front of an event with -ts, or with -t on a line of its own.
func timestamp(t time.Time, short bool) string {
	if short {
		return "[" + t.Format(stampLayout) + "] "
	}
	return fmt.Sprintf("Timestamp: %s %d usec\n", t.Format("Mon Jan _2 15:04:05 2006"), t.Nanosecond()/1000)
}
