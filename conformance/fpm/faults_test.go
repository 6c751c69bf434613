package fpm_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/vasic-project/vasic/clients/fpm"
	"github.com/vasic-project/vasic/server"
)

// withFaults runs a test with a Router with which something goes wrong.
func withFaults(t *testing.T, f fpm.Faults, test func(t *testing.T, r *rig, z *zebra)) {
	t.Helper()
	inBubble(t, server.Config{}, fpm.Config{Faults: f}, func(t *testing.T, r *rig) { test(t, r, r.connect()) })
}

// set changes the faults.
func (r *rig) setFaults(f fpm.Faults) {
	r.t.Helper()
	if err := r.router.SetFaults(f); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

func TestDelayedAnswersSayWhatIsTrueWhenTheyAreWritten(t *testing.T) {
	withFaults(t, fpm.Faults{Delay: 10 * time.Second}, func(t *testing.T, r *rig, z *zebra) {
		z.say(p1.set())
		z.say(at(1).set())
		time.Sleep(9 * time.Second)
		z.say(at(1).unset())
		z.expect()
		time.Sleep(2 * time.Second)
		z.expect("203.0.113.0/24 offload")
		z.say(at(2).set())
		r.setFaults(fpm.Faults{}) // lets go what is held
		z.expect("10.100.2.0/24 offload")
	})
}

func TestAnswersThatNeverComeCanBeHadLater(t *testing.T) {
	withFaults(t, fpm.Faults{Never: true, Within: netip.MustParsePrefix("10.0.0.0/8")}, func(t *testing.T, r *rig, z *zebra) {
		z.say(p1.set())
		z.say(at(1).set())
		time.Sleep(time.Hour)
		z.expect("203.0.113.0/24 offload")
		r.setFaults(fpm.Faults{})
		z.expect("10.100.1.0/24 offload")
	})
}

func TestLostAnswersAreLost(t *testing.T) {
	withFaults(t, fpm.Faults{Lost: 1}, func(t *testing.T, r *rig, z *zebra) {
		z.say(p1.set())
		r.setFaults(fpm.Faults{})
		z.expect()
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload")
	})
}

func TestAShareOfAnswersIsLost(t *testing.T) {
	withFaults(t, fpm.Faults{Lost: 0.05}, func(t *testing.T, r *rig, z *zebra) {
		for i := range 1000 {
			z.write(frameOf(at(i).set()))
		}
		synctest.Wait()
		if n := len(z.take()); n < 900 || n > 990 {
			t.Errorf("%d of 1000 answers came", n)
		}
	})
}

func TestDuplicateAnswers(t *testing.T) {
	withFaults(t, fpm.Faults{Duplicate: 1}, func(t *testing.T, r *rig, z *zebra) {
		z.say(p1.set())
		z.expect("203.0.113.0/24 offload", "203.0.113.0/24 offload")
	})
}

func TestStaleAnswers(t *testing.T) {
	withFaults(t, fpm.Faults{Stale: 1}, func(t *testing.T, r *rig, z *zebra) {
		r.pause()
		s := p1
		s.pid = 1
		z.say(s.set())
		z.expect()
		s.gateway, s.pid = "10.0.12.3", 2
		z.say(s.set())
		if answers := z.take(); len(answers) != 1 || answers[0].pid != 1 || answers[0].flags != flagOffload {
			t.Errorf("answered %v, want the route as it was", answers)
		}
		r.resume()
		if answers := z.take(); len(answers) != 1 || answers[0].pid != 2 {
			t.Errorf("answered %v", answers)
		}
	})
}

func TestStaleAnswersAreForOwnersThatListenAndWithinThePrefix(t *testing.T) {
	withFaults(t, fpm.Faults{Stale: 1, Within: netip.MustParsePrefix("10.0.0.0/8")}, func(t *testing.T, r *rig, z *zebra) {
		r.pause()
		for _, s := range []spec{p1, at(1), at(2)} {
			old := s
			if s.prefix == at(2).prefix {
				old.protocol = kernel
			}
			z.say(old.set())
			s.gateway = "10.0.12.3"
			z.say(old.unset(), s.set()) // as zebra before 9.1 does
		}
		z.expect("10.100.1.0/24 offload")
		r.resume()
		z.expect("203.0.113.0/24 offload", "10.100.1.0/24 offload", "10.100.2.0/24 offload")
	})
}

func TestReorderedAnswers(t *testing.T) {
	withFaults(t, fpm.Faults{Reorder: 3}, func(t *testing.T, r *rig, z *zebra) {
		r.pause()
		var want []string
		for i := range 7 {
			z.say(at(i).set())
			want = append(want, at(i).prefix+" offload")
		}
		r.resume()
		var got []string
		for _, a := range z.take() {
			got = append(got, a.String())
		}
		if slices.Equal(got, want) {
			t.Errorf("answers came in order: %v", got)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("answered %v", got)
		}
	})
}

func TestNothingIsReadUntilReadingGoesOn(t *testing.T) {
	withFaults(t, fpm.Faults{StopReading: true}, func(t *testing.T, r *rig, z *zebra) {
		z.say(p1.set())
		time.Sleep(time.Hour)
		z.expect()
		r.setFaults(fpm.Faults{})
		z.expect("203.0.113.0/24 offload")
		r.setFaults(fpm.Faults{StopReading: true}) // while the connection waits for something to read
		z.say(at(1).set())
		time.Sleep(time.Hour)
		if n := len(r.routes()); n != 1 {
			t.Errorf("the switch has %d routes, want that of before", n)
		}
		r.setFaults(fpm.Faults{})
		z.expect("10.100.1.0/24 offload")
	})
}

func TestConnectionsEndAfterSoManyFrames(t *testing.T) {
	withFaults(t, fpm.Faults{DisconnectAfter: 2}, func(t *testing.T, r *rig, z *zebra) {
		z.say(p1.set())
		if z.over() {
			t.Error("the connection is over after one frame")
		}
		z.say(at(1).set())
		if !z.over() {
			t.Error("the connection goes on after two frames")
		}
	})
}

func TestFaultsCanBeChangedOverHTTP(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{Name: "r1"}, func(t *testing.T, r *rig) {
		h := fpm.Handler([]*fpm.Router{r.router})
		ask := func(code int, method, target string) string {
			t.Helper()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, target, http.NoBody))
			if w.Code != code {
				t.Errorf("%s %s: %d %s, want %d", method, target, w.Code, w.Body, code)
			}
			return w.Body.String()
		}
		ask(400, "POST", "/faults?lost=2")
		ask(400, "POST", "/faults?unheard=of")
		ask(400, "POST", "/faults?router=r2&lost=1")
		ask(400, "POST", "/disconnect")
		ask(200, "POST", "/faults?router=r1&lost=0.5&delay=20ms&within=10.0.0.0/8")
		var got map[string]map[string]string
		if err := json.Unmarshal([]byte(ask(200, "GET", "/faults")), &got); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"lost": "0.5", "delay": "20ms", "within": "10.0.0.0/8", "never": "false"} {
			if got["r1"][key] != want {
				t.Errorf("%s is %q, want %q", key, got["r1"][key], want)
			}
		}
		ask(200, "DELETE", "/faults")
		if f := r.router.Faults(); f != (fpm.Faults{}) {
			t.Errorf("faults %v", f)
		}
		idle, err := fpm.New(fpm.Config{Name: "idle", Switch: r.client})
		if err != nil {
			t.Fatal(err)
		}
		h = fpm.Handler([]*fpm.Router{r.router, idle})
		z := r.connect()
		synctest.Wait()
		ask(400, "POST", "/disconnect?router=idle")
		ask(200, "POST", "/disconnect") // all that there are
		synctest.Wait()
		if !z.over() {
			t.Error("the connection goes on")
		}
	})
}

func TestFaultsOutOfRangeAreRefused(t *testing.T) {
	for _, text := range []string{"lost=-1", "lost=NaN", "delay=2h", "jitter=-1s", "reorder=-1", "within=10.0.0.0", "never=perhaps", "x=1", "lost"} {
		var f fpm.Faults
		if err := f.Set(text); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestMemoryIsBoundedByThePrefixesWhileTheChipStandsStill(t *testing.T) {
	metrics := fpm.NewMetrics()
	inBubble(t, server.Config{QueueCapacity: 16}, fpm.Config{Name: "r1", Metrics: metrics}, func(t *testing.T, r *rig) {
		z := r.connect()
		time.Sleep(fpm.DefaultSweepAfter + time.Second) // what comes later zebra cannot believe to be there
		r.pause()
		const prefixes, rounds = 100, 100
		for round := range rounds {
			for i := range prefixes {
				s := at(i)
				s.link, s.pid = uint32(2+round%2), uint32(round)
				z.write(frameOf(s.set()))
			}
		}
		time.Sleep(10 * time.Second)
		z.expect()
		registry := prometheus.NewRegistry()
		registry.MustRegister(metrics)
		waiting := gathered(t, registry, "vasic_fpm_queue_length", "programming")
		if waiting > prefixes {
			t.Errorf("%v prefixes wait", waiting)
		}
		if n := r.router.Entries(); n != prefixes {
			t.Errorf("%d entries", n)
		}
		r.resume()
		answers := z.take()
		if len(answers) != prefixes {
			t.Errorf("%d answers", len(answers))
		}
		for _, a := range answers {
			if a.pid != rounds-1 || a.flags != flagOffload {
				t.Errorf("%v is an answer to message %d", a, a.pid)
			}
		}
	})
}

// gathered is the value of a metric with that label value.
func gathered(t *testing.T, g prometheus.Gatherer, name, label string) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					return m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
		}
	}
	t.Fatalf("no %s of %s", name, label)
	return 0
}

func TestMetricsFollowTheNamingGuide(t *testing.T) {
	metrics := fpm.NewMetrics()
	inBubble(t, server.Config{}, fpm.Config{Name: "r1", Metrics: metrics}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(p1.set())
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(metrics)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
			t.Errorf("%v, %v", problems, err)
		}
		for name, label := range map[string]string{
			"vasic_fpm_answers_total": "offload", "vasic_fpm_routes": "offload", "vasic_fpm_messages_total": "newroute", "vasic_fpm_frames_total": "r1",
			"vasic_fpm_connected": "r1", "vasic_fpm_switch_connected": "r1", "vasic_fpm_entries": "r1",
		} {
			if v := gathered(t, registry, name, label); v != 1 {
				t.Errorf("%s of %s is %v", name, label, v)
			}
		}
		page, err := os.ReadFile("../../docs/frr.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if !bytes.Contains(page, []byte("`"+f.GetName()+"`")) {
				t.Errorf("docs/frr.md says nothing of %s", f.GetName())
			}
		}
	})
}
