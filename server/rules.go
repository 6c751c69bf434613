package server

import (
	"context"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// ruleService is vasic.v1.RuleService.
type ruleService struct {
	vasicv1.UnimplementedRuleServiceServer
	s *Server
}

func ruleMessage(r *fib.Rule) *vasicv1.Rule {
	priority := r.Priority
	return &vasicv1.Rule{Family: familyMessage(r.Family), Priority: &priority, Table: r.Table, L3Mdev: r.L3mdev, Protocol: uint32(r.Protocol)}
}

// parseRuleFamily reads the family of a rule, which must be one.
func parseRuleFamily(m *vasicv1.Rule) (fib.Family, *refusal) {
	if m == nil {
		return 0, malformed("rule", "is missing")
	}
	families, bad := parseFamily("rule.family", m.Family)
	if bad == nil && len(families) != 1 {
		bad = malformed("rule.family", "is missing")
	}
	if bad != nil {
		return 0, bad
	}
	return families[0], nil
}

func (rs ruleService) CreateRule(_ context.Context, req *vasicv1.CreateRuleRequest) (*vasicv1.CreateRuleResponse, error) {
	family, bad := parseRuleFamily(req.Rule)
	if bad == nil && req.Rule.Table == 0 {
		bad = malformed("rule.table", "is missing")
	}
	if bad != nil {
		return nil, bad
	}
	rule := fib.Rule{Family: family, Table: req.Rule.Table, Priority: req.Rule.GetPriority()}
	rule, err := rs.s.fib.AddRule(rule, req.Rule.Priority != nil)
	if err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.CreateRuleResponse{Rule: ruleMessage(&rule)}, nil
}

func (rs ruleService) DeleteRule(_ context.Context, req *vasicv1.DeleteRuleRequest) (*vasicv1.DeleteRuleResponse, error) {
	family, bad := parseRuleFamily(req.Rule)
	if bad == nil && req.Rule.Priority == nil && req.Rule.Table == 0 {
		bad = malformed("rule", "has neither priority nor table")
	}
	if bad != nil {
		return nil, bad
	}
	return &vasicv1.DeleteRuleResponse{}, statusOf(rs.s.fib.DeleteRule(family, req.Rule.Priority, req.Rule.Table))
}

func (rs ruleService) ListRules(_ context.Context, req *vasicv1.ListRulesRequest) (*vasicv1.ListRulesResponse, error) {
	families, bad := parseFamily("family", req.Family)
	if bad != nil {
		return nil, bad
	}
	res := &vasicv1.ListRulesResponse{}
	for _, family := range families {
		list := rs.s.fib.Rules(family)
		for i := range list {
			res.Rules = append(res.Rules, ruleMessage(&list[i]))
		}
	}
	return res, nil
}
