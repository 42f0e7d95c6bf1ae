package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/schema"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// database connects to an empty database.
func database(tb testing.TB) *mongo.Database {
	tb.Helper()
	uri := testenv.MongoDB(tb)
	cs, err := connstring.ParseAndValidate(uri)
	if err != nil {
		tb.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Disconnect(context.WithoutCancel(tb.Context())) })
	return client.Database(cs.Database)
}

// setVersion sets the version of the database, and ends every lease.
func setVersion(tb testing.TB, db *mongo.Database, version int) {
	tb.Helper()
	_, err := db.Collection("schema").ReplaceOne(tb.Context(), bson.D{{Key: "_id", Value: schemaKey}},
		bson.D{{Key: "version", Value: version}}, options.Replace().SetUpsert(true))
	if err != nil {
		tb.Fatal(err)
	}
}

// version reads the version of the database.
func version(tb testing.TB, db *mongo.Database) int {
	tb.Helper()
	s, err := New(db, zerolog.Nop()).Schema(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return s.Version
}

func ignore(schema.Migration) {}

// stepper returns a migrator of three steps, of which the second calls a function.
func stepper(tb testing.TB, db *mongo.Database, log zerolog.Logger, second func(context.Context) error) *Migrator {
	tb.Helper()
	m := New(db, log)
	m.poll = 5 * time.Millisecond
	nothing := func(context.Context, *mongo.Database, func(n, all int64)) error { return nil }
	m.steps = []Step{{"one", nothing}, {"two", func(ctx context.Context, _ *mongo.Database, done func(n, all int64)) error {
		done(1, 2)
		return second(ctx)
	}}, {"three", nothing}}
	return m
}

func TestStepsAreMadeByOneProcessAtATime(t *testing.T) {
	db := database(t)
	var inside, made atomic.Int32
	var all sync.WaitGroup
	for range 5 {
		m := stepper(t, db, zerolog.Nop(), func(ctx context.Context) error {
			if n := inside.Add(1); n > 1 {
				t.Errorf("%d processes at a time", n)
			}
			made.Add(1)
			_, err := ListIndexes(ctx, db.Collection("users")) // a while
			inside.Add(-1)
			return err
		})
		all.Go(func() {
			if err := m.Migrate(t.Context(), 3, ignore); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 || version(t, db) != 3 {
		t.Errorf("made %d times, version %d", made.Load(), version(t, db))
	}
}

// TestWhoWaitsSaysForWhat checks that a process which waits for another one logs for which, and
// takes over when that one was killed.
func TestWhoWaitsSaysForWhat(t *testing.T) {
	db := database(t)
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
	if err := m.Migrate(soon, 3, ignore); err != nil {
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
	if err := m.collection().FindOne(t.Context(), bson.D{}).Decode(&d); err != nil || d.Lease != nil || d.MigratedAt.IsZero() {
		t.Errorf("the document is %+v, %v", d, err)
	}
	t.Run("no_longer_than_its_context", func(t *testing.T) {
		setVersion(t, db, 1)
		if _, err := killed.acquire(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := stepper(t, db, zerolog.Nop(), nil).Migrate(ctx, 3, ignore)
		const maxTimeMSExpired = 50 // the server, which is told the time limit, may say so first
		if !errors.Is(err, context.DeadlineExceeded) && !mongodb.HasCode(err, maxTimeMSExpired) {
			t.Errorf("error is %v", err)
		}
	})
}

// TestALongStepKeepsItsLease checks that the lease is renewed during a step, and that a step whose
// lease is lost ends.
func TestALongStepKeepsItsLease(t *testing.T) {
	db := database(t)
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
	if err := m.Migrate(soon, 3, ignore); err != nil {
		t.Fatal(err)
	}
	if runs != 2 {
		t.Errorf("the step ran %d times, want again after its lease was lost", runs)
	}
}

func TestMigrateGoesAsFarAsItIsTold(t *testing.T) {
	db := database(t)
	broken := errors.New("the machine stops")
	m := stepper(t, db, zerolog.Nop(), func(context.Context) error { return broken })
	if err := m.Migrate(t.Context(), 3, ignore); !errors.Is(err, broken) || !strings.Contains(err.Error(), "2 (two)") {
		t.Fatalf("error is %v", err)
	}
	if got := version(t, db); got != 1 {
		t.Errorf("version is %d", got)
	}
	var seen []string
	m = stepper(t, db, zerolog.Nop(), func(context.Context) error { return nil }) // at once: the lease was given back
	err := m.Migrate(t.Context(), 2, func(p schema.Migration) {
		seen = append(seen, fmt.Sprint(p.Step.Number, p.Done, p.All, p.Finished))
	})
	if want := []string{"2 0 0 false", "2 1 2 false", "2 0 0 true"}; err != nil || strings.Join(seen, ",") != strings.Join(want, ",") {
		t.Errorf("%v, reported %q", err, seen)
	}
	s, err := m.Schema(t.Context())
	if err != nil || s.Version != 2 || s.Known != 3 || len(s.Pending) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	for to, says := range map[int]string{4: "knows versions up to 3", 1: "never goes back"} {
		if err := m.Migrate(t.Context(), to, ignore); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), says) {
			t.Errorf("to %d: %v", to, err)
		}
	}
}
