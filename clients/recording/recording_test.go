package recording

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// written is a recording of these messages behind `started`.
func written(t testing.TB, pack bool, messages ...*vasicv1.RecordResponse) []byte {
	t.Helper()
	var file bytes.Buffer
	w := NewWriter(&file, pack)
	for _, m := range append([]*vasicv1.RecordResponse{{Started: &vasicv1.RecordingStarted{}}}, messages...) {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// read reads a recording to its end.
func read(file []byte) (started *vasicv1.RecordingStarted, frames []Frame, err error) {
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, nil, err
	}
	for {
		f, err := r.Next()
		if err != nil {
			return r.Started(), frames, err
		}
		frames = append(frames, f)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		started := &vasicv1.RecordingStarted{Profile: rapid.String().Draw(rt, "profile"), Seed: rapid.Uint64().Draw(rt, "seed")}
		ended := &vasicv1.RecordingEnded{Position: rapid.Uint64().Draw(rt, "position")}
		var file, other bytes.Buffer
		pack := rapid.Bool().Draw(rt, "pack")
		w, single := NewWriter(&file, pack), NewWriter(&other, pack)
		keep := func(m *vasicv1.RecordResponse) {
			if err := w.Write(m); err != nil {
				rt.Fatal(err)
			}
			if len(m.Events) == 0 {
				if err := single.Write(m); err != nil {
					rt.Fatal(err)
				}
			}
			for _, e := range m.Events {
				if err := single.Write(&vasicv1.RecordResponse{Events: []*vasicv1.Event{e}}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		keep(&vasicv1.RecordResponse{Started: started})
		var want []proto.Message
		for range rapid.IntRange(0, 20).Draw(rt, "messages") {
			m := &vasicv1.RecordResponse{}
			if rapid.Bool().Draw(rt, "call") {
				m.Call = &vasicv1.RecordedCall{Method: "m", Request: rapid.SliceOf(rapid.Byte()).Draw(rt, "request"), Refused: rapid.SliceOf(rapid.Uint32()).Draw(rt, "refused")}
				want = append(want, m.Call)
			}
			for range rapid.IntRange(0, 3).Draw(rt, "events") {
				e := &vasicv1.Event{Revision: rapid.Uint64().Draw(rt, "revision"), Route: &vasicv1.Route{Prefix: "192.0.2.0/24"}}
				m.Events = append(m.Events, e)
				want = append(want, e)
			}
			if m.Call != nil && len(m.Events) > 0 {
				keep(&vasicv1.RecordResponse{Call: m.Call})
				m.Call = nil
			}
			keep(m)
		}
		keep(&vasicv1.RecordResponse{Ended: ended})
		if err := errors.Join(w.Close(), single.Close()); err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(file.Bytes(), other.Bytes()) {
			rt.Error("how events were sent together shows in the file")
		}
		begin, frames, err := read(file.Bytes())
		if !errors.Is(err, io.EOF) || !proto.Equal(begin, started) || len(frames) != len(want)+1 {
			rt.Fatalf("%v, %d frames, want %d", err, len(frames), len(want)+1)
		}
		for i, m := range append(want, ended) {
			f := frames[i]
			var got proto.Message = f.Event
			if f.Call != nil {
				got = f.Call
			} else if f.Ended != nil {
				got = f.Ended
			}
			if !proto.Equal(got, m) {
				rt.Errorf("frame %d: got %v, want %v", i, got, m)
			}
		}
	})
}

func TestAFileThatEndsTooEarlyIsTorn(t *testing.T) {
	for _, pack := range []bool{false, true} {
		file := written(t, pack, &vasicv1.RecordResponse{Call: &vasicv1.RecordedCall{Method: "a"}}, &vasicv1.RecordResponse{Events: []*vasicv1.Event{{Revision: 1}}})
		for size := range file {
			_, _, err := read(file[:size])
			switch {
			case errors.Is(err, ErrTorn), errors.Is(err, ErrNotRecording), errors.Is(err, io.EOF) && !pack:
			default:
				t.Errorf("packed %t, %d of %d bytes: %v", pack, size, len(file), err)
			}
		}
	}
}

func TestOtherFilesAreNoRecordings(t *testing.T) {
	begin := magic + "S\x00"
	for _, tt := range []struct {
		file string
		want error
	}{
		{"", ErrNotRecording},
		{"hello, world, this is a text\n", ErrNotRecording},
		{"vasic-recording 2\nS\x00", ErrVersion},
		{"vasic-recording 10\n", ErrVersion},
		{"\x1f\x8bno gzip", ErrNotRecording},
		{magic, ErrTorn},
		{magic + "E\x00", ErrDamaged},
		{magic + "S\x01\xff", ErrDamaged},
		{begin, io.EOF},
		{begin + "X\x00", ErrDamaged},
		{begin + "S\x00", ErrDamaged},
		{begin + "E\x02\xff\xff", ErrDamaged},
		{begin + "Z\x00E\x00", ErrDamaged},
		{begin + "E\xff\xff\xff\xff\xff\xff\xff", ErrDamaged},
		{begin + "E\xff\xff\xff\x7f", ErrDamaged},
		{begin + "E\xff", ErrTorn},
		{begin + "E\xff\xff\xff\x0f", ErrTorn},
	} {
		if _, _, err := read([]byte(tt.file)); !errors.Is(err, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.file, err, tt.want)
		}
	}
}

func TestAWriterRefusesWhatIsNoRecording(t *testing.T) {
	w := NewWriter(io.Discard, false)
	if err := w.Write(&vasicv1.RecordResponse{Call: &vasicv1.RecordedCall{}}); err == nil {
		t.Error("a call came first")
	}
	w = NewWriter(io.Discard, false)
	if err := w.Write(&vasicv1.RecordResponse{Started: &vasicv1.RecordingStarted{}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&vasicv1.RecordResponse{Started: &vasicv1.RecordingStarted{}}); err == nil {
		t.Error("`started` came twice")
	}
}

// Whatever a file holds, it is read without a panic, and what was read is written as the same bytes.
func FuzzReader(f *testing.F) {
	f.Add([]byte(magic + "S\x00C\x00E\x00Z\x00"))
	f.Add(written(f, false, &vasicv1.RecordResponse{Call: &vasicv1.RecordedCall{Method: "a", Refused: []uint32{1}}}, &vasicv1.RecordResponse{Events: []*vasicv1.Event{{Revision: 1}}}))
	f.Add(written(f, true, &vasicv1.RecordResponse{Events: []*vasicv1.Event{{Revision: 1, Route: &vasicv1.Route{Prefix: "a"}}}}))
	f.Fuzz(func(t *testing.T, file []byte) {
		started, frames, err := read(file)
		if !errors.Is(err, io.EOF) || started == nil {
			return
		}
		again := func(started *vasicv1.RecordingStarted, frames []Frame) []byte {
			var out bytes.Buffer
			w := NewWriter(&out, false)
			keep := w.Write(&vasicv1.RecordResponse{Started: started})
			for _, f := range frames {
				m := &vasicv1.RecordResponse{Call: f.Call, Ended: f.Ended}
				if f.Event != nil {
					m.Events = []*vasicv1.Event{f.Event}
				}
				keep = errors.Join(keep, w.Write(m))
			}
			if err := errors.Join(keep, w.Close()); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}
		first := again(started, frames)
		started, frames, err = read(first)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if second := again(started, frames); !bytes.Equal(first, second) {
			t.Errorf("first %q, second %q", first, second)
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	m := &vasicv1.RecordResponse{}
	for range 256 {
		m.Events = append(m.Events, &vasicv1.Event{Revision: 1e6, Kind: 4, UnixNanos: 1.7e18, Route: &vasicv1.Route{
			Prefix: "198.51.100.0/24", Table: 254, Metric: proto.Uint32(20), Type: 1, Protocol: 186, Id: 1e6, Generation: 1e6, Offload: true,
			NextHops: []*vasicv1.NextHop{{Gateway: "10.0.0.2", Device: "swp1", Weight: 1}},
		}})
	}
	for _, bm := range []struct {
		name string
		pack bool
	}{{"plain", false}, {"gzip", true}} {
		b.Run(bm.name, func(b *testing.B) {
			w := NewWriter(io.Discard, bm.pack)
			_ = w.Write(&vasicv1.RecordResponse{Started: &vasicv1.RecordingStarted{}})
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Write(m); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(m.Events)), "ns/event")
		})
	}
}
