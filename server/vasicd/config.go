package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3"
	"github.com/peterbourgon/ff/v3/ffyaml"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

// config is what the command line, the environment and the file say.
type config struct {
	flags *flag.FlagSet

	listen        string
	metricsListen string
	insecure      bool
	tlsCert       string
	tlsKey        string
	tlsClientCA   string
	logLevel      slog.Level
	logFormat     string
	drainTimeout  time.Duration
	chip          chipFlags
	notify4       uint
	notify6       uint
	maxStreams    uint
	resources     resourceFlag
	ports         portFlag
	server        server.Config

	showVersion bool
	printConfig bool
	healthcheck bool
}

// notSettings are flags that say what to do rather than how; --print-config leaves them out.
var notSettings = map[string]bool{"version": true, "print-config": true, "healthcheck": true, "config": true}

func parseConfig(args []string, stderr io.Writer) (*config, error) {
	c := &config{flags: flag.NewFlagSet("vasicd", flag.ContinueOnError), resources: resourceFlag{}}
	c.register()
	c.flags.SetOutput(stderr)
	c.flags.Usage = func() { c.usage(stderr) }
	err := ff.Parse(c.flags, args, ff.WithEnvVarPrefix("VASIC"), ff.WithConfigFileFlag("config"), ff.WithConfigFileParser(ffyaml.Parser))
	if err != nil {
		return nil, err
	}
	if c.flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", c.flags.Arg(0))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return c, nil
}

// register declares all flags.
func (c *config) register() {
	f := c.flags
	f.StringVar(&c.listen, "listen", "127.0.0.1:50151", "gRPC `address`: host:port or unix:///path")
	f.StringVar(&c.metricsListen, "metrics-listen", "127.0.0.1:9651", "`address` of the HTTP page /metrics: host:port or unix:///path; \"\" for none")
	f.BoolVar(&c.insecure, "insecure", false, "allow listening beyond loopback without TLS")
	f.StringVar(&c.tlsCert, "tls-cert", "", "`file` with the certificate chain in PEM form; turns TLS on for gRPC")
	f.StringVar(&c.tlsKey, "tls-key", "", "`file` with the certificate's key in PEM form")
	f.StringVar(&c.tlsClientCA, "tls-client-ca", "", "`file` with the authorities of client certificates, which are then required")
	f.TextVar(&c.logLevel, "log-level", slog.LevelInfo, "`level`: debug, info, warn or error")
	f.StringVar(&c.logFormat, "log-format", "text", "text or json")
	f.DurationVar(&c.drainTimeout, "drain-timeout", 10*time.Second, "how long a stop waits for queued routes and open calls")
	c.chip.register(f)
	f.Uint64Var(&c.server.Seed, "seed", 1, "seed of all chance")
	f.Var(c.resources, "resource", "size of a hardware table as `path=entries`, for example IPv4/fib=100000; may be given several times")
	f.Var(&c.ports, "port", "link to start with, as `name=address,address`, for example swp1=10.0.1.1/24,2001:db8:1::1/64; may be given several times")
	f.UintVar(&c.notify4, "ipv4-notify-on-flag-change", 0, "publish changes of IPv4 route flags: 0 none, 1 all, 2 failures")
	f.UintVar(&c.notify6, "ipv6-notify-on-flag-change", 0, "publish changes of IPv6 route flags: 0 none, 1 all, 2 failures")
	f.IntVar(&c.server.QueueCapacity, "queue-capacity", asic.DefaultQueueCapacity, "operations waiting for hardware before clients are held back")
	f.IntVar(&c.server.LogBytes, "log-bytes", server.DefaultLogBytes, "bound of the event log in bytes")
	f.IntVar(&c.server.MaxBatchOperations, "max-batch-operations", server.DefaultMaxBatchOperations, "operations in one message")
	f.IntVar(&c.server.MaxWatchers, "max-watchers", server.DefaultMaxWatchers, "open watches")
	f.UintVar(&c.maxStreams, "max-streams", server.DefaultMaxStreams, "concurrent calls of one connection")
	f.IntVar(&c.server.MaxMessageBytes, "max-message-bytes", server.DefaultMaxMessageBytes, "size of one received message in bytes")
	f.String("config", "", "YAML `file` with the same names")
	f.BoolVar(&c.showVersion, "version", false, "print the version and exit")
	f.BoolVar(&c.printConfig, "print-config", false, "print the settings as YAML and exit")
	f.BoolVar(&c.healthcheck, "healthcheck", false, "ask the vasicd at --listen whether it serves, and exit with 0 if so")
}

// finish checks what single flags cannot.
func (c *config) finish() error {
	if c.drainTimeout < 0 {
		return fmt.Errorf("drain-timeout: %v is less than 0", c.drainTimeout)
	}
	for _, n := range []struct {
		name  string
		value uint
		to    *fib.NotifySetting
	}{{"ipv4-notify-on-flag-change", c.notify4, &c.server.NotifyIPv4}, {"ipv6-notify-on-flag-change", c.notify6, &c.server.NotifyIPv6}} {
		if n.value > uint(fib.NotifyFailures) {
			return fmt.Errorf("%s: %d is not 0, 1 or 2", n.name, n.value)
		}
		*n.to = fib.NotifySetting(n.value) //nolint:gosec // checked above
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"queue-capacity", c.server.QueueCapacity}, {"log-bytes", c.server.LogBytes}, {"max-batch-operations", c.server.MaxBatchOperations},
		{"max-watchers", c.server.MaxWatchers}, {"max-message-bytes", c.server.MaxMessageBytes},
	} {
		if n.value < 1 {
			return fmt.Errorf("%s: %d is less than 1", n.name, n.value)
		}
	}
	if c.maxStreams < 1 || c.maxStreams > 1<<20 {
		return fmt.Errorf("max-streams: %d is not between 1 and %d", c.maxStreams, 1<<20)
	}
	if c.logFormat != "text" && c.logFormat != "json" {
		return fmt.Errorf("log-format: %q is not text or json", c.logFormat)
	}
	if (c.tlsCert == "") != (c.tlsKey == "") || c.tlsClientCA != "" && c.tlsCert == "" {
		return errors.New("tls-cert and tls-key go together, and tls-client-ca needs both")
	}
	if err := c.chip.finish(&c.server); err != nil {
		return err
	}
	c.server.MaxStreams = uint32(c.maxStreams) //nolint:gosec // checked above
	c.server.Resources, c.server.Links, c.server.LoopbackUp, c.server.Version = c.resources, c.ports, true, versionString()
	if c.healthcheck || c.insecure {
		return nil
	}
	if c.tlsCert == "" && !onLoopback(c.listen) {
		return fmt.Errorf("listen: %s is not on loopback; give tls-cert and tls-key, or say insecure", c.listen)
	}
	if c.metricsListen != "" && !onLoopback(c.metricsListen) {
		return fmt.Errorf("metrics-listen: %s is not on loopback and /metrics has no TLS; say insecure if that is meant", c.metricsListen)
	}
	return nil
}

// onLoopback reports whether only this machine can reach the address.
func onLoopback(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// print writes the settings as a YAML file that means the same.
func (c *config) print(w io.Writer) {
	c.flags.VisitAll(func(f *flag.Flag) {
		if notSettings[f.Name] {
			return
		}
		if list, ok := f.Value.(interface{ values() []string }); ok {
			if len(list.values()) == 0 {
				fmt.Fprintf(w, "%s: []\n", f.Name)
				return
			}
			fmt.Fprintf(w, "%s:\n", f.Name)
			for _, v := range list.values() {
				fmt.Fprintf(w, "  - %s\n", strconv.Quote(v))
			}
			return
		}
		value := f.Value.String()
		if _, isText := f.Value.(flag.Getter).Get().(string); isText {
			value = strconv.Quote(value)
		}
		fmt.Fprintf(w, "%s: %s\n", f.Name, value)
	})
}

func (c *config) usage(w io.Writer) {
	fmt.Fprint(w, `vasicd serves a virtual switch ASIC over gRPC.

Usage: vasicd [flags]

Each flag is also the environment variable VASIC_<NAME> (VASIC_METRICS_LISTEN for --metrics-listen) and a key of the YAML file given by
--config. A flag wins over the environment, which wins over the file.

`)
	c.flags.PrintDefaults()
}

// versionString is what was set at the release, or what Go knows of the build.
func versionString() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "(devel)" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return version + " " + s.Value[:min(12, len(s.Value))]
			}
		}
		if info.Main.Version != "" {
			return info.Main.Version
		}
	}
	return version
}
