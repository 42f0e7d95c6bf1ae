package model

import "time"

// Setup is a deployment and what is asked of it: what the model runs, and what loadtest/bench measures.
type Setup struct {
	Name string
	// Events share the requests in turn.
	Events int
	// Connections is how many requests are under way at most, of all API processes together. Without a Rate
	// each connection's next request begins when its last is answered.
	Connections int
	// Rate is how many requests begin a second; 0: a closed loop.
	Rate float64
	// APIs and Workers are how many processes there are.
	APIs, Workers int
	// MaxBatch is the most requests in one batch of a worker.
	MaxBatch int
	// Full says that all seats are held by others: every request is refused.
	Full bool
	// Distance is the round trip between a worker and the primary of MongoDB, beside what this takes on one machine.
	Distance time.Duration
	// Fit says that the costs were found with this one. The others are predictions.
	Fit bool
}

// Setups are those that were measured, on one machine: those by which the costs were found, and those that
// the model has to predict.
func Setups() []Setup {
	one := func(s Setup) Setup {
		s.Events, s.APIs, s.Workers = max(s.Events, 1), max(s.APIs, 1), max(s.Workers, 1)
		if s.MaxBatch == 0 {
			s.MaxBatch = 512
		}
		return s
	}
	const ms = time.Millisecond
	all := []Setup{
		{Name: "1 connection", Connections: 1, Fit: true},
		{Name: "64 connections", Connections: 64, Fit: true},
		{Name: "1,024 connections", Connections: 1024, Fit: true},
		{Name: "10,000 events, 1,024 connections", Events: 10_000, Connections: 1024, Fit: true},
		{Name: "sold out, 1,024 connections", Connections: 1024, Full: true, Fit: true},
		{Name: "64 connections, 20 ms away", Connections: 64, Distance: 20 * ms, Fit: true},

		{Name: "16 connections", Connections: 16},
		{Name: "128 connections", Connections: 128},
		{Name: "256 connections", Connections: 256},
		{Name: "512 connections", Connections: 512},
		{Name: "256 connections, batches of 64", Connections: 256, MaxBatch: 64},
		{Name: "sold out, 256 connections", Connections: 256, Full: true},
		{Name: "10 events, 256 connections", Events: 10, Connections: 256},
		{Name: "1,000 events, 512 connections", Events: 1000, Connections: 512},
		{Name: "4,000 requests a second", Connections: 512, Rate: 4000},
		{Name: "8,000 requests a second", Connections: 512, Rate: 8000},
		{Name: "2 API processes, 256 connections", Connections: 256, APIs: 2},
		{Name: "256 connections, 5 ms away", Connections: 256, Distance: 5 * ms},
		{Name: "1,024 connections, 50 ms away", Connections: 1024, Distance: 50 * ms},
		{Name: "100 events, 2 workers, 512 connections, 20 ms away", Events: 100, Workers: 2, Connections: 512, Distance: 20 * ms},
		{Name: "2,000 requests a second, 20 ms away", Connections: 512, Rate: 2000, Distance: 20 * ms},
		{Name: "256 connections, batches of 64, 20 ms away", Connections: 256, MaxBatch: 64, Distance: 20 * ms},
	}
	for i := range all {
		all[i] = one(all[i])
	}
	return all
}
