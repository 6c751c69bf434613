package cli

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// link is the object link.
func (s *session) link(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.linkShow(ctx, nil)
	}
	command, words := words[0], words[1:]
	switch {
	case abbreviates(command, "add"):
		return s.linkAdd(ctx, words)
	case abbreviates(command, "set"):
		return s.linkSet(ctx, words)
	case abbreviates(command, "delete"):
		return s.linkDelete(ctx, words)
	case isShow(command):
		return s.linkShow(ctx, words)
	case command == "change", command == "replace", command == "property", command == "xstats", command == "afstats":
		return notSupported("link " + command)
	case abbreviates(command, "help"):
		return helpError(usageLink)
	}
	return unknownCommand(command, "link")
}

// linkAdd makes a link.
func (s *session) linkAdd(ctx context.Context, words []string) error {
	var name, typ string
	p := parser{words: words}
	for p.more() && typ == "" {
		switch word := p.word(); {
		case word == "type":
			typ = p.word()
			if p.more() && p.err == nil {
				p.fail(notSupported(p.peek()))
			}
		case word == "name", abbreviates(word, "dev"):
			name = p.word()
		case abbreviates(word, "help"):
			p.fail(helpError(usageLink))
		case name != "":
			p.fail(garbage("dev", word))
		default:
			name = word
		}
	}
	switch {
	case p.err != nil:
		return p.err
	case name == "":
		return usageError(`Not enough information: "dev" argument is required.`)
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	_, err = c.Links.CreateLink(ctx, &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: name, Type: typ}})
	return err
}

// linkSet changes links' states. As with ip the last word of a kind counts.
func (s *session) linkSet(ctx context.Context, words []string) error {
	link, mask := &vasicv1.Link{}, &fieldmaskpb.FieldMask{}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "up", word == "down":
			link.Up = word == "up"
			mask.Paths = append(mask.Paths, "up")
		case word == "carrier":
			link.Carrier = p.onOff("carrier")
			mask.Paths = append(mask.Paths, "carrier")
		case abbreviates(word, "help"):
			p.fail(helpError(usageLink))
		case linkSettings[word]:
			p.fail(notSupported("link set " + word))
		case word == "dev":
			link.Name = p.word()
		case link.Name != "":
			p.fail(garbage("dev", word))
		default:
			link.Name = word
		}
	}
	switch {
	case p.err != nil:
		return p.err
	case link.Name == "":
		return usageError(`Not enough information: "dev" argument is required.`)
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if len(mask.Paths) == 0 {
		return checkDevice(ctx, c, link.Name)
	}
	mask.Normalize()
	_, err = c.Links.UpdateLink(ctx, &vasicv1.UpdateLinkRequest{Link: link, UpdateMask: mask})
	return deviceError(err, link.Name)
}

// linkSettings are words of ip's `link set` for what links here do not have.
var linkSettings = map[string]bool{
	"address": true, "addrgenmode": true, "alias": true, "allmulticast": true, "arp": true, "broadcast": true, "dynamic": true,
	"group": true, "link-netns": true, "link-netnsid": true, "macaddr": true, "master": true, "mode": true, "mtu": true,
	"multicast": true, "name": true, "netns": true, "nomaster": true, "promisc": true, "protodown": true, "state": true,
	"trailers": true, "txqlen": true, "txqueuelen": true, "type": true, "vf": true, "vrf": true, "xdp": true,
}

// onOff reads on or off.
func (p *parser) onOff(name string) bool {
	switch w := p.word(); {
	case w == "on":
		return true
	case w != "off" && p.err == nil:
		p.fail(usageError(fmt.Sprintf(`Error: argument of %q must be one of "off", "on", not %q`, name, w)))
	}
	return false
}

// deviceError turns LINK_NOT_FOUND into the words and the exit code of ip.
func deviceError(err error, name string) error {
	if errors.Is(err, vasic.ErrLinkNotFound) {
		return noDevice(name)
	}
	return err
}

// linkDelete removes a link.
func (s *session) linkDelete(ctx context.Context, words []string) error {
	name := ""
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "dev":
			name = p.word()
		case word == "type" && name != "":
			p.word()
		case abbreviates(word, "help"):
			p.fail(helpError(usageLink))
		case name != "":
			p.fail(garbage("dev", word))
		default:
			name = word
		}
	}
	switch {
	case p.err != nil:
		return p.err
	case name == "":
		return usageError(`Not enough information: "dev" argument is required.`)
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	_, err = c.Links.DeleteLink(ctx, &vasicv1.DeleteLinkRequest{Name: name})
	return deviceError(err, name)
}

// linkSelector says which links are listed.
type linkSelector struct {
	name string
	up   bool
	typ  string
	to   *prefix // addresses only
}

// parseLinkSelector reads [dev] NAME, up, type and for addresses to PREFIX.
func parseLinkSelector(words []string, f vasicv1.Family, addresses bool, usage string) (*linkSelector, error) {
	l := &linkSelector{}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "up":
			l.up = true
		case word == "type":
			l.typ = p.word()
		case addresses && word == "to":
			to, err := parsePrefix(p.word(), f)
			if err != nil {
				p.fail(err)
			}
			l.to = &to
		case addresses && (word == "scope" || word == "label" || word == "permanent" || word == "dynamic" || word == "secondary" || word == "primary"),
			word == "master", word == "nomaster", word == "group", word == "vrf":
			p.fail(notSupported(word))
		case abbreviates(word, "help"):
			p.fail(helpError(usage))
		case word == "dev":
			l.name = p.word()
		case l.name != "":
			p.fail(garbage("dev", word))
		default:
			l.name = word
		}
	}
	return l, p.err
}

// links lists what the selector means.
func (l *linkSelector) links(ctx context.Context, c *vasic.Client) ([]*vasicv1.Link, error) {
	if l.name != "" {
		resp, err := c.Links.GetLink(ctx, &vasicv1.GetLinkRequest{Name: l.name})
		if errors.Is(err, vasic.ErrLinkNotFound) {
			return nil, usageError(fmt.Sprintf("Device %q does not exist.", l.name))
		}
		if err != nil || !l.keep(resp.GetLink()) {
			return nil, err
		}
		return []*vasicv1.Link{resp.GetLink()}, nil
	}
	resp, err := c.Links.ListLinks(ctx, &vasicv1.ListLinksRequest{})
	if err != nil {
		return nil, err
	}
	var links []*vasicv1.Link
	for _, link := range resp.GetLinks() {
		if l.keep(link) {
			links = append(links, link)
		}
	}
	return links, nil
}

// keep says whether the selector means link.
func (l *linkSelector) keep(link *vasicv1.Link) bool {
	return (!l.up || link.GetUp()) && (l.typ == "" || l.typ == link.GetType())
}

// linkShow lists links.
func (s *session) linkShow(ctx context.Context, words []string) error {
	sel, err := parseLinkSelector(words, s.options.family, false, usageLink)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	links, err := sel.links(ctx, c)
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '[')
	for _, l := range links {
		p.open("", '{')
		p.link(l, &s.options)
		p.close('}')
		p.text("\n")
	}
	p.close(']')
	return p.finish(nil)
}

// link prints a link's line, without its new line.
func (p *printer) link(l *vasicv1.Link, o *options) {
	if o.brief {
		p.briefLink(l)
		p.linkFlags(l)
		return
	}
	if p.json {
		p.uint("ifindex", "", uint64(l.Index))
		p.str("ifname", "", l.Name)
	} else {
		p.text(fmt.Sprintf("%d: %s: ", l.Index, l.Name))
	}
	p.linkFlags(l)
	p.str("operstate", "state ", operState(l))
	medium := "ether"
	if l.Type == "loopback" {
		medium = "loopback"
	}
	if p.json {
		p.str("link_type", "", medium)
	}
	if o.details && l.Type != "loopback" {
		p.open("linkinfo", '{')
		if p.json {
			p.str("info_kind", "", l.Type)
		} else {
			p.text("\n    " + l.Type + " ")
		}
		p.close('}')
	}
}

// briefLink prints name and state in columns.
func (p *printer) briefLink(l *vasicv1.Link) {
	if p.json {
		p.str("ifname", "", l.Name)
		p.str("operstate", "", operState(l))
		return
	}
	p.text(fmt.Sprintf("%-16s %-14s ", l.Name, operState(l)))
}

// linkFlags prints the flags of a link as ip does.
func (p *printer) linkFlags(l *vasicv1.Link) {
	var flags []string
	if l.Up && !l.Carrier {
		flags = append(flags, "NO-CARRIER")
	}
	if l.Type == "loopback" {
		flags = append(flags, "LOOPBACK")
	} else {
		flags = append(flags, "BROADCAST", "NOARP")
	}
	if l.Up {
		flags = append(flags, "UP")
		if l.Carrier {
			flags = append(flags, "LOWER_UP")
		}
	}
	p.open("flags", '[')
	for i, f := range flags {
		switch {
		case p.json:
			p.flag(true, f)
		case i == 0:
			p.text("<" + f)
		default:
			p.text("," + f)
		}
	}
	p.text("> ")
	p.close(']')
}

// operState is the operational state. As with the kernel's lo it is not known of a loopback that is up.
func operState(l *vasicv1.Link) string {
	switch {
	case !l.Up || !l.Carrier:
		return "DOWN"
	case l.Type == "loopback":
		return "UNKNOWN"
	}
	return "UP"
}
