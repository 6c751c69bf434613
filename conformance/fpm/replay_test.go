package fpm_test

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/fpm"
	"github.com/vasic-project/vasic/server"
)

func addressOf(b []byte) string {
	a, _ := netip.AddrFromSlice(b)
	return a.String()
}

// protocolNames are those of the captures' decoder.
var protocolNames = map[uint32]string{kernel: "kernel", bgp: "bgp", static: "zstatic"}

// listed is a route of the switch's in the words of the model.
func listed(route *vasicv1.Route) string {
	protocol := protocolNames[route.Protocol]
	switch route.Type {
	case vasicv1.RouteType_ROUTE_TYPE_BLACKHOLE:
		return protocol + " blackhole"
	case vasicv1.RouteType_ROUTE_TYPE_UNREACHABLE:
		return protocol + " unreachable"
	case vasicv1.RouteType_ROUTE_TYPE_PROHIBIT:
		return protocol + " prohibit"
	}
	var ways []string
	for _, h := range route.NextHops {
		link := uint32(0)
		for _, digit := range h.Device[len("if"):] {
			link = link*10 + uint32(digit-'0')
		}
		ways = append(ways, way(h.Gateway, link, h.Weight))
	}
	return protocol + " unicast" + joined(ways)
}

// flagsOf is what zebra should be told about a route of the switch's.
func flagsOf(route *vasicv1.Route) uint32 {
	switch {
	case route.OffloadFailed:
		return flagFailed
	case route.Offload:
		return flagOffload
	case route.Trap:
		return flagTrap
	}
	return 0
}

// checkRoutes compares the switch with the model. Where a route leads is not known for some, which may or may not be there.
func checkRoutes(t *testing.T, m *model, routes map[string]*vasicv1.Route) {
	t.Helper()
	for k, w := range m.wants {
		route := routes[k]
		switch {
		case w.leads == "":
		case route == nil:
			t.Errorf("%s is not in the switch, want %s", k, w.leads)
		case listed(route) != w.leads:
			t.Errorf("%s is in the switch as %s, want %s", k, listed(route), w.leads)
		}
	}
	for k, route := range routes {
		if _, ok := m.wants[k]; !ok {
			t.Errorf("%s is in the switch as %s, and zebra does not want it", k, listed(route))
		}
	}
}

// expected is the answer to a route that zebra wants, nil if there is none.
func expected(w want, route *vasicv1.Route) []byte {
	if w.message.Protocol == "kernel" || w.leads == "" || route == nil {
		return nil
	}
	b := slices.Clone(w.frame[4:])
	at := b[24:]
	binary.NativeEndian.PutUint32(at, binary.NativeEndian.Uint32(at)|flagsOf(route))
	return b
}

// pieces cuts bytes in pieces of 1 to most bytes.
func pieces(b []byte, most int, chance *rand.Rand) [][]byte {
	var all [][]byte
	for len(b) > 0 {
		n := min(1+chance.IntN(most), len(b))
		all = append(all, b[:n])
		b = b[n:]
	}
	return all
}

func TestCapturesEndInTheSameRoutesAndAnswersHoweverTheyAreCut(t *testing.T) {
	for cut, most := range map[string]int{"whole": 1 << 20, "bytes": 1, "pieces": 100, "large pieces": 3000} {
		t.Run(cut, func(t *testing.T) {
			eachCapture(t, func(t *testing.T, c *capture) {
				inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
					chance := rand.New(rand.NewPCG(1, uint64(most)))
					for _, frames := range c.connections {
						m := newModel()
						for _, f := range frames {
							m.apply(f)
						}
						z := r.connect()
						for _, piece := range pieces(streamOf(frames), most, chance) {
							z.write(piece)
						}
						time.Sleep(10 * time.Second) // sweeps
						routes := r.routes()
						checkRoutes(t, m, routes)
						checkLastAnswers(t, m, routes, z.take())
						z.close()
					}
				})
			})
		})
	}
}

// checkLastAnswers checks that the last answer about each route is the right one.
func checkLastAnswers(t *testing.T, m *model, routes map[string]*vasicv1.Route, answers []answer) {
	t.Helper()
	last := map[string][]byte{}
	for _, a := range answers {
		last[name(a.table, a.prefix)] = a.raw
	}
	for k, w := range m.wants {
		if want := expected(w, routes[k]); !slices.Equal(last[k], want) {
			t.Errorf("%s: answered %x, want %x", k, last[k], want)
		}
	}
}

func TestEveryRouteOfACaptureIsAnsweredOnce(t *testing.T) {
	eachCapture(t, func(t *testing.T, c *capture) {
		inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
			for _, frames := range c.connections {
				m := newModel()
				z := r.connect()
				for _, f := range frames {
					m.apply(f)
					z.write(f.bytes)
					synctest.Wait()
					routes := r.routes()
					var want [][]byte
					for _, msg := range f.messages {
						if w, ok := m.wants[msg.key()]; ok && msg.Type == "NEWROUTE" {
							if b := expected(w, routes[msg.key()]); b != nil {
								want = append(want, b)
							}
						}
					}
					var got [][]byte
					for _, a := range z.take() {
						got = append(got, a.raw)
					}
					if !slices.EqualFunc(got, want, slices.Equal) {
						t.Errorf("after %x: answers %x, want %x", f.bytes, got, want)
					}
				}
				time.Sleep(10 * time.Second) // sweeps
				checkRoutes(t, m, r.routes())
				z.close()
			}
		})
	})
}

func TestAnswersAreTheBytesThatZebraWasSeenToAccept(t *testing.T) {
	acks := readAcks(t)
	for mode, config := range map[string]struct {
		switchConfig server.Config
		trap         fpm.TrapAnswer
		fail         bool
	}{
		"offload":      {},
		"trap":         {switchConfig: server.Config{Profile: "netdevsim"}},
		"offload+trap": {switchConfig: server.Config{Profile: "netdevsim"}, trap: fpm.AnswerOffloadTrap},
		"failed":       {fail: true},
	} {
		t.Run(mode, func(t *testing.T) {
			inBubble(t, config.switchConfig, fpm.Config{Trap: config.trap}, func(t *testing.T, r *rig) {
				if config.fail {
					r.failOffload(true)
				}
				want := acks[mode]
				z := r.connect()
				z.say(object(10, "10.0.12.2", 2))
				asked := slices.Clone(want)
				binary.NativeEndian.PutUint32(asked[28:], 0)
				z.write(asked)
				time.Sleep(100 * time.Millisecond) // the netdevsim profile takes its time
				answers := z.take()
				if len(answers) != 1 || !slices.Equal(frameOf(answers[0].raw), want) {
					t.Errorf("answered %v, want %x", answers, want)
				}
			})
		})
	}
}

// readAcks is the frames that zebra took, by what they said.
func readAcks(t *testing.T) map[string][]byte {
	t.Helper()
	var file struct {
		Acks []struct {
			Variant struct {
				Mode     string `json:"mode"`
				Table    *int   `json:"table"`
				Protocol *int   `json:"proto"`
				Flags    *int   `json:"nlflags"`
				Strip    bool   `json:"strip"`
			} `json:"variant"`
			Hex string `json:"hex"`
		} `json:"acks_sent_by_the_server"`
	}
	readGzip(t, "testdata/acks-10.7.1.json.gz", &file)
	all := map[string][]byte{}
	for _, a := range file.Acks {
		v := a.Variant
		if v.Mode == "" || v.Table != nil || v.Protocol != nil || v.Flags != nil || v.Strip || all[v.Mode] != nil {
			continue
		}
		b, err := hex.DecodeString(a.Hex)
		if err != nil {
			t.Fatal(err)
		}
		all[v.Mode] = b
	}
	return all
}
