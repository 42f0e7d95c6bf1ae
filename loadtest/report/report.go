// Package report keeps the figures that scenarios give, compares them with each other and with
// goals, and writes them as a table, as JSON and as plots.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Report is all that results.json has.
type Report struct {
	Machine   string   `json:"machine"`
	Scenarios []Result `json:"scenarios"`
}

// Result is what a scenario found.
type Result struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Date   string `json:"date"`
	Auth   string `json:"auth"`
	Rounds int    `json:"rounds"`
	Window string `json:"window"`
	Rows   []Row  `json:"rows"`
	Plots  []Plot `json:"plots,omitempty"`
	// Raw has every figure of every round, by what was measured.
	Raw map[string]map[string][]float64 `json:"raw"`
}

// Row is a line of the table.
type Row struct {
	What     string  `json:"what"`
	Figure   Spread  `json:"figure"`
	Unit     string  `json:"unit"`
	Base     string  `json:"base,omitempty"` // what it is compared with
	Baseline *Spread `json:"baseline,omitempty"`
	Ratio    *Spread `json:"ratio,omitempty"`
	Goal     string  `json:"goal,omitempty"`
	Reached  string  `json:"reached,omitempty"` // yes or no
}

// Spread is the median of some rounds, with the least and the most.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return Spread{sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1]}
}

func (s Spread) String() string {
	if s.Min == s.Max {
		return Number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", Number(s.Median), Number(s.Min), Number(s.Max))
}

// Number writes a number for people.
func Number(v float64) string {
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

// Goal is a bound on a value; the zero value is none.
type Goal struct {
	text  string
	holds func(float64) bool
}

// AtLeast is a bound from below.
func AtLeast(least float64) Goal {
	return Goal{fmt.Sprintf("≥ %g", least), func(v float64) bool { return v >= least }}
}

// AtMost is a bound from above.
func AtMost(most float64) Goal {
	return Goal{fmt.Sprintf("≤ %g", most), func(v float64) bool { return v <= most }}
}

// Exactly is one value.
func Exactly(n float64) Goal {
	return Goal{fmt.Sprintf("= %g", n), func(v float64) bool { return v == n }}
}

// Within is a value that is off from 1 by a share at most.
func Within(share float64) Goal {
	return Goal{fmt.Sprintf("1 ± %.0f %%", 100*share), func(v float64) bool { return math.Abs(v-1) <= share }}
}

func (g Goal) judge(r *Row, v float64) {
	if g.holds == nil {
		return
	}
	r.Goal, r.Reached = g.text, "no"
	if g.holds(v) {
		r.Reached = "yes"
	}
}

// Keep adds the figures of one round of an arm.
func (r *Result) Keep(name string, figures map[string]float64) {
	if r.Raw == nil {
		r.Raw = make(map[string]map[string][]float64)
	}
	kept := r.Raw[name]
	if kept == nil {
		kept = make(map[string][]float64)
		r.Raw[name] = kept
	}
	for figure, value := range figures {
		kept[figure] = append(kept[figure], value)
	}
}

// Of returns the spread of a figure of an arm over the rounds.
func (r *Result) Of(name, figure string) Spread { return spreadOf(r.Raw[name][figure]) }

// Compare adds a row: a figure of one arm over the same of another, round by round.
func (r *Result) Compare(name, base, figure string, g Goal) {
	ours, theirs := r.Raw[name][figure], r.Raw[base][figure]
	var ratios []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] > 0 { // P may answer nothing at all within a short window
			ratios = append(ratios, ours[i]/theirs[i])
		}
	}
	ratio, baseline := spreadOf(ratios), spreadOf(theirs)
	line := Row{What: name, Figure: spreadOf(ours), Unit: figure, Base: base, Baseline: &baseline, Ratio: &ratio}
	g.judge(&line, ratio.Median)
	r.Rows = append(r.Rows, line)
}

// Extremes adds a row: of some arms, the one with the least of a figure over the one with
// the most, by their medians.
func (r *Result) Extremes(what, figure string, g Goal, names ...string) {
	least, most := Spread{Median: math.Inf(1)}, Spread{}
	best := ""
	for _, name := range names {
		s := spreadOf(r.Raw[name][figure])
		if s.Median < least.Median {
			least = s
		}
		if s.Median > most.Median {
			most, best = s, name
		}
	}
	v := least.Median / most.Median
	line := Row{What: what + ", the worst", Figure: least, Unit: figure, Base: best, Baseline: &most, Ratio: &Spread{v, v, v}}
	g.judge(&line, v)
	r.Rows = append(r.Rows, line)
}

// Judge adds a row: a figure of one arm.
func (r *Result) Judge(name, figure string, g Goal) {
	line := Row{What: name, Figure: spreadOf(r.Raw[name][figure]), Unit: figure}
	g.judge(&line, line.Figure.Median)
	r.Rows = append(r.Rows, line)
}

// Table is the report for people, in Markdown.
func (r Report) Table() string {
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

// Machine says where it was measured.
func Machine() string {
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
func (r Report) markdown() string {
	var t strings.Builder
	t.WriteString("<!-- Written by loadtest/bench. Do not edit: README.md is for words. -->\n\n# Results\n\n")
	fmt.Fprintf(&t, "%s. A figure is the median of the rounds, with the least and the most; a ratio is the\n"+
		"median of the ratios of the rounds.\n\n%s\n", r.Machine, r.Table())
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

// Write puts a report into dir, beside what is there of scenarios that it does not have.
func Write(dir string, r Report) error {
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
		var old Report
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

// over is r with those scenarios of old that it does not have, in the order of their numbers.
func (r Report) over(old Report) Report {
	merged := Report{Machine: r.Machine, Scenarios: slices.Clone(r.Scenarios)}
	for _, s := range old.Scenarios {
		if !slices.ContainsFunc(r.Scenarios, func(n Result) bool { return n.Name == s.Name }) {
			merged.Scenarios = append(merged.Scenarios, s)
		}
	}
	slices.SortStableFunc(merged.Scenarios, func(a, b Result) int { return cmp.Compare(numberOf(a.Name), numberOf(b.Name)) })
	return merged
}

// numberOf returns the number in the name of a scenario: 10 of S10.
func numberOf(name string) int {
	n, _ := strconv.Atoi(strings.TrimLeft(name, "S")) // others come first
	return n
}
