package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// measuredJSON is what loadtest/bench wrote (BenchmarkSetups).
//
//go:embed measured.json
var measuredJSON []byte

// measuredCores is how many cores the machine had.
const measuredCores = 2

// The names of figures in Measurements.
const (
	figureGoodput = "requests/s"
	figureP50     = "ms p50"
	figureP99     = "ms p99"
)

// Compared is a setup as it was predicted and as it was measured.
type Compared struct {
	Setup
	Result
	// Off is by how much each prediction differs, as a share of what was measured: goodput, p50, p99.
	Off [3]float64
}

// Within reports how many of the three predictions are as near as that.
func (c Compared) Within(share float64) (n int) {
	for _, off := range c.Off {
		if math.Abs(off) <= share {
			n++
		}
	}
	return n
}

// Compare predicts all setups that were measured, with costs, and returns the measurements too.
func Compare(c Costs) ([]Compared, Measurements, error) {
	var m Measurements
	if err := json.Unmarshal(measuredJSON, &m); err != nil {
		return nil, m, fmt.Errorf("measured.json: %w", err)
	}
	window, err := time.ParseDuration(m.Window)
	if err != nil {
		return nil, m, fmt.Errorf("measured.json: %w", err)
	}
	var all []Compared
	for _, s := range Setups() {
		is, known := m.Figures[s.Name]
		if !known {
			return nil, m, fmt.Errorf("%q was never measured", s.Name)
		}
		r := s.Predict(c, measuredCores, window)
		all = append(all, Compared{s, r, [3]float64{
			r.Goodput/is[figureGoodput] - 1, millisOf(r.P50)/is[figureP50] - 1, millisOf(r.P99)/is[figureP99] - 1,
		}})
	}
	return all, m, nil
}

func millisOf(d time.Duration) float64 { return d.Seconds() * 1000 }

// near is what a prediction has to keep.
const near = 0.15

// Table returns the comparison as docs/scale.md has it: first the setups that had no part in finding the costs. What is more
// than 15 % off is in bold type.
func Table(all []Compared, m Measurements) string {
	var b strings.Builder
	b.WriteString("| | requests/s: predicted | measured | | p50: predicted | measured | | p99: predicted | measured | |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, fit := range []bool{false, true} {
		for _, c := range all {
			if c.Fit != fit {
				continue
			}
			is := m.Figures[c.Name]
			name := c.Name
			if fit {
				name += " (fitted)"
			}
			fmt.Fprintf(&b, "| %s | %.0f | %.0f | %s | %.1f ms | %.1f ms | %s | %.1f ms | %.1f ms | %s |\n", name,
				c.Goodput, is[figureGoodput], percent(c.Off[0]), millisOf(c.P50), is[figureP50], percent(c.Off[1]),
				millisOf(c.P99), is[figureP99], percent(c.Off[2]))
		}
	}
	return b.String()
}

// percent returns a difference, in bold type when it is not near.
func percent(off float64) string {
	text := fmt.Sprintf("%+.0f %%", 100*off)
	if math.Abs(off) > near {
		return "**" + text + "**"
	}
	return text
}
