package asic

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vasic-project/vasic/fib"
)

// Unlimited is the size of a resource without a bound.
const Unlimited = math.MaxUint64

// Resource paths, as devlink names netdevsim's, and those that only other chips have.
const (
	PathIPv4FIB      = "IPv4/fib"
	PathIPv4Rules    = "IPv4/fib-rules"
	PathIPv6FIB      = "IPv6/fib"
	PathIPv6Rules    = "IPv6/fib-rules"
	PathNextHops     = "nexthops"
	PathGroups       = "groups"
	PathGroupMembers = "group-members"
	PathHosts        = "hosts"
	PathMemory       = "memory"
)

// ResourcePaths lists all paths in devlink's order.
var ResourcePaths = []string{
	PathIPv4FIB, PathIPv4Rules, PathIPv6FIB, PathIPv6Rules, PathNextHops, PathGroups, PathGroupMembers, PathHosts, PathMemory,
}

// resource is an index in ResourcePaths.
type resource int

const (
	fibRows4 resource = iota
	ruleRows4
	fibRows6
	ruleRows6
	nextHopRows
	groupRows
	memberRows
	hostRows
	memory
	resourceCount
)

// Resource is the size and occupancy of one table.
type Resource struct {
	Path      string
	Size      uint64 // rows in force; Unlimited for no bound
	SizeNew   uint64 // rows from the next reload on
	Occupancy uint64 // rows in use
}

// resources are sizes and occupancies.
type resources struct {
	size [resourceCount]atomic.Uint64 // in force

	mu      sync.Mutex // guards all following fields; a leaf lock
	sizeNew [resourceCount]uint64
	counted [resourceCount]uint64 // what is counted when it is admitted
	objects map[uint32]uint64     // rows of each next-hop object, of a chip that counts them when they are admitted
}

// apply puts the new sizes into force and counts from 0.
func (rs *resources) apply() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for r := range resourceCount {
		rs.size[r].Store(rs.sizeNew[r])
	}
	rs.counted = [resourceCount]uint64{}
	rs.objects = make(map[uint32]uint64)
}

// fibRows is the resource of a family's FIB, and ruleRows that of its rules.
func fibRows(family fib.Family) resource  { return fibRows4 + 2*resource(family) }
func ruleRows(family fib.Family) resource { return ruleRows4 + 2*resource(family) }

// account counts an operation as netdevsim does and reports whether it may go on: a Replace takes an entry, given back by released when it
// replaced one; every Delete gives one back, also that of a single sibling; an Append takes none. A promotion is always taken: it stands
// for an entry that leaves.
func (rs *resources) account(op *fib.Op) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := fibRows(op.Family)
	count := &rs.counted[r]
	switch op.Kind {
	case fib.OpReplace:
		if *count >= rs.size[r].Load() && !op.Promotion {
			return false
		}
		*count++
	case fib.OpDelete:
		*count = max(*count, 1) - 1
	}
	return true
}

// released gives an entry back.
func (rs *resources) released(family fib.Family) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	count := &rs.counted[fibRows(family)]
	*count = max(*count, 1) - 1
}

// accountRule counts a rule and reports whether there was room, which is of no matter unless the number is bounded.
func (rs *resources) accountRule(family fib.Family, add, bounded bool) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	count := &rs.counted[ruleRows(family)]
	switch {
	case !add:
		*count = max(*count, 1) - 1
	case bounded && *count >= rs.size[ruleRows(family)].Load():
		return false
	default:
		*count++
	}
	return true
}

// rowsOf is how many rows of "nexthops" an object takes: one, or for a group the weights or the buckets (nsim_nexthop_account).
func rowsOf(u *fib.NextHopUpdate) (rows uint64) {
	switch {
	case u.Gone:
		return 0
	case !u.Group:
		return 1
	case len(u.Buckets) > 0:
		return uint64(len(u.Buckets))
	}
	for i := range u.Hops {
		rows += uint64(u.Hops[i].Weight)
	}
	return rows
}

// accountNextHop counts an object, the new one before the old one is given back, and reports whether there was room.
func (rs *resources) accountNextHop(u *fib.NextHopUpdate) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rows, count := rowsOf(u), &rs.counted[nextHopRows]
	if size := rs.size[nextHopRows].Load(); !u.Gone && (*count > size || rows > size-*count) {
		return false
	}
	*count += rows - rs.objects[u.ID]
	if rs.objects[u.ID] = rows; u.Gone {
		delete(rs.objects, u.ID)
	}
	return true
}

// SetResource stores a size that takes effect at the next reload. Any size is taken. Error: ErrNoResource.
func (c *Chip) SetResource(path string, size uint64) error {
	r := slices.Index(ResourcePaths, path)
	if r < 0 || !c.profile.has(resource(r)) {
		return fmt.Errorf("%w: %q", ErrNoResource, path)
	}
	c.resources.mu.Lock()
	defer c.resources.mu.Unlock()
	c.resources.sizeNew[r] = size
	return nil
}

// Resources returns the resources that the chip has, in devlink's order.
func (c *Chip) Resources() []Resource {
	c.hw.Lock()
	defer c.hw.Unlock()
	c.resources.mu.Lock()
	defer c.resources.mu.Unlock()
	list := make([]Resource, 0, resourceCount)
	for r := range resourceCount {
		if !c.profile.has(r) {
			continue
		}
		// What is counted when it is admitted is never counted as a row.
		list = append(list, Resource{
			Path: ResourcePaths[r], Size: c.resources.size[r].Load(), SizeNew: c.resources.sizeNew[r], Occupancy: c.resources.counted[r] + c.rows[r],
		})
	}
	return list
}

// demand is a number of rows of one resource.
type demand struct {
	resource resource
	rows     uint64
}

// fits reports whether there is room for all demands together.
func (c *Chip) fits(demands ...demand) bool {
	shared := uint64(0)
	for _, d := range demands {
		if !room(c.rows[d.resource], d.rows, c.resources.size[d.resource].Load()) {
			return false
		}
		if c.profile.inMemory[d.resource] {
			shared += d.rows
		}
	}
	return shared == 0 || room(c.rows[memory], shared, c.resources.size[memory].Load())
}

func room(used, more, size uint64) bool { return used <= size && more <= size-used }

// occupy takes rows.
func (c *Chip) occupy(d demand) {
	c.rows[d.resource] += d.rows
	if c.profile.inMemory[d.resource] {
		c.rows[memory] += d.rows
	}
}

// vacate gives rows back.
func (c *Chip) vacate(d demand) {
	c.rows[d.resource] -= d.rows
	if c.profile.inMemory[d.resource] {
		c.rows[memory] -= d.rows
	}
	c.vacated = true
}
