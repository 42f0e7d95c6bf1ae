package report

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	b := &Result{Name: "S1"}
	for _, v := range []float64{30_000, 10_000, 20_000} {
		b.Keep("product", map[string]float64{"requests/s": v, "ms p99": 2.5})
		b.Keep("L1", map[string]float64{"requests/s": 2 * v})
	}
	b.Compare("product", "L1", "requests/s", AtLeast(0.8))
	b.Judge("product", "ms p99", AtMost(3))
	b.Extremes("both", "requests/s", Goal{}, "product", "L1")
	want := `| # | what | figure | baseline | ratio | goal | reached |
|---|---|---|---|---|---|---|
| S1 | product | 20,000 (10,000–30,000) requests/s | L1: 40,000 (20,000–60,000) | 0.50 | ≥ 0.8 | no |
| S1 | product | 2.50 ms p99 |  |  | ≤ 3 | yes |
| S1 | both, the worst | 20,000 (10,000–30,000) requests/s | L1: 40,000 (20,000–60,000) | 0.50 |  |  |
`
	if got := (Report{Scenarios: []Result{*b}}).Table(); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0, "0.0042": 0.0042, "0.12": 0.123, "9.99": 9.99, "12.3": 12.34, "1,234": 1234.4, "-1,234,567": -1234567, "123,456": 123456,
	} {
		if got := Number(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

// TestWriteKeepsOtherScenarios: a run of some scenarios keeps what is there of the others, and
// replaces its own.
func TestWriteKeepsOtherScenarios(t *testing.T) {
	dir := t.TempDir()
	scenario := func(name, what string) Result {
		return Result{
			Name: name, Rows: []Row{{What: what}},
			Plots: []Plot{
				{File: name + "-bars.svg", Bars: []Bar{{"one", 1}, {"two", 2}}},
				{File: name + "-lines.svg", Logarithmic: true, Lines: []Line{{"l", []float64{1, 2}, []float64{1, 100}}}},
			},
		}
	}
	for _, r := range []Report{
		{Scenarios: []Result{scenario("S1", "first"), scenario("S10", "kept")}},
		{Scenarios: []Result{scenario("S2", "added"), scenario("S1", "second")}},
	} {
		if err := Write(dir, r); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for l := range strings.Lines(string(text)) {
		if strings.HasPrefix(l, "| S") {
			rows = append(rows, strings.Join(strings.Fields(l)[1:4:4], " "))
		}
	}
	if want := []string{"S1 | second", "S2 | added", "S10 | kept"}; !slices.Equal(rows, want) {
		t.Errorf("rows are %v, want %v\n%s", rows, want, text)
	}
	for _, file := range []string{"S1-bars.svg", "S10-lines.svg"} {
		svg, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
			t.Errorf("%s begins with %.20q, %v", file, svg, err)
		}
	}
}
