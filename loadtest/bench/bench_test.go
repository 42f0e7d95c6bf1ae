package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/loadtest/load"
)

// The test binary plays the roles of the program that it tests.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "role") {
		process.Main(run)
		return
	}
	os.Exit(m.Run())
}

// bench runs the program as from a shell.
func runBench(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), process.Env{Args: args, Stdout: &out, Stderr: &out})
	return out.String(), err
}

// Everything runs for real, only tiny.
func TestMeasuresAndProves(t *testing.T) {
	out, err := runBench(t, "--quick", "--scenario", "S1,s3")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"| S1 | product, 1024 connections |", "| L1, 1024 connections: ", "| P, 10000 registered: ",
		"| S3 | product, all sold out |", "store commands/request",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table has no %q:\n%s", want, out)
		}
	}
}

func TestFlags(t *testing.T) {
	for want, args := range map[string][]string{
		`there is no "S12"; there are S1 to S11`: {"--scenario", "S1,S12"},
		"--rounds: want at least 1":              {"--rounds", "0"},
		"--window: want at least 100ms":          {"--window", "10ms"},
		"its figures mean nothing":               {"--quick", "--out", t.TempDir()},
		"--auth must be one of":                  {"--auth", "none"},
		"unknown flag --fast":                    {"--fast"},
	} {
		if out, err := runBench(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v gives %v, want %q\n%s", args, err, want, out)
		}
	}
	out, _ := runBench(t, "--help")
	if strings.Contains(out, "role") || !strings.Contains(out, "--window=4s") {
		t.Errorf("help says:\n%s", out)
	}
}

func TestBrokenPromiseIsAnError(t *testing.T) {
	s := target{read: func(_ context.Context, a load.Account) (load.Account, error) { return a, nil }}
	events := someEvent()
	s.owe(events, 1) // and nothing is stored
	if err := s.check(t.Context()); err == nil || !strings.Contains(err.Error(), "a promise is broken") {
		t.Fatalf("error is %v", err)
	}
}

func TestTable(t *testing.T) {
	b := &bench{result: result{Name: "S1", Raw: make(map[string]map[string][]float64)}}
	for _, v := range []float64{30_000, 10_000, 20_000} {
		b.keep("product", figures{goodput: v, p99: 2.5})
		b.keep("L1", figures{goodput: 2 * v})
	}
	b.compare("product", "L1", goodput, atLeast(0.8))
	b.judge("product", p99, atMost(3))
	b.extremes("both", goodput, goal{}, "product", "L1")
	want := `| # | what | figure | baseline | ratio | goal | reached |
|---|---|---|---|---|---|---|
| S1 | product | 20,000 (10,000–30,000) requests/s | L1: 40,000 (20,000–60,000) | 0.50 | ≥ 0.8 | no |
| S1 | product | 2.50 ms p99 |  |  | ≤ 3 | yes |
| S1 | both, the worst | 20,000 (10,000–30,000) requests/s | L1: 40,000 (20,000–60,000) | 0.50 |  |  |
`
	if got := (report{Scenarios: []result{b.result}}).table(); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0, "0.0042": 0.0042, "0.12": 0.123, "9.99": 9.99, "12.3": 12.34, "1,234": 1234.4, "-1,234,567": -1234567, "123,456": 123456,
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

// A run of some scenarios keeps what is there of the others, and replaces its own.
func TestWriteKeepsOtherScenarios(t *testing.T) {
	dir := t.TempDir()
	scenario := func(name, what string) result {
		return result{
			Name: name, Rows: []row{{What: what}},
			Plots: []plot{
				{File: name + "-bars.svg", Bars: []bar{{"one", 1}, {"two", 2}}},
				{File: name + "-lines.svg", Logarithmic: true, Lines: []line{{"l", []float64{1, 2}, []float64{1, 100}}}},
			},
		}
	}
	for _, r := range []report{
		{Scenarios: []result{scenario("S1", "first"), scenario("S10", "kept")}},
		{Scenarios: []result{scenario("S2", "added"), scenario("S1", "second")}},
	} {
		if err := write(dir, r); err != nil {
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
