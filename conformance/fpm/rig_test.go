package fpm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/fpm"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/server"
)

// stopTimeout ends what hangs. In a bubble it costs nothing.
const stopTimeout = time.Minute

// rig is a switch, a Router in front of it, and room for a zebra. It lives in a synctest bubble, so that time is virtual.
type rig struct {
	t       testing.TB
	s       *server.Server
	gate    *switchGate
	client  *vasic.Client
	router  *fpm.Router
	lis     *bufconn.Listener
	stopped chan struct{}
	stop    context.CancelFunc
}

// switchGate leads to the switch that is there at the moment.
type switchGate struct {
	mu  sync.Mutex // guards lis
	lis *bufconn.Listener
}

func (g *switchGate) dial(ctx context.Context, _ string) (net.Conn, error) {
	g.mu.Lock()
	lis := g.lis
	g.mu.Unlock()
	if lis == nil {
		return nil, errors.New("the switch is away")
	}
	return lis.DialContext(ctx)
}

// inBubble runs a test with a rig.
func inBubble(t *testing.T, sc server.Config, fc fpm.Config, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.startSwitch(sc)
		r.startRouter(fc)
		synctest.Wait()
		test(t, r)
	})
}

// newRig has neither switch nor Router yet.
func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, gate: &switchGate{}}
	var err error
	r.client, err = vasic.Dial("passthrough:///switch", vasic.WithInsecure(), vasic.WithDialOptions(grpc.WithContextDialer(r.gate.dial)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.stopRouter()
		_ = r.client.Close()
		r.stopSwitch()
	})
	return r
}

func (r *rig) startRouter(fc fpm.Config) {
	r.t.Helper()
	fc.Switch = r.client
	if fc.Logger == nil {
		fc.Logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if r.router, err = fpm.New(fc); err != nil {
		r.t.Fatal(err)
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.WithoutCancel(r.t.Context()))
	r.stopped, r.lis = make(chan struct{}), bufconn.Listen(1<<20)
	router, lis, stopped := r.router, r.lis, r.stopped
	go func() {
		defer close(stopped)
		if err := router.Serve(ctx, lis); err != nil {
			r.t.Errorf("Serve: %v", err)
		}
	}()
}

func (r *rig) stopRouter() {
	if r.stop != nil {
		r.stop()
		<-r.stopped
		r.stop = nil
	}
}

// startSwitch starts a switch that the Router can find.
func (r *rig) startSwitch(sc server.Config) {
	r.t.Helper()
	sc.LoopbackUp = true
	if sc.Logger == nil {
		sc.Logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if r.s, err = server.New(sc); err != nil {
		r.t.Fatal(err)
	}
	lis := bufconn.Listen(1 << 20)
	go r.s.Serve(lis)
	r.gate.mu.Lock()
	r.gate.lis = lis
	r.gate.mu.Unlock()
}

// stopSwitch stops the switch, with all that it has.
func (r *rig) stopSwitch() {
	if r.s == nil {
		return
	}
	r.gate.mu.Lock()
	r.gate.lis = nil
	r.gate.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), stopTimeout)
	defer cancel()
	_ = r.s.Stop(ctx) // paused hardware makes it late
	r.s = nil
}

// failOffload makes the chip refuse every route, or take them again.
func (r *rig) failOffload(on bool) {
	r.t.Helper()
	r.update(&vasicv1.Settings{FailRouteOffload: on}, "fail_route_offload")
}

// pause makes the chip stand still.
func (r *rig) pause() {
	r.t.Helper()
	if _, err := r.client.Switch.Pause(r.t.Context(), &vasicv1.PauseRequest{}); err != nil {
		r.t.Fatal(err)
	}
}

// resume lets it go on, and waits until nothing moves any more.
func (r *rig) resume() {
	r.t.Helper()
	if _, err := r.client.Switch.Resume(r.t.Context(), &vasicv1.ResumeRequest{}); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// setLink takes a link up or down, and waits until nothing moves any more.
func (r *rig) setLink(name string, up bool) {
	r.t.Helper()
	_, err := r.client.Links.UpdateLink(r.t.Context(), &vasicv1.UpdateLinkRequest{
		Link: &vasicv1.Link{Name: name, Up: up}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"up"}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// setNeighbor says what is known of the gateway of a route, and waits until nothing moves any more.
func (r *rig) setNeighbor(s spec, state vasicv1.NeighborState) {
	r.t.Helper()
	_, err := r.client.Neighbors.ReplaceNeighbor(r.t.Context(), &vasicv1.ReplaceNeighborRequest{
		Neighbor: &vasicv1.Neighbor{Address: s.gateway, Device: fmt.Sprintf("if%d", s.link), Lladdr: "02:00:00:00:00:01", State: state},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// update changes a setting of the switch.
func (r *rig) update(s *vasicv1.Settings, path string) {
	r.t.Helper()
	_, err := r.client.Switch.UpdateSettings(r.t.Context(), &vasicv1.UpdateSettingsRequest{
		Settings: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// routes lists what the switch has of the Router's, by prefix and table.
func (r *rig) routes() map[string]*vasicv1.Route {
	r.t.Helper()
	list, err := r.client.Routes.ListRoutes(r.t.Context(), &vasicv1.ListRoutesRequest{})
	all := map[string]*vasicv1.Route{}
	for err == nil {
		var m *vasicv1.ListRoutesResponse
		if m, err = list.Recv(); err == nil {
			for _, route := range m.Routes {
				if route.GetMetric() == fpm.DefaultMetric {
					all[name(route.Table, route.Prefix)] = route
				}
			}
		}
	}
	if !errors.Is(err, io.EOF) {
		r.t.Fatal(err)
	}
	return all
}

// zebra is the other side of the Router.
type zebra struct {
	t    testing.TB
	conn net.Conn
	done chan struct{}

	mu      sync.Mutex // guards the following fields
	answers [][]byte   // netlink messages
	err     error      // why reading ended
}

// connect makes a zebra that reads answers.
func (r *rig) connect() *zebra {
	r.t.Helper()
	conn, err := r.lis.DialContext(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	z := &zebra{t: r.t, conn: conn, done: make(chan struct{})}
	go z.read()
	r.t.Cleanup(z.close)
	return z
}

func (z *zebra) close() {
	_ = z.conn.Close()
	<-z.done
}

// read takes answers as zebra does: one message of each frame.
func (z *zebra) read() {
	defer close(z.done)
	for {
		header := make([]byte, 4)
		_, err := io.ReadFull(z.conn, header)
		body := make([]byte, max(4, binary.BigEndian.Uint16(header[2:]))-4)
		if err == nil {
			_, err = io.ReadFull(z.conn, body)
		}
		z.mu.Lock()
		if err != nil {
			z.err = err
			z.mu.Unlock()
			return
		}
		z.answers = append(z.answers, body)
		z.mu.Unlock()
	}
}

// write writes bytes as they are.
func (z *zebra) write(b []byte) {
	z.t.Helper()
	if _, err := z.conn.Write(b); err != nil {
		z.t.Fatal(err)
	}
}

// say writes a frame with messages, and waits until nothing moves any more.
func (z *zebra) say(messages ...[]byte) {
	z.t.Helper()
	z.write(frameOf(messages...))
	synctest.Wait()
}

// take returns the answers since the last time.
func (z *zebra) take() []answer {
	z.mu.Lock()
	defer z.mu.Unlock()
	var all []answer
	for _, m := range z.answers {
		all = append(all, readAnswer(z.t, m))
	}
	z.answers = nil
	return all
}

// expect checks the answers since the last time, in any order.
func (z *zebra) expect(want ...string) {
	z.t.Helper()
	got := []string{}
	for _, a := range z.take() {
		got = append(got, a.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		z.t.Errorf("zebra was told %q, want %q", got, want)
	}
}

// over says whether the Router has ended the connection.
func (z *zebra) over() bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.err != nil
}
