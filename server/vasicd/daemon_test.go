package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// patience ends what hangs.
const patience = 20 * time.Second

// stderrLog is a vasicd's standard error, which tests can read and wait for.
type stderrLog struct {
	mu    sync.Mutex // guards the following fields
	b     bytes.Buffer
	grown chan struct{} // closed when there is more; nil where nobody waits
}

func (l *stderrLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
	return l.b.Write(p)
}

func (l *stderrLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// more returns what will be closed when there is more than now.
func (l *stderrLog) more() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grown == nil {
		l.grown = make(chan struct{})
	}
	return l.grown
}

// daemon is a running vasicd.
type daemon struct {
	t      *testing.T
	log    stderrLog
	cancel context.CancelFunc
	exited chan int
}

// start runs vasicd until the test ends.
func start(t *testing.T, args ...string) *daemon {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	d := &daemon{t: t, cancel: cancel, exited: make(chan int, 1)}
	go func() { d.exited <- run(ctx, args, io.Discard, &d.log) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-d.exited:
		case <-time.After(patience):
			t.Error("vasicd does not stop")
		}
	})
	return d
}

// says waits until the log matches and returns the first group.
func (d *daemon) says(pattern string) string {
	d.t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(patience)
	for {
		more := d.log.more()
		if m := re.FindStringSubmatch(d.log.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-more:
		case code := <-d.exited:
			d.exited <- code
			d.t.Fatalf("vasicd has ended with %d: %s", code, d.log.String())
		case <-late:
			d.t.Fatalf("%s is not in the log: %s", pattern, d.log.String())
		}
	}
}

// serving waits until vasicd serves and returns its address as it says it.
func (d *daemon) serving() string {
	d.t.Helper()
	return d.says(`"?serving gRPC"? address=(\S+)`)
}

// stop stops vasicd as SIGTERM does, and returns the exit code.
func (d *daemon) stop() int {
	d.t.Helper()
	d.cancel()
	return d.exit()
}

// exit waits for the end.
func (d *daemon) exit() int {
	d.t.Helper()
	select {
	case code := <-d.exited:
		d.exited <- code
		return code
	case <-time.After(patience):
		d.t.Fatalf("vasicd does not end: %s", d.log.String())
		return -1
	}
}

// sockets are two paths for vasicd to listen on, short enough for any system.
func sockets(t *testing.T) (grpcPath, metricsPath string) {
	t.Helper()
	dir := t.TempDir()
	return filepath.Join(dir, "g"), filepath.Join(dir, "m")
}

// dial connects to a vasicd.
func dial(t *testing.T, target string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	if creds == nil {
		creds = insecure.NewCredentials()
	}
	cc, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

// status asks a vasicd what it is doing.
func status(t *testing.T, cc *grpc.ClientConn) (*vasicv1.GetStatusResponse, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return vasicv1.NewSwitchServiceClient(cc).GetStatus(ctx, &vasicv1.GetStatusRequest{})
}

// healthy runs vasicd --healthcheck and returns its exit code.
func healthy(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append(args, "--healthcheck"), &out, &errs)
	if out.Len() > 0 {
		t.Errorf("--healthcheck writes %q", out.String())
	}
	return code, errs.String()
}

// page gets a page of the metrics server at a Unix socket.
func page(t *testing.T, socket, method, path string) (code int, contentType, body string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://vasicd"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), string(text)
}

// wantWords checks that a text says things.
func wantWords(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}
