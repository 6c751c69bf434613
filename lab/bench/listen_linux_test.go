package main

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNotificationsAreDecoded(t *testing.T) {
	k := &kernel{gateways: newGateways(), table: &prefixes{text: "1.2.3.0/242001:db8::/32", ends: []uint32{10, 23}}}
	for i, want := range []notification{
		{prefix: netip.MustParsePrefix("1.2.3.0/24"), gateway: netip.MustParseAddr("10.0.1.2"), protocol: protocolLoad},
		{prefix: netip.MustParsePrefix("2001:db8::/32"), gateway: netip.MustParseAddr("2001:db8:0:2::2"), protocol: protocolLoad},
	} {
		b, err := k.route(i, true, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := decodeNotification(b); !ok || got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		for n := range b { // whatever it says, it must not fall over
			decodeNotification(b[:n])
		}
		message := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(b))) //nolint:gosec // short
		message = binary.NativeEndian.AppendUint16(message, unix.RTM_NEWROUTE)
		message = append(append(message, make([]byte, 10)...), b...)
		l := &listener{kind: unix.RTM_NEWROUTE}
		l.take(append(message, message...))
		if l.count != 2 {
			t.Errorf("got %d", l.count)
		}
	}
}
