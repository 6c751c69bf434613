package fpm

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// toySwitch is a switch with a log, whose hardware settles when it is told to, and whose events and answers are on their way for
// as long as the test likes.
type toySwitch struct {
	routes     map[string]*vasicv1.Route
	revision   uint64
	generation uint64
	nextID     uint64
	requests   []toyRequest
	unsettled  []string // prefixes whose hardware has not decided
	events     []*vasicv1.Event
	answers    []toyAnswer
	at         map[uint64]map[string]string // the state by revision, for the judge
}

type toyRequest struct {
	op     operation
	action vasicv1.RouteAction
	route  *vasicv1.Route
}

type toyAnswer struct {
	op  operation
	res vasic.Result
}

// step carries out the oldest request.
func (s *toySwitch) step(refuse bool) {
	if len(s.requests) == 0 {
		return
	}
	q := s.requests[0]
	s.requests = s.requests[1:]
	old := s.routes[q.route.Prefix]
	gone := q.action == vasicv1.RouteAction_ROUTE_ACTION_DELETE
	if gone && old == nil || !gone && refuse {
		s.answers = append(s.answers, toyAnswer{q.op, vasic.Result{Status: vasicv1.OperationStatus_OPERATION_STATUS_REFUSED, Err: vasic.ErrRouteNotFound}})
		return
	}
	if gone {
		delete(s.routes, q.route.Prefix)
		s.publish(vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED, old)
		s.answers = append(s.answers, toyAnswer{q.op, vasic.Result{Status: vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED, Revision: s.revision}})
		return
	}
	s.put(q.route, old)
	route := s.routes[q.route.Prefix]
	s.answers = append(s.answers, toyAnswer{q.op, vasic.Result{
		Status: vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED, Revision: s.revision, RouteID: route.Id, Generation: route.Generation,
	}})
}

func (s *toySwitch) put(route, old *vasicv1.Route) {
	s.generation++
	s.nextID++
	route.Id, route.Generation = s.nextID, s.generation
	kind := vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED
	if old != nil {
		route.Id, kind = old.Id, vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED
	}
	s.routes[route.Prefix] = route
	s.unsettled = append(s.unsettled, route.Prefix)
	s.publish(kind, route)
}

// decide lets hardware settle the route that has waited longest.
func (s *toySwitch) decide(fail bool) {
	if len(s.unsettled) == 0 {
		return
	}
	prefix := s.unsettled[0]
	s.unsettled = s.unsettled[1:]
	if route := s.routes[prefix]; route != nil {
		route.Offload, route.OffloadFailed = !fail, fail
		s.publish(vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED, route)
	}
}

// lose takes a route away behind everybody's back.
func (s *toySwitch) lose(prefix string) {
	if old := s.routes[prefix]; old != nil {
		delete(s.routes, prefix)
		s.publish(vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED, old)
	}
}

func (s *toySwitch) publish(kind vasicv1.EventKind, route *vasicv1.Route) {
	s.revision++
	s.events = append(s.events, &vasicv1.Event{Revision: s.revision, Kind: kind, Route: copyOf(route)})
	state := map[string]string{}
	for k, r := range s.routes {
		state[k] = fmt.Sprint(r.NextHops[0].Gateway, " ", r.Offload, " ", r.OffloadFailed)
	}
	s.at[s.revision] = state
}

func copyOf(r *vasicv1.Route) *vasicv1.Route {
	return &vasicv1.Route{
		Prefix: r.Prefix, Table: r.Table, Metric: r.Metric, Type: r.Type, Protocol: r.Protocol, NextHops: r.NextHops,
		Id: r.Id, Generation: r.Generation, Offload: r.Offload, OffloadFailed: r.OffloadFailed,
	}
}

func TestTheLatestWinsWhateverTheOrderOfThings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRIB(&linkNames{made: map[uint32]string{}}, tableRange{last: math.MaxUint32}, DefaultMetric, AnswerTrap)
		s := &toySwitch{routes: map[string]*vasicv1.Route{}, at: map[uint64]map[string]string{0: {}}}
		now := time.Unix(0, 0)
		wants := map[string]string{} // gateway by prefix
		prefix := rapid.SampledFrom([]string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"})
		gateway := rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2"})
		r.connect(now)
		r.reset()
		r.sync(0)
		r.sweep()

		apply := func(p, gw string) {
			u := update{kind: deleteRoute, route: route{key: key{table: tableMain, prefix: netip.MustParsePrefix(p)}}}
			if gw != "" {
				u.kind, u.message = setRoute, []byte(p+gw)
				u.route.kind, u.route.protocol = unicast, 186
				u.route.paths = newPaths([]path{{gateway: netip.MustParseAddr(gw), link: 2, weight: 1}})
			}
			r.apply(&u, now)
		}
		program := func() {
			for _, op := range r.plan(nil, 10) {
				m := new(vasicv1.Route)
				action := r.request(op, m)
				s.requests = append(s.requests, toyRequest{op, action, m})
			}
		}
		answer := func() {
			for r.answers.len() > 0 {
				e := r.answers.pop()
				e.due = false
				v := r.judge(e)
				if v == undecided || v == e.told {
					continue
				}
				r.tell(e, v)
				p := e.key.prefix.String()
				have := s.at[r.revision][p]
				if v == offloaded && have != wants[p]+" true false" {
					t.Fatalf("zebra was told that hardware has %s via %s, and it has %q", p, wants[p], have)
				}
				if v == failed && strings.HasSuffix(have, " true false") && !e.refused {
					t.Fatalf("zebra was told that hardware does not have %s, and it has %q", p, have)
				}
			}
		}
		events := func(n int) {
			n = min(n, len(s.events))
			r.observe(s.events[:n])
			s.events = s.events[n:]
		}
		results := func(n int) {
			for range min(n, len(s.answers)) {
				a := s.answers[0]
				s.answers = s.answers[1:]
				r.answer(a.op, &a.res)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"want":    func(t *rapid.T) { p, g := prefix.Draw(t, "p"), gateway.Draw(t, "g"); wants[p] = g; apply(p, g) },
			"drop":    func(t *rapid.T) { p := prefix.Draw(t, "p"); delete(wants, p); apply(p, "") },
			"program": func(*rapid.T) { program() },
			"step":    func(t *rapid.T) { s.step(rapid.IntRange(0, 9).Draw(t, "refuse") == 0) },
			"decide":  func(t *rapid.T) { s.decide(rapid.IntRange(0, 4).Draw(t, "fail") == 0) },
			"events":  func(t *rapid.T) { events(rapid.IntRange(1, 3).Draw(t, "n")) },
			"results": func(t *rapid.T) { results(rapid.IntRange(1, 3).Draw(t, "n")) },
			"answer":  func(*rapid.T) { answer() },
			"lose":    func(t *rapid.T) { s.lose(prefix.Draw(t, "p")) },
			"retry":   func(*rapid.T) { r.retryAll() },
			"reconnect": func(t *rapid.T) {
				r.connect(now)
				for p, g := range wants {
					if rapid.Bool().Draw(t, "still") {
						apply(p, g)
					} else {
						delete(wants, p)
					}
				}
				r.sweep()
			},
			"restart": func(*rapid.T) { // of the session: what was on its way to the switch may get there or not
				s.answers, s.events = nil, nil
				s.requests = nil
				r.desync()
				r.reset()
				for _, route := range s.routes {
					r.list(copyOf(route))
				}
				r.sync(s.revision)
			},
			"": func(*rapid.T) {},
		})
		for range 10 { // let everything come to rest
			r.retryAll()
			program()
			for len(s.requests) > 0 {
				s.step(false)
			}
			for len(s.unsettled) > 0 {
				s.decide(false)
			}
			events(len(s.events))
			results(len(s.answers))
			answer()
		}
		for p, g := range wants {
			if have := s.at[s.revision][p]; have != g+" true false" {
				t.Fatalf("the switch has %q for %s, want %s", have, p, g)
			}
			if e := r.entries[key{table: tableMain, prefix: netip.MustParsePrefix(p)}]; e.told != offloaded {
				t.Fatalf("zebra was told %v about %s at last", e.told, p)
			}
		}
		if len(s.routes) != len(wants) || len(r.entries) != len(wants) {
			t.Fatalf("the switch has %d routes and the rib %d entries, want %d", len(s.routes), len(r.entries), len(wants))
		}
		if r.told[offloaded] != len(wants) || r.told[undecided]+r.told[failed]+r.told[trapped] != 0 {
			t.Fatalf("counts %v, want %d offloaded", r.told, len(wants))
		}
	})
}
