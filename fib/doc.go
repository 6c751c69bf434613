// Package fib is the software truth of the switch: which routes exist, in which order, which of them belongs in hardware, and which
// hardware flags each of them carries.
//
// There is one FIB for IPv4 and one for IPv6. Both run the same code; what the kernel does differently is named in a value of type
// rules, one for each family (rules.go): how the routes of one prefix are ordered, where a new route goes, and which routes a
// delete selects.
//
// A route is a row. The rows of one prefix in one table form a list in the kernel's order. An IPv4 row has all next hops of its
// route; an IPv6 multipath route is several rows, one for each sibling, that share an id, because the kernel flags each sibling by itself.
// The head of the list, with its siblings, is the prefix's hardware candidate. Every change of the list is reduced to one hardware
// operation by comparing the candidate before and after: nothing, Replace, Append or Delete.
//
// Beside routes there is what they lead to. Links own neighbours, which tell whether a gateway answers (neighbor.go). Next-hop objects are next hops, or groups of
// them, that routes name by id (nexthop.go); a change of one changes its routes at once, and hardware with one operation. Links of kind VRF have a table of their own (vrf.go),
// and rules say which tables a look-up asks (rule.go).
//
// # What always holds
//
//   - A change is applied whole or not at all, hardware's synchronous refusal included.
//   - A row's generation is unique within its family. A hardware result names row and generation; one for a row that has been replaced
//     or deleted since is counted and dropped. Apply is the only function that writes flags.
//   - Events are published in the order of the changes, under the lock that guards them, so the log's order is the FIB's.
//
// # Concurrency
//
// All state of a family is guarded by its mutex. Links, addresses, next-hop objects and rules belong to both: whoever changes them holds both mutexes, whoever
// reads them holds either. Lock order: links, IPv4, IPv6, neighbours, and then the leaf locks behind Hardware and Sink. Nothing blocks while a lock is held.
package fib
