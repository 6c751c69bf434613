package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// transport reads one of the transport parameters and says whether word is one.
func (r *routeParser) transport(p *parser, word string) bool {
	m := &r.metrics
	if r.route.Metrics == nil {
		m.Reset()
	}
	switch {
	case word == "mtu":
		m.MtuLocked = p.take("lock")
		m.Mtu = p.number(32, "mtu")
	case word == "hoplimit":
		m.Hoplimit = r.unlocked(p, word, 8)
	case word == "advmss":
		m.Advmss = r.unlocked(p, "mss", 32)
	case abbreviates(word, "reordering"):
		m.Reordering = r.unlocked(p, "reordering", 32)
	case word == "rtt":
		m.Rtt = r.time(p, word, 8)
	case word == "rto_min":
		m.RtoMin = r.time(p, word, 1)
	case abbreviates(word, "window"):
		m.Window = r.unlocked(p, "window", 32)
	case abbreviates(word, "cwnd"):
		m.Cwnd = r.unlocked(p, "cwnd", 32)
	case abbreviates(word, "initcwnd"):
		m.Initcwnd = r.unlocked(p, "initcwnd", 32)
	case abbreviates(word, "initrwnd"):
		m.Initrwnd = r.unlocked(p, "initrwnd", 32)
	case abbreviates(word, "features"):
		p.fail(notSupported("features"))
	case abbreviates(word, "quickack"):
		if m.Quickack = p.number(32, "quickack"); m.Quickack > 1 {
			p.fail(wrongArgument(strconv.Itoa(int(m.Quickack)), `"quickack" value should be 0 or 1`))
		}
	case abbreviates(word, "congctl"):
		p.fail(notSupported("congctl"))
	case abbreviates(word, "rttvar"):
		m.Rttvar = r.time(p, "rttvar", 4)
	case abbreviates(word, "ssthresh"):
		m.Ssthresh = r.unlocked(p, "ssthresh", 32)
	case abbreviates(word, "realms"):
		p.fail(notSupported("realms"))
	default:
		return false
	}
	return true
}

// unlocked reads a number; of the locks that ip knows this switch has that of the MTU.
func (r *routeParser) unlocked(p *parser, name string, bits int) uint32 {
	if p.peek() == "lock" {
		p.fail(notSupported(name + " lock"))
	}
	return p.number(bits, name)
}

// time reads a time in milliseconds: NUMBERs, NUMBERms, or a number in the kernel's unit, of which so many are a millisecond.
func (r *routeParser) time(p *parser, name string, perMillisecond uint32) uint32 {
	if name != "rto_min" && p.peek() == "lock" {
		p.fail(notSupported(name + " lock"))
	}
	p.take("lock")
	w := p.word()
	if n, ok := parseUint(w, 32); ok {
		return uint32(n) / perMillisecond
	}
	scale := 1000.0
	number, ok := strings.CutSuffix(w, "s")
	if n, found := strings.CutSuffix(w, "ms"); found {
		number, scale = n, 1
	} else if n, found := strings.CutSuffix(w, "msec"); found {
		number, scale, ok = n, 1, true
	} else if n, found := strings.CutSuffix(w, "sec"); found {
		number, ok = n, true
	}
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n >= 0) || n*scale > math.MaxUint32 {
		if p.err == nil {
			p.fail(wrongArgument(w, fmt.Sprintf("%q value is invalid", name)))
		}
		return 0
	}
	return uint32(math.Ceil(n * scale))
}
