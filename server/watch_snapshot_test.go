package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
	"github.com/vasic-project/vasic/conformance/guarantee"
	"github.com/vasic-project/vasic/server"
)

// TestSnapshotAndWhatFollowsMakeTheState has watchers list tables that are so large that they are read in pieces, while routes change between one piece
// and the next: those in the pieces, and those whose prefix contains several.
func TestSnapshotAndWhatFollowsMakeTheState(t *testing.T) {
	const leaves, writers, watchers, visits = 1500, 2, 3, 5
	run := newWatchRun(newAPIRig(t, server.Config{NotifyIPv4: 1, NotifyIPv6: 1}), 1, 0, nil)
	ctx := t.Context()
	fill := make([]vasic.Operation, 0, 2*leaves)
	for i := range leaves {
		fill = append(fill, toggle(i, 0, actionAdd), toggle(i, 1, actionAdd))
	}
	if _, err := vasic.NewClient(run.cc).Apply(ctx, fill, vasic.WaitForHardware()); err != nil {
		t.Fatal(err)
	}

	var working, watching, witness sync.WaitGroup
	witness.Go(func() {
		if err := run.observe(ctx); err != nil {
			t.Error(err)
		}
	})
	list := make([]guarantee.Recorder, watchers)
	stop, halt := context.WithCancel(ctx)
	for i := range writers {
		working.Go(func() {
			r := run.random(1, uint64(i)) //nolint:gosec // small
			client := vasic.NewClient(run.cc)
			for stop.Err() == nil {
				var ops []vasic.Operation
				for range 8 {
					ops = append(ops, change(r, leaves))
				}
				if _, err := client.Apply(ctx, ops, vasic.WaitForHardware()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range list {
		list[i].Client = run.watches
		watching.Go(func() {
			r := run.random(3, uint64(i)) //nolint:gosec // small
			for range visits {
				if err := visit(ctx, &list[i], r.IntN(20)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	watching.Wait()
	halt()
	working.Wait()
	run.rest()
	witness.Wait()

	log := run.witness.Events()
	late, hidden := 0, 0
	for i := range list {
		for _, s := range list[i].Recording.Sessions {
			before, after := changes(s)
			late, hidden = late+before, hidden+after-before
		}
		run.listed = nil // nobody stayed to the end
		run.judge(t, fmt.Sprintf("watcher %d", i), list[i].Recording, log)
	}
	t.Logf("while tables were listed %d events came later and %d were in the snapshot, of %d", late, hidden, len(log))
	if late == 0 || hidden == 0 {
		t.Error("nothing changed while tables were listed: the test is too small")
	}
}

// visit lists, and reads some messages more.
func visit(ctx context.Context, r *guarantee.Recorder, more int) error {
	if err := r.Open(ctx, &vasicv1.WatchRequest{}); err != nil {
		return err
	}
	defer r.Close()
	for synced := false; !synced || more > 0; more-- {
		m, err := r.Next()
		if err != nil {
			return err
		}
		synced = synced || m.GetSynced() != nil
	}
	return nil
}

// changes counts the events that were sent between the snapshot and synced, and those that there were from created to synced.
func changes(s guarantee.Session) (sent, all int) {
	for _, m := range s.Responses {
		if m.GetSynced() != nil {
			return sent, int(m.GetSynced().GetRevision() - s.Responses[0].GetCreated().GetRevision()) //nolint:gosec // small
		}
		sent += len(m.GetEvents())
	}
	return 0, 0
}

// toggle is a change of one of many routes of a family. They lie together, so that the tables have to be split deep down.
func toggle(i, family int, action vasicv1.RouteAction) vasic.Operation {
	prefix := fmt.Sprintf("10.64.%d.%d/32", i>>8, i&255)
	if family == 1 {
		prefix = fmt.Sprintf("2001:db8:40::%x/128", i)
	}
	return vasic.Operation{Action: action, Route: apiRoute(prefix, kind(blackhole))}
}

// change adds or deletes one of the many routes, or one of those whose prefix contains them: every block that is split on the way to them is one.
func change(r *rand.Rand, leaves int) vasic.Operation {
	op := toggle(r.IntN(leaves), r.IntN(2), []vasicv1.RouteAction{actionAdd, actionReplace, actionDelete}[r.IntN(3)])
	if r.IntN(2) == 0 {
		leaf := netip.MustParsePrefix(op.Route.Prefix)
		container, err := leaf.Addr().Prefix(r.IntN(leaf.Bits()))
		if err != nil {
			panic(err)
		}
		op.Route.Prefix = container.String()
	}
	return op
}
