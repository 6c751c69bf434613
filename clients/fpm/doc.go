// Package fpm lets an unmodified FRR program a vasic switch.
//
// Zebra's module dplane_fpm_nl connects to a Router as to a Forwarding Plane Manager, and writes its routes as netlink messages.
// The Router programs them into a switch over vasic's public API, and answers each with what hardware made of it, so that with
// "bgp suppress-fib-pending" a prefix is advertised when, and only when, the chip has it.
//
// # How a route travels
//
//	zebra ── frames ──► reader: decode whole frames ──► rib: what zebra wants, latest wins
//	                                                     │ dirty entries         ▲ what the switch has
//	                                                     ▼                       │
//	                                              ModifyRoutes stream          Watch
//	                                                     └──────► switch ────────┘
//	zebra ◄── answers ── writer ◄── rib: verdicts that differ from what zebra was told
//
// The rib compares three things for each prefix: what zebra wants, what the switch has, and what zebra was told. Everything
// follows from their differences, so it does not matter why they differ: a new route, a restart on either side, a lost
// connection, or somebody else's hand on the switch.
//
// # What always holds
//
//   - Reading never waits for the switch or for writing. Memory is bounded by the number of prefixes, and of next-hop objects.
//   - A frame takes effect as a whole or, if it is malformed, not at all.
//   - An answer is about the last message that zebra wrote for the prefix. One that says that hardware has the route is sent only
//     while the switch is known to have exactly that route with that hardware state; faults aside.
//
// # Concurrency
//
// A Router has one lock, which guards its rib. Nothing blocks or does I/O while it is held. One goroutine reads a connection,
// one writes it, one follows the switch and one programs it; a Router's methods may be called from any goroutine.
package fpm
