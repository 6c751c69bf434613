package server_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

func (r *apiRig) ruleLines(family vasicv1.Family) (lines []string) {
	r.t.Helper()
	for _, rule := range must(r.rules.ListRules(r.ctx(), &vasicv1.ListRulesRequest{Family: family}))(r.t).Rules {
		lines = append(lines, fmt.Sprintf("%v %d table %d l3mdev=%t proto %d", rule.Family, rule.GetPriority(), rule.Table, rule.L3Mdev, rule.Protocol))
	}
	return lines
}

func (r *apiRig) createRule(rule *vasicv1.Rule) (*vasicv1.Rule, error) {
	res, err := r.rules.CreateRule(r.ctx(), &vasicv1.CreateRuleRequest{Rule: rule})
	return res.GetRule(), err
}

func (r *apiRig) deleteRule(rule *vasicv1.Rule) error {
	_, err := r.rules.DeleteRule(r.ctx(), &vasicv1.DeleteRuleRequest{Rule: rule})
	return err
}

func TestRulesSayWhichTablesAreAsked(t *testing.T) {
	inAPIBubble(t, server.Config{Profile: "netdevsim"}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		first := []string{
			"FAMILY_IPV4 0 table 255 l3mdev=false proto 2", "FAMILY_IPV4 32766 table 254 l3mdev=false proto 2", "FAMILY_IPV4 32767 table 253 l3mdev=false proto 2",
			"FAMILY_IPV6 0 table 255 l3mdev=false proto 2", "FAMILY_IPV6 32766 table 254 l3mdev=false proto 2",
		}
		wantEqual(t, "at first", r.ruleLines(0), first)
		r.add(good4(), good4(table(100), proto8(4)))
		lookup := func() uint32 {
			return must(r.routes.LookupRoute(r.ctx(), &vasicv1.LookupRouteRequest{Address: "198.51.100.7"}))(t).Route.Table
		}
		if got := lookup(); got != 254 {
			t.Errorf("table %d before the rule", got)
		}
		rule := must(r.createRule(&vasicv1.Rule{Family: family4, Table: 100, L3Mdev: true, Protocol: 9}))(t)
		if want := (&vasicv1.Rule{Family: family4, Priority: proto.Uint32(32765), Table: 100}); !proto.Equal(rule, want) {
			t.Errorf("created %v, want %v", rule, want)
		}
		if got := lookup(); got != 100 {
			t.Errorf("table %d after the rule", got)
		}
		must(r.createRule(&vasicv1.Rule{Family: family6, Table: 100, Priority: proto.Uint32(7)}))(t)
		wantEqual(t, "IPv6", r.ruleLines(family6), []string{
			first[3], "FAMILY_IPV6 7 table 100 l3mdev=false proto 0", first[4],
		})
		_, err := r.createRule(&vasicv1.Rule{Family: family6, Table: 100, Priority: proto.Uint32(7)})
		refused{codes.AlreadyExists, "RULE_EXISTS", "EEXIST", "", "", "priority 7 table 100"}.checkErr(t, err)
		for _, rule := range []*vasicv1.Rule{{Family: family4, Table: 100}, {Family: family6, Priority: proto.Uint32(7)}} {
			if err := r.deleteRule(rule); err != nil {
				t.Error(err)
			}
			refused{codes.NotFound, "RULE_NOT_FOUND", "ENOENT", "", "", ""}.checkErr(t, r.deleteRule(rule))
		}
		wantEqual(t, "at last", r.ruleLines(0), first)
	})
}

func TestRuleRefusals(t *testing.T) {
	create := func(r *apiRig, rule *vasicv1.Rule) error {
		_, err := r.createRule(rule)
		return err
	}
	inAPIBubble(t, server.Config{Profile: "netdevsim", Resources: map[string]uint64{"IPv4/fib-rules": 4, "IPv6/fib-rules": 2}}, func(t *testing.T, r *apiRig) {
		must(r.createRule(&vasicv1.Rule{Family: family4, Table: 7}))(t)
		synctest.Wait()
		before := r.everything()
		full := refused{codes.ResourceExhausted, "TABLE_FULL", "ENOSPC", "netdevsim: Exceeded number of supported fib rule entries", "", ""}
		for i, c := range []struct {
			err  error
			want refused
		}{
			{create(r, nil), malformed("rule", "is missing")},
			{create(r, &vasicv1.Rule{Table: 9}), malformed("rule.family", "is missing")},
			{create(r, &vasicv1.Rule{Family: 3, Table: 9}), unknownEnum("rule.family", "3")},
			{create(r, &vasicv1.Rule{Family: family4}), malformed("rule.table", "is missing")},
			{create(r, &vasicv1.Rule{Family: family4, Table: 9}), full},
			{create(r, &vasicv1.Rule{Family: family6, Table: 9}), full},
			{r.deleteRule(nil), malformed("rule", "is missing")},
			{r.deleteRule(&vasicv1.Rule{Family: family4}), malformed("rule", "has neither priority nor table")},
			{r.deleteRule(&vasicv1.Rule{Table: 7}), malformed("rule.family", "is missing")},
			{r.deleteRule(&vasicv1.Rule{Family: family6, Table: 7}), refused{codes.NotFound, "RULE_NOT_FOUND", "ENOENT", "", "", ""}},
		} {
			c.want.checkErr(named{t, fmt.Sprint("case ", i)}, c.err)
		}
		_, err := r.rules.ListRules(r.ctx(), &vasicv1.ListRulesRequest{Family: -1})
		unknownEnum("family", "-1").checkErr(t, err)
		r.unchanged(before)
	})
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		refused{codes.FailedPrecondition, "UNSUPPORTED", "EOPNOTSUPP", "FIB rules not supported", "", ""}.checkErr(t, create(r, &vasicv1.Rule{Family: family4, Table: 9}))
	})
}

func TestAVRFHasATableOfItsOwn(t *testing.T) {
	inAPIBubble(t, server.Config{Profile: "netdevsim"}, func(t *testing.T, r *apiRig) {
		vrf := must(r.links.CreateLink(r.ctx(), &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: "red", Type: "vrf", Table: 77}}))(t).Link
		if vrf.Type != "vrf" || vrf.Table != 77 {
			t.Errorf("created %v", vrf)
		}
		wantEqual(t, "rules", r.ruleLines(family4)[1:2], []string{"FAMILY_IPV4 1000 table 0 l3mdev=true proto 2"})
		got := must(r.setLink(&vasicv1.Link{Name: "swp1", Master: "red"}, "master"))(t)
		if got.Master != "red" || !got.Up {
			t.Errorf("enslaved: %v", got)
		}
		wantEqual(t, "table 77", prefixes(r.list(&vasicv1.RouteFilter{Table: 77, Family: family4})), []string{"10.0.1.0/24", "10.0.1.1/32", "10.0.1.255/32"})
		got = must(r.setLink(&vasicv1.Link{Name: "swp1"}, "up", "master"))(t)
		if got.Master != "" || got.Up {
			t.Errorf("released and down: %v", got)
		}
		wantEqual(t, "table 77", prefixes(r.list(&vasicv1.RouteFilter{Table: 77, Family: family4})), nil)

		link := func(l *vasicv1.Link) error {
			_, err := r.links.CreateLink(r.ctx(), &vasicv1.CreateLinkRequest{Link: l})
			return err
		}
		refused{codes.InvalidArgument, "MALFORMED", "EINVAL", "VRF table id is missing", "link.table", "is missing"}.checkErr(t, link(&vasicv1.Link{Name: "blue", Type: "vrf"}))
		malformed("link.table", `is for links of type "vrf"`).checkErr(t, link(&vasicv1.Link{Name: "blue", Table: 5}))
		_, err := r.setLink(&vasicv1.Link{Name: "swp1", Master: "blue"}, "master")
		noLink("", `"blue"`).checkErr(t, err)
		_, err = r.setLink(&vasicv1.Link{Name: "swp1", Master: "swp2"}, "master")
		refused{codes.InvalidArgument, "MALFORMED", "EOPNOTSUPP", "", "", `"swp2" is not a VRF`}.checkErr(t, err)
	})
}
