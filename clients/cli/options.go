package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// options are what stands in front of the object.
type options struct {
	family     vasicv1.Family
	json       bool
	pretty     bool
	details    bool
	oneLine    bool
	brief      bool
	statistics int
	timestamp  bool // a line in front of each event
	timeShort  bool // a stamp in front of each event
	force      bool
	batch      string
	help       bool
	version    bool

	server                 string
	insecure               bool
	tlsCA, tlsCert, tlsKey string
}

// parse takes the options off args and returns the rest. As with ip an option may be abbreviated and have one dash or two.
func (o *options) parse(args []string, getenv func(string) string) ([]string, error) {
	o.server = getenv("VASIC_SERVER")
	if o.server == "" {
		o.server = DefaultServer
	}
	o.insecure = isOn(getenv("VASIC_INSECURE"))
	o.tlsCA, o.tlsCert, o.tlsKey = getenv("VASIC_TLS_CA"), getenv("VASIC_TLS_CERT"), getenv("VASIC_TLS_KEY")

	p := parser{words: args}
	for p.more() && len(p.peek()) > 1 && p.peek()[0] == '-' {
		word := p.word()
		if word == "--" {
			break
		}
		o.parseOne(&p, word)
	}
	return p.words, p.err
}

// parseOne takes one option.
func (o *options) parseOne(p *parser, word string) {
	opt, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
	argument := func() string {
		if hasValue {
			return value
		}
		return p.word()
	}
	switch {
	case opt == "server":
		o.server = argument()
	case opt == "insecure":
		o.insecure = !hasValue || isOn(value)
	case opt == "tls-ca":
		o.tlsCA = argument()
	case opt == "tls-cert":
		o.tlsCert = argument()
	case opt == "tls-key":
		o.tlsKey = argument()
	case abbreviates(opt, "family"):
		o.parseFamily(p, argument())
	case opt == "4":
		o.family = family4
	case opt == "6":
		o.family = family6
	case abbreviates(opt, "stats"), abbreviates(opt, "statistics"):
		o.statistics++
	case abbreviates(opt, "details"):
		o.details = true
	case abbreviates(opt, "oneline"):
		o.oneLine = true
	case abbreviates(opt, "timestamp"):
		o.timestamp = true
	case opt == "ts", opt == "tshort":
		o.timestamp, o.timeShort = true, true
	case abbreviates(opt, "json"):
		o.json = true
	case abbreviates(opt, "pretty"):
		o.pretty = true
	case opt == "br", opt == "brief":
		o.brief = true
	case opt == "b", abbreviates(opt, "batch"):
		o.batch = argument()
	case abbreviates(opt, "force"):
		o.force = true
	case abbreviates(opt, "color"), abbreviates(opt, "resolve"), abbreviates(opt, "human-readable") && len(opt) > 2, opt == "iec":
		// How things look; there is nothing here that they would change.
	case abbreviates(opt, "Version"), opt == "version":
		o.version = true
	case abbreviates(opt, "help"), opt == "?":
		o.help = true
	case abbreviates(opt, "netns"), abbreviates(opt, "Numeric"), abbreviates(opt, "all"), opt == "0", opt == "B", opt == "M":
		p.fail(notSupported(word))
	default:
		p.fail(usageError(fmt.Sprintf(`Option %q is unknown, try "vasicctl -help".`, word)))
	}
}

// parseFamily takes a family's name.
func (o *options) parseFamily(p *parser, word string) {
	switch word {
	case "inet":
		o.family = family4
	case "inet6":
		o.family = family6
	default:
		p.fail(wrongArgument(word, "invalid protocol family"))
	}
}

// dial connects as the options about TLS say.
func (o *options) dial(_ context.Context, target string) (*vasic.Client, error) {
	switch {
	case o.insecure:
		return vasic.Dial(target, vasic.WithInsecure())
	case o.tlsCA == "" && o.tlsCert == "":
		return vasic.Dial(target)
	}
	var config tls.Config
	if o.tlsCA != "" {
		pem, err := os.ReadFile(o.tlsCA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", o.tlsCA)
		}
	}
	if o.tlsCert != "" {
		cert, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return vasic.Dial(target, vasic.WithTLS(&config))
}

// isOn reads a yes from the environment.
func isOn(s string) bool {
	switch strings.ToLower(s) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}
