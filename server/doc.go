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
// # Looking from outside
//
// An audit (audit.go) compares what the FIB says with what the chip does, prefix by prefix, each piece at one moment; compare.go is what makes a
// verdict of it. It serves AuditService and, from time to time, metrics (auditor.go).
//
// While somebody records (record.go), the recorder puts the calls that change the switch into one order, in which they take effect one after the
// other, and has the chip do one unit of its work at a time in between, so that each call has its position among those. A call that waits, for hardware or for
// room in its queue, does so before or after it takes effect. One that is made of waiting (a reload, a pause, a step) takes its place in the recording when it
// begins, and the recording goes on when it has ended. What the switch does by itself is recorded as the call that would do the same. A chip that is held
// does the same units between the same calls again (asic.Chip.StepTo).
//
// # Concurrency
//
// Lock order: the recorder's effects, which the chip holds shared for a unit of its work or a hand-over of results; the FIB's locks, which are links, IPv4, IPv6, neighbours; the chip's hardware, for a look at it (asic.View); and below
// them the leaf locks of the queue, the journal, the recordings and the streams.
package server
