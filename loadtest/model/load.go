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
	// Cores are how many were busy on the average of the window, by part.
	Cores map[string]float64

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
	return res
}

// busy returns how many cores each part has used on the average since the start.
func (r *run) busy() map[string]float64 {
	cores := make(map[string]float64)
	add := func(name string, p *process) { cores[name] += p.used.Seconds() / r.now.Seconds() }
	for _, p := range r.apis {
		add("api", p.process)
	}
	for _, p := range r.nats {
		add("nats", p)
	}
	for _, p := range r.workers {
		add("worker", p.process)
	}
	for _, p := range r.shards {
		add("mongod", p)
	}
	if r.client != nil {
		add("client", r.client)
	}
	return cores
}

// Predict runs a setup on a machine with so many cores that everything shares, as loadtest/bench does it: from a standstill,
// and until all is answered; goodput is of the window in which requests begin.
func (m Setup) Predict(c Costs, cores int, window time.Duration) Result {
	if c.Busy > 0 {
		c = c.scaled(1 / c.Busy)
	}
	s := System{
		Costs: c, Shared: cores, APIs: m.APIs, Workers: m.Workers, MaxBatch: m.MaxBatch, Distance: m.Distance,
		Events: m.Events, Seats: 1 << 40,
	}
	if m.Full {
		s.Seats = 0
	}
	r := newRun(s, 1)
	var res Result
	settled, next := 0, 0
	var begin func(connection int)
	begin = func(connection int) {
		due := r.now
		if m.Rate > 0 {
			due = time.Duration(float64(next) / m.Rate * float64(time.Second))
		}
		if due >= window {
			return
		}
		q := &request{event: next % m.Events, api: connection % r.APIs, due: due}
		next++
		q.done = func(o Outcome) {
			res.Outcomes[o]++
			res.took = append(res.took, r.now-due)
			if r.now <= window {
				settled++
			}
			begin(connection)
		}
		r.after(due-r.now, func() { r.send(q) })
	}
	for i := range m.Connections {
		begin(i)
	}
	r.after(window, func() { res.Cores = r.busy() })
	r.run(window + time.Hour)
	return r.collect(res, settled, window)
}
