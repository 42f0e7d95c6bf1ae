package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
)

// save writes the changes, under the guard that each event is as it was decided upon and
// has room for those who come in.
func (s *Store) save(ctx context.Context, changes []store.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var updates, replaced []mongo.WriteModel
	for _, alike := range together(changes) {
		change, err := s.update(ctx, alike[0])
		if err != nil {
			return err
		}
		updates = append(updates, mongo.NewUpdateManyModel().SetFilter(s.guard.events(alike)).SetUpdate(change))
	}
	var added []store.Registration
	for _, c := range changes {
		added = append(added, c.Added...)
		for _, r := range c.Replaced {
			replaced = append(replaced, mongo.NewReplaceOneModel().
				SetFilter(bson.D{{Key: "_id", Value: seatKey{r.UserID, r.EventID}}}).SetReplacement(registrationDocOf(r)))
		}
	}
	res, err := s.events.BulkWrite(ctx, updates)
	if err != nil {
		return err
	}
	if res.MatchedCount != int64(len(changes)) {
		return errMoved
	}
	if len(replaced) > 0 {
		if _, err := s.registrations.BulkWrite(ctx, replaced); err != nil {
			return err
		}
	}
	if len(added) > 0 {
		return s.insert(ctx, added)
	}
	return nil
}

// step is by how much a change moves the numbers of its event; each may be negative.
type step struct {
	sold, waiting, lastNumber, confirmedThrough int64
	available                                   bool // afterwards
}

func stepOf(c store.Change) step {
	return step{
		sold: c.After.TicketsSold - c.Before.TicketsSold, waiting: c.After.Waiting - c.Before.Waiting,
		lastNumber: c.After.LastNumber - c.Before.LastNumber, confirmedThrough: c.After.ConfirmedThrough - c.Before.ConfirmedThrough,
		available: c.After.IsAvailable(),
	}
}

// together groups changes that are the same step of different events, so that one statement
// makes them: a statement costs the server more than what it does to an event.
func together(changes []store.Change) [][]store.Change {
	var groups [][]store.Change
	places := make(map[step]int) // in groups
	for _, c := range changes {
		s := stepOf(c)
		if at, found := places[s]; found && c.Edit == nil {
			groups[at] = append(groups[at], c)
			continue
		}
		if c.Edit == nil {
			places[s] = len(groups)
		}
		groups = append(groups, []store.Change{c})
	}
	return groups
}

// unmoved is the condition under which events may take the same step: each is as it was
// decided upon, and has room for those who come in.
func unmoved(alike []store.Change) bson.D {
	decided := make(bson.A, len(alike))
	for i, c := range alike {
		decided[i] = bson.D{{Key: "id", Value: c.Before.ID}, {Key: "revision", Value: c.Before.Revision}}
	}
	found := bson.D{{Key: "id", Value: "$_id"}, {Key: "revision", Value: "$revision"}}
	sold := bson.D{{Key: "$add", Value: bson.A{"$tickets_sold", stepOf(alike[0]).sold}}}
	var capacity any = "$capacity"
	if alike[0].Edit != nil { // alone, and held to what it makes of the capacity
		capacity = alike[0].After.Capacity
	}
	// What is missing would be null, and less than any capacity; a text would be more than
	// any number.
	isNumber := bson.D{{Key: "$type", Value: "number"}}
	return append(named(alike), bson.E{Key: "tickets_sold", Value: isNumber}, bson.E{Key: "capacity", Value: isNumber}, bson.E{Key: "$expr", Value: bson.D{{Key: "$and", Value: bson.A{
		bson.D{{Key: "$in", Value: bson.A{found, bson.D{{Key: "$literal", Value: decided}}}}},
		bson.D{{Key: "$lte", Value: bson.A{sold, capacity}}},
	}}}})
}

// named is the filter for the events of changes, whatever their state.
func named(changes []store.Change) bson.D {
	ids := make([]store.ID, len(changes))
	for i, c := range changes {
		ids[i] = c.Before.ID
	}
	return in("_id", ids)
}

// update is the change of one event, or of all that take the same step.
func (s *Store) update(ctx context.Context, c store.Change) (bson.D, error) {
	by := stepOf(c)
	set := bson.D{{Key: "available", Value: by.available}}
	if c.Edit != nil {
		beginnings, err := s.editedBeginnings(ctx, c)
		if err != nil {
			return nil, err
		}
		set = append(append(set, editFields(c)...), beginnings...)
	}
	return bson.D{{Key: "$inc", Value: bson.D{
		{Key: "tickets_sold", Value: by.sold}, {Key: "waiting", Value: by.waiting}, {Key: "last_number", Value: by.lastNumber},
		{Key: "confirmed_through", Value: by.confirmedThrough}, {Key: "revision", Value: 1},
	}}, {Key: "$set", Value: set}}, nil
}

// insert adds registrations by the bare command: InsertMany reads each document's _id back
// and decodes it, which doubles the cost of a large batch.
func (s *Store) insert(ctx context.Context, added []store.Registration) error {
	documents := make(bson.A, len(added))
	for i, r := range added {
		documents[i] = s.guard.seat(r)
	}
	var reply struct {
		N           int `bson:"n"`
		WriteErrors []struct {
			Code    int32  `bson:"code"`
			Message string `bson:"errmsg"`
		} `bson:"writeErrors"`
	}
	err := s.registrations.Database().RunCommand(ctx, bson.D{
		{Key: "insert", Value: s.registrations.Name()}, {Key: "documents", Value: documents},
	}).Decode(&reply)
	switch {
	case err != nil:
		return err
	case len(reply.WriteErrors) > 0: // which RunCommand takes for success
		first := reply.WriteErrors[0]
		return mongo.CommandError{Code: first.Code, Message: first.Message}
	case reply.N != len(added):
		return fmt.Errorf("%d of %d registrations were inserted", reply.N, len(added))
	}
	return nil
}

// editFields are the fields that an organizer's edit sets.
func editFields(c store.Change) bson.D {
	e, after := c.Edit, c.After
	set := bson.D{
		{Key: "version", Value: after.Version}, {Key: "last_edit", Value: after.LastEdit},
		{Key: "waitlist", Value: after.Waitlist}, {Key: "capacity", Value: after.Capacity},
		{Key: "registration_opens_at", Value: after.OpensAt}, {Key: "registration_closes_at", Value: after.ClosesAt},
		{Key: "cancelled_at", Value: after.CancelledAt},
	}
	for _, text := range []struct {
		field string
		value *string
	}{
		{"title", e.Title}, {"description", e.Description}, {"place", e.Place}, {"time_zone", e.TimeZone},
	} {
		if text.value != nil {
			set = append(set, bson.E{Key: text.field, Value: *text.value})
		}
	}
	for _, instant := range []struct {
		field string
		value *time.Time
	}{
		{"starts_at", e.StartsAt}, {"ends_at", e.EndsAt},
	} {
		if instant.value != nil {
			set = append(set, bson.E{Key: instant.field, Value: *instant.value})
		}
	}
	return set
}
