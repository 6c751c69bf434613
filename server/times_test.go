package server

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

// A histogram of times shows what the library's shows of the same observations.
func TestTimesAreTheLibrarysHistogram(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		ours := newTimes(desc("x", "X."))
		theirs := prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vasic_x", Help: "X.", Buckets: timeBuckets, NativeHistogramBucketFactor: 1.1, NativeHistogramZeroThreshold: shortestTime,
		})
		for range r.IntN(30) {
			seconds, n := math.Exp(r.Float64()*30-20), r.IntN(4)
			switch r.IntN(10) {
			case 0:
				seconds = 0
			case 1:
				seconds = timeBuckets[r.IntN(len(timeBuckets))]
			case 2:
				seconds = math.Exp2(float64(r.IntN(20) - 10))
			}
			ours.observe(seconds, n)
			for range n {
				theirs.Observe(seconds)
			}
		}
		var got, want dto.Metric
		if err := ours.Write(&got); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Write(&want); err != nil {
			t.Fatal(err)
		}
		for _, h := range []*dto.Histogram{got.Histogram, want.Histogram} {
			h.CreatedTimestamp = nil
			h.SampleSum = new(math.Round(h.GetSampleSum()*1e6) / 1e6)
		}
		if !proto.Equal(&got, &want) {
			t.Fatalf("got  %v\nwant %v", &got, &want)
		}
	}
	h := newTimes(desc("x", "X."))
	h.observe(-1, 2) // a clock that steps back
	if h.sum != 0 || h.zeros != 2 || h.classic[0] != 2 {
		t.Errorf("%+v", h)
	}
}
