package mongostore

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/waitlist"
	"github.com/eventio/eventio/pkg/store/userlists"
)

// registrationKey is the _id of a registration, which makes a second registration of a user in an
// event impossible. It begins with the user, so that the index on it also finds the registrations
// of a user.
type registrationKey struct {
	UserID  store.ID `bson:"user_id"`
	EventID store.ID `bson:"event_id"`
}

// registrationDoc is a document of the collection registrations.
type registrationDoc struct {
	Key          registrationKey    `bson:"_id"`
	Number       int64              `bson:"number"`
	RequestID    string             `bson:"request_id"`
	RegisteredAt time.Time          `bson:"registered_at"`
	Cancelled    bool               `bson:"cancelled"`
	Past         store.PastRequests `bson:"past,omitempty"`
	Revisions    store.Revisions    `bson:"revisions,omitempty"`
	CancelledAt  time.Time          `bson:"cancelled_at,omitempty"`
}

func newRegistrationDoc(r store.Registration) registrationDoc {
	return registrationDoc{
		Key: registrationKey{r.UserID, r.EventID}, Number: r.Number, RequestID: r.RequestID,
		RegisteredAt: r.RegisteredAt, Cancelled: r.Cancelled, Past: r.Past, Revisions: r.Revisions, CancelledAt: r.CancelledAt,
	}
}

func (d registrationDoc) registration() store.Registration {
	return store.Registration{
		EventID: d.Key.EventID, UserID: d.Key.UserID, Number: d.Number, RequestID: d.RequestID,
		RegisteredAt: d.RegisteredAt, Cancelled: d.Cancelled, Past: d.Past, Revisions: d.Revisions, CancelledAt: d.CancelledAt,
	}
}

func orderedByNumber() *options.FindOptionsBuilder {
	return options.Find().SetSort(bson.D{{Key: "number", Value: 1}})
}

// Roster implements store.Registrations.
func (s *Store) Roster(ctx context.Context, eventID store.ID, after, through int64, limit int) iter.Seq2[store.Registration, error] {
	return mongodb.Stream(ctx, s.registrations, bson.D{
		{Key: "find", Value: s.registrations.Name()}, {Key: "filter", Value: waitlist.Numbers(eventID, after, through)},
		{Key: "sort", Value: bson.D{{Key: "number", Value: 1}}}, {Key: "limit", Value: limit}, {Key: "batchSize", Value: mongodb.BatchSize(limit)},
	}, registrationDoc.registration)
}

// Registration implements store.Registrations.
func (s *Store) Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error) {
	var d registrationDoc
	err := s.registrations.FindOne(ctx, bson.D{
		{Key: "_id", Value: registrationKey{userID, eventID}}, {Key: "cancelled", Value: false},
	}).Decode(&d)
	if err != nil {
		return store.Registration{}, fmt.Errorf("read the registration of user %s for event %s: %w",
			userID.Hex(), eventID.Hex(), mongodb.ReadError(err, store.ErrRegistrationNotFound))
	}
	return d.registration(), nil
}

// RegistrationsByID implements store.Registrations.
func (s *Store) RegistrationsByID(ctx context.Context, ids []store.RegistrationID) (map[store.RegistrationID]store.Registration, error) {
	keys := make([]registrationKey, len(ids))
	for i, id := range ids {
		keys[i] = registrationKey{id.UserID, id.EventID}
	}
	found := make(map[store.RegistrationID]store.Registration, len(ids))
	for r, err := range mongodb.Stream(ctx, s.registrations, bson.D{
		{Key: "find", Value: s.registrations.Name()},
		{Key: "filter", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}, {Key: "cancelled", Value: false}}},
		{Key: "batchSize", Value: len(ids) + 1},
	}, registrationDoc.registration) {
		if err != nil {
			return nil, fmt.Errorf("read %d registrations: %w", len(ids), err)
		}
		found[store.RegistrationID{EventID: r.EventID, UserID: r.UserID}] = r
	}
	return found, nil
}

// Position implements store.Registrations.
func (s *Store) Position(ctx context.Context, eventID store.ID, number int64) (int64, error) {
	e, err := s.Event(ctx, eventID)
	if err != nil {
		return 0, err
	}
	n, err := s.lists.Position(ctx, e, number)
	if err != nil {
		return 0, fmt.Errorf("find a position in event %s: %w", eventID.Hex(), err)
	}
	return n, nil
}

// Entered implements store.Registrations: one command reads all, at one moment.
func (s *Store) Entered(ctx context.Context, eventID store.ID, after int64, limit int) (store.Event, []store.NumberedUser, error) {
	events, registrations, err := s.snapshot(ctx, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "_id", Value: eventID}}}}, {{Key: "$project", Value: withoutSearch()}},
		{{Key: "$unionWith", Value: bson.D{{Key: "coll", Value: s.registrations.Name()}, {Key: "pipeline", Value: mongo.Pipeline{
			{{Key: "$match", Value: bson.D{
				{Key: "_id.event_id", Value: eventID}, {Key: "cancelled", Value: bson.D{{Key: "$in", Value: bson.A{false, true}}}},
				{Key: "number", Value: bson.D{{Key: "$gt", Value: after}}},
			}}},
			{{Key: "$sort", Value: bson.D{{Key: "number", Value: 1}}}}, {{Key: "$limit", Value: limit}}, {{Key: "$project", Value: bson.D{{Key: "number", Value: 1}}}},
		}}}}},
	}, limit)
	if err == nil && len(events) == 0 {
		err = mongo.ErrNoDocuments
	}
	if err != nil {
		return store.Event{}, nil, fmt.Errorf("read who entered event %s: %w", eventID.Hex(), mongodb.ReadError(err, store.ErrEventNotFound))
	}
	users := make([]store.NumberedUser, len(registrations))
	for i, d := range registrations {
		users[i] = store.NumberedUser{Number: d.Number, UserID: d.Key.UserID}
	}
	return events[0].Event, users, nil
}

// UserRegistrations implements store.Registrations.
func (s *Store) UserRegistrations(ctx context.Context, userID, before store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	if before.IsZero() {
		before = lastID()
	}
	registrations := mongodb.Stream(ctx, s.registrations, bson.D{
		{Key: "find", Value: s.registrations.Name()},
		{Key: "filter", Value: bson.D{{Key: "_id", Value: ofUser(userID, before)}}},
		{Key: "sort", Value: bson.D{{Key: "_id", Value: -1}}}, {Key: "limit", Value: limit}, {Key: "batchSize", Value: firstUserPage},
	}, registrationDoc.registration)
	return func(yield func(store.UserRegistration, error) bool) {
		for page, err := range mongodb.Pages(registrations, firstUserPage, lastUserPage) {
			var events map[store.ID]store.Event
			if err == nil {
				events, err = s.EventsByID(ctx, eventsOf(page))
			}
			if err != nil {
				yield(store.UserRegistration{}, err)
				return
			}
			for _, r := range page { // without those whose event is gone
				if e, ok := events[r.EventID]; ok && !yield(store.UserRegistration{Registration: r, Event: e}, nil) {
					return
				}
			}
		}
	}
}

// UserLists implements store.Registrations. With the hint the server has nothing to choose for each user: it merges scans of one index.
func (s *Store) UserLists(ctx context.Context, users []store.ID, most int) (lists store.UserLists, err error) {
	parts := make(bson.A, len(users))
	for i, user := range users {
		parts[i] = bson.D{{Key: "_id", Value: ofUser(user, lastID())}}
	}
	rows, err := mongodb.QueryAll[registrationDoc](ctx, s.registrations, bson.D{
		{Key: "find", Value: s.registrations.Name()}, {Key: "filter", Value: bson.D{{Key: "$or", Value: parts}}}, {Key: "hint", Value: "_id_"},
		{Key: "sort", Value: bson.D{{Key: "_id", Value: -1}}}, {Key: "limit", Value: most + 1}, {Key: "batchSize", Value: mongodb.BatchSize(most + 1)},
	})
	if err != nil {
		return lists, fmt.Errorf("read the lists of %d users: %w", len(users), mongodb.ReadError(err, nil))
	}
	whole, cut, length := userlists.Part(users, rows, func(d registrationDoc) store.ID { return d.Key.UserID }, most)
	lists = store.UserLists{Whole: make(map[store.ID][]store.UserRegistration, len(whole)), Cut: cut, Read: length}
	ids := make(map[store.ID]bool) // of events
	for user, list := range whole {
		lists.Whole[user] = nil
		for _, d := range list {
			ids[d.Key.EventID] = true
		}
	}
	if len(ids) == 0 {
		return lists, nil
	}
	events, err := s.EventsByID(ctx, slices.Collect(maps.Keys(ids)))
	if err != nil {
		return store.UserLists{}, err
	}
	for user, list := range whole {
		for _, d := range list { // without those whose event is gone
			if e, ok := events[d.Key.EventID]; ok {
				lists.Whole[user] = append(lists.Whole[user], store.UserRegistration{Registration: d.registration(), Event: e})
			}
		}
	}
	return lists, nil
}

// ofUser selects the registrations of a user for events whose id is below one.
func ofUser(user, before store.ID) bson.D {
	return bson.D{{Key: "$gte", Value: registrationKey{user, store.ID{}}}, {Key: "$lt", Value: registrationKey{user, before}}}
}

// lastID is above the id of every event.
func lastID() (id store.ID) {
	for i := range id {
		id[i] = 0xff
	}
	return id
}

// UserRegistrations reads events by pages of registrations, a $lookup of the server would read them one
// by one. Pages grow, because the reader may stop long before the limit.
const firstUserPage, lastUserPage = 100, 1000

func eventsOf(page []store.Registration) []store.ID {
	ids := make([]store.ID, len(page))
	for i, r := range page {
		ids[i] = r.EventID
	}
	return ids
}
