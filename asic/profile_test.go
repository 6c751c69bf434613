package asic_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vasic-project/vasic/asic"
)

func TestShippedProfiles(t *testing.T) {
	names := asic.Profiles()
	if !slices.Equal(names[:2], []string{"switch", "netdevsim"}) || len(names) < 4 {
		t.Errorf("profiles %v", names)
	}
	for _, name := range names {
		p, err := asic.ProfileByName(name)
		if err != nil || p.Name != name {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := asic.New(asic.Config{Profile: p}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := asic.ProfileByName("nothing"); err == nil || !strings.Contains(err.Error(), "switch, netdevsim, ") {
		t.Errorf("unknown profile: %v", err)
	}
}

func TestProfileIsReadWhole(t *testing.T) {
	p, err := asic.LoadProfile(strings.NewReader(`
name: my-chip
forwarding: switch
make_before_break: true
host_routes_in_hosts: true
refuse_ipv6_gateway_for_ipv4: true
retry_failed: true
ipv6_beyond_64_rows: 2
ipv6_host_rows: 2
max_group_slots: 32
sizes: {IPv4/fib: 100, groups: 5}
memory: {size: 1000, tables: [IPv4/fib, hosts]}
latency: {distribution: normal, mean: 1ms, spread: 100us, per_next_hop: 10us, max_rate: 5000}
`))
	if err != nil {
		t.Fatal(err)
	}
	chip, err := asic.New(asic.Config{Profile: p, Sizes: map[string]uint64{asic.PathGroups: 7}})
	if err != nil {
		t.Fatal(err)
	}
	want := asic.LatencyModel{Distribution: asic.Normal, Mean: time.Millisecond, Spread: 100 * time.Microsecond, PerNextHop: 10 * time.Microsecond, MaxRate: 5000}
	if got := chip.Latency(); got != want || !chip.RetryFailed() || chip.Profile().Name != "my-chip" {
		t.Errorf("latency %+v, retries %v", got, chip.RetryFailed())
	}
	sizes := map[string]uint64{}
	for _, r := range chip.Resources() {
		sizes[r.Path] = r.Size
	}
	if sizes[asic.PathIPv4FIB] != 100 || sizes[asic.PathGroups] != 7 || sizes[asic.PathMemory] != 1000 || sizes[asic.PathHosts] != asic.Unlimited || len(sizes) != 9 {
		t.Errorf("sizes %v", sizes)
	}
}

func TestProfileErrorsNameKeyValueAndLimit(t *testing.T) {
	for text, want := range map[string]string{
		"":                                           "profile: it is empty",
		"forwarding: x":                              `profile: line 1: key "forwarding": "x" is not one of switch, netdevsim`,
		"name: A":                                    `profile: line 1: key "name": "A" is not a name of 1 to 32 of a-z, 0-9, - and _`,
		"forwarding: switch":                         `profile: key "name" is missing`,
		"name: a\nspeed: 1":                          `profile: line 2: there is no key "speed"`,
		"name: a\nname: b":                           `profile: line 2: key "name" is given twice`,
		"name: a\nipv6_beyond_64_rows: 3":            `profile: line 2: key "ipv6_beyond_64_rows": "3" is not a number from 1 to 2`,
		"name: a\nsizes: {IPv4/fib: -1}":             `profile: line 2: key "sizes.IPv4/fib": "-1" is not a number from 0 to 18446744073709551615`,
		"name: a\nsizes: {memory: 1}":                `profile: line 2: there is no key "sizes.memory"`,
		"name: a\nsizes: 7":                          `profile: line 2: key "sizes": want keys with values`,
		"name: a\nlatency: {mean: 2h}":               `profile: line 2: key "latency.mean": "2h" is not a time like 1ms, from 0 to 1h0m0s`,
		"name: a\nmemory: {tables: [cams]}":          `profile: line 2: key "memory.tables": "cams" is not one of IPv4/fib, IPv6/fib, groups, group-members, hosts`,
		"name: a\nretry_failed: [true]":              `profile: line 2: key "retry_failed": this is not one of false, true`,
		"name: a\nforwarding: netdevsim\nmemory: {}": `profile: with "forwarding: netdevsim" only "sizes" and "latency" can be set`,
		"name: a\nforwarding: netdevsim\nsizes: {hosts: 1}": `profile: key "sizes.hosts": a chip of this profile has no such resource`,
	} {
		if _, err := asic.LoadProfile(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q:\n got  %v\n want %s", text, err, want)
		}
	}
	if _, err := asic.LoadProfile(strings.NewReader(strings.Repeat("#", 2<<20))); err == nil || !strings.Contains(err.Error(), "longer than 1048576 bytes") {
		t.Errorf("a long profile: %v", err)
	}
}

func FuzzLoadProfile(f *testing.F) {
	f.Add("name: a\nforwarding: switch\nsizes: {IPv4/fib: 1}\nmemory: {size: 3, tables: [hosts]}\nlatency: {mean: 1ms}\n")
	f.Add("name: a\nforwarding: netdevsim\nlatency: {distribution: uniform, max_rate: 1}\n")
	f.Add("a: &x [*x]\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := asic.LoadProfile(strings.NewReader(text))
		if (p == nil) == (err == nil) {
			t.Fatalf("profile %v, error %v", p, err)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "profile: ") {
				t.Errorf("error %q", err)
			}
			return
		}
		if _, err := asic.New(asic.Config{Profile: p}); err != nil {
			t.Errorf("a profile that loads makes no chip: %v", err)
		}
	})
}
