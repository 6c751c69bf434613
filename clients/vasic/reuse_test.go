package vasic_test

import (
	"fmt"
	"testing"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// With Reuse updates say the same as without, nothing of a message shines through into the next, and after a while messages are used again.
func TestReusedMessagesSayTheSame(t *testing.T) {
	const messages = 50
	answers := []*vasicv1.WatchResponse{created(7, 10)}
	var want []string
	revision := uint64(10)
	for i := range messages {
		var batch []*vasicv1.Event
		for j := range i%3 + 1 {
			revision++
			e := event(revision, added, route(revision, fmt.Sprintf("10.%d.%d.0/24", i, j)))
			if i%2 == 0 {
				e.Silent, e.Route.Metric, e.Route.Prefsrc = true, new(uint32), "10.0.0.1"
				e.Route.NextHops = []*vasicv1.NextHop{{Gateway: "10.0.0.2", Onlink: true}, {Gateway: "10.0.0.3"}}
			}
			batch = append(batch, e)
		}
		answers = append(answers, events(batch...))
		want = append(want, fmt.Sprint(batch))
	}
	f := &fakeSwitch{watches: []func(watchStream) error{script(nil, answers...)}}
	inBubble(t, f, func(t *testing.T, c *vasic.Client) {
		w := c.Watch(t.Context(), vasic.WatchOptions{LiveOnly: true, Reuse: true})
		defer w.Close()
		expect(t, w, "reset: first list, epoch 7 revision 10")
		seen := make(map[*vasicv1.Event]bool)
		reused := false
		for i := range messages {
			u, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := u.(*vasic.Events).Events
			if text := fmt.Sprint(got); text != want[i] {
				t.Fatalf("message %d: got %s, want %s", i, text, want[i])
			}
			for _, e := range got {
				reused = reused || seen[e]
				seen[e] = true
			}
		}
		if !reused {
			t.Error("no message was used again")
		}
	})
}
