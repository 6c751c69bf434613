package fpm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"github.com/prometheus/procfs"
)

// What the kernel is asked for the inode of a socket, from include/uapi/linux/sock_diag.h and inet_diag.h.
const (
	protocolSockDiag   = 4  // NETLINK_SOCK_DIAG
	typeSockDiag       = 20 // SOCK_DIAG_BY_FAMILY
	sockDiagRequestLen = 56 // struct inet_diag_req_v2
	sockDiagReplyLen   = 72 // struct inet_diag_msg
	sockDiagInode      = 68 // offset of idiag_inode in it
	protocolTCP        = 6
)

// zebraCommand is what zebra's process is called.
const zebraCommand = "zebra"

// isOwnZebra says whether a connection comes from a zebra in this process's network namespace, so that the links of this namespace
// are that router's. Whoever may not look at zebra's process, or is not on Linux, cannot tell, and gets false.
func isOwnZebra(conn net.Conn) bool {
	inode, err := peerInode(conn)
	if err != nil {
		return false
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return false
	}
	processes, err := fs.AllProcs()
	if err != nil {
		return false
	}
	socket := fmt.Sprintf("socket:[%d]", inode)
	for _, p := range processes {
		if command, err := p.Comm(); err != nil || command != zebraCommand {
			continue
		}
		if files, err := p.FileDescriptorTargets(); err == nil && slices.Contains(files, socket) {
			return true
		}
	}
	return false
}

// peerInode is the inode of the other end of a TCP connection, which exists if that end is in this network namespace.
func peerInode(conn net.Conn) (uint32, error) {
	peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return 0, err
	}
	own, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return 0, err
	}
	diag, err := netlink.Dial(protocolSockDiag, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = diag.Close() }()
	replies, err := diag.Execute(netlink.Message{
		Header: netlink.Header{Type: typeSockDiag, Flags: netlink.Request},
		Data:   sockDiagRequest(peer, own),
	})
	if err != nil {
		return 0, err
	}
	if len(replies) != 1 || len(replies[0].Data) < sockDiagReplyLen {
		return 0, errors.New("no such socket")
	}
	return binary.NativeEndian.Uint32(replies[0].Data[sockDiagInode:]), nil
}

// sockDiagRequest asks for the socket between two addresses, in any state.
func sockDiagRequest(from, to netip.AddrPort) []byte {
	family := byte(familyIPv4)
	if from.Addr().Unmap().Is6() {
		family = familyIPv6
	}
	b := make([]byte, 0, sockDiagRequestLen)
	b = append(b, family, protocolTCP, 0, 0)
	b = append(b, bytes.Repeat([]byte{0xff}, 4)...) // states
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	for _, a := range []netip.Addr{from.Addr(), to.Addr()} {
		address := a.Unmap().AsSlice()
		b = append(append(b, address...), make([]byte, 16-len(address))...)
	}
	b = append(b, 0, 0, 0, 0)                          // any interface
	return append(b, bytes.Repeat([]byte{0xff}, 8)...) // no cookie
}
