package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/vasic-project/vasic/clients/vasic"
)

// TestTourTellsTheStory runs the tour and looks for what it must show, in order.
func TestTourTellsTheStory(t *testing.T) {
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		lis := bufconn.Listen(1 << 20)
		conn, err := grpc.NewClient("passthrough:///tour", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		err = run(t.Context(), &out, lis, func() (*vasic.Client, error) { return vasic.NewClient(conn), nil })
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	})
	rest := out.String()
	for _, want := range []string{
		"metric 20", "8.8.8.0/24 via 10.0.1.2 dev swp1 metric 20 offload rt_offload",
		"8.8.8.0/24 via 10.0.2.2 dev swp2 metric 10 offload rt_offload", "8.8.8.0/24 via 10.0.1.2 dev swp1 metric 20 \n",
		"Deleted 8.8.8.0/24 via 10.0.2.2", "8.8.8.0/24 via 10.0.1.2 dev swp1 metric 20 offload rt_offload",
		"208.67.222.0/24 via 10.0.2.2 dev swp2 rt_offload_failed",
		"0 none         added                              added\n", //nolint:dupword // two columns
		"1 all          added, rt_offload                  added, rt_offload_failed\n",
		"2 failures     added                              added, rt_offload_failed\n",
	} {
		want = strings.ReplaceAll(want, " \n", "\n") // the tour trims lines
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is not in, or not where it belongs:\n%s", want, out.String())
		}
		rest = after
	}
	if lines := strings.Count(out.String(), "\n"); lines > 45 {
		t.Errorf("%d lines are more than a screenful", lines)
	}
}
