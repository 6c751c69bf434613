package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// kernelBuffer is the size of the listener's receive buffer, in bytes. With the kernel's default it would lose notifications.
const kernelBuffer = 256 << 20

// notification is what a listener decodes of a route: as much as a routing daemon would.
type notification struct {
	prefix   netip.Prefix
	gateway  netip.Addr
	device   uint32
	protocol uint8
}

// listener is the role "kernel-listen": it decodes the kernel's notifications about routes.
type listener struct {
	conn *netlink.Conn

	mu     sync.Mutex // guards all following fields
	kind   uint16
	count  int
	want   int
	last   time.Time
	failed error
}

// startKernelListen starts the role.
func startKernelListen(json.RawMessage) (any, handlers, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: 1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1)})
	if err != nil {
		return nil, nil, err
	}
	if err := conn.SetReadBuffer(kernelBuffer); err != nil {
		return nil, nil, err
	}
	l := &listener{conn: conn}
	go l.listen()
	return none{}, handlers{"expect": handle(l.expect), "await": handle(l.await)}, nil
}

// listen decodes what comes, with one call of the kernel for each datagram, as many as there are after one wait: the kernel shall not wait for us.
func (l *listener) listen() {
	raw, err := l.conn.SyscallConn()
	if err == nil {
		buf := make([]byte, 64<<10)
		err = raw.Read(func(fd uintptr) bool {
			n, _, err := unix.Recvfrom(int(fd), buf, 0)                                      //nolint:gosec // a descriptor
			for ; !errors.Is(err, unix.EAGAIN); n, _, err = unix.Recvfrom(int(fd), buf, 0) { //nolint:gosec // a descriptor
				if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) { // lost some, which shows in the count
					l.fail(err)
					return true
				}
				l.take(buf[:max(n, 0)])
			}
			return false
		})
	}
	if err != nil {
		l.fail(err)
	}
}

// fail ends what waits.
func (l *listener) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
}

// take decodes the messages of a datagram.
func (l *listener) take(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(b) >= unix.SizeofNlMsghdr {
		size, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return
		}
		if n, ok := decodeNotification(b[unix.SizeofNlMsghdr:size]); ok && kind == l.kind && n.protocol == protocolLoad && n.prefix.IsValid() {
			l.count++
			l.last = time.Now()
		}
		b = b[min(aligned(size), len(b)):]
	}
}

// decodeNotification reads struct rtmsg and its attributes.
func decodeNotification(b []byte) (n notification, ok bool) {
	if len(b) < unix.SizeofRtMsg {
		return n, false
	}
	bits := int(b[1])
	n.protocol = b[5]
	var destination netip.Addr
	for b = b[unix.SizeofRtMsg:]; len(b) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return n, false
		}
		value := b[unix.SizeofRtAttr:size]
		switch binary.NativeEndian.Uint16(b[2:]) {
		case unix.RTA_DST:
			destination, _ = netip.AddrFromSlice(value)
		case unix.RTA_GATEWAY:
			n.gateway, _ = netip.AddrFromSlice(value)
		case unix.RTA_OIF:
			n.device = binary.NativeEndian.Uint32(value)
		}
		b = b[min(aligned(size), len(b)):]
	}
	n.prefix = netip.PrefixFrom(destination, bits)
	return n, true
}

// appendAttribute appends an attribute with its padding.
func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	size := unix.SizeofRtAttr + len(value)
	b = binary.NativeEndian.AppendUint16(b, uint16(size)) //nolint:gosec // an address
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, aligned(size)-size)...)
}

// aligned rounds up to netlink's 4 bytes.
func aligned(size int) int { return (size + 3) &^ 3 }

// heardArgs say what to count.
type heardArgs struct {
	Type  uint16
	Count int
}

// heard is how many notifications came, and when the last did, in nanoseconds since 1970.
type heard struct {
	Count int
	End   int64
}

// expect starts to count.
func (l *listener) expect(a heardArgs) (none, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kind, l.want, l.count, l.last = a.Type, a.Count, 0, time.Now()
	return none{}, l.failed
}

// await waits until all notifications are here, or none has come for a second: then the rest is lost.
func (l *listener) await(none) (heard, error) {
	for {
		l.mu.Lock()
		over := l.failed != nil || l.count >= l.want || time.Since(l.last) > monitorQuiet
		h, err := heard{Count: l.count, End: l.last.UnixNano()}, l.failed
		l.mu.Unlock()
		if over {
			return h, err
		}
		time.Sleep(time.Millisecond)
	}
}
