package fib

import (
	"testing"

	"pgregory.net/rapid"
)

// A slab is a map from numbers that it chooses: nothing is lost, moved or handed out twice, and what is empty is given back.
func TestSlabIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Slab[uint64]
		want := make(map[uint32]uint64)
		var numbers []uint32
		next := uint64(0)
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			for range rapid.SampledFrom([]int{1, 70, slabChunk - 1, slabChunk, 3*slabChunk + 5}).Draw(t, "more") {
				n, v := s.Alloc()
				if _, taken := want[n]; taken || n == 0 || *v != 0 {
					t.Fatalf("Alloc returned %d, taken %v, with value %d", n, taken, *v)
				}
				next++
				*v, want[n] = next, next
				numbers = append(numbers, n)
			}
			keep := rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "keep")
			kept := numbers[:0]
			for i, n := range numbers {
				if keep == 0 || i%(keep+1) != 0 {
					s.Free(n)
					delete(want, n)
				} else {
					kept = append(kept, n)
				}
			}
			numbers = kept
			seen := 0
			s.All(func(n uint32, v *uint64) {
				seen++
				if want[n] != *v || s.At(n) != v || !s.Lives(n) {
					t.Fatalf("value %d is %d, want %d", n, *v, want[n])
				}
			})
			if seen != len(want) {
				t.Fatalf("%d values, want %d", seen, len(want))
			}
			chunks := 0
			for _, c := range s.chunks[min(1, len(s.chunks)):] { // the first one always has number 0
				if c != nil {
					chunks++
				}
			}
			if len(want) == 0 && chunks > 0 {
				t.Fatalf("%d chunks for nothing", chunks)
			}
		}
	})
}
