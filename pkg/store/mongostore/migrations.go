package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
)

// migration is one step of the schema. It may be interrupted anywhere and then begins
// again, also on another machine, so what it does twice must be as if done once.
type migration struct {
	name string
	// run changes db. It calls done with how many of all records it has changed, when that
	// takes long.
	run func(ctx context.Context, db *mongo.Database, done func(n, all int64)) error
}

// migrations are the steps: the first leads to version 1.
func migrations() []migration {
	return []migration{
		{"collections and indexes", firstIndexes},
		{"the index of registrations gets its name", renameNumberIndex},
		{"events are found by their words and places left", fillSearch},
	}
}

// index is one that a collection must have.
type index struct {
	on     string // collection
	keys   []string
	unique bool
	sparse bool
	ttl    bool // documents go at the time in the field
	since  int  // the step that makes it
}

// indexes are all that the newest version has, beside those on _id. A step makes its own
// with ensure; one that is missing later is made by whoever starts.
func indexes() []index {
	return []index{
		{on: "users", keys: []string{"email_key"}, unique: true, since: 1},
		{on: "users", keys: []string{"password_changed_at"}, sparse: true, since: 1},
		{on: "events", keys: []string{"starts_at", "_id"}, since: 1},
		{on: "events", keys: []string{"organizer_id", "starts_at", "_id"}, since: 1},
		{on: "events", keys: []string{"beginnings", "starts_at", "_id"}, since: searchStep},
		{on: "events", keys: []string{"available", "starts_at", "_id"}, since: searchStep},
		{on: "events", keys: []string{"organizer_id", "available", "starts_at", "_id"}, since: searchStep},
		{on: "idempotency_keys", keys: []string{"expires_at"}, ttl: true, since: 1},
		numberIndex(),
	}
}

// numberIndex is for the roster and the waiting list: those who left are apart, so that
// neither grows by them, and a position is counted in the index alone.
func numberIndex() index {
	return index{on: "registrations", keys: []string{"_id.event_id", "cancelled", "number"}, unique: true, since: 1}
}

// name is what MongoDB itself would call the index.
func (i index) name() string { return strings.Join(i.keys, "_1_") + "_1" }

// make creates the index. One that is there already is left.
func (i index) make(ctx context.Context, db *mongo.Database) error {
	keys := make(bson.D, len(i.keys))
	for n, key := range i.keys {
		keys[n] = bson.E{Key: key, Value: 1}
	}
	how := options.Index().SetName(i.name())
	if i.unique {
		how.SetUnique(true)
	}
	if i.sparse {
		how.SetSparse(true)
	}
	if i.ttl {
		how.SetExpireAfterSeconds(0)
	}
	if _, err := db.Collection(i.on).Indexes().CreateOne(ctx, mongo.IndexModel{Keys: keys, Options: how}); err != nil {
		return fmt.Errorf("make the index %s of %s: %w", i.name(), i.on, err)
	}
	return nil
}

// indexDoc is what a server tells about an index.
type indexDoc struct {
	Name   string `bson:"name"`
	Key    bson.D `bson:"key"`
	Unique bool   `bson:"unique"`
}

// is reports whether the index has these keys, in ascending order, and is unique or not.
func (d indexDoc) is(keys []string, unique bool) bool {
	if d.Unique != unique || len(d.Key) != len(keys) {
		return false
	}
	for i, e := range d.Key {
		if e.Key != keys[i] || fmt.Sprint(e.Value) != "1" {
			return false
		}
	}
	return true
}

// indexesOf lists the indexes of a collection; one that does not exist has none.
func indexesOf(ctx context.Context, c *mongo.Collection) ([]indexDoc, error) {
	cursor, err := c.Indexes().List(ctx)
	if err != nil {
		return nil, err
	}
	var found []indexDoc
	err = cursor.All(ctx, &found)
	return found, err
}

// missing lists those of the wanted indexes that are not there, under whatever name.
func missing(ctx context.Context, db *mongo.Database, wanted []index) ([]index, error) {
	found := make(map[string][]indexDoc) // by collection
	var absent []index
	for _, want := range wanted {
		if _, known := found[want.on]; !known {
			docs, err := indexesOf(ctx, db.Collection(want.on))
			if err != nil {
				return nil, fmt.Errorf("list the indexes of %s: %w", want.on, err)
			}
			found[want.on] = docs
		}
		there := false
		for _, d := range found[want.on] {
			there = there || d.is(want.keys, want.unique)
		}
		if !there {
			absent = append(absent, want)
		}
	}
	return absent, nil
}

// ensure makes those indexes of a step that are missing.
func ensure(ctx context.Context, db *mongo.Database, step int) error {
	wanted := slices.DeleteFunc(indexes(), func(i index) bool { return i.since != step })
	absent, err := missing(ctx, db, wanted)
	for i := 0; err == nil && i < len(absent); i++ {
		err = absent[i].make(ctx, db)
	}
	return err
}

// firstIndexes is step 1: what was made at every start before there were versions. It
// refuses a database whose documents are of another shape.
func firstIndexes(ctx context.Context, db *mongo.Database, _ func(n, all int64)) error {
	for _, c := range []struct{ name, field string }{
		{"users", "email_key"}, {"events", "revision"}, {"registrations", "request_id"},
	} {
		raw, err := db.Collection(c.name).FindOne(ctx, bson.D{}).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := raw.LookupErr(c.field); err != nil {
			return fmt.Errorf("%w: the documents of %s have no %s: the database is of another program, or of the original, which eventio import brings over",
				store.ErrSchema, c.name, c.field)
		}
	}
	return ensure(ctx, db, 1)
}

// misnamed is what the index of numbers was called, because one options value was used for
// two indexes.
const misnamed = "email_key_1"

// renameNumberIndex is step 2. MongoDB cannot rename an index and takes no second one with
// the same keys, and at every moment one must keep a number from being given twice and find
// the roster. So a stand-in takes over for a while: its keys are those of the index and a
// field that no document has, which makes it as unique, and as good for the same queries.
func renameNumberIndex(ctx context.Context, db *mongo.Database, _ func(n, all int64)) error {
	want := numberIndex()
	standIn := want
	standIn.keys = append(slices.Clone(want.keys), "nothing")
	registrations := db.Collection(want.on)
	drop := func(name string) error {
		err := registrations.Indexes().DropOne(ctx, name)
		if hasCode(err, codeIndexNotFound) {
			return nil
		}
		return err
	}
	// A process of the version before that starts in between makes the misnamed one again.
	for tries := 3; ; tries-- {
		found, err := indexesOf(ctx, registrations)
		if err != nil {
			return err
		}
		right := false
		for _, d := range found {
			right = right || d.Name == want.name() && d.is(want.keys, want.unique)
		}
		if right {
			return drop(standIn.name())
		}
		if err := standIn.make(ctx, db); err != nil {
			return err
		}
		if err := drop(misnamed); err != nil {
			return err
		}
		err = want.make(ctx, db)
		if err != nil && (tries == 0 || !hasCode(err, codeIndexOptionsConflict)) {
			return err
		}
	}
}
