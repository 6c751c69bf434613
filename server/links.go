package server

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// linkService is vasic.v1.LinkService.
type linkService struct {
	vasicv1.UnimplementedLinkServiceServer
	s *Server
}

const (
	linkTypeDummy    = "dummy"
	linkTypeVRF      = "vrf"
	linkTypeLoopback = "loopback"
	loopbackName     = "lo"
	maxLinkName      = 15 // IFNAMSIZ less the closing 0
)

func linkMessage(l fib.LinkInfo) *vasicv1.Link {
	m := &vasicv1.Link{Name: l.Name, Index: l.Index, Type: linkTypeDummy, Up: l.Up, Carrier: l.Carrier, Table: l.Table, Master: l.Master}
	switch {
	case l.Loopback:
		m.Type = linkTypeLoopback
	case l.Kind == fib.LinkVRF:
		m.Type = linkTypeVRF
	}
	return m
}

func addressMessage(a fib.Address) *vasicv1.Address {
	return &vasicv1.Address{Link: a.Link, Prefix: a.Prefix.String(), Secondary: a.Secondary}
}

// Check says what is wrong with a link that a switch shall start with; nil if nothing is.
func (l Link) Check() error {
	if bad := checkLinkName("name", l.Name); bad != nil {
		return bad
	}
	if l.Name == loopbackName {
		return malformed("name", "%q is there already", l.Name)
	}
	for i, a := range l.Addresses {
		if bad := checkAddress("address", a); bad != nil {
			return bad
		}
		if slices.Contains(l.Addresses[:i], a) {
			return malformed("address", "%v is given twice", a)
		}
	}
	return nil
}

// checkAddress refuses what no link can have.
func checkAddress(field string, pfx netip.Prefix) *refusal {
	if a := pfx.Addr(); !pfx.IsValid() || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() {
		return malformed(field, "%v is not an address that a link can have", a)
	}
	return nil
}

// checkLinkName follows dev_valid_name.
func checkLinkName(field, name string) *refusal {
	switch {
	case name == "":
		return malformed(field, "is missing")
	case len(name) > maxLinkName:
		return malformed(field, "%q is longer than %d characters", name, maxLinkName)
	case name == "." || name == ".." || strings.ContainsAny(name, "/:") || strings.ContainsFunc(name, unicode.IsSpace):
		return malformed(field, "%q contains '/', ':' or white space", name)
	case !utf8.ValidString(name): // from a command line; the wire has none
		return malformed(field, "%q is not UTF-8", name)
	}
	return nil
}

func (ls linkService) CreateLink(_ context.Context, req *vasicv1.CreateLinkRequest) (*vasicv1.CreateLinkResponse, error) {
	if bad := checkLinkName("link.name", req.GetLink().GetName()); bad != nil {
		return nil, bad
	}
	kind := fib.LinkDummy
	switch m := req.Link; {
	case m.Type == linkTypeVRF && m.Table == 0:
		return nil, kernelSays(malformed("link.table", "is missing"), "VRF table id is missing")
	case m.Type == linkTypeVRF:
		kind = fib.LinkVRF
	case m.Type != "" && m.Type != linkTypeDummy:
		return nil, malformed("link.type", "%q is neither %q nor %q", m.Type, linkTypeDummy, linkTypeVRF)
	case m.Table != 0:
		return nil, malformed("link.table", "is for links of type %q", linkTypeVRF)
	}
	l, err := ls.s.fib.AddLink(strings.Clone(req.Link.Name), kind, req.Link.Table)
	if err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.CreateLinkResponse{Link: linkMessage(l)}, nil
}

func (ls linkService) DeleteLink(_ context.Context, req *vasicv1.DeleteLinkRequest) (*vasicv1.DeleteLinkResponse, error) {
	if bad := checkLinkName("name", req.Name); bad != nil {
		return nil, bad
	}
	return &vasicv1.DeleteLinkResponse{}, statusOf(ls.s.fib.DeleteLink(req.Name))
}

func (ls linkService) UpdateLink(_ context.Context, req *vasicv1.UpdateLinkRequest) (*vasicv1.UpdateLinkResponse, error) {
	if bad := checkLinkName("link.name", req.GetLink().GetName()); bad != nil {
		return nil, bad
	}
	var up, carrier *bool
	var master *string
	for _, path := range req.GetUpdateMask().GetPaths() {
		switch path {
		case "up":
			up = &req.Link.Up
		case "carrier":
			carrier = &req.Link.Carrier
		case "master":
			master = &req.Link.Master
		default:
			return nil, malformed("update_mask", "%q is not \"up\", \"carrier\" or \"master\"", path)
		}
	}
	if up == nil && carrier == nil && master == nil {
		return nil, malformed("update_mask", "is missing")
	}
	var l fib.LinkInfo
	var err error
	if master != nil { // first, as do_setlink does
		l, err = ls.s.fib.SetLinkMaster(req.Link.Name, *master)
	}
	if err == nil && (up != nil || carrier != nil) {
		l, err = ls.s.fib.SetLink(req.Link.Name, up, carrier)
	}
	if err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.UpdateLinkResponse{Link: linkMessage(l)}, nil
}

func (ls linkService) GetLink(_ context.Context, req *vasicv1.GetLinkRequest) (*vasicv1.GetLinkResponse, error) {
	if bad := checkLinkName("name", req.Name); bad != nil {
		return nil, bad
	}
	l, err := ls.s.fib.Link(req.Name)
	if err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.GetLinkResponse{Link: linkMessage(l)}, nil
}

func (ls linkService) ListLinks(context.Context, *vasicv1.ListLinksRequest) (*vasicv1.ListLinksResponse, error) {
	res := &vasicv1.ListLinksResponse{}
	for _, l := range ls.s.fib.Links() {
		res.Links = append(res.Links, linkMessage(l))
	}
	return res, nil
}

func (ls linkService) CreateAddress(_ context.Context, req *vasicv1.CreateAddressRequest) (*vasicv1.CreateAddressResponse, error) {
	if bad := checkLinkName("address.link", req.GetAddress().GetLink()); bad != nil {
		return nil, bad
	}
	pfx, bad := parseAnyPrefix("address.prefix", req.Address.Prefix)
	if bad != nil {
		return nil, bad
	}
	if bad := checkAddress("address.prefix", pfx); bad != nil {
		return nil, bad
	}
	a, err := ls.s.fib.AddAddress(req.Address.Link, pfx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &vasicv1.CreateAddressResponse{Address: addressMessage(a)}, nil
}

func (ls linkService) DeleteAddress(_ context.Context, req *vasicv1.DeleteAddressRequest) (*vasicv1.DeleteAddressResponse, error) {
	if bad := checkLinkName("address.link", req.GetAddress().GetLink()); bad != nil {
		return nil, bad
	}
	pfx, bad := parseAnyPrefix("address.prefix", req.Address.Prefix)
	if bad != nil {
		return nil, bad
	}
	return &vasicv1.DeleteAddressResponse{}, statusOf(ls.s.fib.DeleteAddress(req.Address.Link, pfx))
}

func (ls linkService) ListAddresses(_ context.Context, req *vasicv1.ListAddressesRequest) (*vasicv1.ListAddressesResponse, error) {
	list, err := ls.s.fib.Addresses(req.Link)
	if err != nil {
		return nil, statusOf(err)
	}
	res := &vasicv1.ListAddressesResponse{}
	for _, a := range list {
		res.Addresses = append(res.Addresses, addressMessage(a))
	}
	return res, nil
}
