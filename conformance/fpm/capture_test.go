package fpm_test

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var captures = flag.String("captures", "testdata/captures", "folder with captures of zebra: fixture.json or NAME.json.gz, in it or below it")

// capture is what one zebra wrote, connection by connection.
type capture struct {
	name        string
	connections [][]capturedFrame
}

// capturedFrame is one frame with what an independent decoder made of it.
type capturedFrame struct {
	bytes    []byte
	messages []capturedMessage
}

// capturedMessage is one netlink message of the capture's own decoder.
type capturedMessage struct {
	Type     string          `json:"type"`
	Family   json.RawMessage `json:"family"`
	Table    uint32          `json:"table"`
	LongTab  uint32          `json:"TABLE"`
	Protocol string          `json:"proto"`
	Kind     string          `json:"rtype"`
	Dst      string          `json:"dst"`
	HopID    uint32          `json:"NH_ID"`
	Link     uint32          `json:"OIF"`
	Gateway  string          `json:"GATEWAY"`
	Via      string          `json:"VIA"`
	Hops     []struct {
		Weight  uint32 `json:"weight"`
		Link    uint32 `json:"oif"`
		Gateway string `json:"GATEWAY"`
	} `json:"MULTIPATH"`
	ID    uint32 `json:"ID"`
	Group []struct {
		ID     uint32 `json:"id"`
		Weight uint32 `json:"weight"`
	} `json:"GROUP"`
	Blackhole *string `json:"BLACKHOLE"`
}

// eachCapture runs a test for every capture.
func eachCapture(t *testing.T, test func(t *testing.T, c *capture)) {
	t.Helper()
	found := false
	err := filepath.WalkDir(*captures, func(path string, d fs.DirEntry, err error) error {
		base := filepath.Base(path)
		if err != nil || d.IsDir() || base != "fixture.json" && !strings.HasSuffix(base, ".json.gz") {
			return err
		}
		c, err := readCapture(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if c == nil {
			return nil
		}
		found = true
		t.Run(c.name, func(t *testing.T) { test(t, c) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !found {
		t.Fatalf("no capture in %s", *captures)
	}
}

// readCapture reads a fixture; nil if the file is none. Where the bytes of a connection lie beside it as stream-N.bin, they must
// be those of the frames.
func readCapture(path string) (*capture, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c := &capture{name: strings.TrimSuffix(filepath.Base(path), ".json.gz")}
	var r io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(file); err != nil {
			return nil, err
		}
	} else {
		c.name = filepath.Base(filepath.Dir(path))
	}
	var fixture struct {
		Steps []struct {
			Frames []struct {
				Connection int               `json:"conn"`
				Hex        string            `json:"hex"`
				Messages   []capturedMessage `json:"msgs"`
			} `json:"frames"`
		} `json:"steps"`
	}
	if err := json.NewDecoder(r).Decode(&fixture); err != nil {
		return nil, err
	}
	if fixture.Steps == nil {
		return nil, nil //nolint:nilnil // another JSON file
	}
	for _, step := range fixture.Steps {
		for _, f := range step.Frames {
			b, err := hex.DecodeString(f.Hex)
			if err != nil {
				return nil, err
			}
			for len(c.connections) < f.Connection {
				c.connections = append(c.connections, nil)
			}
			at := &c.connections[f.Connection-1]
			*at = append(*at, capturedFrame{b, f.Messages})
		}
	}
	for i, frames := range c.connections {
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(path), fmt.Sprintf("stream-%d.bin", i+1)))
		if err == nil && !slices.Equal(raw, streamOf(frames)) {
			return nil, fmt.Errorf("connection %d: frames are not the recorded bytes", i+1)
		}
	}
	return c, nil
}

// readGzip reads a compressed JSON file.
func readGzip(t *testing.T, path string, into any) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err == nil {
		err = json.NewDecoder(r).Decode(into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// streamOf is the bytes of frames.
func streamOf(frames []capturedFrame) []byte {
	var b []byte
	for _, f := range frames {
		b = append(b, f.bytes...)
	}
	return b
}

// model is what zebra wants, worked out slowly from what the capture's own decoder says.
type model struct {
	hops  map[uint32]capturedMessage
	wants map[string]want
}

// want is one route that zebra wants.
type want struct {
	message capturedMessage
	frame   []byte // with the message and no other, to compare an answer with
	leads   string // as the switch would list it; "" while that is not known
}

func newModel() *model {
	return &model{hops: map[uint32]capturedMessage{}, wants: map[string]want{}}
}

// apply takes over a frame.
func (m *model) apply(f capturedFrame) {
	at := 4
	for _, msg := range f.messages {
		length := int(f.bytes[at]) | int(f.bytes[at+1])<<8
		raw := f.bytes[at : at+length]
		at += length
		switch msg.Type {
		case "NEWNEXTHOP":
			m.hops[msg.ID] = msg
		case "DELNEXTHOP":
			delete(m.hops, msg.ID)
		case "NEWROUTE":
			m.wants[msg.key()] = want{message: msg, frame: frameOf(raw)}
		case "DELROUTE":
			delete(m.wants, msg.key())
		}
		for k, w := range m.wants {
			if leads := m.leads(w.message); leads != "" {
				w.leads = leads
				m.wants[k] = w
			}
		}
	}
}

func (m capturedMessage) key() string {
	table := m.Table
	if m.LongTab != 0 {
		table = m.LongTab
	}
	return name(table, m.Dst)
}

// leads says where a route leads, "" while that is not known.
func (m *model) leads(msg capturedMessage) string {
	text := msg.Protocol + " " + msg.Kind
	switch {
	case msg.Kind != "unicast":
		return text
	case msg.Hops != nil:
		var ways []string
		for _, h := range msg.Hops {
			ways = append(ways, way(h.Gateway, h.Link, h.Weight))
		}
		return text + joined(ways)
	case msg.HopID == 0:
		return text + joined([]string{way(msg.gateway(), msg.Link, 1)})
	}
	object, ok := m.hops[msg.HopID]
	if !ok {
		return ""
	}
	if object.Group == nil {
		return text + joined([]string{way(object.Gateway, object.Link, 1)})
	}
	var ways []string
	for _, member := range object.Group {
		h, ok := m.hops[member.ID]
		if !ok {
			return ""
		}
		ways = append(ways, way(h.Gateway, h.Link, member.Weight))
	}
	return text + joined(ways)
}

// gateway is that of the message, of either family.
func (m capturedMessage) gateway() string {
	if m.Via == "" {
		return m.Gateway
	}
	b, err := hex.DecodeString(m.Via)
	if err != nil {
		return m.Via
	}
	return addressOf(b[2:])
}

func way(gateway string, link, weight uint32) string {
	return fmt.Sprintf(" via %q dev if%d weight %d", gateway, link, max(weight, 1))
}

func joined(ways []string) string {
	slices.Sort(ways)
	return strings.Join(ways, "")
}
