package history

import (
	"fmt"
	"slices"
)

// checkSeats compares, at each moment, the seats that are held with the seats that there are. Of both
// only bounds are known: what surely was, and what may have been.
func checkSeats(e Event, ops []Op) error {
	m := newMoments(e, ops)
	for at := range m.times {
		if m.sure[at] > m.most[at] {
			return fmt.Errorf("%w: at %.6f s %d hold a seat of %d", ErrIllegal, float64(m.times[at])/1e9, m.sure[at], m.most[at])
		}
	}
	for _, op := range ops {
		from, to := m.index(op.Call), m.index(op.Return)
		switch {
		case op.Outcome == SoldOut && within(m.full, from, to) == 0:
			return broken("a seat was free all the time", op)
		case op.takes() && op.Outcome == Made && op.Waiting && op.Position != 0 && op.Key == "" && within(m.others, from, to) == 0:
			return broken("a seat was free all the time, and the user waits", op)
		case op.Kind != ReadEvent:
		case op.Sold > op.Capacity:
			return broken("more seats are sold than there are", op)
		case op.Line > 0 && op.Sold < op.Capacity && !ends(ops):
			return broken("a seat is free, and somebody waits", op)
		case op.Sold < m.least(m.sure, from, to):
			return broken(fmt.Sprintf("at least %d hold a seat", m.least(m.sure, from, to)), op)
		case op.Sold > m.largest(m.maybe, from, to):
			return broken(fmt.Sprintf("at most %d can hold a seat", m.largest(m.maybe, from, to)), op)
		case op.Capacity < m.least(m.fewest, from, to) || op.Capacity > m.largest(m.most, from, to):
			return broken("the event never had so many seats", op)
		}
	}
	return nil
}

// ends reports whether the event may have been cancelled.
func ends(ops []Op) bool {
	return slices.ContainsFunc(ops, func(op Op) bool { return op.Kind == End && op.Outcome != Nothing })
}

// moments are all moments at which something was called or returned, and those just before and after, in
// order, and what is known of each.
type moments struct {
	times        []int64
	sure, maybe  []int64 // how many surely hold a seat, and how many may
	fewest, most []int64 // how many seats there may be
	// At how many moments before this one all seats may have been held, and, for somebody who may hold one
	// as well, by others.
	full, others []int
}

func newMoments(e Event, ops []Op) *moments {
	m := &moments{}
	for _, op := range ops {
		m.times = append(m.times, op.Call-1, op.Call, op.Return)
		if op.Return != forever {
			m.times = append(m.times, op.Return+1)
		}
	}
	slices.Sort(m.times)
	m.times = slices.Compact(m.times)
	n := len(m.times)
	m.sure, m.maybe, m.fewest, m.most = make([]int64, n+1), make([]int64, n+1), make([]int64, n), make([]int64, n)
	m.full, m.others = make([]int, n+1), make([]int, n+1)

	byUser := make(map[string][]Op)
	var capacities []Op
	for _, op := range ops {
		if op.User != "" {
			byUser[op.User] = append(byUser[op.User], op)
		}
		if op.Kind == Capacity && (op.Outcome == Done || op.Outcome == Unknown) {
			capacities = append(capacities, op)
		}
	}
	for _, own := range byUser {
		m.addSure(own)
		m.addMaybe(own)
	}
	for at := 1; at < n; at++ { // from differences to sums
		m.sure[at] += m.sure[at-1]
		m.maybe[at] += m.maybe[at-1]
	}
	m.sure, m.maybe = m.sure[:n], m.maybe[:n]
	m.addCapacities(e, capacities)
	for at := range n {
		m.full[at+1], m.others[at+1] = m.full[at], m.others[at]
		if m.maybe[at] >= m.fewest[at] {
			m.full[at+1]++
		}
		if m.maybe[at] > m.fewest[at] {
			m.others[at+1]++
		}
	}
	return m
}

// index returns the position of a moment, which is one of the times.
func (m *moments) index(t int64) int {
	i, _ := slices.BinarySearch(m.times, t)
	return i
}

// add counts one more from one moment to another, both included.
func (m *moments) add(count []int64, from, to int64) {
	if from > to {
		return
	}
	count[m.index(from)]++
	count[m.index(to)+1]--
}

// addSure counts when a user surely held a seat: from the return of an answer that says so to the call
// of the next operation that may end it, without these two moments.
func (m *moments) addSure(own []Op) {
	const never = -1
	since := int64(never)
	lost := func(at int64) {
		if since != never {
			m.add(m.sure, since+1, at-1)
		}
		since = never
	}
	doubt := int64(never) // a cancellation may take effect until then
	for _, op := range own {
		switch {
		case op.Kind == Cancel && op.Outcome != Nothing:
			lost(op.Call)
			if op.Outcome == Unknown {
				doubt = max(doubt, op.Return)
			}
		case op.Number != 0 && !op.Waiting && since == never && op.Call > doubt:
			since = op.Return
		}
	}
	if since != never {
		m.sure[m.index(since+1)]++
	}
}

// addMaybe counts when a user may have held a seat: from the call of an operation that asks for one to the
// return of an answer that says that there is none, unless an unknown one may still take effect.
func (m *moments) addMaybe(own []Op) {
	const never = -1
	since, doubt := int64(never), int64(0)
	settled := make(map[string]bool) // keys with a definite answer: an operation under one ends nothing more
	for _, op := range own {
		again := op.Key != "" && settled[op.Key]
		settled[op.Key] = again || op.definite()
		switch {
		case again && op.Kind == Cancel, op.Outcome == Replayed:
		case op.takes() && op.Outcome == Unknown:
			doubt = max(doubt, op.Return)
			if since == never {
				since = op.Call
			}
		case op.takes() && (op.Outcome == Made || op.Outcome == Found || op.Outcome == Already):
			if since == never {
				since = op.Call
			}
		case op.Kind == Cancel && op.Outcome == Done, op.Outcome == Missing, op.takes() && op.Outcome != Nothing:
			if since != never && op.Return >= doubt {
				m.add(m.maybe, since, op.Return)
				since = never
			}
		}
	}
	if since != never {
		m.maybe[m.index(since)]++
	}
}

// addCapacities finds how many seats there may have been at each moment. A capacity may hold from the call that
// asked for it to the return of the first definite one that was called after its own return.
func (m *moments) addCapacities(e Event, edits []Op) {
	type span struct{ from, to, capacity int64 }
	end := func(returned int64) int64 {
		until := int64(forever)
		for _, op := range edits {
			if op.Outcome == Done && op.Call > returned {
				until = min(until, op.Return)
			}
		}
		return until
	}
	spans := []span{{0, end(-1), e.Capacity}}
	for _, op := range edits {
		spans = append(spans, span{op.Call, end(op.Return), op.Capacity})
	}
	open := 0 // spans are in order of from
	var now []span
	for at, t := range m.times {
		for ; open < len(spans) && spans[open].from <= t; open++ {
			now = append(now, spans[open])
		}
		now = slices.DeleteFunc(now, func(s span) bool { return s.to < t })
		m.fewest[at], m.most[at] = forever, 0
		for _, s := range now {
			m.fewest[at], m.most[at] = min(m.fewest[at], s.capacity), max(m.most[at], s.capacity)
		}
	}
}

// within returns at how many moments of an operation something was so, by its sums.
func within(sums []int, from, to int) int { return sums[to+1] - sums[from] }

// least and largest look at the moments of one operation, which overlaps few others.
func (m *moments) least(of []int64, from, to int) int64   { return slices.Min(of[from : to+1]) }
func (m *moments) largest(of []int64, from, to int) int64 { return slices.Max(of[from : to+1]) }
