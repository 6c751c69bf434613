package fpm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Frames that zebra wrote: a next hop, a group, a route of it, two messages in one frame, a route with a gateway of the other
// family, and a delete.
var writtenByZebra = []string{
	"010100343000000068000105000000001a315ebb02000b000000000008000100" + "0c00000008000600" + "0a000c020800050002000000",
	"010100383400000068000105000000001a315ebb00000b000000000008000100" + "1100000014000200" + "0c000000000000001200000000000000",
	"01010038340000001800010500000000a315ebbf021d0000feba00010000000008000100cb007100080006001400000008001e000a000000",
	"01010064" + "2c0000001900010400000000a315ebbf02180000feba00000000000008000100cb0071000800060014000000" +
		"340000001800010500000000a315ebbf021d0000feba00010000000008000100cb007100080006001400000008001e000a000000",
	"01010030" + "2c0000001900010400000000a315ebbf02180000feba00000000000008000100cb0071000800060014000000",
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll decodes a stream to its end.
func readAll(r io.Reader) (kinds []updateKind, messages [][]byte, err error) {
	frames := newFrameReader(r)
	var d decoder
	for {
		f, err := frames.next()
		if err == nil {
			err = d.frame(f)
		}
		for _, u := range d.updates {
			kinds, messages = append(kinds, u.kind), append(messages, bytes.Clone(u.message))
		}
		d.reset()
		if err != nil {
			return kinds, messages, err
		}
	}
}

func TestFramesAreReadAsZebraWritesThem(t *testing.T) {
	kinds, _, err := readAll(bytes.NewReader(unhex(t, strings.Join(writtenByZebra, ""))))
	want := []updateKind{setNextHop, setNextHop, setRoute, deleteRoute, setRoute, deleteRoute}
	if !slices.Equal(kinds, want) || !errors.Is(err, io.EOF) {
		t.Errorf("read %v, %v; want %v and the end", kinds, err, want)
	}
}

func TestMalformedFramesSayWhereAndWhy(t *testing.T) {
	whole := unhex(t, writtenByZebra[2])
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], to)
		return append(unhex(t, writtenByZebra[4]), b...) // 48 bytes in front
	}
	for name, c := range map[string]struct {
		stream []byte
		offset int64
		reason string
	}{
		"version":             {change(0, 7), 48, "version 7"},
		"short length":        {change(2, 0, 3), 50, "length 3"},
		"cut":                 {change(0)[:60], 60, "inside a frame"},
		"cut header":          {change(0)[:50], 50, "inside a frame"},
		"message too long":    {change(4, 0x38), 52, "56 bytes where 52"},
		"message too short":   {change(4, 0x0f), 52, "15 bytes where 52"},
		"half a message":      {change(4, 0x2c), 96, "8 bytes are too few"},
		"33 bits":             {change(21, 33), 52, "33 bits"},
		"no such address":     {change(32, 7), 52, "RTM_NEWROUTE"},
		"attribute too long":  {change(48, 200), 52, "attribute"},
		"id of three bytes":   {change(48, 7), 52, "attribute 30"},
		"other family's bits": {change(20, familyIPv6), 52, "wrong length"},
	} {
		t.Run(name, func(t *testing.T) {
			kinds, _, err := readAll(bytes.NewReader(c.stream))
			m, ok := errors.AsType[*MalformedError](err)
			if !ok || m.Offset != c.offset || !strings.Contains(m.Reason, c.reason) {
				t.Errorf("error %v, want byte %d and %q", err, c.offset, c.reason)
			}
			if len(kinds) != 1 {
				t.Errorf("%d messages took effect, want that of the frame before", len(kinds))
			}
		})
	}
}

func TestForeignMessagesAreSkipped(t *testing.T) {
	for name, change := range map[string]func([]byte){
		"protobuf":       func(b []byte) { b[1] = 2 },
		"neighbour":      func(b []byte) { b[8] = 28 },
		"MPLS route":     func(b []byte) { b[20] = 28 },
		"multicast type": func(b []byte) { b[27] = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			b := unhex(t, writtenByZebra[2])
			change(b)
			kinds, _, err := readAll(bytes.NewReader(b))
			if !slices.Equal(kinds, []updateKind{skipped}) || !errors.Is(err, io.EOF) {
				t.Errorf("read %v, %v", kinds, err)
			}
		})
	}
}

// FuzzFrames: no stream makes the reader panic, and it does not matter in which pieces a stream comes.
func FuzzFrames(f *testing.F) {
	for _, text := range writtenByZebra {
		f.Add(unhex(f, text))
	}
	f.Add(unhex(f, strings.Join(writtenByZebra, "")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		kinds, messages, err := readAll(bytes.NewReader(stream))
		again, messagesAgain, errAgain := readAll(iotest.OneByteReader(bytes.NewReader(stream)))
		if !slices.Equal(kinds, again) || !slices.EqualFunc(messages, messagesAgain, bytes.Equal) || err.Error() != errAgain.Error() {
			t.Errorf("in one piece %v, %v; in many %v, %v", kinds, err, again, errAgain)
		}
	})
}

// FuzzMessages: no message makes the rib panic, or takes more memory than it has bytes for.
func FuzzMessages(f *testing.F) {
	for _, text := range writtenByZebra {
		f.Add(unhex(f, text)[frameHeaderLen:])
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		r := newRIB(&linkNames{made: map[uint32]string{}}, tableRange{last: math.MaxUint32}, DefaultMetric, AnswerTrap)
		r.connect(time.Time{})
		r.sync(0)
		var d decoder
		if d.frame(frame{kind: frameNetlink, payload: payload}) != nil {
			return
		}
		for range 2 { // the second time as a repeat
			for i := range d.updates {
				r.apply(&d.updates[i], time.Time{})
			}
			ops := r.plan(nil, len(payload))
			for _, op := range ops {
				var m vasicv1.Route
				r.request(op, &m)
				if len(m.NextHops) > len(payload) {
					t.Errorf("%d next hops out of %d bytes", len(m.NextHops), len(payload))
				}
				op.entry.ops--
			}
		}
		if n := len(r.entries) + len(r.hops.nodes); n > len(payload) {
			t.Errorf("%d things kept of %d bytes", n, len(payload))
		}
		if answer := r.entries; len(answer) > 0 {
			for _, e := range answer {
				if e.message == nil {
					continue
				}
				b := appendAnswer(nil, e.message, trapped, AnswerOffloadTrap)
				if _, _, err := readAll(bytes.NewReader(b)); !errors.Is(err, io.EOF) {
					t.Errorf("an answer that cannot be read: %v", err)
				}
			}
		}
	})
}

// BenchmarkFrames measures what reading a frame with a new route costs, up to the queue of what has to be programmed.
func BenchmarkFrames(b *testing.B) {
	one := unhex(b, writtenByZebra[2])
	const routes = 1 << 16
	stream := make([]byte, 0, routes*len(one))
	for i := range routes {
		one[36], one[37] = byte(i>>8), byte(i)
		stream = append(stream, one...)
	}
	b.ReportAllocs()
	r := newRIB(&linkNames{made: map[uint32]string{}}, tableRange{last: math.MaxUint32}, DefaultMetric, AnswerTrap)
	r.connect(time.Time{})
	frames := newFrameReader(bytes.NewReader(nil))
	var d decoder
	start := time.Now()
	for i := 0; b.Loop(); i++ {
		if i%routes == 0 {
			frames = newFrameReader(bytes.NewReader(stream))
		}
		f, err := frames.next()
		if err == nil {
			err = d.frame(f)
		}
		if err != nil {
			b.Fatal(err)
		}
		r.apply(&d.updates[0], time.Time{})
		d.reset()
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "frames/s")
}
