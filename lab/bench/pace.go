package main

import (
	"encoding/binary"
	"io"
	"math"
	"net"
	"sync/atomic"
	"time"
)

const (
	// paceRoutes is how many routes the programming client may be ahead of the watcher: some half of what the event log holds with its
	// default size. Where the watcher is the slowest of all, the whole path is as quick as it is, and the log must not lose what it has not read.
	paceRoutes = 100_000
	// paceInterval is how often the watcher says how far it is.
	paceInterval = time.Millisecond
)

// servePace tells everyone who connects how far a watcher is, until they go away. It returns the address.
func servePace(seen *atomic.Int64) (string, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go tellPace(conn, seen)
		}
	}()
	return lis.Addr().String(), nil
}

// tellPace tells one.
func tellPace(conn net.Conn, seen *atomic.Int64) {
	defer conn.Close()
	for said := int64(-1); ; time.Sleep(paceInterval) {
		now := seen.Load()
		if now == said {
			continue
		}
		if _, err := conn.Write(binary.NativeEndian.AppendUint64(nil, uint64(now))); err != nil { //nolint:gosec // a count
			return
		}
		said = now
	}
}

// pace is what a programming client knows of the watcher.
type pace struct {
	conn net.Conn
	seen atomic.Int64
}

// newPace starts to listen to a watcher.
func newPace(address string) (*pace, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &pace{conn: conn}
	go p.listen()
	return p, nil
}

// listen reads until the connection is closed. Nobody waits for a watcher that is gone.
func (p *pace) listen() {
	for b := make([]byte, 8); ; {
		if _, err := io.ReadFull(p.conn, b); err != nil {
			p.seen.Store(math.MaxInt64 / 2)
			return
		}
		p.seen.Store(int64(binary.NativeEndian.Uint64(b))) //nolint:gosec // a count
	}
}

// wait waits until the watcher is near enough.
func (p *pace) wait(sent int) {
	for int64(sent)-p.seen.Load() > paceRoutes {
		time.Sleep(paceInterval / 4)
	}
}

// close ends it.
func (p *pace) close() { _ = p.conn.Close() }
