// Package notifier is a revisioned, bounded, in-memory log of events with resumable readers that never block a writer.
//
// Events are numbered 1, 2, 3, … in the order in which they were appended; the number is the event's revision. The log
// keeps the newest events that fit into a fixed number of bytes and drops the oldest ones to make room. A reader is
// little more than a cursor: it asks for what came after a revision, waits when there is nothing yet, and is told when
// what it asks for has been dropped. The idea is that of etcd's watchable store (mvcc/watchable_store.go), reduced: there
// are no keys, no history on disk and no queue for each watcher, so there is nothing a slow watcher can fill.
//
// # What always holds
//
//   - A reader is given every revision after the one it started from exactly once and in order, or a *CompactedError;
//     never a gap in silence. Its filter hides events from it, but not revisions: the cursor moves over both.
//   - What the log keeps is never more than Config.CapacityBytes, counting payloads, metadata and the room that is
//     allocated but not yet used. An event too large for that is dropped as soon as it is appended, and with it
//     everything older, because readers could not be led past it without a gap.
//   - An event is encoded once, whatever the number of readers, and its bytes are never written again. Readers get
//     slices of the log's own memory, which stay valid for as long as they are held.
//   - Events of one Append become visible together.
//   - A reader that is slow, stuck or forgotten costs its cursor and the segment that its last batch lies in.
//
// # How it works
//
// Events lie in segments: one array for payloads and one for records (where the payload ends, and the metadata that
// filters look at). The segments kept are listed in a ring, an immutable value that is replaced whenever a segment is
// added or dropped. One atomic number, the head, publishes events: everything of a revision up to the head is written
// and will not change, everything beyond it belongs to the writer. A reader loads the head and then the ring, and works
// on what it found without any lock. Dropped segments are left to the garbage collector, which knows who still looks.
//
// # Concurrency
//
// Every method of a Log may be called from any goroutine. A Reader belongs to one goroutine at a time, except for its
// Cursor. There are two locks, both leaves, and neither is ever taken while the other is held:
//
//   - Log.mu serialises writers and is held while they encode. Readers do not take it.
//   - Log.readersMu guards the set of open readers. Writers do not take it.
//
// Waiting readers share one channel, which the next writer closes; a writer that nobody waits for pays one atomic load.
// There are no timers and no goroutines, so a log made inside a testing/synctest bubble stays inside it.
package notifier
