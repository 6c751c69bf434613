package cli

import (
	"context"
	"fmt"
	"math"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// unlimited is the size of a resource without a bound.
const unlimited = math.MaxUint64

// devlinkError is an error of the switch in devlink's words and with its exit code.
func (s *session) devlinkError(err error) error {
	e, ok := vasic.AsError(err)
	if !ok || e.Reason == 0 {
		return err // not a refusal
	}
	message := e.KernelMessage
	if message == "" {
		message = sentence(e.Message)
	}
	text := fmt.Sprintf("Error: %s.", message)
	if answer := errnos[e.Errno]; answer != "" {
		text += "\nkernel answers: " + answer
	}
	return &exitError{code: exitUsage, text: text}
}

// reload empties the chip and programs it again.
func (s *session) reload(ctx context.Context, words []string) error {
	p := parser{words: words}
	if abbreviates(p.peek(), "help") {
		return helpError(usageDevice)
	}
	if err := p.end("reload"); err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if _, err = c.Switch.Reload(ctx, &vasicv1.ReloadRequest{}); err != nil {
		return s.devlinkError(err)
	}
	return nil
}

// resource is the object resource.
func (s *session) resource(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.resourceShow(ctx)
	}
	command := words[0]
	p := parser{words: words[1:]}
	switch {
	case abbreviates(command, "show"), abbreviates(command, "list"):
		if err := p.end("show"); err != nil {
			return err
		}
		return s.resourceShow(ctx)
	case abbreviates(command, "set"):
		return s.resourceSet(ctx, &p)
	case abbreviates(command, "help"):
		return helpError(usageDevice)
	}
	return unknownCommand(command, "resource")
}

// resourceSet stores the size that a resource has after the next reload: [path] PATH size N.
func (s *session) resourceSet(ctx context.Context, p *parser) error {
	p.take("path")
	path := p.word()
	if w := p.word(); w != "size" && p.err == nil {
		p.fail(usageError(fmt.Sprintf("Unknown option %q", w)))
	}
	size := uint64(unlimited)
	if !p.take("unlimited") {
		size = p.number64("size")
	}
	if err := p.end("size"); err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if _, err = c.Switch.UpdateResource(ctx, &vasicv1.UpdateResourceRequest{Path: path, Size: size}); err != nil {
		return s.devlinkError(err)
	}
	return nil
}

// resourceShow lists the tables of the chip as devlink does, without the line that names the device.
func (s *session) resourceShow(ctx context.Context) error {
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	resp, err := c.Switch.ListResources(ctx, &vasicv1.ListResourcesRequest{})
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '{')
	p.open("resources", '[')
	for _, node := range resourceTree(resp.GetResources()) {
		p.resource(node, "  ")
	}
	p.close(']')
	p.close('}')
	return p.finish(nil)
}

// resourceNode is a resource, or what only holds others.
type resourceNode struct {
	name     string
	resource *vasicv1.Resource // nil for what only holds others
	children []*resourceNode
}

// resourceTree arranges resources by the parts of their paths.
func resourceTree(resources []*vasicv1.Resource) []*resourceNode {
	root := &resourceNode{}
	for _, r := range resources {
		node := root
		for part := range strings.SplitSeq(r.GetPath(), "/") {
			node = node.child(part)
		}
		node.resource = r
	}
	return root.children
}

// child returns the child of that name.
func (n *resourceNode) child(name string) *resourceNode {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	c := &resourceNode{name: name}
	n.children = append(n.children, c)
	return c
}

// resource prints a resource and what is in it. devlink also tells the unit, the least and the largest size, which are the same
// for all; a resource that only holds others is as large as can be.
func (p *printer) resource(n *resourceNode, indent string) {
	p.open("", '{')
	p.text(indent)
	p.str("name", "name ", n.name)
	if r := n.resource; r != nil {
		p.size("size", r.Size)
		if r.SizeNew != nil && *r.SizeNew != r.Size {
			p.size("size_new", *r.SizeNew)
		}
		if r.Occupancy != nil {
			p.uint("occ", "occ ", *r.Occupancy)
		}
	} else {
		p.size("size", unlimited)
	}
	p.str("unit", "unit ", "entry")
	p.uint("size_min", "size_min ", 0)
	p.size("size_max", unlimited)
	p.uint("size_gran", "size_gran ", 1)
	p.text("dpipe_tables none")
	if len(n.children) > 0 {
		p.boolean("size_valid")
		p.text(" size_valid true\n" + indent + "  resources:")
		p.open("resources", '[')
	}
	p.text("\n")
	for _, c := range n.children {
		p.resource(c, indent+"    ")
	}
	if len(n.children) > 0 {
		p.close(']')
	}
	p.close('}')
}

// size prints a number of rows, or "unlimited".
func (p *printer) size(key string, n uint64) {
	if n == unlimited {
		p.str(key, key+" ", "unlimited")
		return
	}
	p.uint(key, key+" ", n)
}
