package conformance

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

// A run is any sequence of command lines, as words of vasicctl, and of waits. Times are such that no two things that the switch does by
// itself fall on the same moment.

// drawRun draws a switch and what happens to it. Deletes that fail leave entries that no route tells of, so they are wanted or not.
func drawRun(t *rapid.T, failingDeletes bool) (server.Config, []string) {
	notify := rapid.IntRange(0, 2)
	size := rapid.SampledFrom([]uint64{1 << 40, 1 << 40, 40, 14, 12, 10})
	cfg := server.Config{
		Profile: "switch", Seed: rapid.Uint64Range(1, 1<<20).Draw(t, "seed"), LoopbackUp: rapid.Bool().Draw(t, "lo up"),
		NotifyIPv4: fib.NotifySetting(notify.Draw(t, "notify IPv4")), NotifyIPv6: fib.NotifySetting(notify.Draw(t, "notify IPv6")), //nolint:gosec // 0 to 2
		Resources: map[string]uint64{"IPv4/fib": size.Draw(t, "IPv4/fib"), "IPv6/fib": size.Draw(t, "IPv6/fib")},
	}
	for i := 1; i <= 3; i++ {
		cfg.Links = append(cfg.Links, server.Link{Name: fmt.Sprintf("swp%d", i), Addresses: []netip.Prefix{
			netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", i)), netip.MustParsePrefix(fmt.Sprintf("2001:db8:10%d::1/64", i)),
		}})
	}
	commands := []string{
		"sysctl -qw vasic.neighbor_resolution=" + pick(t, "manual", "auto") + " vasic.neighbor_resolution_delay=" + pick(t, "7.000013ms", "1.000019s") +
			" vasic.programming_latency=" + pick(t, "1.000003ms", "50.000021ms") + " vasic.retry_failed=" + pick(t, "0", "1"),
	}
	one := rapid.Custom(func(t *rapid.T) string { return drawCommand(t, failingDeletes) })
	return cfg, append(commands, rapid.SliceOfN(one, 30, 100).Draw(t, "commands")...)
}

func pick(t *rapid.T, words ...string) string { return rapid.SampledFrom(words).Draw(t, "word") }

// drawCommand draws one command line; routes and what they depend on come most often.
func drawCommand(t *rapid.T, failingDeletes bool) string {
	family := pick(t, "4", "6")
	switch rapid.IntRange(0, 22).Draw(t, "command") {
	default:
		return drawRoute(t, family)
	case 0, 1:
		return "-" + family + " route del " + drawPrefix(t, family) + pick(t, "", "", " metric 10", " via "+drawGateway(t, family))
	case 2:
		return fmt.Sprintf("nexthop %s id %d via %s", pick(t, "add", "replace"), rapid.IntRange(1, 3).Draw(t, "id"), drawGateway(t, family))
	case 3:
		return fmt.Sprintf("nexthop %s id %d group %s", pick(t, "add", "replace"), rapid.IntRange(4, 5).Draw(t, "id"),
			pick(t, "1/2", "2,3/3", "1/2/3", "3", "1/2 type resilient buckets 4"))
	case 4:
		return fmt.Sprintf("nexthop del id %d", rapid.IntRange(1, 5).Draw(t, "id"))
	case 5, 6, 7:
		return "neigh replace " + drawGateway(t, family) + " nud " + pick(t, "reachable", "failed", "permanent", "stale", "incomplete")
	case 8:
		return "neigh del " + drawGateway(t, family)
	case 9:
		return "link set " + pick(t, "swp2", "swp3") + " " + pick(t, "up", "up", "up", "down", "carrier on", "carrier on", "carrier off")
	case 10:
		return drawFault(t, family, failingDeletes)
	case 11:
		return "fault del " + pick(t, "1", "2", "3", "all", "all")
	case 12:
		return "asic " + pick(t, "pause", "resume", "step 1", "step 3")
	case 13:
		return drawSetting(t)
	}
}

func drawPrefix(t *rapid.T, family string) string {
	if family == "4" {
		return pick(t, "192.0.2.0/24", "192.0.2.0/25", "192.0.2.1/32", "198.51.100.0/24", "203.0.113.7/32", "default")
	}
	return pick(t, "2001:db8:1::/64", "2001:db8:1::/48", "2001:db8:1::1/128", "2001:db8:2::/64", "default")
}

// drawGateway is an address with its link.
func drawGateway(t *rapid.T, family string) string {
	link, host := rapid.IntRange(1, 3).Draw(t, "link"), rapid.IntRange(2, 3).Draw(t, "host")
	if family == "4" {
		return fmt.Sprintf("10.0.%d.%d dev swp%d", link, host, link)
	}
	return fmt.Sprintf("2001:db8:10%d::%d dev swp%d", link, host, link)
}

func drawRoute(t *rapid.T, family string) string {
	words := "-" + family + " route " + pick(t, "add", "replace", "replace", "append", "change") + " "
	prefix := drawPrefix(t, family) + pick(t, "", "", "", " metric 10", " table 100")
	prefix += pick(t, "", "", " proto 4", " proto 5")
	if family == "4" {
		prefix += pick(t, "", "", "", "", " tos 0x10")
	}
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	default:
		return words + prefix + " via " + drawGateway(t, family)
	case 0, 1, 2:
		return words + prefix + " nexthop via " + drawGateway(t, family) + " weight " + pick(t, "1", "3") + " nexthop via " + drawGateway(t, family)
	case 3, 4:
		return fmt.Sprintf("%s%s nhid %d", words, prefix, rapid.IntRange(1, 5).Draw(t, "id"))
	case 5:
		return words + prefix + " dev " + pick(t, "swp1", "swp2", "lo")
	case 6:
		return words + pick(t, "blackhole ", "unreachable ", "prohibit ", "throw ") + prefix
	}
}

func drawFault(t *rapid.T, family string, failingDeletes bool) string {
	operations := []string{"", " op add", " op replace", " op append", " op nexthop"}
	words := "fault add"
	if failingDeletes {
		operations = []string{" op delete", " op delete", " op add", ""}
	}
	words += pick(t, operations...)
	effect := pick(t, " fail", " fail", " fail reason table_full", " delay 30.000007ms", " stall")
	if effect[1:5] == "fail" && !failingDeletes && !strings.Contains(words, " op ") {
		words += " op add" // any operation would be deletes too
	}
	if !strings.Contains(words, "op nexthop") {
		words += pick(t, "", " family inet"+map[string]string{"4": "", "6": "6"}[family])
	}
	return words + effect + pick(t, "", "", " first 1", " every 2", " probability 0.5")
}

func drawSetting(t *rapid.T) string {
	return pick(t,
		"reload",
		"resource set IPv4/fib size "+pick(t, "10", "13", "16", "unlimited"),
		"resource set IPv6/fib size "+pick(t, "7", "10", "13", "unlimited"),
		"sysctl -qw vasic.retry_failed="+pick(t, "0", "1", "1"),
		"sysctl -qw vasic.neighbor_resolution="+pick(t, "manual", "auto"),
		"sysctl -qw net.ipv4.fib_notify_on_flag_change="+pick(t, "0", "1", "2"),
		"sysctl -qw net.ipv6.fib_notify_on_flag_change="+pick(t, "0", "1", "2"),
		"sysctl -qw vasic.latency_distribution=exponential",
		"fault set fail_route_offload "+pick(t, "on", "off", "off"),
	)
}

// runCommands carries out a run on a switch of its own, lets the chip finish, and looks. It returns what is wrong.
func runCommands(t *testing.T, cfg server.Config, commands []string, begin func(*vswitch), look func(*vswitch) []string) (found []string) {
	synctest.Test(t, func(t *testing.T) {
		v := newSwitch(t, cfg)
		begin(v)
		for _, cmd := range commands {
			if wait, ok := strings.CutPrefix(cmd, "wait "); ok {
				d, err := time.ParseDuration(wait)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(d)
				continue
			}
			out := v.vasicctl("", strings.Fields(cmd)...)
			if out.Exit == 1 || strings.Contains(out.Stderr, "nternal") {
				found = append(found, fmt.Sprintf("%s: exit %d: %s", cmd, out.Exit, out.Stderr))
			}
			synctest.Wait() // the chip has taken up what it can before the next command comes
		}
		if found = append(found, v.rest()...); found == nil {
			found = look(v)
		}
	})
	return found
}

// rest lets the chip go on without stalls and waits until it has nothing to do.
func (v *vswitch) rest() []string {
	for _, f := range v.faults() {
		if f.Stall {
			v.vasicctl("", "fault", "del", fmt.Sprint(f.Id))
		}
	}
	v.vasicctl("", "asic", "resume")
	for range 1000 {
		time.Sleep(time.Second)
		synctest.Wait()
		if v.status().QueueLength == 0 {
			return nil
		}
	}
	return []string{"the queue does not empty", v.status().String(), v.vasicctl("", "asic", "queue").Stdout, v.vasicctl("", "fault", "show").Stdout}
}

func (v *vswitch) faults() []*vasicv1.Fault {
	resp, err := vasicv1.NewFaultServiceClient(v.conn).ListFaults(v.t.Context(), &vasicv1.ListFaultsRequest{})
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.Faults
}

func (v *vswitch) status() *vasicv1.GetStatusResponse {
	st, err := vasicv1.NewSwitchServiceClient(v.conn).GetStatus(v.t.Context(), &vasicv1.GetStatusRequest{})
	if err != nil {
		v.t.Fatal(err)
	}
	return st
}
