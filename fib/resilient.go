package fib

import (
	"slices"
	"time"
)

// Defaults of resilient groups (NH_RES_DEFAULT_IDLE_TIMER; iproute2 and the kernel agree on 128 buckets).
const (
	defaultBuckets   = 128
	defaultIdleTimer = 12000 // centiseconds
)

const centisecond = 10 * time.Millisecond

// resilient is what a resilient group has beyond its members: buckets that flows are hashed to. A bucket changes its next hop only when that is gone, or
// when the group is out of balance and the bucket has been idle for long enough; there is no traffic here, so a bucket is idle from the moment it was last set.
// A nil *resilient is that of any other group.
type resilient struct {
	buckets         []bucket
	idleTimer       uint32 // centiseconds
	unbalancedTimer uint32 // centiseconds; 0: never by force
	unbalancedSince time.Time
	timer           *time.Timer // for the next look at buckets that could not move yet

	hasBuckets, hasIdleTimer, hasUnbalancedTimer bool // said in the request; a replace keeps what is not
}

type bucket struct {
	object *NextHopObject
	since  time.Time // idle since
}

func newResilient(s *NextHopObjectSpec) (*resilient, *Error) {
	n := s.Buckets
	if !s.HasBuckets {
		n = defaultBuckets
	}
	switch {
	case n == 0:
		return nil, invalid("Number of buckets needs to be non-0", "")
	case int(n) < len(s.Group):
		return nil, invalid("Number of buckets needs to be at least the number of nexthops in the group", "")
	}
	r := &resilient{
		buckets: make([]bucket, n), idleTimer: s.IdleTimer, unbalancedTimer: s.UnbalancedTimer,
		hasBuckets: s.HasBuckets, hasIdleTimer: s.HasIdleTimer, hasUnbalancedTimer: s.HasUnbalancedTimer,
	}
	if !s.HasIdleTimer {
		r.idleTimer = defaultIdleTimer
	}
	return r, nil
}

// checkReplace accepts another number of buckets only where the request gave none (replace_nexthop_grp).
func (r *resilient) checkReplace(by *resilient) *Error {
	if by.hasBuckets && len(by.buckets) != len(r.buckets) {
		return invalid("Can not change number of buckets of a resilient nexthop group", "")
	}
	return nil
}

// takeOver keeps the buckets of the group's former state, and the timers that the request did not give.
func (r *resilient) takeOver(old *resilient) {
	if r == nil || old == nil {
		return
	}
	r.buckets, r.unbalancedSince = slices.Clone(old.buckets), old.unbalancedSince
	if !r.hasIdleTimer {
		r.idleTimer = old.idleTimer
	}
	if !r.hasUnbalancedTimer {
		r.unbalancedTimer = old.unbalancedTimer
	}
}

// wants returns how many buckets each member should have (nh_res_group_rebalance).
func (r *resilient) wants(members []member) []int {
	total, sum, before := 0, 0, 0
	for _, m := range members {
		total += int(m.weight)
	}
	wants := make([]int, len(members))
	for i, m := range members {
		sum += int(m.weight)
		bound := (len(r.buckets)*sum + total/2) / total
		wants[i], before = bound-before, bound
	}
	return wants
}

// balance moves buckets that may move to members that have too few; the last of those is served first (nh_res_table_upkeep).
func (r *resilient) balance(members []member) {
	if r == nil || len(members) == 0 {
		return
	}
	now := time.Now()
	missing := r.wants(members)
	for _, b := range r.buckets {
		if i := memberOf(members, b.object); i >= 0 {
			missing[i]--
		}
	}
	needs := func(n int) bool { return n > 0 }
	if !slices.ContainsFunc(missing, needs) {
		r.unbalancedSince = time.Time{}
		return
	}
	if r.unbalancedSince.IsZero() {
		r.unbalancedSince = now
	}
	forced := r.unbalancedTimer > 0 && now.Sub(r.unbalancedSince) >= time.Duration(r.unbalancedTimer)*centisecond
	for i := range r.buckets {
		b := &r.buckets[i]
		at := memberOf(members, b.object)
		if at >= 0 && (missing[at] >= 0 || !forced && now.Sub(b.since) < time.Duration(r.idleTimer)*centisecond) {
			continue
		}
		for to := len(members) - 1; to >= 0; to-- {
			if missing[to] <= 0 {
				continue
			}
			if at >= 0 {
				missing[at]++
			}
			missing[to]--
			b.object, b.since = members[to].object, now
			break
		}
	}
	if !slices.ContainsFunc(missing, needs) {
		r.unbalancedSince = time.Time{}
	}
}

// untilMove returns how long it takes until a bucket of a group out of balance may move, or false for one in balance.
func (r *resilient) untilMove(members []member) (wait time.Duration, unbalanced bool) {
	if r == nil || r.unbalancedSince.IsZero() {
		return 0, false
	}
	now := time.Now()
	spare := r.wants(members)
	for _, b := range r.buckets {
		spare[memberOf(members, b.object)]--
	}
	wait = time.Duration(r.idleTimer) * centisecond
	for _, b := range r.buckets {
		if spare[memberOf(members, b.object)] < 0 {
			wait = min(wait, b.since.Add(time.Duration(r.idleTimer)*centisecond).Sub(now))
		}
	}
	if r.unbalancedTimer > 0 {
		wait = min(wait, r.unbalancedSince.Add(time.Duration(r.unbalancedTimer)*centisecond).Sub(now))
	}
	return max(wait, centisecond), true
}

func memberOf(members []member, o *NextHopObject) int {
	return slices.IndexFunc(members, func(m member) bool { return m.object == o })
}

// indexes returns for each bucket the index of its member.
func (r *resilient) indexes(members []member) []uint16 {
	list := make([]uint16, len(r.buckets))
	for i, b := range r.buckets {
		list[i] = uint16(max(memberOf(members, b.object), 0)) //nolint:gosec // a group has at most 65535 members
	}
	return list
}

func (r *resilient) view() *ResilientView {
	v := &ResilientView{Buckets: uint16(len(r.buckets)), IdleTimer: r.idleTimer, UnbalancedTimer: r.unbalancedTimer} //nolint:gosec // made from a uint16
	if !r.unbalancedSince.IsZero() {
		v.UnbalancedTime = centiseconds(time.Since(r.unbalancedSince))
	}
	return v
}

func centiseconds(d time.Duration) uint64 { return uint64(max(d, 0) / centisecond) } //nolint:gosec // not negative

// BucketView describes one bucket of a resilient group.
type BucketView struct {
	ID        uint32 // of the group
	Index     uint32
	IdleTime  uint64 // centiseconds
	NextHopID uint32
	Offload   bool // hardware forwards it
	Trap      bool // its packets go to the CPU
}

// Buckets shows visit the buckets of a resilient group, or with 0 of all, by id and index. Error: ErrNextHopNotFound.
func (f *FIB) Buckets(id uint32, visit func(BucketView)) error {
	return f.readLinks(func() error {
		list := f.nextHops.sorted()
		if id != 0 {
			o := f.nextHops.byID[id]
			if o == nil || o.resilient == nil {
				return errNoNextHop(id)
			}
			list = []*NextHopObject{o}
		}
		for _, o := range list {
			if o.resilient == nil {
				continue
			}
			for i, b := range o.resilient.buckets {
				v := BucketView{ID: o.id, Index: uint32(i), IdleTime: centiseconds(time.Since(b.since)), NextHopID: b.object.id} //nolint:gosec // fewer than 65536
				switch n := b.object.hop.Neighbor; {
				case o.Flags()&FlagTrap != 0:
					v.Trap = true
				case n == nil || n.Offloaded():
					v.Offload = o.Flags()&FlagOffload != 0
				default:
					v.Trap = true
				}
				visit(v)
			}
		}
		return nil
	})
}

// upkeep lets buckets of a group move whose time has come, tells hardware, and comes back when there is more to move (nh_res_table_upkeep_dw).
func (f *FIB) upkeep(o *NextHopObject) {
	if o.resilient == nil {
		return
	}
	before := slices.Clone(o.resilient.buckets)
	o.resilient.balance(o.members)
	if !slices.Equal(before, o.resilient.buckets) {
		f.tellGroup(o)
	}
	f.scheduleUpkeep(o)
}

// scheduleUpkeep has a group looked at when a bucket may move.
func (f *FIB) scheduleUpkeep(o *NextHopObject) {
	if o.resilient == nil {
		return
	}
	if o.resilient.timer != nil {
		o.resilient.timer.Stop()
	}
	r := o.resilient
	if wait, unbalanced := r.untilMove(o.members); unbalanced && !f.closed {
		r.timer = time.AfterFunc(wait, func() {
			_ = f.changeLinks(func() error {
				if f.nextHops.byID[o.id] == o && o.resilient == r && !f.closed {
					f.upkeep(o)
				}
				return nil
			})
		})
	}
}
