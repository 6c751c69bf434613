package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// TestNoSilentDivergence does anything to a switch, then lets the chip finish: whatever audit finds then, the flag of the route tells it. Where
// it finds nothing, hardware forwards where the route says.
func TestNoSilentDivergence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cfg, commands := drawRun(rt, false)
		report(rt, commands, runCommands(t, cfg, commands, nothing, func(v *vswitch) []string { return append(v.audited(v.silent), v.audited(elsewhere)...) }))
	})
}

// TestUndeletedEntriesAreCounted is the same with deletes that fail: they leave entries in hardware that no flag can tell of where the route
// is gone. Those are counted, and they go when the faults go.
func TestUndeletedEntriesAreCounted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cfg, commands := drawRun(rt, true)
		report(rt, commands, runCommands(t, cfg, commands, nothing, func(v *vswitch) []string {
			entries := v.audited(func(c *vasicv1.Comparison) bool { return c.Software == nil })
			if n := v.status().UndeletedEntries; uint64(len(entries)) > n {
				return append(entries, fmt.Sprintf("there are %d entries without a route, and the switch counts %d undeleted ones", len(entries), n))
			}
			v.vasicctl("", "fault", "del", "all")
			found := append(v.rest(), v.audited(v.silent)...)
			if n := v.status().UndeletedEntries; n > 0 {
				found = append(found, fmt.Sprintf("without faults %d entries are still undeleted", n))
			}
			return found
		}))
	})
}

// report fails with what was done and what was found.
func report(t *rapid.T, commands, found []string) {
	if len(found) > 0 {
		t.Fatalf("after\n   %s\n%s", strings.Join(commands, "\n   "), strings.Join(found, "\n"))
	}
}

func nothing(*vswitch) {}

// elsewhere says whether hardware forwards to a next hop that the route does not have, or not to one that has the flag of hardware, although
// the audit finds nothing.
func elsewhere(c *vasicv1.Comparison) bool {
	if c.Verdict != vasicv1.Verdict_VERDICT_CONSISTENT || c.Hardware.GetAction() != "forward" {
		return false
	}
	in := func(list []*vasicv1.NextHop, h *vasicv1.NextHop) bool {
		return slices.ContainsFunc(list, func(x *vasicv1.NextHop) bool { return x.Gateway == h.Gateway && x.Device == h.Device })
	}
	return slices.ContainsFunc(c.Hardware.NextHops, func(h *vasicv1.NextHop) bool { return !in(c.Software.GetNextHops(), h) }) ||
		slices.ContainsFunc(c.Software.GetNextHops(), func(h *vasicv1.NextHop) bool { return h.Offload && !in(c.Hardware.NextHops, h) })
}

// silent says whether nobody can know of a difference: it is pending though nothing is in the queue, or the flags of the route do not tell
// it. Packets of a route that failed may be trapped by another entry, and of an IPv6 route siblings may have failed that joined later.
func silent(c *vasicv1.Comparison) bool {
	r := c.Software
	failed := r.GetOffloadFailed()
	for _, h := range r.GetNextHops() {
		failed = failed || h.SiblingOffloadFailed
	}
	switch c.Verdict {
	case vasicv1.Verdict_VERDICT_CONSISTENT:
		return false
	case vasicv1.Verdict_VERDICT_TRAPPED:
		return !r.GetTrap() && !failed
	case vasicv1.Verdict_VERDICT_BLACKHOLED, vasicv1.Verdict_VERDICT_MISROUTED:
		return !failed
	}
	return true
}

// silent is silent, where the route of hardware's own prefix may tell as well: when all its next hops are dead, software goes on to the next
// route of the prefix or to a less specific one, whose flags tell of itself only.
func (v *vswitch) silent(c *vasicv1.Comparison) bool {
	if !silent(c) || c.Hardware == nil || c.Software == nil {
		return silent(c)
	}
	own, err := vasicv1.NewRouteServiceClient(v.conn).GetRoute(v.t.Context(), &vasicv1.GetRouteRequest{Prefix: c.Hardware.Prefix, Table: c.Hardware.Table})
	return err != nil || own.Route.Id == c.Software.Id || silent(&vasicv1.Comparison{Verdict: c.Verdict, Software: own.Route, Hardware: c.Hardware})
}

// audited are the results of an audit that are of a kind.
func (v *vswitch) audited(kind func(*vasicv1.Comparison) bool) (found []string) {
	stream, err := vasicv1.NewAuditServiceClient(v.conn).Audit(v.t.Context(), &vasicv1.AuditRequest{Verdicts: []vasicv1.Verdict{
		vasicv1.Verdict_VERDICT_CONSISTENT, vasicv1.Verdict_VERDICT_PENDING, vasicv1.Verdict_VERDICT_TRAPPED,
		vasicv1.Verdict_VERDICT_BLACKHOLED, vasicv1.Verdict_VERDICT_MISROUTED,
	}})
	if err != nil {
		v.t.Fatal(err)
	}
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			v.t.Fatal(err)
		}
		for _, c := range piece.Comparisons {
			if kind(c) {
				found = append(found, prototext.Format(c))
			}
		}
	}
}

// TestOneSeedGivesOneRecording does the same twice: with one seed the recordings are the same to the byte, times included.
func TestOneSeedGivesOneRecording(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cfg, commands := drawRun(rt, true)
		var recordings [2][]proto.Message
		for i := range recordings {
			r := &recording{}
			report(rt, commands, runCommands(t, cfg, commands, r.begin, func(*vswitch) []string { return nil }))
			recordings[i] = r.messages
		}
		report(rt, commands, compareRecordings(recordings[0], recordings[1]))
	})
}

// compareRecordings says where two recordings differ first.
func compareRecordings(a, b []proto.Message) []string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a), i >= len(b):
			return []string{fmt.Sprintf("one recording ends after %d messages, the other has %d", min(len(a), len(b)), max(len(a), len(b)))}
		case !slices.Equal(encoded(a[i]), encoded(b[i])):
			return []string{fmt.Sprintf("message %d is", i+1), prototext.Format(a[i]), "and the second time", prototext.Format(b[i])}
		}
	}
	return nil
}

func encoded(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// recording gathers what RecordService tells as long as the switch lives: calls and events one by one, however the switch packs them.
type recording struct {
	mu       sync.Mutex // guards messages
	messages []proto.Message
}

func (r *recording) begin(v *vswitch) {
	ctx, cancel := context.WithCancel(v.t.Context())
	var done sync.WaitGroup
	v.t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	stream, err := vasicv1.NewRecordServiceClient(v.conn).Record(ctx, &vasicv1.RecordRequest{})
	if err != nil {
		v.t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		v.t.Fatal(err)
	}
	r.messages = append(r.messages, first.Started)
	done.Go(func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				if ctx.Err() == nil {
					v.t.Errorf("record: %v", err)
				}
				return
			}
			r.mu.Lock()
			if m.Call != nil {
				r.messages = append(r.messages, m.Call)
			}
			for _, e := range m.Events {
				r.messages = append(r.messages, e)
			}
			r.mu.Unlock()
		}
	})
}
