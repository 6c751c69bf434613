package cli

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
)

// loadLines cuts a file into lines. It makes one string of many lines and cuts that, so that a line costs no memory of its own.
type loadLines struct {
	in     io.Reader
	buf    []byte // read last
	tail   []byte // of buf: behind its last whole line
	rest   string // whole lines, or at the end of the file the last one
	number int    // of the line that next returned last, from 1
	err    error  // why there are no more; io.EOF at the end
}

// chunkSize is how much is read at a time, in bytes.
const chunkSize = 256 << 10

// errLongLine: a line is longer than maxLine.
var errLongLine = errors.New("a line is too long")

// newLoadLines returns the lines of in, which is unpacked if it is gzip's or bzip2's by its first bytes. A table dump in MRT form is
// read as one prefix a line.
func newLoadLines(in io.Reader) (*loadLines, error) {
	b := bufio.NewReaderSize(in, chunkSize)
	if magic, err := b.Peek(3); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		b = bufio.NewReaderSize(z, chunkSize)
	} else if err == nil && string(magic) == "BZh" {
		b = bufio.NewReaderSize(bzip2.NewReader(b), chunkSize)
	}
	if isMRT(b) {
		return &loadLines{in: newMRTLines(b)}, nil
	}
	return &loadLines{in: b}, nil
}

// next returns the next line without its end, and whether there is one.
func (l *loadLines) next() (string, bool) {
	if l.rest == "" && !l.fill() {
		return "", false
	}
	l.number++
	line, rest, _ := strings.Cut(l.rest, "\n")
	l.rest = rest
	return line, true
}

// continues says whether the next line starts with white space, and so belongs to the present one.
func (l *loadLines) continues() bool {
	if l.rest == "" && !l.fill() {
		return false
	}
	return l.rest[0] == ' ' || l.rest[0] == '\t'
}

// fill reads until rest has a line, and says whether it has.
func (l *loadLines) fill() bool {
	for l.err == nil {
		l.buf = slices.Grow(append(l.buf[:0], l.tail...), chunkSize)
		n := len(l.buf)
		var read int
		read, l.err = l.in.Read(l.buf[n:cap(l.buf)])
		l.buf = l.buf[:n+read]
		end := bytes.LastIndexByte(l.buf, '\n') + 1
		l.tail = l.buf[end:]
		if end > 0 {
			l.rest = string(l.buf[:end])
			return true
		}
		if len(l.tail) > maxLine && l.err == nil {
			l.err = errLongLine
		}
	}
	if errors.Is(l.err, io.EOF) && len(l.tail) > 0 {
		l.rest, l.tail = string(l.tail), nil
		return true
	}
	return false
}

// countingReader counts what is read, for others to see meanwhile.
type countingReader struct {
	in    io.Reader
	bytes atomic.Int64
}

// Read reads.
func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.in.Read(b)
	r.bytes.Add(int64(n))
	return n, err
}
