package guarantee

import (
	"slices"

	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// violations are at least one for each way in which a guarantee can be broken. Messages are counted as in watched.
func violations(log []*vasicv1.Event) []violation {
	return slices.Concat(orderViolations(log), gapViolations(log), causeViolations(), convergenceViolations())
}

func orderViolations(log []*vasicv1.Event) []violation {
	return []violation{
		{"two events change places", "ordered", unlogged, func(r *Recording) { slices.Reverse(r.Sessions[0].Responses[3].Events) }},
		{"two messages change places", "ordered", unlogged, func(r *Recording) { slices.Reverse(r.Sessions[0].Responses[5:7]) }},
		{"an event comes again", "ordered", nil, put(0, 6, events(log[7]))},
		{"an event is older than the token", "ordered", nil, put(2, 1, events(log[8]))},
		{"an event is older than the stream", "ordered", nil, put(0, 3, events(log[3]))},
		{"others see another event", "ordered", nil, func(r *Recording) { r.Sessions[0].Responses[5].Events[0].Requested = true }},

		{"an event comes again in the stream that resumes", "unique", nil, put(2, 1, events(log[8]))},
		{"an event comes again behind a refused stream", "unique", unlogged, put(3, 2, events(log[6]))},
		{"a route is in the snapshot twice", "unique", nil, put(0, 2, &vasicv1.WatchResponse{
			Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{route("10.0.0.0/24", 2, 1, "", "10.9.9.1")}},
		})},
		{"an added sibling was in the snapshot", "unique", nil, put(0, 3, events(log[4]))},
		{"a replaced route was in the snapshot", "unique", nil, func(r *Recording) {
			r.Sessions[0].Responses[1].Snapshot.Routes[0] = route("10.0.0.0/24", 2, 2, "", "10.9.9.2")
		}},
		{"changed flags were in the snapshot", "unique", nil, func(r *Recording) {
			r.Sessions[0].Responses[2].Snapshot.Routes[0].NextHops[1] = hop("fe80::2+trap")
		}},

		{"synced says less than an event before", "bookmarkable", nil, func(r *Recording) { r.Sessions[0].Responses[4].Synced.Revision = 6 }},
		{"synced says less than what there was", "bookmarkable", onlyIPv4, func(r *Recording) {
			r.Sessions[0].Responses[0].Created.Revision = 20
		}},
		{"a bookmark says less than an event before", "bookmarkable", nil, func(r *Recording) { r.Sessions[3].Responses[5].Bookmark.Revision = 13 }},
		{"a bookmark says less than a bookmark before", "bookmarkable", nil, put(3, 6, bookmark(14))},
		{"a bookmark covers an event that comes after it", "bookmarkable", nil, func(r *Recording) { r.Sessions[3].Responses[3].Bookmark.Revision = 14 }},
		{"with a filter, synced covers an event that comes after it", "bookmarkable", onlyIPv4, put(0, 3, synced(15))},
		{"a bookmark covers what does not come", "bookmarkable", nil, func(r *Recording) { r.Sessions[3].Responses[5].Bookmark.Revision = 16 }},
		{"closing says less than an event before", "bookmarkable", nil, func(r *Recording) { r.Sessions[3].Responses[6].Closing.Revision = 13 }},
		{"a stream resumes where none had come to", "bookmarkable", nil, func(r *Recording) { r.Sessions[3].Request = resume(13) }},
	}
}

func gapViolations(log []*vasicv1.Event) []violation {
	return []violation{
		{"a live event is missing", "reliable", unlogged, drop(0, 5)},
		{"the last event before a bookmark is missing", "reliable", nil, drop(0, 6)},
		{"an event of a resumed stream is missing", "reliable", unlogged, drop(2, 1)},
		{"an event between snapshot and synced is missing", "reliable", nil, func(r *Recording) {
			r.Sessions[0].Responses[3].Events = r.Sessions[0].Responses[3].Events[:1]
		}},
		{"a route of the snapshot is missing", "reliable", nil, func(r *Recording) {
			drop(0, 2)(r)
			r.Sessions[0].Responses[2].Events = r.Sessions[0].Responses[2].Events[1:] // which would have brought it
		}},
		{"a route of the snapshot is outdated", "reliable", nil, func(r *Recording) {
			r.Sessions[0].Responses[2].Snapshot.Routes[0] = route("2001:db8:b::/48", 3, 1, "trap", "fe80::1")
			r.Sessions[0].Responses[3].Events = r.Sessions[0].Responses[3].Events[1:]
		}},
		{"a matching event is missing", "reliable", onlyIPv4, drop(0, 3)},
		{"an event does not match", "reliable", onlyIPv4, func(r *Recording) {
			r.Sessions[0].Responses[1].Events = append([]*vasicv1.Event{}, log[0], log[1])
		}},
		{"created is missing", "reliable", unlogged, drop(0, 0)},
		{"created comes twice", "reliable", nil, put(0, 2, created(4))},
		{"synced comes twice", "reliable", nil, put(0, 5, synced(7))},
		{"a bookmark comes before synced", "reliable", nil, put(0, 1, bookmark(4))},
		{"a snapshot comes after synced", "reliable", nil, put(0, 5, &vasicv1.WatchResponse{
			Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{route("10.5.0.0/24", 9, 1, "")}},
		})},
		{"a snapshot comes after events", "reliable", nil, put(0, 4, &vasicv1.WatchResponse{
			Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{route("10.5.0.0/24", 9, 1, "")}},
		})},
		{"a snapshot is empty", "reliable", nil, put(0, 1, &vasicv1.WatchResponse{Snapshot: &vasicv1.Snapshot{}})},
		{"something comes after closing", "reliable", nil, put(3, 7, bookmark(15))},
		{"the log has a gap", "reliable", nil, func(r *Recording) { r.Log = slices.Delete(slices.Clone(r.Log), 3, 4) }},
		{"the log is too short", "reliable", nil, func(r *Recording) { r.Log = r.Log[:10] }},

		{"the first event after the token is missing", "resumable", nil, drop(2, 1)},
		{"the first matching event after the token is missing", "resumable", onlyIPv4, drop(0, 1)},
		{"an event up to the token comes again", "resumable", nil, put(2, 1, events(log[8]))},
		{"another epoch continues", "resumable", nil, func(r *Recording) { r.Sessions[2].Responses[0].Created.Epoch = 8 }},
		{"a snapshot comes", "resumable", nil, put(2, 1, &vasicv1.WatchResponse{
			Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{route("10.5.0.0/24", 9, 1, "")}},
		})},
		{"the token is ahead of the stream before", "resumable", nil, func(r *Recording) {
			drop(3, 2)(r)
			r.Sessions[3].Request = resume(13)
		}},
		{"the token is of an unfinished snapshot", "resumable", nil, func(r *Recording) {
			r.Sessions[0].Responses = r.Sessions[0].Responses[:4]
			r.Sessions[2].Responses = []*vasicv1.WatchResponse{created(12)}
		}},
	}
}

func causeViolations() []violation {
	route6 := func(flag string) *vasicv1.Route { return route("2001:db8:d::/48", 5, 3, flag, "fe80::1") }
	return []violation{
		{"flags change before the route is added", "causal", nil, func(r *Recording) {
			r.Sessions[3].Responses[2].Events[0].Kind = flagged
		}},
		{"flags of a generation that comes later", "causal", nil, change(0, 5, func(e *vasicv1.Event) { e.Route.Generation = 3 })},
		{"flags of a generation that was replaced", "causal", nil, change(0, 5, func(e *vasicv1.Event) { e.Route.Generation = 1 })},
		{"flags of IPv6 siblings before the last joined", "causal", nil, change(0, 3, func(e *vasicv1.Event) { e.Route.Generation = 1 })},
		{"a replace without a new generation", "causal", nil, func(r *Recording) { r.Sessions[0].Responses[3].Events[1].Route.Generation = 1 }},
		{"a silent replace with a new generation", "causal", nil, func(r *Recording) {
			r.Sessions[3].Responses[4].Events[1].Route.Generation = 4
		}},
		{"a sibling joins without a new generation", "causal", nil, change(2, 2, func(e *vasicv1.Event) {
			e.Kind, e.Route = added, route("2001:db8:b::/48", 3, 2, "", "fe80::3", "fe80::2+trap")
		})},
		{"an IPv4 route is added twice", "causal", nil, change(2, 2, func(e *vasicv1.Event) { e.Kind, e.Route.Generation = added, 4 })},
		{"an unknown route is replaced", "causal", nil, change(2, 2, func(e *vasicv1.Event) { e.Kind, e.Route.Id = replaced, 99 })},
		{"an unknown route is deleted", "causal", nil, func(r *Recording) { r.Sessions[2].Responses[2].Events[1].Route.Id = 99 }},
		{"a delete of another generation", "causal", nil, func(r *Recording) { r.Sessions[2].Responses[2].Events[1].Route.Generation = 2 }},
		{"a partial delete of a generation to come", "causal", nil, change(2, 1, func(e *vasicv1.Event) { e.Route.Generation = 9 })},
		{"flags change after the route is deleted", "causal", nil, func(r *Recording) { slices.Reverse(r.Sessions[2].Responses[2].Events) }},
		{"an id is used again", "causal", nil, change(3, 2, func(e *vasicv1.Event) { e.Route.Id = 4 })},
		{"a snapshot has a deleted route", "causal", nil, func(r *Recording) {
			r.Sessions[3] = Session{Request: &vasicv1.WatchRequest{}, Responses: []*vasicv1.WatchResponse{
				created(14), {Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{route("10.0.0.0/16", 4, 3, "trap")}}}, synced(14),
			}}
		}},
		{"a snapshot is older than what was seen", "causal", nil, func(r *Recording) {
			r.Sessions[3] = Session{Request: &vasicv1.WatchRequest{}, Responses: []*vasicv1.WatchResponse{
				created(14), {Snapshot: &vasicv1.Snapshot{Routes: []*vasicv1.Route{route("10.0.0.0/24", 2, 1, "trap")}}}, synced(14),
			}}
		}},
		{"with a filter, flags after the delete", "causal", onlyFlags, func(r *Recording) { slices.Reverse(r.Sessions[0].Responses[6:9]) }},
		{"with a filter, an older generation", "causal", onlyFlags, change(0, 4, func(e *vasicv1.Event) { e.Route.Generation = 0 })},
		{"seen live, an id is used again", "causal", func() *Recording { return selected(nil, 11) }, func(r *Recording) {
			again := proto.CloneOf(r.Log[12])
			again.Route = route6("")
			again.Route.Id = 4
			r.Sessions[0].Responses[2] = events(again)
		}},
	}
}

func convergenceViolations() []violation {
	return []violation{
		{"an added route is missing", "converges", nil, func(r *Recording) {
			drop(3, 4)(r) // which has the whole route, too
			drop(3, 2)(r)
		}},
		{"a deleted route is left", "converges", nil, func(r *Recording) {
			r.Sessions[2].Responses[2].Events = r.Sessions[2].Responses[2].Events[:1]
		}},
		{"a deleted sibling is left", "converges", nil, drop(2, 1)},
		{"content differs", "converges", nil, func(r *Recording) { r.Rest[0].NextHops[0].Gateway = "10.9.9.3" }},
		{"flags differ", "converges", nil, func(r *Recording) { r.Rest[2].Trap = false }},
		{"flags of a sibling differ", "converges", nil, func(r *Recording) {
			r.Sessions[3].Responses[4].Events[1].Route.Trap = false
		}},
		{"why it failed differs", "converges", nil, func(r *Recording) { r.Rest[0].FailureReason = 1 }},
		{"the generation differs", "converges", nil, func(r *Recording) { r.Rest[1].Generation = 1 }},
		{"with setting 2, offload_failed differs", "converges", nil, func(r *Recording) {
			r.Notify[ipv4] = notifyFailures
			r.Rest[0].OffloadFailed = false
		}},
		{"with setting 0, the route itself differs", "converges", nil, func(r *Recording) {
			r.Notify[ipv6] = 0
			r.Rest[2].Protocol = 4
		}},
		{"a filtered copy has a deleted route", "converges", onlyIPv4, drop(0, 7)},
		{"the last stream ends in its snapshot", "converges", nil, func(r *Recording) {
			r.Sessions = r.Sessions[:1]
			r.Sessions[0].Responses = r.Sessions[0].Responses[:3]
		}},
	}
}
