package server_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/conformance/guarantee"
	"github.com/vasic-project/vasic/server"
)

// TestBookmarksCoverOnlyWhatWasSent has every change of flags happen at the very moment at which bookmarks are due.
func TestBookmarksCoverOnlyWhatWasSent(t *testing.T) {
	const watchers, changes = 8, 100
	synctest.Test(t, func(t *testing.T) {
		due := 100 * time.Millisecond
		run := newWatchRun(newAPIRig(t, server.Config{Latency: &due, NotifyIPv4: 1, NotifyIPv6: 1}), 1, 0, nil)
		time.Sleep(time.Minute) // the switch's own routes are programmed
		var watching sync.WaitGroup
		watching.Go(func() {
			if err := run.observe(t.Context()); err != nil {
				t.Error(err)
			}
		})
		list := make([]watchWatcher, watchers)
		for i := range list {
			list[i] = watchWatcher{Recorder: &guarantee.Recorder{Client: run.watches}, run: run}
			if err := list[i].Open(t.Context(), &vasicv1.WatchRequest{BookmarkInterval: durationpb.New(due)}); err != nil {
				t.Fatal(err)
			}
			watching.Go(func() {
				for !list[i].ended() {
					if _, err := list[i].Next(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range changes {
			if _, err := run.modify(actionReplace, apiRoute("192.0.2.0/24", via("10.0.1.2"), proto8(uint32(3+i%2)))); err != nil { //nolint:gosec // small
				t.Fatal(err)
			}
			time.Sleep(3 * due / 2)
		}
		run.rest()
		watching.Wait()
		marks, log := 0, run.witness.Events()
		for i := range list {
			for _, m := range list[i].Recording.Sessions[0].Responses {
				if m.GetBookmark() != nil {
					marks++
				}
			}
			run.judge(t, fmt.Sprintf("watcher %d", i), list[i].Recording, log)
			list[i].Close()
		}
		if marks == 0 {
			t.Error("there was no bookmark: the test is too small")
		}
		t.Logf("%d bookmarks", marks)
	})
}
