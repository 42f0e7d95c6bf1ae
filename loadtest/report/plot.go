package report

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wcharczuk/go-chart/v2"

	"github.com/eventio/eventio/loadtest/load"
)

// Plot is a picture in docs/benchmarks.
type Plot struct {
	File  string `json:"file"`
	Title string `json:"title"`
	// Bars are drawn, or else Lines.
	Bars  []Bar  `json:"bars,omitempty"`
	Lines []Line `json:"lines,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y"`
	// Ticks name the values of x; by default they are numbers.
	Ticks []string `json:"ticks,omitempty"`
	// Logarithmic is the y axis.
	Logarithmic bool `json:"logarithmic,omitempty"`
}

// Bar is one of a Plot.
type Bar struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Line is one of a Plot.
type Line struct {
	Name string    `json:"name"`
	X    []float64 `json:"x"`
	Y    []float64 `json:"y"`
}

// PlotBars shows the medians of a figure.
func (r *Result) PlotBars(file, title, figure string, names ...string) {
	p := Plot{File: file, Title: title, Y: figure}
	for _, name := range names {
		p.Bars = append(p.Bars, Bar{name, spreadOf(r.Raw[name][figure]).Median})
	}
	r.Plots = append(r.Plots, p)
}

// PlotQuantiles shows the medians of the quantiles of the latency.
func (r *Result) PlotQuantiles(file, title string, quantiles []string, names ...string) {
	p := Plot{File: file, Title: title, Y: "ms", Logarithmic: true}
	for _, quantile := range quantiles {
		p.Ticks = append(p.Ticks, strings.TrimPrefix(quantile, "ms "))
	}
	for _, name := range names {
		l := Line{Name: name}
		for i, quantile := range quantiles {
			l.X = append(l.X, float64(i))
			l.Y = append(l.Y, spreadOf(r.Raw[name][quantile]).Median)
		}
		p.Lines = append(p.Lines, l)
	}
	r.Plots = append(r.Plots, p)
}

// PlotKnee adds a line to a plot of the rates offered and what became of their p99.
func (r *Result) PlotKnee(file, title, name string, steps []load.Step) {
	slices.SortFunc(steps, func(a, b load.Step) int { return int(a.Offered - b.Offered) })
	l := Line{Name: name}
	for _, s := range steps {
		l.X = append(l.X, s.Offered)
		l.Y = append(l.Y, s.P99.Seconds()*1000)
	}
	i := slices.IndexFunc(r.Plots, func(p Plot) bool { return p.File == file })
	if i < 0 {
		i = len(r.Plots)
		r.Plots = append(r.Plots, Plot{File: file, Title: title, X: "requests/s offered", Y: "ms p99", Logarithmic: true})
	}
	r.Plots[i].Lines = append(r.Plots[i].Lines, l)
}

// draw writes the picture as SVG.
func (p Plot) draw(dir string) (err error) {
	file, err := os.Create(filepath.Join(dir, p.File))
	if err != nil {
		return err
	}
	defer func() {
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	if len(p.Bars) > 0 {
		err = p.bars().Render(chart.SVG, file)
	} else {
		err = p.lines().Render(chart.SVG, file)
	}
	if err != nil {
		return fmt.Errorf("draw %s: %w", p.File, err)
	}
	return nil
}

const width, height, margin = 900, 450, 40

func (p Plot) bars() chart.BarChart {
	c := chart.BarChart{
		Title: p.Title + " (" + p.Y + ")", Width: width, Height: height, BarWidth: 60,
		Background: chart.Style{Padding: chart.Box{Top: margin, Bottom: margin}},
		YAxis:      chart.YAxis{ValueFormatter: axis, Range: &chart.ContinuousRange{}},
	}
	most := 1.0 // an axis of no length cannot be drawn
	for _, b := range p.Bars {
		c.Bars = append(c.Bars, chart.Value{Label: b.Name, Value: b.Value, Style: chart.Style{FillColor: chart.ColorBlue, StrokeColor: chart.ColorBlue}})
		most = max(most, b.Value)
	}
	c.YAxis.Range.SetMax(most) // bars begin at zero, or they would lie
	return c
}

func (p Plot) lines() *chart.Chart {
	c := &chart.Chart{
		Title: p.Title, Width: width, Height: height,
		Background: chart.Style{Padding: chart.Box{Top: margin, Left: 4 * margin}},
		XAxis:      chart.XAxis{Name: p.X, ValueFormatter: axis},
		YAxis:      chart.YAxis{Name: p.Y, ValueFormatter: axis},
	}
	if p.Logarithmic {
		c.YAxis.Range = &chart.LogarithmicRange{}
	}
	for i, name := range p.Ticks {
		c.XAxis.Ticks = append(c.XAxis.Ticks, chart.Tick{Value: float64(i), Label: name})
	}
	for _, l := range p.Lines {
		c.Series = append(c.Series, chart.ContinuousSeries{Name: l.Name, XValues: l.X, YValues: l.Y,
			Style: chart.Style{StrokeWidth: 2, DotWidth: 3}})
	}
	c.Elements = []chart.Renderable{chart.LegendLeft(c)}
	return c
}

func axis(v any) string { return Number(v.(float64)) }
