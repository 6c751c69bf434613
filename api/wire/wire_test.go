package wire_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vasic-project/vasic/api/wire"
)

func TestValidTextAgreesWithTheStandardLibrary(t *testing.T) {
	for n := range 40 {
		for i := range n {
			for _, c := range []string{"b", "\x7f", "\x80", "\xff", "ü", "€", "😀", "\xed\xa0\x80", "\xc0\x80"} {
				s := strings.Repeat("a", i) + c + strings.Repeat("a", n-i-1)
				for _, s := range []string{s, s[:n]} { // whole, and perhaps cut
					if got, want := wire.ValidText(s), utf8.ValidString(s); got != want {
						t.Errorf("%q: %v, want %v", s, got, want)
					}
				}
			}
		}
	}
	if !wire.ValidText("") {
		t.Error("the empty string is refused")
	}
}

func TestValidTextAllocatesNothing(t *testing.T) {
	s := strings.Repeat("2001:db8::/32 ü", 10)
	if n := testing.AllocsPerRun(100, func() {
		for i := range len(s) {
			wire.ValidText(s[:i])
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
