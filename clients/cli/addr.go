package cli

import (
	"context"
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// addr is the object address.
func (s *session) addr(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.addrShow(ctx, nil)
	}
	command, words := words[0], words[1:]
	switch {
	case abbreviates(command, "add"):
		return s.addrModify(ctx, words, true)
	case abbreviates(command, "delete"):
		return s.addrModify(ctx, words, false)
	case isShow(command):
		return s.addrShow(ctx, words)
	case abbreviates(command, "change"), command == "chg", abbreviates(command, "replace"), abbreviates(command, "flush"),
		command == "save", command == "restore", command == "showdump":
		return notSupported("address " + command)
	case abbreviates(command, "help"):
		return helpError(usageAddr)
	}
	return unknownCommand(command, "address")
}

// addrModify gives a link an address or takes it away.
func (s *session) addrModify(ctx context.Context, words []string, add bool) error {
	a := &vasicv1.Address{}
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "dev":
			a.Link = p.word()
		case word == "nodad", word == "noprefixroute" && !add:
			// There is no duplicate address detection to leave out.
		case word == "broadcast", word == "brd":
			p.broadcast()
		case addrSettings[word]:
			p.fail(notSupported("address " + word))
		default:
			if word == "local" {
				word = p.word()
			}
			switch {
			case p.err != nil:
			case abbreviates(word, "help"):
				p.fail(helpError(usageAddr))
			case a.Prefix != "":
				p.fail(garbage("local", word))
			default:
				x, err := parsePrefix(word, s.options.family)
				if err != nil {
					p.fail(err)
				}
				a.Prefix = x.in(s.options.family).String()
			}
		}
	}
	switch {
	case p.err != nil:
		return p.err
	case a.Link == "":
		return usageError(`Not enough information: "dev" argument is required.`)
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	if add {
		_, err = c.Links.CreateAddress(ctx, &vasicv1.CreateAddressRequest{Address: a})
	} else {
		_, err = c.Links.DeleteAddress(ctx, &vasicv1.DeleteAddressRequest{Address: a})
	}
	return deviceError(err, a.Link)
}

// broadcast reads a broadcast address; it is always the subnet's here.
func (p *parser) broadcast() {
	if w := p.word(); w != "+" && p.err == nil {
		p.fail(notSupported("broadcast " + w))
	}
}

// addrSettings are words of ip for what addresses here do not have.
var addrSettings = map[string]bool{
	"peer": true, "remote": true, "anycast": true, "scope": true, "label": true, "metric": true, "priority": true,
	"preference": true, "valid_lft": true, "preferred_lft": true, "home": true, "mngtmpaddr": true, "noprefixroute": true,
	"autojoin": true, "proto": true,
}

// addrShow lists links with their addresses.
func (s *session) addrShow(ctx context.Context, words []string) error {
	sel, err := parseLinkSelector(words, s.options.family, true, usageAddr)
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
	resp, err := c.Links.ListAddresses(ctx, &vasicv1.ListAddressesRequest{Link: sel.name})
	if err != nil {
		return err
	}
	of := map[string][]address{}
	for _, a := range resp.GetAddresses() {
		x, err := parsePrefix(a.GetPrefix(), familyAny)
		if err == nil && s.wants(x, sel) {
			of[a.GetLink()] = append(of[a.GetLink()], address{prefix: x, link: a.GetLink(), secondary: a.GetSecondary()})
		}
	}
	tables, err := s.vrfTables(ctx, c, links)
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '[')
	for _, l := range links {
		if list := of[l.GetName()]; len(list) > 0 || s.options.family == familyAny && sel.to == nil {
			s.linkAddresses(p, l, tables, list)
		}
	}
	p.close(']')
	return p.finish(nil)
}

// wants says whether an address is listed.
func (s *session) wants(x prefix, sel *linkSelector) bool {
	return (s.options.family == familyAny || s.options.family == x.family) && (sel.to == nil || sel.to.holds(x.addr.String()))
}

// address is an address of a link.
type address struct {
	prefix
	link      string
	secondary bool
}

// scope is the word for how far the address reaches.
func (a address) scope() string {
	switch {
	case a.addr.IsLoopback():
		return "host"
	case a.addr.IsLinkLocalUnicast() && a.family == family6:
		return "link"
	}
	return "global"
}

// linkAddresses prints a link with its addresses: IPv4 first, primary ones before secondary ones.
func (s *session) linkAddresses(p *printer, l *vasicv1.Link, tables map[string]uint32, list []address) {
	o := &s.options
	p.open("", '{')
	switch {
	case o.brief:
		p.briefLink(l)
	case !o.oneLine || p.json:
		p.link(l, tables, o)
		p.text("\n")
	}
	p.open("addr_info", '[')
	for _, pass := range []address{{prefix: prefix{family: family4}}, {prefix: prefix{family: family4}, secondary: true}, {prefix: prefix{family: family6}}} {
		for _, a := range list {
			if a.family == pass.family && (a.secondary == pass.secondary || a.family == family6) {
				p.address(a, l, o)
			}
		}
	}
	p.close(']')
	p.close('}')
	if o.brief {
		p.text("\n")
	}
}

// address prints one address of link l.
func (p *printer) address(a address, l *vasicv1.Link, o *options) {
	p.open("", '{')
	defer p.close('}')
	switch {
	case p.json:
		if !o.brief {
			p.str("family", "", familyWord(a.family))
		}
		p.str("local", "", a.addr.String())
		p.uint("prefixlen", "", uint64(a.bits))
		if o.brief {
			return
		}
		p.str("scope", "", a.scope())
		if a.secondary {
			p.boolean("secondary")
		}
		if a.family == family4 {
			p.str("label", "", a.link)
		}
	case o.brief:
		p.text(a.String() + " ")
	default:
		end := "\n"
		if o.oneLine {
			p.text(fmt.Sprintf("%d: %s", l.Index, l.Name))
			end = `\`
		}
		p.text(fmt.Sprintf("    %s %s scope %s ", familyWord(a.family), a.prefix, a.scope()))
		if a.secondary {
			p.text("secondary ")
		}
		if a.family == family4 {
			p.text(a.link)
		}
		p.text(end + "       valid_lft forever preferred_lft forever\n")
	}
}
