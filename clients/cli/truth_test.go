package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/recording"
)

// expect runs a command line and compares exit code and standard output, and standard error if it is not "".
func (f *fake) expect(t *testing.T, line string, code int, stdout, stderr string) {
	t.Helper()
	gotCode, out, errs := f.run(t, line)
	if gotCode != code || out != stdout || errs != stderr {
		t.Errorf("%s\ngot  %d %q %q\nwant %d %q %q", line, gotCode, out, errs, code, stdout, stderr)
	}
}

func TestFaultRulesAreShownAsTheyAreWritten(t *testing.T) {
	f := newFake(t)
	f.expect(t, "fault add 192.0.2.0/24 table 100 op add fail reason table_full first 3", exitDone,
		"fault 1 prefix 192.0.2.0/24 table 100 op add fail reason table_full first 3 matched 0 hits 0 \n", "")
	f.expect(t, "-j -6 fault add delay 1500us probability 0.25", exitDone,
		`{"id":2,"family":"inet6","effect":"delay","delay_ms":1.500,"probability":0.25,"matched":0,"hits":0}`+"\n", "")
	f.expect(t, "fault add prefix 2001:db8::/32 stall op nexthop every 2", exitDone,
		"fault 3 prefix 2001:db8::/32 op nexthop stall every 2 matched 0 hits 0 \n", "")
	f.faults[0].Matched, f.faults[0].Hits = 7, 3
	f.faults = append(f.faults, &vasicv1.Fault{Id: 9, Fail: true})
	f.expect(t, "fault list", exitDone, "fail_route_offload off \nfail_route_delete off \nfail_reload off \ndont_allow_reload off \n"+
		"fault 1 prefix 192.0.2.0/24 table 100 op add fail reason table_full first 3 matched 7 hits 3 \n"+
		"fault 2 family inet6 delay 1.5ms probability 0.25 matched 0 hits 0 \n"+
		"fault 3 prefix 2001:db8::/32 op nexthop stall every 2 matched 0 hits 0 \n"+
		"fault 9 fail reason injected matched 0 hits 0 \n", "")
}

// What is printed of a rule is read as the same rule.
func TestFaultRulesAreReadAsTheyArePrinted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := &vasicv1.Fault{
			Table:     rapid.Uint32Range(0, 300).Draw(rt, "table"),
			Prefix:    rapid.SampledFrom([]string{"", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0", "::1/128"}).Draw(rt, "prefix"),
			Operation: vasicv1.FaultOperation(rapid.Int32Range(0, 5).Draw(rt, "operation")),
		}
		if f.Prefix == "" {
			f.Family = vasicv1.Family(rapid.Int32Range(0, 2).Draw(rt, "family"))
		}
		switch rapid.IntRange(0, 2).Draw(rt, "effect") {
		case 0:
			f.Fail, f.Reason = true, vasicv1.FailureReason(rapid.Int32Range(1, 4).Draw(rt, "reason"))
		case 1:
			f.Stall = true
		case 2:
			f.Delay = durationpb.New(time.Duration(rapid.Int64Range(1, int64(maxDelay)).Draw(rt, "delay")))
		}
		switch rapid.IntRange(0, 3).Draw(rt, "turn") {
		case 0:
			f.First = rapid.Uint64Min(1).Draw(rt, "first")
		case 1:
			f.Every = rapid.Uint64Min(1).Draw(rt, "every")
		case 2:
			f.Probability = 1 - rapid.Float64Range(0, 0.999).Draw(rt, "probability")
		}
		var out bytes.Buffer
		p := newPrinter(&out, options{})
		p.fault(f)
		if err := p.finish(nil); err != nil {
			rt.Fatal(err)
		}
		words := strings.Fields(out.String())
		words = words[2 : len(words)-4] // without id, matched and hits
		got, _, err := parseFault(&parser{words: words}, familyAny)
		if err != nil || !proto.Equal(got, f) {
			rt.Fatalf("%q: got %v, %v, want %v", words, got, err, f)
		}
	})
}

func TestTheQueueIsShownInOrder(t *testing.T) {
	f := newFake(t)
	f.expect(t, "asic queue", exitDone, "", "")
	f.expect(t, "-j asic queue", exitDone, "[]\n", "")
	f.queue = []*vasicv1.QueueItem{
		{Operation: "replace", Prefix: "192.0.2.0/24", Table: 254, Generations: []uint64{17, 18}, InFlight: true, Stalled: true, AcceptedUnixNanos: time.Now().Add(time.Hour).UnixNano()},
		{Operation: "neighbor", Subject: "10.0.1.2 dev d1"},
		{Operation: "clear"},
	}
	f.waiting = 5
	f.expect(t, "asic queue limit 2", exitDone, "replace 192.0.2.0/24 table main generation 17 18 age_ms 0.000 in_flight stalled \nneighbor 10.0.1.2 dev d1 \n… and 6 more\n", "")
	f.expect(t, "-j asic queue limit 2", exitDone, `[{"operation":"replace","dst":"192.0.2.0/24","table":"main","generations":["17","18"],"age_ms":0.000,"flags":["in_flight","stalled"]},`+
		`{"operation":"neighbor","subject":"10.0.1.2 dev d1","flags":[]}]`+"\n", "")
	f.expect(t, "asic queue limit 0", exitUsage, "", "Error: argument \"0\" is wrong: \"limit\" must be 1 to 10000\n")
	f.expect(t, "asic show", exitDone, "profile switch state paused stalled queue 2 queue_capacity 100 programmed 9 stale 0 waiting_for_room 4 undeleted 1 \n", "")
}

func TestLookupShowsBothRoutesWhenTheyDiffer(t *testing.T) {
	f := newFake(t)
	const route = "192.0.2.0/24 via 10.0.1.2 dev d1 proto bgp "
	f.expect(t, "lookup 192.0.2.0 192.0.2.2 192.0.2.3 192.0.2.4 2001:db8::1", exitDone,
		"192.0.2.0 consistent software 192.0.2.0/24 hardware 192.0.2.0/24 forward \n"+
			"192.0.2.2 trapped software 192.0.2.0/24 hardware 192.0.2.0/24 trap \n\tsoftware "+route+"rt_trap \n\thardware 192.0.2.0/24 trap generation 17 \n"+
			"192.0.2.3 blackholed software 192.0.2.0/24 hardware none \n\tsoftware "+route+"rt_offload_failed \n"+
			"192.0.2.4 misrouted silent software 192.0.2.0/24 hardware 192.0.0.0/16 forward \n\tsoftware "+route+"rt_offload \n"+
			"\thardware 192.0.0.0/16 forward \\\tnexthop via 10.0.2.2 dev d2 weight 2 \\\tnexthop dev d3 weight 1 group 3 generation 17 \n"+
			"2001:db8::1 consistent software none hardware none \n", "")
	f.expect(t, "-j lookup table 100 192.0.2.0", exitDone, `[{"address":"192.0.2.0","verdict":"consistent","software":{"dst":"192.0.2.0/24","gateway":"10.0.1.2","dev":"d1",`+
		`"protocol":"bgp","flags":["rt_offload"]},"hardware":{"dst":"192.0.2.0/24","action":"forward","gateway":"10.0.1.2","dev":"d1","generation":17}}]`+"\n", "")
	for line, want := range map[string]string{
		"lookup":              "Error: an address is needed, or a file of addresses behind -f.\n",
		"lookup 1.2.3.4 -f x": "Error: either addresses or a file of them, not both.\n",
		"lookup foo":          "Error: any valid address is expected rather than \"foo\".\n",
		"lookup -f nosuch":    "Cannot open file \"nosuch\" for reading: No such file or directory\n",
	} {
		f.expect(t, line, exitUsage, "", want)
	}
}

func TestLookupReadsAFile(t *testing.T) {
	f := newFake(t)
	var file, want strings.Builder
	for i := range 3*lookupBatch*lookupAhead + 5 {
		addr := fmt.Sprintf("10.%d.%d.0", i/256, i%256)
		fmt.Fprintf(&file, "%s # %d\n", addr, i)
		fmt.Fprintf(&want, "%s consistent software 192.0.2.0/24 hardware 192.0.2.0/24 forward \n", addr)
	}
	if code, out, errs := f.runWith(t, file.String(), "lookup -f -"); code != exitDone || out != want.String() || errs != "" {
		t.Errorf("got %d, %d lines, %q", code, strings.Count(out, "\n"), errs)
	}
	code, out, errs := f.runWith(t, "# none\n\n2001:db8::1\nfoo\n"+strings.Repeat("bar baz\n", 20), "lookup -f -")
	if code != exitUsage || !strings.HasPrefix(out, "2001:db8::1 consistent") ||
		!strings.HasPrefix(errs, "-:4: Error: any valid address is expected rather than \"foo\".\n-:5: ") || !strings.HasSuffix(errs, "… and 11 more.\n") {
		t.Errorf("got %d %q %q", code, out, errs)
	}
}

func TestAuditStreamsDifferencesAndTotals(t *testing.T) {
	f := newFake(t)
	four := vasicv1.Family_FAMILY_IPV4
	f.audits = []*vasicv1.AuditResponse{
		{Comparisons: []*vasicv1.Comparison{compared(vasicv1.Verdict_VERDICT_TRAPPED)}, Progress: 3},
		{Comparisons: []*vasicv1.Comparison{compared(vasicv1.Verdict_VERDICT_BLACKHOLED)}, Progress: 7, Compared: 7, Totals: []*vasicv1.VerdictCount{
			{Verdict: vasicv1.Verdict_VERDICT_CONSISTENT, Family: four, Count: 5}, {Verdict: vasicv1.Verdict_VERDICT_TRAPPED, Family: four, Count: 1},
			{Verdict: vasicv1.Verdict_VERDICT_BLACKHOLED, Family: four, Count: 1},
		}},
	}
	const trapped = "192.0.2.0/24 trapped software 192.0.2.0/24 hardware 192.0.2.0/24 trap \n\tsoftware 192.0.2.0/24 via 10.0.1.2 dev d1 proto bgp rt_trap \n\thardware 192.0.2.0/24 trap generation 17 \n"
	const lost = "192.0.2.0/24 blackholed software 192.0.2.0/24 hardware none \n\tsoftware 192.0.2.0/24 via 10.0.1.2 dev d1 proto bgp rt_offload_failed \n"
	const totals = "compared 7 consistent 5 pending 0 trapped 1 blackholed 1 misrouted 0 "
	f.expect(t, "audit", exitDone, trapped+lost+totals+"silent 0 \n", "")
	f.expect(t, "audit verdict trapped", exitDone, trapped+totals+"\n", "")
	f.expect(t, "audit check", exitRefused, trapped+lost+totals+"silent 0 \n", "Error: hardware does something else than software for 1 of 7 prefixes.\n")
	f.asked()
	f.expect(t, "audit check root 192.0.0.1/8 verdict blackholed limit 1", exitUsage, "", "Error: argument \"192.0.0.1/8\" is wrong: bits are set behind the length; is it 192.0.0.0/8?\n")
	f.expect(t, "-4 audit check root 192/8 table 100 verdict blackholed limit 1", exitRefused, lost+totals+"silent 0 \n", "Error: hardware does something else than software for 1 of 7 prefixes.\n")
	if got := fmt.Sprint(f.asked()); got != `[Audit {family:FAMILY_IPV4,table:100,withinPrefix:192.0.0.0/8,verdicts:[VERDICT_TRAPPED,VERDICT_BLACKHOLED]}]` {
		t.Errorf("got %s", got)
	}
	f.audits[1].Comparisons = nil
	f.audits[1].Totals = f.audits[1].Totals[:2]
	f.expect(t, "audit check limit 1", exitDone, trapped+"compared 7 consistent 5 pending 0 trapped 1 blackholed 0 misrouted 0 silent 0 \n", "")
	f.audits[0].Comparisons[0].Software.Trap = false
	if code, out, _ := f.run(t, "-j audit check"); code != exitRefused || !strings.Contains(out, `"verdict":"trapped","silent":true,"software":{`) ||
		!strings.HasSuffix(out, `"compared":7,"consistent":5,"pending":0,"trapped":1,"blackholed":0,"misrouted":0,"silent":1}`+"\n") {
		t.Errorf("got %d %q", code, out)
	}
	f.expect(t, "audit verdict foo", exitUsage, "", "Error: argument \"foo\" is wrong: there are consistent, pending, trapped, blackholed, misrouted\n")
}

// happened are messages of a recording: the setting is turned on, a route is added and reaches hardware after 20 ms.
func happened(t *testing.T) []*vasicv1.RecordResponse {
	t.Helper()
	request, err := proto.Marshal(&vasicv1.UpdateSettingsRequest{
		Settings: &vasicv1.Settings{Ipv4NotifyOnFlagChange: 1}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"ipv4_notify_on_flag_change"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().UnixNano()
	r := &vasicv1.Route{Prefix: "192.0.2.0/24", Table: 254, Id: 1, Type: vasicv1.RouteType_ROUTE_TYPE_UNICAST, Protocol: 186}
	done := proto.CloneOf(r)
	done.Offload = true
	return []*vasicv1.RecordResponse{
		{Call: &vasicv1.RecordedCall{Method: vasicv1.SwitchService_UpdateSettings_FullMethodName, Request: request, Revision: 42, Programmed: 9, UnixNanos: begin}},
		{Events: []*vasicv1.Event{
			{Revision: 43, Kind: vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED, Route: r, UnixNanos: begin + 1e6},
			{Revision: 44, Kind: vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED, Route: done, UnixNanos: begin + 21e6},
		}},
	}
}

// recordingFile writes a recording.
func recordingFile(t *testing.T, started *vasicv1.RecordingStarted, messages ...*vasicv1.RecordResponse) string {
	t.Helper()
	var out bytes.Buffer
	w := recording.NewWriter(&out, false)
	for _, m := range append([]*vasicv1.RecordResponse{{Started: started}}, messages...) {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "recording")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestExposureOfARecording(t *testing.T) {
	f := newFake(t)
	file := recordingFile(t, &vasicv1.RecordingStarted{}, happened(t)...)
	f.expect(t, "exposure from "+file, exitDone, "seconds 0.020 prefixes 1 exposed_ever 1 exposed_now 0 gaps 0 \n"+
		"windows 1 total_ms 20.000 longest_ms 20.000 p50_ms 20.000 p90_ms 20.000 p99_ms 20.000 \n"+
		"added windows 1 total_ms 20.000 longest_ms 20.000 \n"+
		"192.0.2.0/24 table main windows 1 total_ms 20.000 longest_ms 20.000 \n"+
		"A daemon that advertises on accept would have drawn traffic to 1 prefix that hardware could not carry, for 20.000 ms at the longest and 20.000 ms added up over all windows; waiting for the flag avoids that.\n", "")
	f.expect(t, "-j exposure top 0 proto static from "+file, exitDone, `{"seconds":0.020,"prefixes":1,"exposed_ever":0,"exposed_now":0,"gaps":0,"windows":0,"total_ms":0.000,"longest_ms":0.000,`+
		`"p50_ms":0.000,"p90_ms":0.000,"p99_ms":0.000,"added":{"windows":0,"total_ms":0.000,"longest_ms":0.000},"replaced":{"windows":0,"total_ms":0.000,"longest_ms":0.000},`+
		`"lost":{"windows":0,"total_ms":0.000,"longest_ms":0.000},"failed":{"windows":0,"total_ms":0.000,"longest_ms":0.000},"top":[]}`+"\n", "")
	silent := recordingFile(t, &vasicv1.RecordingStarted{}, &vasicv1.RecordResponse{Events: happened(t)[1].Events[:1]})
	f.expect(t, "exposure from "+silent, exitUsage, "", fmt.Sprintf("Error: no change of flags of IPv4 routes is in %q; was net.ipv4.fib_notify_on_flag_change 1 when it was recorded?\n", silent))
	f.expect(t, "exposure for 1s from "+file, exitUsage, "", "Error: either live or from a recording, not both.\n")
	f.expect(t, "exposure until foo", exitUsage, "", "Error: argument \"foo\" is wrong: only \"synced\" can be waited for\n")
}

func TestExposureLive(t *testing.T) {
	f := newFake(t)
	f.expect(t, "-4 exposure for 1s", exitUsage, "", "Error: net.ipv4.fib_notify_on_flag_change is 0, so the switch does not say when IPv4 routes are in hardware; "+
		"vasicctl sysctl -w net.ipv4.fib_notify_on_flag_change=1 makes it.\n")
	f.settings.Ipv4NotifyOnFlagChange = notifyAll
	events := happened(t)[1].Events
	f.watches = append(f.watches, func(req *vasicv1.WatchRequest, s vasicv1.WatchService_WatchServer) error {
		for _, m := range []*vasicv1.WatchResponse{
			{Created: &vasicv1.Created{Epoch: 7, Revision: 42}}, {Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{events[0].Route}}},
			{Synced: &vasicv1.Synced{Revision: 42}}, {Events: events[1:]},
		} {
			if err := s.Send(m); err != nil {
				return err
			}
		}
		<-s.Context().Done()
		return nil
	})
	code, out, errs := f.run(t, "exposure until synced for 1m table main")
	if code != exitDone || !strings.Contains(out, "\nwindows 1 total_ms ") || !strings.HasPrefix(errs, "Warning: net.ipv6.fib_notify_on_flag_change is 0, ") {
		t.Errorf("got %d %q %q", code, out, errs)
	}
	code, out, _ = f.run(t, "-4 exposure live for 1s")
	if code != exitDone || !strings.HasSuffix(out, "A daemon that advertises on accept would have drawn no traffic that hardware could not carry.\n") {
		t.Errorf("got %d %q", code, out)
	}
}

func TestRecordKeepsWhatHappens(t *testing.T) {
	f := newFake(t)
	f.recorded = happened(t)
	dir := t.TempDir()
	plain, packed := filepath.Join(dir, "a"), filepath.Join(dir, "b.gz")
	for _, file := range []string{plain, packed} {
		code, out, errs := f.run(t, "record "+file+" for 1s")
		if code != exitDone || !strings.HasPrefix(out, "calls 1 events 2 bytes ") || errs != "" {
			t.Errorf("got %d %q %q", code, out, errs)
		}
	}
	f.expect(t, "record "+plain, exitUsage, "", fmt.Sprintf("Error: %q exists; \"force\" overwrites it.\n", plain))
	if code, _, errs := f.run(t, "record force for 1s "+plain); code != exitUsage {
		t.Errorf("got %d %q", code, errs)
	}
	if code, _, errs := f.run(t, "record "+plain+" force for 1s"); code != exitDone {
		t.Errorf("got %d %q", code, errs)
	}
	b, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil || !bytes.HasPrefix(b, []byte("vasic-recording 1\nS")) {
		t.Errorf("got %q, %v", b, err)
	}
	_, out, _ := f.run(t, "record show "+packed)
	lines := strings.Split(out, "\n")
	for i, want := range []string{
		`started {"version":"1.2.3","profile":"switch","seed":"1",`,
		`call 1 /vasic.v1.SwitchService/UpdateSettings revision 42 programmed 9 position 0 {"settings":{"ipv4NotifyOnFlagChange":1},"updateMask":"ipv4NotifyOnFlagChange"}`,
		`event {"revision":"43","kind":"EVENT_KIND_ROUTE_ADDED",`, `event {"revision":"44",`, "",
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d of %q is not %q", i, out, want)
		}
	}
	_, out, _ = f.run(t, "-j record show "+packed)
	if !strings.Contains(out, `{"call":{"method":"/vasic.v1.SwitchService/UpdateSettings",`) || !strings.Contains(out, `,"message":{"settings":{"ipv4NotifyOnFlagChange":1},`) {
		t.Errorf("got %q", out)
	}
	if code, out, errs := f.run(t, "record - for 50ms"); code != exitDone || !strings.HasPrefix(out, "vasic-recording 1\n") || !strings.HasPrefix(errs, "calls 1 events 2 ") {
		t.Errorf("got %d %q %q", code, out, errs)
	}
	f.refuse["Record"] = refusal(8, "TOO_MANY_WATCHERS", "", "", "1000 watches are open, the most allowed")
	none := filepath.Join(dir, "none")
	f.expect(t, "record "+none, exitRefused, "", "Error: 1000 watches are open, the most allowed.\n")
	if _, err := os.Stat(none); err == nil {
		t.Error("an empty file is left")
	}
}

func TestReplayComparesWhatComes(t *testing.T) {
	f := newFake(t)
	here := &vasicv1.RecordingStarted{Profile: "switch", Seed: 1, Revision: 42, Programmed: 9, UnixNanos: time.Now().UnixNano()}
	same := recordingFile(t, here, happened(t)[0])
	f.asked()
	f.expect(t, "replay "+same, exitDone, "1 calls, 0 events: the same\n", "")
	if got := strings.Join(f.asked(), "\n"); !strings.HasPrefix(got, "Pause {hold:true}\nRecord {}\nUpdateSettings {settings:{ipv4NotifyOnFlagChange:1},updateMask:ipv4NotifyOnFlagChange}") {
		t.Errorf("got %s", got)
	}
	f.expect(t, "replay "+same+" speed recorded", exitDone, "1 calls, 0 events: the same\n", "")
	f.expect(t, "-j replay "+same+" speed full", exitDone, `{"calls":1,"skipped":0,"events":0,"more":0}`+"\n", "")
	more := recordingFile(t, here, happened(t)...)
	code, out, errs := f.run(t, "replay "+more)
	if code != exitRefused || out != "" || !strings.HasPrefix(errs, "Error: after 1 calls and 0 events that are the same: an event of the recording did not come.\n"+
		`recorded {"revision":"43","kind":"EVENT_KIND_ROUTE_ADDED",`) {
		t.Errorf("got %d %q %q", code, out, errs)
	}
	other := recordingFile(t, &vasicv1.RecordingStarted{Profile: "switch", Seed: 2, Revision: 42, Programmed: 9})
	f.expect(t, "replay "+other, exitUsage, "", "Error: the seed of the switch is 1, and was 2 when the recording began; a replay needs a fresh switch like the recorded one (\"force\" replays nevertheless).\n")
	f.expect(t, "replay "+other+" force", exitDone, "0 calls, 0 events: the same\n", "")
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"replay", "exposure from", "record show"} {
		f.expect(t, command+" "+text, exitUsage, "", fmt.Sprintf("Cannot read %q: not a recording\n", text))
	}
}

func TestABarIsAsWideAsTheTerminalAtMost(t *testing.T) {
	for width := range 150 {
		if line := barLine(width, 0.5, true, " 12 addresses"); len(line) > width {
			t.Errorf("%d columns: %q", width, line)
		}
	}
	if got := barLine(0, 1, false, "x"); got != "" {
		t.Errorf("got %q", got)
	}
}
