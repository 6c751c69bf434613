package fpm

import (
	"net/netip"
	"slices"
	"testing"
)

func TestWeightsFitTheSwitch(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for name, c := range map[string]struct {
		list []path
		want []uint32
	}{
		"none":         {nil, nil},
		"as they are":  {[]path{{gateway: a, weight: 3}, {gateway: b, weight: 256}}, []uint32{3, 256}},
		"too heavy":    {[]path{{gateway: a, weight: 1}, {gateway: b, weight: 65536}}, []uint32{1, 256}},
		"joined":       {[]path{{gateway: a, weight: 200}, {gateway: b, weight: 100}, {gateway: a, weight: 200}}, []uint32{256, 64}},
		"a single one": {[]path{{gateway: a, weight: 65536}}, []uint32{256}},
	} {
		var got []uint32
		for _, p := range newPaths(c.list).list {
			got = append(got, p.weight)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: weights %v, want %v", name, got, c.want)
		}
	}
}
