package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// neigh is the object neighbour.
func (s *session) neigh(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.neighShow(ctx, nil)
	}
	command, words := words[0], words[1:]
	switch {
	case abbreviates(command, "add"):
		return s.neighModify(ctx, words, neighAdd)
	case abbreviates(command, "change"), command == "chg":
		return s.neighModify(ctx, words, neighChange)
	case abbreviates(command, "replace"):
		return s.neighModify(ctx, words, neighReplace)
	case abbreviates(command, "delete"):
		return s.neighModify(ctx, words, neighDelete)
	case abbreviates(command, "get"):
		return s.neighGet(ctx, words)
	case isShow(command):
		return s.neighShow(ctx, words)
	case abbreviates(command, "flush"):
		return s.neighFlush(ctx, words)
	case abbreviates(command, "help"):
		return helpError(usageNeigh)
	}
	return unknownCommand(command, "neigh")
}

// nudStates are the words for states and the kernel's numbers for them; exact says that the word cannot be abbreviated.
var nudStates = []struct {
	word   string
	exact  bool
	bit    uint64
	number vasicv1.NeighborState
}{
	{"permanent", false, 0x80, vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT},
	{"reachable", false, 0x02, vasicv1.NeighborState_NEIGHBOR_STATE_REACHABLE},
	{"noarp", true, 0x40, vasicv1.NeighborState_NEIGHBOR_STATE_NOARP},
	{"none", true, 0, vasicv1.NeighborState_NEIGHBOR_STATE_NONE},
	{"stale", true, 0x04, vasicv1.NeighborState_NEIGHBOR_STATE_STALE},
	{"incomplete", true, 0x01, vasicv1.NeighborState_NEIGHBOR_STATE_INCOMPLETE},
	{"delay", true, 0x08, vasicv1.NeighborState_NEIGHBOR_STATE_DELAY},
	{"probe", true, 0x10, vasicv1.NeighborState_NEIGHBOR_STATE_PROBE},
	{"failed", false, 0x20, vasicv1.NeighborState_NEIGHBOR_STATE_FAILED},
}

// parseNud reads a state: a word, or the kernel's number.
func parseNud(word string) (vasicv1.NeighborState, bool) {
	for _, s := range nudStates {
		if word == s.word || !s.exact && abbreviates(word, s.word) {
			return s.number, true
		}
	}
	if n, ok := parseUint(word, 32); ok {
		for _, s := range nudStates {
			if s.bit == n {
				return s.number, true
			}
		}
	}
	return vasicv1.NeighborState_NEIGHBOR_STATE_UNSPECIFIED, false
}

// nudName is the word for a state; empty for none.
func nudName(n vasicv1.NeighborState) string {
	for _, s := range nudStates {
		if s.number == n && s.bit != 0 {
			return strings.ToUpper(s.word)
		}
	}
	return ""
}

// A neighAction is what `neigh` does to one entry.
type neighAction int

const (
	neighAdd neighAction = iota
	neighChange
	neighReplace
	neighDelete
)

// parseNeighbor reads ADDR [lladdr LLADDR] [nud STATE] dev DEV. An entry is permanent if nothing else is said.
func parseNeighbor(words []string, f vasicv1.Family) (*vasicv1.Neighbor, error) {
	n := &vasicv1.Neighbor{State: vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT}
	lladdr := false
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case abbreviates(word, "lladdr"):
			w := p.word()
			if lladdr {
				p.fail(duplicate("lladdr", w))
			}
			n.Lladdr, lladdr = p.linkLayerAddress(w), true
		case word == "nud":
			w := p.word()
			var ok bool
			if n.State, ok = parseNud(w); !ok && p.err == nil {
				p.fail(wrongWord(w, "nud state is bad"))
			}
		case word == "permanent":
			n.State = vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT // ip asks for nud in front of it
		case word == "proxy", word == "router", word == "use", word == "managed", word == "extern_learn", abbreviates(word, "protocol"):
			p.fail(notSupported("neigh " + word))
		case word == "dev":
			n.Device = p.word()
		default:
			if word == "to" {
				word = p.word()
			}
			switch {
			case p.err != nil:
			case abbreviates(word, "help"):
				p.fail(helpError(usageNeigh))
			case n.Address != "":
				p.fail(garbage("to", word))
			default:
				addr, err := parseAddress(word, f)
				if err != nil {
					p.fail(err)
				}
				n.Address = addr.String()
			}
		}
	}
	switch {
	case p.err != nil:
		return nil, p.err
	case n.Address == "" || n.Device == "":
		return nil, usageError("Device and destination are required arguments.")
	}
	return n, nil
}

// linkLayerAddress reads up to 20 bytes in hexadecimal, such as 02:00:00:00:00:01, and writes each with two figures. "null" is
// no address.
func (p *parser) linkLayerAddress(word string) string {
	if word == "null" || p.err != nil {
		return ""
	}
	var b strings.Builder
	count := 0
	for part := range strings.SplitSeq(word, ":") {
		n, ok := parseDigits(part, 16, 8)
		if count++; !ok || count > 20 {
			p.fail(usageError(fmt.Sprintf("%q is invalid lladdr.", part)))
			return ""
		}
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02x", n)
	}
	return b.String()
}

// neighModify changes one entry.
func (s *session) neighModify(ctx context.Context, words []string, action neighAction) error {
	n, err := parseNeighbor(words, s.options.family)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	switch action {
	case neighAdd:
		_, err = c.Neighbors.CreateNeighbor(ctx, &vasicv1.CreateNeighborRequest{Neighbor: n})
	case neighReplace:
		_, err = c.Neighbors.ReplaceNeighbor(ctx, &vasicv1.ReplaceNeighborRequest{Neighbor: n})
	case neighDelete:
		_, err = c.Neighbors.DeleteNeighbor(ctx, &vasicv1.DeleteNeighborRequest{Address: n.Address, Device: n.Device})
	case neighChange:
		err = changeNeighbor(ctx, c, n)
	}
	return deviceError(err, n.Device)
}

// changeNeighbor replaces an entry that is there; one that says no link-layer address keeps the one it has.
func changeNeighbor(ctx context.Context, c *vasic.Client, n *vasicv1.Neighbor) error {
	old, err := findNeighbor(ctx, c, n.Address, n.Device)
	switch {
	case err != nil:
		return err
	case old == nil:
		return netlinkError("ENOENT")
	case n.Lladdr == "":
		n.Lladdr = old.Lladdr
	}
	_, err = c.Neighbors.ReplaceNeighbor(ctx, &vasicv1.ReplaceNeighborRequest{Neighbor: n})
	return err
}

// findNeighbor returns the entry of an address on a link, or nil.
func findNeighbor(ctx context.Context, c *vasic.Client, address, device string) (found *vasicv1.Neighbor, err error) {
	err = neighbors(ctx, c, familyOf(address), device, func(n *vasicv1.Neighbor) {
		if n.Address == address {
			found = n
		}
	})
	return found, err
}

// neighbors calls yield with each entry of a family on a link; an empty name means on all.
func neighbors(ctx context.Context, c *vasic.Client, f vasicv1.Family, device string, yield func(*vasicv1.Neighbor)) error {
	stream, err := c.Neighbors.ListNeighbors(ctx, &vasicv1.ListNeighborsRequest{Family: f, Device: device})
	if err != nil {
		return err
	}
	return pieces(stream, func(resp *vasicv1.ListNeighborsResponse) {
		for _, n := range resp.GetNeighbors() {
			yield(n)
		}
	})
}

// neighGet shows one entry.
func (s *session) neighGet(ctx context.Context, words []string) error {
	var device string
	var addr netip.Addr
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); word {
		case "dev":
			device = p.word()
		case "proxy":
			p.fail(notSupported("neigh proxy"))
		default:
			if word == "to" {
				word = p.word()
			}
			switch {
			case p.err != nil:
			case abbreviates(word, "help"):
				p.fail(helpError(usageNeigh))
			case addr.IsValid():
				p.fail(garbage("to", word))
			default:
				var err error
				if addr, err = parseAddress(word, s.options.family); err != nil {
					p.fail(err)
				}
			}
		}
	}
	switch {
	case p.err != nil:
		return p.err
	case device == "" || !addr.IsValid():
		return usageError("Device and address are required arguments.")
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	n, err := findNeighbor(ctx, c, addr.String(), device)
	switch {
	case errors.Is(err, vasic.ErrLinkNotFound):
		return noDevice(device)
	case err != nil:
		return err
	case n == nil:
		return &exitError{code: exitRefused, text: "Error: Neighbour entry not found."}
	}
	out := s.newPrinter()
	out.open("", '[')
	out.neighbor(n, false)
	out.close(']')
	return out.finish(nil)
}

// neighbor prints an entry, as text with its new line.
func (p *printer) neighbor(n *vasicv1.Neighbor, hideDevice bool) {
	p.open("", '{')
	p.str("dst", "", n.Address)
	if !hideDevice {
		p.str("dev", "dev ", n.Device)
	}
	if n.Lladdr != "" {
		p.str("lladdr", "lladdr ", n.Lladdr)
	}
	if n.Offload {
		p.null("offload", "offload")
	}
	if state := nudName(n.State); state != "" {
		p.open("state", '[')
		p.flag(true, state)
		p.close(']')
	}
	p.text("\n")
	p.close('}')
}
