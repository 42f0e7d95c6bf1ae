package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Index is an index that a collection must have.
type Index struct {
	Collection string
	Keys       []string // ascending
	Unique     bool
	sparse     bool
	expires    bool // documents are removed at the time in the indexed field
	cancelled  bool // only of documents whose field cancelled is true
	Step       int  // the number of the step that creates it
}

// Indexes returns all indexes that the newest version has, beside those on _id. A step makes its
// own by createIndexes; one that is missing later is made by whoever starts.
func Indexes() []Index {
	return []Index{
		{Collection: "users", Keys: []string{"email_key"}, Unique: true, Step: 1},
		{Collection: "users", Keys: []string{"password_changed_at"}, sparse: true, Step: 1},
		{Collection: "events", Keys: []string{"starts_at", "_id"}, Step: 1},
		{Collection: "events", Keys: []string{"organizer_id", "starts_at", "_id"}, Step: 1},
		{Collection: "events", Keys: []string{"beginnings", "starts_at", "_id"}, Step: SearchStep},
		{Collection: "events", Keys: []string{"available", "starts_at", "_id"}, Step: SearchStep},
		{Collection: "events", Keys: []string{"organizer_id", "available", "starts_at", "_id"}, Step: SearchStep},
		{Collection: "idempotency_keys", Keys: []string{"expires_at"}, expires: true, Step: 1},
		NumberIndex(),
		{Collection: "registrations", Keys: []string{"cancelled_at"}, cancelled: true, Step: accountStep},
		{Collection: "sessions", Keys: []string{"user_id", "_id"}, Step: accountStep},
		{Collection: "sessions", Keys: []string{"ended_at"}, sparse: true, Step: accountStep},
		{Collection: "sessions", Keys: []string{"removed_at"}, expires: true, Step: accountStep},
		{Collection: "erased_users", Keys: []string{"erased_at"}, Step: accountStep},
		{Collection: "quotas", Keys: []string{"expires_at"}, expires: true, Step: quotaStep},
		{Collection: "webhooks", Keys: []string{"owner_id", "_id"}, Step: webhookStep},
		{Collection: "webhooks", Keys: []string{"all_events", "_id"}, sparse: true, Step: webhookStep},
		{Collection: "webhook_marks", Keys: []string{"due_to_tell", "_id.webhook_id", "_id.event_id"}, Step: webhookStep},
		{Collection: "webhook_marks", Keys: []string{"_id.event_id"}, Step: webhookStep},
		{Collection: "mails", Keys: []string{"due_at"}, sparse: true, Step: mailStep},
		{Collection: "mails", Keys: []string{"user_id"}, Step: mailStep},
		{Collection: "mails", Keys: []string{"removed_at"}, expires: true, Step: mailStep},
		{Collection: "mail_tokens", Keys: []string{"user_id", "kind"}, Step: mailStep},
		{Collection: "mail_tokens", Keys: []string{"expires_at"}, expires: true, Step: mailStep},
		{Collection: "mail_settings", Keys: []string{"token"}, Unique: true, Step: mailStep},
		{Collection: "api_keys", Keys: []string{"owner_id", "_id"}, Step: apiKeyStep},
		{Collection: "api_keys", Keys: []string{"changed_at"}, Step: apiKeyStep},
		{Collection: "api_keys", Keys: []string{"removed_at"}, expires: true, Step: apiKeyStep},
		{Collection: "users", Keys: []string{"locked_at"}, sparse: true, Step: identityStep},
		{Collection: "identity_links", Keys: []string{"changed_at"}, Step: identityStep},
		{Collection: "identity_links", Keys: []string{"user_id"}, Step: identityStep},
		{Collection: "refusals", Keys: []string{"expires_at"}, expires: true, Step: refusalStep},
	}
}

// NumberIndex returns the index of registrations by number, for the roster and the waiting list.
// Cancelled registrations are apart, so that neither list gets slower by them, and a position is
// counted in the index alone.
func NumberIndex() Index {
	return Index{Collection: "registrations", Keys: []string{"_id.event_id", "cancelled", "number"}, Unique: true, Step: 1}
}

// Name returns the index's name, which is the one that MongoDB itself would give it.
func (i Index) Name() string { return strings.Join(i.Keys, "_1_") + "_1" }

// Create creates the index, unless it exists.
func (i Index) Create(ctx context.Context, db *mongo.Database) error {
	keys := make(bson.D, len(i.Keys))
	for n, key := range i.Keys {
		keys[n] = bson.E{Key: key, Value: 1}
	}
	how := options.Index().SetName(i.Name())
	if i.Unique {
		how.SetUnique(true)
	}
	if i.sparse {
		how.SetSparse(true)
	}
	if i.cancelled {
		how.SetPartialFilterExpression(bson.D{{Key: "cancelled", Value: true}})
	}
	if i.expires {
		how.SetExpireAfterSeconds(0)
	}
	if _, err := db.Collection(i.Collection).Indexes().CreateOne(ctx, mongo.IndexModel{Keys: keys, Options: how}); err != nil {
		return fmt.Errorf("make the index %s of %s: %w", i.Name(), i.Collection, err)
	}
	return nil
}

// IndexDoc is what a server tells about an index.
type IndexDoc struct {
	Name   string `bson:"name"`
	Key    bson.D `bson:"key"`
	Unique bool   `bson:"unique"`
}

// Is reports whether the index has the keys of i, in ascending order, and is unique or not as i is.
func (d IndexDoc) Is(i Index) bool {
	if d.Unique != i.Unique || len(d.Key) != len(i.Keys) {
		return false
	}
	for n, e := range d.Key {
		if e.Key != i.Keys[n] || fmt.Sprint(e.Value) != "1" {
			return false
		}
	}
	return true
}

// ListIndexes returns the indexes of a collection; none when it does not exist.
func ListIndexes(ctx context.Context, c *mongo.Collection) ([]IndexDoc, error) {
	cursor, err := c.Indexes().List(ctx)
	if err != nil {
		return nil, err
	}
	var found []IndexDoc
	err = cursor.All(ctx, &found)
	return found, err
}

// Missing returns those of the wanted indexes that do not exist, under whatever name.
func Missing(ctx context.Context, db *mongo.Database, wanted []Index) ([]Index, error) {
	found := make(map[string][]IndexDoc) // by collection
	var missing []Index
	for _, want := range wanted {
		if _, known := found[want.Collection]; !known {
			docs, err := ListIndexes(ctx, db.Collection(want.Collection))
			if err != nil {
				return nil, fmt.Errorf("list the indexes of %s: %w", want.Collection, err)
			}
			found[want.Collection] = docs
		}
		if !slices.ContainsFunc(found[want.Collection], func(d IndexDoc) bool { return d.Is(want) }) {
			missing = append(missing, want)
		}
	}
	return missing, nil
}

// createIndexes creates those indexes of a step that are missing.
func createIndexes(ctx context.Context, db *mongo.Database, step int) error {
	wanted := slices.DeleteFunc(Indexes(), func(i Index) bool { return i.Step != step })
	missing, err := Missing(ctx, db, wanted)
	for i := 0; err == nil && i < len(missing); i++ {
		err = missing[i].Create(ctx, db)
	}
	return err
}
