package fpm

import (
	"net"
	"syscall"
	"testing"
)

func TestThePeersSocketIsFound(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	peer, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := peerInode(conn)
	if err != nil {
		t.Skip("no socket diagnosis here: ", err)
	}
	file, err := peer.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if want := info.Sys().(*syscall.Stat_t).Ino; uint64(got) != want {
		t.Errorf("inode %d, want %d", got, want)
	}
	if isOwnZebra(conn) {
		t.Error("this test is taken for a zebra")
	}
}
