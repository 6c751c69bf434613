package notifier

import (
	"errors"
	"fmt"
)

// ErrClosed is returned by Next when the log has been closed and everything in it has been read, and when the reader
// itself has been closed.
var ErrClosed = errors.New("notifier: the log or its reader is closed")

// CompactedError says that a reader asked for events that have been dropped already. There is no way to get them back:
// whoever sees it has to take a new picture of the state that the events describe, and go on from that one's revision.
type CompactedError struct {
	Requested uint64 // the revision after which events were wanted
	// Oldest is the oldest revision still kept, or the next one to be appended if none is. While an Append is under
	// way that drops what it has just added, it can be greater than Head()+1 for a moment.
	Oldest uint64
}

// Error says what was asked for and what there is.
func (e *CompactedError) Error() string {
	return fmt.Sprintf("notifier: events after revision %d have been dropped, the oldest one kept is revision %d",
		e.Requested, e.Oldest)
}

// FutureError says that a reader wanted to start after a revision that does not exist yet, which no resume token of
// this log can ask for.
type FutureError struct {
	Requested uint64 // the revision after which events were wanted
	Head      uint64 // the newest revision when it was asked for
}

// Error says what was asked for and what there is.
func (e *FutureError) Error() string {
	return fmt.Sprintf("notifier: revision %d does not exist yet, the newest one is revision %d", e.Requested, e.Head)
}

// EpochError says that a resume token was issued by another log, whose revisions mean nothing in this one.
type EpochError struct {
	Requested uint64 // the epoch in the token
	Current   uint64 // the epoch of this log
}

// Error says which log was asked for and which one this is.
func (e *EpochError) Error() string {
	return fmt.Sprintf("notifier: epoch %d is not the epoch of this log, which is %d", e.Requested, e.Current)
}
