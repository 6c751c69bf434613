package fpm

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/prometheus/procfs"
)

// zebraCommand is what zebra's process is called.
const zebraCommand = "zebra"

// isOwnZebra says whether a connection comes from a zebra in this process's network namespace, so that the links of this namespace
// are that router's. Whoever may not look at zebra's process, or is not on Linux, cannot tell, and gets false.
func isOwnZebra(peer net.Addr) bool {
	address, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return false
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return false
	}
	sockets, err := socketsAt(fs, address)
	if err != nil || len(sockets) == 0 {
		return false
	}
	processes, err := fs.AllProcs()
	if err != nil {
		return false
	}
	for _, p := range processes {
		if command, err := p.Comm(); err != nil || command != zebraCommand {
			continue
		}
		files, err := p.FileDescriptorTargets()
		if err == nil && slices.ContainsFunc(files, func(f string) bool { return slices.Contains(sockets, f) }) {
			return true
		}
	}
	return false
}

// socketsAt are the TCP sockets of this namespace at a local address, as links of file descriptors name them.
func socketsAt(fs procfs.FS, local netip.AddrPort) (sockets []string, err error) {
	tcp, err := fs.NetTCP()
	if err != nil {
		return nil, err
	}
	tcp6, err := fs.NetTCP6()
	if err == nil {
		tcp = append(tcp, tcp6...)
	}
	for _, s := range tcp {
		a, ok := netip.AddrFromSlice(s.LocalAddr)
		if ok && a.Unmap() == local.Addr().Unmap() && s.LocalPort == uint64(local.Port()) {
			sockets = append(sockets, fmt.Sprintf("socket:[%d]", s.Inode))
		}
	}
	return sockets, nil
}
