package model_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"pgregory.net/rapid"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/conformance/model"
	"github.com/vasic-project/vasic/fib"
)

// direct is a FIB and a chip without a server around them.
type direct struct {
	t    *rapid.T
	fib  *fib.FIB
	chip *asic.Chip

	mu        sync.Mutex // guards the following fields
	revision  uint64
	published []model.Event
	ends      []model.Settled
	waiting   map[int]int // by ticket: answered as pending less settled; 0 at rest

	generations map[uint64]uint64 // of the routes listed last
}

func newDirect(t *rapid.T, s settings) *direct {
	profile, err := asic.ProfileByName(s.profile)
	if err != nil {
		t.Fatal(err)
	}
	d := &direct{t: t, waiting: make(map[int]int)}
	d.chip, err = asic.New(asic.Config{Profile: profile, Sizes: map[string]uint64{asic.PathIPv4FIB: s.sizes[0], asic.PathIPv6FIB: s.sizes[1]}})
	if err != nil {
		t.Fatal(err)
	}
	d.chip.SetLatency(asic.LatencyModel{})
	d.fib = fib.New(d.chip, d)
	d.setNotify(s.notify)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.chip.Run(ctx, d.fib.Apply)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	if err := d.chip.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.fib.Attach(); err != nil {
		t.Fatal(err)
	}
	return d
}

// kinds of event by fib.Kind.
var kinds = [...]string{
	model.Added, model.Replaced, model.Deleted, model.Flagged, model.ObjectAdded, model.ObjectReplaced, model.ObjectDeleted,
}

// Publish implements fib.Sink.
func (d *direct) Publish(events []fib.Event) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range events {
		shown := model.Event{Kind: kinds[e.Kind], NLFlags: e.NLFlags, Requested: e.Requested, Silent: e.Silent, Partial: e.Partial}
		if e.Kind.AboutRoute() {
			shown.Route = routeOf(&e.Route)
		} else {
			shown.Object = objectOf(e.NextHop)
		}
		d.published = append(d.published, shown)
	}
	d.revision += uint64(len(events))
	return d.revision
}

// Head implements fib.Sink.
func (d *direct) Head() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.revision
}

func (d *direct) events() []model.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.published
	d.published = nil
	return events
}

// Settle implements fib.Waiter.
func (d *direct) Settle(cookie uint64, outcome fib.Outcome, reason fib.Reason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	end := model.Settled{Ticket: int(cookie), Outcome: outcome.String()} //nolint:gosec // small
	if reason != fib.ReasonNone {
		end.Outcome += " " + reason.String()
	}
	d.ends = append(d.ends, end)
	d.waiting[end.Ticket]--
}

// pending notes that the answer to a request says that it will be settled.
func (d *direct) pending(ticket int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting[ticket]++
}

func (d *direct) settled() ([]model.Settled, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ends := d.ends
	d.ends = nil
	return ends, true
}

func flagText(f fib.Flags) string {
	return map[fib.Flags]string{0: "", fib.FlagOffload: "offload", fib.FlagTrap: "trap", fib.FlagOffloadFailed: "offload_failed"}[f&^fib.FlagOlderEntry]
}

func hopOf(n *fib.NextHop) model.Hop {
	return model.Hop{Gateway: n.Gateway, Device: n.Link.Name, Weight: int(n.Weight)}
}

func routeOf(v *fib.Route) model.Route {
	r := model.Route{
		ID: v.ID, Table: v.Table, Prefix: v.Prefix, TOS: v.TOS, Metric: v.Metric, Type: uint8(v.Info.Type), Protocol: v.Info.Protocol,
		Scope: uint8(v.Info.Scope), PrefSrc: v.Info.PrefSrc, Flags: flagText(v.Flags), Older: v.Flags&fib.FlagOlderEntry != 0, Object: v.Info.NextHopID,
	}
	if v.Reason != fib.ReasonNone {
		r.Reason = v.Reason.String()
	}
	for i := range v.Siblings {
		h := hopOf(&v.Siblings[i].Info.NextHops[0])
		h.Flags = flagText(v.Siblings[i].Flags)
		r.Hops = append(r.Hops, h)
	}
	for i := range v.Info.NextHops {
		if len(v.Siblings) == 0 {
			r.Hops = append(r.Hops, hopOf(&v.Info.NextHops[i]))
		}
	}
	return r
}

func (d *direct) requestOf(w model.Want) fib.Request {
	s := fib.Spec{
		Table: w.Table, Prefix: w.Prefix, Metric: w.Metric, TOS: w.TOS, Type: fib.Type(w.Type), Protocol: w.Protocol, PrefSrc: w.PrefSrc, Multipath: w.List,
		NextHopID: w.Object,
	}
	for _, h := range w.Hops {
		s.NextHops = append(s.NextHops, fib.NextHopSpec{Gateway: h.Gateway, Device: h.Device, Weight: uint16(max(h.Weight, 1))}) //nolint:gosec // small
	}
	return fib.Request{Verb: fib.Verb(w.Verb), Spec: s, Waiter: d, Cookie: uint64(w.Ticket)} //nolint:gosec // small
}

var errnos = map[syscall.Errno]string{
	syscall.EEXIST: "EEXIST", syscall.ENOENT: "ENOENT", syscall.ESRCH: "ESRCH", syscall.EINVAL: "EINVAL", syscall.EPERM: "EPERM",
	syscall.ENODEV: "ENODEV", syscall.ENETDOWN: "ENETDOWN", syscall.ENETUNREACH: "ENETUNREACH", syscall.EHOSTUNREACH: "EHOSTUNREACH",
	syscall.EADDRNOTAVAIL: "EADDRNOTAVAIL",
}

func errnoOf(err error) string {
	var e *fib.Error
	if err != nil && !errors.As(err, &e) {
		return err.Error()
	}
	if err == nil {
		return ""
	}
	return errnos[e.Errno]
}

func (d *direct) modify(wants []model.Want) []string {
	_, got := d.race([][]model.Want{wants})
	return got[0]
}

// race orders batches by revision. Of those with the same one, that which changed something came first; the others saw it, and changed nothing.
func (d *direct) race(batches [][]model.Want) (order []int, got [][]string) {
	type done struct {
		revision uint64
		idle     int
	}
	results := make([]done, len(batches))
	got = make([][]string, len(batches))
	var clients sync.WaitGroup
	for i, batch := range batches {
		order = append(order, i)
		got[i] = make([]string, len(batch))
		clients.Go(func() {
			results[i].idle = 1
			for start := 0; start < len(batch); {
				end := start
				var requests []fib.Request
				for ; end < len(batch) && batch[end].Prefix.Addr().Is4() == batch[start].Prefix.Addr().Is4(); end++ {
					requests = append(requests, d.requestOf(batch[end]))
				}
				answers := make([]fib.Answer, len(requests))
				d.fib.Modify(fib.FamilyOf(batch[start].Prefix.Addr()), requests, answers)
				for j, a := range answers {
					got[i][start+j] = errnoOf(a.Err)
					results[i].revision = a.Revision
					if a.ID != 0 {
						results[i].idle = 0
					}
					if a.Pending {
						d.pending(batch[start+j].Ticket)
					}
				}
				start = end
			}
		})
	}
	clients.Wait()
	slices.SortStableFunc(order, func(a, b int) int {
		if results[a].revision != results[b].revision {
			return int(results[a].revision) - int(results[b].revision) //nolint:gosec // small
		}
		return results[a].idle - results[b].idle
	})
	return order, got
}

func (d *direct) addLink(name string) string {
	_, err := d.fib.AddLink(name, fib.LinkDummy, 0)
	return errnoOf(err)
}

func (d *direct) setLink(name string, up, carrier bool) string {
	_, err := d.fib.SetLink(name, &up, &carrier)
	return errnoOf(err)
}

func (d *direct) deleteLink(name string) string { return errnoOf(d.fib.DeleteLink(name)) }

func (d *direct) addAddress(link string, prefix netip.Prefix) string {
	_, err := d.fib.AddAddress(link, prefix)
	return errnoOf(err)
}

func (d *direct) deleteAddress(link string, prefix netip.Prefix) string {
	return errnoOf(d.fib.DeleteAddress(link, prefix))
}

func (d *direct) setNotify(settings [2]int) {
	for i, s := range settings {
		d.fib.SetNotify(fib.Families[i], fib.NotifySetting(s)) //nolint:gosec // 0 to 2
	}
}

func (d *direct) setFailing(offload, del bool) {
	d.chip.SetKnob(asic.FailRouteOffload, offload)
	d.chip.SetKnob(asic.FailRouteDelete, del)
}

func (d *direct) setSizes(sizes [2]uint64) {
	for i, path := range []string{asic.PathIPv4FIB, asic.PathIPv6FIB} {
		if err := d.chip.SetResource(path, sizes[i]); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *direct) reload() string {
	_, err := d.chip.Reload(d.t.Context(), d.fib)
	return errnoOf(err)
}

func (d *direct) resume() {
	d.chip.Resume()
	if err := d.chip.Idle(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	if err := d.chip.Pause(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *direct) step(n int) int {
	done, err := d.chip.Step(d.t.Context(), n)
	if err != nil {
		d.t.Fatal(err)
	}
	return done
}

func (d *direct) routes() (list []model.Route) {
	d.generations = make(map[uint64]uint64)
	for _, family := range fib.Families {
		walk := d.fib.Walk(family, 0, netip.Prefix{})
		for more := true; more; {
			_, more = walk.Next(func(v *fib.Route) {
				list = append(list, routeOf(v))
				d.generations[v.ID] = v.Generation
			})
		}
	}
	return list
}

func (d *direct) generation(id uint64) uint64 { return d.generations[id] }

func (d *direct) occupancy() ([2]uint64, bool) {
	list := d.chip.Resources()
	return [2]uint64{list[0].Occupancy, list[2].Occupancy}, true
}

func (d *direct) entries() (list []model.Entry, generations []uint64, ok bool) {
	d.chip.View(func(v *asic.View) {
		for i, everything := range []string{"0.0.0.0/0", "::/0"} {
			for _, table := range v.Tables(fib.Families[i]) {
				for e := range v.Within(fib.Families[i], table, netip.MustParsePrefix(everything)) {
					shown, generation := entryOf(&e)
					list, generations = append(list, shown), append(generations, generation)
				}
			}
		}
	})
	for ticket, n := range d.waiting { // at rest nobody else is at work
		if n != 0 {
			d.t.Fatalf("request %d was answered as pending, less settled, %d times", ticket, n)
		}
	}
	return list, generations, true
}

// entryOf is an entry with the newest generation of its rows.
func entryOf(e *asic.Entry) (shown model.Entry, generation uint64) {
	shown = model.Entry{Table: e.Table, Prefix: e.Prefix.String()}
	for i, ref := range e.Routes {
		hops := []model.Hop{{}}
		if len(ref.Info.NextHops) > 0 {
			hops = nil
		}
		for j := range ref.Info.NextHops {
			hops = append(hops, hopOf(&ref.Info.NextHops[j]))
		}
		if ref.Info.NextHopID != 0 {
			hops = []model.Hop{{Device: fmt.Sprintf("nhid %d", ref.Info.NextHopID)}}
		}
		hops[0].Flags = flagText(e.Flags[i])
		shown.Hops = append(shown.Hops, hops)
		generation = max(generation, ref.Generation)
	}
	for i := range e.Hops {
		if e.Hops[i].Slots > 0 {
			h := hopOf(&e.Hops[i].NextHop)
			h.Weight = int(e.Hops[i].Slots)
			shown.Uses = append(shown.Uses, h)
		}
	}
	model.SortHops(shown.Uses)
	return shown, generation
}
