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
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"

	"github.com/vasic-project/vasic/clients/fpm"
	"github.com/vasic-project/vasic/clients/vasic"
)

const (
	headerTimeout  = 5 * time.Second // of a request for /metrics
	connectTimeout = 5 * time.Second // of one try to reach a switch
)

// serve runs all routers until ctx is done or one of them fails, and then stops them.
func serve(ctx context.Context, c *config, stderr io.Writer) error {
	logger := newLogger(c, stderr)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	metrics := fpm.NewMetrics()
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel(nil)
	routers := make([]*fpm.Router, 0, len(c.fpm))
	for _, l := range c.fpm {
		client, r, err := newRouter(c, l, logger, metrics)
		if err != nil {
			return err
		}
		routers = append(routers, r)
		lis, err := listen(ctx, l.listen)
		if err != nil {
			return errors.Join(err, client.Close())
		}
		logger.Info("waiting for zebra", "address", lis.Addr().String())
		work.Go(func() {
			if err := r.Serve(ctx, lis); err != nil {
				cancel(err)
			}
			_ = client.Close()
		})
	}
	if c.metricsListen != "" {
		page, err := listen(ctx, c.metricsListen)
		if err != nil {
			return err
		}
		h, err := pages(routers, metrics)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = h.Close() })
		work.Go(func() {
			if err := h.Serve(page); !errors.Is(err, http.ErrServerClosed) {
				cancel(err)
			}
		})
		logger.Info("serving metrics", "address", "http://"+page.Addr().String()+"/metrics")
	}
	<-ctx.Done()
	logger.Info("stopping")
	work.Wait()
	logger.Info("stopped")
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// newRouter makes one router and the client of its switch.
func newRouter(c *config, l listener, logger *slog.Logger, metrics *fpm.Metrics) (*vasic.Client, *fpm.Router, error) {
	last, err := c.fpm.lastTable(l, c.server)
	if err != nil {
		return nil, nil, err
	}
	server := l.server
	if server == "" {
		server = c.server
	}
	client, err := dial(c, server)
	if err != nil {
		return nil, nil, err
	}
	r, err := fpm.New(fpm.Config{
		Name:         l.listen,
		Switch:       client,
		TableOffset:  l.tableOffset,
		LastTable:    last,
		Metric:       uint32(c.metric), //nolint:gosec // checked
		Links:        fpm.LinkSource(c.links),
		LinkPrefix:   l.linkPrefix,
		Trap:         fpm.TrapAnswer(c.trap),
		KeepNotify:   c.notify == notifyKeep,
		SweepAfter:   orNever(c.sweepAfter),
		Retry:        orNever(c.retry),
		SwitchGrace:  max(c.switchGrace, 1), // 0 means at once
		WriteTimeout: c.writeTimeout,
		Faults:       c.faults.Faults,
		Seed:         c.seed,
		Logger:       logger,
		Metrics:      metrics,
	})
	if err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	return client, r, nil
}

// orNever turns the 0 of a flag into the negative of fpm.Config.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// dial returns a client of the switch at server, with the security that the flags say.
func dial(c *config, server string) (*vasic.Client, error) {
	// A switch that is back shall not wait for its routes.
	quick := vasic.DefaultBackoff
	quick.MaxDelay = time.Second
	options := []vasic.DialOption{vasic.WithDialOptions(grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: connectTimeout}))}
	switch {
	case c.insecure:
		return vasic.Dial(server, append(options, vasic.WithInsecure())...)
	case c.tlsCA == "" && c.tlsCert == "":
		return vasic.Dial(server, options...)
	}
	security := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.tlsCA != "" {
		pem, err := os.ReadFile(c.tlsCA)
		if err != nil {
			return nil, fmt.Errorf("tls-ca: %w", err)
		}
		security.RootCAs = x509.NewCertPool()
		if !security.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls-ca: %s holds no certificate", c.tlsCA)
		}
	}
	if c.tlsCert != "" {
		cert, err := tls.LoadX509KeyPair(c.tlsCert, c.tlsKey)
		if err != nil {
			return nil, fmt.Errorf("tls-cert: %w", err)
		}
		security.Certificates = []tls.Certificate{cert}
	}
	return vasic.Dial(server, append(options, vasic.WithTLS(security))...)
}

func newLogger(c *config, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.logLevel}
	if c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// listen opens host:port or unix:///path.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return lc.Listen(ctx, "unix", strings.TrimPrefix(path, "//"))
	}
	return lc.Listen(ctx, "tcp", address)
}

// pages serves metrics, and what can be done to routers while they run.
func pages(routers []*fpm.Router, metrics *fpm.Metrics) (*http.Server, error) {
	registry := prometheus.NewRegistry()
	for _, m := range []prometheus.Collector{
		metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(m); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/", fpm.Handler(routers))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "vasic-fpm: see /metrics and /faults")
	})
	return &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}, nil
}
