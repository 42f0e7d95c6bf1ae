package mongostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
)

// VerifyReader reads a database for a proof and never writes, not even an index.
type VerifyReader struct {
	s       *Store
	version int // of the schema
}

var _ store.VerifyReader = (*VerifyReader)(nil)

// OpenVerifyReader connects to the replica set at uri. It refuses a schema that is newer than it
// knows with store.ErrSchema.
func OpenVerifyReader(ctx context.Context, uri string) (*VerifyReader, error) {
	s, err := connect(uri, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	schema, err := newMigrator(s.users.Database(), zerolog.Nop()).Schema(ctx)
	if err == nil {
		err = schema.Fits()
	}
	if err == nil {
		_, err = s.readDatabaseID(ctx) // is it there? Not by Ping: a proof may have no right to write
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &VerifyReader{s: s, version: schema.Version}, nil
}

// Close closes all connections.
func (a *VerifyReader) Close() error { return a.s.Close() }

// Size implements store.VerifyReader: the counts in the collections' metadata.
func (a *VerifyReader) Size(ctx context.Context) (store.Size, error) {
	var size store.Size
	for _, part := range []struct {
		to   *int64
		from *mongo.Collection
	}{{&size.Users, a.s.users}, {&size.Events, a.s.events}, {&size.Registrations, a.s.registrations}} {
		n, err := part.from.EstimatedDocumentCount(ctx)
		if err != nil {
			return store.Size{}, fmt.Errorf("count %s: %w", part.from.Name(), readError(err, nil))
		}
		*part.to = n
	}
	return size, nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", store.ErrDamaged, fmt.Sprintf(format, args...))
}

// CheckConstraints implements store.VerifyReader: the unique indexes. That nobody is twice in an event
// is the primary key of registrations, which no server can be without.
func (a *VerifyReader) CheckConstraints(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		keeps := map[string]string{
			"users": "two users from one e-mail address", "registrations": "a number from being given twice",
		}
		for _, i := range indexes() {
			if !i.unique {
				continue
			}
			absent, err := missing(ctx, a.s.users.Database(), []index{i})
			if err != nil {
				yield(readError(err, nil))
				return
			}
			if len(absent) > 0 && !yield(damaged("collection %s: the unique index on %s is missing: nothing keeps %s (a worker makes it when it starts)",
				i.on, strings.Join(i.keys, ", "), keeps[i.on])) {
				return
			}
		}
	}
}

// ReadUsers implements store.VerifyReader.
func (a *VerifyReader) ReadUsers(ctx context.Context) iter.Seq2[store.User, error] {
	// The index may be missing; then the server sorts on disk.
	order := options.Find().SetSort(bson.D{{Key: "email_key", Value: 1}}).SetAllowDiskUse(true)
	return readDocuments(ctx, a.s.users, bson.D{}, order, func(raw bson.Raw) (store.User, error) {
		var d userDoc
		if err := bson.Unmarshal(raw, &d); err != nil {
			return store.User{}, damaged("user %s: it cannot be read: %v", raw.Lookup("_id"), err)
		}
		if d.EmailKey != store.EmailKey(d.Email) {
			return store.User{}, damaged("user %s: email_key does not belong to the address", d.ID.Hex())
		}
		return store.User{
			ID: d.ID, Name: d.Name, Email: d.Email, PasswordHash: d.PasswordHash, CreatedAt: d.CreatedAt.UTC(),
		}, nil
	})
}

// readDocuments yields the documents of a query; one that convert finds damaged is passed on as
// that, and the next one follows.
func readDocuments[T any](ctx context.Context, from *mongo.Collection, filter any, how *options.FindOptionsBuilder, convert func(bson.Raw) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, err := from.Find(ctx, filter, how)
		if err != nil {
			yield(none, fmt.Errorf("read %s: %w", from.Name(), readError(err, nil)))
			return
		}
		defer cursor.Close(context.WithoutCancel(ctx))
		for cursor.Next(ctx) {
			if !yield(convert(cursor.Current)) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(none, fmt.Errorf("read %s: %w", from.Name(), readError(err, nil)))
		}
	}
}

// notObjectID selects documents whose field is no id.
func notObjectID(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$type", Value: "objectId"}}}}}}
}

// pageSize is how many ids are read at once. A cursor that stayed open for the whole proof
// would be closed by the server after ten idle minutes.
const pageSize = 1000

// ReadEventIDs implements store.VerifyReader.
func (a *VerifyReader) ReadEventIDs(ctx context.Context) iter.Seq2[store.ID, error] {
	return func(yield func(store.ID, error) bool) {
		onlyKey := options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}})
		for _, strange := range []struct {
			in          *mongo.Collection
			field, what string
		}{{a.s.events, "_id", "event"}, {a.s.registrations, "_id.event_id", "registration"}} {
			for id, err := range readDocuments(ctx, strange.in, notObjectID(strange.field), onlyKey, func(raw bson.Raw) (store.ID, error) {
				return store.ID{}, damaged("%s %s: the id of an event is an ObjectID", strange.what, raw.Lookup("_id"))
			}) {
				if !yield(id, err) || !errors.Is(err, store.ErrDamaged) {
					return
				}
			}
		}
		var after store.ID
		for {
			filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}
			page, err := all[struct {
				ID store.ID `bson:"_id"`
			}](ctx, a.s.events, filter, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(pageSize).
				SetProjection(bson.D{{Key: "_id", Value: 1}}))
			if err != nil {
				yield(store.ID{}, fmt.Errorf("read events: %w", readError(err, nil)))
				return
			}
			for _, d := range page {
				if !yield(d.ID, nil) {
					return
				}
			}
			if len(page) < pageSize {
				break
			}
			after = page[pageSize-1].ID
		}
		for id, err := range a.orphaned(ctx) {
			if !yield(id, err) {
				return
			}
		}
	}
}

// orphaned yields the ids of events that registrations name and that do not exist.
func (a *VerifyReader) orphaned(ctx context.Context) iter.Seq2[store.ID, error] {
	pipeline := mongo.Pipeline{
		// Sorted and grouped by the first field of an index: one key is read for each event.
		{{Key: "$sort", Value: bson.D{{Key: "_id.event_id", Value: 1}, {Key: "cancelled", Value: 1}, {Key: "number", Value: 1}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$_id.event_id"}}}},
		{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: "objectId"}}}}}},
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: a.s.events.Name()}, {Key: "localField", Value: "_id"},
			{Key: "foreignField", Value: "_id"}, {Key: "as", Value: "event"},
		}}},
		{{Key: "$match", Value: bson.D{{Key: "event", Value: bson.D{{Key: "$size", Value: 0}}}}}},
	}
	type group struct {
		ID store.ID `bson:"_id"`
	}
	return streamCursor(ctx, a.s.registrations.Name(), func() (*mongo.Cursor, error) {
		return a.s.registrations.Aggregate(ctx, pipeline, options.Aggregate().SetAllowDiskUse(true))
	}, func(g group) store.ID { return g.ID })
}

// ReadEvent implements store.VerifyReader: all reads are of one snapshot, which the server
// keeps for minSnapshotHistoryWindowInSeconds (300 by default).
func (a *VerifyReader) ReadEvent(ctx context.Context, id store.ID, look func(store.EventSnapshot) error) error {
	session, err := a.s.client.StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return nothingStored(err)
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	ctx = mongo.NewSessionContext(ctx, session)
	v := store.EventSnapshot{}
	raw, err := a.s.events.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Raw()
	switch {
	case err == nil:
		var d storedEvent
		if err := bson.Unmarshal(raw, &d); err != nil {
			return damaged("event %s: it cannot be read: %v", id.Hex(), err)
		}
		v.Event, v.Found = d.Event.event(), true
		if a.version >= searchStep {
			v.Unfindable = d.unfindable()
		}
	case !errors.Is(err, mongo.ErrNoDocuments):
		return fmt.Errorf("read event %s: %w", id.Hex(), readError(err, nil))
	}
	err = a.s.users.FindOne(ctx, bson.D{{Key: "_id", Value: v.Event.OrganizerID}},
		options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if v.OrganizerKnown = err == nil; err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return fmt.Errorf("read the organizer of event %s: %w", id.Hex(), readError(err, nil))
	}
	v.Rows = a.rows(ctx, id)
	return look(v)
}

// rows yields all registrations of an event by number.
func (a *VerifyReader) rows(ctx context.Context, id store.ID) iter.Seq2[store.Registration, error] {
	filter := func(op string) bson.D {
		return bson.D{{Key: "_id.event_id", Value: id}, {Key: "cancelled", Value: bson.D{{Key: op, Value: bson.A{false, true}}}}}
	}
	return func(yield func(store.Registration, error) bool) {
		for r, err := range readDocuments(ctx, a.s.registrations, filter("$nin"), options.Find(), func(raw bson.Raw) (store.Registration, error) {
			return store.Registration{}, damaged("the registration %s: cancelled is neither true nor false", raw.Lookup("_id"))
		}) {
			if !yield(r, err) {
				return
			}
		}
		// In the order of the index: the server merges the two parts without sorting.
		for r, err := range readDocuments(ctx, a.s.registrations, filter("$in"), byNumber().SetAllowDiskUse(true), func(raw bson.Raw) (store.Registration, error) {
			return a.row(ctx, raw)
		}) {
			if !yield(r, err) {
				return
			}
		}
	}
}

// row reads a registration and proves its key: only because each user and event have one
// possible key does its being unique keep a user from being there twice.
func (a *VerifyReader) row(ctx context.Context, raw bson.Raw) (store.Registration, error) {
	var d registrationDoc
	if err := bson.Unmarshal(raw, &d); err != nil {
		return store.Registration{}, damaged("the registration %s cannot be read: %v", raw.Lookup("_id"), err)
	}
	key, ok := raw.Lookup("_id").DocumentOK()
	if ok && canonical(key) {
		return d.registration(), nil
	}
	double := a.s.registrations.FindOne(ctx, bson.D{{Key: "_id", Value: d.Key}}).Err()
	if double == nil {
		return store.Registration{}, damaged("user %s is there twice, once under the key %s", d.Key.UserID.Hex(), key)
	}
	return store.Registration{}, damaged("the key %s of a registration is not {user_id, event_id}: it does not keep its user from being there twice", key)
}

// canonical reports whether a key is exactly {user_id: ObjectID, event_id: ObjectID}. It
// looks at the bytes, because it is asked for every registration.
func canonical(key bson.Raw) bool {
	const idSize = 12
	user, event := []byte("\x07user_id\x00"), []byte("\x07event_id\x00")
	at := 4 // after the length
	for _, name := range [][]byte{user, event} {
		if len(key) < at+len(name)+idSize || string(key[at:at+len(name)]) != string(name) {
			return false
		}
		at += len(name) + idSize
	}
	return len(key) == at+1
}
