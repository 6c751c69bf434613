package model_test

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vasic-project/vasic/conformance/model"
)

// target is a switch that is compared with the model. Its chip is paused all the time, so that everything happens in one order, except that
// resume lets it run for a moment. Requests and changes answer with the name of an errno, or nothing.
type target interface {
	modify(wants []model.Want) []string
	// race carries out batches at the same time, by a client each, and returns in which order they took effect.
	race(batches [][]model.Want) (order []int, errnos [][]string)

	addLink(name string) string
	setLink(name string, up, carrier bool) string
	deleteLink(name string) string
	addAddress(link string, prefix netip.Prefix) string
	deleteAddress(link string, prefix netip.Prefix) string
	setNeighbor(link string, addr netip.Addr, state string, exclusive bool) string
	deleteNeighbor(link string, addr netip.Addr) string
	neighbors() []model.Neighbor
	setObject(o model.Object, replace bool) string
	deleteObject(id uint32) string
	objects() []model.Object

	setNotify(settings [2]int)
	setFailing(offload, del bool)
	setSizes(sizes [2]uint64)
	reload() string
	resume()
	step(n int) (done int)

	routes() []model.Route
	events() []model.Event // since the last call

	// Not every target shows what follows; ok says whether it does.

	// settled are the ends of requests with a ticket since the last call.
	settled() (list []model.Settled, ok bool)
	occupancy() (entries [2]uint64, ok bool)
	// entries are the chip's, in no order, with the newest generation of the rows of each. Everything queued is done first.
	entries() (list []model.Entry, generations []uint64, ok bool)
	// generation is that of a listed route.
	generation(id uint64) uint64
}

// machine drives model and target side by side.
type machine struct {
	m      *model.Model
	target target
	run    bool              // hardware follows at once
	ids    map[uint64]uint64 // the target's for the model's
	owner  map[uint64]uint64 // the other way round
	ticket int               // of the last request
}

const unlimited = math.MaxUint64

// start sets up links swp1 to swp3.
func start(m *model.Model, target target) *machine {
	mc := &machine{m: m, target: target, run: true, ids: make(map[uint64]uint64), owner: make(map[uint64]uint64)}
	target.step(1000) // what a switch starts with may have been programmed before it was paused
	m.Rest()
	for i := 1; i <= 3; i++ {
		name := fmt.Sprintf("swp%d", i)
		m.AddLink(name)
		target.addLink(name)
		m.SetLink(name, true, true)
		target.setLink(name, true, true)
		for _, prefix := range []string{"10.0.%d.1/24", "2001:db8:%d::1/64"} {
			address := netip.MustParsePrefix(fmt.Sprintf(prefix, i))
			m.AddAddress(name, address)
			target.addAddress(name, address)
		}
	}
	return mc
}

// settings of a run.
type settings struct {
	profile string
	sizes   [2]uint64
	notify  [2]int
}

func drawSettings(t *rapid.T) settings {
	return settings{
		profile: rapid.SampledFrom([]string{"switch", "netdevsim"}).Draw(t, "profile"),
		sizes:   drawSizes(t),
		notify:  drawNotify(t),
	}
}

func drawSizes(t *rapid.T) [2]uint64 {
	size := rapid.SampledFrom([]uint64{unlimited, unlimited, 14, 12, 10, 3})
	return [2]uint64{size.Draw(t, "IPv4 size"), size.Draw(t, "IPv6 size")}
}

func drawNotify(t *rapid.T) [2]int {
	setting := rapid.SampledFrom([]int{1, 1, 2, 0})
	return [2]int{setting.Draw(t, "notify IPv4"), setting.Draw(t, "notify IPv6")}
}

// actions are what happens to a switch.
func (mc *machine) actions() map[string]func(*rapid.T) {
	one := func(t *rapid.T) { mc.modify(t, []model.Want{drawWant(t)}) }
	links := rapid.SampledFrom([]string{"swp1", "swp2", "swp2", "swp3", "swp3"})
	object := func(t *rapid.T) {
		o, replace := drawObject(t), rapid.IntRange(0, 2).Draw(t, "replace") > 0
		same(t, mc.target.setObject(o, replace), mc.m.SetObject(o, replace))
	}
	return map[string]func(*rapid.T){
		"":      mc.check,
		"one a": one, "one b": one, "one c": one, "one d": one, "one e": one, "one f": one, // most of what happens
		"batch": func(t *rapid.T) { mc.modify(t, rapid.SliceOfN(rapid.Custom(drawWant), 2, 5).Draw(t, "wants")) },
		"race":  mc.race,
		"link": func(t *rapid.T) {
			name, up, carrier := links.Draw(t, "link"), rapid.Bool().Draw(t, "up"), rapid.IntRange(0, 3).Draw(t, "carrier") > 0
			same(t, mc.target.setLink(name, up, carrier), mc.m.SetLink(name, up, carrier))
		},
		"remove link": func(t *rapid.T) {
			if rapid.Bool().Draw(t, "really") {
				same(t, mc.target.deleteLink("swp3"), mc.m.DeleteLink("swp3"))
			} else {
				same(t, mc.target.addLink("swp3"), mc.m.AddLink("swp3"))
			}
		},
		"address": func(t *rapid.T) {
			a := rapid.SampledFrom(addresses).Draw(t, "address")
			if rapid.Bool().Draw(t, "add") {
				same(t, mc.target.addAddress(a.link, a.prefix), mc.m.AddAddress(a.link, a.prefix))
			} else {
				same(t, mc.target.deleteAddress(a.link, a.prefix), mc.m.DeleteAddress(a.link, a.prefix))
			}
		},
		"neighbor": func(t *rapid.T) {
			link, addr := drawNeighbor(t)
			state, exclusive := rapid.SampledFrom(entryStates).Draw(t, "state"), rapid.Bool().Draw(t, "exclusive")
			same(t, mc.target.setNeighbor(link, addr, state, exclusive), mc.m.SetNeighbor(link, addr, state, exclusive))
		},
		"no neighbor": func(t *rapid.T) {
			link, addr := drawNeighbor(t)
			same(t, mc.target.deleteNeighbor(link, addr), mc.m.DeleteNeighbor(link, addr))
		},
		"object":   object,
		"object b": object,
		"no object": func(t *rapid.T) {
			id := rapid.SampledFrom(objectIDs).Draw(t, "id")
			same(t, mc.target.deleteObject(id), mc.m.DeleteObject(id))
		},
		"pause":  func(*rapid.T) { mc.run = false },
		"pause ": func(*rapid.T) { mc.run = false },
		"resume": func(*rapid.T) {
			mc.run = true
			mc.target.resume()
			mc.m.Rest()
		},
		"step": func(t *rapid.T) {
			n := rapid.IntRange(1, 3).Draw(t, "operations")
			if got, want := mc.target.step(n), mc.m.Step(n); got != want {
				t.Fatalf("step of %d: %d operations were done, want %d", n, got, want)
			}
		},
		"failing": func(t *rapid.T) {
			fail, del := rapid.Bool().Draw(t, "offload"), rapid.IntRange(0, 2).Draw(t, "delete") == 0
			mc.m.SetFailing(fail, del)
			mc.target.setFailing(fail, del)
		},
		"resize": func(t *rapid.T) {
			sizes := drawSizes(t)
			mc.m.SetSizes(sizes)
			mc.target.setSizes(sizes)
		},
		"reload": func(t *rapid.T) { same(t, mc.target.reload(), mc.m.Reload()) },
		"sysctl": func(t *rapid.T) {
			settings := drawNotify(t)
			mc.m.SetNotify(settings)
			mc.target.setNotify(settings)
		},
	}
}

func same(t *rapid.T, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("errno %q, want %q", got, want)
	}
}

// ask has every request waited for.
func (mc *machine) ask(wants []model.Want) {
	for i := range wants {
		mc.ticket++
		wants[i].Ticket = mc.ticket
	}
}

func (mc *machine) modify(t *rapid.T, wants []model.Want) {
	mc.ask(wants)
	got := mc.target.modify(wants)
	for i, w := range wants {
		same(t, got[i], mc.m.Modify(w))
	}
}

// race has several clients at work at once, in one family. The model follows in the order in which their batches took effect.
func (mc *machine) race(t *rapid.T) {
	family := rapid.IntRange(0, 1).Draw(t, "family")
	want := rapid.Custom(func(t *rapid.T) model.Want { return drawWantOf(t, family) })
	batches := rapid.SliceOfN(rapid.SliceOfN(want, 1, 3), 2, 4).Draw(t, "batches")
	for _, batch := range batches {
		mc.ask(batch)
	}
	order, got := mc.target.race(batches)
	for _, i := range order {
		for j, w := range batches[i] {
			same(t, got[i][j], mc.m.Modify(w))
		}
	}
}

// check compares. It is called after each action.
func (mc *machine) check(t *rapid.T) {
	if mc.run && !mc.m.Idle() {
		if got, want := mc.target.step(1000), mc.m.Rest(); got != want {
			t.Fatalf("%d operations were done, want %d", got, want)
		}
	}
	mc.checkEvents(t)
	mc.checkRoutes(t)
	if got, want := mc.target.neighbors(), mc.m.Neighbors(); !slices.Equal(got, want) {
		t.Fatalf("neighbours:\n%v\nwant:\n%v", lines(got), lines(want))
	}
	if got, want := mc.target.objects(), mc.m.Objects(); !reflect.DeepEqual(got, want) {
		t.Fatalf("next-hop objects:\n%v\nwant:\n%v", lines(got), lines(want))
	}
	wantSettled := mc.m.Settled()
	if got, ok := mc.target.settled(); ok && !slices.Equal(got, wantSettled) {
		t.Fatalf("settled %v, want %v", got, wantSettled)
	}
	wantOccupancy := mc.m.Occupancy()
	if got, ok := mc.target.occupancy(); ok && got != wantOccupancy && (mc.m.Idle() || mc.m.Netdevsim()) {
		t.Fatalf("occupancy %v, want %v", got, wantOccupancy)
	}
	if mc.m.Idle() {
		mc.checkEntries(t)
	}
}

func (mc *machine) checkEvents(t *rapid.T) {
	got, want := mc.target.events(), mc.m.Events()
	if len(got) != len(want) {
		t.Fatalf("events:\n%v\nwant:\n%v", lines(got), lines(want))
	}
	for start := 0; start < len(want); {
		end := start + 1
		if want[start].Unordered {
			for end < len(want) && want[end].Unordered {
				end++
			}
			byText := func(a, b model.Event) int { return strings.Compare(a.Route.String(), b.Route.String()) }
			slices.SortFunc(got[start:end], byText)
			slices.SortFunc(want[start:end], byText)
		}
		start = end
	}
	for i := range want {
		if !got[i].Same(want[i]) {
			t.Fatalf("event:\n%+v\nwant:\n%+v\nof events:\n%v\nwant:\n%v", got[i], want[i], lines(got), lines(want))
		}
		mc.identify(t, got[i].Route.ID, want[i].Route.ID)
	}
}

// identify checks that the target gives one id to what the model gives one id.
func (mc *machine) identify(t *rapid.T, got, want uint64) {
	if mc.ids[want] == 0 && mc.owner[got] == 0 {
		mc.ids[want], mc.owner[got] = got, want
	}
	if mc.ids[want] != got || mc.owner[got] != want {
		t.Fatalf("id %d, want %d", got, mc.ids[want])
	}
}

func (mc *machine) checkRoutes(t *rapid.T) {
	got, want := mc.target.routes(), mc.m.Routes()
	if !slices.EqualFunc(got, want, model.Route.Same) {
		t.Fatalf("routes:\n%v\nwant:\n%v", lines(got), lines(want))
	}
	for i := range want {
		mc.identify(t, got[i].ID, want[i].ID)
	}
}

// checkEntries compares hardware at rest.
func (mc *machine) checkEntries(t *rapid.T) {
	got, generations, ok := mc.target.entries()
	if !ok {
		return
	}
	want := mc.m.Entries()
	if len(got) != len(want) {
		t.Fatalf("entries:\n%v\nwant:\n%v", lines(got), lines(want))
	}
	for _, w := range want {
		i := slices.IndexFunc(got, func(g model.Entry) bool { return g.Table == w.Table && g.Prefix == w.Prefix })
		if i < 0 || !slices.EqualFunc(got[i].Hops, w.Hops, slices.Equal) || !slices.Equal(got[i].Uses, w.Uses) {
			t.Fatalf("entries:\n%v\nwant:\n%v", lines(got), lines(want))
		}
		if w.Route != 0 && mc.target.generation(mc.ids[w.Route]) != generations[i] {
			t.Fatalf("entry %v is of generation %d, its route of %d", w, generations[i], mc.target.generation(mc.ids[w.Route]))
		}
	}
	if unexplained := mc.m.Unexplained(); unexplained != "" {
		t.Fatalf("at rest, hardware does not have %s, and nothing has failed there", unexplained)
	}
}

func lines[T any](list []T) (text string) {
	for _, v := range list {
		text += fmt.Sprintf("  %+v\n", v)
	}
	return text
}

// TestTheFIBAndTheChipDoWhatTheModelDoes looks at the FIB and the chip directly.
func TestTheFIBAndTheChipDoWhatTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSettings(t)
		mc := start(model.New(s.profile, s.sizes, s.notify), newDirect(t, s))
		t.Repeat(mc.actions())
	})
}
