package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// samples has a value for each setting that is not its default.
var samples = map[string]string{
	"fpm": "127.0.0.2:2620,switch=127.0.0.1:1,table-offset=1000,link-prefix=r1-", "server": "unix:///run/v.sock", "insecure": "true",
	"tls-ca": "/a/c a", "tls-cert": "/a/crt", "tls-key": "/a/#key", "metrics-listen": "", "log-level": "DEBUG", "log-format": "json",
	"links": "index", "trap": "offload+trap", "notify": "keep", "metric": "30", "sweep-after": "7s", "retry": "8s", "switch-grace": "9s",
	"write-timeout": "10s", "fault": "lost=0.5", "seed": "11",
}

func printConfig(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), append(args, "--print-config"), &out, &errs); code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, errs.String())
	}
	return out.String()
}

func TestWhatIsPrintedMeansTheSame(t *testing.T) {
	everything := []string{"--fpm=[::1]:2621", "--fault=delay=20ms"}
	c := &config{flags: flag.NewFlagSet("", flag.ContinueOnError)}
	c.register()
	c.flags.VisitAll(func(f *flag.Flag) {
		if notSettings[f.Name] {
			return
		}
		value, ok := samples[f.Name]
		if !ok {
			t.Errorf("the test has no value for --%s", f.Name)
		}
		everything = append(everything, "--"+f.Name+"="+value)
	})
	for name, args := range map[string][]string{"nothing": nil, "everything": everything} {
		t.Run(name, func(t *testing.T) {
			first := printConfig(t, args...)
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte(first), 0o600); err != nil {
				t.Fatal(err)
			}
			if again := printConfig(t, "--config", path); again != first {
				t.Errorf("printed\n%s\nread and printed again\n%s", first, again)
			}
		})
	}
}

func TestTheEnvironmentIsRead(t *testing.T) {
	t.Setenv("VASIC_SWEEP_AFTER", "77s")
	if out := printConfig(t); !strings.Contains(out, "sweep-after: 1m17s") {
		t.Error(out)
	}
	if out := printConfig(t, "--sweep-after=78s"); !strings.Contains(out, "sweep-after: 1m18s") {
		t.Error(out)
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"extra"}, {"--fpm=2620"}, {"--fpm=0.0.0.0:2620"}, {"--fpm=127.0.0.1:1,what=1"}, {"--fpm=127.0.0.1:1,table-offset=x"},
		{"--fpm=127.0.0.1:1", "--fpm=127.0.0.1:1"}, {"--metrics-listen=:9652"}, {"--links=x"}, {"--trap=x"}, {"--notify=x"}, {"--metric=0"},
		{"--sweep-after=-1s"}, {"--write-timeout=0"}, {"--fault=x=1"}, {"--tls-cert=x"}, {"--log-format=x"}, {"--seed=-1"},
	} {
		var errs bytes.Buffer
		if code := run(t.Context(), args, io.Discard, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%v: exit code %d, %q", args, code, errs.String())
		}
	}
}

func TestRoutersOfOneSwitchNeedTablesOfTheirOwn(t *testing.T) {
	c, err := parseConfig([]string{"--fpm=127.0.0.1:1,table-offset=1000", "--fpm=127.0.0.1:2", "--fpm=127.0.0.1:3,switch=127.0.0.1:9"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint32{1<<32 - 1, 1000, 1<<32 - 1} {
		if last, err := c.fpm.lastTable(c.fpm[i], c.server); err != nil || last != want {
			t.Errorf("router %d has tables up to %d, %v; want %d", i, last, err, want)
		}
	}
	var errs bytes.Buffer
	code := run(t.Context(), []string{"--fpm=127.0.0.1:0", "--fpm=127.0.0.2:0", "--metrics-listen="}, io.Discard, &errs)
	if code != 1 || !strings.Contains(errs.String(), "table-offset") {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
}

func TestHelpHasTheLinesThatFRRNeeds(t *testing.T) {
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, io.Discard, &errs); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, line := range []string{"-M dplane_fpm_nl --asic-offload=notify_on_offload", "fpm address 127.0.0.1", "bgp suppress-fib-pending"} {
		if !strings.Contains(errs.String(), line) {
			t.Errorf("%q is not in the help", line)
		}
	}
}

func TestItStopsWhenItIsTold(t *testing.T) {
	done := make(chan int, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		done <- run(ctx, []string{"--fpm=127.0.0.1:0", "--server=127.0.0.1:1", "--metrics-listen=127.0.0.1:0"}, io.Discard, io.Discard)
	}()
	time.AfterFunc(100*time.Millisecond, stop)
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
