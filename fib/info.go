package fib

import (
	"encoding/binary"
	"net/netip"
)

// interner keeps one Info for each distinct content and names it by a number, so that a row holds no pointer. It is guarded by its family's lock.
type interner struct {
	neighbors *neighbors
	unused    []*Neighbor // since the last commit

	byKey map[string]uint32
	list  []*Info // by Info.index; 0 is unused
	free  []uint32
	buf   []byte // scratch for keys
	last  *Info  // the Info asked for last, most often the next one, too
}

func newInterner(ns *neighbors) interner {
	return interner{neighbors: ns, byKey: make(map[string]uint32), list: make([]*Info, 1)}
}

// intern returns the Info equal to want, with one more reference. want is not kept.
func (in *interner) intern(want *Info) *Info {
	in.buf = want.appendKey(in.buf[:0])
	if in.last != nil && in.last.key == string(in.buf) {
		in.last.refs++
		return in.last
	}
	if i, ok := in.byKey[string(in.buf)]; ok {
		in.last = in.list[i]
		in.last.refs++
		return in.last
	}
	info := *want
	info.NextHops = append([]NextHop(nil), want.NextHops...)
	if info.NextHopID == 0 { // those of an object are the object's
		for i := range info.NextHops {
			if nh := &info.NextHops[i]; nh.Gateway.IsValid() {
				nh.Neighbor = in.neighbors.use(nh.Link, nh.Gateway)
			}
		}
	}
	info.key, info.refs, info.Encoded = string(in.buf), 1, nil
	if n := len(in.free); n > 0 {
		info.index = in.free[n-1]
		in.free = in.free[:n-1]
		in.list[info.index] = &info
	} else {
		info.index = uint32(len(in.list))
		in.list = append(in.list, &info)
	}
	in.byKey[info.key] = info.index
	in.last = &info
	return &info
}

// release gives one reference back.
func (in *interner) release(info *Info) {
	if info.refs--; info.refs > 0 {
		return
	}
	if info.NextHopID == 0 {
		for i := range info.NextHops {
			if n := info.NextHops[i].Neighbor; n != nil {
				in.neighbors.release(n, &in.unused)
			}
		}
	}
	delete(in.byKey, info.key)
	in.list[info.index] = nil
	in.free = append(in.free, info.index)
	if in.last == info {
		in.last = nil
	}
}

// appendKey appends the canonical form: equal bytes exactly for equal content.
func (i *Info) appendKey(b []byte) []byte {
	b = append(b, byte(i.Type), i.Protocol, byte(i.Scope))
	b = binary.LittleEndian.AppendUint32(b, i.NextHopID)
	b = appendAddr(b, i.PrefSrc)
	if i.Metrics != (Metrics{}) {
		m := &i.Metrics
		b = append(b, 1)
		for _, v := range [...]uint32{m.MTU, m.AdvMSS, m.Window, m.RTT, m.RTTVar, m.SSThresh, m.Cwnd, m.InitCwnd,
			m.InitRwnd, m.HopLimit, m.RTOMin, m.QuickAck, m.Reordering} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = appendBool(b, m.MTULocked)
	} else {
		b = append(b, 0)
	}
	if i.NextHopID != 0 {
		return b
	}
	for n := range i.NextHops {
		nh := &i.NextHops[n]
		b = appendAddr(b, nh.Gateway)
		b = binary.LittleEndian.AppendUint32(b, nh.Link.Index)
		b = binary.LittleEndian.AppendUint16(b, nh.Weight)
		b = appendBool(b, nh.Onlink)
	}
	return b
}

func appendAddr(b []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		v := a.As4()
		return append(append(b, 4), v[:]...)
	case a.Is6():
		v := a.As16()
		return append(append(b, 6), v[:]...)
	}
	return append(b, 0)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
