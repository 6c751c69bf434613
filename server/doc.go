// Package server is the switch behind gRPC: the only place where FIB, chip and log meet, and the only one that knows protobuf,
// Prometheus and gRPC.
//
// A Server is a whole switch. New makes one, Serve answers on a listener until Stop; several may live in one process, each with its own chip,
// log and metrics. A test of another Go program uses it like this:
//
//	s, err := server.New(server.Config{})
//	lis := bufconn.Listen(1 << 20)
//	go s.Serve(lis)
//	defer s.Stop(ctx)
//
// # The way of a route
//
// A request is parsed (parse.go), waits for room in the programming queue without any lock, and goes to the FIB (fib.Modify), which
// publishes events into the journal and queues operations for the chip. The chip's goroutine hands results to Server.complete, which hands
// them to the FIB, which publishes flag changes into the journal. Watchers read the journal, each at its own pace (watch.go). Events are
// encoded once, when they are published.
//
// # Concurrency
//
// Lock order is the FIB's: links, IPv4, IPv6, and below them the leaf locks of the queue, the journal and the streams.
package server
