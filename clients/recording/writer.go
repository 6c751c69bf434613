package recording

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// magic is the first line of a recording.
const magic = "vasic-recording 1\n"

// Kinds of frames.
const (
	frameStarted = 'S'
	frameCall    = 'C'
	frameEvent   = 'E'
	frameEnded   = 'Z'
)

// message is what the generated messages of the contract can do.
type message interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}

// Writer writes a recording. Its first error sticks.
type Writer struct {
	out     *bufio.Writer
	zip     *gzip.Writer // nil if the file is not packed
	buf     []byte
	calls   uint64
	events  uint64
	written uint64
	begun   bool
	err     error
}

// NewWriter returns a Writer to w, which packs the recording by gzip if asked to. Nothing is written before the first message.
func NewWriter(w io.Writer, pack bool) *Writer {
	r := &Writer{}
	if pack {
		r.zip, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is one that there is
		w = r.zip
	}
	r.out = bufio.NewWriterSize(w, 256<<10)
	return r
}

// Write writes a message of a Record stream; the first one must be `started`, and no other.
func (w *Writer) Write(m *vasicv1.RecordResponse) error {
	if s := m.GetStarted(); s != nil {
		if w.begun {
			return w.fail(errors.New("recording: `started` came twice"))
		}
		w.begun = true
		w.bytes([]byte(magic))
		w.frame(frameStarted, s)
		return w.err
	}
	if !w.begun {
		return w.fail(errors.New("recording: the first message is not `started`"))
	}
	if c := m.GetCall(); c != nil {
		w.frame(frameCall, c)
		w.calls++
	}
	for _, e := range m.GetEvents() {
		w.frame(frameEvent, e)
		w.events++
	}
	if e := m.GetEnded(); e != nil {
		w.frame(frameEnded, e)
	}
	return w.err
}

// Close hands over everything. The writer below is not closed. A recording without `ended` was cut short.
func (w *Writer) Close() error {
	w.keep(w.out.Flush())
	if w.zip != nil && w.begun {
		w.keep(w.zip.Close())
	}
	return w.err
}

// Flush hands over what has been written so far.
func (w *Writer) Flush() error {
	w.keep(w.out.Flush())
	if w.zip != nil && w.begun {
		w.keep(w.zip.Flush())
	}
	return w.err
}

// Calls is the number of calls written.
func (w *Writer) Calls() uint64 { return w.calls }

// Events is the number of events written.
func (w *Writer) Events() uint64 { return w.events }

// Bytes is the size of the recording so far, before packing.
func (w *Writer) Bytes() uint64 { return w.written }

// frame writes one frame.
func (w *Writer) frame(kind byte, m message) {
	size := m.SizeVT()
	if size > maxFrame {
		w.keep(fmt.Errorf("recording: a message has %d bytes, more than %d", size, maxFrame))
		return
	}
	w.buf = append(w.buf[:0], kind)
	w.buf = binary.AppendUvarint(w.buf, uint64(size))
	head := len(w.buf)
	for cap(w.buf) < head+size {
		w.buf = append(w.buf[:cap(w.buf)], 0)
	}
	w.buf = w.buf[:head+size]
	if _, err := m.MarshalToSizedBufferVT(w.buf[head:]); err != nil {
		w.keep(err)
		return
	}
	w.bytes(w.buf)
}

// bytes writes b.
func (w *Writer) bytes(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.out.Write(b)
	w.written += uint64(n)
	w.keep(err)
}

// keep keeps the first error.
func (w *Writer) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// fail is keep for an error that is returned.
func (w *Writer) fail(err error) error {
	w.keep(err)
	return w.err
}
