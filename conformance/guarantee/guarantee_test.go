package guarantee

import (
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

const (
	added    = vasicv1.EventKind_EVENT_KIND_ROUTE_ADDED
	replaced = vasicv1.EventKind_EVENT_KIND_ROUTE_REPLACED
	deleted  = vasicv1.EventKind_EVENT_KIND_ROUTE_DELETED
	flagged  = vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED

	ipv4 = vasicv1.Family_FAMILY_IPV4
	ipv6 = vasicv1.Family_FAMILY_IPV6
)

// hop writes down a sibling: its gateway, and behind a + what hardware says of it.
func hop(text string) *vasicv1.NextHop {
	gateway, flag, _ := strings.Cut(text, "+")
	return &vasicv1.NextHop{
		Gateway: gateway, Device: "swp1", Weight: 1,
		SiblingOffload: flag == "offload", SiblingTrap: flag == "trap", SiblingOffloadFailed: flag == "failed",
	}
}

func route(prefix string, id, generation uint64, flag string, hops ...string) *vasicv1.Route {
	r := &vasicv1.Route{
		Prefix: prefix, Table: 254, Id: id, Generation: generation, Protocol: 3,
		Offload: flag == "offload", Trap: flag == "trap", OffloadFailed: flag == "failed",
	}
	for _, h := range hops {
		r.NextHops = append(r.NextHops, hop(h))
	}
	return r
}

// story is what a switch did: two IPv4 routes and two IPv6 routes come, change and go.
func story() (log []*vasicv1.Event, rest []*vasicv1.Route) {
	add := func(kind vasicv1.EventKind, r *vasicv1.Route) *vasicv1.Event {
		e := &vasicv1.Event{Revision: uint64(len(log)) + 1, Kind: kind, Route: r} //nolint:gosec // not negative
		log = append(log, e)
		return e
	}
	const a, b, c, d = "10.0.0.0/24", "2001:db8:b::/48", "10.0.0.0/16", "2001:db8:d::/48"
	add(added, route(a, 2, 1, "", "10.9.9.1"))                           // 1
	add(added, route(b, 3, 1, "", "fe80::1"))                            // 2
	add(flagged, route(a, 2, 1, "trap", "10.9.9.1"))                     // 3
	add(flagged, route(b, 3, 1, "trap", "fe80::1"))                      // 4
	add(added, route(b, 3, 2, "", "fe80::2", "fe80::1+trap"))            // 5: a sibling joins
	add(flagged, route(b, 3, 2, "trap", "fe80::2+trap", "fe80::1+trap")) // 6
	add(replaced, route(a, 2, 2, "", "10.9.9.2"))                        // 7
	add(flagged, route(a, 2, 2, "failed", "10.9.9.2"))                   // 8
	add(added, route(c, 4, 3, "", "10.9.9.1"))                           // 9
	add(deleted, route(b, 3, 2, "trap", "fe80::1")).Partial = true       // 10
	add(flagged, route(c, 4, 3, "trap", "10.9.9.1"))                     // 11
	add(deleted, route(c, 4, 3, "trap", "10.9.9.1"))                     // 12
	add(added, route(d, 5, 3, "", "fe80::1"))                            // 13
	add(flagged, route(d, 5, 3, "trap", "fe80::1"))                      // 14
	add(replaced, route(d, 5, 3, "trap", "fe80::1")).Silent = true       // 15
	return log, []*vasicv1.Route{
		route(a, 2, 2, "failed", "10.9.9.2"), route(b, 3, 2, "trap", "fe80::2"), route(d, 5, 3, "trap", "fe80::1"),
	}
}

func created(revision uint64) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Created: &vasicv1.Created{Epoch: 7, Revision: revision}}
}

func synced(revision uint64) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Synced: &vasicv1.Synced{Revision: revision}}
}

func bookmark(revision uint64) *vasicv1.WatchResponse {
	return &vasicv1.WatchResponse{Bookmark: &vasicv1.Bookmark{Revision: revision}}
}

func events(e ...*vasicv1.Event) *vasicv1.WatchResponse {
	for i := range e {
		e[i] = proto.CloneOf(e[i])
	}
	return &vasicv1.WatchResponse{Events: e}
}

func resume(revision uint64) *vasicv1.WatchRequest {
	return &vasicv1.WatchRequest{ResumeAfter: &vasicv1.ResumeToken{Epoch: 7, Revision: revision}}
}

// watched is what a watcher without a filter sees of the story: it lists while event 5 happens, and resumes twice.
func watched() *Recording {
	log, rest := story()
	return &Recording{
		Epoch: 7, Log: log, Rest: rest, Notify: map[vasicv1.Family]uint32{ipv4: notifyAll, ipv6: notifyAll},
		Sessions: []Session{
			{Request: &vasicv1.WatchRequest{}, Responses: []*vasicv1.WatchResponse{
				created(4),
				{Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{route("10.0.0.0/24", 2, 1, "trap", "10.9.9.1")}}},
				{Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{route("2001:db8:b::/48", 3, 2, "trap", "fe80::1+trap", "fe80::2")}}},
				events(log[5], log[6]), synced(7), events(log[7]), events(log[8]), bookmark(9),
			}},
			{Request: resume(9)}, // refused, because too many were watching
			{Request: resume(9), Responses: []*vasicv1.WatchResponse{created(12), events(log[9]), events(log[10], log[11]), synced(12)}},
			{Request: resume(12), Responses: []*vasicv1.WatchResponse{
				created(12), synced(12), events(log[12]), bookmark(13), events(log[13], log[14]), bookmark(15), {Closing: &vasicv1.Closing{Revision: 15}},
			}},
		},
	}
}

// selected is what a watcher with a filter sees, which does not list: it starts at revision 0, or with after, at that.
func selected(filter *vasicv1.WatchFilter, after uint64) *Recording {
	r := watched()
	request := resume(after)
	request.Filter = filter
	s := Session{Request: request, Responses: []*vasicv1.WatchResponse{created(15)}}
	for _, e := range r.Log[after:] {
		if matches(filter, e) {
			s.Responses = append(s.Responses, events(e))
		}
	}
	s.Responses = append(s.Responses, synced(15))
	r.Sessions = []Session{s}
	return r
}

func TestGoodRecordingsKeepEveryGuarantee(t *testing.T) {
	boot := uint32(3)
	good := map[string]*Recording{
		"without a filter": watched(),
		"from revision 0":  selected(nil, 0),
		"from the middle":  selected(nil, 6),
		"IPv6":             selected(&vasicv1.WatchFilter{Family: ipv6}, 0),
		"a prefix":         selected(&vasicv1.WatchFilter{WithinPrefix: "10.0.0.0/24"}, 0),
		"a table":          selected(&vasicv1.WatchFilter{Table: 100}, 0),
		"a protocol":       selected(&vasicv1.WatchFilter{Protocol: &boot}, 0),
		"deletes":          selected(&vasicv1.WatchFilter{Kinds: []vasicv1.EventKind{deleted}}, 0),
		"any flag": selected(&vasicv1.WatchFilter{Flags: []vasicv1.RouteFlag{
			vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD, vasicv1.RouteFlag_ROUTE_FLAG_TRAP, vasicv1.RouteFlag_ROUTE_FLAG_OFFLOAD_FAILED,
		}}, 0),
		"no flags": selected(&vasicv1.WatchFilter{Flags: []vasicv1.RouteFlag{vasicv1.RouteFlag_ROUTE_FLAG_NONE}}, 0),
	}
	noLog := watched()
	noLog.Log, noLog.Rest = nil, nil
	good["nothing known"] = noLog
	for name, r := range good {
		t.Run(name, func(t *testing.T) {
			if err := Check(r); err != nil {
				t.Error(err)
			}
		})
	}
}

// violation breaks a good recording and names the guarantees that have to see it.
type violation struct {
	name   string
	broken string
	start  func() *Recording // nil: watched
	do     func(*Recording)
}

// drop takes message m out of session s.
func drop(s, m int) func(*Recording) {
	return func(r *Recording) { r.Sessions[s].Responses = slices.Delete(r.Sessions[s].Responses, m, m+1) }
}

// put inserts a message before message m of session s.
func put(s, m int, message *vasicv1.WatchResponse) func(*Recording) {
	return func(r *Recording) { r.Sessions[s].Responses = slices.Insert(r.Sessions[s].Responses, m, message) }
}

// change changes the first event of a message, also in the log.
func change(s, m int, do func(*vasicv1.Event)) func(*Recording) {
	return func(r *Recording) {
		e := r.Sessions[s].Responses[m].Events[0]
		do(e)
		r.Log[e.Revision-1] = proto.CloneOf(e)
	}
}

// unlogged is like watched, but nobody knows the log.
func unlogged() *Recording {
	r := watched()
	r.Log = nil
	return r
}

func onlyIPv4() *Recording { return selected(&vasicv1.WatchFilter{Family: ipv4}, 0) }

func onlyFlags() *Recording {
	return selected(&vasicv1.WatchFilter{Kinds: []vasicv1.EventKind{flagged, deleted}}, 0)
}

func TestEachGuaranteeSeesItsViolations(t *testing.T) {
	log, _ := story()
	for _, v := range violations(log) {
		t.Run(v.broken+"/"+v.name, func(t *testing.T) {
			r := watched()
			if v.start != nil {
				r = v.start()
			}
			if err := Check(r); err != nil {
				t.Fatalf("broken before: %v", err)
			}
			v.do(r)
			for _, g := range Guarantees {
				if g.Name == v.broken {
					err := g.Check(r)
					if err == nil {
						t.Error("not seen")
					}
					t.Log(err)
				}
			}
		})
	}
	for _, g := range Guarantees {
		if !slices.ContainsFunc(violations(log), func(v violation) bool { return v.broken == g.Name }) {
			t.Errorf("there is no violation of %s", g.Name)
		}
	}
}

func TestTheDocumentNamesEveryGuarantee(t *testing.T) {
	page, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range Guarantees {
		full := strings.Split(runtime.FuncForPC(reflect.ValueOf(g.Check).Pointer()).Name(), "/")
		if name := "`" + full[len(full)-1] + "`"; !strings.Contains(string(page), name) {
			t.Errorf("docs/guarantees.md does not name %s", name)
		}
	}
}
