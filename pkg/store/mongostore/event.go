package mongostore

import (
	"context"
	"fmt"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
)

// CreateEvent implements store.Events.
func (s *Store) CreateEvent(ctx context.Context, e store.Event) error {
	_, err := s.events.InsertOne(ctx, storedEventOf(store.Event{
		ID: e.ID, OrganizerID: e.OrganizerID, Title: e.Title, Description: e.Description,
		Place: e.Place, TimeZone: e.TimeZone, Waitlist: e.Waitlist, StartsAt: e.StartsAt, EndsAt: e.EndsAt,
		OpensAt: e.OpensAt, ClosesAt: e.ClosesAt, CreatedAt: e.CreatedAt,
		Version: 1, Revision: 1, Capacity: e.Capacity,
	}))
	if err != nil {
		return fmt.Errorf("create event %s: %w", e.ID.Hex(), writeError(err))
	}
	return nil
}

// Event implements store.Events.
func (s *Store) Event(ctx context.Context, id store.ID) (store.Event, error) {
	var d eventDoc
	how := options.FindOne().SetProjection(withoutSearch())
	if err := s.events.FindOne(ctx, bson.D{{Key: "_id", Value: id}}, how).Decode(&d); err != nil {
		return store.Event{}, fmt.Errorf("read event %s: %w", id.Hex(), readError(err, store.ErrEventNotFound))
	}
	return d.event(), nil
}

// numbered selects an event's registrations that are not cancelled, by number.
func numbered(eventID store.ID, after, through int64) bson.D {
	return bson.D{
		{Key: "_id.event_id", Value: eventID},
		{Key: "cancelled", Value: false},
		{Key: "number", Value: bson.D{{Key: "$gt", Value: after}, {Key: "$lte", Value: through}}},
	}
}

func byNumber() *options.FindOptionsBuilder {
	return options.Find().SetSort(bson.D{{Key: "number", Value: 1}})
}

// Roster implements store.Events.
func (s *Store) Roster(ctx context.Context, eventID store.ID, after, through int64, limit int) iter.Seq2[store.Registration, error] {
	return stream(ctx, s.registrations, bson.D{
		{Key: "find", Value: s.registrations.Name()}, {Key: "filter", Value: numbered(eventID, after, through)},
		{Key: "sort", Value: bson.D{{Key: "number", Value: 1}}}, {Key: "limit", Value: limit}, {Key: "batchSize", Value: batchSize(limit)},
	}, registrationDoc.registration)
}

// Registration implements store.Events.
func (s *Store) Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error) {
	var d registrationDoc
	err := s.registrations.FindOne(ctx, bson.D{
		{Key: "_id", Value: seatKey{userID, eventID}}, {Key: "cancelled", Value: false},
	}).Decode(&d)
	if err != nil {
		return store.Registration{}, fmt.Errorf("read the registration of user %s for event %s: %w",
			userID.Hex(), eventID.Hex(), readError(err, store.ErrRegistrationNotFound))
	}
	return d.registration(), nil
}

// Position implements store.Events.
func (s *Store) Position(ctx context.Context, eventID store.ID, number int64) (int64, error) {
	e, err := s.Event(ctx, eventID)
	if err != nil {
		return 0, err
	}
	if number <= e.ConfirmedThrough {
		return 0, nil
	}
	if e.LastNumber-number < number-e.ConfirmedThrough { // nearer to the end of the line
		behind, err := s.count(ctx, numbered(eventID, number, e.LastNumber))
		return max(1, e.Waiting-behind), err
	}
	n, err := s.count(ctx, numbered(eventID, e.ConfirmedThrough, number))
	return max(1, n), err
}

// count counts registrations. The command counts index keys only; the driver's
// CountDocuments is an aggregation that takes several times as long.
func (s *Store) count(ctx context.Context, query bson.D) (int64, error) {
	var counted struct{ N int64 }
	err := s.registrations.Database().RunCommand(ctx, bson.D{
		{Key: "count", Value: s.registrations.Name()}, {Key: "query", Value: query},
		{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}},
	}).Decode(&counted)
	if err != nil {
		return 0, fmt.Errorf("count registrations: %w", readError(err, nil))
	}
	return counted.N, nil
}

// UserRegistrations implements store.Events.
func (s *Store) UserRegistrations(ctx context.Context, userID, before store.ID, limit int) iter.Seq2[store.Holding, error] {
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	pipeline := mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{
			{Key: "$gte", Value: seatKey{userID, store.ID{}}}, {Key: "$lt", Value: seatKey{userID, before}},
		}}}}},
		{{Key: "$sort", Value: bson.D{{Key: "_id", Value: -1}}}},
	}
	if limit > 0 {
		pipeline = append(pipeline, bson.D{{Key: "$limit", Value: limit}})
	}
	pipeline = append(pipeline, bson.D{{Key: "$lookup", Value: bson.D{
		{Key: "from", Value: s.events.Name()}, {Key: "localField", Value: "_id.event_id"},
		{Key: "foreignField", Value: "_id"}, {Key: "as", Value: "event"},
	}}}, bson.D{{Key: "$unwind", Value: "$event"}}, bson.D{{Key: "$project", Value: bson.D{
		{Key: "event.beginnings", Value: 0}, {Key: "event.available", Value: 0},
	}}})
	type holding struct {
		Registration registrationDoc `bson:",inline"`
		Event        eventDoc        `bson:"event"`
	}
	return stream(ctx, s.registrations, bson.D{
		{Key: "aggregate", Value: s.registrations.Name()}, {Key: "pipeline", Value: pipeline},
		{Key: "cursor", Value: bson.D{}}, // who reads may stop long before the limit
	}, func(h holding) store.Holding {
		return store.Holding{Registration: h.Registration.registration(), Event: h.Event.event()}
	})
}
