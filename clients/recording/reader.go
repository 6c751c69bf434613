package recording

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// maxFrame bounds a message in a recording, in bytes: as much as a client takes in one message of the wire.
const maxFrame = 64 << 20

// Errors of a Reader.
var (
	// ErrNotRecording: the file does not start as a recording does.
	ErrNotRecording = errors.New("not a recording")
	// ErrVersion: the recording has a format that this program does not know.
	ErrVersion = errors.New("a format of recordings that is not known; version 1 is")
	// ErrDamaged: what is in the file cannot be.
	ErrDamaged = errors.New("the recording is damaged")
	// ErrTorn: the file ends in the middle of a frame.
	ErrTorn = errors.New("the recording ends in the middle of a frame")
)

// Frame is one entry of a recording: exactly one of its fields is set.
type Frame struct {
	// Call is a call.
	Call *vasicv1.RecordedCall
	// Event is an event.
	Event *vasicv1.Event
	// Ended is the switch when the recording was ended.
	Ended *vasicv1.RecordingEnded
}

// Reader reads a recording.
type Reader struct {
	in      *bufio.Reader
	started *vasicv1.RecordingStarted
	offset  int64 // bytes read, unpacked
	frames  uint64
	ended   bool
	err     error
}

// NewReader reads the beginning of a recording, which may be packed by gzip. Its errors are ErrNotRecording, ErrVersion,
// ErrDamaged, ErrTorn and those of in.
func NewReader(in io.Reader) (*Reader, error) {
	b := bufio.NewReaderSize(in, 256<<10)
	if start, err := b.Peek(2); err == nil && start[0] == 0x1f && start[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, ErrNotRecording
		}
		b = bufio.NewReaderSize(z, 256<<10)
	}
	r := &Reader{in: b}
	line := make([]byte, len(magic))
	n, err := io.ReadFull(b, line)
	r.offset += int64(n)
	prefix := magic[:strings.IndexByte(magic, ' ')+1]
	switch {
	case n < len(prefix) || string(line[:len(prefix)]) != prefix:
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		return nil, ErrNotRecording
	case string(line[:n]) != magic[:n]:
		return nil, ErrVersion
	case err != nil:
		return nil, torn(err)
	}
	kind, body, err := r.frame()
	switch {
	case errors.Is(err, io.EOF):
		return nil, ErrTorn
	case err != nil:
		return nil, err
	case kind != frameStarted:
		return nil, r.damaged("its first frame is not %q", frameStarted)
	}
	r.started = &vasicv1.RecordingStarted{}
	if err := r.started.DecodeWire(body); err != nil {
		return nil, r.damaged("%v", err)
	}
	return r, nil
}

// Started is the switch when the recording began.
func (r *Reader) Started() *vasicv1.RecordingStarted { return r.started }

// Offset is how many bytes have been read, unpacked.
func (r *Reader) Offset() int64 { return r.offset }

// Next returns the next frame, io.EOF at the end, or an error that sticks: ErrTorn, ErrDamaged or one of the file.
func (r *Reader) Next() (Frame, error) {
	if r.err != nil {
		return Frame{}, r.err
	}
	f, err := r.next()
	if err != nil {
		r.err = err
	}
	return f, err
}

func (r *Reader) next() (Frame, error) {
	kind, body, err := r.frame()
	if err != nil {
		return Frame{}, err
	}
	if r.ended {
		return Frame{}, r.damaged("a frame follows the last one")
	}
	var f Frame
	var m interface{ DecodeWire([]byte) error }
	switch kind {
	case frameCall:
		f.Call = &vasicv1.RecordedCall{}
		m = f.Call
	case frameEvent:
		f.Event = &vasicv1.Event{}
		m = f.Event
	case frameEnded:
		f.Ended = &vasicv1.RecordingEnded{}
		m, r.ended = f.Ended, true
	default:
		return Frame{}, r.damaged("no frame is called %q", kind)
	}
	if err := m.DecodeWire(body); err != nil {
		return Frame{}, r.damaged("%v", err)
	}
	return f, nil
}

// frame reads a frame, whose message is the caller's, as what is decoded from it has parts of it; io.EOF if there is none.
func (r *Reader) frame() (kind byte, body []byte, err error) {
	kind, err = r.in.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, nil, io.EOF
	}
	if err != nil {
		return 0, nil, torn(err)
	}
	r.offset++
	size, err := r.length()
	if err != nil {
		return 0, nil, err
	}
	// The buffer grows as the message is read, so that a length that is wrong costs no memory.
	for uint64(len(body)) < size {
		body = slices.Grow(body, int(min(size-uint64(len(body)), 64<<10)))
		n, err := r.in.Read(body[len(body):min(uint64(cap(body)), size)])
		body = body[:len(body)+n]
		r.offset += int64(n)
		if err != nil && uint64(len(body)) < size {
			return 0, nil, torn(err)
		}
	}
	r.frames++
	return kind, body, nil
}

// length reads the length of a message.
func (r *Reader) length() (uint64, error) {
	var size uint64
	for shift := 0; shift < 35; shift += 7 {
		b, err := r.in.ReadByte()
		if err != nil {
			return 0, torn(err)
		}
		r.offset++
		size |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if size <= maxFrame {
				return size, nil
			}
			break
		}
	}
	return 0, r.damaged("a message is larger than %d bytes", maxFrame)
}

// torn is ErrTorn if err is the end of the file, packed or not; what cannot be unpacked is ErrDamaged.
func torn(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTorn
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, &corrupt):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// damaged is an ErrDamaged with where and why.
func (r *Reader) damaged(format string, args ...any) error {
	return fmt.Errorf("%w at byte %d, frame %d: %s", ErrDamaged, r.offset, r.frames, fmt.Sprintf(format, args...))
}
