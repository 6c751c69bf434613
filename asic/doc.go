// Package asic is the simulated chip: bounded tables, and one goroutine that programs them.
//
// The FIB asks Admit whether an operation may be queued, which is where a chip may refuse at once, and queues it with Submit. The programming
// goroutine takes operations strictly in order, waits as long as programming takes, writes the hardware tables, and reports what became of each
// route as a result that names the route's generation. What a result means for the route is the FIB's business.
//
// How a chip decides is a Profile, which is a value: how it counts entries and when it refuses, which flags a route gets, how long an
// operation takes. Netdevsim follows the kernel driver of that name, quirks of its accounting included; Switch is a forwarding chip.
//
// # What always holds
//
//   - There is at most one entry for each (family, table, prefix).
//   - Results come in the order of the operations. At a take-over the new route's result comes before the old one's.
//   - The queue is bounded for requests: Reserve waits while it is full. What follows from a change of links, a flush or a reload is queued
//     in any case, and is bounded by the number of routes.
//
// # Concurrency
//
// The hardware tables are owned by the programming goroutine; whoever else wants to look has a function run there (Inspect). The queue and
// the counters that Admit needs have a leaf lock each. The results are handed over without any lock held.
package asic
