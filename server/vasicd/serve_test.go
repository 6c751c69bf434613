package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

func TestServesOnUnixSockets(t *testing.T) {
	g, m := sockets(t)
	config := file(t, "c.yaml", "port: [swp1=10.0.1.1/24, swp2]\nresource: [IPv4/fib=77]\nprofile: netdevsim\nseed: 5\n")
	d := start(t, "--config", config, "--listen", "unix://"+g, "--metrics-listen", "unix://"+m, "--queue-capacity=99")
	d.serving()
	cc := dial(t, "unix://"+g, nil)
	got, err := status(t, cc)
	if err != nil {
		t.Fatal(err)
	}
	if got.Profile != "netdevsim" || got.Seed != 5 || got.QueueCapacity != 99 || got.Version != versionString() {
		t.Errorf("status %v", got)
	}
	links, err := vasicv1.NewLinkServiceClient(cc).ListLinks(t.Context(), &vasicv1.ListLinksRequest{})
	if err != nil || len(links.Links) != 3 || !links.Links[0].Up || links.Links[1].Name != "swp1" || !links.Links[1].Up || links.Links[2].Name != "swp2" {
		t.Errorf("links %v, %v", links, err)
	}

	code, contentType, body := page(t, m, "GET", "/metrics")
	if code != 200 || !strings.HasPrefix(contentType, "text/plain") {
		t.Errorf("/metrics: %d %s", code, contentType)
	}
	wantWords(t, body, "# TYPE vasic_queue_capacity gauge", "vasic_queue_capacity 99", `vasic_resource_size_entries{resource="IPv4/fib"} 77`, "grpc_server_handled_total", "go_goroutines")
	if code, _, body := page(t, m, "GET", "/"); code != 200 || !strings.Contains(body, "/metrics") {
		t.Errorf("/: %d %q", code, body)
	}
	for _, c := range []struct {
		method, path string
		want         int
	}{{"GET", "/nothing", 404}, {"POST", "/metrics", 405}, {"HEAD", "/metrics", 200}} {
		if code, _, _ := page(t, m, c.method, c.path); code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, code, c.want)
		}
	}

	if code, errs := healthy(t, "--listen", "unix://"+g); code != 0 || errs != "" {
		t.Errorf("healthcheck: %d %s", code, errs)
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, d.log.String())
	}
	wantWords(t, d.log.String(), "msg=stopping", "msg=stopped")
	for _, path := range []string{g, m} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left behind (%v)", path, err)
		}
	}
	if code, errs := healthy(t, "--listen", "unix://"+g); code != 1 || !strings.Contains(errs, "vasicd: ") {
		t.Errorf("healthcheck of nothing: %d %q", code, errs)
	}
}

func TestServesOnAPortThatTheSystemChooses(t *testing.T) {
	d := start(t, "--listen=127.0.0.1:0", "--metrics-listen=", "--log-format=json", "--log-level=debug")
	address := d.says(`"serving gRPC","address":"([^"]+)"`)
	if _, err := status(t, dial(t, address, nil)); err != nil {
		t.Error(err)
	}
	if code, errs := healthy(t, "--listen", address); code != 0 {
		t.Errorf("healthcheck: %d %s", code, errs)
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for line := range strings.Lines(d.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["msg"] == nil || fields["level"] == nil {
			t.Errorf("not a line of JSON: %q (%v)", line, err)
		}
	}
	if strings.Contains(d.log.String(), "serving metrics") {
		t.Error("metrics are served although --metrics-listen is empty")
	}
	wantWords(t, d.log.String(), "finished call") // at level debug
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	g, m := sockets(t)
	for _, path := range []string{g, m} {
		lis, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		lis.SetUnlinkOnClose(false) // as if its process had been killed
		_ = lis.Close()
	}
	d := start(t, "--listen", "unix://"+g, "--metrics-listen", "unix:"+m)
	d.serving()
	if _, err := status(t, dial(t, "unix://"+g, nil)); err != nil {
		t.Error(err)
	}
	if code, _, _ := page(t, m, "GET", "/metrics"); code != 200 {
		t.Errorf("/metrics: %d", code)
	}
}

func TestWhatIsInTheWayIsLeftAlone(t *testing.T) {
	g, m := sockets(t)
	first := start(t, "--listen", "unix://"+g, "--metrics-listen", "unix://"+m)
	first.serving()
	g2, m2 := sockets(t)
	precious := file(t, "f", "precious")
	for name, c := range map[string]struct{ listen, metrics, words string }{
		"another vasicd":       {g, m2, "another process listens there"},
		"another's metrics":    {g2, m, "another process listens there"},
		"a file":               {precious, m2, precious},
		"a file for metrics":   {g2, precious, precious},
		"no directory":         {g2 + "/no/g", m2, g2 + "/no/g"},
		"a path that is long":  {g2 + strings.Repeat("x", 200), m2, "invalid argument"},
		"a directory in place": {t.TempDir(), m2, "address already in use"},
	} {
		d := start(t, "--listen", "unix://"+c.listen, "--metrics-listen", "unix://"+c.metrics)
		if code := d.exit(); code != 1 {
			t.Errorf("%s: exit code %d", name, code)
		}
		wantWords(t, lastWords(d.log.String()), c.words)
		for _, path := range []string{g2, m2} {
			if _, err := os.Lstat(path); err == nil {
				t.Errorf("%s: %s is left behind", name, path)
			}
		}
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("the file is now %q, %v", text, err)
	}
	if _, err := status(t, dial(t, "unix://"+g, nil)); err != nil {
		t.Errorf("the first vasicd: %v", err)
	}
	if code, _, _ := page(t, m, "GET", "/metrics"); code != 200 {
		t.Errorf("its metrics: %d", code)
	}
}

func TestAListenerThatCannotBeIsNamed(t *testing.T) {
	g, m := sockets(t)
	for args, words := range map[string]string{
		"--insecure --listen=nonsense --metrics-listen=unix://" + m:    "nonsense",
		"--insecure --metrics-listen=nonsense --listen=unix://" + g:    "nonsense",
		"--listen=127.0.0.1:99999 --metrics-listen=unix://" + m:        "99999",
		"--listen=192.0.2.1:0 --insecure --metrics-listen=unix://" + m: "192.0.2.1",
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), &out, &errs); code != 1 {
			t.Errorf("%s: exit code %d", args, code)
		}
		wantWords(t, lastWords(errs.String()), words)
	}
}

func TestStopTellsWatchersAndFinishesTheQueue(t *testing.T) {
	g, m := sockets(t)
	d := start(t, "--listen", "unix://"+g, "--metrics-listen", "unix://"+m, "--ipv4-notify-on-flag-change=1", "--latency=10ms")
	d.serving()
	cc := dial(t, "unix://"+g, nil)
	watch, err := vasicv1.NewWatchServiceClient(cc).Watch(t.Context(), &vasicv1.WatchRequest{LiveOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	next := func() error {
		res, err := watch.Recv()
		switch {
		case err != nil:
			return err
		case res.Synced != nil:
			seen = append(seen, "synced")
		case res.Closing != nil:
			seen = append(seen, "closing")
		}
		for _, e := range res.Events {
			if e.Route.Prefix == "192.0.2.0/24" { // lo's routes are on their way, too
				seen = append(seen, e.Kind.String())
			}
		}
		return nil
	}
	for len(seen) == 0 {
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := vasicv1.NewSwitchServiceClient(cc).Pause(t.Context(), &vasicv1.PauseRequest{}); err != nil {
		t.Fatal(err)
	}
	blackhole := &vasicv1.Route{Prefix: "192.0.2.0/24", Type: vasicv1.RouteType_ROUTE_TYPE_BLACKHOLE}
	if _, err := vasicv1.NewRouteServiceClient(cc).ModifyRoute(t.Context(), &vasicv1.ModifyRouteRequest{Action: vasicv1.RouteAction_ROUTE_ACTION_ADD, Route: blackhole}); err != nil {
		t.Fatal(err)
	}
	d.cancel()
	for err = next(); err == nil; err = next() {
	}
	if want := "synced EVENT_KIND_ROUTE_ADDED EVENT_KIND_FLAGS_CHANGED closing"; strings.Join(seen, " ") != want || grpcstatus.Code(err) != codes.Unavailable {
		t.Errorf("the watch had %v, and ended with %v", seen, err)
	}
	if code := d.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestTheDrainTimeoutEndsAStop(t *testing.T) {
	g, m := sockets(t)
	d := start(t, "--listen", "unix://"+g, "--metrics-listen", "unix://"+m, "--latency=1h", "--drain-timeout=1s")
	d.serving()
	if code, errs := healthy(t, "--listen", "unix://"+g); code != 0 {
		t.Errorf("healthcheck: %d %s", code, errs)
	}
	cc := dial(t, "unix://"+g, nil)
	if _, err := status(t, cc); err != nil {
		t.Fatal(err)
	}
	d.cancel() // lo's routes are waiting for hardware
	d.says(`(msg=stopping)`)
	if code, errs := healthy(t, "--listen", "unix://"+g); code != 1 || !strings.Contains(errs, "NOT_SERVING") {
		t.Errorf("healthcheck while stopping: %d %q", code, errs)
	}
	if code := d.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	wantWords(t, d.log.String(), "level=WARN", "not everything was finished in time", "deadline exceeded")
}
