package fib

import (
	"cmp"
	"net/netip"
	"slices"
)

// entry is one prefix of a table with its first row.
type entry struct {
	prefix netip.Prefix
	head   uint32
}

// dumpOrder4 is the order of fib_table_dump: ascending addresses, of one address the longest prefix first.
func dumpOrder4(a, b entry) int {
	return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), b.prefix.Bits()-a.prefix.Bits())
}

// dumpOrder6 is the order of fib6_walk: ascending addresses, but a prefix after all that it contains.
func dumpOrder6(a, b entry) int {
	switch {
	case a.prefix == b.prefix:
		return 0
	case a.prefix.Bits() < b.prefix.Bits() && a.prefix.Contains(b.prefix.Addr()):
		return 1
	case b.prefix.Bits() < a.prefix.Bits() && b.prefix.Contains(a.prefix.Addr()):
		return -1
	}
	return a.prefix.Addr().Compare(b.prefix.Addr())
}

// entries returns all prefixes of a table in dump order.
func (f *family) entries(t *table) []entry {
	list := make([]entry, 0, t.heads.Size())
	for pfx, head := range t.heads.All() {
		list = append(list, entry{pfx, head})
	}
	slices.SortFunc(list, f.rules.dumpOrder)
	return list
}

// having returns, in no order, the prefixes that have a row whose Info is selected. Each Info is asked once.
func (f *family) having(t *table, selected func(*Info) bool) (list []entry) {
	verdict := make([]bool, len(f.infos.list))
	found := false
	for i, info := range f.infos.list {
		if info != nil && selected(info) {
			verdict[i], found = true, true
		}
	}
	if !found {
		return nil
	}
	for pfx, head := range t.heads.All() {
		for n := head; n != 0; n = f.rows.At(n).next {
			if verdict[f.rows.At(n).info] {
				list = append(list, entry{pfx, head})
				break
			}
		}
	}
	return list
}

// walkChunk is how many prefixes a Walk reads under one lock at most: some hundred microseconds.
const walkChunk = 1024

// Chunk says which part of a table a step of a Walk has read, and when.
type Chunk struct {
	Table    uint32
	Source   netip.Prefix
	Block    netip.Prefix   // everything within was read
	Above    []netip.Prefix // these prefixes, which contain Block, were read, too
	Revision uint64         // of the log at that moment: events of this part up to here are in what was read
}

// Walk reads a family's routes piece by piece in the order of the kernel's dump, without stopping changes for longer than a piece takes.
// Each piece is consistent in itself. A block with too many prefixes for one piece is split into halves; its own prefix, which is
// in neither, is read with the half next to which it belongs in dump order. A Walk is for one goroutine.
type Walk struct {
	family *family
	tables []tableKey
	within netip.Prefix
	stack  []Chunk // still to be read, the next one last
	list   []entry
}

// Walk starts a walk over one table, or over all with table 0, restricted to prefixes within a prefix if that is valid. Tables that come up later are not seen.
func (f *FIB) Walk(af Family, table uint32, within netip.Prefix) *Walk {
	fam := f.families[af]
	fam.mu.Lock()
	defer fam.mu.Unlock()
	w := &Walk{family: fam, within: within}
	if !within.IsValid() {
		w.within = fam.rules.everything
	}
	for _, t := range fam.order {
		if table == 0 || t.id == table {
			w.tables = append(w.tables, t.tableKey)
		}
	}
	return w
}

// Next reads the next piece and calls visit for each of its routes, with the lock held. It returns false at the end.
func (w *Walk) Next(visit func(*Route)) (c Chunk, more bool) {
	more = w.Audit(visit, func(read Chunk) { c = read })
	return c, more
}

// Audit does what Next does and calls then, after the last route of the piece, with the lock still held.
func (w *Walk) Audit(visit func(*Route), then func(Chunk)) (more bool) {
	if len(w.stack) == 0 {
		if len(w.tables) == 0 {
			return false
		}
		w.stack = append(w.stack, Chunk{Table: w.tables[0].id, Source: w.tables[0].source, Block: w.within})
		w.tables = w.tables[1:]
	}
	f := w.family
	f.mu.Lock()
	defer f.mu.Unlock()
	c := w.pop()
	t := f.tables.get(c.Table, c.Source)
	for w.list = f.within(t, c.Block, w.list[:0]); len(w.list) > walkChunk; w.list = f.within(t, c.Block, w.list[:0]) {
		low, high := c, c
		low.Block, high.Block = halves(c.Block)
		above := append(slices.Clone(c.Above), c.Block)
		if f.rules.containerLast {
			low.Above, high.Above = nil, above
		} else {
			low.Above, high.Above = above, nil
		}
		w.stack = append(w.stack, high)
		c = low
	}
	for _, pfx := range c.Above {
		if head, ok := t.heads.Get(pfx); ok {
			w.list = append(w.list, entry{pfx, head})
		}
	}
	slices.SortFunc(w.list, f.rules.dumpOrder)
	for _, e := range w.list {
		f.visit(t, e, visit)
	}
	c.Revision = f.fib.sink.Head()
	then(c)
	return true
}

func (w *Walk) pop() Chunk {
	c := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	return c
}

// within appends up to walkChunk+1 prefixes of the block.
func (f *family) within(t *table, block netip.Prefix, list []entry) []entry {
	for pfx, head := range t.heads.Subnets(block) {
		if list = append(list, entry{pfx, head}); len(list) > walkChunk {
			break
		}
	}
	return list
}

// visit calls fn for each route of the prefix; siblings are one route.
func (f *family) visit(t *table, e entry, fn func(*Route)) {
	f.loadFrom(e.head)
	for i, n := range f.list {
		if f.rules.siblings && i > 0 {
			id := f.rows.At(n).id
			if slices.ContainsFunc(f.list[:i], func(m uint32) bool { return f.rows.At(m).id == id }) {
				continue
			}
		}
		f.show(t, e.prefix, n, fn)
	}
}

// halves returns the two halves of a block.
func halves(block netip.Prefix) (low, high netip.Prefix) {
	low = netip.PrefixFrom(block.Addr(), block.Bits()+1)
	b := block.Addr().AsSlice()
	b[block.Bits()/8] |= 0x80 >> (block.Bits() % 8)
	addr, _ := netip.AddrFromSlice(b)
	return low, netip.PrefixFrom(addr, block.Bits()+1)
}
