package mongostore

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

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

// eventDoc is a document of the events collection: the fields of store.Event. A time that
// there is not is left out.
type eventDoc struct {
	ID          store.ID  `bson:"_id"`
	OrganizerID store.ID  `bson:"organizer_id"`
	Title       string    `bson:"title"`
	Description string    `bson:"description"`
	Place       string    `bson:"place,omitempty"`
	TimeZone    string    `bson:"time_zone,omitempty"`
	Waitlist    bool      `bson:"waitlist"`
	StartsAt    time.Time `bson:"starts_at"`
	EndsAt      time.Time `bson:"ends_at"`
	OpensAt     time.Time `bson:"registration_opens_at,omitempty"`
	ClosesAt    time.Time `bson:"registration_closes_at,omitempty"`
	CancelledAt time.Time `bson:"cancelled_at,omitempty"`
	CreatedAt   time.Time `bson:"created_at"`

	Version  int64  `bson:"version"`
	Revision int64  `bson:"revision"`
	LastEdit string `bson:"last_edit,omitempty"`
	// Fence counts the batches that decided about the event, also those that changed nothing
	// in it. It is missing until the first.
	Fence int64 `bson:"fence,omitempty"`

	Capacity         int64 `bson:"capacity"`
	TicketsSold      int64 `bson:"tickets_sold"`
	Waiting          int64 `bson:"waiting"`
	LastNumber       int64 `bson:"last_number"`
	ConfirmedThrough int64 `bson:"confirmed_through"`
}

// seatKey is the _id of a registration: what makes a second seat of one user impossible.
// It begins with the user, so that the index on it also finds what a user holds.
type seatKey struct {
	UserID  store.ID `bson:"user_id"`
	EventID store.ID `bson:"event_id"`
}

// registrationDoc is a document of the registrations collection.
type registrationDoc struct {
	Key          seatKey   `bson:"_id"`
	Number       int64     `bson:"number"`
	RequestID    string    `bson:"request_id"`
	RegisteredAt time.Time `bson:"registered_at"`
	Cancelled    bool      `bson:"cancelled"`
	Past         string    `bson:"past,omitempty"`
}

func (d eventDoc) event() store.Event {
	return store.Event{
		ID: d.ID, OrganizerID: d.OrganizerID, Title: d.Title, Description: d.Description,
		Place: d.Place, TimeZone: d.TimeZone, Waitlist: d.Waitlist,
		StartsAt: d.StartsAt.UTC(), EndsAt: d.EndsAt.UTC(), OpensAt: d.OpensAt.UTC(), ClosesAt: d.ClosesAt.UTC(),
		CancelledAt: d.CancelledAt.UTC(), CreatedAt: d.CreatedAt.UTC(),
		Version: d.Version, Revision: d.Revision, LastEdit: d.LastEdit,
		Capacity: d.Capacity, TicketsSold: d.TicketsSold, Waiting: d.Waiting,
		LastNumber: d.LastNumber, ConfirmedThrough: d.ConfirmedThrough,
	}
}

func (d registrationDoc) registration() store.Registration {
	return store.Registration{
		EventID: d.Key.EventID, UserID: d.Key.UserID, Number: d.Number, RequestID: d.RequestID,
		RegisteredAt: d.RegisteredAt.UTC(), Cancelled: d.Cancelled, Past: d.Past,
	}
}

func registrationDocOf(r store.Registration) registrationDoc {
	return registrationDoc{
		Key: seatKey{r.UserID, r.EventID}, Number: r.Number, RequestID: r.RequestID,
		RegisteredAt: r.RegisteredAt, Cancelled: r.Cancelled, Past: r.Past,
	}
}

func userDocOf(u store.User) userDoc {
	return userDoc{
		ID: u.ID, Name: u.Name, Email: u.Email, EmailKey: store.EmailKey(u.Email),
		PasswordHash: u.PasswordHash, CreatedAt: u.CreatedAt,
		PasswordVersion: u.PasswordVersion, PasswordChangedAt: u.PasswordChangedAt,
	}
}

// CreateUser implements store.Users.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	_, err := s.users.InsertOne(ctx, userDocOf(u))
	if keyTaken(err) {
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

// streamCursor yields the documents of a cursor one by one.
func streamCursor[D, T any](ctx context.Context, name string, open func() (*mongo.Cursor, error), convert func(D) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, err := open()
		if err != nil {
			yield(none, fmt.Errorf("read %s: %w", name, readError(err, nil)))
			return
		}
		defer closeCursor(ctx, cursor)
		for cursor.Next(ctx) {
			var d D
			if err := cursor.Decode(&d); err != nil {
				yield(none, fmt.Errorf("read %s: %w", name, readError(err, nil)))
				return
			}
			if !yield(convert(d), nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(none, fmt.Errorf("read %s: %w", name, readError(err, nil)))
		}
	}
}

// closeLimit bounds the closing of a cursor, after which its reader is answered. The server ends
// a cursor that nobody closes.
const closeLimit = 100 * time.Millisecond

// closeCursor closes a cursor, whether or not its reader still has time.
func closeCursor(ctx context.Context, cursor *mongo.Cursor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	_ = cursor.Close(ctx)
}
