package cli

import (
	"context"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// asic is the object asic: the programming goroutine of the chip.
func (s *session) asic(ctx context.Context, words []string) error {
	command := "show"
	if len(words) > 0 {
		command, words = words[0], words[1:]
	}
	if abbreviates(command, "queue") {
		return s.queue(ctx, words)
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
		held, err := stalled(ctx, c)
		if err != nil {
			return err
		}
		out.stalled(held)
		out.uint("queue", "queue ", resp.GetQueueLength())
		out.uint("queue_capacity", "queue_capacity ", resp.GetQueueCapacity())
		out.uint("programmed", "programmed ", resp.GetProgrammed())
		out.uint("stale", "stale ", resp.GetStaleResults())
		out.uint("waiting_for_room", "waiting_for_room ", resp.GetWaitingForRoom())
		out.uint("undeleted", "undeleted ", resp.GetUndeletedEntries())
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
		if resp.GetDone() < steps {
			held, err := stalled(ctx, c)
			if err != nil {
				return err
			}
			out.stalled(held)
			switch {
			case held:
				s.warnf(`A fault rule stalls what is next; "vasicctl fault" shows the rules.`)
			case resp.GetQueueLength() == 0:
				s.warnf("The queue is empty.")
			}
		}
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

// stalled says whether a fault rule holds what the chip would do next.
func stalled(ctx context.Context, c *vasic.Client) (bool, error) {
	resp, err := c.Switch.ListQueue(ctx, &vasicv1.ListQueueRequest{Limit: 1})
	if err != nil {
		return false, err
	}
	items := resp.GetItems()
	return len(items) > 0 && items[0].GetStalled(), nil
}

// stalled prints that a fault rule stalls the chip, if one does.
func (p *printer) stalled(held bool) {
	if held {
		p.boolean("stalled")
		p.text("stalled ")
	}
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
	held, err := stalled(ctx, c)
	if err != nil {
		return err
	}
	out := s.newPrinter()
	out.open("", '{')
	out.str("version", "version ", st.GetVersion())
	out.str("profile", "profile ", st.GetProfile())
	out.str("state", "state ", chipState(st))
	out.stalled(held)
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
