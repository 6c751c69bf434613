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
}

// holds reports whether the row that ref names is still there.
func (f *family) holds(ref Ref) bool {
	return f.rows.Lives(ref.Row) && f.rows.At(ref.Row).generation == ref.Generation
}
