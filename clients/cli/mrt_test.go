package cli

import (
	"bytes"
	"compress/gzip"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/mrt"
)

// dump is a table dump of those prefixes, each seen by one peer.
func dump(t testing.TB, prefixes ...string) []byte {
	t.Helper()
	id := netip.MustParseAddr("192.0.2.1")
	peers := mrt.NewPeerIndexTable(id, "view", []*mrt.Peer{mrt.NewPeer(id, id, 64500, true)})
	out := record(t, mrt.PEER_INDEX_TABLE, peers)
	for i, text := range prefixes {
		p := netip.MustParsePrefix(text)
		nlri, err := bgp.NewIPAddrPrefix(p)
		if err != nil {
			t.Fatal(err)
		}
		subtype := mrt.RIB_IPV4_UNICAST
		if p.Addr().Is6() {
			subtype = mrt.RIB_IPV6_UNICAST
		}
		path := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0)}
		entries := []*mrt.RibEntry{mrt.NewRibEntry(0, 0, 0, path, false)}
		// Always of family IPv4: of IPv6 Serialize writes AFI and SAFI too, which only RIB_GENERIC has.
		out = append(out, record(t, subtype, mrt.NewRib(uint32(i), bgp.RF_IPv4_UC, nlri, entries))...)
	}
	return out
}

// record is one record of a table dump.
func record(t testing.TB, subtype mrt.MRTSubTypeTableDumpv2, body mrt.Body) []byte {
	t.Helper()
	m, err := mrt.NewMRTMessage(time.Unix(1_700_000_000, 0), mrt.TABLE_DUMPv2, subtype, body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dumpBzip2 is dump(t, "1.0.0.0/24", "2001:db8::/32") as bzip2 packs it; Go can only unpack.
const dumpBzip2 = "testdata/dump.mrt.bz2"

func TestLoadReadsTableDumps(t *testing.T) {
	plain := dump(t, "1.0.0.0/24", "0.0.0.0/0", "2001:db8::/32", "192.0.2.1/32")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(plain)
	_ = z.Close()
	want := []string{
		"1 add 1.0.0.0/24 via 10.0.1.2", "2 add default via 10.0.1.3",
		"3 add 2001:db8::/32 via 2001:db8:101::2 metric 0 pref medium", "4 add 192.0.2.1 via 10.0.1.2",
	}
	for name, text := range map[string]string{"plain": string(plain), "gzip": packed.String()} {
		if got := loaded(t, text, "via 10.0.1.2,10.0.1.3,2001:db8:101::2"); !slices.Equal(got, want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	bzip2, err := os.ReadFile(dumpBzip2)
	if err != nil {
		t.Fatal(err)
	}
	want = []string{"1 add 1.0.0.0/24 dev d1 scope link", "2 add 2001:db8::/32 dev d1 metric 0 pref medium"}
	if got := loaded(t, string(bzip2), "dev d1"); !slices.Equal(got, want) {
		t.Errorf("bzip2: got %q", got)
	}
}

func TestOtherRecordsOfADumpAreLeftOut(t *testing.T) {
	text := dump(t, "1.0.0.0/24")
	multicast := bytes.Clone(dump(t, "2.0.0.0/24")[len(dump(t)):])
	multicast[7] = byte(mrt.RIB_IPV4_MULTICAST)
	update := bytes.Clone(multicast)
	update[5] = byte(mrt.BGP4MP)
	text = slices.Concat(text, multicast, update, dump(t, "3.0.0.0/24"))
	if got := loaded(t, string(text), "dev d1"); len(got) != 2 || !strings.HasPrefix(got[1], "2 add 3.0.0.0/24 ") {
		t.Errorf("got %q", got)
	}
}

func TestADumpOfManyPrefixesIsReadInPieces(t *testing.T) {
	one := dump(t, "1.0.0.0/24")
	text := bytes.Repeat(one, 3*chunkSize/len("1.0.0.0/24\n"))
	if got := loaded(t, string(text), "dev d1"); len(got) != len(text)/len(one) {
		t.Errorf("got %d, want %d", len(got), len(text)/len(one))
	}
}

func TestADamagedDumpIsNotLoadedQuietly(t *testing.T) {
	whole := dump(t, "1.0.0.0/24", "2.0.0.0/24")
	second := len(dump(t, "1.0.0.0/24"))
	long := bytes.Clone(whole)
	copy(long[second+8:], "\xff\xff\xff\xff")
	wide := bytes.Clone(whole)
	wide[second+12+mrtSequence] = 33
	short := slices.Concat(whole[:second+8], []byte{0, 0, 0, 4}, whole[second+12:second+16])
	for name, tt := range map[string]struct {
		dump []byte
		want string
	}{
		"within a head":    {whole[:second+5], "the dump ends within a record"},
		"behind a head":    {whole[:second+12], "the dump ends within a record"},
		"within a body":    {whole[:len(whole)-1], "the dump ends within a record"},
		"too long":         {long, "a record of 4294967295 bytes is too long"},
		"too long a mask":  {wide, ""},
		"too short a body": {short, "a record is too short"},
	} {
		file := filepath.Join(t.TempDir(), "rib")
		if err := os.WriteFile(file, tt.dump, 0o600); err != nil {
			t.Fatal(err)
		}
		f := newFake(t)
		code, _, stderr := f.run(t, "route load "+file+" dev d1")
		if want := `Cannot read "` + file + `" after line 1: ` + tt.want; code != exitUsage || !strings.HasPrefix(stderr, want) || len(f.routes) != 1 {
			t.Errorf("%s: got %d %q, %d routes", name, code, stderr, len(f.routes))
		}
	}
}

func FuzzDumpsAreReadOrRefused(f *testing.F) {
	f.Add(dump(f, "1.0.0.0/24", "2001:db8::/32"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := newLoadLines(bytes.NewReader(b))
		if err != nil {
			return
		}
		for range len(b) + 1 {
			if _, ok := lines.next(); !ok {
				return
			}
		}
		t.Errorf("more lines than bytes")
	})
}
