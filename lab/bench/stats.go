package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// series is what one thing was in each round.
type series []float64

// median returns the middle value, or the mean of the middle two; NaN where there is none.
func (s series) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// over returns the ratios of both round by round: rounds are near each other in time, so what else the machine does cancels out.
func (s series) over(other series) series {
	n := min(len(s), len(other))
	out := make(series, n)
	for i := range n {
		out[i] = s[i] / other[i]
	}
	return out
}

// percentile returns the value that the share p of the sorted values does not exceed (nearest rank); NaN where there are none.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(p*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// format writes numbers of one unit.
type format func(float64) string

// whole writes a number without decimals, with commas.
func whole(v float64) string { return group(strconv.FormatFloat(v, 'f', 0, 64)) }

// decimals writes numbers with so many decimals.
func decimals(n int) format {
	return func(v float64) string { return group(strconv.FormatFloat(v, 'f', n, 64)) }
}

// group puts commas into a number.
func group(text string) string {
	sign := ""
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		sign, text = "-", rest
	}
	digits, fraction, hasFraction := strings.Cut(text, ".")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if hasFraction {
		digits += "." + fraction
	}
	return sign + digits
}

// summary writes the median, and with more than one round the range.
func (s series) summary(f format) string {
	switch m := s.median(); {
	case math.IsNaN(m):
		return "–"
	case len(s) == 1:
		return f(m)
	default:
		return f(m) + " (" + f(slices.Min(s)) + "–" + f(slices.Max(s)) + ")"
	}
}
