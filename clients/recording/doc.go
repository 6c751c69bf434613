// Package recording keeps what RecordService.Record streams in a file, reads such files, and does what they hold again against
// another switch.
//
// # Format
//
// A recording is the line
//
//	vasic-recording 1
//
// with its new line, and then frames up to the end of the file. A frame is one byte that says what it holds, the length of a
// message in bytes as a varint of Protocol Buffers, and the message in wire format:
//
//	S  vasic.v1.RecordingStarted   the switch and its place when the recording began; the first frame, and only there
//	C  vasic.v1.RecordedCall       a call that changes the switch
//	E  vasic.v1.Event              an event
//	Z  vasic.v1.RecordingEnded     the switch when the recording was ended; the last frame if there is one
//
// Calls and events stand in the order in which they took effect, each in a frame of its own, so that the same calls and events
// make the same bytes however they were sent. 1 is the version of the format: a program that does not know it must not read on,
// nor beyond a frame that it does not know. A file may be packed by gzip; a reader finds that out by the first bytes.
//
// A recording without the frame Z was cut short (the program that wrote it, or the switch, ended suddenly). It is right up to its
// last whole frame.
//
// # Replay
//
// Replay does the calls of a recording again. The order of calls alone does not decide what comes of them: what the chip has
// done in between does, too. Each call says the chip's position, which counts that, so Replay holds the chip and steps it to that
// position before each call, and what was interleaved is interleaved again, at whatever speed. A client that waited for hardware
// does not wait here, as nothing goes on meanwhile. A gateway that resolved after a while is in the recording, and resolves at the
// same place again.
//
// One thing goes by time and is not in a recording: which buckets of a resilient next-hop group have been idle for long enough to
// move. A replay of a recording with such groups gives the same events only where that does not matter to them.
//
// # Concurrency
//
// A Reader and a Writer belong to one goroutine at a time.
package recording
