package mongostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/eventio/eventio/pkg/store"
)

// userDoc is a document of the users collection.
type userDoc struct {
	ID           store.ID  `bson:"_id"`
	Name         string    `bson:"name"`
	Email        string    `bson:"email"`
	EmailKey     string    `bson:"email_key"`
	PasswordHash string    `bson:"password_hash"`
	CreatedAt    time.Time `bson:"created_at"`

	// Missing until the first change of the password.
	PasswordVersion   int64     `bson:"password_version,omitempty"`
	PasswordChangedAt time.Time `bson:"password_changed_at,omitempty"`
}

// eventDoc is a document of the events collection.
type eventDoc struct {
	ID          store.ID  `bson:"_id"`
	OrganizerID store.ID  `bson:"organizer_id"`
	Title       string    `bson:"title"`
	Description string    `bson:"description"`
	Capacity    int64     `bson:"capacity"`
	TicketsSold int64     `bson:"tickets_sold"`
	LastNumber  int64     `bson:"last_number"` // the highest number of a registration so far
	StartsAt    time.Time `bson:"starts_at"`
	EndsAt      time.Time `bson:"ends_at"`
	CreatedAt   time.Time `bson:"created_at"`
}

// seatKey is the _id of a registration: what makes a second seat of one user impossible.
type seatKey struct {
	EventID store.ID `bson:"event_id"`
	UserID  store.ID `bson:"user_id"`
}

// registrationDoc is a document of the registrations collection.
type registrationDoc struct {
	Key          seatKey   `bson:"_id"`
	Number       int64     `bson:"number"`
	RequestID    string    `bson:"request_id"`
	RegisteredAt time.Time `bson:"registered_at"`
}

func (d eventDoc) event() store.Event {
	return store.Event{
		ID: d.ID, OrganizerID: d.OrganizerID, Title: d.Title, Description: d.Description,
		Capacity: d.Capacity, TicketsSold: d.TicketsSold,
		StartsAt: d.StartsAt.UTC(), EndsAt: d.EndsAt.UTC(), CreatedAt: d.CreatedAt.UTC(),
	}
}

func (d registrationDoc) registration() store.Registration {
	return store.Registration{
		EventID: d.Key.EventID, UserID: d.Key.UserID, Number: d.Number,
		RequestID: d.RequestID, RegisteredAt: d.RegisteredAt.UTC(),
	}
}

// CreateUser implements store.Users.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	_, err := s.users.InsertOne(ctx, userDoc{
		ID: u.ID, Name: u.Name, Email: u.Email, EmailKey: store.EmailKey(u.Email),
		PasswordHash: u.PasswordHash, CreatedAt: u.CreatedAt,
		PasswordVersion: u.PasswordVersion, PasswordChangedAt: u.PasswordChangedAt,
	})
	if mongo.IsDuplicateKeyError(err) {
		err = store.ErrEmailTaken
	}
	if err != nil {
		return fmt.Errorf("create user %s: %w", u.ID.Hex(), writeError(err))
	}
	return nil
}

// UserByEmail implements store.Users.
func (s *Store) UserByEmail(ctx context.Context, email string) (store.User, error) {
	var d userDoc
	err := s.users.FindOne(ctx, bson.D{{Key: "email_key", Value: store.EmailKey(email)}}).Decode(&d)
	if err != nil {
		return store.User{}, fmt.Errorf("find user by address: %w", readError(err, store.ErrUserNotFound))
	}
	return d.user(), nil
}

// CreateEvent implements store.Events.
func (s *Store) CreateEvent(ctx context.Context, e store.Event) error {
	_, err := s.events.InsertOne(ctx, eventDoc{
		ID: e.ID, OrganizerID: e.OrganizerID, Title: e.Title, Description: e.Description,
		Capacity: e.Capacity, StartsAt: e.StartsAt, EndsAt: e.EndsAt, CreatedAt: e.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("create event %s: %w", e.ID.Hex(), writeError(err))
	}
	return nil
}

// Event implements store.Events.
func (s *Store) Event(ctx context.Context, id store.ID) (store.Event, error) {
	var d eventDoc
	if err := s.events.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d); err != nil {
		return store.Event{}, fmt.Errorf("read event %s: %w", id.Hex(), readError(err, store.ErrEventNotFound))
	}
	return d.event(), nil
}

// Events implements store.Events.
func (s *Store) Events(ctx context.Context) iter.Seq2[store.Event, error] {
	order := options.Find().SetSort(bson.D{{Key: "starts_at", Value: 1}, {Key: "_id", Value: 1}})
	return stream(ctx, s.events, bson.D{}, order, eventDoc.event)
}

// Roster implements store.Events.
func (s *Store) Roster(ctx context.Context, eventID store.ID, after int64, limit int) iter.Seq2[store.Registration, error] {
	filter := bson.D{
		{Key: "_id.event_id", Value: eventID},
		{Key: "number", Value: bson.D{{Key: "$gt", Value: after}}},
	}
	order := options.Find().SetSort(bson.D{{Key: "number", Value: 1}}).SetLimit(int64(limit))
	return stream(ctx, s.registrations, filter, order, registrationDoc.registration)
}

// stream yields the documents of a query one by one.
func stream[D, T any](ctx context.Context, from *mongo.Collection, filter bson.D, order *options.FindOptionsBuilder, convert func(D) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, err := from.Find(ctx, filter, order)
		if err != nil {
			yield(none, fmt.Errorf("read %s: %w", from.Name(), readError(err, nil)))
			return
		}
		defer cursor.Close(context.WithoutCancel(ctx))
		for cursor.Next(ctx) {
			var d D
			if err := cursor.Decode(&d); err != nil {
				yield(none, fmt.Errorf("read %s: %w", from.Name(), err))
				return
			}
			if !yield(convert(d), nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(none, fmt.Errorf("read %s: %w", from.Name(), readError(err, nil)))
		}
	}
}

// readError translates an error of a read: it cannot have stored anything.
func readError(err, notFound error) error {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return notFound
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// writeError translates an error of a single write.
func writeError(err error) error {
	if notSent(err) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// notSent reports errors of the driver that come before a command is sent, and the
// server's word that it is no primary (codes NotWritablePrimary and NotPrimaryNoSecondaryOk
// in the server's error_codes.yml).
func notSent(err error) bool {
	var selection topology.ServerSelectionError
	var queue topology.WaitQueueTimeoutError
	if errors.As(err, &selection) || errors.As(err, &queue) {
		return true
	}
	var server mongo.ServerError
	return errors.As(err, &server) && (server.HasErrorCode(10107) || server.HasErrorCode(13435))
}
