package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
)

// move is what a batch does to one event that it decided about: its change, or nothing but
// the next fence, when Before and After are the same.
type move struct {
	store.Change
	fence int64 // as the decision found it
}

// save writes what a batch decided about its events, under the guard that each is as it was
// decided upon and has room for those who come in.
func (s *Store) save(ctx context.Context, moves []move) error {
	if len(moves) == 0 {
		return nil
	}
	var updates, replaced []mongo.WriteModel
	for _, alike := range together(moves) {
		change, err := s.update(ctx, alike[0])
		if err != nil {
			return err
		}
		updates = append(updates, mongo.NewUpdateManyModel().SetFilter(s.guard.events(alike)).SetUpdate(change))
	}
	var added []store.Registration
	for _, m := range moves {
		added = append(added, m.Added...)
		for _, r := range m.Replaced {
			replaced = append(replaced, mongo.NewReplaceOneModel().
				SetFilter(bson.D{{Key: "_id", Value: seatKey{r.UserID, r.EventID}}}).SetReplacement(registrationDocOf(r)))
		}
	}
	res, err := s.events.BulkWrite(ctx, updates)
	if err != nil {
		return err
	}
	if res.MatchedCount != int64(len(moves)) {
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

// step is by how much a move changes the numbers of its event; each may be negative, and all
// are zero when only the fence moves.
type step struct {
	sold, waiting, lastNumber, confirmedThrough, revision int64
	available                                             bool // afterwards, if the event changes
}

func stepOf(m move) step {
	return step{
		sold: m.After.TicketsSold - m.Before.TicketsSold, waiting: m.After.Waiting - m.Before.Waiting,
		lastNumber: m.After.LastNumber - m.Before.LastNumber, confirmedThrough: m.After.ConfirmedThrough - m.Before.ConfirmedThrough,
		revision:  m.After.Revision - m.Before.Revision,
		available: m.After.Revision != m.Before.Revision && m.After.IsAvailable(),
	}
}

// together groups moves that are the same step of different events, so that one statement
// makes them: a statement costs the server more than what it does to an event.
func together(moves []move) [][]move {
	var groups [][]move
	places := make(map[step]int) // in groups
	for _, m := range moves {
		s := stepOf(m)
		if at, found := places[s]; found && m.Edit == nil {
			groups[at] = append(groups[at], m)
			continue
		}
		if m.Edit == nil {
			places[s] = len(groups)
		}
		groups = append(groups, []move{m})
	}
	return groups
}

// unmoved is the condition under which events may take the same step: nothing was decided
// about any of them since, and each has room for those who come in.
func unmoved(alike []move) bson.D {
	decided := make(bson.A, len(alike))
	for i, m := range alike {
		decided[i] = bson.D{
			{Key: "id", Value: m.Before.ID}, {Key: "revision", Value: m.Before.Revision}, {Key: "fence", Value: m.fence},
		}
	}
	found := bson.D{
		{Key: "id", Value: "$_id"}, {Key: "revision", Value: "$revision"},
		{Key: "fence", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$fence", 0}}}}, // missing until the first batch
	}
	conditions := bson.A{bson.D{{Key: "$in", Value: bson.A{found, bson.D{{Key: "$literal", Value: decided}}}}}}
	filter := named(alike)
	edit := alike[0].Edit
	if s := stepOf(alike[0]); s.sold > 0 || edit != nil && edit.Capacity != nil {
		sold := bson.D{{Key: "$add", Value: bson.A{"$tickets_sold", s.sold}}}
		var capacity any = "$capacity"
		if edit != nil { // alone, and held to what it makes of the capacity
			capacity = alike[0].After.Capacity
		}
		conditions = append(conditions, bson.D{{Key: "$lte", Value: bson.A{sold, capacity}}})
		// What is missing would be null, and less than any capacity; a text would be more than
		// any number.
		isNumber := bson.D{{Key: "$type", Value: "number"}}
		filter = append(filter, bson.E{Key: "tickets_sold", Value: isNumber}, bson.E{Key: "capacity", Value: isNumber})
	}
	return append(filter, bson.E{Key: "$expr", Value: bson.D{{Key: "$and", Value: conditions}}})
}

// named is the filter for the events of moves, whatever their state.
func named(moves []move) bson.D {
	ids := make([]store.ID, len(moves))
	for i, m := range moves {
		ids[i] = m.Before.ID
	}
	return in("_id", ids)
}

// update is the move of one event, or of all that take the same step.
func (s *Store) update(ctx context.Context, m move) (bson.D, error) {
	by := stepOf(m)
	counters := bson.D{{Key: "fence", Value: 1}}
	for _, c := range []struct {
		field string
		by    int64
	}{
		{"tickets_sold", by.sold}, {"waiting", by.waiting}, {"last_number", by.lastNumber},
		{"confirmed_through", by.confirmedThrough}, {"revision", by.revision},
	} {
		if c.by != 0 {
			counters = append(counters, bson.E{Key: c.field, Value: c.by})
		}
	}
	change := bson.D{{Key: "$inc", Value: counters}}
	if by.revision == 0 {
		return change, nil
	}
	set := bson.D{{Key: "available", Value: by.available}}
	if m.Edit != nil {
		beginnings, err := s.editedBeginnings(ctx, m.Change)
		if err != nil {
			return nil, err
		}
		set = append(append(set, editFields(m.Change)...), beginnings...)
	}
	return append(change, bson.E{Key: "$set", Value: set}), nil
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
