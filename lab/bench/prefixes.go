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
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = errors.New(strings.TrimSpace(string(failed.Stderr)))
		}
		return "", fmt.Errorf("find the table in the bart module (or name one with -table): %w", err)
	}
	if strings.TrimSpace(string(dir)) == "" {
		return "", errors.New("the bart module, which has the table, is not here: go mod download, or name a table with -table")
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
var errTooFew = errors.New("the table has too few prefixes shorter than /24 and /48 to divide")

// sized returns a table of n prefixes made from a real one; 0 means the table as it is. A shorter one takes its prefixes evenly, so that families and lengths
// keep their shares. A longer one grows as the Internet's does, where networks announce parts of what they have: after the real table each shorter prefix gives
// its first /24 or /48, then its second, and so on, as far as they are not there yet.
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
	there := make(map[netip.Prefix]bool, n)
	var divisible []netip.Prefix
	for _, p := range table {
		b.add(p)
		if there[p] = true; p.Bits() < edge(p) {
			divisible = append(divisible, p)
		}
	}
	for number := uint32(0); len(divisible) > 0; number++ {
		rest := divisible[:0]
		for _, p := range divisible {
			if len(b.ends) == n {
				return b.list(), nil
			}
			if q := part(p, number); !there[q] {
				b.add(q)
				there[q] = true
			}
			if number+1 < 1<<min(edge(p)-p.Bits(), 31) {
				rest = append(rest, p)
			}
		}
		divisible = rest
	}
	if len(b.ends) == n {
		return b.list(), nil
	}
	return nil, fmt.Errorf("%d prefixes: %w", n, errTooFew)
}

// edge is the length of the longest prefixes that most networks accept.
func edge(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 24
	}
	return 48
}

// part returns the /24 or /48 with that number within a shorter prefix.
func part(p netip.Prefix, number uint32) netip.Prefix {
	bytes := p.Addr().AsSlice()
	end := edge(p) / 8 // the number is added to the bytes before
	for i := range 4 {
		if end-4+i >= 0 {
			bytes[end-4+i] |= byte(number >> (24 - 8*i))
		}
	}
	a, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(a, edge(p))
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
