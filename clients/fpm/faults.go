package fpm

import (
	"container/heap"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Faults are what goes wrong between the Router and zebra, on purpose. The zero value is that nothing does. They come on top of
// what goes wrong in the chip, which the switch's own faults decide.
type Faults struct {
	// Within limits what happens to answers to the prefixes within this one; the zero value means all.
	Within netip.Prefix
	// Delay holds each answer back for this long, up to an hour. What is written then is what is true then.
	Delay time.Duration
	// Jitter adds up to as much to Delay, by chance.
	Jitter time.Duration
	// Never holds answers back until the faults change.
	Never bool
	// Lost is the probability that an answer is not written though zebra counts as told.
	Lost float64
	// Duplicate is the probability that an answer is written twice.
	Duplicate float64
	// Stale is the probability that, when zebra changes a route, the route as it was is answered as offloaded.
	Stale float64
	// Reorder turns each run of so many answers that are due together around.
	Reorder int
	// StopReading leaves what zebra writes unread.
	StopReading bool
	// DisconnectAfter ends each connection after so many frames; 0 means that it does not.
	DisconnectAfter uint64
}

// maxFaultDelay bounds Delay and Jitter.
const maxFaultDelay = time.Hour

// fault is a kind of fault in the metrics.
type fault int

const (
	faultDelay fault = iota
	faultNever
	faultLost
	faultDuplicate
	faultStale
	faultReorder
	faultKinds
)

var faultNames = [faultKinds]string{"delay", "never", "lost", "duplicate", "stale", "reorder"}

// Set changes one fault by "key=value", with the keys of Values.
func (f *Faults) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q is not fault=value", text)
	}
	var err error
	switch name {
	case "within":
		f.Within = netip.Prefix{}
		if value != "" {
			f.Within, err = netip.ParsePrefix(value)
		}
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	case "jitter":
		f.Jitter, err = time.ParseDuration(value)
	case "never":
		f.Never, err = strconv.ParseBool(value)
	case "lost":
		f.Lost, err = strconv.ParseFloat(value, 64)
	case "duplicate":
		f.Duplicate, err = strconv.ParseFloat(value, 64)
	case "stale":
		f.Stale, err = strconv.ParseFloat(value, 64)
	case "reorder":
		f.Reorder, err = strconv.Atoi(value)
	case "stop-reading":
		f.StopReading, err = strconv.ParseBool(value)
	case "disconnect-after":
		f.DisconnectAfter, err = strconv.ParseUint(value, 10, 64)
	default:
		return fmt.Errorf("%q is no fault", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %q cannot be read", name, value)
	}
	return f.check()
}

// Values are all faults as Set takes them.
func (f *Faults) Values() []string {
	within := ""
	if f.Within.IsValid() {
		within = f.Within.String()
	}
	return []string{
		"within=" + within,
		"delay=" + f.Delay.String(),
		"jitter=" + f.Jitter.String(),
		"never=" + strconv.FormatBool(f.Never),
		"lost=" + strconv.FormatFloat(f.Lost, 'g', -1, 64),
		"duplicate=" + strconv.FormatFloat(f.Duplicate, 'g', -1, 64),
		"stale=" + strconv.FormatFloat(f.Stale, 'g', -1, 64),
		"reorder=" + strconv.Itoa(f.Reorder),
		"stop-reading=" + strconv.FormatBool(f.StopReading),
		"disconnect-after=" + strconv.FormatUint(f.DisconnectAfter, 10),
	}
}

func (f *Faults) check() error {
	for _, d := range []time.Duration{f.Delay, f.Jitter} {
		if d < 0 || d > maxFaultDelay {
			return fmt.Errorf("a delay of %v is not between 0 and %v", d, maxFaultDelay)
		}
	}
	for _, p := range []float64{f.Lost, f.Duplicate, f.Stale} {
		if !(p >= 0 && p <= 1) { // not a number is neither
			return fmt.Errorf("a probability of %v is not between 0 and 1", p)
		}
	}
	if f.Reorder < 0 {
		return errors.New("reorder is less than 0")
	}
	return nil
}

// cover says whether faults of answers are about the prefix.
func (f *Faults) cover(p netip.Prefix) bool {
	return !f.Within.IsValid() || f.Within.Bits() <= p.Bits() && f.Within.Contains(p.Addr())
}

// Faults are those in force.
func (r *Router) Faults() Faults {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults
}

// SetFaults changes what goes wrong from now on. Answers that were held back are judged anew.
func (r *Router) SetFaults(f Faults) error {
	if err := f.check(); err != nil {
		return err
	}
	r.locked(func() { r.setFaults(f) })
	return nil
}

// setFaults is SetFaults with mu held.
func (r *Router) setFaults(f Faults) {
	r.faults = f
	r.rib.keepOutdated = f.Stale > 0
	switch {
	case f.StopReading && r.gate == nil:
		r.gate = make(chan struct{})
	case !f.StopReading && r.gate != nil:
		close(r.gate)
		r.gate = nil
		r.rib.heard, r.rib.confirmed = time.Now(), time.Now() // what zebra said meanwhile is still to be read
	}
	if r.connection != nil {
		for _, h := range r.connection.held {
			h.entry.due = false
		}
		r.connection.held = nil
	}
	for _, e := range r.rib.entries {
		r.rib.evaluate(e)
	}
}

// heldAnswer is an entry whose answer waits.
type heldAnswer struct {
	entry *entry
	until time.Time
}

// holdQueue orders held answers by time. It is guarded by the lock of the Router.
type holdQueue []heldAnswer

// Len implements heap.Interface.
func (q holdQueue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q holdQueue) Less(i, j int) bool { return q[i].until.Before(q[j].until) }

// Swap implements heap.Interface.
func (q holdQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *holdQueue) Push(x any) { *q = append(*q, x.(heldAnswer)) }

// Pop implements heap.Interface.
func (q *holdQueue) Pop() any {
	last := len(*q) - 1
	h := (*q)[last]
	(*q)[last] = heldAnswer{}
	*q = (*q)[:last]
	return h
}

func (q *holdQueue) hold(e *entry, until time.Time) { heap.Push(q, heldAnswer{e, until}) }

// ready takes out an answer whose time has come.
func (q *holdQueue) ready(now time.Time) (*entry, bool) {
	if len(*q) == 0 || (*q)[0].until.After(now) {
		return nil, false
	}
	return heap.Pop(q).(heldAnswer).entry, true
}

// wait is the time until the next answer is ready; 0 if there is none.
func (q holdQueue) wait(now time.Time) time.Duration {
	if len(q) == 0 {
		return 0
	}
	return max(q[0].until.Sub(now), time.Nanosecond)
}
