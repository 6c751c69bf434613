package conformance

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkParsed checks that a trace comes back from its text.
func checkParsed(t interface {
	Helper()
	Fatalf(string, ...any)
}, trace *Trace, text []byte) {
	t.Helper()
	back, err := Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if !reflect.DeepEqual(trace, back) {
		t.Fatalf("comes back as another trace:\n%+v\n%+v\nfrom\n%s", trace, back, text)
	}
}

func TestTracesInTestdataAreAsFormatWritesThem(t *testing.T) {
	for _, trace := range loadTraces(t) {
		text, err := Format(trace)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, read(t, traceFile(trace))) {
			t.Errorf("%s is not as Format writes it", traceFile(trace))
		}
		checkParsed(t, trace, text)
	}
}

// traceFile is where testdata has a trace.
func traceFile(trace *Trace) string {
	return filepath.Join("testdata", "kernel", trace.Name()+".txt")
}

func TestAnyTraceComesBackFromItsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := drawTrace(t)
		text, err := Format(trace)
		if err != nil {
			t.Fatal(err)
		}
		checkParsed(t, trace, text)
	})
}

// drawTrace makes a trace whose runs have much in common, as real ones have, and texts with everything that could be mistaken.
func drawTrace(t *rapid.T) *Trace {
	routes := rapid.SliceOfN(rapid.SampledFrom([]Route{
		"unicast 192.0.2.0/24 via 10.0.1.2 dev d1", "unicast 192.0.2.0/24 table main \\ via 10.0.1.2 dev d1", "0 = 1", "> x", "12 - y",
	}), 0, 3)
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "?", `"`, "a\n\tnexthop b", ` \ `, "a\n\t", "Deleted x ", "\n"}))
	notifications := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Notification {
		n := Notification{
			Message: rapid.SampledFrom([]string{"NEWROUTE", "DELROUTE"}).Draw(t, "message"), Requested: rapid.Bool().Draw(t, "requested"),
			Flags: rapid.SampledFrom([][]string{nil, {"EXCL", "CREATE"}, {"REPLACE"}}).Draw(t, "flags"), NoText: rapid.Bool().Draw(t, "no text"),
		}
		if !n.NoText {
			n.Text = texts.Draw(t, "text")
		}
		return n
	}), 0, 3)
	resources := rapid.SampledFrom([]map[string]Resource{nil, {"IPv4/fib": {"unlimited", 12}}, {"IPv4/fib": {"14", -1}, "nexthops": {"3", 0}}})
	trace := &Trace{
		Scenario: "a-scenario", Family: rapid.SampledFrom([]string{"4", "6", "46"}).Draw(t, "family"), Group: "basic", Class: ClassMust,
		About: rapid.StringMatching(`[a-z .,=1>]*[a-z.]`).Draw(t, "about"), Kernel: "6.1", IPRoute2: "6.1",
		Setup: orNil(rapid.SliceOfN(rapid.SampledFrom([]string{"ip link set lo up", "sleep 1", "$ x", "- 1"}), 0, 3).Draw(t, "setup")),
	}
	commands := rapid.SliceOfN(rapid.StringMatching(`[a-z$=>][a-z $=0-9>-]*[a-z]`), 0, 3).Draw(t, "commands")
	for notify := range rapid.IntRange(1, 3).Draw(t, "runs") {
		run := Run{Notify: notify, OrderMayDiffer: rapid.Bool().Draw(t, "order may differ")}
		run.Baseline = State{Routes: orNil(baselineRoutes.Draw(t, "baseline")), Resources: resources.Draw(t, "resources")}
		for _, cmd := range commands {
			o := Outcome{
				Exit: rapid.IntRange(0, 255).Draw(t, "exit"), Errno: rapid.SampledFrom([][]string{nil, {"EEXIST"}, {"EIO", "EPERM"}}).Draw(t, "errno"),
				Stdout: texts.Draw(t, "stdout"), Stderr: texts.Draw(t, "stderr"), Notifications: orNil(notifications.Draw(t, "notifications")),
				Gone: orNil(routes.Draw(t, "gone")), Came: orNil(routes.Draw(t, "came")), Resources: resources.Draw(t, "changed"),
			}
			for range rapid.IntRange(0, 2).Draw(t, "also") {
				o.Also = append(o.Also, orNil(notifications.Draw(t, "also")))
			}
			run.Steps = append(run.Steps, Step{cmd, o})
		}
		trace.Runs = append(trace.Runs, run)
	}
	return trace
}

// Routes of a baseline start with their type.
var baselineRoutes = rapid.SliceOfN(rapid.SampledFrom([]Route{"unicast 192.0.2.0/24 dev d1", "local ::1 dev lo", "broadcast 10.0.1.255 dev d1"}), 0, 4)

func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

// FuzzParse checks that what Parse takes comes back from Format, and that nothing else happens to what it does not take.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "kernel", "*.v4*.txt"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := Parse([]byte(text))
		if err != nil {
			return
		}
		again, err := Format(trace)
		if err != nil {
			t.Fatal(err)
		}
		checkParsed(t, trace, again)
	})
}

func TestReadRawRefusesWhatItDoesNotKnow(t *testing.T) {
	const known = `{"scenario":"s","family":"4","group":"basic","class":"must","about":"A.","kernel":"6.1","iproute2":"6.1","runs":[{"notify":1,
		"order_may_differ":false,"setup":["ip link set lo up "],"baseline":{"routes":[{"type":"unicast","dst":"192.0.2.0/24","flags":["rt_trap"]}],
		"resources":{"IPv4/fib":{"size":"14","occupancy":-1}}},"steps":[{"cmd":"sleep 1","exit":0,"notifications":[
		{"message":"NEWROUTE","flags":["REPLACE"],"requested":true,"text":null}]}]}]}`
	trace, err := ReadRaw(strings.NewReader(known))
	if err != nil {
		t.Fatal(err)
	}
	want := &Trace{
		Scenario: "s", Family: "4", Group: "basic", Class: "must", About: "A.", Kernel: "6.1", IPRoute2: "6.1", Setup: []string{"ip link set lo up"},
		Runs: []Run{{
			Notify:   1,
			Baseline: State{Routes: []Route{"unicast 192.0.2.0/24 rt_trap"}, Resources: map[string]Resource{"IPv4/fib": {"14", -1}}},
			Steps:    []Step{{"sleep 1", Outcome{Notifications: []Notification{{Message: "NEWROUTE", Flags: []string{"REPLACE"}, Requested: true, NoText: true}}}}},
		}},
	}
	if !reflect.DeepEqual(trace, want) {
		t.Errorf("got  %+v\nwant %+v", trace, want)
	}
	if _, err := ReadRaw(strings.NewReader(strings.Replace(known, `"exit"`, `"exit_code"`, 1))); err == nil {
		t.Error("a member that is not known is taken")
	}
}
