package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// prefixes is a list of prefixes in one string, so that neither loading nor keeping millions of them gives the garbage collector work.
type prefixes struct {
	text string
	ends []uint32 // of each prefix in text
}

// len is how many there are.
func (p *prefixes) len() int { return len(p.ends) }

// at returns one of them.
func (p *prefixes) at(i int) string {
	start := uint32(0)
	if i > 0 {
		start = p.ends[i-1]
	}
	return p.text[start:p.ends[i]]
}

// builder makes a list of prefixes.
type builder struct {
	text []byte
	ends []uint32
}

// add adds one.
func (b *builder) add(p netip.Prefix) {
	b.text = p.AppendTo(b.text)
	b.ends = append(b.ends, uint32(len(b.text))) //nolint:gosec // a table has less than 4 GiB of text
}

// list returns what was added.
func (b *builder) list() *prefixes { return &prefixes{text: string(b.text), ends: b.ends} }

// tableFile is the real table where nobody named another: about 0.9 million IPv4 and 0.16 million IPv6 prefixes, test data of the bart
// module, so whoever can build this has it in the module cache.
func tableFile(ctx context.Context) (string, error) {
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/gaissmai/bart").Output()
	if err != nil {
		return "", fmt.Errorf("find the table in the bart module (or name one with -table): %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "internal", "tests", "testdata", "prefixes.txt.gz"), nil
}

// readTable reads a file of one prefix a line, plain or gzip.
func readTable(file string) ([]netip.Prefix, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var in io.Reader = bytes.NewReader(b)
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		if in, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	var list []netip.Prefix
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list = append(list, p.Masked())
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no prefixes", file)
	}
	return list, nil
}

// shortTable writes n prefixes of a table into a new file.
func shortTable(file string, n int) (name string, err error) {
	table, err := readTable(file)
	if err != nil {
		return "", err
	}
	short, err := sized(table, n)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "vasic-bench")
	if err != nil {
		return "", err
	}
	w := bufio.NewWriter(f)
	for i := range short.len() {
		fmt.Fprintln(w, short.at(i))
	}
	return f.Name(), errors.Join(w.Flush(), f.Close())
}

// errTooFew: a table cannot be made that long.
var errTooFew = errors.New("the table has too few /24 and /48 prefixes to make more-specifics of")

// sized returns a table of n prefixes made from a real one; 0 means the table as it is. A shorter one takes its prefixes evenly, so that families and lengths
// keep their shares; a longer one has more-specifics of the /24 and /48 prefixes after the real table, level by level.
func sized(table []netip.Prefix, n int) (*prefixes, error) {
	b := &builder{}
	if n == 0 {
		n = len(table)
	}
	if n <= len(table) {
		for i := range n {
			b.add(table[i*len(table)/n])
		}
		return b.list(), nil
	}
	longer := make(map[netip.Prefix]bool) // what the table has of more-specifics already
	for _, p := range table {
		b.add(p)
		if p.Bits() > edge(p) {
			longer[p] = true
		}
	}
	for level := 1; level <= 8; level++ {
		for _, p := range table {
			if p.Bits() != edge(p) {
				continue
			}
			for part := range 1 << level {
				if len(b.ends) == n {
					return b.list(), nil
				}
				if q := specific(p, level, part); !longer[q] {
					b.add(q)
				}
			}
		}
	}
	return nil, fmt.Errorf("%d prefixes: %w", n, errTooFew)
}

// edge is the length of the prefixes that most networks announce and nobody accepts more-specifics of.
func edge(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 24
	}
	return 48
}

// specific returns one of the 2^level parts of a /24 or /48.
func specific(p netip.Prefix, level, part int) netip.Prefix {
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] = byte(part << (8 - level))
	a, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(a, p.Bits()+level)
}

// onlyIPv4 returns the IPv4 prefixes of a table.
func onlyIPv4(table []netip.Prefix) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range table {
		if p.Addr().Is4() {
			list = append(list, p)
		}
	}
	return list
}

// sum is a checksum of a prefix. Those of many prefixes are added, so that a list can be compared with another one in any order.
func sum(prefix string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(prefix) {
		h = (h ^ uint64(prefix[i])) * 1099511628211
	}
	return h
}
