package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

const (
	// lookupBatch is how many addresses go into one message.
	lookupBatch = 1024
	// lookupAhead is how many messages wait for their answers at most.
	lookupAhead = 8
)

// compareRequest is a parsed `lookup { ADDRESS... | -f { FILE | - } } [table T | vrf NAME]`.
type compareRequest struct {
	addresses []string
	file      string
	table     uint32
	vrf       string // whose table is meant; empty: table says it
}

// parseCompare reads what stands behind `lookup`.
func parseCompare(words []string, f vasicv1.Family) (*compareRequest, error) {
	r := &compareRequest{}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "-f", word == "--file", word == "file":
			if r.file != "" {
				p.fail(garbage("-f", word))
			}
			r.file = p.word()
		case word == "table":
			r.table, r.vrf = p.table(), ""
		case word == "vrf":
			r.vrf = p.word()
		case abbreviates(word, "help"):
			p.fail(helpError(usageAudit))
		default:
			addr, err := packetAddress(word, f)
			if err != nil {
				p.fail(err)
			}
			r.addresses = append(r.addresses, addr)
		}
	}
	switch {
	case p.err != nil:
	case len(r.addresses) == 0 && r.file == "":
		p.fail(usageError("Error: an address is needed, or a file of addresses behind -f."))
	case len(r.addresses) > 0 && r.file != "":
		p.fail(usageError("Error: either addresses or a file of them, not both."))
	}
	return r, p.err
}

// packetAddress reads the destination of a packet.
func packetAddress(word string, f vasicv1.Family) (string, error) {
	addr, err := parseAddress(word, f)
	switch {
	case err != nil:
		return "", err
	case addr.Is4In6():
		return "", usageError(fmt.Sprintf("Error: %q is an IPv4 address in the form of IPv6, which no packet has; is it %s?", word, addr.Unmap()))
	}
	return addr.String(), nil
}

// lookup is the object lookup: what software and hardware do with packets.
func (s *session) lookup(ctx context.Context, words []string) error {
	req, err := parseCompare(words, s.options.family)
	if err != nil {
		return err
	}
	if req.vrf != "" {
		if req.table, err = s.vrfTable(ctx, req.vrf); err != nil {
			return err
		}
	}
	l := &lookupRun{s: s, req: req, ahead: make(chan int, lookupAhead)}
	if req.file != "" {
		in, size, closeFile, err := s.openInput(ctx, req.file)
		if err != nil {
			return err
		}
		defer closeFile()
		l.read, l.size = &countingReader{in: in}, size
		if l.lines, err = newLoadLines(l.read); err != nil {
			return usageError(fmt.Sprintf("Cannot read %q: %v", req.file, err))
		}
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if l.stream, err = c.Audits.CompareAddresses(ctx); err != nil {
		return err
	}
	var bar *progress
	if l.lines != nil && !isTerminal(s.env.Stdout) {
		bar = s.newProgress(l.line)
	}
	sent := make(chan error, 1)
	go func() { sent <- l.send(ctx) }()
	err = l.receive()
	cancel() // the sender may wait
	unsent := <-sent
	bar.stop()
	for _, e := range l.bad {
		s.warnf("%s", e)
	}
	if rest := l.unreadable - len(l.bad); rest > 0 {
		s.warnf("… and %d more.", rest)
	}
	switch {
	case err != nil:
		return err
	case unsent != nil:
		return unsent
	case l.unreadable > 0:
		return &exitError{code: exitUsage}
	}
	return nil
}

// openInput opens a file, or standard input if it is "-", and says how large it is, or 0.
func (s *session) openInput(ctx context.Context, file string) (in io.Reader, size int64, closeFile func(), err error) {
	if file == "-" {
		return s.stdin(ctx), 0, func() {}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, nil, cannotOpen(file, err)
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, func() { f.Close() }, nil
}

// lookupRun is a lookup in progress. One goroutine sends, another one receives.
type lookupRun struct {
	s      *session
	req    *compareRequest
	stream vasicv1.AuditService_CompareAddressesClient
	ahead  chan int // sizes of the messages that wait for an answer

	// Of a file; nil or 0 without one. They belong to the sender, but for the bytes that were read.
	lines      *loadLines
	read       *countingReader
	size       int64
	bad        []string // the first few lines that cannot be read
	unreadable int

	answered atomic.Uint64
	differ   atomic.Uint64
}

// send sends all addresses.
func (l *lookupRun) send(ctx context.Context) error {
	batch := make([]string, 0, lookupBatch)
	flush := func() bool {
		if len(batch) == 0 {
			return true
		}
		select {
		case l.ahead <- len(batch):
		case <-ctx.Done():
			return false
		}
		// What is wrong with the stream is for receive to say.
		ok := l.stream.Send(&vasicv1.CompareAddressesRequest{Addresses: batch, Table: l.req.table}) == nil
		batch = batch[:0]
		return ok
	}
	for addr, ok := l.next(); ok; addr, ok = l.next() {
		if batch = append(batch, addr); len(batch) == lookupBatch && !flush() {
			return nil
		}
	}
	if !flush() {
		return nil
	}
	close(l.ahead)
	if err := l.stream.CloseSend(); err != nil {
		return err
	}
	if l.lines != nil && l.lines.err != nil && !errors.Is(l.lines.err, io.EOF) {
		return usageError(fmt.Sprintf("Cannot read %q after line %d: %v", l.req.file, l.lines.number, l.lines.err))
	}
	return nil
}

// next is the next address: of a file the first word of a line, unless that is a comment.
func (l *lookupRun) next() (string, bool) {
	if l.lines == nil {
		if len(l.req.addresses) == 0 {
			return "", false
		}
		addr := l.req.addresses[0]
		l.req.addresses = l.req.addresses[1:]
		return addr, true
	}
	for {
		line, ok := l.lines.next()
		if !ok {
			return "", false
		}
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		addr, err := packetAddress(line, l.s.options.family)
		if err == nil {
			return addr, true
		}
		if l.unreadable++; len(l.bad) < shownErrors {
			l.bad = append(l.bad, fmt.Sprintf("%s:%d: %s", l.req.file, l.lines.number, l.s.messageOf(err)))
		}
	}
}

// receive prints the answers.
func (l *lookupRun) receive() error {
	p := l.s.newPrinter()
	style := routeStyle{details: l.s.options.details, oneLine: true, reason: true}
	p.open("", '[')
	var err error
	for err == nil {
		var m *vasicv1.CompareAddressesResponse
		if m, err = l.stream.Recv(); err != nil {
			break
		}
		<-l.ahead
		for _, c := range m.GetComparisons() {
			if c.GetVerdict() != vasicv1.Verdict_VERDICT_CONSISTENT {
				l.differ.Add(1)
			}
			p.comparison(c, style)
		}
		l.answered.Add(uint64(len(m.GetComparisons())))
		if len(l.ahead) == 0 {
			err = p.w.Flush() // whoever writes the addresses may wait for the answers
		}
	}
	p.close(']')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return p.finish(err)
}

// line is what is drawn of the progress.
func (l *lookupRun) line(width int) string {
	share, known := shareOf(l.read.bytes.Load(), l.size)
	return barLine(width, share, known, fmt.Sprintf(" %s addresses  %s differ", grouped(l.answered.Load()), grouped(l.differ.Load())))
}

// verdictWords are the words for verdicts.
var verdictWords = names{
	{"consistent", uint32(vasicv1.Verdict_VERDICT_CONSISTENT)},
	{"pending", uint32(vasicv1.Verdict_VERDICT_PENDING)},
	{"trapped", uint32(vasicv1.Verdict_VERDICT_TRAPPED)},
	{"blackholed", uint32(vasicv1.Verdict_VERDICT_BLACKHOLED)},
	{"misrouted", uint32(vasicv1.Verdict_VERDICT_MISROUTED)},
}

// comparison prints a line that says what software and hardware do, and both routes below it if that is not the same, or with details.
func (p *printer) comparison(c *vasicv1.Comparison, style routeStyle) {
	p.open("", '{')
	subject := c.GetAddress()
	if subject != "" {
		p.str("address", "", subject)
	} else {
		prefix, table := c.GetSoftware().GetPrefix(), c.GetSoftware().GetTable()
		if c.GetSoftware() == nil {
			prefix, table = c.GetHardware().GetPrefix(), c.GetHardware().GetTable()
		}
		p.str("dst", "", destination(prefix))
		if table != tableMain || style.details {
			p.str("table", "table ", tableNames.name(table))
		}
	}
	p.str("verdict", "", verdictWords.name(uint32(c.GetVerdict())))
	if silent(c) {
		p.boolean("silent")
		p.text("silent ")
	}
	if p.json {
		if r := c.GetSoftware(); r != nil {
			p.key("software")
			p.route(routeLine{Route: r}, style)
		}
		if h := c.GetHardware(); h != nil {
			p.key("hardware")
			p.hardware(h)
		}
		p.close('}')
		return
	}
	p.text("software ")
	p.text(orNone(destination(c.GetSoftware().GetPrefix())))
	p.text(" hardware ")
	p.text(orNone(destination(c.GetHardware().GetPrefix())))
	if c.GetHardware() != nil {
		p.text(" " + c.GetHardware().GetAction())
	}
	p.text(" \n")
	if c.GetVerdict() == vasicv1.Verdict_VERDICT_CONSISTENT && !style.details {
		return
	}
	if r := c.GetSoftware(); r != nil {
		p.text("\tsoftware ")
		p.route(routeLine{Route: r}, style)
	}
	if h := c.GetHardware(); h != nil {
		p.text("\thardware ")
		p.hardware(h)
		p.text("\n")
	}
}

// orNone is text, or "none".
func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// hardware prints what the chip has.
func (p *printer) hardware(h *vasicv1.HardwareEntry) {
	p.open("", '{')
	p.str("dst", "", destination(h.GetPrefix()))
	if h.GetTable() != tableMain {
		p.str("table", "table ", tableNames.name(h.GetTable()))
	}
	p.str("action", "", h.GetAction())
	six := familyOf(h.GetPrefix()) == family6
	if len(h.GetNextHops()) == 1 {
		p.nextHop(h.GetNextHops()[0], six, routeStyle{})
	} else if len(h.GetNextHops()) > 1 {
		p.open("nexthops", '[')
		for _, nh := range h.GetNextHops() {
			p.multipathNextHop(nh, six, routeStyle{oneLine: true})
		}
		p.close(']')
	}
	if h.GetGroup() != 0 {
		p.uint("group", "group ", uint64(h.GetGroup()))
	}
	if h.GetTrappedSlots() != 0 {
		p.uint("trapped_slots", "trapped_slots ", uint64(h.GetTrappedSlots()))
	}
	p.uint("generation", "generation ", h.GetGeneration())
	p.close('}')
}

// silent says whether hardware does something else than software and the route's flags do not say so.
func silent(c *vasicv1.Comparison) bool {
	r := c.GetSoftware()
	failed := r.GetOffloadFailed()
	for _, h := range r.GetNextHops() { // siblings of an IPv6 route have flags of their own
		failed = failed || h.GetSiblingOffloadFailed()
	}
	switch c.GetVerdict() {
	case vasicv1.Verdict_VERDICT_TRAPPED:
		return r != nil && !r.GetTrap() && !failed
	case vasicv1.Verdict_VERDICT_BLACKHOLED, vasicv1.Verdict_VERDICT_MISROUTED:
		return r != nil && !failed
	}
	return false
}
