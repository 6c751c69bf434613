package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/vasic-project/vasic/server"
)

const (
	healthcheckTimeout = 3 * time.Second
	headerTimeout      = 5 * time.Second // of a request for /metrics
)

// serve runs the switch until ctx is done, and then stops it gracefully.
func serve(ctx context.Context, c *config, stderr io.Writer) error {
	logger := newLogger(c, stderr)
	c.server.Logger = logger
	if c.tlsCert != "" {
		creds, err := serverTLS(c)
		if err != nil {
			return err
		}
		c.server.GRPCOptions = append(c.server.GRPCOptions, grpc.Creds(creds))
	}
	lis, err := listen(ctx, c.listen)
	if err != nil {
		return err
	}
	defer lis.Close()
	s, err := server.New(c.server)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- s.Serve(lis) }()
	if c.metricsListen != "" {
		page, err := listen(ctx, c.metricsListen)
		if err != nil {
			_ = s.Stop(ctx)
			return err
		}
		h := metricsServer(s)
		defer func() { _ = h.Close() }()
		go func() { failed <- h.Serve(page) }()
		logger.Info("serving metrics", "address", "http://"+page.Addr().String()+"/metrics")
	}
	logger.Info("serving gRPC", "address", lis.Addr().String(), "profile", c.server.Profile, "tls", c.tlsCert != "", "version", c.server.Version)
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	logger.Info("stopping", "drain_timeout", c.drainTimeout)
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.drainTimeout)
	defer cancel()
	if stopErr := s.Stop(stopCtx); stopErr != nil {
		logger.Warn("not everything was finished in time", "error", stopErr)
	}
	logger.Info("stopped")
	return err
}

func newLogger(c *config, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.logLevel}
	if c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// listen opens host:port or unix:///path. A socket that a dead process left behind is replaced.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return lc.Listen(ctx, "tcp", address)
	}
	path = strings.TrimPrefix(path, "//")
	lis, err := lc.Listen(ctx, "unix", path)
	if err == nil {
		return lis, nil
	}
	if conn, dialErr := net.Dial("unix", path); dialErr == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%s: another process listens there", address)
	}
	if info, statErr := os.Stat(path); statErr != nil || info.Mode()&os.ModeSocket == 0 {
		return nil, err
	}
	if err := os.Remove(path); err != nil {
		return nil, err
	}
	return lc.Listen(ctx, "unix", path)
}

func metricsServer(s *server.Server) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Registry(), promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "vasicd: see /metrics")
	})
	return &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
}

func serverTLS(c *config) (credentials.TransportCredentials, error) {
	cert, err := tls.LoadX509KeyPair(c.tlsCert, c.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("tls-cert: %w", err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if c.tlsClientCA != "" {
		if conf.ClientCAs, err = readCAs(c.tlsClientCA); err != nil {
			return nil, fmt.Errorf("tls-client-ca: %w", err)
		}
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return credentials.NewTLS(conf), nil
}

func readCAs(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

// healthcheck asks the server at the configured address whether it serves. With TLS it does not check whose certificate it sees: it asks
// for health, nothing else.
func healthcheck(ctx context.Context, c *config) error {
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	creds := insecure.NewCredentials()
	if c.tlsCert != "" {
		cert, err := tls.LoadX509KeyPair(c.tlsCert, c.tlsKey)
		if err != nil {
			return fmt.Errorf("tls-cert: %w", err)
		}
		creds = credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{cert}, InsecureSkipVerify: true}) //nolint:gosec // see above
	}
	conn, err := grpc.NewClient(dialTarget(c.listen), grpc.WithTransportCredentials(creds))
	if err != nil {
		return err
	}
	defer conn.Close()
	res, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if res.Status != healthv1.HealthCheckResponse_SERVING {
		return errors.New("the server says " + res.Status.String())
	}
	return nil
}

// dialTarget turns an address to listen on into one to connect to.
func dialTarget(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.HasPrefix(address, "unix:") {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
