package fib

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// fakeHardware notes in order what it hears. It takes everything, but for what refuse names.
type fakeHardware struct {
	mu     sync.Mutex
	heard  []string
	refuse string
}

var errRefused = errors.New("refused")

func (h *fakeHardware) notef(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, fmt.Sprintf(format, args...))
}

// take returns what was heard since the last call, one line each.
func (h *fakeHardware) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := strings.Join(h.heard, "\n")
	h.heard = nil
	return text
}

func (h *fakeHardware) verdict(what string) error {
	if h.refuse == what {
		return errRefused
	}
	return nil
}

func (h *fakeHardware) Admit(*Op) error { return h.verdict("route") }

func (h *fakeHardware) Submit(ops []Op) {
	for i := range ops {
		h.notef("%v %v", ops[i].Kind, ops[i].Prefix)
	}
}

func (h *fakeHardware) LinkChanged(l *Link, usable bool) { h.notef("link %s %v", l.Name, usable) }

func (h *fakeHardware) NeighborChanged(n *Neighbor, valid bool) {
	h.notef("neighbor %v %s %v", n.Addr, n.Link.Name, valid)
}

func (h *fakeHardware) NeighborForgotten(n *Neighbor) {
	h.notef("neighbor %v %s forgotten", n.Addr, n.Link.Name)
}

func (h *fakeHardware) AdmitNextHop(u *NextHopUpdate) error {
	if u.Gone {
		return nil
	}
	return h.verdict("nexthop")
}

func (h *fakeHardware) NextHopChanged(u *NextHopUpdate) {
	text := fmt.Sprintf("nexthop %d", u.ID)
	switch {
	case u.Gone:
		text += " gone"
	case u.Blackhole:
		text += " blackhole"
	}
	for i := range u.Hops {
		text += fmt.Sprintf(" %v/%d", u.Hops[i].Gateway, u.Hops[i].Weight)
	}
	if len(u.Buckets) > 0 {
		text += fmt.Sprint(" ", u.Buckets)
	}
	h.notef("%s", text)
}

func (h *fakeHardware) AdmitRule(r *Rule, add bool) error {
	h.notef("rule %v %d %d %v", r.Family, r.Priority, r.Table, add)
	return h.verdict("rule")
}

// fakeSink notes events.
type fakeSink struct {
	mu       sync.Mutex
	revision uint64
	events   []string
}

func (s *fakeSink) Publish(events []Event) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range events {
		e := &events[i]
		var what string
		if e.Kind.AboutRoute() {
			what = e.Route.Prefix.String()
			if e.Route.Info.NextHopID != 0 {
				what += fmt.Sprintf(" nhid %d of %d", e.Route.Info.NextHopID, len(e.Route.Info.NextHops))
			}
		} else {
			what = fmt.Sprint(e.NextHop.ID)
		}
		if e.Silent {
			what += " silent"
		}
		s.events = append(s.events, fmt.Sprintf("%v %s", e.Kind, what))
		s.revision++
	}
	return s.revision
}

func (s *fakeSink) Head() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision
}

func (s *fakeSink) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.events, "\n")
	s.events = nil
	return text
}

// rig is a FIB with links d1 and d2, up, with 10.0.1.1/24 and 10.0.2.1/24.
type rig struct {
	*FIB
	t        *testing.T
	hardware *fakeHardware
	sink     *fakeSink
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, hardware: &fakeHardware{}, sink: &fakeSink{}}
	r.FIB = New(r.hardware, r.sink)
	if _, err := r.Attach(); err != nil {
		t.Fatal(err)
	}
	for i, name := range [...]string{"d1", "d2"} {
		_, err := r.AddLink(name, LinkDummy, 0)
		r.must(err)
		r.up(name)
		for _, a := range [...]string{"10.0.%d.1/24", "2001:db8:%d::1/64"} {
			_, err := r.AddAddress(name, netip.MustParsePrefix(fmt.Sprintf(a, i+1)))
			r.must(err)
		}
	}
	r.forget()
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) set(name string, up, carrier bool) {
	r.t.Helper()
	_, err := r.SetLink(name, &up, &carrier)
	r.must(err)
}

func (r *rig) up(name string) { r.t.Helper(); r.set(name, true, true) }

func (r *rig) forget() { r.hardware.take(); r.sink.take() }

// modify does one request and returns its error.
func (r *rig) modify(verb Verb, prefix string, nhid uint32, gateways ...string) error {
	r.t.Helper()
	s := Spec{Table: TableMain, Prefix: netip.MustParsePrefix(prefix), NextHopID: nhid}
	for _, g := range gateways {
		s.NextHops = append(s.NextHops, NextHopSpec{Gateway: netip.MustParseAddr(g), Weight: 1})
	}
	answers := make([]Answer, 1)
	r.Modify(FamilyOf(s.Prefix.Addr()), []Request{{Verb: verb, Spec: s}}, answers)
	return answers[0].Err
}

func (r *rig) wantHeard(want ...string) {
	r.t.Helper()
	if got := r.hardware.take(); got != strings.Join(want, "\n") {
		r.t.Errorf("hardware heard\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func (r *rig) wantEvents(want ...string) {
	r.t.Helper()
	if got := r.sink.take(); got != strings.Join(want, "\n") {
		r.t.Errorf("events\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// state returns the state of a neighbour as listed; "" where it is not.
func (r *rig) state(addr string) string {
	r.t.Helper()
	list, err := r.Neighbors("")
	r.must(err)
	for _, n := range list {
		if n.Addr.String() == addr {
			return fmt.Sprintf("%d automatic=%v", n.State, n.Automatic)
		}
	}
	return ""
}
