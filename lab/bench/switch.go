package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"

	"github.com/vasic-project/vasic/fib"
	"github.com/vasic-project/vasic/server"
)

// switchSettings say which switch to serve.
type switchSettings struct {
	Watchers int // that may be open; 0: the server's default
}

// served says where a server is.
type served struct{ Address string }

// memory is what a process holds, in bytes.
type memory struct {
	Heap     uint64 // live objects, the event log apart
	Stacks   uint64 // of goroutines
	Resident uint64 // in main memory, the event log included
	Log      uint64 // the event log
}

// working is what the process needs, the event log apart.
func (m memory) working() float64 { return float64(m.Heap + m.Stacks) }

// serveSwitch is the role "switch": what vasicd serves, on a free loopback port. It answers "memory" after a collection of garbage.
func serveSwitch(settings json.RawMessage) (any, handlers, error) {
	var want switchSettings
	if err := json.Unmarshal(settings, &want); err != nil {
		return nil, nil, err
	}
	cfg := server.Config{
		NotifyIPv4: fib.NotifyAll, NotifyIPv6: fib.NotifyAll, LoopbackUp: true, MaxWatchers: want.Watchers, Logger: slog.New(slog.DiscardHandler),
	}
	for port := range ports {
		cfg.Links = append(cfg.Links, server.Link{Name: portName(port), Addresses: portAddresses(port)})
	}
	server.KeepHeadroom(server.DefaultHeadroomBytes) // as vasicd does
	s, err := server.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	go func() { _ = s.Serve(lis) }()
	calls := handlers{"memory": handle(func(none) (memory, error) { return readMemory(s) })}
	return served{lis.Addr().String()}, calls, nil
}

// readMemory collects garbage and says what is left. Resident memory is read first: what the collection frees is not the switch's need.
func readMemory(s *server.Server) (m memory, err error) {
	if m.Resident, err = residentBytes(); err != nil {
		return m, err
	}
	if m.Log, err = logBytes(s); err != nil {
		return m, err
	}
	runtime.GC()
	debug.FreeOSMemory() // collects once more: what was only held by pools is gone then
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	m.Heap, m.Stacks = stats.HeapAlloc-min(m.Log, stats.HeapAlloc), stats.StackInuse
	return m, nil
}

// logBytes is the metric vasic_log_bytes.
func logBytes(s *server.Server) (uint64, error) {
	families, err := s.Registry().Gather()
	if err != nil {
		return 0, err
	}
	for _, f := range families {
		if f.GetName() == "vasic_log_bytes" && len(f.GetMetric()) == 1 {
			return uint64(f.GetMetric()[0].GetGauge().GetValue()), nil
		}
	}
	return 0, fmt.Errorf("the server has no metric vasic_log_bytes")
}
