package fib

import (
	"math/bits"
	"slices"
)

const (
	slabBits  = 12
	slabChunk = 1 << slabBits // values in a chunk
)

// Slab numbers values from 1 and uses the numbers of freed ones again. Values lie in chunks that never move, so growing copies nothing, and pointers to values
// stay good until Free; a chunk whose values are all free is given back. With a T that has no pointers a million values cost the garbage collector nothing. The zero value is ready for use.
type Slab[T any] struct {
	chunks []*chunk[T]
	open   []uint32 // chunks that have room, the last one to be filled next
	vacant []uint32 // places in chunks whose chunk was given back
}

type chunk[T any] struct {
	values [slabChunk]T
	used   [slabChunk / 64]uint64 // a bit for each value
	live   int
	hint   int  // no word of used before this one has room
	open   bool // is in Slab.open
}

// At returns the value of a number that Alloc returned and Free was not told.
func (s *Slab[T]) At(n uint32) *T { return &s.chunks[n>>slabBits].values[n&(slabChunk-1)] }

// Lives reports whether a number that Alloc once returned is in use now.
func (s *Slab[T]) Lives(n uint32) bool {
	c := s.chunks[n>>slabBits]
	return c != nil && c.used[n&(slabChunk-1)/64]>>(n%64)&1 != 0
}

// Alloc returns a value that is zero, with its number.
func (s *Slab[T]) Alloc() (uint32, *T) {
	at, c := s.room()
	for c.used[c.hint] == ^uint64(0) {
		c.hint++
	}
	bit := bits.TrailingZeros64(^c.used[c.hint])
	c.used[c.hint] |= 1 << bit
	if c.live++; c.live == slabChunk {
		c.open = false
		s.open = s.open[:len(s.open)-1]
	}
	n := at<<slabBits | uint32(c.hint*64+bit) //nolint:gosec // below slabChunk
	return n, &c.values[n&(slabChunk-1)]
}

// room returns the chunk to be filled next, which is the last of open.
func (s *Slab[T]) room() (at uint32, c *chunk[T]) {
	if k := len(s.open); k > 0 {
		return s.open[k-1], s.chunks[s.open[k-1]]
	}
	c = &chunk[T]{open: true}
	if k := len(s.vacant); k > 0 {
		at = s.vacant[k-1]
		s.vacant = s.vacant[:k-1]
		s.chunks[at] = c
	} else {
		at = uint32(len(s.chunks)) //nolint:gosec // numbers are 32 bits
		s.chunks = append(s.chunks, c)
		if at == 0 { // nothing has number 0
			c.used[0], c.live = 1, 1
		}
	}
	s.open = append(s.open, at)
	return at, c
}

// Free gives a value back.
func (s *Slab[T]) Free(n uint32) {
	at := n >> slabBits
	c, i := s.chunks[at], n&(slabChunk-1)
	clear(c.values[i : i+1])
	c.used[i/64] &^= 1 << (i % 64)
	c.hint = min(c.hint, int(i/64))
	c.live--
	switch {
	case c.live == 0:
		s.chunks[at] = nil
		if c.open {
			s.open = slices.DeleteFunc(s.open, func(o uint32) bool { return o == at })
		}
		s.vacant = append(s.vacant, at)
	case !c.open:
		c.open = true
		s.open = append(s.open, at)
	}
}

// All calls visit for every value in the order of numbers.
func (s *Slab[T]) All(visit func(n uint32, v *T)) {
	for at, c := range s.chunks {
		if c == nil {
			continue
		}
		for w, word := range c.used {
			for ; word != 0; word &= word - 1 {
				i := w*64 + bits.TrailingZeros64(word)
				if n := uint32(at<<slabBits | i); n != 0 { //nolint:gosec // numbers are 32 bits
					visit(n, &c.values[i])
				}
			}
		}
	}
}
