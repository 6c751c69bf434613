package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// sample is a flag with four values that are not its default, as they are printed.
type sample struct {
	name                 string
	inFile, inEnv, asArg string
	print                func(string) string // nil: as it is
}

var samples = []sample{
	{"listen", "127.0.0.1:1", "unix:///run/v.sock", "[::1]:3", nil},
	{"metrics-listen", "127.0.0.1:4", "unix:///run/m.sock", "", nil},
	{"insecure", "true", "true", "true", nil},
	{"tls-cert", "/a/c r t", `/b/"crt"`, "/c/#crt", nil},
	{"tls-key", "/a/key", "/b/key: x", "/c/ké\\y", nil},
	{"tls-client-ca", "/a/ca", "/b/'ca'", "- /c/ca", nil},
	{"log-level", "debug", "WARN", "error", strings.ToUpper},
	{"log-format", "json", "json", "json", nil},
	{"drain-timeout", "1s", "2m", "250ms", func(s string) string { return must(time.ParseDuration(s)).String() }},
	{"profile", "netdevsim", "spectrum", "trident2", nil},
	{"seed", "7", "18446744073709551615", "0", nil},
	{"resource", "IPv4/fib=1", "IPv6/fib=2", "nexthops=3", nil},
	{"port", "swp1=10.0.1.1/24", "swp2=10.0.2.1/24,2001:db8:2::1/64", "swp3", nil},
	{"latency", "1ms", "0s", "1h", nil},
	{"latency-distribution", "uniform", "normal", "exponential", nil},
	{"latency-spread", "1ms", "0s", "1h", nil},
	{"latency-per-next-hop", "1ms", "0s", "1h", nil},
	{"max-operations-per-second", "1", "0", "4294967295", nil},
	{"retry-failed", "true", "false", "true", nil},
	{"neighbor-resolution", "manual", "manual", "manual", nil},
	{"neighbor-resolution-delay", "1s", "2s", "1h0m0s", nil},
	{"audit-interval", "1s", "2s", "0s", nil},
	{"ipv4-notify-on-flag-change", "1", "2", "1", nil},
	{"ipv6-notify-on-flag-change", "1", "2", "1", nil},
	{"queue-capacity", "1", "2", "3", nil},
	{"log-bytes", "1", "2", "3", nil},
	{"max-batch-operations", "1", "2", "3", nil},
	{"max-watchers", "1", "2", "3", nil},
	{"max-streams", "1", "2", "1048576", nil},
	{"max-message-bytes", "1", "2", "3", nil},
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// flags runs vasicd with arguments that make it print and exit.
func flags(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// printed is what --print-config says of one setting.
func printed(t *testing.T, name string, args ...string) string {
	t.Helper()
	code, out, errs := flags(t, append(args, "--print-config")...)
	if code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, errs)
	}
	for block := range strings.SplitSeq(strings.ReplaceAll(out, "\n  - ", " - "), "\n") {
		if value, ok := strings.CutPrefix(block, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("%s is not in\n%s", name, out)
	return ""
}

// envOf is the environment variable of a flag.
func envOf(name string) string { return "VASIC_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// file writes a file of the test's own.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// yaml writes a setting as a line of a configuration file.
func yaml(name, value string) string {
	if name == "resource" || name == "port" {
		return fmt.Sprintf("%s: [%q]\n", name, value)
	}
	return fmt.Sprintf("%s: %q\n", name, value)
}

func TestAFlagWinsOverTheEnvironmentWhichWinsOverTheFile(t *testing.T) {
	c := &config{flags: flag.NewFlagSet("", flag.ContinueOnError), resources: resourceFlag{}}
	c.register()
	c.flags.VisitAll(func(f *flag.Flag) {
		if !notSettings[f.Name] && !slices.ContainsFunc(samples, func(s sample) bool { return s.name == f.Name }) {
			t.Errorf("the test has no values for --%s", f.Name)
		}
	})
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			config := file(t, "c.yaml", yaml(s.name, s.inFile))
			args := []string{"--config", config}
			if strings.HasPrefix(s.name, "tls-") { // which go together
				for _, other := range []string{"tls-cert", "tls-key"} {
					if other != s.name {
						args = append(args, "--"+other, "x")
					}
				}
			}
			want := func(where, value string) {
				t.Helper()
				if s.print != nil {
					value = s.print(value)
				}
				got := strings.TrimPrefix(printed(t, s.name, args...), "- ")
				if text, err := strconv.Unquote(got); err == nil {
					got = text
				}
				if got != value {
					t.Errorf("%s: %s, want %s", where, got, value)
				}
			}
			want("file", s.inFile)
			t.Setenv(envOf(s.name), s.inEnv)
			want("environment", s.inEnv)
			args = append(args, "--"+s.name+"="+s.asArg)
			want("flag", s.asArg)
		})
	}
}

func TestTheEnvironmentCanNameTheFile(t *testing.T) {
	t.Setenv("VASIC_CONFIG", file(t, "c.yaml", "seed: 99\n"))
	if got := printed(t, "seed"); got != "99" {
		t.Errorf("seed %s", got)
	}
	if got := printed(t, "seed", "--config", file(t, "d.yaml", "# nothing\n")); got != "1" {
		t.Errorf("with another file: seed %s", got)
	}
}

func TestWhatIsPrintedMeansTheSame(t *testing.T) {
	everything := []string{"--resource=IPv4/fib=18446744073709551615", "--port=swp9=10.0.9.1/24", "--port=a"}
	for _, s := range samples {
		everything = append(everything, "--"+s.name+"="+s.asArg)
	}
	for name, args := range map[string][]string{"nothing": nil, "everything": everything} {
		t.Run(name, func(t *testing.T) {
			first := bytes.Buffer{}
			if code := run(t.Context(), append(args, "--print-config"), &first, t.Output()); code != 0 {
				t.Fatalf("exit code %d", code)
			}
			path := file(t, "c.yaml", first.String())
			_, again, errs := flags(t, "--config", path, "--print-config")
			if again != first.String() {
				t.Errorf("printed\n%s\nread and printed again\n%s%s", first.String(), again, errs)
			}
			a, errA := parseConfig(args, io.Discard)
			b, errB := parseConfig([]string{"--config", path}, io.Discard)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			for _, c := range []*config{a, b} { // what cannot be compared is compared above
				c.flags = nil
				c.server.Latency, c.server.LatencySpread, c.server.LatencyPerNextHop, c.server.Distribution, c.server.MaxRate, c.server.RetryFailed = nil, nil, nil, nil, nil, nil
			}
			if x, y := fmt.Sprintf("%+v", *a), fmt.Sprintf("%+v", *b); x != y {
				t.Errorf("%s became\n%s", x, y)
			}
		})
	}
}

func TestTheServerGetsWhatWasSaid(t *testing.T) {
	c, err := parseConfig([]string{
		"--profile=netdevsim", "--seed=5", "--latency=2ms", "--ipv4-notify-on-flag-change=1", "--ipv6-notify-on-flag-change=2", "--queue-capacity=10",
		"--log-bytes=11", "--max-batch-operations=12", "--max-watchers=13", "--max-streams=14", "--max-message-bytes=15", "--resource=IPv4/fib=16",
		"--resource=IPv6/fib=17", "--resource=IPv4/fib=18", "--port=swp1=10.0.1.1/24,2001:db8:1::1/64", "--port=swp2",
		"--latency-distribution=normal", "--latency-spread=3ms", "--latency-per-next-hop=4ms", "--max-operations-per-second=19", "--retry-failed=true",
		"--neighbor-resolution=manual", "--neighbor-resolution-delay=5s", "--audit-interval=6s",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s := c.server
	if *s.Distribution != asic.Normal || *s.LatencySpread != 3*time.Millisecond || *s.LatencyPerNextHop != 4*time.Millisecond || *s.MaxRate != 19 || !*s.RetryFailed ||
		!s.ManualNeighbors || s.ResolutionDelay != 5*time.Second || s.AuditInterval != 6*time.Second {
		t.Errorf("got %+v", s)
	}
	if s.Profile != "netdevsim" || s.Seed != 5 || *s.Latency != 2*time.Millisecond || s.NotifyIPv4 != fib.NotifyAll || s.NotifyIPv6 != fib.NotifyFailures {
		t.Errorf("got %+v", s)
	}
	if s.QueueCapacity != 10 || s.LogBytes != 11 || s.MaxBatchOperations != 12 || s.MaxWatchers != 13 || s.MaxStreams != 14 || s.MaxMessageBytes != 15 {
		t.Errorf("got %+v", s)
	}
	if got := fmt.Sprint(s.Resources, s.Links, s.LoopbackUp); got != "map[IPv4/fib:18 IPv6/fib:17] [{swp1 [10.0.1.1/24 2001:db8:1::1/64]} {swp2 []}] true" {
		t.Errorf("got %s", got)
	}
}

func TestVersionAndHelp(t *testing.T) {
	defer func(v string) { version = v }(version)
	version = "v1.2.3"
	if code, out, errs := flags(t, "--version"); code != 0 || out != "vasicd v1.2.3\n" || errs != "" {
		t.Errorf("--version: %d %q %q", code, out, errs)
	}
	version = "(devel)"
	if code, out, _ := flags(t, "-version"); code != 0 || !strings.HasPrefix(out, "vasicd ") || strings.TrimSpace(out) == "vasicd" {
		t.Errorf("-version of a build from source: %d %q", code, out)
	}
	for _, arg := range []string{"--help", "-h"} {
		code, out, errs := flags(t, arg)
		if code != 0 {
			t.Errorf("%s: exit code %d", arg, code)
		}
		c := &config{flags: flag.NewFlagSet("", flag.ContinueOnError), resources: resourceFlag{}}
		c.register()
		c.flags.VisitAll(func(f *flag.Flag) {
			if !strings.Contains(out+errs, "  -"+f.Name) {
				t.Errorf("%s does not name %s", arg, f.Name)
			}
		})
		if !strings.Contains(out+errs, "VASIC_METRICS_LISTEN") || !strings.Contains(out+errs, "YAML") {
			t.Errorf("%s does not say where else settings come from", arg)
		}
	}
}

func TestBadValuesNameTheFlagAndTheLimit(t *testing.T) {
	for _, c := range []struct {
		args  string
		words []string
	}{
		{"--queue-capacity=0", []string{"queue-capacity", "0 is less than 1"}},
		{"--queue-capacity=-1", []string{"queue-capacity", "-1 is less than 1"}},
		{"--queue-capacity=many", []string{"queue-capacity", `"many"`}},
		{"--log-bytes=0", []string{"log-bytes", "less than 1"}},
		{"--max-batch-operations=0", []string{"max-batch-operations", "less than 1"}},
		{"--max-watchers=0", []string{"max-watchers", "less than 1"}},
		{"--max-message-bytes=0", []string{"max-message-bytes", "less than 1"}},
		{"--max-streams=0", []string{"max-streams", "0 is not between 1 and 1048576"}},
		{"--max-streams=1048577", []string{"max-streams", "1048577 is not between 1 and 1048576"}},
		{"--max-streams=-1", []string{"max-streams", `"-1"`}},
		{"--seed=-1", []string{"seed", `"-1"`}},
		{"--seed=18446744073709551616", []string{"seed", "18446744073709551616"}},
		{"--ipv4-notify-on-flag-change=3", []string{"ipv4-notify-on-flag-change", "3 is not 0, 1 or 2"}},
		{"--ipv6-notify-on-flag-change=3", []string{"ipv6-notify-on-flag-change", "3 is not 0, 1 or 2"}},
		{"--latency=fast", []string{"latency", `"fast" is not a time like 1ms`}},
		{"--latency=-1ms", []string{"latency", `"-1ms"`}},
		{"--latency=1h0m1s", []string{"latency", "1h"}}, // as Settings.programming_latency
		{"--drain-timeout=soon", []string{"drain-timeout", `"soon"`}},
		{"--drain-timeout=-1s", []string{"drain-timeout", "-1s"}},
		{"--log-level=loud", []string{"log-level", `"loud"`}},
		{"--log-format=xml", []string{"log-format", `"xml" is not text or json`}},
		{"--profile=mlxsw", []string{"profile", `"mlxsw"`, "switch, netdevsim"}},
		{"--profile=/nowhere/p.yaml", []string{"profile", "/nowhere/p.yaml"}},
		{"--profile=nowhere.yml", []string{"profile", "nowhere.yml"}},
		{"--latency-spread=fast", []string{"latency-spread", `"fast" is not a time like 1ms`}},
		{"--latency-per-next-hop=-1s", []string{"latency-per-next-hop", `"-1s"`}},
		{"--latency-distribution=pareto", []string{"latency-distribution", `"pareto" is not constant, uniform, normal or exponential`}},
		{"--max-operations-per-second=4294967296", []string{"max-operations-per-second", `"4294967296" is not a number`}},
		{"--retry-failed=maybe", []string{"retry-failed", `"maybe" is not true or false`}},
		{"--neighbor-resolution=none", []string{"neighbor-resolution", `"none" is not auto or manual`}},
		{"--neighbor-resolution-delay=-1s", []string{"neighbor-resolution-delay", "-1s is not between 0 and 1h"}},
		{"--audit-interval=-1s", []string{"audit-interval", "-1s is less than 0"}},
		{"--insecure=maybe", []string{"insecure", `"maybe"`}},
		{"--resource=IPv4/fib", []string{"resource", "path=entries", "IPv6/fib-rules"}},
		{"--resource=IPv5/fib=1", []string{"resource", "IPv5/fib", "nexthops"}},
		{"--resource=IPv4/fib=-1", []string{"resource", `"-1" is not a number of entries`}},
		{"--port=swp1=10.0.1.1", []string{"port", `"10.0.1.1" is not an address with prefix length`}},
		{"--port=swp1=10.0.1.1/33", []string{"port", "10.0.1.1/33"}},
		{"--port==10.0.1.1/24", []string{"port", "is missing"}},
		{"--port=sixteen-letters-", []string{"port", "sixteen-letters-", "15"}},
		{"--port=a/b", []string{"port", "a/b"}},
		{"--port=swp1 --port=swp1=10.0.1.1/24", []string{"port", "swp1"}},
		{"--port=lo=192.0.2.1/32", []string{"port", "lo"}},
		{"--port=swp1=10.0.1.1/24,10.0.1.1/24", []string{"port", "10.0.1.1/24"}},
		{"--port=swp1=::ffff:10.0.1.1/120", []string{"port", "::ffff:10.0.1.1/120"}},
		{"--port=swp1=0.0.0.0/8", []string{"port", "0.0.0.0"}},
		{"--port=swp1=224.0.0.1/24", []string{"port", "224.0.0.1"}},
		{"--port=swp1=ff02::1/64", []string{"port", "ff02::1"}},
		{"--tls-cert=c", []string{"tls-cert", "tls-key"}},
		{"--tls-key=k", []string{"tls-cert", "tls-key"}},
		{"--tls-client-ca=a", []string{"tls-client-ca"}},
		{"--no-such-flag", []string{"no-such-flag"}},
		{"serve", []string{`unexpected argument "serve"`}},
		{"--config=/nowhere/c.yaml", []string{"/nowhere/c.yaml"}},
	} {
		code, out, errs := flags(t, append(strings.Fields(c.args), "--print-config")...)
		if code != 2 || out != "" {
			t.Errorf("%s: exit code %d, output of %d bytes", c.args, code, len(out))
		}
		last := lastWords(errs)
		for _, words := range c.words {
			if !strings.Contains(last, words) {
				t.Errorf("%s: %q does not say %q", c.args, last, words)
			}
		}
	}
}

// lastWords is what vasicd says itself at the end, behind the usage that Go's flags print.
func lastWords(stderr string) string {
	return stderr[max(0, strings.LastIndex(stderr, "vasicd: ")):]
}

func TestBadValuesOfEnvironmentAndFileNameTheFlag(t *testing.T) {
	for text, words := range map[string]string{
		"queue-capacity: 0\n": "queue-capacity: 0 is less than 1", "queue-capacity: x\n": `"queue-capacity"`, "no-such-flag: 1\n": `"no-such-flag"`,
		"port: [swp1=x]\n": `"port"`, "\tx": "YAML", "a: [": "YAML",
	} {
		if code, _, errs := flags(t, "--config", file(t, "c.yaml", text), "--print-config"); code != 2 || !strings.Contains(lastWords(errs), words) {
			t.Errorf("%q: exit code %d: %q, want %q", text, code, lastWords(errs), words)
		}
	}
	t.Setenv("VASIC_MAX_WATCHERS", "x")
	if code, _, errs := flags(t, "--print-config"); code != 2 || !strings.Contains(lastWords(errs), "VASIC_MAX_WATCHERS") {
		t.Errorf("exit code %d: %q", code, lastWords(errs))
	}
}

func TestBeyondLoopbackOnlyWithTLSOrInsecure(t *testing.T) {
	near := []string{"127.0.0.1:0", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:///run/v.sock", "unix:v.sock"}
	far := []string{":1", "0.0.0.0:1", "[::]:1", "192.0.2.1:1", "example.com:1", "localhost.example.com:1", "127.0.0.1.example.com:1", "nonsense", ""}
	for _, tls := range []bool{false, true} {
		var args []string
		if tls {
			args = []string{"--tls-cert=c", "--tls-key=k"}
		}
		for _, address := range slices.Concat(near, far) {
			for _, name := range []string{"listen", "metrics-listen"} {
				_, err := parseConfig(append(args, "--"+name, address), io.Discard)
				allowed := slices.Contains(near, address) || name == "listen" && tls || name == "metrics-listen" && address == ""
				if allowed != (err == nil) {
					t.Errorf("--%s %q, TLS %v: %v", name, address, tls, err)
				}
				if err != nil && (!strings.HasPrefix(err.Error(), name+": ") || !strings.Contains(err.Error(), "insecure")) {
					t.Errorf("--%s %q: %v", name, address, err)
				}
				if _, err := parseConfig(append(args, "--"+name, address, "--insecure"), io.Discard); err != nil {
					t.Errorf("--%s %q --insecure: %v", name, address, err)
				}
			}
		}
	}
}

func TestTheHealthcheckFindsWhereItsVasicdListens(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:1": "127.0.0.1:1", ":1": "localhost:1", "0.0.0.0:1": "localhost:1", "[::]:1": "localhost:1", "[::1]:1": "[::1]:1", "[2001:db8::1]:1": "[2001:db8::1]:1",
		"example.com:1": "example.com:1", "unix:///run/v:1": "unix:///run/v:1", "unix:v": "unix:v",
	} {
		if got := dialTarget(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

func TestAProfileCanBeAFile(t *testing.T) {
	path := file(t, "mine.yaml", "name: mine\nforwarding: switch\nsizes:\n  IPv4/fib: 12\n")
	c, err := parseConfig([]string{"--profile", path}, io.Discard)
	if err != nil || c.server.ChipProfile == nil || c.server.ChipProfile.Name != "mine" || c.server.Profile != "mine" {
		t.Errorf("got %+v, %v", c, err)
	}
	if got := printed(t, "profile", "--profile", path); got != strconv.Quote(path) {
		t.Errorf("printed as %s", got)
	}
	bad := file(t, "bad.yaml", "name: bad\nsizes:\n  IPv4/fib: -1\n")
	if _, err := parseConfig([]string{"--profile", bad}, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "profile: "+bad+": ") || !strings.Contains(err.Error(), "-1") {
		t.Errorf("a broken profile: %v", err)
	}
}
