package fpm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The header of a frame, as FRR's fpm/fpm.h has it: version, type, and the length of the frame with the header, in network order.
const (
	frameHeaderLen = 4
	frameVersion   = 1
	frameNetlink   = 1
	maxFrameLen    = 1<<16 - 1
)

// readAhead is how much of a connection is read at once. It must hold the largest frame.
const readAhead = 1 << 18

// MalformedError says where in a connection's bytes something made no sense. It ends the connection.
type MalformedError struct {
	// Offset counts bytes from the start of the connection to the part at fault.
	Offset int64
	// Reason is a phrase for a person.
	Reason string
}

// Error is the reason with the offset.
func (e *MalformedError) Error() string {
	return fmt.Sprintf("fpm: byte %d: %s", e.Offset, e.Reason)
}

// frame is one unit of what zebra writes.
type frame struct {
	kind    uint8  // frameNetlink, or one that is skipped
	payload []byte // valid until the next frame is read from the connection
	offset  int64  // of the payload
}

// frameReader cuts a connection's bytes into frames. It belongs to one goroutine.
type frameReader struct {
	r      *bufio.Reader
	offset int64 // of the next frame
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, readAhead)}
}

// next waits for a whole frame. io.EOF means that the connection ended between frames.
func (f *frameReader) next() (frame, error) {
	header, err := f.r.Peek(frameHeaderLen)
	if err != nil {
		return frame{}, f.cut(err, len(header))
	}
	length, err := f.length(header)
	if err != nil {
		return frame{}, err
	}
	b, err := f.r.Peek(length)
	if err != nil {
		return frame{}, f.cut(err, len(b))
	}
	fr := frame{kind: b[1], payload: b[frameHeaderLen:], offset: f.offset + frameHeaderLen}
	_, _ = f.r.Discard(length) // which is buffered
	f.offset += int64(length)
	return fr, nil
}

// ready says whether next would return without reading from the connection, in which case payloads of earlier frames stay valid.
func (f *frameReader) ready() bool {
	if f.r.Buffered() < frameHeaderLen {
		return false
	}
	header, _ := f.r.Peek(frameHeaderLen) // which is buffered
	length, err := f.length(header)
	return err != nil || f.r.Buffered() >= length
}

// length checks a header and returns the length of its frame.
func (f *frameReader) length(header []byte) (int, error) {
	length := int(binary.BigEndian.Uint16(header[2:]))
	switch {
	case header[0] != frameVersion:
		return 0, &MalformedError{f.offset, fmt.Sprintf("frame version %d, want %d", header[0], frameVersion)}
	case length < frameHeaderLen:
		return 0, &MalformedError{f.offset + 2, fmt.Sprintf("frame length %d is less than its header", length)}
	}
	return length, nil
}

// cut is the error of a connection that ended with some bytes of a frame read.
func (f *frameReader) cut(err error, have int) error {
	if errors.Is(err, io.EOF) && have > 0 {
		return &MalformedError{f.offset + int64(have), "the connection ends inside a frame"}
	}
	return err
}

// appendFrame appends a frame that holds one netlink message, padded as zebra pads its own.
func appendFrame(b, message []byte) []byte {
	padded := align(len(message))
	b = append(b, frameVersion, frameNetlink)
	b = binary.BigEndian.AppendUint16(b, uint16(frameHeaderLen+padded)) //nolint:gosec // it came in a frame
	b = append(b, message...)
	return append(b, make([]byte, padded-len(message))...)
}

// align rounds a length up to netlink's alignment.
func align(n int) int { return (n + 3) &^ 3 }
