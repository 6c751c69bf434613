package fib

// row is one IPv4 route (the kernel's fib_alias) or one IPv6 sibling (fib6_info). It has no pointers, so a million of them cost
// the garbage collector nothing. Its prefix is where the prefix table points to it.
type row struct {
	id         uint64 // the route's name; shared by the siblings of an IPv6 route
	generation uint64 // unique within the family
	info       uint32 // number of its Info
	next       uint32 // next row of the prefix, in the kernel's order; 0 ends the list
	metric     uint32
	tos        uint8
	flags      Flags
	reason     Reason
	live       bool // false while in the free list
}

const (
	rowChunkBits = 12
	rowChunkSize = 1 << rowChunkBits
)

// rows numbers rows from 1 and reuses the numbers of freed ones. Chunks never move, so growing copies nothing.
type rows struct {
	chunks []*[rowChunkSize]row
	used   uint32 // numbers ever handed out
	free   uint32 // head of the free list
}

func (rs *rows) at(n uint32) *row { return &rs.chunks[n>>rowChunkBits][n&(rowChunkSize-1)] }

// alloc returns a zeroed live row.
func (rs *rows) alloc() (uint32, *row) {
	if n := rs.free; n != 0 {
		r := rs.at(n)
		rs.free = r.next
		*r = row{live: true}
		return n, r
	}
	rs.used++
	if int(rs.used>>rowChunkBits) >= len(rs.chunks) {
		rs.chunks = append(rs.chunks, new([rowChunkSize]row))
	}
	r := rs.at(rs.used)
	r.live = true
	return rs.used, r
}

func (rs *rows) release(n uint32) {
	*rs.at(n) = row{next: rs.free}
	rs.free = n
}

// holds reports whether number n is still the row that ref names.
func (rs *rows) holds(ref Ref) bool {
	r := rs.at(ref.Row)
	return r.live && r.generation == ref.Generation
}
