package asic

import (
	"embed"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Profile is how a chip decides and how large it is. It is data: the chip asks it, and no code depends on which one it is. Immutable.
type Profile struct {
	// Name is how settings and the API call it.
	Name string

	// simulated: decisions are netdevsim's. Every route is trapped, entries are counted when they are admitted and refused at once when the
	// table is full, and next-hop objects likewise; siblings that join an entry get their flags without notice and the others keep theirs, a
	// delete of as many siblings as the entry has empties it, whichever they are (nsim_fib6_rt_remove); deletes take no time.
	// Otherwise decisions are mlxsw's, the rows of the tables are counted, and a full table makes the operation fail later.
	simulated bool
	// makeBeforeBreak: a route that takes the place of another one needs a free row of its own until the other one is gone.
	makeBeforeBreak bool
	// hostRoutes: routes to one address live in the table of hosts.
	hostRoutes bool
	// refuseForeignGateway: an IPv4 route cannot have an IPv6 gateway.
	refuseForeignGateway bool
	// longRows and hostRows6 are the rows that an IPv6 entry longer than /64, and an IPv6 host, take.
	longRows, hostRows6 uint64
	// maxSlots bounds the slots of a group; 0 for no bound.
	maxSlots uint64
	// sizes are those at the start, by index of resource.
	sizes [resourceCount]uint64
	// inMemory says which tables share the resource "memory".
	inMemory [resourceCount]bool
	// hasMemory: there is such a resource.
	hasMemory bool

	latency     LatencyModel
	retryFailed bool
}

//go:embed profiles/*.yaml
var shipped embed.FS

// profiles are those shipped, Switch first, which is the default.
var profiles = loadShipped()

// The profiles that this package's callers name.
var (
	Switch    = mustProfile("switch")    // the default: decides as mlxsw does, without bounds
	Netdevsim = mustProfile("netdevsim") // the kernel's simulated device
)

func loadShipped() (list []*Profile) {
	files, err := shipped.ReadDir("profiles")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		f, err := shipped.Open(path.Join("profiles", file.Name()))
		if err != nil {
			panic(err)
		}
		p, err := LoadProfile(f)
		if err != nil || p.Name+".yaml" != file.Name() {
			panic(fmt.Sprintf("shipped profile %s: %v", file.Name(), err))
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b *Profile) int { return rankOf(a) - rankOf(b) })
	return list
}

func rankOf(p *Profile) int {
	if i := slices.Index([]string{"switch", "netdevsim"}, p.Name); i >= 0 {
		return i
	}
	return 2
}

func mustProfile(name string) *Profile {
	p, err := ProfileByName(name)
	if err != nil {
		panic(err)
	}
	return p
}

// Profiles returns the names of the shipped profiles, the default first.
func Profiles() []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.Name
	}
	return names
}

// ProfileByName returns a shipped profile, or an error that lists their names.
func ProfileByName(name string) (*Profile, error) {
	for _, p := range profiles {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("unknown profile %q: want one of %s", name, strings.Join(Profiles(), ", "))
}

// maxProfileBytes bounds what LoadProfile reads.
const maxProfileBytes = 1 << 20

// LoadProfile reads a profile from YAML; the shipped ones in profiles/ are examples. Every key but name may be absent. Errors name the line, the key,
// the value and what is allowed.
func LoadProfile(r io.Reader) (*Profile, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxProfileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	if len(text) > maxProfileBytes {
		return nil, fmt.Errorf("profile: longer than %d bytes", maxProfileBytes)
	}
	p := &Profile{longRows: 1, hostRows6: 1}
	for i := range p.sizes {
		p.sizes[i] = Unlimited
	}
	if err := p.parse(text); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return p, nil
}

// has reports whether a chip of this profile has the resource.
func (p *Profile) has(r resource) bool {
	switch r {
	case groupRows, memberRows, hostRows:
		return !p.simulated
	case memory:
		return p.hasMemory
	}
	return true
}
