package store

import (
	"context"
	"slices"
)

// ChangeType says what a ChangeItem tells.
type ChangeType string

// The types of items. Never rename, never reuse.
const (
	ChangeRegistered     ChangeType = "registered"      // somebody got a seat
	ChangeWaitlisted     ChangeType = "waitlisted"      // somebody joined the waiting list
	ChangeCancelled      ChangeType = "cancelled"       // somebody's registration was cancelled
	ChangePromoted       ChangeType = "promoted"        // somebody moved up from the waiting list, or a range of numbers did
	ChangeEdited         ChangeType = "edited"          // the organizer changed the event
	ChangeEventCancelled ChangeType = "event_cancelled" // the organizer cancelled the event
	ChangeRecounted      ChangeType = "recounted"       // an operator had the counters set from the registrations
	ChangeImported       ChangeType = "imported"        // the event came with its roster
	// ChangeRecordStarted begins a record that has nothing of what was before: the event was changed
	// by an earlier version, or its record was removed.
	ChangeRecordStarted ChangeType = "record_started"
	// ChangeRemembered is a change of which nobody sees anything: requests that found nothing to do
	// are remembered in case they come again.
	ChangeRemembered ChangeType = "remembered"
)

// ActorImport is who registered those that came with an imported event. It has no ID, and only items
// have it.
const ActorImport ActorKind = "import"

// ChangeItem is one thing that happened to an event or to a registration: a part of a row of the
// record.
type ChangeItem struct {
	// Index counts the items of a row from 1: (event, revision, index) names an item for good.
	Index int
	Type  ChangeType
	// UserID and Number are those of the registration that the item is about. They are zero when it is
	// about the event, or about a range of numbers.
	UserID ID
	Number int64
	// Waited says, of ChangeCancelled, that the registration was on the waiting list.
	Waited bool
	// Action is the request that did it: its RequestID, At and Actor, and what it Edited.
	Action Action
	// Cause is the Index of the item that made the seat free, of ChangePromoted.
	Cause int
	// Promoted is a range of numbers, when those who moved up are too many to be named.
	Promoted Promotion
}

// Items returns what a row tells, item by item: at least one, so that a reader of items sees every
// revision.
func (r ChangeRecord) Items() []ChangeItem {
	var items []ChangeItem
	add := func(i ChangeItem) int {
		i.Index = len(items) + 1
		items = append(items, i)
		return i.Index
	}
	switch r.Start {
	case StartImport:
		add(ChangeItem{Type: ChangeImported, Action: Action{At: r.At, Actor: Actor{Kind: ActorImport}}})
	case StartTakeover:
		add(ChangeItem{Type: ChangeRecordStarted, Action: Action{At: r.At}})
	}
	for _, n := range r.Roster {
		add(ChangeItem{
			Type: ChangeRegistered, UserID: n.UserID, Number: n.Number,
			Action: Action{At: r.At, Actor: Actor{Kind: ActorImport}, RequestID: ImportRequestID},
		})
	}
	for _, a := range r.Actions {
		cause := add(ChangeItem{Type: a.changeType(), UserID: a.UserID, Number: a.Number, Waited: a.Kind == Cancel && a.Waiting, Action: a})
		switch p := a.Promoted; {
		case p.Count == 0:
		case len(p.Users) == 0:
			add(ChangeItem{Type: ChangePromoted, Promoted: p, Action: a, Cause: cause})
		default:
			for _, n := range p.Users {
				add(ChangeItem{Type: ChangePromoted, UserID: n.UserID, Number: n.Number, Action: a, Cause: cause})
			}
		}
	}
	if len(items) == 0 {
		add(ChangeItem{Type: ChangeRemembered, Action: Action{At: r.At}})
	}
	return items
}

func (a Action) changeType() ChangeType {
	switch {
	case a.Kind == Register && a.Waiting:
		return ChangeWaitlisted
	case a.Kind == Register:
		return ChangeRegistered
	case a.Kind == Cancel:
		return ChangeCancelled
	case a.Kind == Recount:
		return ChangeRecounted
	case a.CancelsEvent:
		return ChangeEventCancelled
	}
	return ChangeEdited
}

// ItemOf is an item with the row that it is a part of.
type ItemOf struct {
	Record ChangeRecord
	ChangeItem
}

// RegistrationChanges reads what the record of an event tells of one user's registration, in order.
// It reads the rows that the registration names, and finds the one at which the user moved up by
// halving, because ConfirmedThrough never falls: few rows, however long the record is. What is not
// recorded, or was removed, is missing.
func RegistrationChanges(ctx context.Context, c Changes, held UserRegistration) ([]ItemOf, error) {
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
			case ChangeWaitlisted:
				waits = ItemOf{row, item}
			case ChangePromoted:
				waits = ItemOf{}
			case ChangeCancelled:
				if err := end(revision, !item.Waited); err != nil {
					return nil, err
				}
			}
			items = append(items, ItemOf{row, item})
		}
	}
	confirmed := !held.Registration.Cancelled && held.Event.Confirmed(held.Registration)
	if waits.Type == "" && confirmed && !slices.ContainsFunc(items, func(i ItemOf) bool { return i.Number == s.number }) {
		// The registration is older than the record.
		first, found, err := s.row(ctx, 0)
		if err != nil {
			return nil, err
		}
		if found && first.Before.ConfirmedThrough < s.number && s.number <= first.Before.LastNumber {
			waits = ItemOf{first, ChangeItem{Type: ChangeWaitlisted, Number: s.number}}
		}
	}
	return items, end(held.Event.Recorded, confirmed)
}

// registrationSearch reads rows for RegistrationChanges.
type registrationSearch struct {
	Changes
	event  Event
	user   ID
	number int64
}

// row reads the first row at a revision or after it.
func (s registrationSearch) row(ctx context.Context, revision int64) (r ChangeRecord, found bool, err error) {
	for r, err = range s.EventChanges(ctx, s.event.ID, revision-1, 1) {
		return r, err == nil, err
	}
	return r, false, nil
}

// own returns the items of a row that are about the user.
func (s registrationSearch) own(r ChangeRecord) []ChangeItem {
	items := r.Items()
	if r.Start == StartImport && len(r.Roster) == 0 && s.number <= r.After.LastNumber {
		// A roster that was too long to be named.
		return []ChangeItem{{
			Index: 1, Type: ChangeRegistered, UserID: s.user, Number: s.number,
			Action: Action{At: r.At, Actor: Actor{Kind: ActorImport}, RequestID: ImportRequestID},
		}}
	}
	return slices.DeleteFunc(items, func(i ChangeItem) bool { return i.UserID != s.user })
}

// promotion finds the item by which a number that waited at a revision was confirmed, at the latest
// at the revision last.
func (s registrationSearch) promotion(ctx context.Context, number, since, last int64) (ItemOf, bool, error) {
	low, high := since, last+1 // the row is at low or later, and before high, if there is one
	var at ChangeRecord
	for low < high {
		middle := low + (high-low)/2
		row, found, err := s.row(ctx, middle)
		switch {
		case err != nil:
			return ItemOf{}, false, err
		case !found || row.Revision >= high || row.After.ConfirmedThrough >= number:
			high = middle
			if found && row.Revision <= last && row.After.ConfirmedThrough >= number {
				at = row
			}
		default:
			low = row.Revision + 1
		}
	}
	for _, item := range at.Items() {
		if item.Type != ChangePromoted {
			continue
		}
		if item.Number == number || item.Promoted.After < number && number <= item.Promoted.Through {
			item.UserID, item.Number, item.Promoted = s.user, number, Promotion{}
			return ItemOf{at, item}, true, nil
		}
	}
	return ItemOf{}, false, nil
}

// Forget returns the row without the request ids of a user's requests, and whether it had any. It
// is how a person is erased from the record: their id stays, which means nobody any more, and every
// number stays true.
func (r ChangeRecord) Forget(user ID) (ChangeRecord, bool) {
	changed := false
	actions := slices.Clone(r.Actions)
	for i, a := range actions {
		if (a.UserID == user || a.Actor.ID == user) && a.RequestID != ErasedRequest {
			actions[i].RequestID, changed = ErasedRequest, true
		}
	}
	r.Actions = actions
	return r, changed
}
