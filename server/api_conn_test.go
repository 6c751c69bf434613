package server_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

func TestAConnectionHasSoManyCallsAtOnce(t *testing.T) {
	inAPIBubble(t, server.Config{MaxStreams: 2}, func(t *testing.T, r *apiRig) {
		r.quiet()
		r.watch(&vasicv1.WatchRequest{}).until("synced")
		second := r.watch(&vasicv1.WatchRequest{})
		second.until("synced")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.chip.GetStatus(ctx, &vasicv1.GetStatusRequest{})
		refused{code: codes.DeadlineExceeded}.checkErr(t, err)
		other := r.dial()
		defer other.Close()
		if got := must(vasicv1.NewSwitchServiceClient(other).GetStatus(r.ctx(), &vasicv1.GetStatusRequest{}))(t); got.Watchers != 2 {
			t.Errorf("%d watchers", got.Watchers)
		}
		second.cancel()
		r.status()
	})
}

func TestAnIdleClientMayAskWhetherTheSwitchLives(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		cc := r.dial(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: time.Second, PermitWithoutStream: true}))
		defer cc.Close()
		chip := vasicv1.NewSwitchServiceClient(cc)
		must(chip.GetStatus(r.ctx(), &vasicv1.GetStatusRequest{}))(t)
		time.Sleep(20 * time.Minute) // a server that minds says "too many pings" and closes the connection
		if state := cc.GetState(); state.String() != "READY" {
			t.Errorf("the connection is %v", state)
		}
		must(chip.GetStatus(r.ctx(), &vasicv1.GetStatusRequest{}))(t)
	})
}

// cable is a connection that can be cut: then nothing arrives any more, and nobody is told.
type cable struct {
	net.Conn
	cut, closed chan struct{}
	once        sync.Once
}

func (c *cable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.cut:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *cable) Write(p []byte) (int, error) {
	select {
	case <-c.cut:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

// Close does not reach the switch either.
func (c *cable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func TestAVanishedClientFreesItsWatch(t *testing.T) {
	inAPIBubble(t, server.Config{MaxWatchers: 1}, func(t *testing.T, r *apiRig) {
		r.quiet()
		cut := make(chan struct{})
		cc := r.dial(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := r.lis.DialContext(ctx)
			return &cable{Conn: conn, cut: cut, closed: make(chan struct{})}, err
		}))
		defer cc.Close()
		far := *r
		far.watches = vasicv1.NewWatchServiceClient(cc)
		far.watch(&vasicv1.WatchRequest{BookmarkInterval: seconds(3600)}).until("synced")
		close(cut)
		time.Sleep(time.Second)
		if n := r.status().Watchers; n != 1 {
			t.Errorf("%d watchers when the cable was cut", n)
		}
		time.Sleep(40 * time.Second) // asked after 30 s of silence, given up 10 s later
		r.quiet()
		if n := r.status().Watchers; n != 0 {
			t.Errorf("%d watchers after 42 s", n)
		}
		r.watch(&vasicv1.WatchRequest{}).until("synced")
	})
}
