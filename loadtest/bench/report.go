package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// report is all that results.json has.
type report struct {
	Machine   string   `json:"machine"`
	Scenarios []result `json:"scenarios"`
}

// result is what a scenario found.
type result struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Date   string `json:"date"`
	Auth   string `json:"auth"`
	Rounds int    `json:"rounds"`
	Window string `json:"window"`
	Rows   []row  `json:"rows"`
	Plots  []plot `json:"plots,omitempty"`
	// Raw has every figure of every round, by what was measured.
	Raw map[string]map[string][]float64 `json:"raw"`
}

// row is a line of the table.
type row struct {
	What     string  `json:"what"`
	Figure   spread  `json:"figure"`
	Unit     string  `json:"unit"`
	Base     string  `json:"base,omitempty"` // what it is compared with
	Baseline *spread `json:"baseline,omitempty"`
	Ratio    *spread `json:"ratio,omitempty"`
	Goal     string  `json:"goal,omitempty"`
	Reached  string  `json:"reached,omitempty"` // yes or no
}

// spread is the median of some rounds, with the least and the most.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return spread{sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1]}
}

func (s spread) String() string {
	if s.Min == s.Max {
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Min), number(s.Max))
}

// number writes a number for people.
func number(v float64) string {
	switch size := math.Abs(v); {
	case size == 0:
		return "0"
	case size < 0.1:
		return fmt.Sprintf("%.4f", v)
	case size < 10:
		return fmt.Sprintf("%.2f", v)
	case size < 1000:
		return fmt.Sprintf("%.1f", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// goal is a bound on a value; the zero value is none.
type goal struct {
	text  string
	holds func(float64) bool
}

func atLeast(least float64) goal {
	return goal{fmt.Sprintf("≥ %g", least), func(v float64) bool { return v >= least }}
}

func atMost(most float64) goal {
	return goal{fmt.Sprintf("≤ %g", most), func(v float64) bool { return v <= most }}
}

func exactly(n float64) goal {
	return goal{fmt.Sprintf("= %g", n), func(v float64) bool { return v == n }}
}

// within is a value that is off from 1 by a share at most.
func within(share float64) goal {
	return goal{fmt.Sprintf("1 ± %.0f %%", 100*share), func(v float64) bool { return math.Abs(v-1) <= share }}
}

func (g goal) judge(r *row, v float64) {
	if g.holds == nil {
		return
	}
	r.Goal, r.Reached = g.text, "no"
	if g.holds(v) {
		r.Reached = "yes"
	}
}

// compare adds a row: a figure of one arm over the same of another, round by round.
func (b *bench) compare(name, base, figure string, g goal) {
	ours, theirs := b.result.Raw[name][figure], b.result.Raw[base][figure]
	var ratios []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] > 0 { // P may answer nothing at all within a short window
			ratios = append(ratios, ours[i]/theirs[i])
		}
	}
	ratio, baseline := spreadOf(ratios), spreadOf(theirs)
	r := row{What: name, Figure: spreadOf(ours), Unit: figure, Base: base, Baseline: &baseline, Ratio: &ratio}
	g.judge(&r, ratio.Median)
	b.result.Rows = append(b.result.Rows, r)
}

// extremes adds a row: of some arms, the one with the least of a figure over the one with
// the most, by their medians.
func (b *bench) extremes(what, figure string, g goal, names ...string) {
	least, most := spread{Median: math.Inf(1)}, spread{}
	best := ""
	for _, name := range names {
		s := spreadOf(b.result.Raw[name][figure])
		if s.Median < least.Median {
			least = s
		}
		if s.Median > most.Median {
			most, best = s, name
		}
	}
	v := least.Median / most.Median
	r := row{What: what + ", the worst", Figure: least, Unit: figure, Base: best, Baseline: &most, Ratio: &spread{v, v, v}}
	g.judge(&r, v)
	b.result.Rows = append(b.result.Rows, r)
}

// judge adds a row: a figure of one arm.
func (b *bench) judge(name, figure string, g goal) {
	r := row{What: name, Figure: spreadOf(b.result.Raw[name][figure]), Unit: figure}
	g.judge(&r, r.Figure.Median)
	b.result.Rows = append(b.result.Rows, r)
}

// tellFaults adds a row for each arm that could not answer all: its other figures are of the
// rest.
func (b *bench) tellFaults() {
	for _, name := range slices.Sorted(maps.Keys(b.result.Raw)) {
		if spreadOf(b.result.Raw[name][faults]).Max > 0 {
			b.judge(name, faults, goal{})
		}
	}
}

// table is the report for people, in Markdown.
func (r report) table() string {
	var t strings.Builder
	t.WriteString("| # | what | figure | baseline | ratio | goal | reached |\n|---|---|---|---|---|---|---|\n")
	for _, s := range r.Scenarios {
		for _, row := range s.Rows {
			base, ratio := "", ""
			if row.Baseline != nil {
				base, ratio = row.Base+": "+row.Baseline.String(), row.Ratio.String()
			}
			fmt.Fprintf(&t, "| %s | %s | %v %s | %s | %s | %s | %s |\n",
				s.Name, row.What, row.Figure, row.Unit, base, ratio, row.Goal, row.Reached)
		}
	}
	return t.String()
}

// machine says where it was measured.
func machine() string {
	model := runtime.GOARCH
	info, _ := os.ReadFile("/proc/cpuinfo") // elsewhere the architecture must do
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%d cores (%s), %s, %s; load, servers and mongod together on it",
		runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}

// markdown is the file results.md.
func (r report) markdown() string {
	var t strings.Builder
	t.WriteString("<!-- Written by loadtest/bench. Do not edit: README.md is for words. -->\n\n# Results\n\n")
	fmt.Fprintf(&t, "%s. A figure is the median of the rounds, with the least and the most; a ratio is the\n"+
		"median of the ratios of the rounds.\n\n%s\n", r.Machine, r.table())
	for _, s := range r.Scenarios {
		fmt.Fprintf(&t, "- %s: %s. %d rounds, window %s, %s mode, %s.\n", s.Name, s.Title, s.Rounds, s.Window, s.Auth, s.Date)
	}
	for _, s := range r.Scenarios {
		for _, p := range s.Plots {
			fmt.Fprintf(&t, "\n![%s](%s)\n", p.Title, p.File)
		}
	}
	return t.String()
}

// write puts a report into dir, beside what is there of scenarios that it does not have.
func write(dir string, r report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "results.json")
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		var old report
		if err := json.Unmarshal(text, &old); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		r = r.over(old)
	}
	for _, s := range r.Scenarios {
		for _, p := range s.Plots {
			if err := p.draw(dir); err != nil {
				return err
			}
		}
	}
	if text, err = json.MarshalIndent(r, "", "  "); err != nil {
		return err
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "results.md"), []byte(r.markdown()), 0o644)
}

// over is r with those scenarios of old that it does not have, in order.
func (r report) over(old report) report {
	merged := report{Machine: r.Machine}
	for _, sc := range scenarios() {
		named := func(s result) bool { return s.Name == sc.name }
		if i := slices.IndexFunc(r.Scenarios, named); i >= 0 {
			merged.Scenarios = append(merged.Scenarios, r.Scenarios[i])
		} else if i := slices.IndexFunc(old.Scenarios, named); i >= 0 {
			merged.Scenarios = append(merged.Scenarios, old.Scenarios[i])
		}
	}
	return merged
}
