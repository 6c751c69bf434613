package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// auditRequest is a parsed `audit`.
type auditRequest struct {
	*vasicv1.AuditRequest
	check bool   // differences that no flag tells of make it fail
	vrf   string // whose table is meant; empty: Table says it
}

// parseAudit reads what stands behind `audit`.
func parseAudit(words []string, f vasicv1.Family) (*auditRequest, error) {
	a := &auditRequest{AuditRequest: &vasicv1.AuditRequest{Family: f}}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "table":
			a.Table, a.vrf = p.table(), ""
		case word == "vrf":
			a.vrf = p.word()
		case word == "root":
			x := p.prefixOf(p.word(), f)
			if p.err == nil {
				a.WithinPrefix, a.Family = x.String(), x.family
			}
		case word == "verdict":
			v := vasicv1.Verdict(p.oneOf(verdictWords, "", ""))
			if !slices.Contains(a.Verdicts, v) {
				a.Verdicts = append(a.Verdicts, v)
			}
		case word == "limit":
			a.Limit = p.positive("limit")
		case word == "check", word == "--check":
			a.check = true
		case word == "show", word == "list":
		case abbreviates(word, "help"):
			p.fail(helpError(usageAudit))
		default:
			p.fail(unknownWord("audit", word))
		}
	}
	return a, p.err
}

// shows says whether a result is one of those that were asked for.
func (a *auditRequest) shows(c *vasicv1.Comparison, shown uint64) bool {
	return (a.Limit == 0 || shown < a.Limit) && (len(a.Verdicts) == 0 || slices.Contains(a.Verdicts, c.GetVerdict()))
}

// audit is the object audit: the whole table, software against hardware.
func (s *session) audit(ctx context.Context, words []string) error {
	req, err := parseAudit(words, s.options.family)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if req.vrf != "" {
		if req.Table, err = vrfTable(ctx, c, req.vrf); err != nil {
			return err
		}
	}
	ask := req.AuditRequest
	if req.check { // what is not shown is still to be judged
		ask = proto.CloneOf(ask)
		ask.Limit = 0
		if len(ask.Verdicts) > 0 {
			ask.Verdicts = append(ask.Verdicts, vasicv1.Verdict_VERDICT_TRAPPED)
			slices.Sort(ask.Verdicts)
			ask.Verdicts = slices.Compact(ask.Verdicts)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Audits.Audit(ctx, ask)
	if err != nil {
		return err
	}
	var compared, differ atomic.Uint64
	var whole uint64 // routes of the switch, nearly the prefixes to compare
	if !isTerminal(s.env.Stdout) && isTerminal(s.env.Stderr) {
		whole = routeCount(ctx, c.Switch, ask.Family)
		bar := s.newProgress(func(width int) string {
			share, known := shareOf(int64(compared.Load()), int64(whole))
			return barLine(width, share, known && ask.Table == 0 && ask.WithinPrefix == "",
				fmt.Sprintf(" %s prefixes  %s differ", grouped(compared.Load()), grouped(differ.Load())))
		})
		defer bar.stop()
	}
	out := s.newPrinter()
	style := routeStyle{details: s.options.details, oneLine: true, reason: true}
	out.open("", '{')
	out.open("differences", '[')
	var last *vasicv1.AuditResponse
	var shown, hidden, quiet uint64 // hidden: no flag tells of it
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			out.close(']')
			out.close('}')
			return out.finish(err)
		}
		compared.Store(m.GetProgress())
		for _, r := range m.GetComparisons() {
			if r.GetVerdict() != vasicv1.Verdict_VERDICT_CONSISTENT {
				differ.Add(1)
			}
			if silent(r) {
				hidden++
				if r.GetVerdict() == vasicv1.Verdict_VERDICT_TRAPPED {
					quiet++
				}
			}
			if req.shows(r, shown) {
				shown++
				out.comparison(r, style)
			}
		}
		last = m
	}
	out.close(']')
	bad := out.totals(last) + quiet
	if req.check || req.Limit == 0 && len(req.Verdicts) == 0 { // otherwise not all of them came
		out.uint("silent", "silent ", hidden)
	}
	out.text("\n")
	out.close('}')
	if err := out.finish(nil); err != nil {
		return err
	}
	if req.check && bad > 0 {
		return &exitError{code: exitRefused, text: fmt.Sprintf("Error: hardware does something else than software for %d of %d prefixes.", bad, last.GetCompared())}
	}
	return nil
}

// totals prints the end of an audit and returns how many prefixes are neither consistent nor trapped.
func (p *printer) totals(last *vasicv1.AuditResponse) (bad uint64) {
	counts := map[vasicv1.Verdict]uint64{}
	for _, t := range last.GetTotals() {
		counts[t.GetVerdict()] += t.GetCount()
		switch t.GetVerdict() {
		case vasicv1.Verdict_VERDICT_CONSISTENT, vasicv1.Verdict_VERDICT_TRAPPED:
		default:
			bad += t.GetCount()
		}
	}
	p.uint("compared", "compared ", last.GetCompared())
	for _, v := range verdictWords {
		p.uint(v.word, v.word+" ", counts[vasicv1.Verdict(v.number)])
	}
	return bad
}

// routeCount is how many routes the switch has; 0 if it does not say.
func routeCount(ctx context.Context, c vasicv1.SwitchServiceClient, f vasicv1.Family) uint64 {
	status, err := c.GetStatus(ctx, &vasicv1.GetStatusRequest{})
	if err != nil {
		return 0
	}
	var n uint64
	for _, r := range status.GetRoutes() {
		if f == familyAny || strings.EqualFold(r.GetFamily(), "ipv6") == (f == family6) {
			n += r.GetCount()
		}
	}
	return n
}
