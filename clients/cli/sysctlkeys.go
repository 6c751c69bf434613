package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// A sysctlKey is a setting under a name as sysctl has them.
type sysctlKey struct {
	key   string
	field string // of Settings
	want  string // what is allowed
	get   func(*vasicv1.Settings) string
	set   func(*vasicv1.Settings, string) bool // false: the text is no value of the setting
}

// sysctlKeys are the settings that can be read and written: those that a kernel has under the kernel's names, this switch's own
// under vasic. Times are written with their unit, as 1.5ms.
var sysctlKeys = []sysctlKey{
	numberKey("net.ipv4.fib_notify_on_flag_change", "ipv4_notify_on_flag_change", 2, (*vasicv1.Settings).GetIpv4NotifyOnFlagChange,
		func(s *vasicv1.Settings, n uint32) { s.Ipv4NotifyOnFlagChange = n }),
	numberKey("net.ipv6.fib_notify_on_flag_change", "ipv6_notify_on_flag_change", 2, (*vasicv1.Settings).GetIpv6NotifyOnFlagChange,
		func(s *vasicv1.Settings, n uint32) { s.Ipv6NotifyOnFlagChange = n }),
	switchKey("net.ipv4.conf.all.ignore_routes_with_linkdown", "ipv4_ignore_routes_with_linkdown", (*vasicv1.Settings).GetIpv4IgnoreRoutesWithLinkdown,
		func(s *vasicv1.Settings, on bool) { s.Ipv4IgnoreRoutesWithLinkdown = on }),
	switchKey("net.ipv6.conf.all.ignore_routes_with_linkdown", "ipv6_ignore_routes_with_linkdown", (*vasicv1.Settings).GetIpv6IgnoreRoutesWithLinkdown,
		func(s *vasicv1.Settings, on bool) { s.Ipv6IgnoreRoutesWithLinkdown = on }),
	switchKey("net.ipv6.route.skip_notify_on_dev_down", "ipv6_skip_notify_on_dev_down", (*vasicv1.Settings).GetIpv6SkipNotifyOnDevDown,
		func(s *vasicv1.Settings, on bool) { s.Ipv6SkipNotifyOnDevDown = on }),
	switchKey("net.ipv4.nexthop_compat_mode", "nexthop_compat_mode", (*vasicv1.Settings).GetNexthopCompatMode,
		func(s *vasicv1.Settings, on bool) { s.NexthopCompatMode = on }),
	wordKey("vasic.neighbor_resolution", "neighbor_resolution", names{
		{"auto", uint32(vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_AUTO)},
		{"manual", uint32(vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_MANUAL)},
	}, (*vasicv1.Settings).GetNeighborResolution, func(s *vasicv1.Settings, r vasicv1.NeighborResolution) { s.NeighborResolution = r }),
	timeKey("vasic.neighbor_resolution_delay", "neighbor_resolution_delay", (*vasicv1.Settings).GetNeighborResolutionDelay,
		func(s *vasicv1.Settings, d *durationpb.Duration) { s.NeighborResolutionDelay = d }),
	switchKey("vasic.retry_failed", "retry_failed", (*vasicv1.Settings).GetRetryFailed,
		func(s *vasicv1.Settings, on bool) { s.RetryFailed = on }),
	timeKey("vasic.programming_latency", "programming_latency", (*vasicv1.Settings).GetProgrammingLatency,
		func(s *vasicv1.Settings, d *durationpb.Duration) { s.ProgrammingLatency = d }),
	wordKey("vasic.latency_distribution", "latency_distribution", names{
		{"constant", uint32(vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_CONSTANT)},
		{"uniform", uint32(vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_UNIFORM)},
		{"normal", uint32(vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_NORMAL)},
		{"exponential", uint32(vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_EXPONENTIAL)},
	}, (*vasicv1.Settings).GetLatencyDistribution, func(s *vasicv1.Settings, d vasicv1.LatencyDistribution) { s.LatencyDistribution = d }),
	timeKey("vasic.latency_spread", "latency_spread", (*vasicv1.Settings).GetLatencySpread,
		func(s *vasicv1.Settings, d *durationpb.Duration) { s.LatencySpread = d }),
	timeKey("vasic.latency_per_next_hop", "latency_per_next_hop", (*vasicv1.Settings).GetLatencyPerNextHop,
		func(s *vasicv1.Settings, d *durationpb.Duration) { s.LatencyPerNextHop = d }),
	numberKey("vasic.max_operations_per_second", "max_operations_per_second", 1<<32-1, (*vasicv1.Settings).GetMaxOperationsPerSecond,
		func(s *vasicv1.Settings, n uint32) { s.MaxOperationsPerSecond = n }),
}

// numberKey is a setting from 0 to max.
func numberKey(key, field string, limit uint64, get func(*vasicv1.Settings) uint32, set func(*vasicv1.Settings, uint32)) sysctlKey {
	want := fmt.Sprintf("a number from 0 to %d", limit)
	if limit == 1 {
		want = "0 or 1"
	}
	return sysctlKey{
		key: key, field: field, want: want,
		get: func(s *vasicv1.Settings) string { return strconv.FormatUint(uint64(get(s)), 10) },
		set: func(s *vasicv1.Settings, text string) bool {
			n, ok := parseUint(text, 32)
			set(s, uint32(n))
			return ok && n <= limit
		},
	}
}

// switchKey is a setting that is 0 or 1.
func switchKey(key, field string, get func(*vasicv1.Settings) bool, set func(*vasicv1.Settings, bool)) sysctlKey {
	return numberKey(key, field, 1, func(s *vasicv1.Settings) uint32 {
		if get(s) {
			return 1
		}
		return 0
	}, func(s *vasicv1.Settings, n uint32) { set(s, n != 0) })
}

// timeKey is a setting that is a time.
func timeKey(key, field string, get func(*vasicv1.Settings) *durationpb.Duration, set func(*vasicv1.Settings, *durationpb.Duration)) sysctlKey {
	return sysctlKey{
		key: key, field: field, want: "a time from 0 to 1h with its unit, as 1.5ms",
		get: func(s *vasicv1.Settings) string { return get(s).AsDuration().String() },
		set: func(s *vasicv1.Settings, text string) bool {
			d, err := time.ParseDuration(text)
			set(s, durationpb.New(d))
			return err == nil && d >= 0
		},
	}
}

// wordKey is a setting that has a word for each value.
func wordKey[T ~int32](key, field string, words names, get func(*vasicv1.Settings) T, set func(*vasicv1.Settings, T)) sysctlKey {
	var all []string
	for _, w := range words {
		all = append(all, w.word)
	}
	return sysctlKey{
		key: key, field: field, want: "one of " + strings.Join(all, ", "),
		get: func(s *vasicv1.Settings) string { return words.name(uint32(get(s))) },
		set: func(s *vasicv1.Settings, text string) bool {
			n, ok := words.lookup(text)
			set(s, T(n))
			return ok
		},
	}
}
