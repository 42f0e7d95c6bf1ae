package mongostore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/schema"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/storetest/tooltest"
)

// wantSchemaError wants an ErrSchema whose text is one sentence.
func wantSchemaError(t *testing.T, says string, open func(context.Context) error) {
	t.Helper()
	err := open(t.Context())
	if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is %v, want one sentence with %q", err, says)
	}
	if errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v: waiting does not help", err)
	}
}

// setSchema replaces the document of the schema.
func setSchema(tb testing.TB, db *mongo.Database, doc bson.D) {
	tb.Helper()
	_, err := db.Collection("schema").ReplaceOne(tb.Context(), bson.D{{Key: "_id", Value: "schema"}}, doc, options.Replace().SetUpsert(true))
	if err != nil {
		tb.Fatal(err)
	}
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, c := range map[string]struct {
		schema bson.D
		says   string
	}{
		"a newer schema":        {bson.D{{Key: "version", Value: 99}}, "the database has version 99 and this program knows versions up to"},
		"a version that is not": {bson.D{{Key: "version", Value: "two"}}, "cannot be read"},
		"half a version":        {bson.D{{Key: "version", Value: 1.5}}, "cannot be read"},
		"no version":            {bson.D{{Key: "note", Value: "mine"}}, "has no version"},
		"a negative version":    {bson.D{{Key: "version", Value: -1}}, "the database has version -1"},
	} {
		t.Run(name, func(t *testing.T) {
			uri := testenv.MongoDB(t)
			setSchema(t, database(t, uri), c.schema)
			wantSchemaError(t, c.says, func(ctx context.Context) error {
				s, err := Open(ctx, uri, zerolog.Nop())
				if err == nil {
					_ = s.Close()
				}
				return err
			})
		})
	}
	t.Run("the original's database", func(t *testing.T) {
		uri := testenv.MongoDB(t)
		db := database(t, uri)
		if _, err := db.Collection("events").InsertOne(t.Context(), bson.D{{Key: "registration_ids", Value: bson.A{}}}); err != nil {
			t.Fatal(err)
		}
		wantSchemaError(t, "eventio import", func(ctx context.Context) error {
			s, err := Open(ctx, uri, zerolog.Nop())
			if err == nil {
				_ = s.Close()
			}
			return err
		})
	})
}

// TestAddressesGetOneKey checks the step that gives users the new keys of their addresses, what it
// reports, and that it may run twice.
func TestAddressesGetOneKey(t *testing.T) {
	uri := testenv.MongoDB(t)
	db := database(t, uri)
	s, err := Open(t.Context(), uri, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	set := func(id store.ID, email, key string) {
		_, err := db.Collection("users").UpdateOne(t.Context(), bson.D{{Key: "_id", Value: id}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "email", Value: email}, {Key: "email_key", Value: key}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	check := tooltest.OldKeys(t, s, set)
	m, err := OpenMigrator(t.Context(), uri, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	known, err := m.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const before = 6 // the version that the step changes
	for range 2 {
		setSchema(t, db, bson.D{{Key: "version", Value: before}})
		if err := m.Migrate(t.Context(), known.Known, func(schema.Migration) {}); err != nil {
			t.Fatal(err)
		}
	}
	check(s, tooltest.Kept(t, m))
	tooltest.LateKeys(t, s, m, set)
}

// TestACurrentSchemaNeedsNoRightToChangeIt checks that a process which may only read and write
// documents starts, also one that may not see the indexes.
func TestACurrentSchemaNeedsNoRightToChangeIt(t *testing.T) {
	uri := restore(t, 1)
	admin := open(t, uri, "admin")
	app := "app" + store.NewID().Hex()
	for _, commands := range []bson.A{
		{"createIndexes", "dropIndexes", "create", "insert", "update", "findAndModify"},
		{"createIndexes", "dropIndexes", "create", "insert", "update", "findAndModify", "listIndexes"},
	} {
		failPoint(t, admin, "alwaysOn", bson.D{
			{Key: "failCommands", Value: commands}, {Key: "appName", Value: app}, {Key: "errorCode", Value: mongodb.CodeUnauthorized},
		})
		s, err := Open(t.Context(), uri+"&appName="+app, zerolog.Nop())
		failPoint(t, admin, "off", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Run("one that must change it says who may", func(t *testing.T) {
		setSchema(t, admin.users.Database(), bson.D{{Key: "version", Value: 1}})
		failPoint(t, admin, "alwaysOn", bson.D{
			{Key: "failCommands", Value: bson.A{"findAndModify"}}, {Key: "appName", Value: app}, {Key: "errorCode", Value: mongodb.CodeUnauthorized},
		})
		defer failPoint(t, admin, "off", nil)
		wantSchemaError(t, "run eventio migrate as one who may", func(ctx context.Context) error {
			s, err := Open(ctx, uri+"&appName="+app, zerolog.Nop())
			if err == nil {
				_ = s.Close()
			}
			return err
		})
	})
}

func TestAMissingIndexIsMade(t *testing.T) {
	uri := testenv.MongoDB(t)
	s := open(t, uri, "a")
	if err := s.registrations.Indexes().DropOne(t.Context(), migrate.NumberIndex().Name()); err != nil {
		t.Fatal(err)
	}
	s = open(t, uri, "a")
	absent, err := migrate.Missing(t.Context(), s.users.Database(), migrate.Indexes())
	if err != nil || len(absent) > 0 {
		t.Errorf("missing are %+v, %v", absent, err)
	}
}

// TestTheIndexOfNumbersIsUniqueWhileItIsRenamed checks that no number is given twice while step 2
// is interrupted after each of its commands and begins again, and that people go on registering.
func TestTheIndexOfNumbersIsUniqueWhileItIsRenamed(t *testing.T) {
	uri := restore(t, 1)
	db := database(t, uri)
	// As a process of the version before, which found the database in order when it started.
	s, err := connect(uri, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	event := storetest.NewEvent(t, s, 1_000_000)
	first, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 1))
	if err != nil {
		t.Fatal(err)
	}
	double := func() error {
		r := first[0].Registration
		r.UserID = store.NewID()
		_, err := s.registrations.InsertOne(t.Context(), newRegistrationDoc(r))
		return err
	}
	var over atomic.Bool
	var stormed, refused atomic.Int64
	var crowd sync.WaitGroup
	defer crowd.Wait()
	defer over.Store(true)
	crowd.Go(func() {
		for !over.Load() {
			switch err := double(); {
			case mongo.IsDuplicateKeyError(err):
				refused.Add(1)
			case err == nil:
				t.Error("a number was given twice")
			case !mongodb.Transient(err):
				t.Error(err)
			}
		}
	})
	crowd.Go(func() {
		for !over.Load() {
			if _, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 10)); err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
			stormed.Add(1)
		}
	})
	// Interrupted before its first command, its second, and so on.
	app := "app" + store.NewID().Hex()
	admin, cut := open(t, restore(t, 1), "admin"), database(t, uri+"&appName="+app)
	through := 0
	for ; through < 20; through++ {
		failPoint(t, admin, bson.D{{Key: "skip", Value: through}}, bson.D{
			{Key: "failCommands", Value: bson.A{"createIndexes", "dropIndexes"}}, {Key: "appName", Value: app}, {Key: "errorCode", Value: 11600},
		})
		err := migrate.Steps()[1].Run(t.Context(), cut, nil)
		failPoint(t, admin, "off", nil)
		if err == nil {
			break
		}
		if err := migrate.Steps()[1].Run(t.Context(), cut, nil); err != nil {
			t.Fatal(err)
		}
		wantNumberIndexes(t, db, migrate.NumberIndex().Name())
		// Back to how the version before had it.
		standIn := migrate.NumberIndex()
		standIn.Keys = append(standIn.Keys, "test")
		err = standIn.Create(t.Context(), db)
		if err == nil {
			err = s.registrations.Indexes().DropOne(t.Context(), migrate.NumberIndex().Name())
		}
		if err == nil {
			_, err = s.registrations.Indexes().CreateOne(t.Context(), mongo.IndexModel{
				Keys:    bson.D{{Key: "_id.event_id", Value: 1}, {Key: "cancelled", Value: 1}, {Key: "number", Value: 1}},
				Options: options.Index().SetUnique(true).SetName("email_key_1"),
			})
		}
		if err == nil {
			err = s.registrations.Indexes().DropOne(t.Context(), standIn.Name())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	over.Store(true)
	crowd.Wait()
	if through != 4 {
		t.Errorf("it took %d commands, want 4", through)
	}
	wantNumberIndexes(t, db, migrate.NumberIndex().Name())
	if stormed.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d batches, %d doubles", stormed.Load(), refused.Load())
	}
	storetest.Check(t, s, event.ID)
}

func wantNumberIndexes(t *testing.T, db *mongo.Database, want ...string) {
	t.Helper()
	docs, err := migrate.ListIndexes(t.Context(), db.Collection("registrations"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range docs {
		if d.Name != "_id_" {
			got = append(got, d.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the indexes of registrations are %q, want %q", got, want)
	}
}
