package fpm

import (
	"bytes"
	"net/netip"
	"time"
)

// maxOutdated bounds what the fault of stale answers keeps.
const maxOutdated = 1 << 12

// verdict is what hardware made of a route.
type verdict uint8

const (
	undecided verdict = iota
	offloaded
	trapped
	failed

	verdicts = iota
)

// verdictNames are the values of the metrics' label.
var verdictNames = [verdicts]string{"pending", "offload", "trap", "offload_failed"}

func (v verdict) String() string { return verdictNames[v] }

// inHardware says whether hardware has the route.
func (v verdict) inHardware() bool { return v == offloaded || v == trapped }

// entry is one route: what zebra wants, what the switch has, and what zebra was told. It belongs to a rib.
type entry struct {
	key key

	// What zebra wants.
	message                []byte // its last RTM_NEWROUTE; nil if it does not want the route
	kind                   routeKind
	protocol               protocol
	paths                  *paths    // nil: not known, as its next-hop id was not announced; or the route rejects
	epoch                  uint64    // of the connection that spoke of it last
	since                  time.Time // when message was read
	hop                    *hopNode  // its next-hop object, if it has one
	nextUser, previousUser *entry    // of hop

	// What the switch has, and what is on its way there.
	actual   actual
	adopted  bool   // the switch had it before zebra spoke of it; kept until the next sweep
	ops      int    // operations sent, and neither accepted nor refused
	revision uint64 // of the switch's log after the last operation accepted
	refused  bool   // the switch refused the present paths
	result   result // in-band hardware result of the last operation

	// What zebra was told.
	told     verdict // about the present message
	believed bool    // zebra may count the route, or the one before it, as offloaded

	// Which of the rib's queues hold it.
	dirty, due, retry bool
	postponed         bool // it left the dirty queue before it was settled, and goes back there then
	again             bool // program it anew though the switch has it: hardware had refused it
}

// actual is the route that the switch has, as Watch says.
type actual struct {
	id         uint64 // Route.id; 0 if the switch has none
	generation uint64
	content    content
	verdict    verdict
	flagged    bool // its verdict was said since its generation came
	stood      bool // hardware had it before the last event
}

// result is what hardware made of a generation of the switch's, as ModifyRoutes says. It counts where Watch says nothing because
// the switch is set not to publish changes of flags.
type result struct {
	generation uint64
	verdict    verdict
}

// present says whether the entry stands for a route at all, which a full table of zebra's must confirm.
func (e *entry) present() bool { return e.message != nil || e.adopted }

// verdict is what hardware made of the route that the switch has.
func (e *entry) verdict() verdict {
	if !e.actual.flagged && e.result.generation == e.actual.generation {
		return e.result.verdict
	}
	return e.actual.verdict
}

// stands says whether hardware has the route, as it is or as it was: one that the switch has replaced stays in hardware until hardware
// has decided on the new one.
func (e *entry) stands() bool {
	v := e.verdict()
	return v.inHardware() || v == undecided && e.actual.stood
}

// outdated is a message that zebra has replaced by another.
type outdated struct {
	prefix  netip.Prefix
	message []byte
}

// rib compares what zebra wants with what the switch has and with what zebra was told, and queues the differences. It does no
// I/O, knows no time but what it is told, and is guarded by the lock of its Router.
type rib struct {
	entries map[key]*entry
	hops    *hopStore
	links   *linkNames
	tables  tableRange
	metric  uint32 // of all its routes in the switch, which tells them from others
	trap    TrapAnswer

	// The connection.
	epoch     uint64 // of the present connection, or the last one
	connected bool
	syncing   bool      // it has not told all it wants
	stale     int       // entries that are present and that this connection has not spoken of
	heard     time.Time // when it last spoke of an entry for the first time
	confirmed time.Time // when it last spoke of one that was stale

	// The switch.
	synced   bool   // actual is complete
	lost     bool   // the switch has been away for too long to be trusted
	revision uint64 // of its log up to which actual is complete

	queue    queue[*entry]   // dirty: what zebra wants and what the switch has may differ
	answers  queue[*entry]   // due: zebra may have to be told
	awaiting queue[accepted] // operations whose events have not come, in the order of their revisions
	retries  []*entry        // refused or failed, waiting for the next round
	outdated queue[outdated] // messages that zebra has replaced by others; kept for a fault
	touched  []*entry        // for observe, used again

	keepOutdated bool

	told [verdicts]int // entries by what zebra was told, of those that it wants and listens for
}

func newRIB(links *linkNames, tables tableRange, metric uint32, trap TrapAnswer) *rib {
	return &rib{entries: make(map[key]*entry), hops: newHopStore(), links: links, tables: tables, metric: metric, trap: trap}
}

// connect starts an epoch: what zebra wanted is in doubt until it says it again, and ids of next hops are void.
func (r *rib) connect(now time.Time) {
	r.epoch++
	r.connected, r.syncing = true, true
	r.hops = newHopStore()
	r.stale = 0
	r.answers, r.outdated = queue[*entry]{}, queue[outdated]{}
	for _, e := range r.entries {
		e.due = false
		if e.present() {
			r.stale++
		}
	}
	r.heard, r.confirmed = now, now
}

// apply takes over what zebra wrote.
func (r *rib) apply(u *update, now time.Time) {
	switch u.kind {
	case setRoute:
		r.set(&u.route, u.message, now)
	case deleteRoute:
		if !u.replaced {
			r.unset(u.route.key, now)
		}
	case setNextHop:
		r.hops.set(u.hop, r.lead)
	case deleteNextHop:
		r.hops.remove(u.hop.id)
	}
}

// set makes zebra want a route.
func (r *rib) set(want *route, message []byte, now time.Time) {
	e := r.entries[want.key]
	if e == nil {
		e = &entry{key: want.key}
		r.entries[want.key] = e
	}
	r.mention(e, now)
	if e.message != nil {
		r.count(e, -1)
		if r.keepOutdated && e.protocol.listens() && r.outdated.len() < maxOutdated && !bytes.Equal(e.message, message) {
			r.outdated.push(outdated{e.key.prefix, bytes.Clone(e.message)})
		}
	}
	e.adopted = false
	e.message = append(e.message[:0], message...)
	e.kind, e.protocol, e.since = want.kind, want.protocol, now
	e.told = undecided
	r.count(e, 1)
	if e.hop == nil || e.hop.id != want.hopID || r.hops.nodes[want.hopID] != e.hop {
		r.hops.leave(e)
		if want.hopID != 0 {
			r.hops.node(want.hopID).join(e)
		}
	}
	if e.hop != nil {
		e.paths = e.hop.paths
	} else {
		e.paths = want.paths
	}
	e.refused = false
	r.markDirty(e)
}

// unset makes zebra not want a route.
func (r *rib) unset(k key, now time.Time) {
	e := r.entries[k]
	if e == nil {
		return
	}
	r.mention(e, now)
	r.drop(e)
}

// mention notes that this connection has spoken of the entry.
func (r *rib) mention(e *entry, now time.Time) {
	if e.epoch == r.epoch {
		return
	}
	if e.present() {
		r.stale--
		r.confirmed = now
	}
	e.epoch = r.epoch
	r.heard = now
	// What zebra was told over an earlier connection, by an earlier bridge perhaps, it still believes.
	e.believed = e.believed || r.syncing
}

// drop makes the route unwanted.
func (r *rib) drop(e *entry) {
	if e.message != nil {
		r.count(e, -1)
	}
	e.message, e.paths, e.adopted, e.refused, e.believed = nil, nil, false, false, false
	r.hops.leave(e)
	r.markDirty(e)
}

// sweep notes that the connection has told all. It drops what the connection has not spoken of, and returns how many that were.
func (r *rib) sweep() (swept int) {
	r.syncing = false
	for _, e := range r.entries {
		switch {
		case e.epoch == r.epoch:
			r.evaluate(e)
		case e.present():
			r.drop(e)
			swept++
		}
	}
	r.stale = 0
	return swept
}

// lead gives the users of a next-hop object its new paths.
func (r *rib) lead(n *hopNode) {
	for e := n.users; e != nil; e = e.nextUser {
		e.paths = n.paths
		e.refused = false
		r.markDirty(e)
	}
}

// content is what zebra wants, and false while where it leads is not known.
func (r *rib) content(e *entry) (content, bool) {
	if e.kind.rejects() {
		return contentOf(e.kind, e.protocol), true
	}
	if e.paths == nil {
		return content{}, false
	}
	if e.paths.blackhole {
		return contentOf(blackhole, e.protocol), true
	}
	c := contentOf(r.kind(e), e.protocol)
	for _, p := range e.paths.list {
		device := ""
		if p.link != 0 {
			var ok bool
			if device, ok = r.links.name(p.link); !ok {
				return content{}, false
			}
		}
		c.add(hop{p.gateway, device, p.weight})
	}
	return c, len(e.paths.list) > 0
}

// kind is what the switch is to do with packets of a unicast route whose paths are known.
func (r *rib) kind(e *entry) routeKind {
	switch {
	case e.paths.blackhole:
		return blackhole
	case r.links.owns(e.key, e.paths):
		return local
	}
	return unicast
}

// settled says whether the switch has answered everything about the entry, and Watch has told what became of it.
func (r *rib) settled(e *entry) bool {
	return r.synced && e.ops == 0 && e.revision <= r.revision
}

// judge is what zebra should have been told about its last message; undecided if there is nothing to say.
func (r *rib) judge(e *entry) verdict {
	if e.message == nil || !r.connected || e.epoch != r.epoch || !e.protocol.listens() {
		return undecided
	}
	if !r.settled(e) {
		if r.lost {
			return r.denied(e)
		}
		return undecided
	}
	want, ok := r.content(e)
	switch {
	case !ok:
		return undecided
	case e.refused:
		return failed
	case e.actual.id != 0 && e.actual.content == want:
		switch v := e.verdict(); {
		case v == trapped && r.trap == AnswerTrap && (e.told == offloaded || e.believed && !r.syncing):
			return failed // without which zebra, told of a trap, goes on to count the route as offloaded; the trap comes next
		case v != undecided || e.stands():
			return v
		}
	case e.dirty && e.stands():
		return undecided // hardware has the prefix, and what zebra wants now is still to be programmed
	}
	return r.denied(e)
}

// denied is what zebra should have been told about a route that hardware does not have: failed if zebra believes otherwise. What
// it believes since an earlier connection is left alone until it has told all, as most of that will be in hardware by then.
func (r *rib) denied(e *entry) verdict {
	if e.told.inHardware() || e.believed && !r.syncing {
		return failed
	}
	return undecided
}

// tell notes what zebra is told about the entry, and queues what it has to be told next.
func (r *rib) tell(e *entry, v verdict) {
	r.count(e, -1)
	e.told = v
	e.believed = v == offloaded || v == trapped && (e.believed || r.trap == AnswerOffloadTrap)
	r.count(e, 1)
	if v == failed {
		r.evaluate(e) // see judge
	}
}

func (r *rib) count(e *entry, n int) {
	if e.protocol.listens() {
		r.told[e.told] += n
	}
}

// markDirty queues the entry for programming.
func (r *rib) markDirty(e *entry) {
	if !e.dirty {
		e.dirty = true
		r.queue.push(e)
	}
}

// evaluate queues what follows from a change on the switch's side.
func (r *rib) evaluate(e *entry) {
	if v := r.judge(e); v != undecided && v != e.told && !e.due {
		e.due = true
		r.answers.push(e)
	}
	if e.retry || e.dirty || e.message == nil || !r.settled(e) {
		return
	}
	want, ok := r.content(e)
	if ok && (e.refused || e.actual.content != want || e.verdict() == failed) {
		e.retry = true
		r.retries = append(r.retries, e)
	}
}

// retryAll queues what was refused or failed for another try.
func (r *rib) retryAll() {
	for i, e := range r.retries {
		r.retries[i] = nil
		e.retry, e.refused, e.again = false, false, true
		r.markDirty(e)
	}
	r.retries = r.retries[:0]
}

// forget removes an entry that stands for nothing.
func (r *rib) forget(e *entry) {
	if !e.present() && e.actual.id == 0 && r.settled(e) && r.entries[e.key] == e {
		delete(r.entries, e.key)
	}
}
