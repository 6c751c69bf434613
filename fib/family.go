package fib

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// tableKey names a table. IPv6 routes with a source prefix live in a table of their own, as in the kernel's subtrees.
type tableKey struct {
	id     uint32
	source netip.Prefix
}

// table maps each prefix to the first of its rows.
type table struct {
	tableKey
	heads bart.Table[uint32]
}

// tables finds tables. Those without a source prefix, which nearly all look-ups are for, are found by their id alone.
type tables struct {
	any     map[uint32]*table
	sourced map[tableKey]*table
}

func newTables() tables {
	return tables{any: make(map[uint32]*table), sourced: make(map[tableKey]*table)}
}

// get returns the table, or nil.
func (ts *tables) get(id uint32, source netip.Prefix) *table {
	if !source.IsValid() {
		return ts.any[id]
	}
	return ts.sourced[tableKey{id, source}]
}

func (ts *tables) add(t *table) {
	if !t.source.IsValid() {
		ts.any[t.id] = t
		return
	}
	ts.sourced[t.tableKey] = t
}

// family is the FIB of one address family.
type family struct {
	af    Family
	rules *rules
	fib   *FIB
	other *family

	mu sync.Mutex // guards all following fields

	tables   tables
	order    []*table // as the kernel walks them: by id modulo 256, newer first
	routing  []Rule   // by priority
	asked    []uint32 // the tables that the rules name, in order
	rows     Slab[row]
	infos    interner
	ways     ways
	nextID   uint64
	nextGen  uint64
	attached bool // hardware is told about changes
	counts   [len(States)]int
	outcomes outcomes

	// Collected while the lock is held and handed over by commit.
	ops    []Op
	events []Event
	now    int64 // nanoseconds since 1970 of this critical section

	// Scratch, valid for one edit.
	op Op

	list, before, after, removed, added, leaving, undo []uint32

	wanted Spec // what a delete looks for

	siblings []Sibling // backs Event.Route.Siblings until commit
	shown    Route     // what visitors are shown
	resolved []*Info   // what resolve returns
	hops     []NextHop // of the Info being resolved
	reach    int       // IPv6: length of the prefix of its own table that reached the gateway looked at last; -1 for none

	// Written under mu, read by anybody.
	notify     atomic.Uint32 // NotifySetting
	skipDown   atomic.Bool   // net.ipv6.route.skip_notify_on_dev_down
	stale      atomic.Uint64
	suppressed atomic.Uint64
}

func newFamily(f *FIB, af Family, r *rules) *family {
	fam := &family{af: af, rules: r, fib: f, tables: newTables(), infos: newInterner(&f.neighbors), ways: newWays()}
	fam.setRouting(r.routing)
	fam.table(TableMain, netip.Prefix{})
	fam.table(TableLocal, netip.Prefix{})
	return fam
}

// table returns the table, making it if need be.
func (f *family) table(id uint32, source netip.Prefix) *table {
	if t := f.tables.get(id, source); t != nil {
		return t
	}
	t := &table{tableKey: tableKey{id, source}}
	f.tables.add(t)
	at := slices.IndexFunc(f.order, func(o *table) bool { return o.id&0xff >= id&0xff })
	if at < 0 {
		at = len(f.order)
	}
	f.order = slices.Insert(f.order, at, t)
	return t
}

// existing returns the table, or what to say to somebody who looks for a route in it.
func (f *family) existing(id uint32, source netip.Prefix) (*table, *Error) {
	if t := f.tables.get(id, source); t != nil {
		return t, nil
	}
	if source.IsValid() && f.tables.any[id] != nil {
		return nil, errDeleteMissing
	}
	return nil, errNoTable
}

// load reads the rows of a prefix into f.list and remembers the candidate in f.before.
func (f *family) load(t *table, pfx netip.Prefix) {
	head, _ := t.heads.Get(pfx)
	f.loadFrom(head)
}

// loadFrom is load of the prefix whose first row is head; 0: of one without rows.
func (f *family) loadFrom(head uint32) {
	f.list = f.list[:0]
	for n := head; n != 0; n = f.rows.At(n).next {
		f.list = append(f.list, n)
	}
	f.before = f.candidate(f.before[:0])
}

// store links the rows of f.list and points the prefix to the first.
func (f *family) store(t *table, pfx netip.Prefix) {
	f.touchPrefix(pfx)
	if len(f.list) == 0 {
		t.heads.Delete(pfx)
		return
	}
	for i, n := range f.list[:len(f.list)-1] {
		f.rows.At(n).next = f.list[i+1]
	}
	f.rows.At(f.list[len(f.list)-1]).next = 0
	if len(f.before) == 0 || f.before[0] != f.list[0] {
		t.heads.Insert(pfx, f.list[0])
	}
}

// candidate appends the rows of f.list that belong in hardware: the first and its siblings.
func (f *family) candidate(dst []uint32) []uint32 {
	if len(f.list) == 0 {
		return dst
	}
	return f.group(f.list[0], dst)
}

// group appends row n and its siblings in list order.
func (f *family) group(n uint32, dst []uint32) []uint32 {
	if len(f.list) == 1 || !f.rules.siblings {
		return append(dst, n)
	}
	id := f.rows.At(n).id
	for _, m := range f.list {
		if f.rows.At(m).id == id {
			dst = append(dst, m)
		}
	}
	return dst
}

// newRow makes a row that says info. id 0 gives it a new name.
func (f *family) newRow(info *Info, metric uint32, tos uint8, id uint64) uint32 {
	n, r := f.rows.Alloc()
	if id == 0 {
		f.nextID++
		id = f.nextID<<1 | uint64(f.af)
	}
	f.nextGen++
	r.id, r.generation, r.info, r.metric, r.tos = id, f.nextGen, info.index, metric, tos
	f.counts[0]++
	f.touchRow(info)
	return n
}

// drop frees a row that no list holds any more.
func (f *family) drop(n uint32) {
	r := f.rows.At(n)
	f.counts[r.flags.state()]--
	info := f.infos.list[r.info]
	f.touchRow(info)
	f.infos.release(info)
	f.rows.Free(n)
}

// difference sets f.op to the hardware operation that leads from candidate f.before to the candidate of f.list, and reports whether there is one.
// The rows of both must still exist.
func (f *family) difference(t *table, pfx netip.Prefix) bool {
	f.after = f.candidate(f.after[:0])
	if slices.Equal(f.before, f.after) {
		return false
	}
	op := &f.op
	*op = Op{Family: f.af, Table: t.id, Prefix: pfx, Source: t.source, Accepted: f.now}
	var kept int
	for _, n := range f.before {
		if slices.Contains(f.after, n) {
			kept++
		}
	}
	switch {
	case len(f.after) == 0:
		op.Kind, op.Last = OpDelete, true
		f.refer(op, f.before, nil)
	case kept == 0:
		op.Kind = OpReplace
		f.refer(op, f.after, nil)
	case kept == len(f.after):
		op.Kind = OpDelete
		f.refer(op, f.before, f.after)
	case kept == len(f.before):
		op.Kind = OpAppend
		f.refer(op, f.after, f.before)
	default:
		op.Kind = OpReplace
		f.refer(op, f.after, nil)
	}
	return true
}

// refer sets the operation's rows to those of list that are not in without.
func (f *family) refer(op *Op, list, without []uint32) {
	first := true
	for _, n := range list {
		if slices.Contains(without, n) {
			continue
		}
		r := f.rows.At(n)
		ref := Ref{Generation: r.generation, Info: f.infos.list[r.info], Row: n}
		if first {
			op.First, op.TOS, first = ref, r.tos, false
		} else {
			op.More = append(op.More, ref)
		}
	}
}

// view describes in v, which is empty, the route of row n, which is in f.list. Siblings are listed from n on, around the ring (rt6_fill_node).
func (f *family) view(v *Route, t *table, pfx netip.Prefix, n uint32) {
	f.viewRow(v, t, pfx, n)
	if len(f.list) == 1 || !f.rules.siblings {
		return
	}
	start := len(f.siblings)
	at := slices.Index(f.list, n)
	for i := range f.list {
		m := f.list[(at+i)%len(f.list)]
		r := f.rows.At(m)
		if r.id != v.ID {
			continue
		}
		f.siblings = append(f.siblings, Sibling{Info: f.infos.list[r.info], Flags: r.flags, Reason: r.reason})
		v.Generation = max(v.Generation, r.generation)
	}
	if len(f.siblings)-start < 2 {
		f.siblings = f.siblings[:start]
		return
	}
	v.Siblings = f.siblings[start:len(f.siblings):len(f.siblings)]
}

// viewRow describes in v, which is empty, row n alone. Field by field, since a Route as a whole would be made elsewhere first, and copied.
func (f *family) viewRow(v *Route, t *table, pfx netip.Prefix, n uint32) {
	r := f.rows.At(n)
	v.Family, v.TOS, v.Flags, v.Reason = f.af, r.tos, r.flags, r.reason
	v.Table, v.Metric, v.Prefix, v.Source = t.id, r.metric, pfx, t.source
	v.ID, v.Generation, v.Info = r.id, r.generation, f.infos.list[r.info]
	if v.Info.NextHopID != 0 {
		if o := f.fib.nextHops.byID[v.Info.NextHopID]; o != nil {
			v.NextHop = o.view()
		}
	}
}

// event adds an event to those that commit hands over, to be filled in before the next one.
func (f *family) event(kind Kind) *Event {
	n := len(f.events)
	if n == cap(f.events) {
		f.events = slices.Grow(f.events, 1)
	}
	f.events = f.events[:n+1] // which flushEvents has cleared
	e := &f.events[n]
	e.Kind = kind
	return e
}

// commit hands over what was collected and returns the log's revision. The lock is held before and after.
func (f *family) commit() uint64 {
	revision := f.flushEvents()
	if len(f.ops) > 0 {
		f.fib.hardware.Submit(f.ops)
		clear(f.ops) // holds pointers
		f.ops = f.ops[:0]
	}
	f.fib.neighbors.forget(&f.infos.unused)
	return revision
}

// flushMany publishes what was collected once it is many events, which are larger than what becomes of them.
func (f *family) flushMany() {
	if len(f.events) >= walkChunk {
		f.flushEvents()
	}
}

// flushEvents publishes what was collected so far.
func (f *family) flushEvents() uint64 {
	if len(f.events) == 0 {
		return f.fib.sink.Head()
	}
	revision := f.fib.sink.Publish(f.events)
	clear(f.events)
	f.events = f.events[:0]
	f.siblings = f.siblings[:0]
	return revision
}
