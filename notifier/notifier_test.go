package notifier_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/vasic-project/vasic/notifier"
)

// meta is the metadata of the events in these tests. Both fields follow from the revision.
type meta struct {
	revision uint64
	kind     uint32
}

const kinds = 5

func kindOf(revision uint64) uint32 { return uint32(revision*2654435761>>7) % kinds }

// The payload of a test event says its own length and revision, and fills the rest with bytes that depend on both the
// revision and the position, so that nothing that is misplaced, torn or overwritten goes unnoticed.
const payloadHeader = 12

func filler(revision uint64, i int) byte { return byte(revision*31 + uint64(i)*7) }

func appendPayload(dst []byte, revision uint64, size int) []byte {
	size = max(size, payloadHeader)
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	dst = binary.BigEndian.AppendUint64(dst, revision)
	for i := payloadHeader; i < size; i++ {
		dst = append(dst, filler(revision, i))
	}
	return dst
}

// revisionsIn takes the payloads in the chunks apart and returns their revisions.
func revisionsIn(chunks [][]byte) ([]uint64, error) {
	var revisions []uint64
	for _, chunk := range chunks {
		if len(chunk) == 0 {
			return nil, fmt.Errorf("empty chunk")
		}
		if len(chunk) != cap(chunk) {
			return nil, fmt.Errorf("chunk of %d bytes has a capacity of %d: appending to it would write to the log",
				len(chunk), cap(chunk))
		}
		for len(chunk) > 0 {
			if len(chunk) < payloadHeader {
				return nil, fmt.Errorf("%d stray bytes after revisions %v", len(chunk), revisions)
			}
			size := int(binary.BigEndian.Uint32(chunk))
			revision := binary.BigEndian.Uint64(chunk[4:])
			if size < payloadHeader || size > len(chunk) {
				return nil, fmt.Errorf("revision %d: size %d of %d bytes", revision, size, len(chunk))
			}
			for i := payloadHeader; i < size; i++ {
				if chunk[i] != filler(revision, i) {
					return nil, fmt.Errorf("revision %d: byte %d of %d is wrong", revision, i, size)
				}
			}
			revisions = append(revisions, revision)
			chunk = chunk[size:]
		}
	}
	return revisions, nil
}

// checkBatch is the judge of everything that Next hands out: all matching revisions after the cursor up to b.Last, once,
// in order and with the right bytes.
func checkBatch(b *notifier.Batch, cursor uint64, match func(*meta) bool) error {
	if b.First != cursor+1 || b.Last < b.First {
		return fmt.Errorf("cursor %d: batch is of revisions %d to %d", cursor, b.First, b.Last)
	}
	got, err := revisionsIn(b.Chunks)
	if err != nil {
		return fmt.Errorf("cursor %d: %w", cursor, err)
	}
	size := 0
	for _, chunk := range b.Chunks {
		size += len(chunk)
	}
	if b.Events != len(got) || b.Bytes != size {
		return fmt.Errorf("cursor %d: batch says %d events of %d bytes, it has %d of %d",
			cursor, b.Events, b.Bytes, len(got), size)
	}
	for revision := b.First; revision <= b.Last; revision++ {
		if match != nil && !match(&meta{revision: revision, kind: kindOf(revision)}) {
			continue
		}
		if len(got) == 0 || got[0] != revision {
			return fmt.Errorf("cursor %d: revision %d is missing in %d to %d, there is %v",
				cursor, revision, b.First, b.Last, got)
		}
		got = got[1:]
	}
	if len(got) > 0 {
		return fmt.Errorf("cursor %d: batch has revisions %v, which it should not", cursor, got)
	}
	return nil
}

// appendEvents appends n events with payloads of the given size.
func appendEvents(l *notifier.Log[meta], n, size int) uint64 {
	return l.Append(n, func(_ int, revision uint64, dst []byte) ([]byte, meta) {
		return appendPayload(dst, revision, size), meta{revision: revision, kind: kindOf(revision)}
	})
}

func newReader(t testing.TB, l *notifier.Log[meta], after uint64) *notifier.Reader[meta] {
	t.Helper()
	r, err := l.NewReader(l.Epoch(), after)
	if err != nil {
		t.Fatalf("NewReader after %d: %v", after, err)
	}
	t.Cleanup(r.Close)
	return r
}

// next is Next for events that are known to be there.
func next(t testing.TB, r *notifier.Reader[meta], maxBytes int, match func(*meta) bool) notifier.Batch {
	t.Helper()
	var b notifier.Batch
	cursor := r.Cursor()
	if err := r.Next(t.Context(), &b, maxBytes, match); err != nil {
		t.Fatalf("Next after %d: %v", cursor, err)
	}
	if err := checkBatch(&b, cursor, match); err != nil {
		t.Fatal(err)
	}
	if r.Cursor() != b.Last {
		t.Fatalf("cursor is %d after a batch up to %d", r.Cursor(), b.Last)
	}
	return b
}
