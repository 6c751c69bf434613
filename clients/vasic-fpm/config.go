package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3"
	"github.com/peterbourgon/ff/v3/ffyaml"

	"github.com/vasic-project/vasic/clients/fpm"
)

// config is what the command line, the environment and the file say.
type config struct {
	flags *flag.FlagSet

	fpm           routerFlag
	server        string
	insecure      bool
	tlsCA         string
	tlsCert       string
	tlsKey        string
	metricsListen string
	logLevel      slog.Level
	logFormat     string
	links         string
	trap          string
	notify        string
	metric        uint
	sweepAfter    time.Duration
	retry         time.Duration
	switchGrace   time.Duration
	writeTimeout  time.Duration
	faults        faultFlag
	seed          uint64

	showVersion bool
	printConfig bool
}

// Values of --notify.
const (
	notifySet  = "set"
	notifyKeep = "keep"
)

// notSettings are flags that say what to do rather than how; --print-config leaves them out.
var notSettings = map[string]bool{"version": true, "print-config": true, "config": true}

func parseConfig(args []string, stderr io.Writer) (*config, error) {
	c := &config{flags: flag.NewFlagSet("vasic-fpm", flag.ContinueOnError)}
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
	f.Var(&c.fpm, "fpm", "where zebra connects, as `address,key=value,...` with the keys switch (instead of --server), table-offset and "+
		"link-prefix; may be given several times, once for each router (default "+fpm.DefaultListen+")")
	f.StringVar(&c.server, "server", "127.0.0.1:50151", "the switch's gRPC `address`: host:port or unix:///path")
	f.BoolVar(&c.insecure, "insecure", false, "speak plain text to switches beyond loopback, and listen beyond loopback")
	f.StringVar(&c.tlsCA, "tls-ca", "", "`file` with the authorities of the switch's certificate, in PEM form")
	f.StringVar(&c.tlsCert, "tls-cert", "", "`file` with the client's certificate chain in PEM form")
	f.StringVar(&c.tlsKey, "tls-key", "", "`file` with the certificate's key in PEM form")
	f.StringVar(&c.metricsListen, "metrics-listen", "127.0.0.1:9652", "`address` of the HTTP pages /metrics, /faults and /disconnect: "+
		"host:port or unix:///path; \"\" for none")
	f.TextVar(&c.logLevel, "log-level", slog.LevelInfo, "`level`: debug, info, warn or error")
	f.StringVar(&c.logFormat, "log-format", "text", "text or json")
	f.StringVar(&c.links, "links", string(fpm.LinksAuto), "what links are called: kernel (as in this network namespace), index (if7), or "+
		"auto, which is kernel where zebra is seen to run in it")
	f.StringVar(&c.trap, "trap", string(fpm.AnswerTrap), "answer for routes that hardware traps: trap (not advertised) or offload+trap (advertised)")
	f.StringVar(&c.notify, "notify", notifySet, "the switch's settings ipv4- and ipv6-notify-on-flag-change: set them to 1, or keep them")
	f.UintVar(&c.metric, "metric", fpm.DefaultMetric, "metric of all routes in the switch, which tells them from others")
	f.DurationVar(&c.sweepAfter, "sweep-after", fpm.DefaultSweepAfter, "silence after which a new connection of zebra's has told all, and the rest "+
		"is deleted; 0 for never")
	f.DurationVar(&c.retry, "retry", fpm.DefaultRetry, "how often refused and failed routes are tried again; 0 for never")
	f.DurationVar(&c.switchGrace, "switch-grace", fpm.DefaultSwitchGrace, "how long the switch may be away before its routes count as lost")
	f.DurationVar(&c.writeTimeout, "write-timeout", fpm.DefaultWriteTimeout, "how long zebra may leave answers unread")
	f.Var(&c.faults, "fault", "something that goes wrong on purpose, as `fault=value`: within=prefix, delay=time, jitter=time, never=bool, "+
		"lost=probability, duplicate=probability, stale=probability, reorder=number, stop-reading=bool, disconnect-after=frames; may be given several times")
	f.Uint64Var(&c.seed, "seed", 1, "seed of all chance")
	f.String("config", "", "YAML `file` with the same names")
	f.BoolVar(&c.showVersion, "version", false, "print the version and exit")
	f.BoolVar(&c.printConfig, "print-config", false, "print the settings as YAML and exit")
}

// finish checks what single flags cannot.
func (c *config) finish() error {
	if len(c.fpm) == 0 {
		c.fpm = routerFlag{{listen: fpm.DefaultListen}}
	}
	if c.metric < 1 || uint64(c.metric) > 1<<32-1 {
		return fmt.Errorf("metric: %d is not between 1 and %d", c.metric, uint32(1<<32-1))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"sweep-after", c.sweepAfter}, {"retry", c.retry}, {"switch-grace", c.switchGrace}, {"write-timeout", c.writeTimeout}} {
		if d.value < 0 {
			return fmt.Errorf("%s: %v is less than 0", d.name, d.value)
		}
	}
	if c.writeTimeout == 0 {
		return errors.New("write-timeout: 0 leaves no time to write")
	}
	for _, w := range []struct {
		name, value string
		words       []string
	}{
		{"log-format", c.logFormat, []string{"text", "json"}},
		{"links", c.links, []string{string(fpm.LinksAuto), string(fpm.LinksKernel), string(fpm.LinksIndex)}},
		{"trap", c.trap, []string{string(fpm.AnswerTrap), string(fpm.AnswerOffloadTrap)}},
		{"notify", c.notify, []string{notifySet, notifyKeep}},
	} {
		if !isOneOf(w.value, w.words) {
			return fmt.Errorf("%s: %q is not one of %s", w.name, w.value, strings.Join(w.words, ", "))
		}
	}
	if (c.tlsCert == "") != (c.tlsKey == "") {
		return errors.New("tls-cert and tls-key go together")
	}
	if c.insecure {
		return nil
	}
	for _, r := range c.fpm {
		if !onLoopback(r.listen) {
			return fmt.Errorf("fpm: %s is not on loopback and FPM has no security; say insecure if that is meant", r.listen)
		}
	}
	if c.metricsListen != "" && !onLoopback(c.metricsListen) {
		return fmt.Errorf("metrics-listen: %s is not on loopback and its pages have no TLS; say insecure if that is meant", c.metricsListen)
	}
	return nil
}

func isOneOf(word string, words []string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
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
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// print writes the settings as a YAML file that means the same.
func (c *config) print(w io.Writer) {
	c.flags.VisitAll(func(f *flag.Flag) {
		if notSettings[f.Name] {
			return
		}
		value := " " + f.Value.String()
		switch v := f.Value.(flag.Getter).Get().(type) {
		case string:
			value = " " + strconv.Quote(v)
		case []string:
			if len(v) == 0 {
				value = " []"
				break
			}
			value = ""
			for _, item := range v {
				value += "\n  - " + strconv.Quote(item)
			}
		}
		fmt.Fprintf(w, "%s:%s\n", f.Name, value)
	})
}

func (c *config) usage(w io.Writer) {
	fmt.Fprint(w, `vasic-fpm lets an unmodified FRR (8.5 to 10.2, 10.4 and later) program a vasic switch.

Usage: vasic-fpm [flags]

FRR needs, in /etc/frr/daemons:

    zebra_options="... -M dplane_fpm_nl --asic-offload=notify_on_offload"

and in its configuration:

    fpm address 127.0.0.1
    router bgp 65001
     bgp suppress-fib-pending

Without --asic-offload=notify_on_offload prefixes are advertised whatever hardware does. docs/frr.md has the rest.

Each flag is also the environment variable VASIC_<NAME> (VASIC_METRICS_LISTEN for --metrics-listen) and a key of the YAML file given by
--config. A flag wins over the environment, which wins over the file.

`)
	c.flags.PrintDefaults()
}
