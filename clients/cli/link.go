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
	var table uint32
	p := parser{words: words}
	for p.more() && typ == "" {
		switch word := p.word(); {
		case word == "type":
			typ = p.word()
			if typ == kindVRF {
				table = p.vrfTable()
			} else if p.more() {
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
	_, err = c.Links.CreateLink(ctx, &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: name, Type: typ, Table: table}})
	return err
}

// vrfTable takes what stands behind `type vrf`: table TABLE_ID. Without it the table is 0, which the switch refuses.
func (p *parser) vrfTable() (table uint32) {
	for p.more() {
		switch word := p.word(); {
		case abbreviates(word, "table"):
			w := p.word()
			var ok bool
			if table, ok = tableNames.parse(w, 32); !ok && p.err == nil {
				p.fail(wrongArgument(w, "invalid table ID"))
			}
		case abbreviates(word, "help"):
			p.fail(helpError(usageLinkVRF))
		default:
			p.fail(usageError(fmt.Sprintf("vrf: unknown option %q?\n%s", word, usageLinkVRF)))
		}
	}
	return table
}

// linkSet changes links' states. As with ip the last word of a kind counts.
func (s *session) linkSet(ctx context.Context, words []string) error {
	link, mask, vrf := &vasicv1.Link{}, &fieldmaskpb.FieldMask{}, false
	p := parser{words: words}
	for p.more() {
		switch word := p.word(); {
		case word == "up", word == "down":
			link.Up = word == "up"
			mask.Paths = append(mask.Paths, "up")
		case word == "carrier":
			link.Carrier = p.onOff("carrier")
			mask.Paths = append(mask.Paths, "carrier")
		case word == "master", word == "vrf":
			link.Master, vrf = p.word(), word == "vrf"
			mask.Paths = append(mask.Paths, "master")
		case word == "nomaster":
			link.Master, vrf = "", false
			mask.Paths = append(mask.Paths, "master")
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
	if link.Master != "" {
		// As with ip the master is looked for first.
		master := masterSelector{name: link.Master, vrf: vrf}
		if _, err := master.links(ctx, c, notAVRF); err != nil {
			return err
		}
	}
	mask.Normalize()
	_, err = c.Links.UpdateLink(ctx, &vasicv1.UpdateLinkRequest{Link: link, UpdateMask: mask})
	return deviceError(err, link.Name)
}

// linkSettings are words of ip's `link set` for what links here do not have.
var linkSettings = map[string]bool{
	"address": true, "addrgenmode": true, "alias": true, "allmulticast": true, "arp": true, "broadcast": true, "dynamic": true,
	"group": true, "link-netns": true, "link-netnsid": true, "macaddr": true, "mode": true, "mtu": true,
	"multicast": true, "name": true, "netns": true, "promisc": true, "protodown": true, "state": true,
	"trailers": true, "txqlen": true, "txqueuelen": true, "type": true, "vf": true, "xdp": true,
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
