package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// TestMain lets the test binary be the harness's children, as the harness itself is.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == childWord {
		if err := runChild(os.Args[2], json.RawMessage(os.Args[3])); err != nil {
			fmt.Fprintln(os.Stderr, os.Args[2]+":", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// smallTable writes a table of a few thousand prefixes.
func smallTable(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&text, "20.%d.%d.0/24\n2001:db9:%x::/48\n", i/256, i%256, i)
	}
	file := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEverythingCanBeMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	report := filepath.Join(t.TempDir(), "performance.md")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-quick", "-rounds", "1", "-table", smallTable(t), "-out", report}, &stdout, &stderr)
	if code != 0 {
		t.Fatalf("got %d\n%s", code, stderr.String())
	}
	written, err := os.ReadFile(report)
	if err != nil || string(written) != stdout.String() {
		t.Errorf("the report and what is printed differ: %v", err)
	}
	for _, want := range []string{
		"| vasic, adds ", "| vasic, replaces ", "| vasic, deletes ", "| limit, adds ", "| plain limit, deletes ", "| of plain limit ",
		"| 2,000 routes |", "| 4,000 routes |", "| 1 watcher ", "| 5 watchers ", "| 50 watchers ", "| idle ", "| churning, as quickly as possible ", "| limit, idle ",
		"| 500 routes ", "| look-ups one by one, 64 in flight", "| routes of ListRoutes", "kernel",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is not in\n%s", want, stdout.String())
		}
	}
}

func TestEveryProcessHasItsProfile(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	t.Setenv(profilesKey, "") // to be what it was afterwards
	dir := filepath.Join(t.TempDir(), "profiles")
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"-quick", "-only", "flatness", "-rounds", "1", "-table", smallTable(t), "-profiles", dir}, io.Discard, &stderr); code != 0 {
		t.Fatalf("got %d\n%s", code, stderr.String())
	}
	for _, role := range []string{"switch", "load", "watch", "query"} {
		files, err := filepath.Glob(filepath.Join(dir, role+"-*.pprof"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no profile, %v", role, err)
		}
		for _, name := range files {
			if f, err := os.Stat(name); err != nil || f.Size() == 0 {
				t.Errorf("%s is empty, %v", name, err)
			}
		}
	}
}

func TestWrongCommandLinesAreRefused(t *testing.T) {
	for _, args := range []string{"-only pth", "-rounds 0", "extra", "-batch 5000", "-nonsense"} {
		if code := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); code != 2 {
			t.Errorf("%s: got %d", args, code)
		}
	}
	o, err := parseOptions([]string{"-only", "path, memory"}, io.Discard)
	if err != nil || len(o.only) != 2 || o.out != "" {
		t.Errorf("got %+v, %v", o, err)
	}
	if o, err = parseOptions(nil, io.Discard); err != nil || o.out != reportFile {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestAnInterruptEndsEveryProcess(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := startChild(ctx, "limit", none{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	ended := make(chan struct{})
	go func() {
		c.stop()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(2 * endTime):
		t.Fatal("the process goes on")
	}
	if err := c.call(ctx, "memory", none{}, nil); err == nil {
		t.Error("the process answers")
	}
}

func TestChildrenSayWhyTheyFail(t *testing.T) {
	_, err := startChild(t.Context(), "load", clientSettings{Target: "no port"}, nil)
	if err == nil || !strings.Contains(err.Error(), `load: vasic: target "no port"`) {
		t.Errorf("got %v", err)
	}
	c, err := startChild(t.Context(), "load", clientSettings{Target: "127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	if err := c.call(t.Context(), "table", tableArgs{File: "missing"}, nil); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("got %v", err)
	}
}

func TestEventsAreCountedWithoutDecodingThem(t *testing.T) {
	var b []byte
	for revision := range uint64(5) {
		var err error
		b, err = codec.AppendField(b, eventsField, &vasicv1.Event{Revision: 100 + revision, Route: &vasicv1.Route{Prefix: "1.0.0.0/24"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, revision := countEvents(b); n != 5 || revision != 104 {
		t.Errorf("got %d, %d", n, revision)
	}
	bookmark, err := (&vasicv1.WatchResponse{Bookmark: &vasicv1.Bookmark{Revision: 7}}).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range [][]byte{nil, bookmark, {0xff}, b[:len(b)-1]} {
		if n, _ := countEvents(other); n > 4 {
			t.Errorf("%x: got %d", other, n)
		}
	}
}

func TestAReportThatCannotBeWrittenIsKnownAtOnce(t *testing.T) {
	dir := t.TempDir()
	report := filepath.Join(dir, "missing", "performance.md")
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"-quick", "-table", smallTable(t), "-out", report}, io.Discard, &stderr); code != 1 || strings.Contains(stderr.String(), "round") {
		t.Errorf("got %d\n%s", code, stderr.String())
	}
	if err := writable(filepath.Join(dir, "performance.md")); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
