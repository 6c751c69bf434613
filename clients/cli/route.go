package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// route is the object route.
func (s *session) route(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.routeShow(ctx, nil)
	}
	command, words := words[0], words[1:]
	if isShow(command) {
		return s.routeShow(ctx, words)
	}
	if action, ok := parseAction(command); ok {
		return s.routeModify(ctx, action, words)
	}
	switch {
	case abbreviates(command, "get"):
		return s.routeGet(ctx, words)
	case abbreviates(command, "flush"):
		return s.routeFlush(ctx, words)
	case abbreviates(command, "load"):
		return s.routeLoad(ctx, words)
	case command == "test", command == "save", command == "restore", command == "showdump":
		return notSupported("route " + command)
	case abbreviates(command, "help"):
		return helpError(usageRoute)
	}
	return unknownCommand(command, "route")
}

// isShow says whether command lists.
func isShow(command string) bool {
	return abbreviates(command, "list") || abbreviates(command, "show") || abbreviates(command, "lst")
}

// unknownCommand is ip's message for a command that an object does not have.
func unknownCommand(command, object string) error {
	return usageError(fmt.Sprintf(`Command %q is unknown, try "vasicctl %s help".`, command, object))
}

// parseAction reads the command that changes routes.
func parseAction(command string) (vasicv1.RouteAction, bool) {
	for _, a := range []struct {
		word   string
		action vasicv1.RouteAction
	}{
		{"add", vasicv1.RouteAction_ROUTE_ACTION_ADD},
		{"change", vasicv1.RouteAction_ROUTE_ACTION_CHANGE},
		{"chg", vasicv1.RouteAction_ROUTE_ACTION_CHANGE},
		{"replace", vasicv1.RouteAction_ROUTE_ACTION_REPLACE},
		{"prepend", vasicv1.RouteAction_ROUTE_ACTION_PREPEND},
		{"append", vasicv1.RouteAction_ROUTE_ACTION_APPEND},
		{"delete", vasicv1.RouteAction_ROUTE_ACTION_DELETE},
	} {
		if abbreviates(command, a.word) {
			return a.action, true
		}
	}
	return vasicv1.RouteAction_ROUTE_ACTION_UNSPECIFIED, false
}

// routeModify adds, replaces, changes, appends, prepends or deletes one route.
func (s *session) routeModify(ctx context.Context, action vasicv1.RouteAction, words []string) error {
	var opts []vasic.ModifyOption
	if rest, wait := without(words, "--wait"); wait {
		words, opts = rest, append(opts, vasic.WaitForHardware())
	}
	var parser routeParser
	route, err := parser.parse(action, s.options.family, words)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if parser.vrf != "" {
		if route.Table, err = vrfTable(ctx, c, parser.vrf); err != nil {
			return err
		}
	}
	result, err := c.ModifyRoute(ctx, action, route, opts...)
	if err != nil {
		return s.withDevice(ctx, c, err, route)
	}
	if result.Warning != "" {
		s.warnf("Warning: %s.", sentence(result.Warning))
	}
	if result.Status == vasicv1.OperationStatus_OPERATION_STATUS_FAILED {
		return &exitError{code: exitRefused, text: fmt.Sprintf("Error: hardware did not take the route: %s.", failureText(result.FailureReason))}
	}
	if result.Status == vasicv1.OperationStatus_OPERATION_STATUS_TRAPPED && result.FailureReason == vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL {
		s.warnf("Warning: hardware has no room for the route's next hops; packets go to the CPU.")
	}
	return nil
}

// withDevice replaces the error of a route with a device that is not there by the words and the exit code of ip, which looks for
// devices before it asks the kernel.
func (s *session) withDevice(ctx context.Context, c *vasic.Client, err error, route *vasicv1.Route) error {
	named := slices.ContainsFunc(route.GetNextHops(), func(nh *vasicv1.NextHop) bool { return nh.GetDevice() != "" })
	if e, ok := vasic.AsError(err); !ok || e.Reason == 0 || !named {
		return err
	}
	known := map[string]bool{}
	if resp, listErr := c.Links.ListLinks(ctx, &vasicv1.ListLinksRequest{}); listErr == nil {
		for _, l := range resp.GetLinks() {
			known[l.GetName()] = true
		}
	}
	for _, nh := range route.GetNextHops() {
		if nh.GetDevice() != "" && !known[nh.GetDevice()] {
			return noDevice(nh.GetDevice())
		}
	}
	return err
}

// noDevice is ip's message for a device that is not there.
func noDevice(name string) error { return usageError(fmt.Sprintf("Cannot find device %q", name)) }

// failureText says why hardware failed.
func failureText(r vasicv1.FailureReason) string {
	switch r {
	case vasicv1.FailureReason_FAILURE_REASON_TABLE_FULL:
		return "its table is full"
	case vasicv1.FailureReason_FAILURE_REASON_INJECTED:
		return "a fault rule or fail_route_offload made it fail (vasicctl fault shows them)"
	case vasicv1.FailureReason_FAILURE_REASON_UNSUPPORTED:
		return "it has no entry for such a route"
	case vasicv1.FailureReason_FAILURE_REASON_HARDWARE_ERROR:
		return "writing to it failed"
	}
	return "no reason was given"
}

// without returns words without word, and whether it was there.
func without(words []string, word string) ([]string, bool) {
	rest := make([]string, 0, len(words))
	for _, w := range words {
		if w != word {
			rest = append(rest, w)
		}
	}
	return rest, len(rest) < len(words)
}

// routeShow lists routes.
func (s *session) routeShow(ctx context.Context, words []string) error {
	sel, err := parseSelector(words, s.options.family)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if err := sel.check(ctx, c); err != nil {
		return err
	}
	p, style, none := s.newPrinter(), sel.style(s.options), true
	p.open("", '[')
	err = s.list(ctx, c, sel, func(r *vasicv1.Route) {
		none = false
		p.route(routeLine{Route: r}, style)
	})
	p.close(']')
	err = p.finish(err)
	if err == nil && none {
		return s.checkTable(ctx, c, sel, "Dump terminated")
	}
	return err
}

// list calls yield with each route that sel means, in order.
func (s *session) list(ctx context.Context, c *vasic.Client, sel *selector, yield func(*vasicv1.Route)) error {
	if sel.cached {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, f := range sel.families() {
		stream, err := c.Routes.ListRoutes(ctx, &vasicv1.ListRoutesRequest{Filter: sel.filter(f)})
		if err != nil {
			return err
		}
		for {
			resp, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			for _, r := range resp.GetRoutes() {
				if sel.keep(r) {
					yield(r)
				}
			}
		}
	}
	return nil
}

// check finds the table of the VRF that the selector names, and makes it an error that its device is not there.
func (s *selector) check(ctx context.Context, c *vasic.Client) (err error) {
	if s.vrf != "" {
		if s.table, err = vrfTable(ctx, c, s.vrf); err != nil {
			return err
		}
	}
	return checkDevice(ctx, c, s.device)
}

// checkDevice makes it an error that a device is not there; an empty name is none.
func checkDevice(ctx context.Context, c *vasic.Client, name string) error {
	if name == "" {
		return nil
	}
	_, err := c.Links.GetLink(ctx, &vasicv1.GetLinkRequest{Name: name})
	if errors.Is(err, vasic.ErrLinkNotFound) {
		return noDevice(name)
	}
	return err
}

// checkTable makes it an error that the table of a listing without routes has never been used, as the kernel does.
func (s *session) checkTable(ctx context.Context, c *vasic.Client, sel *selector, after string) error {
	if sel.table == 0 || sel.table == tableMain || sel.table == tableLocal || sel.cached {
		return nil
	}
	_, err := c.Routes.GetRoute(ctx, &vasicv1.GetRouteRequest{Prefix: prefix{}.in(sel.family).String(), Table: sel.table})
	if !errors.Is(err, vasic.ErrTableNotFound) {
		return nil
	}
	word := "ipv4"
	if sel.family == family6 {
		word = "ipv6"
	}
	return &exitError{code: exitRefused, text: fmt.Sprintf("Error: %s: FIB table does not exist.\n%s", word, after)}
}

// routeFlush deletes routes.
func (s *session) routeFlush(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return usageError(`"vasicctl route flush" requires arguments.`)
	}
	sel, err := parseSelector(words, s.options.family)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if err := sel.check(ctx, c); err != nil {
		return err
	}
	var deleted uint64
	switch {
	case sel.cached:
	case sel.decidedBySwitch() && s.options.statistics < 2:
		deleted, err = flush(ctx, c, sel)
	default:
		deleted, err = s.flushListed(ctx, c, sel)
	}
	if err != nil {
		return err
	}
	if deleted == 0 {
		if err := s.checkTable(ctx, c, sel, "Flush terminated"); err != nil {
			return err
		}
	}
	switch {
	case s.options.statistics == 0:
	case deleted == 0:
		s.warnf("Nothing to flush.")
	default:
		fmt.Fprintf(s.env.Stdout, "\n*** Round 1, deleting %d entries ***\n*** Flush is complete after 1 round ***\n", deleted)
	}
	return nil
}

// flush has the switch delete what sel means.
func flush(ctx context.Context, c *vasic.Client, sel *selector) (deleted uint64, err error) {
	for _, f := range sel.families() {
		resp, err := c.Routes.FlushRoutes(ctx, &vasicv1.FlushRoutesRequest{Filter: sel.filter(f)})
		if err != nil {
			return deleted, err
		}
		deleted += resp.GetDeleted()
	}
	return deleted, nil
}

// flushListed lists what sel means and deletes it route by route, as ip does. What has gone meanwhile is no error.
func (s *session) flushListed(ctx context.Context, c *vasic.Client, sel *selector) (deleted uint64, err error) {
	var ops []vasic.Operation
	p := s.newPrinter()
	err = s.list(ctx, c, sel, func(r *vasicv1.Route) {
		ops = append(ops, vasic.Operation{Action: vasicv1.RouteAction_ROUTE_ACTION_DELETE, Route: deleteSelector(r)})
		if s.options.statistics > 1 {
			p.route(routeLine{Route: r}, sel.style(s.options))
		}
	})
	if flushed := p.w.Flush(); err == nil {
		err = flushed
	}
	if err != nil {
		return 0, err
	}
	results, err := c.Apply(ctx, ops)
	if err != nil {
		return 0, err
	}
	for _, r := range results {
		switch {
		case r.Err == nil:
			deleted++
		case !errors.Is(r.Err, vasic.ErrRouteNotFound) && err == nil:
			err = r.Err
		}
	}
	return deleted, err
}
