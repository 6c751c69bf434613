package server_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// apiWatch is a Watch call.
type apiWatch struct {
	r      *apiRig
	stream grpc.ServerStreamingClient[vasicv1.WatchResponse]
	cancel context.CancelFunc
	ahead  []*vasicv1.Event // received and not yet asked for
	last   uint64           // revision of the last event that was asked for
}

// watchTimeout is longer than any test lets a bookmark wait. In a bubble it costs nothing.
const watchTimeout = 12 * time.Hour

// watch opens a watch that lasts as long as the test.
func (r *apiRig) watch(req *vasicv1.WatchRequest) *apiWatch {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), watchTimeout)
	r.t.Cleanup(cancel)
	return &apiWatch{r: r, stream: must(r.watches.Watch(ctx, req))(r.t), cancel: cancel}
}

// next reads one message and checks that it is one of the envelope's kinds.
func (w *apiWatch) next() (*vasicv1.WatchResponse, error) {
	w.r.t.Helper()
	res, err := w.stream.Recv()
	if err != nil {
		return nil, err
	}
	set := 0
	for _, is := range []bool{len(res.Events) > 0, res.Created != nil, res.Snapshot != nil, res.Synced != nil, res.Bookmark != nil, res.Closing != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		w.r.t.Errorf("%d fields of the envelope are set: %v", set, res)
	}
	return res, nil
}

// lines describes a message, one line for each route or event.
func lines(res *vasicv1.WatchResponse) (list []string) {
	switch {
	case res.Created != nil:
		return []string{fmt.Sprint("created ", res.Created.Revision)}
	case res.Synced != nil:
		return []string{fmt.Sprint("synced ", res.Synced.Revision)}
	case res.Bookmark != nil:
		return []string{fmt.Sprint("bookmark ", res.Bookmark.Revision)}
	case res.Closing != nil:
		return []string{fmt.Sprint("closing ", res.Closing.Revision)}
	}
	for _, route := range res.Snapshot.GetRoutes() {
		list = append(list, "snapshot "+describe(route))
	}
	for _, e := range res.Events {
		kind := strings.ToLower(strings.TrimPrefix(e.Kind.String(), "EVENT_KIND_ROUTE_"))
		list = append(list, fmt.Sprintf("%d %s %s", e.Revision, strings.TrimPrefix(kind, "event_kind_"), describe(e.Route)))
	}
	return list
}

// describe writes a route's prefix and flags.
func describe(route *vasicv1.Route) string {
	text := route.Prefix
	for _, f := range []struct {
		is   bool
		name string
	}{{route.Offload, " offload"}, {route.Trap, " trap"}, {route.OffloadFailed, " offload_failed"}} {
		if f.is {
			text += f.name
		}
	}
	return text
}

// until reads messages up to the first that starts like this, which is included.
func (w *apiWatch) until(start string) (list []string) {
	w.r.t.Helper()
	for {
		res, err := w.next()
		if err != nil {
			w.r.t.Fatalf("no %q after %q: %v", start, list, err)
		}
		list = append(list, lines(res)...)
		if strings.HasPrefix(list[len(list)-1], start) {
			return list
		}
	}
}

// end reads to the end of the stream.
func (w *apiWatch) end() (list []string, err error) {
	w.r.t.Helper()
	for {
		res, err := w.next()
		if err != nil {
			return list, err
		}
		list = append(list, lines(res)...)
	}
}

// events reads n events; bookmarks are passed over.
func (w *apiWatch) events(n int) []*vasicv1.Event {
	w.r.t.Helper()
	for len(w.ahead) < n {
		res, err := w.next()
		if err != nil {
			w.r.t.Fatalf("%d of %d events: %v", len(w.ahead), n, err)
		}
		if res.Bookmark == nil && len(res.Events) == 0 {
			w.r.t.Fatalf("%v instead of events", res)
		}
		w.ahead = append(w.ahead, res.Events...)
	}
	list := w.ahead[:n]
	w.ahead = w.ahead[n:]
	for _, e := range list {
		if e.Revision <= w.last {
			w.r.t.Errorf("revision %d after %d", e.Revision, w.last)
		}
		w.last = e.Revision
	}
	return list
}

// update changes the settings named.
func (r *apiRig) update(settings *vasicv1.Settings, paths ...string) (*vasicv1.Settings, error) {
	res, err := r.chip.UpdateSettings(r.ctx(), &vasicv1.UpdateSettingsRequest{Settings: settings, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	return res.GetSettings(), err
}

// set changes one setting.
func (r *apiRig) set(path string, settings *vasicv1.Settings) {
	r.t.Helper()
	must(r.update(settings, path))(r.t)
}

func seconds(s float64) *durationpb.Duration {
	whole := int64(s)
	return &durationpb.Duration{Seconds: whole, Nanos: int32((s - float64(whole)) * 1e9)}
}
