package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// neighSelector says which entries `neigh show` and `neigh flush` mean.
type neighSelector struct {
	family vasicv1.Family
	device string
	to     *prefix
	states []vasicv1.NeighborState // one of these, unless except is set
	except bool                    // none of states
	master masterSelector
}

// parseNeighSelector reads [to PREFIX] [dev DEV] [nud STATE]… Without nud, show leaves out entries that need no resolution and
// those of which nothing is known; flush leaves out the former and permanent ones.
func parseNeighSelector(words []string, f vasicv1.Family, flush bool) (*neighSelector, error) {
	s := &neighSelector{family: f, except: true}
	s.states = []vasicv1.NeighborState{vasicv1.NeighborState_NEIGHBOR_STATE_NOARP, vasicv1.NeighborState_NEIGHBOR_STATE_NONE}
	if flush {
		s.states[1] = vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT
	}
	given, all := false, false
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "dev":
			w := p.word()
			if s.device != "" {
				p.fail(duplicate("dev", w))
			}
			s.device = w
		case s.master.keyword(&p, word):
		case word == "nud":
			w := p.word()
			if !given {
				given, s.except, s.states = true, false, nil
			}
			state, ok := parseNud(w)
			switch {
			case ok:
				s.states = append(s.states, state)
			case w == "all":
				all = true
			case p.err == nil:
				p.fail(wrongWord(w, "nud state is bad"))
			}
		case word == "unused":
			// Nothing here counts who uses an entry.
		case word == "proxy", abbreviates(word, "protocol"):
			p.fail(notSupported("neigh " + word))
		default:
			if word == "to" {
				word = p.word()
			}
			if p.err == nil && abbreviates(word, "help") {
				p.fail(helpError(usageNeigh))
			}
			s.prefix(&p, word)
		}
	}
	if all {
		s.except, s.states = true, nil
		if flush {
			s.states = []vasicv1.NeighborState{vasicv1.NeighborState_NEIGHBOR_STATE_NOARP}
		}
	}
	return s, p.err
}

// prefix reads the addresses that are meant.
func (s *neighSelector) prefix(p *parser, word string) {
	if p.err != nil {
		return
	}
	x, err := parsePrefix(word, s.family)
	switch {
	case err != nil:
		p.fail(err)
	case x.family != familyAny:
		s.to, s.family = &x, x.family
	}
}

// keep says whether the selector means n, which is on a link of its own choice.
func (s *neighSelector) keep(n *vasicv1.Neighbor) bool {
	return slices.Contains(s.states, n.State) != s.except && (s.to == nil || s.to.holds(n.Address))
}

// list calls yield with what the selector means.
func (s *neighSelector) list(ctx context.Context, c *vasic.Client, yield func(*vasicv1.Neighbor)) error {
	wanted, err := s.master.links(ctx, c, notAVRF)
	if err != nil {
		return err
	}
	err = neighbors(ctx, c, s.family, s.device, func(n *vasicv1.Neighbor) {
		if s.keep(n) && (wanted == nil || wanted[n.Device]) {
			yield(n)
		}
	})
	return deviceError(err, s.device)
}

// neighShow lists entries.
func (s *session) neighShow(ctx context.Context, words []string) error {
	sel, err := parseNeighSelector(words, s.options.family, false)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	p := s.newPrinter()
	var list []*vasicv1.Neighbor
	if err := sel.list(ctx, c, func(n *vasicv1.Neighbor) { list = append(list, n) }); err != nil {
		return err
	}
	p.open("", '[')
	for _, n := range list {
		p.neighbor(n, sel.device != "")
	}
	p.close(']')
	return p.finish(nil)
}

// neighFlush deletes entries. What has gone meanwhile is no error.
func (s *session) neighFlush(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return usageError("Flush requires arguments.")
	}
	sel, err := parseNeighSelector(words, s.options.family, true)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	var list []*vasicv1.Neighbor
	if err := sel.list(ctx, c, func(n *vasicv1.Neighbor) { list = append(list, n) }); err != nil {
		return err
	}
	p, deleted := s.newPrinter(), 0
	for _, n := range list {
		if s.options.statistics > 1 {
			p.neighbor(n, sel.device != "")
		}
		_, err := c.Neighbors.DeleteNeighbor(ctx, &vasicv1.DeleteNeighborRequest{Address: n.Address, Device: n.Device})
		switch {
		case err == nil:
			deleted++
		case !errors.Is(err, vasic.ErrNeighborNotFound) && !errors.Is(err, vasic.ErrLinkNotFound):
			return err
		}
	}
	if err := p.w.Flush(); err != nil {
		return err
	}
	switch {
	case s.options.statistics == 0:
	case deleted == 0:
		fmt.Fprintln(s.env.Stdout, "Nothing to flush.")
	default:
		fmt.Fprintf(s.env.Stdout, "\n*** Round 1, deleting %d entries ***\n*** Flush is complete after 1 round ***\n", deleted)
	}
	return nil
}
