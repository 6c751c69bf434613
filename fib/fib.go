package fib

import (
	"net/netip"
	"sync"
	"time"
)

// FIB holds the routes of both families, the links and the addresses. Make one with New.
type FIB struct {
	hardware Hardware
	sink     Sink
	families [2]*family

	linksMu   sync.Mutex // held by whoever changes links or addresses, before both families' locks
	links     links
	closed    bool // guarded by linksMu
	neighbors neighbors
	nextHops  nextHops
}

// New returns a FIB as in a fresh network namespace: tables local and main, link lo, which is down, and its IPv6 address ::1.
// Hardware is told nothing until Attach.
func New(hardware Hardware, sink Sink) *FIB {
	f := &FIB{
		hardware: hardware, sink: sink, links: links{byName: make(map[string]*Link)},
		neighbors: neighbors{hardware: hardware, byKey: make(map[neighborKey]*Neighbor)},
		nextHops:  nextHops{byID: make(map[uint32]*NextHopObject)},
	}
	f.families = [...]*family{newFamily(f, IPv4, rules4), newFamily(f, IPv6, rules6)}
	f.families[0].other, f.families[1].other = f.families[1], f.families[0]
	lo := f.links.add("lo", true)
	_ = f.changeLinks(func() error {
		f.addAddress6(lo, address{prefix: netip.MustParsePrefix("::1/128")})
		return nil
	})
	return f
}

// lockBoth locks both families in order and starts a critical section.
func (f *FIB) lockBoth() {
	now := time.Now().UnixNano()
	for _, fam := range f.families {
		fam.mu.Lock()
		fam.now = now
		fam.ways.change()
	}
}

// unlockBoth hands over what was collected and unlocks.
func (f *FIB) unlockBoth() {
	for _, fam := range f.families {
		fam.commit()
	}
	for _, fam := range f.families {
		fam.mu.Unlock()
	}
}

// Detach stops telling hardware about changes. Operations that are queued already stay queued.
func (f *FIB) Detach() {
	f.lockBoth()
	defer f.unlockBoth()
	for _, fam := range f.families {
		fam.attached = false
	}
}

// Attach tells hardware every next-hop object, rule and candidate, in the order of the kernel's replay, and every change from then on. It returns how many
// entries were queued. If hardware refuses one, nothing more is queued, the FIB stays detached, and the refusal is returned.
func (f *FIB) Attach() (replayed int, err error) {
	f.linksMu.Lock()
	defer f.linksMu.Unlock()
	f.lockBoth()
	defer f.unlockBoth()
	err = f.replayNextHops()
	for _, fam := range f.families {
		if err == nil {
			var n int
			n, err = fam.replay()
			replayed += n
		}
		fam.attached = err == nil
	}
	if err != nil {
		f.families[IPv4].attached = false
	}
	return replayed, err
}

// replay tells hardware the rules, and queues a Replace for every candidate (fib_notify, fib6_tables_dump).
func (f *family) replay() (n int, err error) {
	if err := f.replayRules(); err != nil {
		return 0, err
	}
	for _, t := range f.order {
		for _, e := range f.entries(t) {
			f.load(t, e.prefix)
			f.before = f.before[:0]
			if !f.difference(t, e.prefix) {
				continue
			}
			if refused := f.fib.hardware.Admit(&f.op); refused != nil {
				return n, asError(refused)
			}
			f.ops = append(f.ops, f.op)
			n++
		}
	}
	return n, nil
}

// SetNotify sets which changes of flags are published from now on. Safe for concurrent use.
func (f *FIB) SetNotify(af Family, setting NotifySetting) {
	f.families[af].notify.Store(uint32(setting))
}

// Notify returns what SetNotify set; NotifyNone at first.
func (f *FIB) Notify(af Family) NotifySetting {
	return NotifySetting(f.families[af].notify.Load())
}

// SetSkipNotifyOnDown sets net.ipv6.route.skip_notify_on_dev_down: deletes of IPv6 routes because of a link that went down are silent.
func (f *FIB) SetSkipNotifyOnDown(skip bool) { f.families[IPv6].skipDown.Store(skip) }

// SkipNotifyOnDown returns what SetSkipNotifyOnDown set; false at first.
func (f *FIB) SkipNotifyOnDown() bool { return f.families[IPv6].skipDown.Load() }

// Counts are numbers about one family's FIB.
type Counts struct {
	Rows       [len(States)]int // rows by state; an IPv6 multipath route has one for each sibling
	Stale      uint64           // hardware results dropped because their row was replaced or deleted
	Suppressed uint64           // changes of flags not published because of the notification setting

	outcomes outcomes
}

// SetIgnoreLinkdown sets net.ipv4 or net.ipv6 .conf.all.ignore_routes_with_linkdown: next hops on links without carrier count as dead.
func (f *FIB) SetIgnoreLinkdown(af Family, ignore bool) { f.links.ignoreLinkdown[af].Store(ignore) }

// IgnoreLinkdown returns what SetIgnoreLinkdown set; false at first.
func (f *FIB) IgnoreLinkdown(af Family) bool { return f.links.ignoreLinkdown[af].Load() }

// outcomes counts the ends of operations.
type outcomes [Superseded + 1][reasonCount]uint64

// EachOutcome calls fn for every outcome and reason that can occur, with how many operations ended so.
func (c *Counts) EachOutcome(fn func(Outcome, Reason, uint64)) {
	for o := range c.outcomes {
		for r, n := range c.outcomes[o] {
			if Outcome(o).can(Reason(r)) {
				fn(Outcome(o), Reason(r), n)
			}
		}
	}
}

// Counts returns the present numbers.
func (f *FIB) Counts(af Family) Counts {
	fam := f.families[af]
	fam.mu.Lock()
	defer fam.mu.Unlock()
	return Counts{Rows: fam.counts, Stale: fam.stale.Load(), Suppressed: fam.suppressed.Load(), outcomes: fam.outcomes}
}

// alive reports whether a route can carry packets: it has no next hop at all, or one on a link that is up.
func (f *family) alive(info *Info) bool {
	for i := range info.NextHops {
		if dead, _ := info.HopState(f.af, i); !dead {
			return true
		}
	}
	return len(info.NextHops) == 0 || info.Effect().rejects()
}

// Get shows visit the first route of a name; without a metric the first of the prefix with that TOS. visit runs with the lock held.
func (f *FIB) Get(table uint32, pfx, source netip.Prefix, tos uint8, metric *uint32, visit func(*Route)) error {
	fam := f.families[FamilyOf(pfx.Addr())]
	fam.mu.Lock()
	defer fam.mu.Unlock()
	t, missing := fam.existing(table, source)
	if missing != nil {
		return missing
	}
	fam.load(t, pfx)
	for _, n := range fam.list {
		if r := fam.rows.At(n); r.tos == tos && (metric == nil || r.metric == *metric) {
			fam.show(t, pfx, n, visit)
			return nil
		}
	}
	return errDeleteMissing
}

// showing returns the view of row n of f.list, which is good until the next call.
func (f *family) showing(t *table, pfx netip.Prefix, n uint32) *Route {
	f.shown = Route{}
	f.view(&f.shown, t, pfx, n)
	return &f.shown
}

// show calls visit with the view of row n of f.list.
func (f *family) show(t *table, pfx netip.Prefix, n uint32, visit func(*Route)) {
	visit(f.showing(t, pfx, n))
	f.siblings = f.siblings[:0]
}
