package model

import (
	"math"
	"time"
)

// Opening is how people come to an opening.
type Opening struct {
	People int
	// First is the share of them who come in the first second, evenly in it; the others come evenly until Within.
	First  float64
	Within time.Duration
	// Tries is how often somebody's client asks at most when it is told 503 or nothing; it waits a second, or half as much more.
	Tries int
}

// openingTail is how much longer than the first second an opening is simulated at least.
const openingTail = 5 * time.Second

// Run simulates the first seconds of an opening, with so much of the crowd as comes in them. Each person ends in
// one outcome, or is among those still waiting (Result.Open).
func (o Opening) Run(s System, seconds int, seed uint64) Result {
	s = s.withDefaults()
	window := time.Duration(seconds) * time.Second
	early := int(o.First * float64(o.People))
	later := 0
	if rest := o.Within - time.Second; rest > 0 {
		later = int(float64(o.People-early) * math.Min(1, (window-time.Second).Seconds()/rest.Seconds()))
	}
	r := newRun(s, seed)
	var res Result
	settled := 0
	come := func(i int, at time.Duration) {
		q := &request{event: i % s.Events, api: r.rng.IntN(s.APIs), due: at}
		var try func()
		try = func() {
			again := *q
			again.done = func(outcome Outcome) {
				if (outcome == Overloaded || outcome == Unknown) && q.tries < o.Tries {
					q.tries++
					r.stats.Retried += s.Grain
					r.after(time.Second+time.Duration(r.rng.Int64N(int64(time.Second/2))), try)
					return
				}
				res.Outcomes[outcome] += s.Grain
				res.took = append(res.took, r.now-at)
				if r.now <= time.Second {
					settled += s.Grain
				}
			}
			r.send(&again)
		}
		q.tries = 1
		r.after(at, try)
	}
	n := 0
	for range early / s.Grain {
		come(n, time.Duration(r.rng.Float64()*float64(time.Second)))
		n++
	}
	for range later / s.Grain {
		come(n, time.Second+time.Duration(r.rng.Float64()*float64(window-time.Second)))
		n++
	}
	r.after(time.Second, func() { res.Cores = r.busy() })
	r.run(window + openingTail)
	return r.collect(res, settled, time.Second)
}
