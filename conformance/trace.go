package conformance

import (
	"errors"
	"fmt"
)

// Classes of traces.
const (
	ClassMust  = "must"  // reproduce exactly
	ClassQuirk = "quirk" // shows a bug of the kernel or of netdevsim
	ClassRace  = "race"  // several commands in one batch: order and number of notifications differ from run to run
	ClassHost  = "host"  // about the device and its namespace: outside vasic
)

// Trace is what the kernel did in one scenario and family.
type Trace struct {
	Scenario string
	Family   string // "4", "6" or "46"
	Group    string
	Class    string
	About    string // one line
	Kernel   string
	IPRoute2 string
	Setup    []string // command lines that made the starting state
	Runs     []Run
}

// Name is scenario and family, for example "route-add-gw.v4".
func (t *Trace) Name() string { return t.Scenario + ".v" + t.Family }

// check says whether the text form can hold the trace.
func (t *Trace) check() error {
	if t.Scenario == "" || t.Family == "" || t.Group == "" || t.Class == "" {
		return errors.New("a trace needs a scenario, a family, a group and a class")
	}
	if len(t.Runs) == 0 {
		return errors.New("a trace needs a run")
	}
	seen := make(map[int]bool)
	for _, r := range t.Runs {
		if r.Notify < 0 || r.Notify > 2 || seen[r.Notify] {
			return fmt.Errorf("notify=%d: runs have different settings, from 0 to 2", r.Notify)
		}
		seen[r.Notify] = true
	}
	return nil
}

// Run is the scenario under one notification setting.
type Run struct {
	Notify         int      // both fib_notify_on_flag_change settings, set after the setup
	OrderMayDiffer bool     // the kernel sends the same messages in another order from run to run
	SetupFailures  []string // JSON of setup commands that failed on purpose
	Baseline       State
	Steps          []Step
}

// State is the state of routes and resources.
type State struct {
	Routes    []Route // in the order of the dump
	Resources map[string]Resource
}

// Resource is one resource of the chip.
type Resource struct {
	Size      string // a number or "unlimited"
	Occupancy int    // -1: not shown, a reload has failed
}

// Step is one command line and its outcome.
type Step struct {
	Cmd string
	Outcome
}

// Outcome is what came of a command. Routes and resources are compared with those before the step.
type Outcome struct {
	Exit          int
	Errno         []string // of netlink errors
	Stdout        string
	Stderr        string
	Notifications []Notification
	Also          [][]Notification // other legal notifications
	Gone          []Route
	Came          []Route
	Resources     map[string]Resource // those that changed
}

// Notification is one rtnetlink message.
type Notification struct {
	Message   string   // NEWROUTE, DELROUTE, NEWNEXTHOP or DELNEXTHOP
	Flags     []string // of REPLACE, EXCL, CREATE, APPEND
	Requested bool     // caused by a request rather than by a change of flags or of a device
	Text      string   // as `ip -d monitor` prints it, without the last new line and spaces at ends of lines
	NoText    bool     // the text was not recorded; any will do
}
