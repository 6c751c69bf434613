package cli

import (
	"context"
	"errors"
	"fmt"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// kindVRF is the type of links that are VRFs.
const kindVRF = "vrf"

// What ip says of a name that is no VRF's: of a route or a next hop, and of a link.
const (
	invalidVRF = "Invalid VRF"
	notAVRF    = "Not a valid VRF name"
)

// vrf is the object vrf.
func (s *session) vrf(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return s.vrfShow(ctx, nil)
	}
	command, words := words[0], words[1:]
	switch {
	case abbreviates(command, "identify"), abbreviates(command, "pids"), abbreviates(command, "exec"):
		return notSupported("vrf " + command)
	case isShow(command):
		return s.vrfShow(ctx, words)
	case abbreviates(command, "help"):
		return helpError(usageVRF)
	}
	return unknownCommand(command, "vrf")
}

// vrfShow lists VRFs with their tables.
func (s *session) vrfShow(ctx context.Context, words []string) error {
	if len(words) > 1 {
		return usageError(usageVRF)
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	p := s.newPrinter()
	if len(words) == 1 {
		l, err := vrfLink(ctx, c, words[0])
		if err != nil {
			return err
		}
		if l == nil {
			return usageError(invalidVRF)
		}
		p.text(fmt.Sprintf("%s %d\n", l.GetName(), l.GetTable()))
		p.open("", '[')
		p.vrf(l)
		p.close(']')
		return p.finish(nil)
	}
	resp, err := c.Links.ListLinks(ctx, &vasicv1.ListLinksRequest{})
	if err != nil {
		return err
	}
	none := true
	p.text(fmt.Sprintf("%-16s  %5s\n-----------------------\n", "Name", "Table"))
	p.open("", '[')
	for _, l := range resp.GetLinks() {
		if l.GetType() == kindVRF {
			none = false
			p.text(fmt.Sprintf("%-16s %5d\n", l.GetName(), l.GetTable()))
			p.vrf(l)
		}
	}
	if none {
		p.text("No VRF has been configured\n")
	}
	p.close(']')
	return p.finish(nil)
}

// vrf prints a VRF as JSON; as text nothing.
func (p *printer) vrf(l *vasicv1.Link) {
	if p.json {
		p.open("", '{')
		p.str("name", "", l.GetName())
		p.uint("table", "", uint64(l.GetTable()))
		p.close('}')
	}
}

// vrfLink returns the link of that name, or nil if it is not there or no VRF.
func vrfLink(ctx context.Context, c *vasic.Client, name string) (*vasicv1.Link, error) {
	resp, err := c.Links.GetLink(ctx, &vasicv1.GetLinkRequest{Name: name})
	switch {
	case errors.Is(err, vasic.ErrLinkNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case resp.GetLink().GetType() != kindVRF:
		return nil, nil
	}
	return resp.GetLink(), nil
}

// vrfTable returns the table of the VRF that routes are said to belong to.
func vrfTable(ctx context.Context, c *vasic.Client, name string) (uint32, error) {
	l, err := vrfLink(ctx, c, name)
	if err == nil && l == nil {
		err = wrongArgument(name, invalidVRF)
	}
	return l.GetTable(), err
}

// vrfTable is the function vrfTable for a command that has not needed the switch yet.
func (s *session) vrfTable(ctx context.Context, name string) (uint32, error) {
	c, err := s.client(ctx)
	if err != nil {
		return 0, err
	}
	return vrfTable(ctx, c, name)
}

// knownTables is vrfTable for many routes: it asks once for each VRF.
func knownTables(ctx context.Context, c *vasic.Client) func(name string) (uint32, error) {
	known := map[string]uint32{}
	return func(name string) (uint32, error) {
		table, ok := known[name]
		if ok {
			return table, nil
		}
		table, err := vrfTable(ctx, c, name)
		if err == nil {
			known[name] = table
		}
		return table, err
	}
}

// masterSelector says which links are meant by the VRF that they belong to; the zero value means all.
type masterSelector struct {
	name string // links of this VRF
	vrf  bool   // name was said to be a VRF
	none bool   // links of no VRF
}

// keyword reads a condition if word is one, and says whether it is.
func (m *masterSelector) keyword(p *parser, word string) bool {
	switch word {
	case "master":
		m.name, m.vrf = p.word(), false
	case "vrf":
		m.name, m.vrf = p.word(), true
	case "nomaster":
		m.none = true
	default:
		return false
	}
	return true
}

// links returns the names of the links that are meant; nil means all. invalid is what is said of a name that is no VRF's.
func (m *masterSelector) links(ctx context.Context, c *vasic.Client, invalid string) (map[string]bool, error) {
	if m.name == "" && !m.none {
		return nil, nil
	}
	resp, err := c.Links.ListLinks(ctx, &vasicv1.ListLinksRequest{})
	if err != nil {
		return nil, err
	}
	meant, typ := map[string]bool{}, ""
	for _, l := range resp.GetLinks() {
		if l.GetName() == m.name {
			typ = l.GetType()
		}
		if l.GetMaster() == m.name && !m.none || m.none && l.GetMaster() == "" {
			meant[l.GetName()] = true
		}
	}
	switch {
	case m.name == "":
	case m.vrf && typ != kindVRF:
		return nil, wrongArgument(m.name, invalid)
	case typ == "":
		return nil, wrongArgument(m.name, "Device does not exist")
	}
	return meant, nil
}
