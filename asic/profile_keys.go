package asic

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// MaxProfileTime is the longest time that a profile may give.
const MaxProfileTime = time.Hour

// setter takes over the value of one key.
type setter func(*yaml.Node) error

// parse reads the YAML text.
func (p *Profile) parse(text []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return errors.New("it is empty")
	}
	err := mapping(doc.Content[0], "", map[string]setter{
		"name":                         name(&p.Name),
		"forwarding":                   p.parseForwarding,
		"make_before_break":            truth(&p.makeBeforeBreak),
		"host_routes_in_hosts":         truth(&p.hostRoutes),
		"refuse_ipv6_gateway_for_ipv4": truth(&p.refuseForeignGateway),
		"retry_failed":                 truth(&p.retryFailed),
		"ipv6_beyond_64_rows":          number(&p.longRows, 1, 2),
		"ipv6_host_rows":               number(&p.hostRows6, 1, 2),
		"max_group_slots":              number(&p.maxSlots, 1, math.MaxUint16),
		"sizes":                        p.parseSizes,
		"memory":                       p.parseMemory,
		"latency":                      p.parseLatency,
	})
	if err != nil {
		return err
	}
	if p.Name == "" {
		return errors.New(`key "name" is missing`)
	}
	if p.simulated && (p.makeBeforeBreak || p.hostRoutes || p.refuseForeignGateway || p.retryFailed || p.hasMemory || p.longRows != 1 || p.hostRows6 != 1 || p.maxSlots != 0) {
		return errors.New(`with "forwarding: netdevsim" only "sizes" and "latency" can be set`)
	}
	for r := range resourceCount {
		if p.sizes[r] != Unlimited && !p.has(r) {
			return fmt.Errorf("key %q: a chip of this profile has no such resource", "sizes."+ResourcePaths[r])
		}
	}
	return nil
}

func (p *Profile) parseForwarding(n *yaml.Node) error {
	i, err := choice(n, "switch", "netdevsim")
	p.simulated = i == 1
	return err
}

func (p *Profile) parseSizes(n *yaml.Node) error {
	keys := make(map[string]setter)
	for r, path := range ResourcePaths {
		if resource(r) != memory {
			keys[path] = number(&p.sizes[r], 0, Unlimited)
		}
	}
	return mapping(n, "sizes.", keys)
}

func (p *Profile) parseMemory(n *yaml.Node) error {
	p.hasMemory = true
	return mapping(n, "memory.", map[string]setter{
		"size": number(&p.sizes[memory], 0, Unlimited),
		"tables": func(n *yaml.Node) error {
			if n.Kind != yaml.SequenceNode {
				return wrong(n, "a list of resources")
			}
			for _, table := range n.Content {
				i, err := choice(table, memoryTables...)
				if err != nil {
					return err
				}
				p.inMemory[slices.Index(ResourcePaths, memoryTables[i])] = true
			}
			return nil
		},
	})
}

// memoryTables are the tables that can share one memory.
var memoryTables = []string{PathIPv4FIB, PathIPv6FIB, PathGroups, PathGroupMembers, PathHosts}

func (p *Profile) parseLatency(n *yaml.Node) error {
	rate := uint64(0)
	err := mapping(n, "latency.", map[string]setter{
		"distribution": func(n *yaml.Node) error {
			i, err := choice(n, distributionNames[:]...)
			p.latency.Distribution = Distribution(max(i, 0)) //nolint:gosec // an index
			return err
		},
		"mean":         duration(&p.latency.Mean),
		"spread":       duration(&p.latency.Spread),
		"per_next_hop": duration(&p.latency.PerNextHop),
		"max_rate":     number(&rate, 0, math.MaxUint32),
	})
	p.latency.MaxRate = uint32(rate) //nolint:gosec // checked
	return err
}

// mapping hands every value of a mapping to the setter of its key.
func mapping(n *yaml.Node, path string, keys map[string]setter) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %swant keys with values", n.Line, keyed(path))
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		set := keys[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || set == nil:
			return fmt.Errorf("line %d: there is no key %q", key.Line, path+key.Value)
		case seen[key.Value]:
			return fmt.Errorf("line %d: key %q is given twice", key.Line, path+key.Value)
		}
		seen[key.Value] = true
		if err := set(value); err != nil {
			var bad *valueError
			if errors.As(err, &bad) && bad.key == "" {
				bad.line, bad.key = value.Line, path+key.Value
			}
			return err
		}
	}
	return nil
}

func keyed(path string) string {
	if path == "" {
		return ""
	}
	return fmt.Sprintf("key %q: ", strings.TrimSuffix(path, "."))
}

// valueError is a value that is not allowed.
type valueError struct {
	line           int
	key, got, want string
}

// Error names the value and what is allowed.
func (e *valueError) Error() string {
	return fmt.Sprintf("line %d: key %q: %s is not %s", e.line, e.key, e.got, e.want)
}

func wrong(n *yaml.Node, want string) error {
	got := strconv.Quote(n.Value)
	if n.Kind != yaml.ScalarNode {
		got = "this"
	}
	return &valueError{got: got, want: want}
}

func choice(n *yaml.Node, words ...string) (int, error) {
	if i := slices.Index(words, n.Value); i >= 0 && n.Kind == yaml.ScalarNode {
		return i, nil
	}
	return -1, wrong(n, "one of "+strings.Join(words, ", "))
}

func name(to *string) setter {
	return func(n *yaml.Node) error {
		allowed := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' }
		if n.Kind != yaml.ScalarNode || n.Value == "" || len(n.Value) > 32 || strings.ContainsFunc(n.Value, func(r rune) bool { return !allowed(r) }) {
			return wrong(n, "a name of 1 to 32 of a-z, 0-9, - and _")
		}
		*to = n.Value
		return nil
	}
}

func truth(to *bool) setter {
	return func(n *yaml.Node) error {
		i, err := choice(n, "false", "true")
		*to = i == 1
		return err
	}
}

func number(to *uint64, low, high uint64) setter {
	return func(n *yaml.Node) error {
		v, err := strconv.ParseUint(n.Value, 10, 64)
		if n.Kind != yaml.ScalarNode || err != nil || v < low || v > high {
			return wrong(n, fmt.Sprintf("a number from %d to %d", low, high))
		}
		*to = v
		return nil
	}
}

func duration(to *time.Duration) setter {
	return func(n *yaml.Node) error {
		d, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || d < 0 || d > MaxProfileTime {
			return wrong(n, fmt.Sprintf("a time like 1ms, from 0 to %v", MaxProfileTime))
		}
		*to = d
		return nil
	}
}
