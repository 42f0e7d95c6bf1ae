package mongostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/people"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/scan"
	"github.com/eventio/eventio/pkg/store/verify"
)

// VerifyReader implements verify.Reader. It never writes, not even a missing index.
type VerifyReader struct {
	s       *Store
	version int // of the schema
}

var _ verify.Reader = (*VerifyReader)(nil)

// OpenVerifyReader connects to the replica set at uri. It refuses a schema that is newer than it
// knows with store.ErrSchema.
func OpenVerifyReader(ctx context.Context, uri string) (*VerifyReader, error) {
	s, err := connect(uri, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	schema, err := migrate.New(s.users.Database(), zerolog.Nop()).Schema(ctx)
	if err == nil {
		err = schema.CheckKnown()
	}
	if err == nil {
		_, err = s.readDatabaseID(ctx) // not Ping, because the user may have no right to write
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &VerifyReader{s: s, version: schema.Version}, nil
}

// Close closes all connections.
func (r *VerifyReader) Close() error { return r.s.Close() }

// Size implements verify.Reader, by the metadata of the collections.
func (r *VerifyReader) Size(ctx context.Context) (verify.Size, error) {
	var size verify.Size
	for _, part := range []struct {
		to   *int64
		from *mongo.Collection
	}{{&size.Users, r.s.users}, {&size.Events, r.s.events}, {&size.Registrations, r.s.registrations}} {
		n, err := part.from.EstimatedDocumentCount(ctx)
		if err != nil {
			return verify.Size{}, fmt.Errorf("count %s: %w", part.from.Name(), mongodb.ReadError(err, nil))
		}
		*part.to = n
	}
	return size, nil
}

// CheckConstraints implements verify.Reader: it checks the unique indexes. The _id of
// registrations, by which no user has two of them, cannot be missing.
func (r *VerifyReader) CheckConstraints(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		prevents := map[string]string{
			"users": "two users from one e-mail address", "registrations": "a number from being given twice",
		}
		for _, i := range migrate.Indexes() {
			if !i.Unique {
				continue
			}
			missing, err := migrate.Missing(ctx, r.s.users.Database(), []migrate.Index{i})
			if err != nil {
				yield(mongodb.ReadError(err, nil))
				return
			}
			if len(missing) > 0 && !yield(scan.Damaged("collection %s: the unique index on %s is missing: nothing keeps %s (a worker makes it when it starts)",
				i.Collection, strings.Join(i.Keys, ", "), prevents[i.Collection])) {
				return
			}
		}
	}
}

// ReadUsers implements verify.Reader.
func (r *VerifyReader) ReadUsers(ctx context.Context) iter.Seq2[verify.StoredUser, error] {
	// Without the index, which may be missing, the server sorts on disk.
	order := options.Find().SetSort(bson.D{{Key: "email_key", Value: 1}}).SetAllowDiskUse(true)
	return scan.Documents(ctx, r.s.users, bson.D{}, order, func(raw bson.Raw) (verify.StoredUser, error) {
		var d people.UserDoc
		if err := bson.Unmarshal(raw, &d); err != nil {
			return verify.StoredUser{}, scan.Damaged("user %s: it cannot be read: %v", raw.Lookup("_id"), err)
		}
		if !slices.Contains(store.EmailKeys(d.Email), d.EmailKey) {
			return verify.StoredUser{}, scan.Damaged("user %s: email_key does not belong to the address", d.ID.Hex())
		}
		return verify.StoredUser{User: store.User{
			ID: d.ID, Name: d.Name, Email: d.Email, PasswordHash: d.PasswordHash, CreatedAt: d.CreatedAt,
		}, EmailKey: d.EmailKey}, nil
	})
}

// pageSize is how many ids are read at once. The server closes a cursor that is idle for ten
// minutes, so none may stay open while everything is checked.
const pageSize = 1000

// ReadEventIDs implements verify.Reader.
func (r *VerifyReader) ReadEventIDs(ctx context.Context) iter.Seq2[store.ID, error] {
	return func(yield func(store.ID, error) bool) {
		how := options.Find().SetProjection(mongodb.OnlyID())
		for _, malformed := range []struct {
			in          *mongo.Collection
			field, what string
		}{{r.s.events, "_id", "event"}, {r.s.registrations, "_id.event_id", "registration"}} {
			for id, err := range scan.Documents(ctx, malformed.in, scan.NotObjectID(malformed.field), how, func(raw bson.Raw) (store.ID, error) {
				return store.ID{}, scan.Damaged("%s %s: the id of an event is an ObjectID", malformed.what, raw.Lookup("_id"))
			}) {
				if !yield(id, err) || !errors.Is(err, store.ErrDamaged) {
					return
				}
			}
		}
		var after store.ID
		for {
			filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}
			page, err := mongodb.FindAll[struct {
				ID store.ID `bson:"_id"`
			}](ctx, r.s.events, filter, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(pageSize).
				SetProjection(mongodb.OnlyID()))
			if err != nil {
				yield(store.ID{}, fmt.Errorf("read events: %w", mongodb.ReadError(err, nil)))
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
		for id, err := range scan.Orphaned(ctx, r.s.events, r.s.registrations, pageSize) {
			if !yield(id, err) {
				return
			}
		}
	}
}
