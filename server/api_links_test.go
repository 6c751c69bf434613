package server_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

func (r *apiRig) createLink(name string) (*vasicv1.Link, error) {
	res, err := r.links.CreateLink(r.ctx(), &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: name}})
	return res.GetLink(), err
}

func (r *apiRig) setLink(link *vasicv1.Link, paths ...string) (*vasicv1.Link, error) {
	res, err := r.links.UpdateLink(r.ctx(), &vasicv1.UpdateLinkRequest{Link: link, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	return res.GetLink(), err
}

func (r *apiRig) createAddress(link, prefix string) (*vasicv1.Address, error) {
	res, err := r.links.CreateAddress(r.ctx(), &vasicv1.CreateAddressRequest{Address: &vasicv1.Address{Link: link, Prefix: prefix}})
	return res.GetAddress(), err
}

func (r *apiRig) deleteAddress(link, prefix string) error {
	_, err := r.links.DeleteAddress(r.ctx(), &vasicv1.DeleteAddressRequest{Address: &vasicv1.Address{Link: link, Prefix: prefix}})
	return err
}

func (r *apiRig) addresses(link string) (list []string) {
	r.t.Helper()
	for _, a := range must(r.links.ListAddresses(r.ctx(), &vasicv1.ListAddressesRequest{Link: link}))(r.t).Addresses {
		text := a.Link + " " + a.Prefix
		if a.Secondary {
			text += " secondary"
		}
		list = append(list, text)
	}
	return list
}

func TestALinkIsMadeChangedReadAndRemoved(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		want := &vasicv1.Link{Name: "swp3", Index: 4, Type: "dummy", Carrier: true}
		check := func(what string, got *vasicv1.Link, err error) {
			t.Helper()
			if err != nil || !proto.Equal(got, want) {
				t.Errorf("%s: %v, %v, want %v", what, got, err, want)
			}
			read, err := r.links.GetLink(r.ctx(), &vasicv1.GetLinkRequest{Name: "swp3"})
			if err != nil || !proto.Equal(read.Link, want) {
				t.Errorf("%s, read again: %v, %v, want %v", what, read, err, want)
			}
		}
		// Only name and type of the request matter.
		created, err := r.links.CreateLink(r.ctx(), &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: "swp3", Type: "dummy", Up: true, Index: 9}})
		check("create", created.GetLink(), err)
		want.Up = true
		for range 2 { // idempotent; and what the mask does not name stays
			got, err := r.setLink(&vasicv1.Link{Name: "swp3", Up: true}, "up")
			check("up", got, err)
		}
		want.Carrier = false
		got, err := r.setLink(&vasicv1.Link{Name: "swp3"}, "carrier")
		check("carrier lost", got, err)
		want.Up, want.Carrier = false, true
		got, err = r.setLink(&vasicv1.Link{Name: "swp3", Carrier: true, Type: "x", Index: 1}, "carrier", "up")
		check("down, with carrier", got, err)

		var names []string
		for _, l := range must(r.links.ListLinks(r.ctx(), &vasicv1.ListLinksRequest{}))(t).Links {
			names = append(names, fmt.Sprint(l.Index, " ", l.Name, " ", l.Type))
		}
		wantEqual(t, "links", names, []string{"1 lo loopback", "2 swp1 dummy", "3 swp2 dummy", "4 swp3 dummy"})

		must(r.links.DeleteLink(r.ctx(), &vasicv1.DeleteLinkRequest{Name: "swp3"}))(t)
		_, err = r.links.GetLink(r.ctx(), &vasicv1.GetLinkRequest{Name: "swp3"})
		noLink("", `"swp3"`).checkErr(t, err)
		if again := must(r.createLink("swp3"))(t); again.Index != 5 {
			t.Errorf("index %d, want one never used before", again.Index)
		}
	})
}

// The routes that follow from links and addresses have changed when the call returns.
func TestLinksAndAddressesMakeAndRemoveRoutes(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		on := func() []string { return prefixes(r.list(&vasicv1.RouteFilter{Device: "swp3"})) }
		must(r.createLink("swp3"))(t)
		must(r.createAddress("swp3", "10.0.3.1/24"))(t)
		wantEqual(t, "down", on(), []string{"10.0.3.1/32"})
		must(r.setLink(&vasicv1.Link{Name: "swp3", Up: true}, "up"))(t)
		wantEqual(t, "up", on(), []string{"10.0.3.0/24", "10.0.3.1/32", "10.0.3.255/32", "ff00::/8"})
		second := must(r.createAddress("swp3", "10.0.3.2/24"))(t)
		if !second.Secondary || second.Prefix != "10.0.3.2/24" || second.Link != "swp3" {
			t.Errorf("second address %v", second)
		}
		must(r.createAddress("swp3", "2001:DB8:3:0::1/64"))(t)
		wantEqual(t, "addresses", r.addresses("swp3"), []string{"swp3 10.0.3.1/24", "swp3 10.0.3.2/24 secondary", "swp3 2001:db8:3::1/64"})
		wantEqual(t, "all addresses", r.addresses(""), append([]string{
			"lo ::1/128", "swp1 10.0.1.1/24", "swp1 2001:db8:1::1/64", "swp2 10.0.2.1/24", "swp2 2001:db8:2::1/64",
		}, r.addresses("swp3")...))
		r.add(good4(prefsrc("10.0.3.2")), apiRoute("192.0.2.0/24", via("10.0.3.9")), apiRoute("2001:db8:b::/48", via("2001:db8:3::9")))
		if err := r.deleteAddress("swp3", "10.0.3.2/24"); err != nil {
			t.Error(err)
		}
		wantEqual(t, "prefsrc gone", prefixes(r.list(&vasicv1.RouteFilter{ExactPrefix: "198.51.100.0/24"})), nil)
		if err := r.deleteAddress("swp3", "2001:db8:3:0:0::1/64"); err != nil {
			t.Error(err)
		}
		wantEqual(t, "without the IPv6 address", on(), []string{"10.0.3.0/24", "192.0.2.0/24", "10.0.3.1/32", "10.0.3.255/32", "2001:db8:b::/48", "ff00::/8"})
		must(r.setLink(&vasicv1.Link{Name: "swp3"}, "up"))(t)
		wantEqual(t, "down again", on(), []string{"10.0.3.1/32"})
		must(r.links.DeleteLink(r.ctx(), &vasicv1.DeleteLinkRequest{Name: "swp3"}))(t)
		wantEqual(t, "removed", on(), nil)
	})
}

func TestLinkNames(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		for _, name := range []string{"e", "swp1.100", "Ethernet1_2", strings.Repeat("x", 15), "ö", "-", "...", "lo0"} {
			if l, err := r.createLink(name); err != nil || l.Name != name {
				t.Errorf("%q: %v, %v", name, l, err)
			}
		}
		r.quiet()
		before := r.everything()
		for name, words := range map[string]string{
			"": "is missing", "exactly16letters": "longer than 15", "öööööööö": "longer than 15", "a/b": "'/'", "a b": "white space", "a\tb": "white space", "a\n": "white space",
			"a\u00a0b": "white space", ".": `"."`, "..": `".."`, "a:b": "':'",
		} {
			want := func(field string) refused { return malformed(field, words) }
			_, err := r.createLink(name)
			want("link.name").checkErr(t, err)
			_, err = r.setLink(&vasicv1.Link{Name: name, Up: true}, "up")
			want("link.name").checkErr(t, err)
			_, err = r.links.GetLink(r.ctx(), &vasicv1.GetLinkRequest{Name: name})
			want("name").checkErr(t, err)
			_, err = r.links.DeleteLink(r.ctx(), &vasicv1.DeleteLinkRequest{Name: name})
			want("name").checkErr(t, err)
			_, err = r.createAddress(name, "10.0.9.1/24")
			want("address.link").checkErr(t, err)
			want("address.link").checkErr(t, r.deleteAddress(name, "10.0.9.1/24"))
		}
		r.unchanged(before)
	})
}

func TestLinkRefusals(t *testing.T) {
	exists := func(words string) refused {
		return refused{codes.AlreadyExists, "ADDRESS_EXISTS", "EEXIST", "", "", words}
	}
	gone := func(words string) refused {
		return refused{codes.NotFound, "ADDRESS_NOT_FOUND", "EADDRNOTAVAIL", "", "", words}
	}
	address := func(words string) refused { return malformed("address.prefix", words) }
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		must(r.createAddress("swp1", "10.0.1.2/24"))(t)
		r.quiet()
		before := r.everything()
		try := func(_ any, err error) error { return err }
		update := func(link *vasicv1.Link, paths ...string) error { return try(r.setLink(link, paths...)) }
		create := func(link, prefix string) error { return try(r.createAddress(link, prefix)) }
		for i, c := range []struct {
			err  error
			want refused
		}{
			{try(r.links.CreateLink(r.ctx(), &vasicv1.CreateLinkRequest{})), malformed("link.name", "is missing")},
			{try(r.createLink("swp1")), refused{codes.AlreadyExists, "LINK_EXISTS", "EEXIST", "", "", `a link of that name exists: "swp1"`}},
			{try(r.createLink("lo")), refused{codes.AlreadyExists, "LINK_EXISTS", "EEXIST", "", "", `"lo"`}},
			{try(r.links.CreateLink(r.ctx(), &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: "x", Type: "vlan"}})), malformed("link.type", `"vlan" is neither "dummy" nor "vrf"`)},
			{try(r.links.CreateLink(r.ctx(), &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: "x", Type: "loopback"}})), malformed("link.type", `"loopback"`)},

			{try(r.links.UpdateLink(r.ctx(), &vasicv1.UpdateLinkRequest{})), malformed("link.name", "is missing")},
			{try(r.links.UpdateLink(r.ctx(), &vasicv1.UpdateLinkRequest{Link: &vasicv1.Link{Name: "swp1"}})), malformed("update_mask", "is missing")},
			{update(&vasicv1.Link{Name: "swp1"}), malformed("update_mask", "is missing")},
			{update(&vasicv1.Link{Name: "swp1"}, "up", "name"), malformed("update_mask", `"name" is not "up", "carrier" or "master"`)},
			{update(&vasicv1.Link{Name: "swp1"}, "*"), malformed("update_mask", `"*"`)},
			{update(&vasicv1.Link{Name: "swp9"}, "up"), noLink("", `"swp9"`)},
			{update(&vasicv1.Link{Name: "SWP1"}, "up"), noLink("", `"SWP1"`)},

			{try(r.links.DeleteLink(r.ctx(), &vasicv1.DeleteLinkRequest{Name: "swp9"})), noLink("", `"swp9"`)},
			{try(r.links.DeleteLink(r.ctx(), &vasicv1.DeleteLinkRequest{Name: "lo"})), refused{codes.FailedPrecondition, "LINK_NOT_REMOVABLE", "EOPNOTSUPP", "", "", `"lo"`}},
			{try(r.links.GetLink(r.ctx(), &vasicv1.GetLinkRequest{Name: "swp9"})), noLink("", `"swp9"`)},
			{try(r.links.ListAddresses(r.ctx(), &vasicv1.ListAddressesRequest{Link: "swp9"})), noLink("", `"swp9"`)},

			{try(r.links.CreateAddress(r.ctx(), &vasicv1.CreateAddressRequest{})), malformed("address.link", "is missing")},
			{try(r.links.DeleteAddress(r.ctx(), &vasicv1.DeleteAddressRequest{})), malformed("address.link", "is missing")},
			{create("swp1", ""), address("is missing")},
			{create("swp1", "10.0.9.1"), address(`"10.0.9.1" is not a prefix`)},
			{create("swp1", "10.0.9.1/33"), address("10.0.9.1/33")},
			{create("swp1", "::ffff:10.0.9.1/120"), address("::ffff:10.0.9.1/120")},
			{create("swp1", "fe80::1%swp1/64"), address("fe80::1%swp1/64")},
			{create("swp1", "0.0.0.0/24"), address("0.0.0.0 is not an address that a link can have")},
			{create("swp1", "224.0.0.1/24"), address("224.0.0.1")},
			{create("swp1", "::/64"), address("::")},
			{create("swp1", "ff02::1/64"), address("ff02::1")},
			{create("swp9", "10.0.9.1/24"), noLink("", `"swp9"`)},
			{create("swp1", "10.0.1.1/24"), exists(`10.0.1.1/24 on "swp1"`)},
			{create("swp1", "10.0.1.2/24"), exists(`10.0.1.2/24 on "swp1"`)},
			{create("swp1", "2001:db8:1::1/64"), exists(`2001:db8:1::1/64 on "swp1"`)},
			{create("swp1", "2001:db8:1::1/48"), exists(`2001:db8:1::1/48 on "swp1"`)},
			{r.deleteAddress("swp1", ""), address("is missing")},
			{r.deleteAddress("swp1", "10.0.1.1/33"), address("10.0.1.1/33")},
			{r.deleteAddress("swp9", "10.0.1.1/24"), noLink("", `"swp9"`)},
			{r.deleteAddress("swp1", "10.0.1.9/24"), gone(`10.0.1.9/24 on "swp1"`)},
			{r.deleteAddress("swp1", "10.0.1.1/25"), gone(`10.0.1.1/25 on "swp1"`)},
			{r.deleteAddress("swp2", "10.0.1.1/24"), gone(`10.0.1.1/24 on "swp2"`)},
			{r.deleteAddress("swp1", "2001:db8:1::2/64"), gone(`2001:db8:1::2/64 on "swp1"`)},
		} {
			c.want.checkErr(named{t, fmt.Sprint("case ", i)}, c.err)
		}
		r.quiet()
		r.unchanged(before)
	})
}
