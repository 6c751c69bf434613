package conformance

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
)

// TestEveryChangeOfARecordingIsNoticed changes what was recorded, one thing at a time, and takes the unchanged recording for what the
// switch did: each change must be reported.
func TestEveryChangeOfARecordingIsNoticed(t *testing.T) {
	t.Parallel()
	changes := 0
	for _, trace := range loadTraces(t) {
		for i := range trace.Runs {
			j := &judge{trace: trace, run: &trace.Runs[i]}
			if lines := j.baseline(&j.run.Baseline); lines != nil {
				t.Errorf("%s: the baseline differs from itself: %q", trace.Name(), lines)
			}
			for k := range j.run.Steps {
				recorded := j.run.Steps[k].Outcome
				if lines := j.step(k, &recorded); lines != nil {
					t.Errorf("%s step %d differs from itself: %q", trace.Name(), k+1, lines)
				}
				for what, changed := range mutations(&recorded, j.orderMatters()) {
					changes++
					j.run.Steps[k].Outcome = changed
					if j.step(k, &recorded) == nil {
						t.Errorf("%s notify=%d step %d: not noticed: %s", trace.Name(), j.run.Notify, k+1, what)
					}
				}
				j.run.Steps[k].Outcome = recorded
			}
		}
	}
	t.Logf("%d changes noticed", changes)
}

// TestAReplayNoticesEveryChange is the same with a real replay.
func TestAReplayNoticesEveryChange(t *testing.T) {
	t.Parallel()
	wanted := []string{"mp-delete-one.v6", "capacity-overflow.v4", "link-down.v6", "fail-add.v4"}
	for _, trace := range loadTraces(t) {
		if !slices.Contains(wanted, trace.Name()) {
			continue
		}
		t.Run(trace.Name(), func(t *testing.T) {
			t.Parallel()
			j := &judge{trace: trace, run: &trace.Runs[1]}
			got := replay(t, trace, j.run)
			if n := len(j.compare(got)); n > 0 {
				t.Fatalf("%d mismatches without a change", n)
			}
			for k := range got.steps {
				recorded := j.run.Steps[k].Outcome
				for what, changed := range mutations(&recorded, j.orderMatters()) {
					j.run.Steps[k].Outcome = changed
					if len(j.compare(got)) != 1 {
						t.Errorf("step %d: not noticed: %s", k+1, what)
					}
				}
				j.run.Steps[k].Outcome = recorded
			}
			routes := j.run.Baseline.Routes
			j.run.Baseline.Routes = append([]Route{routes[1], routes[0]}, routes[2:]...)
			if len(j.compare(got)) != 1 {
				t.Error("not noticed: other order of the dump")
			}
			j.run.Baseline.Routes = routes[1:]
			if len(j.compare(got)) != 1 {
				t.Error("not noticed: a route less at the start")
			}
		})
	}
}

// orderMatters says whether notifications that change places in a step must be noticed.
func (j *judge) orderMatters() bool { return !j.run.OrderMayDiffer && j.trace.Class != ClassRace }

// mutations are outcomes that differ from o in one thing, and what that is.
func mutations(o *Outcome, ordered bool) iter.Seq2[string, Outcome] {
	return func(yield func(string, Outcome) bool) {
		change := func(what string, f func(*Outcome)) bool {
			c := *o
			c.Errno, c.Notifications = slices.Clone(o.Errno), slices.Clone(o.Notifications)
			c.Gone, c.Came, c.Resources = slices.Clone(o.Gone), slices.Clone(o.Came), maps.Clone(o.Resources)
			f(&c)
			return yield(what, c)
		}
		ok := change("exit", func(c *Outcome) { c.Exit++ }) &&
			change("errno", func(c *Outcome) { c.Errno = append(c.Errno, "EIO") }) &&
			change("stdout", func(c *Outcome) { c.Stdout += " " }) &&
			change("stderr", func(c *Outcome) { c.Stderr += "x\n" }) &&
			change("a route more gone", func(c *Outcome) { c.Gone = append(c.Gone, "unicast 192.0.2.99 dev d9") }) &&
			change("a route more came", func(c *Outcome) { c.Came = append(c.Came, "unicast 192.0.2.99 dev d9") }) &&
			change("a resource more", func(c *Outcome) {
				c.Resources = maps.Collect(maps.All(c.Resources))
				c.Resources["other"] = Resource{"1", 1}
			})
		for i := 0; ok && i < len(o.Gone); i++ {
			ok = change("a route less gone", func(c *Outcome) { c.Gone = slices.Delete(c.Gone, i, i+1) }) &&
				change("another route gone", func(c *Outcome) { c.Gone[i] += " rt_offload" })
		}
		for i := 0; ok && i < len(o.Came); i++ {
			ok = change("a route less came", func(c *Outcome) { c.Came = slices.Delete(c.Came, i, i+1) }) &&
				change("another route came", func(c *Outcome) { c.Came[i] += " rt_offload" })
		}
		for path := range o.Resources {
			ok = ok && change("occupancy", func(c *Outcome) {
				c.Resources[path] = Resource{o.Resources[path].Size, o.Resources[path].Occupancy + 1}
			}) &&
				change("size", func(c *Outcome) { c.Resources[path] = Resource{"7", o.Resources[path].Occupancy} }) &&
				change("a resource less", func(c *Outcome) { delete(c.Resources, path) })
		}
		if !ok || len(o.Also) > 0 {
			return // then other notifications are legal too
		}
		for i := range o.Notifications {
			if !mutateNotification(change, o.Notifications, i, ordered) {
				return
			}
		}
	}
}

// mutateNotification changes one notification in every way.
func mutateNotification(change func(string, func(*Outcome)) bool, list []Notification, i int, ordered bool) bool {
	n := &list[i]
	ok := change(fmt.Sprintf("without notification %v", n), func(c *Outcome) { c.Notifications = slices.Delete(c.Notifications, i, i+1) }) &&
		change(fmt.Sprintf("notification twice %v", n), func(c *Outcome) { c.Notifications = slices.Insert(c.Notifications, i, *n) }) &&
		change("message", func(c *Outcome) { c.Notifications[i].Message = "NEWLINK" }) &&
		change("flags", func(c *Outcome) { c.Notifications[i].Flags = append([]string{"X"}, n.Flags...) }) &&
		change("requested", func(c *Outcome) { c.Notifications[i].Requested = !n.Requested }) &&
		change("text", func(c *Outcome) { c.Notifications[i].Text += " mtu 1" })
	if ok && ordered && i > 0 && list[i-1].flagChange() == n.flagChange() && !list[i-1].matches(n) {
		ok = change("order", func(c *Outcome) {
			c.Notifications[i-1], c.Notifications[i] = c.Notifications[i], c.Notifications[i-1]
		})
	}
	return ok
}
