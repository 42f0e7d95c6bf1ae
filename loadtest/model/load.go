package model

import (
	"slices"
	"time"
)

// Result is what came of a run.
type Result struct {
	Stats
	// Outcomes counts requests by how they ended, after their clients' last try.
	Outcomes [outcomes]int
	// Goodput is how many were settled a second, yes or no, within the window.
	Goodput       float64
	P50, P99, Max time.Duration
	// Sold is how many seats each event gave.
	Sold []int64
	// Open is how many had no answer when the run ended.
	Open int
	// Cores are how many were busy on the average, by part.
	Cores map[string]float64
	// Peak is the most that were under way at the same time.
	Peak int

	took []time.Duration
}

// Settled returns how many requests ended, and how.
func (r Result) Settled() int {
	n := 0
	for _, of := range r.Outcomes {
		n += of
	}
	return n
}

// Sum returns how many seats were given.
func (r Result) Sum() int64 {
	var n int64
	for _, sold := range r.Sold {
		n += sold
	}
	return n
}

// collect sums a run up: what began in a window of that length.
func (r *run) collect(res Result, settled int, window time.Duration) Result {
	res.Stats = r.stats
	res.Goodput = float64(settled) / window.Seconds()
	res.Sold = r.sold
	slices.Sort(res.took)
	quantile := func(q float64) time.Duration {
		if len(res.took) == 0 {
			return 0
		}
		return res.took[min(int(q*float64(len(res.took))), len(res.took)-1)]
	}
	res.P50, res.P99, res.Max = quantile(0.5), quantile(0.99), quantile(1)
	res.Open = r.stats.under
	res.Cores = make(map[string]float64)
	busy := func(name string, p *process) { res.Cores[name] += p.used.Seconds() / r.now.Seconds() }
	for _, p := range r.apis {
		busy("api", p.process)
	}
	for _, p := range r.nats {
		busy("nats", p)
	}
	for _, p := range r.workers {
		busy("worker", p.process)
	}
	for _, p := range r.shards {
		busy("mongod", p)
	}
	if r.client != nil {
		busy("client", r.client)
	}
	return res
}

// Predict runs a setup on a machine with so many cores that everything shares, as loadtest/bench does it.
func (m Setup) Predict(c Costs, cores int, window time.Duration) Result {
	s := System{
		Costs: c, Shared: cores, APIs: m.APIs, Workers: m.Workers, MaxBatch: m.MaxBatch, Distance: m.Distance,
		Events: m.Events, Seats: 1 << 40,
	}
	if m.Full {
		s.Seats = 0
	}
	r := newRun(s, 1)
	const warm = 300 * time.Millisecond
	end := warm + window
	var res Result
	settled, next := 0, 0
	record := func(due time.Duration, o Outcome) {
		res.Outcomes[o]++
		if due >= warm && due < end {
			res.took = append(res.took, r.now-due)
		}
		if r.now >= warm && r.now <= end {
			settled++
		}
	}
	var begin func(connection int)
	begin = func(connection int) {
		due := r.now
		if m.Rate > 0 {
			due = time.Duration(float64(next) / m.Rate * float64(time.Second))
		}
		if due >= end {
			return
		}
		q := &request{event: next % m.Events, api: connection % r.APIs, due: due}
		next++
		q.done = func(o Outcome) {
			record(due, o)
			begin(connection)
		}
		r.after(due-r.now, func() { r.send(q) })
	}
	for i := range m.Connections {
		begin(i)
	}
	r.run(end)
	res.Peak = m.Connections
	return r.collect(res, settled, window)
}
