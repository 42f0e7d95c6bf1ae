package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/eventio/eventio/pkg/store"
)

// multiset is a sum over (number, user) pairs: two sets of pairs have equal sums only if they are
// equal, whatever their order, but for a chance of 1 in 2^128. So two rosters are compared in
// constant memory.
type multiset struct{ low, high uint64 }

// add adds a pair so many times; -1 takes it away.
func (m *multiset) add(number int64, user store.ID, times int64) {
	var pair [8 + len(user)]byte
	binary.BigEndian.PutUint64(pair[:], uint64(number))
	copy(pair[8:], user[:])
	sum := sha256.Sum256(pair[:])
	m.low += uint64(times) * binary.BigEndian.Uint64(sum[:])
	m.high += uint64(times) * binary.BigEndian.Uint64(sum[8:])
}

// replay is what the rows of a record say of an event, up to the latest row.
type replay struct {
	add      func(sort string, repairable bool, format string, args ...any)
	revision int64 // of the latest row; 0: there was none
	counters store.Counters
	// Registrations with numbers up to base are known by their count only: they are older than the
	// record, or an imported roster that was too long to be named.
	base    int64
	unnamed int64    // registrations that are not cancelled, with numbers up to base
	named   multiset // those with higher numbers

	gaps []func() // findings that a row which begins the record anew takes back
}

// row replays the next row.
func (p *replay) row(r store.ChangeRecord) {
	recounts := slices.ContainsFunc(r.Actions, func(a store.Action) bool { return a.Kind == store.Recount })
	switch {
	case r.Start != "":
		p.begin(r)
		return
	case p.revision == 0 && r.Revision == 2:
		p.counters = store.Counters{Capacity: r.Before.Capacity}
	case r.Revision != p.revision+1:
		last := p.revision
		p.gaps = append(p.gaps, func() {
			p.add("gap", false, "the record has revision %d after %d: what was between is missing", r.Revision, last)
		})
		p.counters = r.Before
	}
	if recounts { // whatever was damaged before
		p.revision = r.Revision
		p.stand(r.After)
		return
	}
	if r.Before != p.counters {
		p.add("before", false, "revision %d begins with %s, and the record stood at %s", r.Revision, counters(r.Before), counters(p.counters))
	}
	c := r.Before
	for _, a := range r.Actions {
		p.action(&c, r, a)
	}
	c.Capacity, c.LastNumber = atEnd(c, r)
	if c != r.After {
		p.add("after", false, "revision %d ends with %s, and what it tells makes %s", r.Revision, counters(r.After), counters(c))
	}
	p.revision, p.counters = r.Revision, r.After
}

// stand takes over counters whose registrations are known by their count only.
func (p *replay) stand(c store.Counters) {
	p.counters, p.base, p.unnamed, p.named = c, c.LastNumber, c.TicketsSold+c.Waiting, multiset{}
}

// begin replays a row with which a record starts.
func (p *replay) begin(r store.ChangeRecord) {
	if r.Before != r.After {
		p.add("start", false, "revision %d begins the record and changes something", r.Revision)
	}
	p.gaps = nil
	p.revision = r.Revision
	p.stand(r.After)
	if len(r.Roster) == 0 {
		return
	}
	p.base = 0
	if int64(len(r.Roster)) != p.unnamed {
		p.add("start", false, "revision %d names %d people and counts %d", r.Revision, len(r.Roster), p.unnamed)
	}
	p.unnamed = 0
	for _, n := range r.Roster {
		p.named.add(n.Number, n.UserID, 1)
	}
}

// atEnd returns the capacity and last number at the end of a row, as far as actions cannot tell them:
// an edit says that it set the capacity and not to what, and a request that is only remembered takes
// a number.
func atEnd(c store.Counters, r store.ChangeRecord) (capacity, lastNumber int64) {
	capacity = c.Capacity
	if slices.ContainsFunc(r.Actions, func(a store.Action) bool { return slices.Contains(a.Edited, "capacity") }) {
		capacity = r.After.Capacity
	}
	return capacity, max(c.LastNumber, r.After.LastNumber)
}

// action replays an action on the counters of an event.
func (p *replay) action(c *store.Counters, r store.ChangeRecord, a store.Action) {
	wrong := func(what string) {
		p.add("action", false, "revision %d: %s of user %s under the number %d %s", r.Revision, a.Kind, a.UserID.Hex(), a.Number, what)
	}
	switch a.Kind {
	case store.Register:
		if a.Number <= c.LastNumber {
			wrong("takes a number that was given before")
		}
		p.count(a, 1)
		c.LastNumber = max(c.LastNumber, a.Number)
		if a.Waiting {
			c.Waiting++
		} else {
			c.TicketsSold++
			c.ConfirmedThrough = a.Number
		}
	case store.Cancel:
		if a.Number > c.LastNumber || a.Waiting != (a.Number > c.ConfirmedThrough) {
			wrong("cancels what is not there")
		}
		p.count(a, -1)
		if a.Waiting {
			c.Waiting--
		} else {
			c.TicketsSold--
		}
	}
	m := a.Promoted
	if m.Count == 0 {
		return
	}
	if m.After != c.ConfirmedThrough || m.Through <= m.After || m.Through > c.LastNumber || len(m.Users) > 0 && int64(len(m.Users)) != m.Count {
		wrong("moves people up who do not wait")
	}
	last := m.After
	for _, n := range m.Users {
		if n.Number <= last || n.Number > m.Through {
			wrong("moves people up who do not wait")
		}
		last = n.Number
	}
	c.TicketsSold += m.Count
	c.Waiting -= m.Count
	c.ConfirmedThrough = m.Through
}

// count counts a registration that comes or goes.
func (p *replay) count(a store.Action, times int64) {
	if a.Number <= p.base {
		p.unnamed += times
	} else {
		p.named.add(a.Number, a.UserID, times)
	}
}

// roster sums the registrations of an event as a replay does.
type roster struct {
	base, unnamed int64
	named         multiset
}

func (l *roster) registration(r store.Registration) {
	switch {
	case r.Cancelled:
	case r.Number <= l.base:
		l.unnamed++
	default:
		l.named.add(r.Number, r.UserID, 1)
	}
}

// replayed replays the record of an event and compares it with the event's counters. It returns
// what the event's registrations must sum to; nil: the record does not say it.
func (c *eventCheck) replayed(changes iter.Seq2[store.ChangeRecord, error]) (*replay, error) {
	if changes == nil {
		return nil, nil
	}
	p := &replay{add: c.add}
	unread := false
	for r, err := range changes {
		switch {
		case errors.Is(err, store.ErrDamaged):
			unread = true
			c.add("change", false, "%s", damageText(err))
		case err != nil:
			return nil, err
		default:
			p.row(r)
		}
	}
	e := c.event
	if e.Recorded == 0 || e.Recorded == store.RemovingRecord {
		return nil, nil // there is none, and what is left of an earlier one does not count
	}
	for _, tell := range p.gaps {
		tell()
	}
	switch {
	case unread || len(p.gaps) > 0:
		return nil, nil
	case p.revision != e.Recorded:
		c.add("recorded", false, "the record ends at revision %d, and the event is recorded up to %d", p.revision, e.Recorded)
		return nil, nil
	case e.Recorded < e.Revision:
		return nil, nil // an earlier version has changed it since
	case e.Recorded > e.Revision:
		c.add("recorded", false, "it is recorded up to revision %d and is at %d", e.Recorded, e.Revision)
		return nil, nil
	}
	if now := store.CountersOf(e); p.counters != now {
		c.add("counters", false, "it has %s, and the record says %s", counters(now), counters(p.counters))
	}
	return p, nil
}

// compare compares what the record says of an event's roster with its registrations.
func (p *replay) compare(c *eventCheck, l roster) {
	if p.unnamed != l.unnamed {
		c.add("roster", false, "%s with a number up to %d, and the record says %d", many(l.unnamed, "registration", "registrations"), p.base, p.unnamed)
	}
	if p.named != l.named {
		c.add("roster", false, "the record tells of other registrations with numbers above %d than there are", p.base)
	}
}

// counters lists counters in words.
func counters(c store.Counters) string {
	return fmt.Sprintf("capacity %d, tickets_sold %d, waiting %d, last_number %d, confirmed_through %d",
		c.Capacity, c.TicketsSold, c.Waiting, c.LastNumber, c.ConfirmedThrough)
}
