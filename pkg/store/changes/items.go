package changes

import (
	"context"
	"slices"

	"github.com/eventio/eventio/pkg/store"
)

// Type says what a Item tells.
type Type string

// The types of items. Never rename, never reuse.
const (
	Registered     Type = "registered"      // somebody got a seat
	Waitlisted     Type = "waitlisted"      // somebody joined the waiting list
	Cancelled      Type = "cancelled"       // somebody's registration was cancelled
	Promoted       Type = "promoted"        // somebody moved up from the waiting list, or a range of numbers did
	Edited         Type = "edited"          // the organizer changed the event
	EventCancelled Type = "event_cancelled" // the organizer cancelled the event
	Recounted      Type = "recounted"       // an operator had the counters set from the registrations
	Imported       Type = "imported"        // the event came with its roster
	// RecordStarted begins a record that has nothing of what was before: the event was changed
	// by an earlier version, or its record was removed.
	RecordStarted Type = "record_started"
	// Remembered is a change of which nobody sees anything: requests that found nothing to do
	// are remembered in case they come again.
	Remembered Type = "remembered"
)

// ActorImport is who registered those that came with an imported event. It has no ID, and only items
// have it.
const ActorImport store.ActorKind = "import"

// Item is one thing that happened to an event or to a registration: a part of a row of the
// record.
type Item struct {
	// Index counts the items of a row from 1: (event, revision, index) names an item for good.
	Index int
	Type  Type
	// UserID and Number are those of the registration that the item is about. They are zero when it is
	// about the event, or about a range of numbers.
	UserID store.ID
	Number int64
	// Waited says, of Cancelled, that the registration was on the waiting list.
	Waited bool
	// Action is the request that did it: its RequestID, At and Actor, and what it Edited.
	Action store.Action
	// Cause is the Index of the item that made the seat free, of Promoted.
	Cause int
	// Promoted is a range of numbers, when those who moved up are too many to be named.
	Promoted store.Promotion
}

// Items returns what a row tells, item by item: at least one, so that a reader of items sees every
// revision.
func Items(r store.ChangeRecord) []Item {
	var items []Item
	add := func(i Item) int {
		i.Index = len(items) + 1
		items = append(items, i)
		return i.Index
	}
	switch r.Start {
	case store.StartImport:
		add(Item{Type: Imported, Action: store.Action{At: r.At, Actor: store.Actor{Kind: ActorImport}}})
	case store.StartTakeover:
		add(Item{Type: RecordStarted, Action: store.Action{At: r.At}})
	}
	for _, n := range r.Roster {
		add(Item{
			Type: Registered, UserID: n.UserID, Number: n.Number,
			Action: store.Action{At: r.At, Actor: store.Actor{Kind: ActorImport}, RequestID: store.ImportRequestID},
		})
	}
	for _, a := range r.Actions {
		cause := add(Item{Type: typeOf(a), UserID: a.UserID, Number: a.Number, Waited: a.Kind == store.Cancel && a.Waiting, Action: a})
		switch p := a.Promoted; {
		case p.Count == 0:
		case len(p.Users) == 0:
			add(Item{Type: Promoted, Promoted: p, Action: a, Cause: cause})
		default:
			for _, n := range p.Users {
				add(Item{Type: Promoted, UserID: n.UserID, Number: n.Number, Action: a, Cause: cause})
			}
		}
	}
	if len(items) == 0 {
		add(Item{Type: Remembered, Action: store.Action{At: r.At}})
	}
	return items
}

func typeOf(a store.Action) Type {
	switch {
	case a.Kind == store.Register && a.Waiting:
		return Waitlisted
	case a.Kind == store.Register:
		return Registered
	case a.Kind == store.Cancel:
		return Cancelled
	case a.Kind == store.Recount:
		return Recounted
	case a.CancelsEvent:
		return EventCancelled
	}
	return Edited
}

// ItemOf is an item with the row that it is a part of.
type ItemOf struct {
	Record store.ChangeRecord
	Item
}

// OfRegistration reads what the record of an event tells of one user's registration, in order.
// It reads the rows that the registration names, and finds the one at which the user moved up by
// halving, because ConfirmedThrough never falls: few rows, however long the record is. What is not
// recorded, or was removed, is missing.
func OfRegistration(ctx context.Context, c store.Changes, held store.UserRegistration) ([]ItemOf, error) {
	s := registrationSearch{Changes: c, event: held.Event, user: held.Registration.UserID, number: held.Registration.Number}
	var items []ItemOf
	var waits ItemOf // the latest item that put the user on the waiting list
	end := func(last int64, confirmed bool) error {
		since := waits
		waits = ItemOf{}
		if since.Type == "" || !confirmed {
			return nil
		}
		promoted, found, err := s.promotion(ctx, since.Number, since.Record.Revision, last)
		if found {
			items = append(items, promoted)
		}
		return err
	}
	for _, revision := range held.Registration.Revisions {
		row, found, err := s.row(ctx, revision)
		if err != nil {
			return nil, err
		}
		if !found || row.Revision != revision {
			continue
		}
		for _, item := range s.own(row) {
			switch item.Type {
			case Waitlisted:
				waits = ItemOf{row, item}
			case Promoted:
				waits = ItemOf{}
			case Cancelled:
				if err := end(revision, !item.Waited); err != nil {
					return nil, err
				}
			}
			items = append(items, ItemOf{row, item})
		}
	}
	confirmed := !held.Registration.Cancelled && held.Event.Confirmed(held.Registration)
	if confirmed && !slices.ContainsFunc(items, func(i ItemOf) bool { return i.Number == s.number }) {
		// The registration is older than the record.
		first, found, err := s.row(ctx, 0)
		if err != nil {
			return nil, err
		}
		if found && first.Before.ConfirmedThrough < s.number && s.number <= first.Before.LastNumber {
			waits = ItemOf{first, Item{Type: Waitlisted, Number: s.number}}
		}
	}
	return items, end(held.Event.Recorded, confirmed)
}

// registrationSearch reads rows for OfRegistration.
type registrationSearch struct {
	store.Changes
	event  store.Event
	user   store.ID
	number int64
}

// row reads the first row at a revision or after it.
func (s registrationSearch) row(ctx context.Context, revision int64) (r store.ChangeRecord, found bool, err error) {
	for r, err = range s.EventChanges(ctx, s.event.ID, revision-1, 1) {
		return r, err == nil, err
	}
	return r, false, nil
}

// own returns the items of a row that are about the user.
func (s registrationSearch) own(r store.ChangeRecord) []Item {
	items := Items(r)
	if r.Start == store.StartImport && len(r.Roster) == 0 && s.number <= r.After.LastNumber {
		// A roster that was too long to be named.
		return []Item{{
			Index: 1, Type: Registered, UserID: s.user, Number: s.number,
			Action: store.Action{At: r.At, Actor: store.Actor{Kind: ActorImport}, RequestID: store.ImportRequestID},
		}}
	}
	return slices.DeleteFunc(items, func(i Item) bool { return i.UserID != s.user })
}

// promotion finds the item by which a number that waited at a revision was confirmed, at the latest
// at the revision last.
func (s registrationSearch) promotion(ctx context.Context, number, since, last int64) (ItemOf, bool, error) {
	low, high := since, last+1 // the row is at low or later, and before high, if there is one
	var at store.ChangeRecord
	for low < high {
		middle := low + (high-low)/2
		row, found, err := s.row(ctx, middle)
		switch {
		case err != nil:
			return ItemOf{}, false, err
		case !found: // what follows was removed
			high = middle
		case row.After.ConfirmedThrough >= number:
			high, at = middle, row
		default:
			low = row.Revision + 1
		}
	}
	for _, item := range Items(at) {
		if item.Type != Promoted {
			continue
		}
		if item.Number == number || item.Promoted.After < number && number <= item.Promoted.Through {
			item.UserID, item.Number, item.Promoted = s.user, number, store.Promotion{}
			return ItemOf{at, item}, true, nil
		}
	}
	return ItemOf{}, false, nil
}

// Forget returns the row without the request ids of a user's requests, and whether it had any. It
// is how a person is erased from the record: their id stays, which means nobody any more, and every
// number stays true.
func Forget(r store.ChangeRecord, user store.ID) (store.ChangeRecord, bool) {
	changed := false
	actions := slices.Clone(r.Actions)
	for i, a := range actions {
		if (a.UserID == user || a.Actor.ID == user) && a.RequestID != store.ErasedRequest {
			actions[i].RequestID, changed = store.ErasedRequest, true
		}
	}
	r.Actions = actions
	return r, changed
}
