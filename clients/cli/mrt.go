package cli

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/mrt"
)

const (
	// mrtMaxRecord is the longest record that is read, in bytes. A prefix seen by a few hundred peers takes some 100 KB.
	mrtMaxRecord = 16 << 20
	// mrtSequence is the length of a RIB record's sequence number, in bytes; the prefix follows it.
	mrtSequence = 4
)

// errCutMRT: the file ends within a record.
var errCutMRT = errors.New("the dump ends within a record")

// isMRT says whether in starts with a table dump: its first record is the table of peers.
func isMRT(in *bufio.Reader) bool {
	// The fifth byte of a dump is 0, which a text never has. Looking at five only, we wait for no more than the shortest line.
	if start, err := in.Peek(5); err != nil || start[4] != 0 {
		return false
	}
	head, err := in.Peek(mrt.MRT_COMMON_HEADER_LEN)
	if err != nil {
		return false
	}
	h, err := mrt.ParseHeader(head)
	return err == nil && h.Type == mrt.TABLE_DUMPv2 && h.SubType == uint16(mrt.PEER_INDEX_TABLE)
}

// mrtLines is a table dump in MRT form (TABLE_DUMP_V2, RFC 6396) as a text of one unicast prefix a line. The paths of a prefix are
// not looked at: their next hops are those of the collector's peers, which a switch elsewhere cannot reach.
type mrtLines struct {
	in     io.Reader
	record []byte // body of the record read last, used again
	text   []byte // not yet read
	buf    []byte // where text lies, used again
	err    error  // why there is no more; io.EOF at the end
}

// newMRTLines returns the lines of a dump.
func newMRTLines(in io.Reader) *mrtLines { return &mrtLines{in: in} }

// Read reads text.
func (m *mrtLines) Read(b []byte) (int, error) {
	if len(m.text) == 0 {
		m.text = m.buf[:0]
		for m.err == nil && len(m.text) < chunkSize/2 {
			m.err = m.next()
		}
		if m.buf = m.text; len(m.text) == 0 {
			return 0, m.err
		}
	}
	n := copy(b, m.text)
	m.text = m.text[n:]
	return n, nil
}

// next reads one record and appends its prefix to text. The error is io.EOF at the end.
func (m *mrtLines) next() error {
	var head [mrt.MRT_COMMON_HEADER_LEN]byte
	if _, err := io.ReadFull(m.in, head[:]); err != nil {
		return cutMRT(err)
	}
	h, err := mrt.ParseHeader(head[:])
	if err != nil {
		return err
	}
	if h.Len > mrtMaxRecord {
		return fmt.Errorf("a record of %d bytes is too long", h.Len)
	}
	m.record = slices.Grow(m.record[:0], int(h.Len))[:h.Len]
	if _, err := io.ReadFull(m.in, m.record); errors.Is(err, io.EOF) {
		return errCutMRT
	} else if err != nil {
		return cutMRT(err)
	}
	if h.Type != mrt.TABLE_DUMPv2 {
		return nil
	}
	switch mrt.MRTSubTypeTableDumpv2(h.SubType) {
	case mrt.RIB_IPV4_UNICAST, mrt.RIB_IPV6_UNICAST, mrt.RIB_IPV4_UNICAST_ADDPATH, mrt.RIB_IPV6_UNICAST_ADDPATH:
		return m.prefix(h)
	}
	return nil
}

// prefix appends the prefix of the record. The parser is given a record without paths, because decoding forty of them for each prefix
// takes most of a minute for a whole table.
func (m *mrtLines) prefix(h *mrt.MRTHeader) error {
	if len(m.record) <= mrtSequence {
		return errors.New("a record is too short")
	}
	end := mrtSequence + 1 + (int(m.record[mrtSequence])+7)/8
	if len(m.record) < end+2 {
		return errors.New("a record is too short")
	}
	body := m.record[:end+2]
	binary.BigEndian.PutUint16(body[end:], 0)
	h.Len = uint32(len(body)) //nolint:gosec // at most 4+1+32+2
	message, err := mrt.ParseBody(body, h)
	if err != nil {
		return err
	}
	rib, ok := message.Body.(*mrt.Rib)
	if !ok {
		return nil
	}
	if ip, ok := rib.Prefix.(*bgp.IPAddrPrefix); ok {
		m.text = append(ip.Prefix.Masked().AppendTo(m.text), '\n')
	}
	return nil
}

// cutMRT makes an end within a record an error that says so.
func cutMRT(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutMRT
	}
	return err
}
