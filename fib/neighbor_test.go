package fib

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func listed(s NeighborState, automatic bool) string {
	return fmt.Sprintf("%d automatic=%v", s, automatic)
}

// A gateway is announced before the first route that uses it, once, and forgotten behind the last.
func TestNeighborLivesAsLongAsItsRoutes(t *testing.T) {
	r := newRig(t)
	r.must(r.modify(Add, "192.0.2.0/24", 0, "10.0.1.2"))
	r.wantHeard("neighbor 10.0.1.2 d1 true", "replace 192.0.2.0/24")
	r.must(r.modify(Add, "198.51.100.0/24", 0, "10.0.1.2"))
	r.wantHeard("replace 198.51.100.0/24")
	r.must(r.modify(Delete, "192.0.2.0/24", 0))
	r.wantHeard("delete 192.0.2.0/24")
	r.must(r.modify(Replace, "198.51.100.0/24", 0, "10.0.1.3"))
	r.wantHeard("neighbor 10.0.1.3 d1 true", "replace 198.51.100.0/24", "neighbor 10.0.1.2 d1 forgotten")
	if got := r.state("10.0.1.2"); got != "" {
		t.Errorf("a neighbour that no route uses is listed: %s", got)
	}
}

// What somebody says of a neighbour counts more than what it would do by itself.
func TestNeighborEntryWins(t *testing.T) {
	r := newRig(t)
	gateway := netip.MustParseAddr("10.0.1.2")
	r.must(r.modify(Add, "192.0.2.0/24", 0, "10.0.1.2"))
	r.forget()
	_, err := r.SetNeighbor("d1", gateway, "", NeighborFailed, true)
	r.must(err)
	r.wantHeard("neighbor 10.0.1.2 d1 false")
	r.set("d1", true, true)
	r.SetNeighborResolution(true, 0)
	if got, want := r.state("10.0.1.2"), listed(NeighborFailed, false); got != want {
		t.Errorf("state %s, want %s", got, want)
	}
	if _, err := r.SetNeighbor("d1", gateway, "", NeighborReachable, true); !errors.Is(err, ErrNeighborExists) {
		t.Errorf("a second entry: %v", err)
	}
	r.hardware.take()
	r.must(r.DeleteNeighbor("d1", gateway))
	r.wantHeard("neighbor 10.0.1.2 d1 true")
	if got, want := r.state("10.0.1.2"), listed(NeighborReachable, true); got != want {
		t.Errorf("state %s, want %s", got, want)
	}
	if err := r.DeleteNeighbor("d1", netip.MustParseAddr("10.0.1.9")); !errors.Is(err, ErrNeighborNotFound) {
		t.Errorf("delete of none: %v", err)
	}
}

// Going down loses every neighbour of a link, losing carrier those that were not set for good.
func TestNeighborsFollowTheirLink(t *testing.T) {
	r := newRig(t)
	r.must(r.modify(Add, "192.0.2.0/24", 0, "10.0.1.2", "10.0.2.2"))
	r.forget()
	r.set("d1", true, false)
	r.wantHeard("neighbor 10.0.1.2 d1 false", "link d1 false")
	r.set("d1", true, true)
	r.wantHeard("neighbor 10.0.1.2 d1 true", "link d1 true")
	_, err := r.SetNeighbor("d1", netip.MustParseAddr("10.0.1.2"), "02:00:00:00:00:01", NeighborPermanent, false)
	r.must(err)
	r.set("d1", true, false)
	r.wantHeard("link d1 false")
	r.set("d1", true, true)
	r.hardware.take()
	r.set("d1", false, true)
	if got, want := r.state("10.0.1.2"), listed(NeighborNone, true); got != want {
		t.Errorf("after the link went down: %s, want %s", got, want)
	}
	if _, err := r.SetNeighbor("d1", netip.MustParseAddr("10.0.1.2"), "", NeighborPermanent, false); !errors.Is(err, ErrLinkDown) {
		t.Errorf("an entry on a link that is down: %v", err)
	}
}

func TestNeighborResolutionTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.SetNeighborResolution(true, time.Second)
		r.must(r.modify(Add, "192.0.2.0/24", 0, "10.0.1.2"))
		r.wantHeard("replace 192.0.2.0/24")
		time.Sleep(999 * time.Millisecond)
		if got, want := r.state("10.0.1.2"), listed(NeighborIncomplete, true); got != want {
			t.Errorf("too early: %s, want %s", got, want)
		}
		r.set("d1", true, false) // the attempt under way is void
		r.set("d1", true, true)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		r.wantHeard("link d1 false", "link d1 true")
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		r.wantHeard("neighbor 10.0.1.2 d1 true")

		r.SetNeighborResolution(false, 0)
		r.wantHeard("neighbor 10.0.1.2 d1 false")
		r.must(r.modify(Add, "198.51.100.0/24", 0, "10.0.2.2"))
		r.wantHeard("replace 198.51.100.0/24")
		r.SetNeighborResolution(true, time.Hour)
		r.Close()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		r.wantHeard()
	})
}
