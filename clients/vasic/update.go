package vasic

import (
	"fmt"
	"time"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// Update is one step of a watch: *Reset, *Snapshot, *Events, *Synced, *Bookmark, *Closing, *Disconnected or *Reconnected.
//
// Without disconnections the updates of a watch are
//
//	Reset  Snapshot…  Events…  Synced  (Events | Bookmark)…
//
// in live-only mode without Snapshot, and Synced perhaps, and with a resume token without Reset and Snapshot. Disconnected can
// come at any place; then follows Reconnected, and either the events go on, or the sequence starts again from Reset.
//
// Messages in an update belong to the caller. Their strings share memory with the other routes of the same update, so a
// program that keeps a few of many routes for long should clone the strings.
type Update interface{ isUpdate() }

// Reset starts a list: whatever is known of the routes is void, and what follows up to Synced is the whole of them. In live-only
// mode, where no list follows, it says that events may have been missed.
type Reset struct {
	// Reason is why.
	Reason ResetReason
	// Epoch is the life of the switch that the list is of.
	Epoch uint64
	// Revision is the newest when the list started.
	Revision uint64
	// Err is the *Error that made it necessary; nil for ResetFirst.
	Err error
}

// Snapshot is a piece of the list.
type Snapshot struct{ Routes []*vasicv1.Route }

// Events are changes, in order.
type Events struct{ Events []*vasicv1.Event }

// Synced ends the list, or the catching up after a reconnection: what is known is the state at Revision.
type Synced struct{ Revision uint64 }

// Bookmark says that nothing else happened up to Revision.
type Bookmark struct{ Revision uint64 }

// Closing says that the switch is about to stop, with Revision as the last of its epoch. Disconnected follows.
type Closing struct{ Revision uint64 }

// Disconnected says that the stream broke, or could not be opened, and that another try follows. What is known of the routes
// is now growing old.
type Disconnected struct {
	// Err is the *Error that says why.
	Err error
	// Attempt counts the tries that failed since the watch was last in order, from 1.
	Attempt int
	// RetryIn is the time until the next try.
	RetryIn time.Duration
}

// Reconnected says that the stream is open again.
type Reconnected struct {
	// Epoch is the life of the switch.
	Epoch uint64
	// Revision is the newest revision at this moment.
	Revision uint64
	// Resumed means that the events go on where they broke off; otherwise Reset follows.
	Resumed bool
}

func (*Reset) isUpdate()        {}
func (*Snapshot) isUpdate()     {}
func (*Events) isUpdate()       {}
func (*Synced) isUpdate()       {}
func (*Bookmark) isUpdate()     {}
func (*Closing) isUpdate()      {}
func (*Disconnected) isUpdate() {}
func (*Reconnected) isUpdate()  {}

// ResetReason is why a list starts.
type ResetReason int

// Reasons of a Reset.
const (
	// ResetFirst: the watch starts.
	ResetFirst ResetReason = iota + 1
	// ResetCompacted: the events that follow the last place have left the log.
	ResetCompacted
	// ResetEpochChanged: the last place is of another life of the switch, or of a log that is not the switch's.
	ResetEpochChanged
	// ResetInterrupted: the stream broke before the list was complete.
	ResetInterrupted
)

// String is the reason in a few words.
func (r ResetReason) String() string {
	switch r {
	case ResetFirst:
		return "first list"
	case ResetCompacted:
		return "events compacted"
	case ResetEpochChanged:
		return "epoch changed"
	case ResetInterrupted:
		return "list interrupted"
	}
	return fmt.Sprintf("ResetReason(%d)", int(r))
}
