package fpm_test

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/vasic-project/vasic/clients/fpm"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/server"
)

// manyRoutes is the frames of n IPv4 routes over one next-hop object, and how many bytes an answer to one has.
func manyRoutes(n int) (stream []byte, answer int) {
	stream = frameOf(object(5, "10.0.12.2", 2))
	for i := range n {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0x0b000000+uint32(i)<<8)
		frame := frameOf(spec{prefix: netip.PrefixFrom(netip.AddrFrom4(a), 24).String(), hopID: 5}.set())
		stream = append(stream, frame...)
		answer = len(frame)
	}
	return stream, answer
}

// processTime is the CPU that this process has used.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRoutes measures routes from zebra's socket into a switch and back to zebra's socket, over TCP. The CPU is that of both
// the bridge and the switch, which share a process.
func BenchmarkRoutes(b *testing.B) {
	stream, answer := manyRoutes(100000)
	benchmark(b, stream, 100000, answer, false)
}

// BenchmarkReading measures how quickly frames are taken from zebra's socket while the chip stands still.
func BenchmarkReading(b *testing.B) {
	stream, _ := manyRoutes(100000)
	benchmark(b, stream, 100000, 0, true)
}

func benchmark(b *testing.B, stream []byte, routes, answer int, paused bool) {
	quiet := slog.New(slog.DiscardHandler)
	for b.Loop() {
		b.StopTimer()
		s, err := server.New(server.Config{Logger: quiet, LoopbackUp: true})
		if err != nil {
			b.Fatal(err)
		}
		grpcLis, fpmLis := listenTCP(b), listenTCP(b)
		go s.Serve(grpcLis)
		client, err := vasic.Dial(grpcLis.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		if paused {
			r := &rig{t: b, client: client}
			r.pause()
		}
		router, err := fpm.New(fpm.Config{Switch: client, Links: fpm.LinksIndex, Logger: quiet})
		if err != nil {
			b.Fatal(err)
		}
		go router.Serve(b.Context(), fpmLis)
		conn, err := net.Dial("tcp", fpmLis.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		before := processTime(b)
		b.StartTimer()
		start := time.Now()
		go func() { _, _ = conn.Write(stream) }()
		if paused {
			for router.Entries() < routes {
				time.Sleep(time.Millisecond)
			}
		} else if _, err := io.CopyN(io.Discard, conn, int64(routes*answer)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		b.ReportMetric(float64(routes)/time.Since(start).Seconds(), "routes/s")
		b.ReportMetric(float64(processTime(b)-before)/float64(routes), "cpu-ns/route")
		_ = conn.Close()
		_ = client.Close()
		_ = s.Stop(b.Context())
		b.StartTimer()
	}
}

func listenTCP(b *testing.B) net.Listener {
	b.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return lis
}
