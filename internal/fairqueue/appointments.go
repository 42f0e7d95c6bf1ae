package fairqueue

import (
	"slices"
	"time"
)

const (
	// appointmentsPerRoom is how many callers may be told to come back for each one that may wait.
	appointmentsPerRoom = 100
	// appointmentsOfParty bounds those of one party, and so what a refusal looks at.
	appointmentsOfParty = 5000
	// early is how much before its time an appointment counts: clocks are not exact.
	early = 100 * time.Millisecond
	// grace is how long after its time an appointment is kept. Clients round up to seconds, and people are
	// slower than programs.
	grace = 30 * time.Second
	// lapsePoll is the least pause between two looks for appointments that were not kept.
	lapsePoll = time.Second
	// keptWeight is the share of the latest appointment in appointments.kept: 1/keptWeight.
	keptWeight = 64
)

// appointments are the times at which callers of a lane were told to come back. Queue.mu guards them.
type appointments struct {
	most    int // of all parties
	all     int
	parties map[Party][]time.Time // in order
	sizes   sizes
	// kept is how many of the latest appointments were kept, from 0 to 1.
	kept   float64
	lapsed time.Time // when those were removed last that were not kept
}

func newAppointments(most int) appointments {
	return appointments{most: most, parties: make(map[Party][]time.Time), kept: 1}
}

// of returns how many appointments a party has, how many there are, and whether the party has one now.
func (a *appointments) of(party Party) (ofParty, all int, due bool) {
	a.lapse()
	times := a.parties[party]
	return len(times), a.all, len(times) > 0 && time.Until(times[0]) <= early
}

// ahead returns how many callers with appointments are likely to be served within so many rounds, in
// each of which every party has a turn.
func (a *appointments) ahead(rounds int) int {
	return int(float64(a.sizes.within(rounds)) * a.kept)
}

// make notes that somebody was told to come back after wait, unless too many were.
func (a *appointments) make(party Party, wait time.Duration) {
	times := a.parties[party]
	if a.all >= a.most || len(times) >= appointmentsOfParty {
		return
	}
	at := time.Now().Add(wait)
	i, _ := slices.BinarySearchFunc(times, at, time.Time.Compare)
	a.parties[party] = slices.Insert(times, i, at)
	a.sizes.grow(len(times))
	a.all++
}

// keep ends the first appointment of a party if its time has come: somebody is there.
func (a *appointments) keep(party Party) {
	if _, _, due := a.of(party); due {
		a.end(party, 1)
		a.kept += (1 - a.kept) / keptWeight
	}
}

// lapse ends the appointments that were not kept.
func (a *appointments) lapse() {
	if a.all == 0 || time.Since(a.lapsed) < lapsePoll {
		return
	}
	a.lapsed = time.Now()
	for party, times := range a.parties {
		n := 0
		for n < len(times) && a.lapsed.Sub(times[n]) > grace {
			n++
			a.kept -= a.kept / keptWeight
		}
		a.end(party, n)
	}
}

// end removes the first n appointments of a party.
func (a *appointments) end(party Party, n int) {
	times := a.parties[party]
	for range n {
		a.sizes.shrink(len(times))
		times = times[1:]
	}
	if a.all -= n; len(times) == 0 {
		delete(a.parties, party)
	} else {
		a.parties[party] = times
	}
}

// sizes counts parties by how much of something they have: at k how many have more than k. So what a refusal
// asks for costs no look at each party.
type sizes []int

// grow notes that a party which had n has one more.
func (s *sizes) grow(n int) {
	if n == len(*s) {
		*s = append(*s, 0)
	}
	(*s)[n]++
}

// shrink notes that a party which had n has one less.
func (s *sizes) shrink(n int) {
	if (*s)[n-1]--; (*s)[n-1] == 0 {
		*s = (*s)[:n-1]
	}
}

// most returns how much the party has that has the most.
func (s sizes) most() int { return len(s) }

// within returns how much all parties have together, up to rounds of each.
func (s sizes) within(rounds int) int {
	n := 0
	for _, parties := range s[:min(rounds, len(s))] {
		n += parties
	}
	return n
}
