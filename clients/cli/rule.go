package cli

import (
	"context"
	"errors"
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// protocolKernel is that of rules that the switch itself has made.
const protocolKernel = 2

// rule is the object rule.
func (s *session) rule(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.ruleShow(ctx, nil)
	}
	command, words := words[0], words[1:]
	switch {
	case isShow(command):
		return s.ruleShow(ctx, words)
	case abbreviates(command, "add"):
		return s.ruleModify(ctx, words, true)
	case abbreviates(command, "delete"):
		return s.ruleModify(ctx, words, false)
	case abbreviates(command, "flush"):
		return s.ruleFlush(ctx, words)
	case command == "save", command == "restore":
		return notSupported("rule " + command)
	case abbreviates(command, "help"):
		return helpError(usageRule)
	}
	return unknownCommand(command, "rule")
}

// ruleConditions are words of ip for what rules here cannot ask of a packet, or do with it.
var ruleConditions = []string{
	"not", "tos", "dsfield", "fwmark", "realms", "tun_id", "suppress_prefixlength", "sup_pl", "suppress_ifgroup", "sup_group", "dev", "iif", "oif", "l3mdev",
	"uidrange", "nat", "map-to", "ipproto", "sport", "dport", "goto", "nop",
}

// condition refuses word if it is a condition of ip that rules here do not have, and says whether it is.
func (p *parser) condition(word string) bool {
	for _, w := range ruleConditions {
		if word == w {
			p.fail(notSupported("rule " + word))
			return true
		}
	}
	return false
}

// everything takes the prefix behind from or to, which has to be that of all addresses.
func (p *parser) everything(f vasicv1.Family, word string) {
	w := p.word()
	if p.err != nil {
		return
	}
	x, err := parsePrefix(w, f)
	switch {
	case err != nil:
		p.fail(err)
	case x.bits != 0:
		p.fail(notSupported("rule " + word + " " + w))
	}
}

// priority takes the preference of a rule.
func (p *parser) priority() *uint32 {
	w := p.word()
	n, ok := parseUint(w, 32)
	if !ok && p.err == nil {
		p.fail(wrongArgument(w, "preference value is invalid"))
	}
	priority := uint32(n)
	return &priority
}

// isPriority says whether word names the preference of a rule.
func isPriority(word string) bool {
	return abbreviates(word, "preference") || abbreviates(word, "order") || abbreviates(word, "priority")
}

// isLookup says whether word names the table of a rule; a single letter means something else in ip.
func isLookup(word string) bool {
	return len(word) > 1 && (abbreviates(word, "table") || abbreviates(word, "lookup"))
}

// parseRule reads [from all] [to all] [pref NUMBER] [table TABLE_ID]. The family is IPv4 if nothing else is said, and the table
// of a new rule is main.
func parseRule(words []string, f vasicv1.Family, add bool) (*vasicv1.Rule, error) {
	if f == familyAny {
		f = family4
	}
	r := &vasicv1.Rule{Family: f}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "from", word == "to":
			p.everything(f, word)
		case isPriority(word):
			r.Priority = p.priority()
		case p.condition(word):
		case isLookup(word):
			w := p.word()
			var ok bool
			if r.Table, ok = tableNames.parse(w, 32); !ok && p.err == nil {
				p.fail(wrongArgument(w, "invalid table ID"))
			}
		case abbreviates(word, "protocol"):
			w := p.word()
			n, ok := protocolNames.parse(w, 8)
			switch {
			case p.err != nil:
			case !ok:
				p.fail(wrongArgument(w, `"protocol" value is invalid`))
			case n != 0:
				p.fail(notSupported("rule protocol " + w))
			}
		default:
			if word == "type" {
				word = p.word()
			}
			switch t, ok := parseRouteType(word); {
			case p.err != nil:
			case abbreviates(word, "help"):
				p.fail(helpError(usageRule))
			case !ok:
				p.fail(wrongWord(word, "Failed to parse rule type"))
			case t != vasicv1.RouteType_ROUTE_TYPE_UNICAST:
				p.fail(notSupported("rule " + word))
			}
		}
	}
	if add && r.Table == 0 {
		r.Table = tableMain
	}
	return r, p.err
}

// ruleModify makes a rule or deletes one.
func (s *session) ruleModify(ctx context.Context, words []string, add bool) error {
	if !add && len(words) == 0 {
		return usageError(`"vasicctl rule del" requires arguments.`)
	}
	r, err := parseRule(words, s.options.family, add)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if add {
		_, err = c.Rules.CreateRule(ctx, &vasicv1.CreateRuleRequest{Rule: r})
	} else {
		_, err = c.Rules.DeleteRule(ctx, &vasicv1.DeleteRuleRequest{Rule: r})
	}
	return err
}

// ruleSelector says which rules `rule show` and `rule flush` mean. A field that is nil or zero selects all.
type ruleSelector struct {
	family   vasicv1.Family
	priority *uint32
	table    uint32
	proto    uint32
}

// parseRuleSelector reads a SELECTOR.
func parseRuleSelector(words []string, f vasicv1.Family) (*ruleSelector, error) {
	s := &ruleSelector{family: f}
	if s.family == familyAny {
		s.family = family4
	}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case isPriority(word):
			s.priority = p.priority()
		case word == "from", word == "to":
			p.everything(f, word)
		case p.condition(word):
		case isLookup(word):
			w := p.word()
			var ok bool
			if s.table, ok = tableNames.parse(w, 32); !ok && p.err == nil {
				p.fail(wrongArgument(w, "table id value is invalid"))
			}
		case abbreviates(word, "protocol"):
			w := p.word()
			var ok bool
			if s.proto, ok = protocolNames.parse(w, 8); !ok && p.err == nil {
				p.fail(wrongArgument(w, `invalid "protocol"`))
			}
		case word == "help":
			p.fail(helpError(usageRule))
		default:
			if x, err := parsePrefix(word, s.family); err != nil {
				p.fail(err)
			} else if x.bits != 0 {
				p.fail(notSupported("rule from " + word))
			}
		}
	}
	return s, p.err
}

// list returns what the selector means, in order.
func (s *ruleSelector) list(ctx context.Context, c *vasic.Client) ([]*vasicv1.Rule, error) {
	resp, err := c.Rules.ListRules(ctx, &vasicv1.ListRulesRequest{Family: s.family})
	var rules []*vasicv1.Rule
	for _, r := range resp.GetRules() {
		if (s.priority == nil || *s.priority == r.GetPriority()) && (s.table == 0 || s.table == r.GetTable()) && (s.proto == 0 || s.proto == r.GetProtocol()) {
			rules = append(rules, r)
		}
	}
	return rules, err
}

// ruleShow lists rules.
func (s *session) ruleShow(ctx context.Context, words []string) error {
	sel, err := parseRuleSelector(words, s.options.family)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	rules, err := sel.list(ctx, c)
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '[')
	for _, r := range rules {
		p.rule(r, s.options.details)
	}
	p.close(']')
	return p.finish(nil)
}

// rule prints a rule, as text with its new line and, as ip does, without a space in front of it.
func (p *printer) rule(r *vasicv1.Rule, details bool) {
	proto := ""
	if r.Protocol != 0 && r.Protocol != protocolKernel || details {
		proto = protocolNames.name(r.Protocol)
	}
	if !p.json {
		table := "[l3mdev-table]"
		if !r.L3Mdev {
			table = tableNames.name(r.Table)
		}
		p.text(fmt.Sprintf("%d:\tfrom all lookup %s", r.GetPriority(), table))
		if proto != "" {
			p.text(" proto " + proto)
		}
		p.text("\n")
		return
	}
	p.open("", '{')
	p.uint("priority", "", uint64(r.GetPriority()))
	p.str("src", "", "all")
	if r.L3Mdev {
		p.null("l3mdev", "")
	} else {
		p.str("table", "", tableNames.name(r.Table))
	}
	if proto != "" {
		p.str("protocol", "", proto)
	}
	p.close('}')
}

// ruleFlush deletes rules: those that words mean, but never those of priority 0, as ip has it. What has gone meanwhile is no error.
func (s *session) ruleFlush(ctx context.Context, words []string) error {
	sel, err := parseRuleSelector(words, s.options.family)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	rules, err := sel.list(ctx, c)
	for _, r := range rules {
		if r.GetPriority() == 0 {
			continue
		}
		_, deleteErr := c.Rules.DeleteRule(ctx, &vasicv1.DeleteRuleRequest{Rule: &vasicv1.Rule{Family: r.Family, Priority: r.Priority, Table: r.Table}})
		if deleteErr != nil && !errors.Is(deleteErr, vasic.ErrRuleNotFound) && err == nil {
			err = deleteErr
		}
	}
	return err
}
