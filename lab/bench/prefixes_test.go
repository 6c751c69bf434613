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

func TestLongerTablesHaveMoreSpecificsEachOnce(t *testing.T) {
	table := tableOf("1.0.0.0/24", "1.0.0.128/25", "1.0.0.64/26", "2.0.0.0/8", "2001:db8:1::/48")
	const n = 5 + 3 + 7
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
	if p.len() != n || p.at(5) != "1.0.0.0/25" || p.at(6) != "2001:db8:1::/49" || p.at(8) != "1.0.0.0/26" || p.at(9) != "1.0.0.128/26" {
		t.Errorf("got %q", p.text)
	}
	again, _ := sized(table, n)
	if again.text != p.text {
		t.Error("the same table is not made again")
	}
	if _, err := sized(table, 10_000); !errors.Is(err, errTooFew) {
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
