package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/cli"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/server"
)

// quiet is how long no message may come before a step is over, in virtual time. The recordings were made with the same.
const quiet = 300 * time.Millisecond

// vswitch is a switch under test with everything around it, in one synctest bubble. Its command line is the real one; two watches follow
// what happens: `vasicctl monitor`, for the text of the messages, and one of the client library, for the rest. Revisions tell which
// belongs to which.
type vswitch struct {
	t      *testing.T
	conn   *grpc.ClientConn
	errnos []string // of the calls of the present command that failed

	mu      sync.Mutex // guards all following fields
	events  []*vasicv1.Event
	mirror  vasic.Mirror
	monitor bytes.Buffer
}

// newSwitch starts a switch. It ends with the test.
func newSwitch(t *testing.T, cfg server.Config) *vswitch {
	cfg.Epoch, cfg.Logger = 1, slog.New(slog.DiscardHandler)
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	synctest.Wait() // what the switch starts with is in hardware
	lis := bufconn.Listen(64 << 10)
	served := make(chan error, 1)
	go func() { served <- s.Serve(lis) }()
	conn, err := grpc.NewClient("passthrough:///vasic",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	v := &vswitch{t: t, conn: conn}
	ctx, cancel := context.WithCancel(t.Context())
	var watches sync.WaitGroup
	watches.Go(func() { v.watch(ctx) })
	watches.Go(func() {
		var stderr bytes.Buffer
		v.env(nil, (*monitorWriter)(v), &stderr).Run(ctx, []string{"-d", "-s", "monitor", "route", "nexthop"})
		if stderr.Len() > 0 {
			t.Errorf("monitor: %s", &stderr)
		}
	})
	t.Cleanup(func() {
		cancel()
		watches.Wait()
		conn.Close()
		if err := s.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := lis.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	synctest.Wait() // both watches are open
	return v
}

// watch keeps a copy of the routes, and gathers the events that are notifications.
func (v *vswitch) watch(ctx context.Context) {
	w := vasic.NewClient(v.conn).Watch(ctx, vasic.WatchOptions{})
	defer w.Close()
	for u, err := range w.All(ctx) {
		v.mu.Lock()
		v.mirror.Apply(u)
		v.mu.Unlock()
		switch u := u.(type) {
		case *vasic.Events:
			v.mu.Lock()
			for _, e := range u.Events {
				if !e.Silent {
					v.events = append(v.events, e)
				}
			}
			v.mu.Unlock()
		case *vasic.Disconnected:
			v.t.Errorf("watch: %v", u.Err)
		}
		if err != nil && ctx.Err() == nil {
			v.t.Errorf("watch: %v", err)
		}
	}
}

// monitorWriter takes what `vasicctl monitor` prints.
type monitorWriter vswitch

func (w *monitorWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.monitor.Write(p)
}

// settle waits until nothing has happened for as long as quiet, and returns what did.
func (v *vswitch) settle() ([]Notification, error) {
	for seen := -1; ; {
		time.Sleep(quiet)
		synctest.Wait()
		v.mu.Lock()
		n := len(v.events)
		v.mu.Unlock()
		if n == seen || n == 0 {
			break
		}
		seen = n
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	texts, err := monitorTexts(v.monitor.String())
	if err != nil {
		return nil, err
	}
	var list []Notification
	for _, e := range v.events {
		text, ok := texts[e.Revision]
		if !ok {
			return nil, fmt.Errorf("the monitor did not print revision %d", e.Revision)
		}
		list = append(list, notificationOf(e, text))
	}
	if len(texts) != len(list) {
		return nil, fmt.Errorf("the monitor printed %d events where the watch has %d", len(texts), len(list))
	}
	v.events, v.monitor = nil, bytes.Buffer{}
	return list, nil
}

// monitorTexts splits the output of `vasicctl -s monitor` into events by revision.
func monitorTexts(out string) (map[uint64]string, error) {
	texts := make(map[uint64]string)
	var revision uint64
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, " \n")
		if m := revisionMark.FindStringSubmatch(line); m != nil {
			var err error
			if revision, err = strconv.ParseUint(m[1], 10, 64); err != nil {
				return nil, err
			}
			texts[revision] = line[len(m[0]):]
		} else {
			texts[revision] += "\n" + line
		}
	}
	return texts, nil
}

var revisionMark = regexp.MustCompile(`^\[(\d+)\] `)

// notificationOf is the message that the kernel would send for the event.
func notificationOf(e *vasicv1.Event, text string) Notification {
	n := Notification{Message: "NEWROUTE", Requested: e.Requested, Text: text}
	switch e.Kind {
	case vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED:
		n.Message = "DELROUTE"
	case vasicv1.EventKind_EVENT_KIND_NEXT_HOP_ADDED, vasicv1.EventKind_EVENT_KIND_NEXT_HOP_REPLACED:
		n.Message = "NEWNEXTHOP"
	case vasicv1.EventKind_EVENT_KIND_NEXT_HOP_DELETED:
		n.Message = "DELNEXTHOP"
	}
	for i, name := range []string{"REPLACE", "EXCL", "CREATE", "APPEND"} {
		if e.NetlinkFlags&(0x100<<i) != 0 {
			n.Flags = append(n.Flags, name)
		}
	}
	return n
}

// env is the environment of the command line.
func (v *vswitch) env(stdin io.Reader, stdout, stderr io.Writer) cli.Env {
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	return cli.Env{
		Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Dial:   func(context.Context, string) (*vasic.Client, error) { return vasic.NewClient(errnoConn{v}), nil },
		Getenv: func(string) string { return "" },
	}
}

// errnoConn is the connection for the command line, which notes the kernel's name of each error.
type errnoConn struct{ v *vswitch }

func (c errnoConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	err := c.v.conn.Invoke(ctx, method, args, reply, opts...)
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Metadata["errno"] != "" {
			c.v.errnos = append(c.v.errnos, info.Metadata["errno"])
		}
	}
	return err
}

func (c errnoConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.v.conn.NewStream(ctx, desc, method, opts...)
}

// vasicctl runs one command line.
func (v *vswitch) vasicctl(stdin string, args ...string) Outcome {
	var stdout, stderr bytes.Buffer
	code := v.env(strings.NewReader(stdin), &stdout, &stderr).Run(v.t.Context(), args)
	return Outcome{Exit: code, Stdout: stdout.String(), Stderr: stderr.String()}
}

// state reads routes and resources.
func (v *vswitch) state(family string) (*State, error) {
	s := &State{}
	for _, f := range family {
		out := v.vasicctl("", "-j", "-d", "-"+string(f), "route", "show", "table", "all")
		if out.Exit != 0 {
			return nil, fmt.Errorf("route show: %s", out.Stderr)
		}
		routes, err := ReadRoutes([]byte(out.Stdout))
		if err != nil {
			return nil, err
		}
		s.Routes = append(s.Routes, routes...)
	}
	var err error
	s.Resources, err = v.resources()
	return s, err
}

// devlinkResource is a resource of `vasicctl -j resource show`.
type devlinkResource struct {
	Name      string
	Size      any
	Occ       *int
	Resources []devlinkResource
}

// resources reads `vasicctl -j resource show`.
func (v *vswitch) resources() (map[string]Resource, error) {
	out := v.vasicctl("", "-j", "resource", "show")
	var root devlinkResource
	d := json.NewDecoder(strings.NewReader(out.Stdout))
	d.UseNumber()
	if out.Exit != 0 {
		return nil, fmt.Errorf("resource show: %s", out.Stderr)
	}
	if err := d.Decode(&root); err != nil {
		return nil, fmt.Errorf("resource show: %w", err)
	}
	m := make(map[string]Resource)
	root.leaves("", m)
	return m, nil
}

// leaves gathers the resources that hold no others.
func (r *devlinkResource) leaves(parent string, m map[string]Resource) {
	for _, c := range r.Resources {
		if path := parent + c.Name; len(c.Resources) > 0 {
			c.leaves(path+"/", m)
		} else {
			m[path] = Resource{Size: fmt.Sprint(c.Size), Occupancy: -1}
			if c.Occ != nil {
				m[path] = Resource{Size: fmt.Sprint(c.Size), Occupancy: *c.Occ}
			}
		}
	}
}
