package cli

import (
	"context"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// bucket is `nexthop bucket`: the slots of resilient groups.
func (s *session) bucket(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.bucketShow(ctx, nil)
	}
	command, words := words[0], words[1:]
	switch {
	case isShow(command):
		return s.bucketShow(ctx, words)
	case abbreviates(command, "get"):
		return s.bucketGet(ctx, words)
	case abbreviates(command, "help"):
		return helpError(usageNextHop)
	}
	return unknownCommand(command, "nexthop")
}

// buckets calls yield with the buckets of the group with that id, or of all if it is 0.
func buckets(ctx context.Context, c *vasic.Client, id uint32, yield func(*vasicv1.Bucket)) error {
	stream, err := c.NextHops.ListBuckets(ctx, &vasicv1.ListBucketsRequest{Id: id})
	if err != nil {
		return err
	}
	return pieces(stream, func(resp *vasicv1.ListBucketsResponse) {
		for _, b := range resp.GetBuckets() {
			yield(b)
		}
	})
}

// bucketShow lists buckets.
func (s *session) bucketShow(ctx context.Context, words []string) error {
	sel, err := parseNextHopSelector(words, true)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	devices, err := sel.devices(ctx, c)
	if err != nil {
		return err
	}
	onDevices := map[uint32]bool{} // ids of the next hops that a condition about links means
	if devices != nil {
		err := s.nextHops(ctx, c, &nextHopSelector{}, func(o *vasicv1.NextHopObject) {
			onDevices[o.Id] = devices[o.Device]
		})
		if err != nil {
			return err
		}
	}
	p := s.newPrinter()
	p.open("", '[')
	err = buckets(ctx, c, sel.id, func(b *vasicv1.Bucket) {
		if (sel.nhid == 0 || sel.nhid == b.NextHopId) && (devices == nil || onDevices[b.NextHopId]) {
			p.bucket(b)
		}
	})
	if e, ok := vasic.AsError(err); ok && e.Reason != 0 {
		text := "Dump terminated"
		if e.KernelMessage != "" || e.Errno != "ENOENT" { // about which ip says no more
			text = s.errorText(err) + "\n" + text
		}
		return &exitError{code: exitRefused, text: text}
	}
	if err != nil {
		return err
	}
	p.close(']')
	return p.finish(nil)
}

// bucketGet shows one bucket.
func (s *session) bucketGet(ctx context.Context, words []string) error {
	var id, index uint32
	hasIndex := false
	p := parser{words: words}
	for p.more() {
		switch p.word() {
		case "id":
			id = p.nextHopID()
		case "index":
			w := p.word()
			n, ok := parseUint(w, 16)
			if !ok && p.err == nil {
				p.fail(wrongWord(w, "invalid bucket index value"))
			}
			index, hasIndex = uint32(n), true
		default:
			return usageError(usageNextHop)
		}
	}
	switch {
	case p.err != nil:
		return p.err
	case id == 0 || !hasIndex:
		return usageError(usageNextHop)
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	var found *vasicv1.Bucket
	err = buckets(ctx, c, id, func(b *vasicv1.Bucket) {
		if b.Index == index {
			found = b
		}
	})
	switch {
	case err != nil:
		return err
	case found == nil:
		return &exitError{code: exitRefused, text: "Error: Bucket index out of bounds."}
	}
	out := s.newPrinter()
	out.open("", '[')
	out.bucket(found)
	out.close(']')
	return out.finish(nil)
}
