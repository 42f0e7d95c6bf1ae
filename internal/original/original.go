// Package original reads the database of the original Event.io, which keeps the ids of an
// event's registered users in the event's document and passwords as they were typed. It
// reads leniently: what is not as it should be is told beside the record, never dropped.
//
// One document at a time is held in memory; a document of MongoDB has at most 16 MB.
package original

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/verify"
)

// defaultDatabase is the one of the original.
const defaultDatabase = "infosys"

// DB is a database of the original.
type DB struct {
	client        *mongo.Client
	users, events *mongo.Collection
}

// Open connects to a MongoDB server, which need not be a replica set.
func Open(ctx context.Context, uri string) (*DB, error) {
	cs, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, fmt.Errorf("the original's database: %w", err)
	}
	name := cs.Database
	if name == "" {
		name = defaultDatabase
	}
	client, err := mongo.Connect(options.Client().SetAppName("eventio import").ApplyURI(uri))
	if err != nil {
		return nil, fmt.Errorf("connect to the original's database: %w", err)
	}
	if err := client.Ping(ctx, nil); err != nil {
		return nil, fmt.Errorf("reach the original's database: %w", err)
	}
	db := client.Database(name)
	return &DB{client: client, users: db.Collection("users"), events: db.Collection("events")}, nil
}

// Close closes all connections.
func (d *DB) Close(ctx context.Context) error { return d.client.Disconnect(ctx) }

// Name is the name of the database on its server.
func (d *DB) Name() string { return d.users.Database().Name() }

// Found says what a database is at a first look.
type Found struct {
	// Empty: it has neither of the original's collections.
	Empty bool
	// Newer: it is one of this Event.io, whose collections users and events have the same names.
	Newer bool
	// Others are the databases on the same server that have the original's collections, as far as
	// the user may see them. They are looked for only when this one is empty.
	Others []string
}

// Look tells whether this is a database of the original.
func (d *DB) Look(ctx context.Context) (found Found, err error) {
	if found.Empty, found.Newer, err = look(ctx, d.users.Database()); err != nil || !found.Empty {
		return found, err
	}
	names, err := d.client.ListDatabaseNames(ctx, bson.D{}, options.ListDatabases().SetAuthorizedDatabases(true))
	if err != nil {
		return found, nil //nolint:nilerr // the user may not see them, which is no fault of the import
	}
	for _, name := range names {
		empty, newer, err := look(ctx, d.client.Database(name))
		if err == nil && !empty && !newer {
			found.Others = append(found.Others, name)
		}
	}
	return found, nil
}

func look(ctx context.Context, db *mongo.Database) (empty, newer bool, err error) {
	names, err := db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return false, false, fmt.Errorf("list the collections of the original's database: %w", err)
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	return !has("users") && !has("events"), has("registrations") && has("schema"), nil
}

// Size tells about how much there is.
func (d *DB) Size(ctx context.Context) (verify.Size, error) {
	var size verify.Size
	var err error
	if size.Users, err = d.users.EstimatedDocumentCount(ctx); err != nil {
		return size, fmt.Errorf("count the original's users: %w", err)
	}
	cursor, err := d.events.Aggregate(ctx, mongo.Pipeline{{{Key: "$group", Value: bson.D{
		{Key: "_id", Value: nil},
		{Key: "events", Value: bson.D{{Key: "$sum", Value: 1}}},
		{Key: "registrations", Value: bson.D{{Key: "$sum", Value: bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$isArray", Value: "$registration_ids"}}, bson.D{{Key: "$size", Value: "$registration_ids"}}, 0,
		}}}}}},
	}}}})
	if err != nil {
		return size, fmt.Errorf("count the original's events: %w", err)
	}
	var sums []struct{ Events, Registrations int64 }
	if err := cursor.All(ctx, &sums); err != nil {
		return size, fmt.Errorf("count the original's events: %w", err)
	}
	for _, sum := range sums {
		size.Events, size.Registrations = sum.Events, sum.Registrations
	}
	return size, nil
}

// User is a user of the original.
type User struct {
	Key       string // the _id as text, also when it is no ObjectID
	ID        store.ID
	Name      string
	Email     string
	Password  string // as it was typed
	CreatedAt time.Time
	Odd       []string // what is missing or not of its type; the field is then empty
	HasID     bool     // whether _id is an ObjectID
}

// Event is an event of the original.
type Event struct {
	Key         string
	ID          store.ID
	OrganizerID store.ID
	Title       string
	Description string
	Capacity    int64
	TicketsSold int64
	StartsAt    time.Time
	EndsAt      time.Time
	CreatedAt   time.Time
	Odd         []string
	HasID       bool

	// Roster are the registered users in order of registration, each once, at their first
	// place in registration_ids.
	Roster     []store.ID
	Duplicates []store.ID // entries that repeat an earlier one
	Unreadable []string   // entries that are no ids
}

// Users reads all users by _id, which is the order in which they signed up.
func (d *DB) Users(ctx context.Context) iter.Seq2[User, error] {
	// Hashing takes long: a batch must be used up before the server closes an idle cursor.
	return read(ctx, d.users, 500, parseUser)
}

// Events reads all events by _id.
func (d *DB) Events(ctx context.Context) iter.Seq2[Event, error] {
	return read(ctx, d.events, 20, parseEvent)
}

func read[T any](ctx context.Context, from *mongo.Collection, batch int32, parse func(bson.Raw) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, err := from.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(batch))
		if err != nil {
			yield(none, fmt.Errorf("read the original's %s: %w", from.Name(), err))
			return
		}
		defer cursor.Close(context.WithoutCancel(ctx))
		for cursor.Next(ctx) {
			if !yield(parse(cursor.Current), nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(none, fmt.Errorf("read the original's %s: %w", from.Name(), err))
		}
	}
}

// document reads the fields of one document and notes what is odd about them.
type document struct {
	raw bson.Raw
	odd []string
}

func (d *document) note(format string, args ...any) {
	d.odd = append(d.odd, fmt.Sprintf(format, args...))
}

// key is the _id as text, and as an id if it is one.
func (d *document) key() (text string, id store.ID, ok bool) {
	v := d.raw.Lookup("_id")
	if id, ok = v.ObjectIDOK(); ok {
		return id.Hex(), id, true
	}
	return v.String(), store.ID{}, false
}

func (d *document) lookup(field string) (bson.RawValue, bool) {
	v, err := d.raw.LookupErr(field)
	if err != nil || v.Type == bson.TypeNull || v.Type == bson.TypeUndefined {
		d.note("%s is missing", field)
		return bson.RawValue{}, false
	}
	return v, true
}

func (d *document) text(field string) string {
	v, ok := d.lookup(field)
	if !ok {
		return ""
	}
	s, ok := v.StringValueOK()
	if !ok {
		d.note("%s is a %s, not a text", field, v.Type)
	}
	return s
}

// optional is text that may be missing.
func (d *document) optional(field string) string {
	if v, err := d.raw.LookupErr(field); err != nil || v.Type == bson.TypeNull {
		return ""
	}
	return d.text(field)
}

func (d *document) id(field string) store.ID {
	v, ok := d.lookup(field)
	if !ok {
		return store.ID{}
	}
	id, ok := idOf(v)
	if !ok {
		d.note("%s is not an id: %s", field, v)
	}
	return id
}

// idOf takes an ObjectID, or one that was written as text.
func idOf(v bson.RawValue) (store.ID, bool) {
	if id, ok := v.ObjectIDOK(); ok {
		return id, true
	}
	if s, ok := v.StringValueOK(); ok {
		if id, err := store.ParseID(s); err == nil {
			return id, true
		}
	}
	return store.ID{}, false
}

func (d *document) number(field string) int64 {
	v, ok := d.lookup(field)
	if !ok {
		return 0
	}
	if n, ok := v.AsInt64OK(); ok {
		return n
	}
	d.note("%s is a %s, not a whole number", field, v.Type)
	return 0
}

// instant reads a time; without one it is otherwise.
func (d *document) instant(field string, otherwise time.Time) time.Time {
	v, ok := d.lookup(field)
	if !ok {
		return otherwise
	}
	if t, ok := v.TimeOK(); ok {
		if !t.UTC().IsZero() {
			return t.UTC()
		}
		d.note("%s is not set", field)
		return otherwise
	}
	if s, ok := v.StringValueOK(); ok {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t.UTC().Truncate(time.Millisecond)
		}
	}
	d.note("%s is not a time: %s", field, v)
	return otherwise
}

func parseUser(raw bson.Raw) User {
	d := document{raw: raw}
	var u User
	u.Key, u.ID, u.HasID = d.key()
	u.Name, u.Email, u.Password = d.text("name"), d.text("email"), d.text("password")
	u.CreatedAt = d.instant("created_at", u.ID.Timestamp().UTC()) // an ObjectID tells when it was made
	u.Odd = d.odd
	return u
}

func parseEvent(raw bson.Raw) Event {
	d := document{raw: raw}
	var e Event
	e.Key, e.ID, e.HasID = d.key()
	e.OrganizerID = d.id("organizer_id")
	e.Title, e.Description = d.text("title"), d.optional("description")
	e.Capacity, e.TicketsSold = d.number("capacity"), d.number("tickets_sold")
	e.CreatedAt = d.instant("created_at", e.ID.Timestamp().UTC())
	e.StartsAt = d.instant("starts_at", e.CreatedAt)
	e.EndsAt = d.instant("ends_at", e.StartsAt)
	// The original writes null while nobody is registered.
	if v, err := raw.LookupErr("registration_ids"); err == nil && v.Type != bson.TypeNull {
		array, ok := v.ArrayOK()
		if ok {
			e.roster(array)
		} else {
			d.note("registration_ids is a %s, not an array: %s", v.Type, v)
			e.Unreadable = append(e.Unreadable, v.String())
		}
	}
	e.Odd = d.odd
	return e
}

func (e *Event) roster(array bson.RawArray) {
	seen := make(map[store.ID]bool)
	entries, err := array.Values()
	if err != nil {
		e.Unreadable = append(e.Unreadable, err.Error())
	}
	for _, v := range entries {
		id, ok := idOf(v)
		switch {
		case !ok || id.IsZero():
			e.Unreadable = append(e.Unreadable, v.String())
		case seen[id]:
			e.Duplicates = append(e.Duplicates, id)
		default:
			seen[id] = true
			e.Roster = append(e.Roster, id)
		}
	}
}
