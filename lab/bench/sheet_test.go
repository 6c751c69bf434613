package main

import (
	"math"
	"strings"
	"testing"
)

func TestSheetsAreAlignedTables(t *testing.T) {
	s := newSheet("Title", column{"routes/s", whole}, column{"ms → all", decimals(1)})
	s.add("vasic", "routes/s", 1e6)
	s.add("vasic", "routes/s", 2e6)
	s.add("a longer name", "ms → all", 1.25)
	s.add("a longer name", "routes/s", math.NaN())
	s.notef("A note of %d.", 1)
	s.notef("A note of %d.", 1)
	var out strings.Builder
	s.markdown(&out)
	want := `### Title

|               |                        routes/s | ms → all |
|---------------|--------------------------------:|---------:|
| vasic         | 1,500,000 (1,000,000–2,000,000) |        – |
| a longer name |                               – |      1.2 |

A note of 1.

`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTheReportSaysWhatIsReached(t *testing.T) {
	b := &bench{options: &options{rounds: 2, batch: 256}, sizes: fullSizes}
	path := b.sheet("1. Whole path", column{colRate, whole})
	for _, rate := range []float64{1e6, 1.2e6} {
		path.add(rowVasic+", adds", colRate, rate)
		path.add(rowPlain+", adds", colRate, rate/2)
		path.add(rowKern+", adds", colRate, rate/9)
	}
	b.pathRatios(path)
	text := b.report([]string{"-rounds", "2", "-table", "/some/where/table.gz", "-out=a/b"})
	for _, want := range []string{
		"Measured by `go run ./lab/bench -rounds 2 -table table.gz -out=b`",
		"| whole path, adds, of the plain limit | ≥ 1.5 | 2.00 (2.00–2.00) | reached |\n",
		"| whole path, adds, of the kernel's netlink with a listener | ≥ 10 | 9.0 (9.0–9.0) | **not reached** |\n",
		"| of plain limit     | 2.00 (2.00–2.00) |        – |       – |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "idle watchers, resident") {
		t.Errorf("a target that was not measured is in\n%s", text)
	}
}
