package mongostore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// wantSchemaError wants one sentence that no waiting cures.
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

// setSchema replaces what the database says of itself.
func setSchema(tb testing.TB, db *mongo.Database, doc bson.D) {
	tb.Helper()
	_, err := db.Collection("schema").ReplaceOne(tb.Context(), bson.D{{Key: "_id", Value: "schema"}}, doc, options.Replace().SetUpsert(true))
	if err != nil {
		tb.Fatal(err)
	}
}

func ignore(store.Migration) {}

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

// TestACurrentSchemaNeedsNoRightToChangeIt: a process that may only read and write documents
// starts, also one that may not see the indexes.
func TestACurrentSchemaNeedsNoRightToChangeIt(t *testing.T) {
	uri := restore(t, 1)
	admin := open(t, uri, "admin")
	app := "app" + store.NewID().Hex()
	for _, commands := range []bson.A{
		{"createIndexes", "dropIndexes", "create", "insert", "update", "findAndModify"},
		{"createIndexes", "dropIndexes", "create", "insert", "update", "findAndModify", "listIndexes"},
	} {
		failPoint(t, admin, "alwaysOn", bson.D{
			{Key: "failCommands", Value: commands}, {Key: "appName", Value: app}, {Key: "errorCode", Value: codeUnauthorized},
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
			{Key: "failCommands", Value: bson.A{"findAndModify"}}, {Key: "appName", Value: app}, {Key: "errorCode", Value: codeUnauthorized},
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
	if err := s.registrations.Indexes().DropOne(t.Context(), numberIndex().name()); err != nil {
		t.Fatal(err)
	}
	s = open(t, uri, "a")
	absent, err := missing(t.Context(), s.users.Database(), indexes())
	if err != nil || len(absent) > 0 {
		t.Errorf("missing are %+v, %v", absent, err)
	}
}

// stepper is a migrator of three steps, of which the second is `second`.
func stepper(tb testing.TB, db *mongo.Database, log zerolog.Logger, second func(context.Context) error) *migrator {
	tb.Helper()
	m := newMigrator(db, log)
	m.poll = 5 * time.Millisecond
	nothing := func(context.Context, *mongo.Database, func(n, all int64)) error { return nil }
	m.steps = []migration{{"one", nothing}, {"two", func(ctx context.Context, _ *mongo.Database, done func(n, all int64)) error {
		done(1, 2)
		return second(ctx)
	}}, {"three", nothing}}
	return m
}

func TestStepsAreMadeByOneProcessAtATime(t *testing.T) {
	db := database(t, testenv.MongoDB(t))
	var inside, made atomic.Int32
	var all sync.WaitGroup
	for range 5 {
		m := stepper(t, db, zerolog.Nop(), func(ctx context.Context) error {
			if n := inside.Add(1); n > 1 {
				t.Errorf("%d processes at a time", n)
			}
			made.Add(1)
			_, err := indexesOf(ctx, db.Collection("users")) // a while
			inside.Add(-1)
			return err
		})
		all.Go(func() {
			if err := m.migrate(t.Context(), 3, ignore); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 || version(t, db) != 3 {
		t.Errorf("made %d times, version %d", made.Load(), version(t, db))
	}
}

// TestWhoWaitsSaysForWhat, and takes over when the other one has been killed.
func TestWhoWaitsSaysForWhat(t *testing.T) {
	db := database(t, testenv.MongoDB(t))
	killed := stepper(t, db, zerolog.Nop(), nil)
	killed.lease = 1500 * time.Millisecond
	if d, err := killed.acquire(t.Context(), 3); err != nil || d.Lease == nil || d.Lease.Owner != killed.owner {
		t.Fatalf("%+v, %v", d, err)
	}
	// It does nothing more, as a killed process.
	var log bytes.Buffer
	m := stepper(t, db, zerolog.New(&log), func(context.Context) error { return nil })
	soon, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if err := m.migrate(soon, 3, ignore); err != nil {
		t.Fatal(err)
	}
	said, _, _ := strings.Cut(log.String(), "changing the database's schema\"")
	if !strings.Contains(said, "waiting for another process") || !strings.Contains(said, "process ") || !strings.Contains(said, `"want":3`) {
		t.Errorf("the log is %s", log.String())
	}
	if got := version(t, db); got != 3 {
		t.Errorf("version is %d", got)
	}
	var d schemaDoc
	if err := m.documents().FindOne(t.Context(), bson.D{}).Decode(&d); err != nil || d.Lease != nil || d.MigratedAt.IsZero() {
		t.Errorf("the document is %+v, %v", d, err)
	}
	t.Run("no_longer_than_its_context", func(t *testing.T) {
		setSchema(t, db, bson.D{{Key: "version", Value: 1}})
		if _, err := killed.acquire(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := stepper(t, db, zerolog.Nop(), nil).migrate(ctx, 3, ignore)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}

// TestALongStepKeepsItsLease: it is renewed, and a step whose lease is lost ends.
func TestALongStepKeepsItsLease(t *testing.T) {
	db := database(t, testenv.MongoDB(t))
	until := func() time.Time {
		var d schemaDoc
		if err := db.Collection("schema").FindOne(t.Context(), bson.D{}).Decode(&d); err != nil || d.Lease == nil {
			t.Errorf("%+v, %v", d, err)
			return time.Time{}
		}
		return d.Lease.Until
	}
	runs := 0
	m := stepper(t, db, zerolog.Nop(), func(ctx context.Context) error {
		if runs++; runs > 1 {
			return nil
		}
		begin := until()
		testenv.Eventually(t, 10*time.Second, "a renewed lease", func() error {
			if !until().After(begin) {
				return errors.New("it is as it was")
			}
			return nil
		})
		_, err := db.Collection("schema").UpdateOne(ctx, bson.D{}, bson.D{{Key: "$unset", Value: bson.D{{Key: "lease", Value: 1}}}})
		if err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	m.lease = 300 * time.Millisecond
	soon, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if err := m.migrate(soon, 3, ignore); err != nil {
		t.Fatal(err)
	}
	if runs != 2 {
		t.Errorf("the step ran %d times, want again after its lease was lost", runs)
	}
}

func TestMigrateGoesAsFarAsItIsTold(t *testing.T) {
	db := database(t, testenv.MongoDB(t))
	broken := errors.New("the machine stops")
	m := stepper(t, db, zerolog.Nop(), func(context.Context) error { return broken })
	if err := m.migrate(t.Context(), 3, ignore); !errors.Is(err, broken) || !strings.Contains(err.Error(), "2 (two)") {
		t.Fatalf("error is %v", err)
	}
	if got := version(t, db); got != 1 {
		t.Errorf("version is %d", got)
	}
	var seen []string
	m = stepper(t, db, zerolog.Nop(), func(context.Context) error { return nil }) // at once: the lease was given back
	err := m.migrate(t.Context(), 2, func(p store.Migration) {
		seen = append(seen, fmt.Sprint(p.Step.Number, p.Done, p.All, p.Over))
	})
	if want := []string{"2 0 0 false", "2 1 2 false", "2 0 0 true"}; err != nil || strings.Join(seen, ",") != strings.Join(want, ",") {
		t.Errorf("%v, reported %q", err, seen)
	}
	s, err := m.Schema(t.Context())
	if err != nil || s.Version != 2 || s.Known != 3 || len(s.Pending) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	for to, says := range map[int]string{4: "knows versions up to 3", 1: "never goes back"} {
		if err := m.migrate(t.Context(), to, ignore); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), says) {
			t.Errorf("to %d: %v", to, err)
		}
	}
}

// TestTheIndexOfNumbersIsUniqueWhileItIsRenamed: while step 2 is interrupted after each of
// its commands and begins again, nobody gets a number twice and people go on registering.
func TestTheIndexOfNumbersIsUniqueWhileItIsRenamed(t *testing.T) {
	uri := restore(t, 1)
	db := database(t, uri)
	// As a process of the version before, which found the database in order when it started.
	s, err := connect(uri)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	event := storetest.NewEvent(t, s, 1_000_000)
	first, err := s.Apply(t.Context(), storetest.Wishes(event.ID, 1))
	if err != nil {
		t.Fatal(err)
	}
	double := func() error {
		r := first[0].Registration
		r.UserID = store.NewID()
		_, err := s.registrations.InsertOne(t.Context(), registrationDocOf(r))
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
			case !passes(err):
				t.Error(err)
			}
		}
	})
	crowd.Go(func() {
		for !over.Load() {
			if _, err := s.Apply(t.Context(), storetest.Wishes(event.ID, 10)); err != nil && t.Context().Err() == nil {
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
		err := renameNumberIndex(t.Context(), cut, nil)
		failPoint(t, admin, "off", nil)
		if err == nil {
			break
		}
		if err := renameNumberIndex(t.Context(), cut, nil); err != nil {
			t.Fatal(err)
		}
		wantNumberIndexes(t, db, numberIndex().name())
		// Back to how the version before had it.
		standIn := numberIndex()
		standIn.keys = append(standIn.keys, "test")
		err = standIn.make(t.Context(), db)
		if err == nil {
			err = s.registrations.Indexes().DropOne(t.Context(), numberIndex().name())
		}
		if err == nil {
			_, err = s.registrations.Indexes().CreateOne(t.Context(), mongo.IndexModel{
				Keys:    bson.D{{Key: "_id.event_id", Value: 1}, {Key: "cancelled", Value: 1}, {Key: "number", Value: 1}},
				Options: options.Index().SetUnique(true).SetName(misnamed),
			})
		}
		if err == nil {
			err = s.registrations.Indexes().DropOne(t.Context(), standIn.name())
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
	wantNumberIndexes(t, db, numberIndex().name())
	if stormed.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d batches, %d doubles", stormed.Load(), refused.Load())
	}
	storetest.Check(t, s, event.ID)
}

func wantNumberIndexes(t *testing.T, db *mongo.Database, want ...string) {
	t.Helper()
	docs, err := indexesOf(t.Context(), db.Collection("registrations"))
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
