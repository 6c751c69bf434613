package cli

import (
	"context"
	"errors"
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// linkSelector says which links are listed.
type linkSelector struct {
	name string
	up   bool
	typ  string
	to   *prefix // addresses only

	master masterSelector
}

// parseLinkSelector reads [dev] NAME, up, type, master, vrf, nomaster and for addresses to PREFIX.
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
			word == "group":
			p.fail(notSupported(word))
		case l.master.keyword(&p, word):
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
	wanted, err := l.master.links(ctx, c, notAVRF)
	if err != nil {
		return nil, err
	}
	if l.name != "" {
		resp, err := c.Links.GetLink(ctx, &vasicv1.GetLinkRequest{Name: l.name})
		if errors.Is(err, vasic.ErrLinkNotFound) {
			return nil, usageError(fmt.Sprintf("Device %q does not exist.", l.name))
		}
		if err != nil || !l.keep(resp.GetLink()) || wanted != nil && !wanted[l.name] {
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
		if l.keep(link) && (wanted == nil || wanted[link.GetName()]) {
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
	tables, err := s.vrfTables(ctx, c, links)
	if err != nil {
		return err
	}
	p := s.newPrinter()
	p.open("", '[')
	for _, l := range links {
		p.open("", '{')
		p.link(l, tables, &s.options)
		p.close('}')
		p.text("\n")
	}
	p.close(']')
	return p.finish(nil)
}

// vrfTables returns the tables of VRFs by their names, as far as they are shown with links: with -d, of those that links belong to.
func (s *session) vrfTables(ctx context.Context, c *vasic.Client, links []*vasicv1.Link) (map[string]uint32, error) {
	tables := map[string]uint32{}
	for _, l := range links {
		master := l.GetMaster()
		if _, known := tables[master]; known || master == "" || !s.options.details {
			continue
		}
		vrf, err := vrfLink(ctx, c, master)
		if err != nil {
			return nil, err
		}
		tables[master] = vrf.GetTable()
	}
	return tables, nil
}

// link prints a link's line, without its new line. tables are those of the VRFs that links belong to.
func (p *printer) link(l *vasicv1.Link, tables map[string]uint32, o *options) {
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
	if l.Master != "" {
		p.str("master", "master ", l.Master)
	}
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
		p.str("info_kind", "\n    ", l.Type)
		if l.Type == kindVRF {
			p.open("info_data", '{')
			p.uint("table", "table ", uint64(l.Table))
			p.close('}')
		}
		if l.Master != "" {
			if p.json {
				p.str("info_slave_kind", "", kindVRF)
			} else {
				p.text("\n    " + kindVRF + "_slave ")
			}
			p.open("info_slave_data", '{')
			p.uint("table", "table ", uint64(tables[l.Master]))
			p.close('}')
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
	switch l.Type {
	case "loopback":
		flags = append(flags, "LOOPBACK")
	case kindVRF:
		flags = append(flags, "NOARP", "MASTER")
	default:
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
