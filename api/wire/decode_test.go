package wire_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/api/wire"
)

func TestNumbersAreReadAsTheLibraryReadsThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		b := protowire.AppendVarint(nil, r.Uint64()>>r.IntN(64))
		if r.IntN(4) == 0 {
			b[r.IntN(len(b))] = byte(r.Uint64())
		}
		for range r.IntN(12) {
			b = append(b, byte(r.Uint64()))
		}
		b = append([]byte{0xff}, b[:r.IntN(len(b)+1)]...)
		got, end := wire.Uint(b, 1)
		want, n := protowire.ConsumeVarint(b[1:])
		if (end < 0) != (n < 0) || n >= 0 && (got != want || end != 1+n) {
			t.Fatalf("%x: got %d, %d, want %d, %d", b[1:], got, end, want, n)
		}
	}
}
