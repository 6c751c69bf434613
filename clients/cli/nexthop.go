package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"google.golang.org/grpc"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// nextHop is the object nexthop.
func (s *session) nextHop(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.nextHopShow(ctx, nil)
	}
	command, words := words[0], words[1:]
	switch {
	case abbreviates(command, "add"):
		return s.nextHopModify(ctx, words, func(c *vasic.Client, o *vasicv1.NextHopObject) error {
			_, err := c.NextHops.CreateNextHop(ctx, &vasicv1.CreateNextHopRequest{NextHop: o})
			return err
		})
	case abbreviates(command, "replace"):
		return s.nextHopModify(ctx, words, func(c *vasic.Client, o *vasicv1.NextHopObject) error {
			_, err := c.NextHops.ReplaceNextHop(ctx, &vasicv1.ReplaceNextHopRequest{NextHop: o})
			return err
		})
	case abbreviates(command, "delete"):
		return s.nextHopDelete(ctx, words)
	case isShow(command):
		return s.nextHopShow(ctx, words)
	case abbreviates(command, "get"):
		return s.nextHopGet(ctx, words)
	case abbreviates(command, "flush"):
		return s.nextHopFlush(ctx, words)
	case abbreviates(command, "bucket"):
		return s.bucket(ctx, words)
	case abbreviates(command, "help"):
		return helpError(usageNextHop)
	}
	return unknownCommand(command, "nexthop")
}

// nextHopParser reads the words behind `nexthop add`.
type nextHopParser struct {
	object vasicv1.NextHopObject
	hasID  bool
}

// parse reads words.
func (n *nextHopParser) parse(words []string, f vasicv1.Family) error {
	n.object.Family = f
	p := parser{words: words}
	for p.more() {
		n.keyword(&p, p.word())
	}
	return p.err
}

// keyword reads the option that word names.
func (n *nextHopParser) keyword(p *parser, word string) {
	o := &n.object
	switch {
	case word == "id":
		o.Id, n.hasID = p.nextHopID(), true
	case word == "dev":
		o.Device = p.word()
		n.defaultFamily()
	case word == "via":
		n.gateway(p)
	case word == "blackhole":
		o.Blackhole = true
		n.defaultFamily()
	case word == "onlink":
		o.Onlink = true
	case word == "group":
		n.group(p)
	case word == "type":
		n.groupType(p)
	case abbreviates(word, "protocol"):
		w := p.word()
		var ok bool
		if o.Protocol, ok = protocolNames.parse(w, 8); !ok && p.err == nil {
			p.fail(wrongArgument(w, `"protocol" value is invalid`))
		}
	case word == "encap", word == "fdb", word == "hw_stats":
		p.fail(notSupported("nexthop " + word))
	case word == "help":
		p.fail(helpError(usageNextHop))
	default:
		p.fail(wrongWord(word, ""))
	}
}

// defaultFamily makes the object one of IPv4 if nothing else was said before.
func (n *nextHopParser) defaultFamily() {
	if n.object.Family == familyAny {
		n.object.Family = family4
	}
}

// gateway reads [FAMILY] ADDRESS. As in ip, a family that dev chose before holds.
func (n *nextHopParser) gateway(p *parser) {
	f := n.object.Family
	switch {
	case p.take("inet"):
		f = family4
	case p.take("inet6"):
		f = family6
	}
	w := p.word()
	if p.err != nil {
		return
	}
	addr, err := parseAddress(w, f)
	if err != nil {
		p.fail(err)
		return
	}
	n.object.Gateway = addr.String()
	if n.object.Family == familyAny {
		n.object.Family = familyOf(n.object.Gateway)
	} else if n.object.Family != familyOf(n.object.Gateway) {
		p.fail(wrongArgument(w, "address family mismatch"))
	}
}

// group reads ID[,WEIGHT]/ID[,WEIGHT]…
func (n *nextHopParser) group(p *parser) {
	w := p.word()
	if p.err != nil {
		return
	}
	n.object.Group = nil
	for text := range strings.SplitSeq(w, "/") {
		idText, weightText, hasWeight := strings.Cut(text, ",")
		id, ok := parseUint(idText, 32)
		if !ok {
			first, _, _ := strings.Cut(w, "/")
			first, _, _ = strings.Cut(first, ",")
			p.fail(wrongArgument(first, `"group" value is invalid`))
			return
		}
		weight := uint64(1)
		if hasWeight {
			weight, ok = parseUint(weightText, 32)
			if !ok || weight == 0 || weight > 256 {
				p.fail(wrongArgument(weightText, `"weight" is invalid`))
				return
			}
		}
		n.object.Group = append(n.object.Group, &vasicv1.NextHopGroupMember{Id: uint32(id), Weight: uint32(weight)})
	}
}

// groupType reads mpath, or resilient with its parameters.
func (n *nextHopParser) groupType(p *parser) {
	switch w := p.word(); w {
	case "mpath":
		n.object.GroupType = vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_MULTIPATH
	case "resilient":
		n.object.GroupType = vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_RESILIENT
		n.object.Resilient = &vasicv1.ResilientParameters{}
		n.resilient(p)
	default:
		if p.err == nil {
			p.fail(wrongArgument(w, `"type" value is invalid`))
		}
	}
}

// resilient reads parameters up to the first word that is none.
func (n *nextHopParser) resilient(p *parser) {
	r := n.object.Resilient
	for p.more() {
		switch {
		case p.take("buckets"):
			w := p.word()
			buckets, ok := parseUint(w, 16)
			if !ok && p.err == nil {
				p.fail(wrongWord(w, "invalid buckets value"))
			}
			count := uint32(buckets)
			r.Buckets = &count
		case p.take("idle_timer"):
			r.IdleTimer = p.timer("idle")
		case p.take("unbalanced_timer"):
			r.UnbalancedTimer = p.timer("unbalanced")
		default:
			return
		}
	}
}

// timer takes a time in seconds and returns it in centiseconds.
func (p *parser) timer(name string) *uint32 {
	w := p.word()
	n, ok := parseUint(w, 32)
	if (!ok || n >= math.MaxUint32/centiseconds) && p.err == nil {
		p.fail(wrongWord(w, "invalid "+name+" timer value"))
	}
	t := uint32(n * centiseconds)
	return &t
}

// nextHopModify has the switch make or replace the object that words describe.
func (s *session) nextHopModify(ctx context.Context, words []string, do func(*vasic.Client, *vasicv1.NextHopObject) error) error {
	var parser nextHopParser
	if err := parser.parse(words, s.options.family); err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	err = do(c, &parser.object)
	if errors.Is(err, vasic.ErrLinkNotFound) && parser.object.Device != "" {
		return wrongArgument(parser.object.Device, "Device does not exist")
	}
	return err
}

// nextHopDelete removes an object.
func (s *session) nextHopDelete(ctx context.Context, words []string) error {
	var parser nextHopParser
	if err := parser.parse(words, s.options.family); err != nil {
		return err
	}
	if !parser.hasID {
		return &exitError{code: exitRefused, text: "Error: Nexthop id is missing."}
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	_, err = c.NextHops.DeleteNextHop(ctx, &vasicv1.DeleteNextHopRequest{Id: parser.object.Id})
	return err
}

// nextHopGet shows one object.
func (s *session) nextHopGet(ctx context.Context, words []string) error {
	var id uint32
	p := parser{words: words}
	for p.more() {
		if p.word() != "id" {
			return usageError(usageNextHop)
		}
		id = p.nextHopID()
	}
	switch {
	case p.err != nil:
		return p.err
	case id == 0:
		return usageError(usageNextHop)
	}
	return s.nextHopShowID(ctx, id)
}

// nextHopShowID shows the object with that id.
func (s *session) nextHopShowID(ctx context.Context, id uint32) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	resp, err := c.NextHops.GetNextHop(ctx, &vasicv1.GetNextHopRequest{Id: id})
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '[')
	p.nextHopObject(nextHopLine{NextHopObject: resp.GetNextHop()}, s.options.details)
	p.text("\n")
	p.close(']')
	return p.finish(nil)
}

// nextHopShow lists objects.
func (s *session) nextHopShow(ctx context.Context, words []string) error {
	sel, err := parseNextHopSelector(words, false)
	if err != nil {
		return err
	}
	if sel.byID {
		return s.nextHopShowID(ctx, sel.id)
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '[')
	err = s.nextHops(ctx, c, sel, func(o *vasicv1.NextHopObject) {
		p.nextHopObject(nextHopLine{NextHopObject: o}, s.options.details)
		p.text("\n")
	})
	p.close(']')
	return p.finish(err)
}

// nextHops calls yield with each object that sel means, by id.
func (s *session) nextHops(ctx context.Context, c *vasic.Client, sel *nextHopSelector, yield func(*vasicv1.NextHopObject)) error {
	devices, err := sel.devices(ctx, c)
	if err != nil {
		return err
	}
	f := s.options.family
	stream, err := c.NextHops.ListNextHops(ctx, &vasicv1.ListNextHopsRequest{Device: sel.device, Groups: sel.groups, Protocol: sel.proto, Family: f})
	if err != nil {
		return err
	}
	return pieces(stream, func(resp *vasicv1.ListNextHopsResponse) {
		for _, o := range resp.GetNextHops() {
			if sel.keep(o, f, devices) {
				yield(o)
			}
		}
	})
}

// pieces calls each with every message of a stream.
func pieces[T any](stream grpc.ServerStreamingClient[T], each func(*T)) error {
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		each(piece)
	}
}

// devices are the names of the links on which the selected objects are; nil means any.
func (s *nextHopSelector) devices(ctx context.Context, c *vasic.Client) (map[string]bool, error) {
	if s.device == "" {
		return s.master.links(ctx, c, invalidVRF)
	}
	_, err := c.Links.GetLink(ctx, &vasicv1.GetLinkRequest{Name: s.device})
	if errors.Is(err, vasic.ErrLinkNotFound) {
		return nil, wrongArgument(s.device, "Device does not exist")
	}
	return map[string]bool{s.device: true}, err
}

// nextHopFlush deletes objects: those that words mean, or all, groups first. What has gone meanwhile, as a group without its
// members has, is no error.
func (s *session) nextHopFlush(ctx context.Context, words []string) error {
	sel, err := parseNextHopSelector(words, false)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if sel.byID {
		_, err := c.NextHops.DeleteNextHop(ctx, &vasicv1.DeleteNextHopRequest{Id: sel.id})
		return err
	}
	flushed := 0
	flush := func(groups bool) error {
		var ids []uint32
		err := s.nextHops(ctx, c, sel, func(o *vasicv1.NextHopObject) {
			if !sel.all || (len(o.Group) > 0) == groups {
				ids = append(ids, o.Id)
			}
		})
		for _, id := range ids {
			_, deleteErr := c.NextHops.DeleteNextHop(ctx, &vasicv1.DeleteNextHopRequest{Id: id})
			switch {
			case deleteErr == nil:
				flushed++
			case !errors.Is(deleteErr, vasic.ErrNextHopNotFound) && err == nil:
				err = deleteErr
			}
		}
		return err
	}
	err = flush(true)
	if sel.all && err == nil {
		err = flush(false)
	}
	if flushed == 0 {
		fmt.Fprintln(s.env.Stdout, "Nothing to flush")
	} else {
		fmt.Fprintf(s.env.Stdout, "Flushed %d nexthops\n", flushed)
	}
	return err
}
