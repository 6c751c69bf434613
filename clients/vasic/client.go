package vasic

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// maxMessageBytes bounds what a client receives in one message. gRPC's own 4 MiB are too few for a piece of a snapshot with a
// thousand routes of 256 next hops each.
const maxMessageBytes = 64 << 20

// Client talks to one switch. Its fields are the generated stubs; the errors that they return are *Error. It may be used from
// any number of goroutines.
type Client struct {
	// Routes programs and reads routes.
	Routes vasicv1.RouteServiceClient
	// Watches streams events. Watch is the more convenient way.
	Watches vasicv1.WatchServiceClient
	// Switch has settings, resources and the programming goroutine.
	Switch vasicv1.SwitchServiceClient
	// Links has links and addresses.
	Links vasicv1.LinkServiceClient
	// Neighbors has neighbours: which gateways answer on their link.
	Neighbors vasicv1.NeighborServiceClient
	// NextHops has next-hop objects, which routes name by their ids.
	NextHops vasicv1.NextHopServiceClient
	// Rules says which tables a look-up asks.
	Rules vasicv1.RuleServiceClient
	// Faults has the rules that make hardware fail, linger or hang.
	Faults vasicv1.FaultServiceClient
	// Audits compares what software says with what hardware does.
	Audits vasicv1.AuditServiceClient
	// Records streams what clients do and what comes of it.
	Records vasicv1.RecordServiceClient

	conn  conn
	close func() error
}

// DialOption changes how Dial connects.
type DialOption func(*dialOptions)

type dialOptions struct {
	security credentials.TransportCredentials
	grpc     []grpc.DialOption
}

// WithTLS makes the connection use TLS with this configuration; nil means the system's roots.
func WithTLS(config *tls.Config) DialOption {
	return func(o *dialOptions) { o.security = credentials.NewTLS(config) }
}

// WithInsecure makes the connection plain text, wherever it leads.
func WithInsecure() DialOption {
	return func(o *dialOptions) { o.security = insecure.NewCredentials() }
}

// WithDialOptions adds options of gRPC's own. They come after those of Dial and so overrule them.
func WithDialOptions(opts ...grpc.DialOption) DialOption {
	return func(o *dialOptions) { o.grpc = append(o.grpc, opts...) }
}

// Dial returns a client of the switch at target, which is "host:port" or "unix:///path" (or any other target of gRPC). Without
// WithTLS or WithInsecure it speaks plain text to loopback addresses, localhost and Unix sockets, and TLS with the system's
// roots to all others.
//
// Dial does not connect; the first call does. Its errors are those of a target that cannot be read.
func Dial(target string, opts ...DialOption) (*Client, error) {
	local, err := readTarget(target)
	if err != nil {
		return nil, err
	}
	o := dialOptions{security: credentials.NewTLS(nil)}
	if local {
		o.security = insecure.NewCredentials()
	}
	for _, opt := range opts {
		opt(&o)
	}
	cc, err := grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithTransportCredentials(o.security),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
		// gRPC's own cap of two minutes would keep a watch waiting long after its switch is back.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: DefaultBackoff, MinConnectTimeout: 5 * time.Second}),
	}, o.grpc...)...)
	if err != nil {
		return nil, fmt.Errorf("vasic: target %q: %w", target, err)
	}
	c := NewClient(cc)
	c.close = cc.Close
	return c, nil
}

// NewClient returns a client over a connection that the caller has made and closes. With gRPC's defaults, messages beyond
// 4 MiB cannot be received over it, and after a long outage it may be two minutes before it is tried again; Dial sets both.
func NewClient(cc grpc.ClientConnInterface) *Client {
	conn := conn{cc}
	return &Client{
		Routes:    vasicv1.NewRouteServiceClient(conn),
		Watches:   vasicv1.NewWatchServiceClient(conn),
		Switch:    vasicv1.NewSwitchServiceClient(conn),
		Links:     vasicv1.NewLinkServiceClient(conn),
		Neighbors: vasicv1.NewNeighborServiceClient(conn),
		NextHops:  vasicv1.NewNextHopServiceClient(conn),
		Rules:     vasicv1.NewRuleServiceClient(conn),
		Faults:    vasicv1.NewFaultServiceClient(conn),
		Audits:    vasicv1.NewAuditServiceClient(conn),
		Records:   vasicv1.NewRecordServiceClient(conn),
		conn:      conn,
		close:     func() error { return nil },
	}
}

// Conn is the connection under the stubs, for calls whose method is known only by its name. Its errors are *Error, too.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Close closes the connection if Dial made it; calls and streams in progress fail with codes.Canceled.
func (c *Client) Close() error { return asError(c.close()) }

// DefaultBackoff is how long a connection, and a watch, wait before they try again: 0.1 s at first, at most 5 s.
var DefaultBackoff = backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second}

// readTarget checks target and says whether it stays on this machine.
func readTarget(target string) (local bool, err error) {
	scheme, rest, ok := strings.Cut(target, ":")
	switch {
	case ok && (scheme == "unix" || scheme == "unix-abstract"):
		return true, nil
	case ok && strings.HasPrefix(rest, "//"):
		return false, nil // gRPC knows whether it is one
	}
	host, port, err := net.SplitHostPort(target)
	if err != nil || port == "" {
		return false, fmt.Errorf("vasic: target %q: want host:port or unix:///path", target)
	}
	if host == "" || host == "localhost" {
		return true, nil
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback(), nil
}
