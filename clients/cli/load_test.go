package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// loaded reads a file as `route load` does, and returns each line's number, action and route as ip would print it, or error.
func loaded(t *testing.T, text, words string) []string {
	t.Helper()
	req, err := parseLoad(append([]string{"-"}, strings.Fields(words)...), familyAny)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := newLoadLines(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	source, err := newRouteSource(lines, req)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		op, ok, err := source.next()
		if !ok {
			return got
		}
		line := fmt.Sprintf("%d %s ", op.ID, strings.ToLower(strings.TrimPrefix(op.Action.String(), "ROUTE_ACTION_")))
		if err != nil {
			got = append(got, line+firstLine(err.Error()))
			continue
		}
		got = append(got, line+strings.TrimRight(printed(op.Route, false, options{}, routeStyle{oneLine: true}), " \n"))
	}
}

func TestLoadReadsPrefixesAndRoutes(t *testing.T) {
	for _, tt := range []struct {
		name, words, text string
		want              []string
	}{
		{
			"prefixes take the gateways in turn", "via 10.0.1.2,10.0.1.3,2001:db8:101::2 dev d1 table 100 metric 7 proto bgp",
			"# a table\n1.0.0.0/24\n\n1.0.4.0/22\r\n  \n10/8 # short\n2001:db8::/32\n1.0.5.1\n2001:db8::1/32\n",
			[]string{
				"2 add 1.0.0.0/24 via 10.0.1.2 dev d1 table 100 proto bgp metric 7",
				"4 add 1.0.4.0/22 via 10.0.1.3 dev d1 table 100 proto bgp metric 7",
				"6 add 10.0.0.0/8 via 10.0.1.2 dev d1 table 100 proto bgp metric 7",
				"7 add 2001:db8::/32 via 2001:db8:101::2 dev d1 table 100 proto bgp metric 7 pref medium",
				"8 add 1.0.5.1 via 10.0.1.3 dev d1 table 100 proto bgp metric 7",
				"9 add 2001:db8::/32 via 2001:db8:101::2 dev d1 table 100 proto bgp metric 7 pref medium",
			},
		},
		{
			"routes as ip prints them", "via 10.0.1.2",
			"default via 10.0.1.2 dev d1\n192.0.2.0/24 \n\tnexthop via 10.0.1.2 dev d1 weight 1 dead linkdown \n\tnexthop via 10.0.2.2 dev d2 weight 2 \n" +
				"blackhole 198.51.100.0/24\n2001:db8:5::/48 metric 1024 rt_trap pref medium\n\tnexthop via 2001:db8:101::2 dev d1 weight 1 \n" +
				"203.0.113.0/24 \\\tnexthop via 10.0.1.2 dev d1 weight 1 \\\tnexthop via 10.0.2.2 dev d2 weight 1 \n" +
				"local 10.0.1.1 dev d1 table local proto kernel scope host src 10.0.1.1 rt_trap \n2001:db8:101::/64 dev d1 proto kernel metric 256 pref medium",
			[]string{
				"1 add default via 10.0.1.2 dev d1",
				`2 add 192.0.2.0/24 \	nexthop via 10.0.1.2 dev d1 weight 1 \	nexthop via 10.0.2.2 dev d2 weight 2`,
				"5 add blackhole 198.51.100.0/24",
				"6 add 2001:db8:5::/48 via 2001:db8:101::2 dev d1 metric 1024 pref medium",
				`8 add 203.0.113.0/24 \	nexthop via 10.0.1.2 dev d1 weight 1 \	nexthop via 10.0.2.2 dev d2 weight 1`,
				"9 add local 10.0.1.1 dev d1 table local proto kernel scope host src 10.0.1.1",
				"10 add 2001:db8:101::/64 dev d1 proto kernel metric 256 pref medium",
			},
		},
		{
			"commands", "replace via 10.0.1.2",
			"route add 192.0.2.0/24 dev d1\nip -4 route del 192.0.2.0/24\nvasicctl r repl default via 10.0.1.2\n1.0.0.0/24\nroute show\nroute add foo\n-6 route add default dev d1\nip route add\n",
			[]string{
				"1 add 192.0.2.0/24 dev d1 scope link",
				"2 delete none 192.0.2.0/24 proto unspec",
				"3 replace default via 10.0.1.2",
				"4 replace 1.0.0.0/24 via 10.0.1.2",
				`5 replace Command "show" is unknown, try "vasicctl route help".`,
				`6 add Error: any valid prefix is expected rather than "foo".`,
				"7 add default dev d1 metric 0 pref medium",
				"8 add Usage: vasicctl route { list | flush } SELECTOR",
			},
		},
		{"a type", "append blackhole metric 5", "1.0.0.0/24\n", []string{"1 append blackhole 1.0.0.0/24 metric 5"}},
		{"a device", "dev d1", "1.0.0.0/24\n2001:db8::/32\n", []string{"1 add 1.0.0.0/24 dev d1 scope link", "2 add 2001:db8::/32 dev d1 metric 0 pref medium"}},
		{"next hops", "nexthop via 10.0.1.2 nexthop via 10.0.1.3", "1.0.0.0/24\n2001:db8::/32\n", []string{
			`1 add 1.0.0.0/24 \	nexthop via 10.0.1.2 weight 1 \	nexthop via 10.0.1.3 weight 1`, `2 add Error: inet6 address is expected rather than "10.0.1.2".`,
		}},
		{"IPv6 gateways of IPv4 routes", "via 2001:db8::2 dev d1", "1.0.0.0/24\n", []string{"1 add 1.0.0.0/24 via inet6 2001:db8::2 dev d1"}},
		{"no gateway of the family", "via 10.0.1.2", "2001:db8::/32\n1.0.0.0/24\n", []string{"1 add Error: no gateway is inet6.", "2 add 1.0.0.0/24 via 10.0.1.2"}},
		{"unreadable lines", "dev d1", "foo\n1.0.0.0/33\n1.0.0.0/24\n1.0.0.0/24 via\n", []string{
			`1 add Error: any valid prefix is expected rather than "foo".`, `2 add Error: any valid prefix is expected rather than "1.0.0.0/33".`,
			"3 add 1.0.0.0/24 dev d1 scope link", `4 add Command line is not complete. Try option "help"`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := loaded(t, tt.text, tt.words)
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestLoadProgramsAFileAndSumsUp(t *testing.T) {
	f := newFake(t)
	var text bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&text, "10.%d.%d.0/24\n", i/256, i%256)
	}
	text.WriteString("10.0.0.0/24\nfoo\n10.0.1.0/24\n")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(text.Bytes())
	_ = z.Close()
	file := filepath.Join(t.TempDir(), "prefixes.gz")
	if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := f.run(t, "route load "+file+" via 10.0.1.2,10.0.1.3")
	if code != exitRefused || len(f.routes) != 3000 {
		t.Errorf("got %d, %d routes", code, len(f.routes))
	}
	if want := "accepted 3000 unchanged 0 refused 2 unreadable 1 in_hardware 3000 failed 0 not_selected 0 superseded 0 seconds "; !strings.HasPrefix(stdout, want) {
		t.Errorf("got %q", stdout)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for _, want := range []string{
		file + ":3001: RTNETLINK answers: File exists", file + `:3002: Error: any valid prefix is expected rather than "foo".`, file + ":3003: RTNETLINK answers: File exists",
	} {
		found := false
		for _, l := range lines {
			found = found || l == want
		}
		if !found {
			t.Errorf("%q is missing in %q", want, stderr)
		}
	}
	if a, b := f.routes[0].NextHops[0].Gateway, f.routes[1].NextHops[0].Gateway; a != "10.0.1.2" || b != "10.0.1.3" {
		t.Errorf("got gateways %s and %s", a, b)
	}
}

func TestLoadNamesOnlySomeFailures(t *testing.T) {
	f := newFake(t)
	f.failed = true
	code, stdout, stderr := f.runWith(t, strings.Repeat("foo\n", 20)+"1.0.0.0/24\n", "-j -4 route load - dev d1")
	if code != exitUsage {
		t.Errorf("got %d", code)
	}
	if want := `{"accepted":1,"unchanged":0,"refused":0,"unreadable":20,"in_hardware":0,"failed":1,"not_selected":0,"superseded":0,"seconds":`; !strings.HasPrefix(stdout, want) {
		t.Errorf("got %q", stdout)
	}
	if n := strings.Count(stderr, "\n"); n != shownErrors+1 || !strings.HasSuffix(stderr, "… and 11 more.\n") {
		t.Errorf("got %q", stderr)
	}
}

func TestLoadWithoutWaitingForHardware(t *testing.T) {
	f := newFake(t)
	code, stdout, _ := f.runWith(t, "1.0.0.0/24\n2001:db8::/32\n", "-6 route load - dev d1 --no-wait")
	if code != exitDone || !strings.HasPrefix(stdout, "accepted 1 unchanged 0 refused 0 unreadable 0 seconds ") {
		t.Errorf("got %d %q", code, stdout)
	}
}

func TestLongLinesAreRefused(t *testing.T) {
	f := newFake(t)
	code, _, stderr := f.runWith(t, "1.0.0.0/24\n"+strings.Repeat("x", 2*maxLine), "route load - dev d1")
	if code != exitUsage || !strings.HasSuffix(stderr, "Cannot read \"-\" after line 1: a line is too long\n") {
		t.Errorf("got %d %q", code, firstLine(stderr))
	}
}

func TestTheBarFitsTheTerminal(t *testing.T) {
	counts := &loadCounts{}
	counts.statuses[vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED].Store(1_234_567)
	counts.statuses[vasicv1.OperationStatus_OPERATION_STATUS_OFFLOADED].Store(1_000_000)
	counts.statuses[vasicv1.OperationStatus_OPERATION_STATUS_REFUSED].Store(5)
	counts.sent.Store(2_000_010)
	b := &loadBar{counts: counts, read: &countingReader{}, start: time.Now().Add(-time.Hour)}
	b.sentAll()
	for width := range 200 {
		line := b.line(width)
		if len(line) > width {
			t.Errorf("%d columns: got %q", width, line)
		}
	}
	if got, want := b.line(120), "[####################....................]  50% 1,234,567 accepted  1,000,000 in hardware  0 failed  5 refused  342/s"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	b.all.Store(false)
	if got, want := b.line(120), " 1,234,567 accepted  1,000,000 in hardware  0 failed  5 refused  342/s"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func BenchmarkLoadLines(b *testing.B) {
	for _, bm := range []struct{ name, line string }{{"prefix", "198.51.100.0/24\n"}, {"prefix6", "2001:db8:1::/48\n"}, {"route", "198.51.100.0/24 via 10.0.1.2 dev d1 metric 5\n"}} {
		b.Run(bm.name, func(b *testing.B) {
			text := strings.Repeat(bm.line, b.N)
			req, _ := parseLoad([]string{"-", "via", "10.0.1.2,2001:db8::2"}, familyAny)
			lines, _ := newLoadLines(strings.NewReader(text))
			source, _ := newRouteSource(lines, req)
			b.ReportAllocs()
			b.ResetTimer()
			for {
				if _, ok, err := source.next(); !ok {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
