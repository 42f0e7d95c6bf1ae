package changes

import (
	"context"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Minute says what happened to the registrations of an event in one minute of the record of changes.
type Minute struct {
	At time.Time // when it began
	// Registrations is how many were made, with a seat or on the waiting list, and Cancelled how many
	// were cancelled.
	Registrations, Cancelled int64
	// TicketsSold and Waiting are those of the event at the end of the minute.
	TicketsSold, Waiting int64
	// Refused is how often people were told that the event is sold out, as far as it is counted by now
	// (store.Refusals).
	Refused int64
}

// Source is what a pace is made of.
type Source interface {
	store.Changes
	store.Refusals
}

// PaceOf returns the latest minutes of an event up to now, at most n, the oldest first; the last one is
// not over. Minutes before the event was made, or before its record begins, are left out. It reads
// the counters at the beginning of each minute and no more, so the cost grows with n and with the
// logarithm of the number of changes. Minutes go by the clocks of the workers; where these differ, a
// change may be told in the minute beside its own. Errors: those of Changes.EventChanges and
// Refusals.RefusedMinutes.
func PaceOf(ctx context.Context, source Source, e store.Event, now time.Time, n int) ([]Minute, error) {
	s := search{record: source, event: e, seen: make(map[int64]beginning)}
	first, there, err := s.row(ctx, 0)
	if err != nil {
		return nil, err
	}
	known := e.CreatedAt
	if there && first.started {
		known = first.at
	}
	last := now.UTC().Truncate(time.Minute)
	from := last.Add(-time.Duration(n-1) * time.Minute)
	if begin := known.UTC().Truncate(time.Minute); begin.After(from) {
		from = begin
	}
	if from.After(last) { // the clock of whoever made the event is ahead
		from = last
	}
	minutes := make([]Minute, 0, n)
	for at := from; !at.After(last); at = at.Add(time.Minute) {
		minutes = append(minutes, Minute{At: at})
	}
	counters := make([]store.Counters, len(minutes)+1) // at the beginning of each minute, and now
	counters[len(minutes)] = store.CountersOf(e)
	if err := s.fill(ctx, minutes, counters, 1, e.Revision+1); err != nil {
		return nil, err
	}
	for i := range minutes {
		before, after := counters[i], counters[i+1]
		minutes[i].Registrations = max(0, after.LastNumber-before.LastNumber)
		gained := after.TicketsSold + after.Waiting - before.TicketsSold - before.Waiting
		minutes[i].Cancelled = max(0, minutes[i].Registrations-gained) // a recount is neither
		minutes[i].TicketsSold, minutes[i].Waiting = after.TicketsSold, after.Waiting
	}
	refused, err := source.RefusedMinutes(ctx, e.ID, from)
	if err != nil {
		return nil, err
	}
	for _, r := range refused {
		if i := int(r.At.Sub(from) / time.Minute); i < len(minutes) { // the clock of who counted may be ahead
			minutes[i].Refused += r.Refused
		}
	}
	return minutes, nil
}

// beginning is what a search needs of a row: when it was, and where the event stood before it.
type beginning struct {
	revision int64
	at       time.Time
	before   store.Counters
	started  bool // what was before is not recorded
}

// search finds rows of an event by their time.
type search struct {
	record store.Changes
	event  store.Event
	seen   map[int64]beginning // by the revision that they were asked for
}

// row returns the first row with a revision above after, and whether there is one that the event, as it
// is known, has.
func (s search) row(ctx context.Context, after int64) (beginning, bool, error) {
	if b, known := s.seen[after]; known {
		return b, true, nil
	}
	for r, err := range s.record.EventChanges(ctx, s.event.ID, after, 1) {
		if err != nil {
			return beginning{}, false, err
		}
		if r.Revision > s.event.Revision {
			break
		}
		b := beginning{r.Revision, r.At, r.Before, r.Start == store.StartTakeover}
		s.seen[after] = b
		return b, true, nil
	}
	return beginning{}, false, nil
}

// fill sets the counters at the beginning of each minute. The rows that are the first of one of these
// minutes have revisions from low to high, where high means that there is none.
func (s search) fill(ctx context.Context, minutes []Minute, counters []store.Counters, low, high int64) error {
	if len(minutes) == 0 {
		return nil
	}
	middle := len(minutes) / 2
	found, end := low, high
	for found < end {
		at := found + (end-found)/2
		row, there, err := s.row(ctx, at-1)
		switch {
		case err != nil:
			return err
		case there && row.at.Before(minutes[middle].At):
			found = row.revision + 1
		default:
			end = at
		}
	}
	counters[middle] = store.CountersOf(s.event)
	row, there, err := s.row(ctx, found-1)
	if err != nil {
		return err
	}
	if there {
		counters[middle] = row.before
	}
	if err := s.fill(ctx, minutes[:middle], counters[:middle+1], low, found); err != nil {
		return err
	}
	return s.fill(ctx, minutes[middle+1:], counters[middle+1:], found, high)
}
