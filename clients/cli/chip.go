package cli

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// asic is the object asic: the programming goroutine of the chip.
func (s *session) asic(ctx context.Context, words []string) error {
	command := "show"
	if len(words) > 0 {
		command, words = words[0], words[1:]
	}
	p := parser{words: words}
	var steps uint32
	step := abbreviates(command, "step") && command != "s"
	if step {
		steps = 1
		if p.more() {
			steps = p.number(32, "step")
		}
	}
	if abbreviates(command, "help") {
		return helpError(usageChip)
	}
	if err := p.end(command); err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	out := s.newPrinter()
	out.open("", '{')
	switch {
	case abbreviates(command, "show"), abbreviates(command, "list"):
		resp, err := c.Switch.GetStatus(ctx, &vasicv1.GetStatusRequest{})
		if err != nil {
			return err
		}
		out.str("profile", "profile ", resp.GetProfile())
		out.str("state", "state ", chipState(resp))
		out.uint("queue", "queue ", resp.GetQueueLength())
		out.uint("queue_capacity", "queue_capacity ", resp.GetQueueCapacity())
		out.uint("programmed", "programmed ", resp.GetProgrammed())
		out.uint("stale", "stale ", resp.GetStaleResults())
	case abbreviates(command, "pause"):
		resp, err := c.Switch.Pause(ctx, &vasicv1.PauseRequest{})
		if err != nil {
			return err
		}
		out.str("state", "state ", "paused")
		out.uint("queue", "queue ", resp.GetQueueLength())
	case step:
		resp, err := c.Switch.Step(ctx, &vasicv1.StepRequest{Operations: steps})
		if err != nil {
			return err
		}
		out.uint("done", "done ", uint64(resp.GetDone()))
		out.uint("queue", "queue ", resp.GetQueueLength())
	case abbreviates(command, "resume"):
		if _, err := c.Switch.Resume(ctx, &vasicv1.ResumeRequest{}); err != nil {
			return err
		}
		out.str("state", "state ", "running")
	default:
		return unknownCommand(command, "asic")
	}
	out.close('}')
	out.text("\n")
	return out.finish(nil)
}

// chipState is what the chip is doing in one word.
func chipState(st *vasicv1.GetStatusResponse) string {
	switch {
	case st.GetReloadFailed():
		return "reload_failed"
	case st.GetPaused():
		return "paused"
	}
	return "running"
}

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
	case abbreviates(command, "show"), abbreviates(command, "list"):
		if err := p.end("show"); err != nil {
			return err
		}
		return s.faultShow(ctx)
	case abbreviates(command, "set"):
		return s.faultSet(ctx, &p)
	case command == "add", command == "del", command == "delete":
		return notSupported("fault " + command)
	case abbreviates(command, "help"):
		return helpError(usageChip)
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

// faultShow lists the faults.
func (s *session) faultShow(ctx context.Context) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	resp, err := c.Switch.GetSettings(ctx, &vasicv1.GetSettingsRequest{})
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '{')
	for _, k := range knobs {
		state := "off"
		if k.get(resp.GetSettings()) {
			state = "on"
		}
		p.str(k.name, k.name+" ", state)
		p.text("\n")
	}
	p.close('}')
	return p.finish(nil)
}

// status shows what the switch is doing.
func (s *session) status(ctx context.Context, words []string) error {
	p := parser{words: words}
	if abbreviates(p.peek(), "help") {
		return helpError(usageChip)
	}
	if abbreviates(p.peek(), "show") {
		p.word()
	}
	if err := p.end("status"); err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	st, err := c.Switch.GetStatus(ctx, &vasicv1.GetStatusRequest{})
	if err != nil {
		return err
	}
	out := s.newPrinter()
	out.open("", '{')
	out.str("version", "version ", st.GetVersion())
	out.str("profile", "profile ", st.GetProfile())
	out.str("state", "state ", chipState(st))
	out.uint("seed", "seed ", st.GetSeed())
	out.text("\n")
	out.uint("epoch", "epoch ", st.GetEpoch())
	out.uint("revision", "revision ", st.GetRevision())
	out.uint("oldest_revision", "oldest_revision ", st.GetOldestRevision())
	out.uint("watchers", "watchers ", st.GetWatchers())
	out.text("\n")
	out.uint("queue", "queue ", st.GetQueueLength())
	out.uint("queue_capacity", "queue_capacity ", st.GetQueueCapacity())
	out.uint("programmed", "programmed ", st.GetProgrammed())
	out.uint("stale", "stale ", st.GetStaleResults())
	out.uint("suppressed_events", "suppressed_events ", st.GetSuppressedEvents())
	out.text("\n")
	out.open("routes", '[')
	for _, r := range st.GetRoutes() {
		out.open("", '{')
		out.text("routes ")
		out.str("family", "", r.GetFamily())
		out.str("state", "", r.GetState())
		out.uint("count", "", r.GetCount())
		out.text("\n")
		out.close('}')
	}
	out.close(']')
	out.close('}')
	return out.finish(nil)
}
