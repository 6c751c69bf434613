package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/exposure"
	"github.com/vasic-project/vasic/clients/recording"
	"github.com/vasic-project/vasic/clients/vasic"
)

// exposureRequest is a parsed `exposure`.
type exposureRequest struct {
	options exposure.Options
	file    string        // of a recording; empty: live
	length  time.Duration // of live; 0: until ctx ends
	synced  bool          // live until nothing is exposed any more
	top     int
	vrf     string // whose table is meant; empty: options say it
}

// maxFor is how long something can be watched.
const maxFor = 365 * 24 * time.Hour

// parseExposure reads what stands behind `exposure`.
func parseExposure(words []string, f vasicv1.Family) (*exposureRequest, error) {
	e := &exposureRequest{options: exposure.Options{Family: f}, top: 10}
	live := false
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "from":
			e.file = p.word()
		case word == "live", word == "show":
			live = word == "live"
		case word == "for":
			live, e.length = true, p.duration("for", maxFor)
		case word == "until":
			live, e.synced = true, true
			if w := p.word(); w != "synced" && p.err == nil {
				p.fail(wrongWord(w, `only "synced" can be waited for`))
			}
		case word == "top":
			if p.take("all") {
				e.top = -1
			} else {
				e.top = int(p.number(31, "top"))
			}
		case word == "table":
			e.options.Table, e.vrf = p.table(), ""
		case word == "vrf":
			e.vrf = p.word()
		case word == "root":
			if x := p.prefixOf(p.word(), f); p.err == nil {
				e.options.Within, e.options.Family = netip.PrefixFrom(x.addr, x.bits), x.family
			}
		case abbreviates(word, "protocol"):
			w := p.word()
			n, ok := protocolNames.parse(w, 8)
			if !ok && p.err == nil {
				p.fail(wrongWord(w, `invalid "protocol"`))
			}
			e.options.Protocol = &n
		case abbreviates(word, "help"):
			p.fail(helpError(usageExposure))
		default:
			p.fail(unknownWord("exposure", word))
		}
	}
	if p.err == nil && live && e.file != "" {
		p.fail(usageError("Error: either live or from a recording, not both."))
	}
	return e, p.err
}

// exposure is the object exposure: what it would have meant to advertise on accept.
func (s *session) exposure(ctx context.Context, words []string) error {
	req, err := parseExposure(words, s.options.family)
	if err != nil {
		return err
	}
	if req.vrf != "" {
		if req.options.Table, err = s.vrfTable(ctx, req.vrf); err != nil {
			return err
		}
	}
	t := exposure.New(req.options)
	var end int64
	if req.file != "" {
		end, err = s.exposureFrom(ctx, t, req)
	} else {
		end, err = s.exposureLive(ctx, t, req)
	}
	if err != nil {
		return err
	}
	out := s.newPrinter()
	out.exposure(t.Report(end, req.top))
	return out.finish(nil)
}

// notifySettings are the settings that say which changes of flags are published.
var notifySettings = []struct {
	family vasicv1.Family
	name   string // how people call the family
	key    string // of sysctl
	field  string // of Settings
	get    func(*vasicv1.Settings) uint32
}{
	{family4, "IPv4", "net.ipv4.fib_notify_on_flag_change", "ipv4_notify_on_flag_change", (*vasicv1.Settings).GetIpv4NotifyOnFlagChange},
	{family6, "IPv6", "net.ipv6.fib_notify_on_flag_change", "ipv6_notify_on_flag_change", (*vasicv1.Settings).GetIpv6NotifyOnFlagChange},
}

// notifyAll is the value of the settings with which every change of flags is published.
const notifyAll = 1

// tell tells the tracker of which families the switch publishes every change of flags, and the user of which it does not. It is
// an error if there is none that is wanted.
func (s *session) tell(t *exposure.Tracker, settings *vasicv1.Settings, f vasicv1.Family) error {
	useful := false
	text := ""
	for _, n := range notifySettings {
		if f != familyAny && f != n.family {
			continue
		}
		told := n.get(settings) == notifyAll
		t.Told(n.family, told)
		if told {
			useful = true
			continue
		}
		text += fmt.Sprintf("%s is %d, so the switch does not say when %s routes are in hardware; vasicctl sysctl -w %s=1 makes it.\n",
			n.key, n.get(settings), n.name, n.key)
	}
	if text == "" {
		return nil
	}
	text = text[:len(text)-1]
	if !useful {
		return usageError("Error: " + text)
	}
	s.warnf("Warning: %s", text)
	return nil
}

// exposureLive watches the switch, and returns when it is now by the switch's clock.
func (s *session) exposureLive(ctx context.Context, t *exposure.Tracker, req *exposureRequest) (now int64, err error) {
	c, err := s.client(ctx)
	if err != nil {
		return 0, err
	}
	settings, err := c.Switch.GetSettings(ctx, &vasicv1.GetSettingsRequest{})
	if err != nil {
		return 0, err
	}
	if err := s.tell(t, settings.GetSettings(), req.options.Family); err != nil {
		return 0, err
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	if req.length > 0 {
		watching, cancel = context.WithTimeout(ctx, req.length)
		defer cancel()
	}
	filter := &vasicv1.WatchFilter{Family: req.options.Family, Table: req.options.Tables()}
	if req.options.Within.IsValid() {
		filter.WithinPrefix = req.options.Within.String()
	}
	w := c.Watch(watching, vasic.WatchOptions{Filter: filter})
	defer w.Close()

	var exposed, windows atomic.Uint64
	bar := s.newProgress(func(width int) string {
		return barLine(width, 0, false, fmt.Sprintf("%s prefixes exposed now  %s windows so far", grouped(exposed.Load()), grouped(windows.Load())))
	})
	defer bar.stop()
	connected, synced := false, false
	for {
		u, err := w.Next(watching)
		switch {
		case watching.Err() != nil:
			return t.Clock(time.Now().UnixNano()), nil
		case err != nil:
			return 0, err
		}
		switch u := u.(type) {
		case *vasic.Disconnected:
			if !connected {
				return 0, u.Err
			}
			if u.Attempt == 1 && u.RetryIn > 0 {
				s.warnf("Lost the switch at %s: %s; trying again.", s.options.server, errorMessage(u.Err))
			}
		case *vasic.Reset:
			if u.Reason != vasic.ResetFirst {
				s.warnf("Events are lost (%s); going on at revision %d.", u.Reason, u.Revision)
			}
		case *vasic.Synced:
			synced = true
		}
		connected = true
		t.Apply(u, time.Now().UnixNano())
		exposed.Store(uint64(t.Exposed()))
		windows.Store(t.Windows())
		if req.synced && synced && t.Exposed() == 0 {
			return 0, nil
		}
	}
}

// exposureFrom reads a recording, and returns when it ended by the switch's clock.
func (s *session) exposureFrom(ctx context.Context, t *exposure.Tracker, req *exposureRequest) (end int64, err error) {
	r, done, err := s.openRecording(req.file)
	if err != nil {
		return 0, err
	}
	defer done()
	if began := r.Started().GetUnixNanos(); began != 0 {
		t.Begin(began)
		end = began
	}
	routes, flags, set := map[vasicv1.Family]bool{}, map[vasicv1.Family]bool{}, map[vasicv1.Family]bool{}
	for ctx.Err() == nil {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, recording.ErrTorn) {
			s.warnf("Warning: %q: %v; going on with what is whole.", req.file, err)
			break
		}
		if err != nil {
			return 0, usageError(fmt.Sprintf("Cannot read %q: %v", req.file, err))
		}
		switch {
		case f.Event != nil:
			end = max(end, f.Event.GetUnixNanos())
			family := familyOf(f.Event.GetRoute().GetPrefix())
			if f.Event.GetRoute() != nil {
				routes[family] = true
			}
			if f.Event.GetKind() == vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED {
				flags[family] = true
			}
			t.Event(f.Event)
		case f.Call != nil:
			end = max(end, f.Call.GetUnixNanos())
			for family, told := range notifyCall(f.Call) {
				if !flags[family] {
					t.Told(family, false) // nothing was told before
				}
				t.Told(family, told)
				set[family] = true
			}
		case f.Ended != nil:
			end = max(end, f.Ended.GetUnixNanos())
		}
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	missing, useful := "", false
	for _, n := range notifySettings {
		switch {
		case !routes[n.family] || req.options.Family != familyAny && req.options.Family != n.family:
		case flags[n.family] || set[n.family]:
			useful = true
		default:
			t.Told(n.family, false)
			missing += fmt.Sprintf("no change of flags of %s routes is in %q; was %s 1 when it was recorded?\n", n.name, req.file, n.key)
		}
	}
	if missing != "" {
		missing = missing[:len(missing)-1]
		if !useful {
			return 0, usageError("Error: " + missing)
		}
		s.warnf("Warning: %s", missing)
	}
	return end, nil
}

// notifyCall is what a recorded call says of which families' changes of flags are published from now on.
func notifyCall(c *vasicv1.RecordedCall) map[vasicv1.Family]bool {
	if c.GetMethod() != vasicv1.SwitchService_UpdateSettings_FullMethodName || c.GetCode() != 0 {
		return nil
	}
	m, err := recording.Request(c)
	update, ok := m.(*vasicv1.UpdateSettingsRequest)
	if err != nil || !ok {
		return nil
	}
	told := map[vasicv1.Family]bool{}
	for _, n := range notifySettings {
		if slices.Contains(update.GetUpdateMask().GetPaths(), n.field) {
			told[n.family] = n.get(update.GetSettings()) == notifyAll
		}
	}
	return told
}

// openRecording opens a recording.
func (s *session) openRecording(file string) (r *recording.Reader, done func(), err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, cannotOpen(file, err)
	}
	r, err = recording.NewReader(f)
	if err != nil {
		f.Close()
		return nil, nil, usageError(fmt.Sprintf("Cannot read %q: %v", file, err))
	}
	return r, func() { f.Close() }, nil
}

// exposure prints a report.
func (p *printer) exposure(r *exposure.Report) {
	p.open("", '{')
	p.float("seconds", "seconds ", r.Length.Seconds(), 3)
	p.uint("prefixes", "prefixes ", r.Prefixes)
	p.uint("exposed_ever", "exposed_ever ", r.ExposedEver)
	p.uint("exposed_now", "exposed_now ", r.ExposedNow)
	p.uint("gaps", "gaps ", r.Gaps)
	p.text("\n")
	p.windows("", r.All)
	p.float("p50_ms", "p50_ms ", milliseconds(r.P50), 3)
	p.float("p90_ms", "p90_ms ", milliseconds(r.P90), 3)
	p.float("p99_ms", "p99_ms ", milliseconds(r.P99), 3)
	p.text("\n")
	for i, w := range r.ByCause {
		p.windowsOf(exposure.Cause(i).String(), w)
	}
	p.windowsOf("failed", r.Failed)
	p.open("top", '[')
	for _, x := range r.Top {
		p.open("", '{')
		p.str("dst", "", destination(x.Prefix))
		if x.Source != "" {
			p.str("from", "from ", destination(x.Source))
		}
		p.str("table", "table ", tableNames.name(x.Table))
		p.windows("", x.Windows)
		p.open("flags", '[')
		p.flag(x.Failed, "failed")
		p.flag(x.Exposed, "exposed")
		p.close(']')
		p.text("\n")
		p.close('}')
	}
	p.close(']')
	p.close('}')
	if r.All.Count == 0 {
		p.text("A daemon that advertises on accept would have drawn no traffic that hardware could not carry.\n")
		return
	}
	p.text(fmt.Sprintf("A daemon that advertises on accept would have drawn traffic to %s that hardware could not carry, for %s ms at the longest and "+
		"%s ms added up over all windows; waiting for the flag avoids that.\n", prefixCount(r.ExposedEver), milliText(r.All.Longest), milliText(r.All.Total)))
}

// windows prints a sum of windows.
func (p *printer) windows(before string, w exposure.Windows) {
	p.uint("windows", before+"windows ", w.Count)
	p.float("total_ms", "total_ms ", milliseconds(w.Total), 3)
	p.float("longest_ms", "longest_ms ", milliseconds(w.Longest), 3)
}

// windowsOf prints a sum of some windows, if there are any; as JSON always.
func (p *printer) windowsOf(which string, w exposure.Windows) {
	if w.Count == 0 && !p.json {
		return
	}
	if p.json {
		p.key(which)
	}
	p.open("", '{')
	p.windows(which+" ", w)
	p.close('}')
	p.text("\n")
}

// prefixCount is "1 prefix" or "n prefixes".
func prefixCount(n uint64) string {
	if n == 1 {
		return "1 prefix"
	}
	return grouped(n) + " prefixes"
}

// milliText is a duration in milliseconds as text.
func milliText(d time.Duration) string { return fmt.Sprintf("%.3f", milliseconds(d)) }
