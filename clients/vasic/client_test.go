package vasic_test

import (
	"errors"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the stock codec

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// listen serves f at an address that the system chooses, until the test ends.
func listen(t *testing.T, f *fakeSwitch, network, address string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip(err)
	}
	server := grpc.NewServer()
	vasicv1.RegisterRouteServiceServer(server, f)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return l.Addr()
}

func TestDialSpeaksPlainTextOnThisMachine(t *testing.T) {
	f := &fakeSwitch{one: func(*vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) {
		return &vasicv1.ModifyRouteResponse{Result: &vasicv1.OperationResult{Status: accepted}}, nil
	}}
	socket := filepath.Join(t.TempDir(), "s")
	listen(t, f, "unix", socket)
	_, port, _ := net.SplitHostPort(listen(t, f, "tcp", "127.0.0.1:0").String())
	for _, target := range []string{"unix://" + socket, "127.0.0.1:" + port, "localhost:" + port} {
		c, err := vasic.Dial(target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		if _, err := c.ModifyRoute(t.Context(), actionAdd, route(0, "10.0.0.0/8")); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		if err := c.Close(); err != nil && !isError(err) {
			t.Errorf("%s: closed again: %v", target, err)
		}
	}
}

func TestDialUsesTLSWhereAskedTo(t *testing.T) {
	f := &fakeSwitch{one: func(*vasicv1.ModifyRouteRequest) (*vasicv1.ModifyRouteResponse, error) {
		return &vasicv1.ModifyRouteResponse{}, nil
	}}
	target := listen(t, f, "tcp", "127.0.0.1:0").String()
	for want, opts := range map[codes.Code][]vasic.DialOption{
		codes.Unavailable: {vasic.WithTLS(nil)},
		codes.OK:          {vasic.WithTLS(nil), vasic.WithInsecure(), vasic.WithDialOptions(grpc.WithUserAgent("test"))},
	} {
		c, err := vasic.Dial(target, opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, err = c.ModifyRoute(t.Context(), actionAdd, route(0, "10.0.0.0/8"))
		if e, ok := vasic.AsError(err); ok != (want != codes.OK) || ok && e.Code != want {
			t.Errorf("want %v, got %v", want, err)
		}
	}
}

func TestDialRefusesTargetsThatItCannotRead(t *testing.T) {
	for _, target := range []string{"", "switch", "switch:", "[::1", "10.0.0.1"} {
		if c, err := vasic.Dial(target); err == nil {
			c.Close()
			t.Errorf("%q is taken", target)
		}
	}
	for _, target := range []string{"switch:50151", "[::1]:50151", ":50151", "unix:///run/vasic", "dns:///switch:50151"} {
		c, err := vasic.Dial(target)
		if err != nil {
			t.Errorf("%q: %v", target, err)
			continue
		}
		c.Close()
	}
}

// A switch in another language has the stock codec, so nothing that the client sends may need more.
func TestEverythingWorksWithTheStockCodec(t *testing.T) {
	var seen []*vasicv1.ModifyRoutesRequest
	f := &fakeSwitch{
		modify:  modifyAll(&seen),
		watches: []func(watchStream) error{script(nil, created(7, 1), snapshot(route(1, "10.0.0.0/8")), synced(1))},
	}
	stock := grpc.ForceServerCodecV2(encoding.GetCodecV2("proto"))
	c := vasic.NewClient(serve(t, f, stock))
	if err := c.Close(); err != nil {
		t.Error("closing what was not dialled:", err)
	}
	results, err := c.Apply(t.Context(), []vasic.Operation{{Action: actionAdd, Route: withMetric("10.0.0.0/8", 1)}}, vasic.WaitForHardware())
	if err != nil || !errors.Is(results[0].Err, vasic.ErrTableFull) {
		t.Errorf("got %v, %v", results, err)
	}
	w := c.Watch(t.Context(), vasic.WatchOptions{})
	defer w.Close()
	expect(t, w, "reset: first list, epoch 7 revision 1", "snapshot 10.0.0.0/8", "synced 1")
}

func isError(err error) bool {
	_, ok := vasic.AsError(err)
	return ok
}
