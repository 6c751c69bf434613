package cli

import (
	"fmt"
	"strings"
)

// A parser takes words off a command line from left to right. Its first error sticks: after it there are no more words, and
// what its methods return is empty. It belongs to one goroutine.
type parser struct {
	words []string
	err   error
}

// more says whether a word is left and nothing went wrong.
func (p *parser) more() bool { return p.err == nil && len(p.words) > 0 }

// peek returns the next word without taking it.
func (p *parser) peek() string {
	if !p.more() {
		return ""
	}
	return p.words[0]
}

// word takes the next word; it is an error if there is none.
func (p *parser) word() string {
	if p.err != nil {
		return ""
	}
	if len(p.words) == 0 {
		p.fail(usageError(`Command line is not complete. Try option "help"`))
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

// take takes the next word if it is w.
func (p *parser) take(w string) bool {
	if p.peek() != w {
		return false
	}
	p.words = p.words[1:]
	return true
}

// fail records err unless there was an error before.
func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// number takes the next word as an unsigned number of so many bits; name is what the message calls it.
func (p *parser) number(bits int, name string) uint32 {
	w := p.word()
	n, ok := parseUint(w, bits)
	if !ok && p.err == nil {
		p.fail(wrongArgument(w, fmt.Sprintf("%q value is invalid", name)))
	}
	return uint32(n)
}

// number64 is number for 64 bits.
func (p *parser) number64(name string) uint64 {
	w := p.word()
	n, ok := parseUint(w, 64)
	if !ok && p.err == nil {
		p.fail(wrongArgument(w, fmt.Sprintf("%q value is invalid", name)))
	}
	return n
}

// end makes it an error if words are left; after is the last thing that could be repeated.
func (p *parser) end(after string) error {
	if p.more() {
		p.fail(garbage(after, p.peek()))
	}
	return p.err
}

// abbreviates says whether w is an abbreviation of word, as iproute2's matches() has it: any beginning of it.
func abbreviates(w, word string) bool { return w != "" && strings.HasPrefix(word, w) }

// usageError is a wrong command line, in the words that are printed.
func usageError(text string) error { return &exitError{code: exitUsage, text: text} }

// wrongArgument is iproute2's invarg: an argument that cannot be what it should. ip ends it with an empty line.
func wrongArgument(arg, why string) error {
	return usageError(fmt.Sprintf("Error: argument %q is wrong: %s\n", arg, why))
}

// wrongWord is wrongArgument where ip has no empty line.
func wrongWord(arg, why string) error {
	return usageError(fmt.Sprintf("Error: argument %q is wrong: %s", arg, why))
}

// duplicate is iproute2's duparg: an option that can be said only once.
func duplicate(option, arg string) error {
	return usageError(fmt.Sprintf("Error: duplicate %q: %q is the second value.", option, arg))
}

// garbage is iproute2's duparg2: a word that nothing expects.
func garbage(after, word string) error {
	return usageError(fmt.Sprintf("Error: either %q is duplicate, or %q is a garbage.", after, word))
}

// unknownWord is a word that a command of this switch only does not know.
func unknownWord(command, word string) error {
	return usageError(fmt.Sprintf(`Error: %q is not known here, try "vasicctl %s help".`, word, command))
}

// notSupported refuses words of iproute2 that are right but that this switch does not have.
func notSupported(what string) error {
	return &exitError{code: exitRefused, text: fmt.Sprintf("Error: %q is not supported by this switch.", what)}
}

// parseUint reads an unsigned number of so many bits as C's strtoul does with base 0: decimal, 0x… or 0… (octal).
func parseUint(s string, bits int) (uint64, bool) {
	base := uint64(10)
	switch {
	case len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'):
		return parseDigits(s[2:], 16, bits)
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	return parseDigits(s, base, bits)
}

// parseDigits reads digits of a base up to 16.
func parseDigits(s string, base uint64, bits int) (uint64, bool) {
	limit := uint64(1)<<(bits-1) - 1 + uint64(1)<<(bits-1)
	var n uint64
	for i := range len(s) {
		d := uint64(99)
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			d = uint64(c - '0')
		case c >= 'a' && c <= 'f':
			d = uint64(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = uint64(c-'A') + 10
		}
		if d >= base || n > (limit-d)/base {
			return 0, false
		}
		n = n*base + d
	}
	return n, s != ""
}
