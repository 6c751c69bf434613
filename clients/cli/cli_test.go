package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// expect compares what a command printed.
func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestWrongCommandLinesGetIpsWords(t *testing.T) {
	f := newFake(t)
	for line, want := range map[string]string{
		"route add foo dev d1":                               `Error: any valid prefix is expected rather than "foo".`,
		"-4 route add 2001:db8::/32 dev d1":                  `Error: inet prefix is expected rather than "2001:db8::/32".`,
		"-6 route add 1.2.3.0/24 dev d1":                     `Error: inet6 prefix is expected rather than "1.2.3.0/24".`,
		"route add 1.2.3.4/33 dev d1":                        `Error: any valid prefix is expected rather than "1.2.3.4/33".`,
		"route add 1.2.3.4/ dev d1":                          `Error: any valid prefix is expected rather than "1.2.3.4/".`,
		"route add 1.2.3.0/255.0.255.0 dev d1":               `Error: any valid prefix is expected rather than "1.2.3.0/255.0.255.0".`,
		"route add fe80::1%d1 dev d1":                        `Error: any valid prefix is expected rather than "fe80::1%d1".`,
		"route add 1.2.4.0/24 via foo dev d1":                `Error: inet address is expected rather than "foo".`,
		"route add 1.2.4.0/24 via 2001:db8:101::2 dev d1":    `Error: inet address is expected rather than "2001:db8:101::2".`,
		"-6 route add 2001:db8:77::/64 via 10.0.1.2":         `Error: inet6 address is expected rather than "10.0.1.2".`,
		"route add 1.2.6.0/24 dev":                           `Command line is not complete. Try option "help"`,
		"route add unicast":                                  `Command line is not complete. Try option "help"`,
		"route add 1.2.6.0/24 metric x dev d1":               `Error: argument "x" is wrong: "metric" value is invalid`,
		"route add 1.2.6.0/24 metric 4294967296 dev d1":      `Error: argument "4294967296" is wrong: "metric" value is invalid`,
		"route add 1.2.7.0/24 table foo dev d1":              `Error: argument "foo" is wrong: "table" value is invalid`,
		"route add 1.2.7.0/24 table all dev d1":              `Error: argument "all" is wrong: "table" value is invalid`,
		"route add 1.2.7.0/24 proto 256 dev d1":              `Error: argument "256" is wrong: "protocol" value is invalid`,
		"route add 1.2.7.0/24 scope foo dev d1":              `Error: argument "foo" is wrong: invalid "scope" value`,
		"route add 1.2.7.0/24 tos 256 dev d1":                `Error: argument "256" is wrong: "tos" value is invalid`,
		"route add 1.2.7.0/24 mtu foo dev d1":                `Error: argument "foo" is wrong: "mtu" value is invalid`,
		"route add 1.2.7.0/24 rtt 100us dev d1":              `Error: argument "100us" is wrong: "rtt" value is invalid`,
		"route add 1.2.7.0/24 quickack 2 dev d1":             `Error: argument "2" is wrong: "quickack" value should be 0 or 1`,
		"route add 1.2.7.0/24 weight 3 dev d1":               `Error: either "to" is duplicate, or "weight" is a garbage.`,
		"route add 1.2.9.0/24 to 1.2.9.0/24 dev d1":          `Error: either "to" is duplicate, or "1.2.9.0/24" is a garbage.`,
		"route add 1.2.8.0/24 nexthop foo":                   `Error: "nexthop" or end of line is expected instead of "foo"`,
		"route add 1.2.8.0/24 nexthop":                       `Error: unexpected end of line after "nexthop"`,
		"route add 1.2.8.0/24 nexthop via 10.0.1.2 weight 0": `Error: argument "0" is wrong: "weight" is invalid`,
		"route add 1.2.10.0/24 via 10.0.1.2 via 10.0.1.3":    `Error: argument "via" is wrong: use nexthop syntax to specify multiple via`,
		"route add":              `Usage: vasicctl route { list | flush } SELECTOR`,
		"route add dev d1":       `Usage: vasicctl route { list | flush } SELECTOR`,
		"route foo":              `Command "foo" is unknown, try "vasicctl route help".`,
		"foo":                    `Object "foo" is unknown, try "vasicctl help".`,
		"":                       `Usage: vasicctl [ OPTIONS ] OBJECT { COMMAND | help }`,
		"-Z route":               `Option "-Z" is unknown, try "vasicctl -help".`,
		"route show foo":         `Error: any valid prefix is expected rather than "foo".`,
		"route show table foo":   `Error: argument "foo" is wrong: table id value is invalid`,
		"route show table":       `Command line is not complete. Try option "help"`,
		"route show proto foo":   `Error: argument "foo" is wrong: invalid "protocol"`,
		"route show type t":      `Error: argument "t" is wrong: node type value is invalid`,
		"route show scope foo":   `Error: argument "foo" is wrong: invalid "scope"`,
		"route show tos foo":     `Error: argument "foo" is wrong: TOS value is invalid`,
		"route flush":            `"vasicctl route flush" requires arguments.`,
		"route get":              `need at least a destination address`,
		"route show dev nosuch":  `Cannot find device "nosuch"`,
		"route flush dev nosuch": `Cannot find device "nosuch"`,
		"route add 192.0.2.0/24 via 10.0.1.2 dev nosuch": `Cannot find device "nosuch"`,
		"route del 192.0.2.0/24 dev nosuch":              `Cannot find device "nosuch"`,
		"link set":                                       `Not enough information: "dev" argument is required.`,
		"link set nosuch up":                             `Cannot find device "nosuch"`,
		"link set d1 foo":                                `Error: either "dev" is duplicate, or "foo" is a garbage.`,
		"link set d1 carrier x":                          `Error: argument of "carrier" must be one of "off", "on", not "x"`,
		"link del nosuch":                                `Cannot find device "nosuch"`,
		"link show nosuch":                               `Device "nosuch" does not exist.`,
		"link foo":                                       `Command "foo" is unknown, try "vasicctl link help".`,
		"addr add 1.2.3.4/24":                            `Not enough information: "dev" argument is required.`,
		"addr add foo dev d1":                            `Error: any valid prefix is expected rather than "foo".`,
		"addr add 1.2.3.4/24 dev nosuch":                 `Cannot find device "nosuch"`,
		"addr add 1.2.3.4/24 dev d1 foo":                 `Error: either "local" is duplicate, or "foo" is a garbage.`,
		"addr show dev nosuch":                           `Device "nosuch" does not exist.`,
		"monitor foo":                                    `Argument "foo" is unknown, try "vasicctl monitor help".`,
		"sysctl -w net.ipv4.fib_notify_on_flag_change":   `sysctl: command line(0): invalid syntax, continuing...`,
		"sysctl net.ipv4.nosuch":                         `sysctl: cannot stat /proc/sys/net/ipv4/nosuch: No such file or directory`,
		"fault set foo on":                               `Error: "foo" is not a fault; there are fail_route_offload, fail_route_delete, fail_reload, dont_allow_reload.`,
		"-batch /nonexistent":                            `Cannot open file "/nonexistent" for reading: No such file or directory`,
		"route load /nonexistent":                        `Cannot open file "/nonexistent" for reading: No such file or directory`,
	} {
		code, stdout, stderr := f.run(t, line)
		if code != exitUsage || stdout != "" || firstLine(stderr) != want {
			t.Errorf("%s:\n got %d %q %q\nwant 1 %q", line, code, stdout, firstLine(stderr), want)
		}
	}
}

func TestHelpGoesToStandardErrorAndSucceeds(t *testing.T) {
	f := newFake(t)
	for _, line := range []string{
		"help", "-h", "-help", "route help", "r h", "route show help", "route add help", "route get help", "route load help", "link help", "addr help",
		"monitor help", "sysctl help", "sysctl --help", "resource help", "reload help", "asic help", "fault help", "status help", "asic queue help", "fault add help", "lookup help", "audit help", "exposure help", "record help", "replay help",
	} {
		code, stdout, stderr := f.run(t, line)
		if code != exitDone || stdout != "" || !strings.HasPrefix(stderr, "Usage: vasicctl") {
			t.Errorf("%s: got %d %q %q", line, code, stdout, stderr)
		}
	}
}

func TestRefusalsGetTheKernelsWords(t *testing.T) {
	f := newFake(t)
	for prefix, tt := range map[string]struct {
		err  error
		want string
	}{
		"192.0.2.0/24": {errExists, "RTNETLINK answers: File exists\n"},
		"192.0.3.0/24": {refusal(codes.FailedPrecondition, "GATEWAY_UNREACHABLE", "ENETUNREACH", "Nexthop has invalid gateway", "x"), "Error: Nexthop has invalid gateway.\n"},
		"192.0.4.0/24": {refusal(codes.FailedPrecondition, "GATEWAY_UNREACHABLE", "EHOSTUNREACH", "", "x"), "RTNETLINK answers: No route to host\n"},
		"192.0.5.0/24": {refusal(codes.InvalidArgument, "OUT_OF_RANGE", "EINVAL", "", "route.tos: 300 is not between 0 and 252."), "Error: route.tos: 300 is not between 0 and 252.\n"},
		"192.0.6.0/24": {refusal(codes.FailedPrecondition, "UNSUPPORTED", "", "", "the switch does not do that"), "Error: the switch does not do that.\n"},
	} {
		f.refuse[prefix] = tt.err
		code, stdout, stderr := f.run(t, "route add "+prefix+" dev d1")
		if code != exitRefused || stdout != "" || stderr != tt.want {
			t.Errorf("%s: got %d %q %q, want 2 %q", prefix, code, stdout, stderr, tt.want)
		}
	}
}

func TestAWarningIsNoError(t *testing.T) {
	f := newFake(t)
	f.warning = "netdevsim: Failed to process route deletion"
	code, _, stderr := f.run(t, "route add 192.0.2.0/24 dev d1")
	if code != exitDone {
		t.Errorf("got exit code %d", code)
	}
	expect(t, "stderr", stderr, "Warning: netdevsim: Failed to process route deletion.\n")
}

func TestWaitSaysThatHardwareFailed(t *testing.T) {
	f := newFake(t)
	f.failed = true
	if code, _, stderr := f.run(t, "route add 192.0.2.0/24 dev d1"); code != exitDone || stderr != "" {
		t.Errorf("without --wait: got %d %q", code, stderr)
	}
	code, _, stderr := f.run(t, "route replace 192.0.2.0/24 dev d1 --wait")
	if code != exitRefused {
		t.Errorf("got exit code %d", code)
	}
	expect(t, "stderr", stderr, "Error: hardware did not take the route: its table is full.\n")
}

func TestAnUnreachableSwitchIsSaidSo(t *testing.T) {
	for _, line := range []string{"route show", "route add 192.0.2.0/24 dev d1", "monitor", "status", "reload", "sysctl -a", "link", "addr", "-batch -", "route load -"} {
		var out, errs bytes.Buffer
		env := Env{Stdin: strings.NewReader("route show\n"), Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}
		code := env.Run(t.Context(), append([]string{"--server", "unix:///nonexistent/vasic.sock"}, strings.Fields(line)...))
		const want = "Cannot reach the switch at unix:///nonexistent/vasic.sock: dial unix /nonexistent/vasic.sock: connect: no such file or directory"
		if code != exitRefused || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: got %d %q", line, code, errs.String())
		}
	}
}

func TestTheServerComesFromTheEnvironment(t *testing.T) {
	var errs bytes.Buffer
	env := Env{Stderr: &errs, Stdout: &errs, Getenv: func(key string) string {
		return map[string]string{"VASIC_SERVER": "unix:///nonexistent/other.sock"}[key]
	}}
	if code := env.Run(t.Context(), []string{"route"}); code != exitRefused || !strings.Contains(errs.String(), "unix:///nonexistent/other.sock") {
		t.Errorf("got %d %q", code, errs.String())
	}
	errs.Reset()
	if code := env.Run(t.Context(), []string{"--server=nowhere", "route"}); code != exitUsage || !strings.Contains(errs.String(), `want host:port`) {
		t.Errorf("got %d %q", code, errs.String())
	}
}

func TestShowListsRoutes(t *testing.T) {
	f := newFake(t)
	for _, line := range []string{
		"route add 192.0.2.0/24 via 10.0.1.2 dev d1", "route add 198.51.100.0/24 nexthop via 10.0.1.2 dev d1 nexthop via 10.0.2.2 dev d2",
		"route add blackhole 203.0.113.0/24 table 100", "route add 2001:db8:1::/64 dev d1", "route add blackhole 2001:db8:2::/64",
	} {
		if code, _, stderr := f.run(t, line); code != exitDone {
			t.Fatal(line, stderr)
		}
	}
	for line, want := range map[string]string{
		"r":                                "192.0.2.0/24 via 10.0.1.2 dev d1 \n198.51.100.0/24 \n\tnexthop via 10.0.1.2 dev d1 weight 1 \n\tnexthop via 10.0.2.2 dev d2 weight 1 \n",
		"-o r":                             "192.0.2.0/24 via 10.0.1.2 dev d1 \n198.51.100.0/24 \\\tnexthop via 10.0.1.2 dev d1 weight 1 \\\tnexthop via 10.0.2.2 dev d2 weight 1 \n",
		"r show dev d1":                    "192.0.2.0/24 via 10.0.1.2 \n",
		"r show table 100":                 "blackhole 203.0.113.0/24 \n",
		"r show 2001:db8:1::/64":           "2001:db8:1::/64 dev d1 metric 0 pref medium\n",
		"-6 r show dev lo":                 "blackhole 2001:db8:2::/64 metric 0 pref medium\n",
		"-j r show dev d1":                 `[{"dst":"192.0.2.0/24","gateway":"10.0.1.2","flags":[]}]` + "\n",
		"-j r show table 254 via 10.9.9.9": "[]\n",
		"r show cache":                     "",
		"-d r get fibmatch 192.0.2.7":      "unicast 192.0.2.0/24 via 10.0.1.2 dev d1 table main proto boot scope global \n",
		"r get 192.0.2.7":                  "192.0.2.7 via 10.0.1.2 dev d1 src 10.0.1.1 \n    cache \n",
		"-j r get 192.0.2.7":               `[{"dst":"192.0.2.7","gateway":"10.0.1.2","dev":"d1","prefsrc":"10.0.1.1","flags":[],"cache":[]}]` + "\n",
		"r get 2001:db8:1::5":              "2001:db8:1::5 from :: dev d1 src 2001:db8:101::1 metric 0 pref medium\n",
		"r get 198.51.100.9":               "198.51.100.9 via 10.0.1.2 dev d1 src 10.0.1.1 \n    cache \n",
	} {
		code, stdout, stderr := f.run(t, line)
		if code != exitDone || stderr != "" {
			t.Errorf("%s: got %d %q", line, code, stderr)
		}
		expect(t, line, stdout, want)
	}
	for line, want := range map[string]string{
		"r get 9.9.9.9":       "RTNETLINK answers: Network is unreachable\n",
		"r get 203.0.113.9":   "RTNETLINK answers: Invalid argument\n",
		"r show table 77":     "Error: ipv4: FIB table does not exist.\nDump terminated\n",
		"-6 r flush table 77": "Error: ipv6: FIB table does not exist.\nFlush terminated\n",
	} {
		code, _, stderr := f.run(t, line)
		if code != exitRefused {
			t.Errorf("%s: got exit code %d", line, code)
		}
		expect(t, line, stderr, want)
	}
}

func TestFlushByDeviceLeavesMultipathRoutes(t *testing.T) {
	f := newFake(t)
	f.run(t, "route add 192.0.2.0/24 via 10.0.1.2 dev d1")
	f.run(t, "route add 198.51.100.0/24 nexthop via 10.0.1.2 dev d1 nexthop via 10.0.2.2 dev d2")
	code, stdout, stderr := f.run(t, "-s route flush dev d1")
	if code != exitDone || stderr != "" {
		t.Errorf("got %d %q", code, stderr)
	}
	expect(t, "flush", stdout, "\n*** Round 1, deleting 1 entries ***\n*** Flush is complete after 1 round ***\n")
	_, stdout, _ = f.run(t, "-o route")
	expect(t, "what is left", stdout, "198.51.100.0/24 \\\tnexthop via 10.0.1.2 dev d1 weight 1 \\\tnexthop via 10.0.2.2 dev d2 weight 1 \n")
	_, _, stderr = f.run(t, "-s route flush proto static")
	expect(t, "nothing", stderr, "Nothing to flush.\n")
}

func TestBatchStopsAtTheFirstFailure(t *testing.T) {
	const batch = "route add 192.0.2.0/24 dev d1 # one\n\n# two\nroute add 198.51.100.0/24 \\\n  dev d1\n" +
		"route add \"192.0.2.0/24\" dev 'd1'\nroute foo\nroute add 203.0.113.0/24 dev d1\n"
	t.Run("without force", func(t *testing.T) {
		f := newFake(t)
		code, _, stderr := f.runWith(t, batch, "-batch -")
		if code != exitRefused || len(f.routes) != 2 {
			t.Errorf("got %d, %d routes", code, len(f.routes))
		}
		expect(t, "stderr", stderr, "RTNETLINK answers: File exists\nCommand failed -:6\n")
	})
	t.Run("with force", func(t *testing.T) {
		f := newFake(t)
		file := filepath.Join(t.TempDir(), "batch")
		if err := os.WriteFile(file, []byte(batch), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := f.run(t, "-force -b "+file)
		if code != exitRefused || len(f.routes) != 3 {
			t.Errorf("got %d, %d routes", code, len(f.routes))
		}
		expect(t, "stderr", stderr, "RTNETLINK answers: File exists\nCommand failed "+file+":6\n"+
			"Command \"foo\" is unknown, try \"vasicctl route help\".\nCommand failed "+file+":7\n")
	})
	t.Run("wrong command only", func(t *testing.T) {
		if code, _, _ := newFake(t).runWith(t, "route foo\nroute", "-force -batch -"); code != exitUsage {
			t.Errorf("got %d", code)
		}
	})
}

func TestLinksAndAddressesPrintAsIpPrintsThem(t *testing.T) {
	f := newFake(t)
	for line, want := range map[string]string{
		"link": "1: lo: <LOOPBACK,UP,LOWER_UP> state UNKNOWN \n2: d1: <BROADCAST,NOARP,UP,LOWER_UP> state UP \n" +
			"3: d2: <NO-CARRIER,BROADCAST,NOARP,UP> state DOWN \n4: d3: <BROADCAST,NOARP> state DOWN \n",
		"-d link show d1":   "2: d1: <BROADCAST,NOARP,UP,LOWER_UP> state UP \n    dummy \n",
		"-j link sh dev d2": `[{"ifindex":3,"ifname":"d2","flags":["NO-CARRIER","BROADCAST","NOARP","UP"],"operstate":"DOWN","link_type":"ether"}]` + "\n",
		"-br link show up": "lo               UNKNOWN        <LOOPBACK,UP,LOWER_UP> \nd1               UP             <BROADCAST,NOARP,UP,LOWER_UP> \n" +
			"d2               DOWN           <NO-CARRIER,BROADCAST,NOARP,UP> \n",
		"a s d1": "2: d1: <BROADCAST,NOARP,UP,LOWER_UP> state UP \n" +
			"    inet 10.0.1.1/24 scope global d1\n       valid_lft forever preferred_lft forever\n" +
			"    inet 172.16.9.1/24 scope global d1\n       valid_lft forever preferred_lft forever\n" +
			"    inet 10.0.1.9/24 scope global secondary d1\n       valid_lft forever preferred_lft forever\n" +
			"    inet6 2001:db8:101::1/64 scope global \n       valid_lft forever preferred_lft forever\n",
		"-o -4 addr show to 10/8": "2: d1    inet 10.0.1.1/24 scope global d1\\       valid_lft forever preferred_lft forever\n" +
			"2: d1    inet 10.0.1.9/24 scope global secondary d1\\       valid_lft forever preferred_lft forever\n",
		"-br -6 addr": "lo               UNKNOWN        ::1/128 \nd1               UP             2001:db8:101::1/64 \n",
		"-j -4 addr show dev lo": `[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"operstate":"UNKNOWN","link_type":"loopback",` +
			`"addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo"}]}]` + "\n",
		"-j -br addr show dev d3": `[{"ifname":"d3","operstate":"DOWN","addr_info":[]}]` + "\n",
	} {
		code, stdout, stderr := f.run(t, line)
		if code != exitDone || stderr != "" {
			t.Errorf("%s: got %d %q", line, code, stderr)
		}
		expect(t, line, stdout, want)
	}
}

func TestSysctlSpeaksLikeProcps(t *testing.T) {
	f := newFake(t)
	f.settings.NeighborResolution = vasicv1.NeighborResolution_NEIGHBOR_RESOLUTION_AUTO
	f.settings.LatencyDistribution = vasicv1.LatencyDistribution_LATENCY_DISTRIBUTION_CONSTANT
	for _, tt := range []struct {
		line           string
		code           int
		stdout, stderr string
	}{
		{"sysctl net.ipv4.fib_notify_on_flag_change", 0, "net.ipv4.fib_notify_on_flag_change = 0\n", ""},
		{"sysctl -w net.ipv4.fib_notify_on_flag_change=1", 0, "net.ipv4.fib_notify_on_flag_change = 1\n", ""},
		{"sysctl -n net/ipv4/fib_notify_on_flag_change", 0, "1\n", ""},
		{"sysctl -qw net.ipv6.fib_notify_on_flag_change=2", 0, "", ""},
		{"sysctl -w net.ipv4.fib_notify_on_flag_change=3 net.ipv6.fib_notify_on_flag_change=1", 1, "net.ipv6.fib_notify_on_flag_change = 1\n", "sysctl: setting key \"net.ipv4.fib_notify_on_flag_change\": Invalid argument\n"},
		{"sysctl net.ipv6.route.skip_notify_on_dev_down=1", 0, "net.ipv6.route.skip_notify_on_dev_down = 1\n", ""},
		{"sysctl vasic.neighbor_resolution", 0, "vasic.neighbor_resolution = auto\n", ""},
		{"sysctl -w vasic.neighbor_resolution=manual vasic.neighbor_resolution_delay=1500ms", 0, "vasic.neighbor_resolution = manual\nvasic.neighbor_resolution_delay = 1500ms\n", ""},
		{"sysctl -qw vasic.max_operations_per_second=5000000", 0, "", ""},
		{"sysctl vasic.neighbor_resolution=maybe", 1, "", "sysctl: setting key \"vasic.neighbor_resolution\": Invalid argument\nvasic.neighbor_resolution is one of auto, manual.\n"},
		{"sysctl vasic.latency_spread=-1s", 1, "", "sysctl: setting key \"vasic.latency_spread\": Invalid argument\nvasic.latency_spread is a time from 0 to 1h with its unit, as 1.5ms.\n"},
		{"sysctl vasic.latency_spread=soon", 1, "", "sysctl: setting key \"vasic.latency_spread\": Invalid argument\nvasic.latency_spread is a time from 0 to 1h with its unit, as 1.5ms.\n"},
		{"sysctl vasic.retry_failed=2", 1, "", "sysctl: setting key \"vasic.retry_failed\": Invalid argument\nvasic.retry_failed is 0 or 1.\n"},
		{"sysctl -a", 0, "net.ipv4.fib_notify_on_flag_change = 1\nnet.ipv6.fib_notify_on_flag_change = 1\nnet.ipv4.conf.all.ignore_routes_with_linkdown = 0\nnet.ipv6.conf.all.ignore_routes_with_linkdown = 0\nnet.ipv6.route.skip_notify_on_dev_down = 1\n" +
			"net.ipv4.nexthop_compat_mode = 0\nvasic.neighbor_resolution = manual\nvasic.neighbor_resolution_delay = 1.5s\nvasic.retry_failed = 0\n" +
			"vasic.programming_latency = 0s\nvasic.latency_distribution = constant\nvasic.latency_spread = 0s\nvasic.latency_per_next_hop = 0s\n" +
			"vasic.max_operations_per_second = 5000000\n", ""},
		{"sysctl -e net.ipv4.nosuch", 0, "", ""},
		{"sysctl -w", 1, "", "sysctl: no variables specified\nTry `vasicctl sysctl --help' for more information.\n"},
	} {
		code, stdout, stderr := f.run(t, tt.line)
		if code != tt.code {
			t.Errorf("%s: got exit code %d", tt.line, code)
		}
		expect(t, tt.line, stdout, tt.stdout)
		expect(t, tt.line, stderr, tt.stderr)
	}
}

func TestResourcesPrintAsDevlinkPrintsThem(t *testing.T) {
	f := newFake(t)
	_, stdout, _ := f.run(t, "resource show")
	expect(t, "text", stdout, `  name IPv4 size unlimited unit entry size_min 0 size_max unlimited size_gran 1 dpipe_tables none size_valid true
    resources:
      name fib size unlimited size_new 5 occ 14 unit entry size_min 0 size_max unlimited size_gran 1 dpipe_tables none
      name fib-rules size unlimited occ 3 unit entry size_min 0 size_max unlimited size_gran 1 dpipe_tables none
  name IPv6 size unlimited unit entry size_min 0 size_max unlimited size_gran 1 dpipe_tables none size_valid true
    resources:
      name fib size unlimited occ 9 unit entry size_min 0 size_max unlimited size_gran 1 dpipe_tables none
      name fib-rules size unlimited occ 2 unit entry size_min 0 size_max unlimited size_gran 1 dpipe_tables none
  name nexthops size unlimited occ 0 unit entry size_min 0 size_max unlimited size_gran 1 dpipe_tables none
`)
	_, stdout, _ = f.run(t, "-j resource show")
	if want := `{"resources":[{"name":"IPv4","size":"unlimited","unit":"entry","size_min":0,"size_max":"unlimited","size_gran":1,"size_valid":true,"resources":[{"name":"fib","size":"unlimited","size_new":5,"occ":14,`; !strings.HasPrefix(stdout, want) {
		t.Errorf("got %s", stdout)
	}
}

func TestAReloadThatFailsGetsDevlinksWords(t *testing.T) {
	f := newFake(t)
	f.refuse["Reload"] = refusal(codes.ResourceExhausted, "TABLE_FULL", "EPERM", "netdevsim: Exceeded number of supported fib entries", "full")
	code, _, stderr := f.run(t, "reload")
	if code != exitUsage {
		t.Errorf("got exit code %d", code)
	}
	expect(t, "stderr", stderr, "Error: netdevsim: Exceeded number of supported fib entries.\nkernel answers: Operation not permitted\n")
	f.refuse["UpdateResource"] = refusal(codes.NotFound, "RESOURCE_NOT_FOUND", "EINVAL", "", "no resource has that path")
	code, _, stderr = f.run(t, "resource set IPv9/fib size 5")
	if code != exitUsage {
		t.Errorf("got exit code %d", code)
	}
	expect(t, "stderr", stderr, "Error: no resource has that path.\nkernel answers: Invalid argument\n")
}

func TestTheChipsCommands(t *testing.T) {
	f := newFake(t)
	for line, want := range map[string]string{
		"asic":                            "profile switch state paused queue 2 queue_capacity 100 programmed 9 stale 0 waiting_for_room 4 undeleted 1 \n",
		"asic pause":                      "state paused queue 3 \n",
		"asic step 5":                     "done 5 queue 1 \n",
		"-j asic step":                    `{"done":1,"queue":1}` + "\n",
		"asic resume":                     "state running \n",
		"fault":                           "fail_route_offload off \nfail_route_delete off \nfail_reload off \ndont_allow_reload off \n",
		"-j fault show":                   `{"fail_route_offload":"off","fail_route_delete":"off","fail_reload":"off","dont_allow_reload":"off","rules":[]}` + "\n",
		"fault set dont_allow_reload off": "",
		"status":                          "version 1.2.3 profile switch state paused seed 1 \nepoch 7 revision 42 oldest_revision 3 watchers 1 \nqueue 2 queue_capacity 100 programmed 9 stale 0 suppressed_events 0 \nroutes ipv4 offload 5 \nroutes ipv6 trap 6 \n",
		"-V":                              "vasicctl utility, vasic-1.2.3\n",
	} {
		code, stdout, stderr := f.run(t, line)
		if code != exitDone || stderr != "" {
			t.Errorf("%s: got %d %q", line, code, stderr)
		}
		expect(t, line, stdout, want)
	}
}

func TestCompletionNamesEveryObject(t *testing.T) {
	f := newFake(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, stdout, _ := f.run(t, "completion "+shell)
		if code != exitDone {
			t.Errorf("%s: got exit code %d", shell, code)
		}
		for _, o := range objects {
			if o.run != nil && !strings.Contains(stdout, o.name) {
				t.Errorf("%s: %s is missing", shell, o.name)
			}
		}
	}
}

func TestReadingStandardInputEndsWithTheContext(t *testing.T) {
	f := newFake(t)
	for _, line := range []string{"-batch -", "route load - dev d1"} {
		ctx, cancel := context.WithCancel(t.Context())
		in, feed := io.Pipe()
		go func() {
			_, _ = feed.Write([]byte("route add 192.0.2.0/24 dev d1\n"))
			cancel()
		}()
		var out, errs bytes.Buffer
		env := Env{Stdin: in, Stdout: &out, Stderr: &errs, Dial: f.dial, Getenv: func(string) string { return "" }}
		if code := env.Run(ctx, strings.Fields(line)); code != exitRefused || !strings.Contains(errs.String(), "Interrupted.\n") {
			t.Errorf("%s: got %d %q", line, code, errs.String())
		}
		_ = feed.Close()
	}
}
