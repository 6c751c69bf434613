// Package asic is the simulated chip: bounded tables, and one goroutine that programs them.
//
// The FIB asks Admit whether an operation may be queued, which is where a chip may refuse at once, and queues it with Submit. The programming
// goroutine takes operations strictly in order, waits as long as programming takes (latency.go), lets fault rules have their effect (faults.go), writes the
// hardware tables (program.go), and reports what became of each route as a result that names the route's generation (report.go). What a result means
// for the route is the FIB's business.
//
// A Profile says how a chip decides and how large it is. It is data (profiles/*.yaml). With "forwarding: netdevsim" it follows the kernel driver of that name, quirks
// of its accounting included. With "forwarding: switch" it is a forwarding chip that decides as mlxsw does, and has these parts:
//
//   - Entries of tables local, main and default share one hardware table. A route hidden by one of an earlier table carries no flags, and comes into
//     hardware when that one leaves (merge.go).
//   - Routes with the same next hops share one next-hop group; those of a next-hop object have the object's (groups.go). A group is written with the next hops
//     that can be used: on a link that is up, with a neighbour that is valid. Its routes are offloaded while there is one, and trapped otherwise, also when
//     the group finds no room (adjacency.go).
//   - Each link and each neighbour knows its groups, and each group its entries. When one changes, its groups are written at once, in order with the operations; then
//     their entries are looked at again, piece by piece and between operations, and each route whose flags change is reported (refresh.go).
//   - A neighbour that the FIB has forgotten stays as it is for the entries that still use it, as a replace or a delete of their routes failed. It becomes
//     invalid for good when its link cannot be used.
//   - Entries, groups, members of groups, neighbours and next-hop objects take rows of bounded resources (resources.go). A route for which there is no row fails, and an
//     older entry of its prefix stays; it can be programmed again, oldest first, when room comes back (retry.go).
//
// # What always holds
//
//   - There is at most one entry for each (family, hardware table, prefix).
//   - Results come in the order of the operations. At a take-over the new route's result comes before the old one's.
//   - A change of a link, a neighbour or a next-hop object costs time in proportion to the groups and entries that depend on it, whatever else there is.
//   - Once nothing is queued, the flags last reported of a route say what hardware does for it.
//   - The queue is bounded for requests: Reserve waits while it is full. What follows from a change of links, a flush or a reload is queued
//     in any case, and is bounded by the number of routes.
//   - All chance comes from Config.Seed, with one stream for times and one for each fault rule.
//   - What is done is a sequence of units (run.go): an item of the queue, a piece of what follows from a change of a group, or that the turn of something came
//     which a fault rule delays or stalls. Which one is next depends on the state of the chip and on calls only. So the same calls at the same positions, which count
//     units, have the same results in the same order, however long anything took; Exactly, Hold and StepTo (pace.go) are for whoever keeps positions.
//
// # Concurrency
//
// The hardware is guarded by Chip.hw, which the programming goroutine, the only writer, holds while it works on a batch of operations, and not while it waits,
// is stalled or hands over results; View looks at it. Time is let pass before an item is looked at. After Exactly, a unit is decided and done and its results are
// handed over within one call of Config.Turn. Leaf locks guard the queue, the counters that Admit needs, and the fault rules. Lock order: what Config.Turn locks,
// locks of the FIB, Chip.hw, leaf locks.
package asic
