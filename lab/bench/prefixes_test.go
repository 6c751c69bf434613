package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// tableOf parses prefixes.
func tableOf(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestShorterTablesAreTakenEvenly(t *testing.T) {
	p, err := sized(tableOf("1.0.0.0/24", "2.0.0.0/24", "3.0.0.0/24", "4.0.0.0/24", "2001:db8::/32", "2001:db9::/32"), 3)
	if err != nil || p.len() != 3 || p.at(0) != "1.0.0.0/24" || p.at(1) != "3.0.0.0/24" || p.at(2) != "2001:db8::/32" {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestLongerTablesDivideShorterPrefixesEachOnce(t *testing.T) {
	table := tableOf("1.0.0.0/22", "1.0.0.0/24", "1.0.2.0/25", "2.255.0.0/16", "2001:db8:2::/47", "2001:db8::/32")
	const n = 6 + 3 + 4 + 2 + 1
	p, err := sized(table, n)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for i := range p.len() {
		text := p.at(i)
		if q := netip.MustParsePrefix(text); q != q.Masked() || seen[text] {
			t.Errorf("%s is there twice, or has host bits", text)
		}
		seen[text] = true
	}
	for i, want := range []string{
		6: "2.255.0.0/24", "2001:db8:2::/48", "2001:db8::/48",
		"1.0.1.0/24", "2.255.1.0/24", "2001:db8:3::/48", "2001:db8:1::/48",
		"1.0.2.0/24", "2.255.2.0/24", // the table has the next /48
	} {
		if want != "" && p.at(i) != want {
			t.Errorf("prefix %d is %s, want %s", i, p.at(i), want)
		}
	}
	again, _ := sized(table, n)
	if p.len() != n || again.text != p.text {
		t.Errorf("got %d prefixes %q, and then %q", p.len(), p.text, again.text)
	}
	if all, err := sized(tableOf("1.0.0.0/22"), 5); err != nil || all.len() != 5 || all.at(4) != "1.0.3.0/24" {
		t.Errorf("got %+v, %v", all, err)
	}
	if _, err := sized(tableOf("1.0.0.0/22"), 6); !errors.Is(err, errTooFew) {
		t.Errorf("got %v", err)
	}
}

func TestTablesAreReadPlainAndPacked(t *testing.T) {
	text := []byte("# a table\n1.0.0.0/24\n\n2001:db8::1/32\r\n")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(text)
	_ = z.Close()
	for _, b := range [][]byte{text, packed.Bytes()} {
		file := filepath.Join(t.TempDir(), "table")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := readTable(file)
		if err != nil || len(list) != 2 || list[1] != netip.MustParsePrefix("2001:db8::/32") {
			t.Errorf("got %v, %v", list, err)
		}
	}
	file := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(file, []byte("1.0.0.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readTable(file); err == nil {
		t.Error("an address passes for a prefix")
	}
}
