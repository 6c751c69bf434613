package server

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// timeBuckets are the classic buckets of all times: 10 µs to 42 s.
var timeBuckets = prometheus.ExponentialBuckets(10e-6, 4, 12)

const (
	// timeSchema says that each native bucket is 2^(1/8) times as wide as the one before: 9 %.
	timeSchema = 3
	// shortestTime is where native buckets begin: below a nanosecond, which no time is.
	shortestTime = 1e-10
)

// times is a histogram of seconds, classic and native at once, as prometheus.Histogram is. Unlike that it takes many equal observations for the price of one: what is
// accepted in one batch and settles in one batch took the same time.
type times struct {
	desc    *prometheus.Desc
	labels  []string // values
	created time.Time

	mu      sync.Mutex // guards the following fields
	count   uint64
	sum     float64
	zeros   uint64        // no longer than shortestTime
	classic []uint64      // as timeBuckets, what is not in an earlier one
	native  map[int]int64 // by nativeIndex
}

func newTimes(desc *prometheus.Desc, labels ...string) *times {
	return &times{desc: desc, labels: labels, created: time.Now(), classic: make([]uint64, len(timeBuckets)), native: make(map[int]int64)}
}

// observe adds n observations of the same time.
func (h *times) observe(seconds float64, n int) {
	if n == 0 {
		return
	}
	seconds = max(seconds, 0) // a clock that steps back
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count += uint64(n) //nolint:gosec // not negative
	h.sum += seconds * float64(n)
	if at, _ := slices.BinarySearch(timeBuckets, seconds); at < len(h.classic) {
		h.classic[at] += uint64(n) //nolint:gosec // not negative
	}
	if seconds <= shortestTime {
		h.zeros += uint64(n) //nolint:gosec // not negative
		return
	}
	h.native[nativeIndex(seconds)] += int64(n)
}

// nativeIndex is the number i of the native bucket with the upper bound 2^(i/8) that a time belongs to.
func nativeIndex(seconds float64) int { return int(math.Ceil(math.Log2(seconds) * (1 << timeSchema))) }

// Describe implements prometheus.Collector.
func (h *times) Describe(ch chan<- *prometheus.Desc) { ch <- h.desc }

// Collect implements prometheus.Collector.
func (h *times) Collect(ch chan<- prometheus.Metric) { ch <- h }

// Desc implements prometheus.Metric.
func (h *times) Desc() *prometheus.Desc { return h.desc }

// Write implements prometheus.Metric.
func (h *times) Write(to *dto.Metric) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	native, err := prometheus.NewConstNativeHistogram(h.desc, h.count, h.sum, h.native, nil, h.zeros, timeSchema, shortestTime, h.created, h.labels...)
	if err != nil {
		return err
	}
	if err := native.Write(to); err != nil {
		return err
	}
	total := uint64(0)
	for i, n := range h.classic {
		total += n
		to.Histogram.Bucket = append(to.Histogram.Bucket, &dto.Bucket{CumulativeCount: new(total), UpperBound: new(timeBuckets[i])})
	}
	return nil
}

// severalTimes are histograms of one name.
type severalTimes []*times

// Describe implements prometheus.Collector.
func (list severalTimes) Describe(ch chan<- *prometheus.Desc) { ch <- list[0].desc }

// Collect implements prometheus.Collector.
func (list severalTimes) Collect(ch chan<- prometheus.Metric) {
	for _, h := range list {
		ch <- h
	}
}
