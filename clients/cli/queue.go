package cli

import (
	"context"
	"fmt"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// maxQueueItems is how many items of the queue the switch tells at most.
const maxQueueItems = 10000

// queue is `asic queue [limit N]`: what waits to be programmed, the next one first.
func (s *session) queue(ctx context.Context, words []string) error {
	p := parser{words: words}
	var limit uint32
	for p.more() {
		switch word := p.word(); {
		case abbreviates(word, "limit"):
			limit = p.number(32, "limit")
			if p.err == nil && (limit == 0 || limit > maxQueueItems) {
				p.fail(wrongWord(fmt.Sprint(limit), fmt.Sprintf(`"limit" must be 1 to %d`, maxQueueItems)))
			}
		case abbreviates(word, "help"):
			p.fail(helpError(usageChip))
		default:
			p.fail(garbage("queue", word))
		}
	}
	if p.err != nil {
		return p.err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	resp, err := c.Switch.ListQueue(ctx, &vasicv1.ListQueueRequest{Limit: limit})
	if err != nil {
		return err
	}
	now := time.Now()
	out := s.newPrinter()
	out.open("", '[')
	for _, item := range resp.GetItems() {
		out.queueItem(item, now)
	}
	out.close(']')
	if rest := resp.GetQueueLength() - uint64(len(resp.GetItems())); rest > 0 && resp.GetQueueLength() > uint64(len(resp.GetItems())) {
		out.text(fmt.Sprintf("… and %d more\n", rest))
	}
	return out.finish(nil)
}

// queueItem prints one item of the queue. Its age is right as far as the clocks of the switch and of this machine agree.
func (p *printer) queueItem(item *vasicv1.QueueItem, now time.Time) {
	p.open("", '{')
	p.str("operation", "", item.GetOperation())
	if item.GetPrefix() != "" {
		p.str("dst", "", destination(item.GetPrefix()))
		p.str("table", "table ", tableNames.name(item.GetTable()))
	}
	if item.GetSubject() != "" {
		p.str("subject", "", item.GetSubject())
	}
	if len(item.GetGenerations()) > 0 {
		p.text("generation ")
		p.open("generations", '[')
		for _, g := range item.GetGenerations() {
			p.flag(true, fmt.Sprint(g))
		}
		p.close(']')
	}
	if at := item.GetAcceptedUnixNanos(); at != 0 {
		p.float("age_ms", "age_ms ", milliseconds(max(now.Sub(time.Unix(0, at)), 0)), 3)
	}
	p.open("flags", '[')
	p.flag(item.GetInFlight(), "in_flight")
	p.flag(item.GetStalled(), "stalled")
	p.close(']')
	p.close('}')
	p.text("\n")
}

// milliseconds is a duration as a number.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
