package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// Step is one step of the schema. It may be interrupted anywhere and then begins again, also on
// another machine, so running it twice must have the same effect as running it once.
type Step struct {
	Name string
	// Run changes db. A step that takes long calls done with how many of all records it has
	// changed.
	Run func(ctx context.Context, db *mongo.Database, done func(n, all int64)) error
}

// Steps returns all steps: the first leads to version 1. To change the schema, add one at the end.
// A step that was released is never changed.
func Steps() []Step {
	return []Step{
		{"collections and indexes", createFirstIndexes},
		{"the index of registrations gets its name", renameNumberIndex},
		{"events are found by their words and places left", fillSearch},
		{"sessions, erased users and when registrations were cancelled", indexesOf(accountStep)},
		{"quotas, deleted events and proven addresses", indexesOf(quotaStep)},
		{"the record of changes", createChanges},
		{addressStep, renewKeys},
		{"consumers of the record and webhooks", indexesOf(webhookStep)},
		{"mails, their tokens and what people want of mail", indexesOf(mailStep)},
		{"gaps in waiting lists", countGaps},
		{"keys of programs", indexesOf(apiKeyStep)},
		{"people of other issuers", indexesOf(identityStep)},
		{"refusals are counted", indexesOf(refusalStep)},
		{"sold out is said for a while", indexesOf(leaseStep)},
	}
}

// The numbers of steps that make indexes and do nothing else. Documents need no change by them: a field that is missing
// is false, or the zero time, and a registration that was cancelled gets its cancelled_at when it is next looked for.
const (
	accountStep  = 4  // of sessions, erased users and cancelled registrations
	quotaStep    = 5  // of quotas
	webhookStep  = 8  // of webhooks
	mailStep     = 9  // of mails
	apiKeyStep   = 11 // of keys of programs
	identityStep = 12 // of links with people of other issuers, and of locked users
	refusalStep  = 13 // of refusals
	leaseStep    = 14 // none: from here on no worker starts that frees a seat without waiting for leases
)

// indexesOf returns the Run of a step that makes its own indexes.
func indexesOf(step int) func(context.Context, *mongo.Database, func(n, all int64)) error {
	return func(ctx context.Context, db *mongo.Database, _ func(n, all int64)) error {
		return createIndexes(ctx, db, step)
	}
}

// createFirstIndexes is step 1: it makes the indexes that every start made before there were
// versions. It refuses a database whose documents are of another program.
func createFirstIndexes(ctx context.Context, db *mongo.Database, _ func(n, all int64)) error {
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
	return createIndexes(ctx, db, 1)
}

// createChanges is step 6: it makes the collection of the record of changes. A transaction could make
// it too, but would then keep others waiting.
func createChanges(ctx context.Context, db *mongo.Database, _ func(n, all int64)) error {
	err := db.CreateCollection(ctx, "changes")
	if mongodb.HasCode(err, mongodb.CodeNamespaceExists) {
		return nil
	}
	return err
}

// misnamed is the name that NumberIndex had by mistake before step 2.
const misnamed = "email_key_1"

// renameNumberIndex is step 2: it gives NumberIndex its own name. MongoDB cannot rename an index,
// and allows no two with the same keys. Yet at every moment there must be an index that keeps a
// number from being given twice, and by which the roster is found. So a stand-in index takes over
// for a while: it has the same keys and one more, which no document has. So it is as unique, and as
// good for the same queries.
func renameNumberIndex(ctx context.Context, db *mongo.Database, _ func(n, all int64)) error {
	want := NumberIndex()
	standIn := want
	standIn.Keys = append(slices.Clone(want.Keys), "nothing")
	registrations := db.Collection(want.Collection)
	drop := func(name string) error {
		err := registrations.Indexes().DropOne(ctx, name)
		if mongodb.HasCode(err, mongodb.CodeIndexNotFound) {
			return nil
		}
		return err
	}
	// A process of the version before that starts in between makes the misnamed index again.
	for retries := 3; ; retries-- {
		found, err := ListIndexes(ctx, registrations)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(found, func(d IndexDoc) bool { return d.Name == want.Name() && d.Is(want) }) {
			return drop(standIn.Name())
		}
		if err := standIn.Create(ctx, db); err != nil {
			return err
		}
		if err := drop(misnamed); err != nil {
			return err
		}
		err = want.Create(ctx, db)
		if err != nil && (retries == 0 || !mongodb.HasCode(err, mongodb.CodeIndexOptionsConflict)) {
			return err
		}
	}
}
