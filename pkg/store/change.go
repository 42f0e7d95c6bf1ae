package store

import (
	"context"
	"iter"
	"time"
)

// ChangeRecord is one row of the record of changes: what one batch changed in one event. It is
// stored in the same transaction as the change itself, so there is never one without the other.
// The rows of an event are numbered by its Revision without gaps, so a reader sees at once that
// one is missing.
type ChangeRecord struct {
	EventID  ID
	Revision int64 // of the event after the change
	// At is the clock of the worker when it formed the batch.
	At time.Time
	// Start says that the record of the event begins, or begins anew, with this row, which states
	// where the event stood. Such a row has no Actions. "": it does not begin here.
	Start Start
	// Before and After are the counters of the event.
	Before, After Counters
	// Actions are the requests that made the change, in order. A row without any only remembers
	// requests that may come again: nobody's registration changed. A row with a Recount tells where
	// the event stands after it, whatever it was before: damage was repaired.
	Actions []Action
	// Roster has the registrations with which a record starts, if they are known and at most
	// maxNamed.
	Roster []NumberedUser
}

// Start says why a record of changes begins.
type Start string

// The starts of a record. Never rename, never reuse.
const (
	// StartImport is the import of an event together with its roster.
	StartImport Start = "import"
	// StartTakeover is the first change of an event by a program that keeps a record, after one of
	// an earlier version, which keeps none, has changed it; or after the record was removed (see
	// Changes.PruneChanges).
	StartTakeover Start = "takeover"
)

// Counters are the numbers of an event that its registrations determine, and its capacity. Each
// means the same as the field of Event.
type Counters struct {
	Capacity, TicketsSold, Waiting, LastNumber, ConfirmedThrough int64
}

// CountersOf returns the counters of an event.
func CountersOf(e Event) Counters {
	return Counters{e.Capacity, e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough}
}

// NumberedUser is a user together with the number of their registration.
type NumberedUser struct {
	Number int64
	UserID ID
}

// Promotion says who moved up from the waiting list.
type Promotion struct {
	// Everybody with a number above After and at most Through who waited is confirmed now. Both
	// are zero when nobody moved up.
	After, Through int64
	Count          int64
	// Users are those who moved up, by number. It is empty when they are more than maxNamed.
	Users []NumberedUser
}

// maxNamed bounds how many people a row of the record names who did not ask for anything
// themselves: those promoted at once, or those in an imported roster. With more, the row has their
// range of numbers and their count.
const maxNamed = 10_000

// Position is a position in the record of all events. It outlives restarts, of the reader and of
// the store. The zero value is the beginning. Its text means something to the adapter only.
type Position string

// Followed is what Changes.Follow yields.
type Followed struct {
	// Record is the next row. It is the zero value, with Revision 0, when everything up to
	// Position has been read: before each wait for more, so first when the reader has caught up, and
	// then now and then, so that its position does not become old. A reader that deals with many
	// rows at once does so then.
	Record ChangeRecord

	// Position is where to go on after this element.
	Position Position
}

// Changes reads the record of changes. Its reads see everything that was acknowledged before they
// began. Errors of every method, beside those that it names: ErrUnavailable; ErrDamaged for a row
// that cannot be read; and ErrNothingStored for a fault that does not pass. A sequence yields an
// error at most once, as its last element.
type Changes interface {
	// EventChanges reads the rows of an event with a Revision above after, in order, at most limit
	// of them (0: no limit). An event that does not exist has none.
	EventChanges(ctx context.Context, eventID ID, after int64, limit int) iter.Seq2[ChangeRecord, error]
	// ChangesPosition returns the position behind everything that has been acknowledged.
	ChangesPosition(ctx context.Context) (Position, error)
	// Follow yields the rows of all events that are behind a position, and then each new one, until
	// ctx ends or the caller stops. It yields every row at least once, and those of one event in
	// order. A reader that is resumed at the Position of the last element that it has dealt with
	// misses nothing. Follow waits while the store is unavailable.
	Follow(ctx context.Context, from Position) iter.Seq2[Followed, error]
	// NextChange returns a channel that is closed when this process next changes an event. nil: the
	// store does not learn of changes, because other processes make them.
	NextChange() <-chan struct{}
	// PruneChanges removes the record of events that ended before a time, at most limit events of
	// them, and returns of how many. It may be interrupted, and called by several processes.
	PruneChanges(ctx context.Context, endedBefore time.Time, limit int) (int, error)
}

// RemovingRecord is the Event.Recorded of an event whose record is being removed.
const RemovingRecord = -1

// recordComplete reports whether the record of an event has everything that changed in it, so that
// the next row can follow. A new event has a record without rows.
func (e Event) recordComplete() bool {
	return e.Recorded == e.Revision || e.Revision == 1 && e.LastNumber == 0
}

// Records returns the rows of the record that belong to the change, in order: one, and before it
// one that starts the record if it must begin here. There are none when the record is being removed, and of leases.
func (c Change) Records() []ChangeRecord {
	if !recording || c.After.Recorded == RemovingRecord || c.OnlyLeases() {
		return nil
	}
	before, after := CountersOf(c.Before), CountersOf(c.After)
	row := ChangeRecord{
		EventID: c.After.ID, Revision: c.After.Revision, At: c.At, Before: before, After: after, Actions: c.Actions,
	}
	if c.Before.recordComplete() {
		return []ChangeRecord{row}
	}
	start := ChangeRecord{
		EventID: c.Before.ID, Revision: c.Before.Revision, At: c.At, Start: StartTakeover, Before: before, After: before,
	}
	return []ChangeRecord{start, row}
}

// ImportRequestID is the RequestID of imported registrations.
const ImportRequestID = "import"

// ImportedEvent returns e as it is stored with an imported roster of n users.
func ImportedEvent(e Event, n int) Event {
	e.Version, e.Revision, e.Recorded = 1, 1, 1
	e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = int64(n), 0, int64(n), int64(n)
	return e
}

// ImportRecord returns the row with which the record of an imported event starts.
func ImportRecord(e Event, roster []ID, at time.Time) ChangeRecord {
	counters := CountersOf(ImportedEvent(e, len(roster)))
	r := ChangeRecord{EventID: e.ID, Revision: 1, At: at.UTC().Truncate(time.Millisecond), Start: StartImport, Before: counters, After: counters}
	if len(roster) <= maxNamed {
		for i, user := range roster {
			r.Roster = append(r.Roster, NumberedUser{int64(i) + 1, user})
		}
	}
	return r
}
