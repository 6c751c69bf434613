package main

import (
	"math"
	"slices"
	"testing"
)

func TestMediansAndRangesAreWrittenTogether(t *testing.T) {
	for _, tt := range []struct {
		values series
		format format
		want   string
	}{
		{nil, whole, "–"},
		{series{1234567.4}, whole, "1,234,567"},
		{series{3, 1, 2}, whole, "2 (1–3)"},
		{series{1, 2, 3, 10}, decimals(1), "2.5 (1.0–10.0)"},
		{series{-1234.56}, decimals(1), "-1,234.6"},
		{series{999}, whole, "999"},
		{series{1000}, decimals(2), "1,000.00"},
	} {
		if got := tt.values.summary(tt.format); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.values, got, tt.want)
		}
	}
}

func TestRatiosAreMadeRoundByRound(t *testing.T) {
	got := series{10, 20, 30}.over(series{5, 5})
	if !slices.Equal(got, series{2, 4}) {
		t.Errorf("got %v", got)
	}
	if got := (series{1}).over(nil); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestPercentilesAreValuesThatOccurred(t *testing.T) {
	values := make([]float64, 1000)
	for i := range values {
		values[i] = float64(1000 - i)
	}
	if got, want := percentiles(values), (latencies{500, 990, 999}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := percentile([]float64{7}, 0.999); got != 7 {
		t.Errorf("got %v", got)
	}
	if got := percentile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("got %v", got)
	}
}
