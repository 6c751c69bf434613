package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// knobs are the faults that can be switched on and off, under netdevsim's names.
var knobs = []struct {
	name string
	get  func(*vasicv1.Settings) bool
	set  func(*vasicv1.Settings, bool)
}{
	{"fail_route_offload", (*vasicv1.Settings).GetFailRouteOffload, func(s *vasicv1.Settings, b bool) { s.FailRouteOffload = b }},
	{"fail_route_delete", (*vasicv1.Settings).GetFailRouteDelete, func(s *vasicv1.Settings, b bool) { s.FailRouteDelete = b }},
	{"fail_reload", (*vasicv1.Settings).GetFailReload, func(s *vasicv1.Settings, b bool) { s.FailReload = b }},
	{"dont_allow_reload", (*vasicv1.Settings).GetDontAllowReload, func(s *vasicv1.Settings, b bool) { s.DontAllowReload = b }},
}

// fault is the object fault.
func (s *session) fault(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.faultShow(ctx)
	}
	command := words[0]
	p := parser{words: words[1:]}
	switch {
	case isShow(command), abbreviates(command, "list"):
		if abbreviates(p.peek(), "help") {
			return helpError(usageFault)
		}
		if err := p.end("show"); err != nil {
			return err
		}
		return s.faultShow(ctx)
	case abbreviates(command, "set"):
		return s.faultSet(ctx, &p)
	case abbreviates(command, "add"):
		return s.faultAdd(ctx, &p)
	case abbreviates(command, "delete"):
		return s.faultDelete(ctx, &p)
	case abbreviates(command, "help"):
		return helpError(usageFault)
	}
	return unknownCommand(command, "fault")
}

// faultSet switches a fault on or off: NAME {on|off}, where netdevsim's y, n, 1 and 0 will do too.
func (s *session) faultSet(ctx context.Context, p *parser) error {
	name := p.word()
	next := &vasicv1.Settings{}
	known := false
	for _, k := range knobs {
		if k.name == name {
			known = true
			k.set(next, p.yesNo(name))
		}
	}
	if !known && p.err == nil {
		var all []string
		for _, k := range knobs {
			all = append(all, k.name)
		}
		p.fail(usageError(fmt.Sprintf("Error: %q is not a fault; there are %s.", name, strings.Join(all, ", "))))
	}
	if err := p.end(name); err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	_, err = c.Switch.UpdateSettings(ctx, &vasicv1.UpdateSettingsRequest{Settings: next, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{name}}})
	return err
}

// yesNo reads on or off as netdevsim's files do.
func (p *parser) yesNo(name string) bool {
	switch p.peek() {
	case "y", "Y", "1":
		p.word()
		return true
	case "n", "N", "0":
		p.word()
		return false
	}
	return p.onOff(name)
}

// faultOperations are the words for what a fault rule applies to.
var faultOperations = names{
	{"any", uint32(vasicv1.FaultOperation_FAULT_OPERATION_UNSPECIFIED)},
	{"add", uint32(vasicv1.FaultOperation_FAULT_OPERATION_ADD)},
	{"replace", uint32(vasicv1.FaultOperation_FAULT_OPERATION_REPLACE)},
	{"append", uint32(vasicv1.FaultOperation_FAULT_OPERATION_APPEND)},
	{"delete", uint32(vasicv1.FaultOperation_FAULT_OPERATION_DELETE)},
	{"nexthop", uint32(vasicv1.FaultOperation_FAULT_OPERATION_NEXTHOP)},
}

// failureReasons are the words for why hardware fails.
var failureReasons = names{
	{"table_full", uint32(vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL)},
	{"injected", uint32(vasicv1.FailureReason_FAILURE_REASON_INJECTED)},
	{"unsupported", uint32(vasicv1.FailureReason_FAILURE_REASON_UNSUPPORTED)},
	{"hardware_error", uint32(vasicv1.FailureReason_FAILURE_REASON_HARDWARE_ERROR)},
}

// maxDelay is how much longer a rule can make an operation take.
const maxDelay = time.Hour

// faultAdd makes a rule.
func (s *session) faultAdd(ctx context.Context, p *parser) error {
	f, vrf, err := parseFault(p, s.options.family)
	if err != nil {
		return err
	}
	if vrf != "" {
		if f.Table, err = s.vrfTable(ctx, vrf); err != nil {
			return err
		}
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	resp, err := c.Faults.CreateFault(ctx, &vasicv1.CreateFaultRequest{Fault: f})
	if err != nil {
		return err
	}
	out := s.newPrinter()
	out.fault(resp.GetFault())
	return out.finish(nil)
}

// parseFault reads a rule, and the VRF whose table it is for, if one is named. Its parts may stand in any order, each once.
func parseFault(p *parser, family vasicv1.Family) (f *vasicv1.Fault, vrf string, err error) {
	f = &vasicv1.Fault{Family: family}
	seen := map[string]string{} // the word for each part
	once := func(part, word string) {
		switch before := seen[part]; before {
		case "":
		case word:
			p.fail(garbage(word, word))
		default:
			p.fail(usageError(fmt.Sprintf("Error: either %q or %q, not both.", before, word)))
		}
		seen[part] = word
	}
	for p.more() {
		word := p.word()
		switch word {
		case "family":
			once("family", "family")
			f.Family = p.family()
		case "table":
			once("table", word)
			f.Table = p.table()
		case "vrf":
			once("table", word)
			vrf = p.word()
		case "op", "operation":
			once("op", word)
			f.Operation = vasicv1.FaultOperation(p.oneOf(faultOperations, "del", "delete"))
		case "fail":
			once("effect", word)
			f.Fail = true
		case "reason":
			once("reason", word)
			f.Reason = vasicv1.FailureReason(p.oneOf(failureReasons, "", ""))
		case "delay":
			once("effect", word)
			f.Delay = durationpb.New(p.duration("delay", maxDelay))
		case "stall":
			once("effect", word)
			f.Stall = true
		case "first":
			once("turn", word)
			f.First = p.positive("first")
		case "every":
			once("turn", word)
			f.Every = p.positive("every")
		case "probability":
			once("turn", word)
			f.Probability = p.probability()
		case "help":
			p.fail(helpError(usageFault))
		default:
			if word == "prefix" {
				word = p.word()
			}
			if f.Prefix != "" {
				p.fail(garbage("prefix", word))
			}
			if x := p.prefixOf(word, f.Family); p.err == nil {
				f.Prefix = x.String()
			}
		}
	}
	switch {
	case p.err != nil:
	case seen["effect"] == "":
		p.fail(usageError(`Error: a fault needs one of "fail", "delay" and "stall".`))
	case seen["reason"] != "" && !f.Fail:
		p.fail(usageError(`Error: only a fault with "fail" has a reason.`))
	case f.Prefix != "" && f.Family != familyAny && familyOf(f.Prefix) != f.Family:
		p.fail(wrongWord(f.Prefix, "the prefix is of another family"))
	}
	return f, vrf, p.err
}

// faultDelete removes a rule, or all.
func (s *session) faultDelete(ctx context.Context, p *parser) error {
	var id uint64
	p.take("id")
	if !p.take("all") {
		id = p.positive("id")
	}
	if err := p.end("id"); err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	_, err = c.Faults.DeleteFault(ctx, &vasicv1.DeleteFaultRequest{Id: id})
	return err
}

// faultShow lists the faults that are switched on or off, and the rules.
func (s *session) faultShow(ctx context.Context) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	settings, err := c.Switch.GetSettings(ctx, &vasicv1.GetSettingsRequest{})
	if err != nil {
		return err
	}
	rules, err := c.Faults.ListFaults(ctx, &vasicv1.ListFaultsRequest{})
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '{')
	for _, k := range knobs {
		state := "off"
		if k.get(settings.GetSettings()) {
			state = "on"
		}
		p.str(k.name, k.name+" ", state)
		p.text("\n")
	}
	p.open("rules", '[')
	for _, f := range rules.GetFaults() {
		p.fault(f)
	}
	p.close(']')
	p.close('}')
	return p.finish(nil)
}

// fault prints a rule as it is written, with its counts.
func (p *printer) fault(f *vasicv1.Fault) {
	p.open("", '{')
	p.uint("id", "fault ", f.GetId())
	if f.GetPrefix() != "" {
		p.str("prefix", "prefix ", f.GetPrefix())
	}
	if f.GetFamily() != familyAny {
		p.str("family", "family ", familyWord(f.GetFamily()))
	}
	if f.GetTable() != 0 {
		p.str("table", "table ", tableNames.name(f.GetTable()))
	}
	if f.GetOperation() != vasicv1.FaultOperation_FAULT_OPERATION_UNSPECIFIED {
		p.str("op", "op ", faultOperations.name(uint32(f.GetOperation())))
	}
	switch {
	case f.GetFail():
		p.str("effect", "", "fail")
		reason := f.GetReason()
		if reason == vasicv1.FailureReason_FAILURE_REASON_UNSPECIFIED {
			reason = vasicv1.FailureReason_FAILURE_REASON_INJECTED
		}
		p.str("reason", "reason ", failureReasons.name(uint32(reason)))
	case f.GetStall():
		p.str("effect", "", "stall")
	case f.GetDelay() != nil:
		p.str("effect", "", "delay")
		if p.json {
			p.float("delay_ms", "", milliseconds(f.GetDelay().AsDuration()), 3)
		} else {
			p.str("", "", f.GetDelay().AsDuration().String())
		}
	}
	if f.GetFirst() != 0 {
		p.uint("first", "first ", f.GetFirst())
	}
	if f.GetEvery() != 0 {
		p.uint("every", "every ", f.GetEvery())
	}
	if f.GetProbability() != 0 {
		p.float("probability", "probability ", f.GetProbability(), -1)
	}
	p.uint("matched", "matched ", f.GetMatched())
	p.uint("hits", "hits ", f.GetHits())
	p.close('}')
	p.text("\n")
}

// family takes the name of a family.
func (p *parser) family() vasicv1.Family {
	var o options
	o.parseFamily(p, p.word())
	return o.family
}

// table takes a table, or all, which is 0.
func (p *parser) table() uint32 {
	w := p.word()
	n, ok := tableNames.parse(w, 32)
	if !ok && w != "all" && p.err == nil {
		p.fail(wrongWord(w, "table id value is invalid"))
	}
	return n
}

// oneOf takes a word of a table; alias is another one for it.
func (p *parser) oneOf(t names, alias, means string) uint32 {
	w := strings.ToLower(p.word())
	if w == alias {
		w = means
	}
	n, ok := t.lookup(w)
	if !ok && p.err == nil {
		var all []string
		for _, x := range t {
			all = append(all, x.word)
		}
		p.fail(wrongWord(w, "there are "+strings.Join(all, ", ")))
	}
	return n
}

// positive takes a number from 1 on.
func (p *parser) positive(name string) uint64 {
	n := p.number64(name)
	if n == 0 && p.err == nil {
		p.fail(wrongWord("0", fmt.Sprintf("%q starts at 1", name)))
	}
	return n
}

// probability takes a number above 0 and up to 1.
func (p *parser) probability() float64 {
	w := p.word()
	x, err := strconv.ParseFloat(w, 64)
	if (err != nil || !(x > 0 && x <= 1)) && p.err == nil {
		p.fail(wrongWord(w, "a probability is above 0 and at most 1"))
	}
	return x
}

// duration takes a time up to limit: a number of milliseconds, or with units as in 1m30s or 20us.
func (p *parser) duration(name string, limit time.Duration) time.Duration {
	w := p.word()
	text := w
	if _, ok := parseUint(w, 64); ok {
		text += "ms"
	}
	d, err := time.ParseDuration(text)
	if (err != nil || d <= 0 || d > limit) && p.err == nil {
		p.fail(wrongWord(w, fmt.Sprintf("%q is a time above 0 and up to %s, as 250ms or 1m30s", name, limit)))
	}
	return d
}

// prefixOf reads a prefix; its bits behind its length must be 0.
func (p *parser) prefixOf(word string, f vasicv1.Family) prefix {
	if p.err != nil {
		return prefix{}
	}
	x, err := parsePrefix(word, f)
	if err != nil {
		p.fail(err)
		return prefix{}
	}
	if x = x.in(f); x.masked() != x {
		p.fail(wrongWord(word, fmt.Sprintf("bits are set behind the length; is it %s?", x.masked())))
	}
	return x
}
