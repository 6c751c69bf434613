package asic

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/vasic-project/vasic/fib"
)

// Unlimited is the size of a resource without a bound.
const Unlimited = math.MaxUint64

// Resource paths, as devlink names netdevsim's.
const (
	PathIPv4FIB   = "IPv4/fib"
	PathIPv4Rules = "IPv4/fib-rules"
	PathIPv6FIB   = "IPv6/fib"
	PathIPv6Rules = "IPv6/fib-rules"
	PathNextHops  = "nexthops"
)

// ResourcePaths lists all paths in devlink's order.
var ResourcePaths = []string{PathIPv4FIB, PathIPv4Rules, PathIPv6FIB, PathIPv6Rules, PathNextHops}

// Default rules of a network namespace, which take entries: local, main and default for IPv4, local and main for IPv6.
const (
	defaultRules4 = 3
	defaultRules6 = 2
)

// Resource is the size and occupancy of one table.
type Resource struct {
	Path      string
	Size      uint64 // entries in force; Unlimited for no bound
	SizeNew   uint64 // entries from the next reload on
	Occupancy uint64 // entries in use
}

// resources are sizes and, for a profile that accounts, occupancies. A leaf lock guards all.
type resources struct {
	mu      sync.Mutex
	size    [5]uint64 // by index in ResourcePaths
	sizeNew [5]uint64
	counted [2]uint64 // by family, of a profile that accounts
}

func (rs *resources) init() {
	for i := range rs.size {
		rs.size[i], rs.sizeNew[i] = Unlimited, Unlimited
	}
}

// fibIndex is the index of a family's FIB in ResourcePaths.
func fibIndex(family fib.Family) int { return 2 * int(family) }

func (rs *resources) limit(family fib.Family) uint64 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.size[fibIndex(family)]
}

// apply puts the new sizes into force and counts from 0.
func (rs *resources) apply() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.size, rs.counted = rs.sizeNew, [2]uint64{}
}

// account counts an operation as netdevsim does and reports whether it may go on: a Replace takes an entry, given back by released when it
// replaced one; every Delete gives one back, also that of a single sibling; an Append takes none. A promotion is always taken: it stands
// for an entry that leaves.
func (rs *resources) account(op *fib.Op) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	count := &rs.counted[op.Family]
	switch op.Kind {
	case fib.OpReplace:
		if *count >= rs.size[fibIndex(op.Family)] && !op.Promotion {
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
	rs.counted[family] = max(rs.counted[family], 1) - 1
}

// SetResource stores a size that takes effect at the next reload. Any size is taken. Error: ErrNoResource.
func (c *Chip) SetResource(path string, size uint64) error {
	i := slices.Index(ResourcePaths, path)
	if i < 0 {
		return fmt.Errorf("%w: %q", ErrNoResource, path)
	}
	c.resources.mu.Lock()
	defer c.resources.mu.Unlock()
	c.resources.sizeNew[i] = size
	return nil
}

// Resources returns all resources in devlink's order.
func (c *Chip) Resources() []Resource {
	c.resources.mu.Lock()
	defer c.resources.mu.Unlock()
	list := make([]Resource, len(ResourcePaths))
	for i, path := range ResourcePaths {
		list[i] = Resource{Path: path, Size: c.resources.size[i], SizeNew: c.resources.sizeNew[i]}
	}
	list[1].Occupancy, list[3].Occupancy = defaultRules4, defaultRules6
	for _, family := range fib.Families {
		occupancy := &list[fibIndex(family)].Occupancy
		if *occupancy = c.resources.counted[family]; !c.profile.accounting {
			*occupancy = uint64(c.occupied[family].Load())
		}
	}
	return list
}
