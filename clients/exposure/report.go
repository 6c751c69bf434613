package exposure

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Windows sums up windows.
type Windows struct {
	// Count is how many.
	Count uint64
	// Total is how long they were together.
	Total time.Duration
	// Longest is how long the longest was.
	Longest time.Duration
}

func (w *Windows) add(length time.Duration) {
	w.Count++
	w.Total += length
	w.Longest = max(w.Longest, length)
}

// Report is what a Tracker found. Windows that are open count up to its end.
type Report struct {
	// Length is the time from the first event, or what Begin says, to the end.
	Length time.Duration
	// Prefixes had a route, each counted once for each table.
	Prefixes uint64
	// ExposedEver were exposed at some time.
	ExposedEver uint64
	// ExposedNow are at the end.
	ExposedNow uint64
	// All windows.
	All Windows
	// ByCause has them by why they opened.
	ByCause [causes]Windows
	// Failed are those in which hardware refused the route.
	Failed Windows
	// P50, P90 and P99 are lengths that so many percent of the windows do not exceed.
	P50, P90, P99 time.Duration
	// Gaps is how often events were lost; windows that were open then end there.
	Gaps uint64
	// Top are the prefixes that were exposed longest, the first most.
	Top []Prefix
}

// Prefix is what a Report says of one prefix.
type Prefix struct {
	// Prefix is the destination in CIDR form.
	Prefix string
	// Source is the source prefix of IPv6 routes that have one.
	Source string
	// Table is the routing table.
	Table uint32
	// Windows are its own.
	Windows Windows
	// Exposed means at the end.
	Exposed bool
	// Failed means that hardware refused a route of it in one of the windows.
	Failed bool
}

// Report says what was found until now, which is in nanoseconds since 1970 by the switch's clock, and no earlier than the last event.
// It names the top so many prefixes; a negative number means all.
func (t *Tracker) Report(now int64, top int) *Report {
	now = max(now, t.now)
	r := &Report{Prefixes: uint64(t.seen), ExposedNow: uint64(t.exposed), All: t.all, ByCause: t.byCause, Failed: t.failed, Gaps: t.gaps}
	if t.begin != 0 {
		r.Length = time.Duration(now - t.begin)
	}
	lengths := slices.Clone(t.closed)
	for n, s := range t.prefixes {
		p := Prefix{Prefix: n.prefix, Source: n.source, Table: n.table, Windows: s.windows, Exposed: s.open, Failed: s.refused}
		if s.open {
			length := time.Duration(now - s.since)
			lengths = append(lengths, length)
			p.Windows.add(length)
			r.All.add(length)
			r.ByCause[s.cause].add(length)
			if s.failed {
				r.Failed.add(length)
			}
		}
		if p.Windows.Count > 0 {
			r.ExposedEver++
			r.Top = append(r.Top, p)
		}
	}
	slices.Sort(lengths)
	r.P50, r.P90, r.P99 = percentile(lengths, 50), percentile(lengths, 90), percentile(lengths, 99)
	slices.SortFunc(r.Top, func(a, b Prefix) int {
		return cmp.Or(cmp.Compare(b.Windows.Total, a.Windows.Total), cmp.Compare(a.Table, b.Table),
			strings.Compare(a.Prefix, b.Prefix), strings.Compare(a.Source, b.Source))
	})
	if top >= 0 && len(r.Top) > top {
		r.Top = slices.Clip(r.Top[:top])
	}
	return r
}

// percentile is the smallest of the sorted values that p percent do not exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}
