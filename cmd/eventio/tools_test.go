package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/cmd/eventio/internal/verify"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/worker"
)

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		process.Main(run)
		return
	}
	testenv.Main(m)
}

// tool runs the program and returns what it prints.
func tool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	var log system.Log // NATS logs from a goroutine of its own
	err := run(t.Context(), process.Env{Args: args, Stdout: &out, Stderr: &log})
	return out.String(), err
}

// fixture is a database that can be damaged, and the flags that name it.
type fixture struct {
	flags  []string
	repair []string // further flags of verify --repair
	open   func(testing.TB) store.Store
	// set changes fields of the document or row of an event, user or registration.
	set func(tb testing.TB, collection string, key any, fields map[string]any)
	// twist does a damage that only this database knows.
	twists map[string]func(tb testing.TB, e store.Event, rows []store.Registration)
	wants  map[string]string                              // what verify says of a twist
	exec   func(tb testing.TB, query string, args ...any) // SQL
}

func closeAtEnd(tb testing.TB, c interface{ Close() error }) {
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
}

func sqliteFixture(tb testing.TB) *fixture {
	dir := tb.TempDir()
	path := filepath.Join(dir, "eventio.db")
	f := &fixture{flags: []string{"--data", dir}}
	f.open = func(tb testing.TB) store.Store {
		s, err := sqlitestore.Open(tb.Context(), path)
		if err != nil {
			tb.Fatal(err)
		}
		return s
	}
	exec := func(tb testing.TB, query string, args ...any) {
		tb.Helper()
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=ignore_check_constraints(1)&_pragma=foreign_keys(0)")
		if err != nil {
			tb.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(tb.Context(), query, args...); err != nil {
			tb.Fatal(err)
		}
	}
	f.exec = exec
	f.set = func(tb testing.TB, collection string, key any, fields map[string]any) {
		query, args, where := "UPDATE "+collection+" SET ", []any{}, " WHERE id = ?"
		for name, value := range fields {
			if len(args) > 0 {
				query += ", "
			}
			query += name + " = ?"
			args = append(args, value)
		}
		switch k := key.(type) {
		case store.ID:
			args = append(args, k[:])
		case store.Registration:
			where = " WHERE user_id = ? AND event_id = ?"
			args = append(args, k.UserID[:], k.EventID[:])
		}
		exec(tb, query+where, args...)
	}
	f.twists = map[string]func(testing.TB, store.Event, []store.Registration){
		"index dropped": func(tb testing.TB, _ store.Event, _ []store.Registration) {
			exec(tb, `DROP INDEX registrations_by_number`)
		},
		"numbers given twice": func(tb testing.TB, e store.Event, rows []store.Registration) {
			exec(tb, `DROP INDEX registrations_by_number`)
			exec(tb, `UPDATE registrations SET number = 1 WHERE event_id = ? AND user_id = ?`, e.ID[:], rows[1].UserID[:])
		},
		"an event's id is too short": func(tb testing.TB, e store.Event, _ []store.Registration) {
			exec(tb, `UPDATE events SET id = x'0102' WHERE id = ?`, e.ID[:])
		},
		"event lost": func(tb testing.TB, e store.Event, _ []store.Registration) {
			exec(tb, `DELETE FROM events WHERE id = ?`, e.ID[:])
		},
		"address key": func(tb testing.TB, _ store.Event, _ []store.Registration) {
			exec(tb, `UPDATE users SET email_key = 'other@example.org' WHERE email = 'b@example.org'`)
		},
		"same address": func(tb testing.TB, _ store.Event, _ []store.Registration) {
			exec(tb, `UPDATE users SET email = 'A@example.org', email_key = 'a@example.org ' WHERE email = 'b@example.org'`)
		},
		"cancelled is no yes or no": func(tb testing.TB, e store.Event, rows []store.Registration) {
			exec(tb, `UPDATE registrations SET cancelled = 7 WHERE event_id = ? AND user_id = ?`, e.ID[:], rows[1].UserID[:])
		},
	}
	f.wants = map[string]string{
		"index dropped":              "registrations_by_number",
		"numbers given twice":        "the number 1 is there twice, of users",
		"an event's id is too short": "event 0102: an id has 12 bytes",
		"event lost":                 "does not exist and has 4 registrations",
		"address key":                "email_key does not belong to the address",
		"same address":               "email_key does not belong to the address",
		"cancelled is no yes or no":  "cancelled is neither 0 nor 1",
	}
	return f
}

func mongoFixture(tb testing.TB) *fixture {
	uri := testenv.MongoDB(tb)
	f := &fixture{flags: []string{"--mongodb-uri", uri}}
	f.open = func(tb testing.TB) store.Store {
		s, err := mongostore.Open(tb.Context(), uri, zerolog.Nop())
		if err != nil {
			tb.Fatal(err)
		}
		return s
	}
	db := mongoDatabase(tb, uri)
	f.set = func(tb testing.TB, collection string, key any, fields map[string]any) {
		set := bson.D{}
		for name, value := range fields {
			set = append(set, bson.E{Key: name, Value: value})
		}
		if r, ok := key.(store.Registration); ok {
			key = bson.D{{Key: "user_id", Value: r.UserID}, {Key: "event_id", Value: r.EventID}}
		}
		res, err := db.Collection(collection).UpdateByID(tb.Context(), key, bson.D{{Key: "$set", Value: set}})
		if err != nil || res.MatchedCount != 1 {
			tb.Fatalf("%+v, %v", res, err)
		}
	}
	check := func(tb testing.TB, err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	registrations, users := db.Collection("registrations"), db.Collection("users")
	numberIndex := bson.D{{Key: "_id.event_id", Value: 1}, {Key: "cancelled", Value: 1}, {Key: "number", Value: 1}}
	seat := func(event, user store.ID, key bson.D, number int) bson.D {
		return bson.D{{Key: "_id", Value: key}, {Key: "number", Value: number}, {Key: "request_id", Value: "x"},
			{Key: "registered_at", Value: time.Now()}, {Key: "cancelled", Value: false}}
	}
	f.twists = map[string]func(testing.TB, store.Event, []store.Registration){
		"index dropped": func(tb testing.TB, _ store.Event, _ []store.Registration) {
			check(tb, registrations.Indexes().DropWithKey(tb.Context(), numberIndex))
		},
		"numbers given twice": func(tb testing.TB, _ store.Event, rows []store.Registration) {
			check(tb, registrations.Indexes().DropWithKey(tb.Context(), numberIndex))
			f.set(tb, "registrations", rows[1], map[string]any{"number": 1})
		},
		"addresses used twice": func(tb testing.TB, _ store.Event, _ []store.Registration) {
			check(tb, users.Indexes().DropOne(tb.Context(), "email_key_1"))
			_, err := users.UpdateOne(tb.Context(), bson.D{{Key: "email", Value: "b@example.org"}},
				bson.D{{Key: "$set", Value: bson.D{{Key: "email", Value: "A@example.org"}, {Key: "email_key", Value: "a@example.org"}}}})
			check(tb, err)
		},
		"a user twice": func(tb testing.TB, e store.Event, rows []store.Registration) {
			key := bson.D{{Key: "event_id", Value: e.ID}, {Key: "user_id", Value: rows[0].UserID}}
			_, err := registrations.InsertOne(tb.Context(), seat(e.ID, rows[0].UserID, key, 90))
			check(tb, err)
		},
		"a key that protects nobody": func(tb testing.TB, e store.Event, _ []store.Registration) {
			user := store.NewID()
			_, err := registrations.InsertOne(tb.Context(), seat(e.ID, user, bson.D{{Key: "event_id", Value: e.ID}, {Key: "user_id", Value: user}}, 90))
			check(tb, err)
		},
		"event lost": func(tb testing.TB, e store.Event, _ []store.Registration) {
			_, err := db.Collection("events").DeleteOne(tb.Context(), bson.D{{Key: "_id", Value: e.ID}})
			check(tb, err)
		},
		"a registration of no event": func(tb testing.TB, e store.Event, _ []store.Registration) {
			_, err := registrations.InsertOne(tb.Context(), seat(e.ID, e.ID, bson.D{{Key: "user_id", Value: e.ID}}, 90))
			check(tb, err)
		},
		"an event with a text for an id": func(tb testing.TB, _ store.Event, _ []store.Registration) {
			_, err := db.Collection("events").InsertOne(tb.Context(), bson.D{{Key: "_id", Value: "abc"}})
			check(tb, err)
		},
		"an event that cannot be read": func(tb testing.TB, e store.Event, _ []store.Registration) {
			f.set(tb, "events", e.ID, map[string]any{"capacity": "many"})
		},
		"a registration that cannot be read": func(tb testing.TB, _ store.Event, rows []store.Registration) {
			f.set(tb, "registrations", rows[1], map[string]any{"number": "one"})
		},
		"a user who cannot be read": func(tb testing.TB, _ store.Event, _ []store.Registration) {
			_, err := users.UpdateOne(tb.Context(), bson.D{{Key: "email", Value: "b@example.org"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "name", Value: 5}}}})
			check(tb, err)
		},
		"address key": func(tb testing.TB, _ store.Event, _ []store.Registration) {
			_, err := users.UpdateOne(tb.Context(), bson.D{{Key: "email", Value: "b@example.org"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "email_key", Value: "x"}}}})
			check(tb, err)
		},
		"cancelled is no yes or no": func(tb testing.TB, _ store.Event, rows []store.Registration) {
			f.set(tb, "registrations", rows[1], map[string]any{"cancelled": "perhaps"})
		},
	}
	f.wants = map[string]string{
		"index dropped":                      "collection registrations: the unique index on _id.event_id, cancelled, number is missing",
		"numbers given twice":                "the number 1 is there twice, of users",
		"addresses used twice":               "has the same e-mail address as user",
		"a user twice":                       "is there twice, once under the key",
		"a key that protects nobody":         "is not {user_id, event_id}",
		"event lost":                         "does not exist and has 4 registrations",
		"a registration of no event":         "the id of an event is an ObjectID",
		"an event with a text for an id":     `event "abc": the id of an event is an ObjectID`,
		"an event that cannot be read":       "it cannot be read",
		"a registration that cannot be read": "cannot be read",
		"a user who cannot be read":          "it cannot be read",
		"address key":                        "email_key does not belong to the address",
		"cancelled is no yes or no":          "cancelled is neither true nor false",
	}
	return f
}

func mongoDatabase(tb testing.TB, uri string) *mongo.Database {
	tb.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	name := uri[strings.LastIndex(uri, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	return client.Database(name)
}

// startWorker is a production process over a store of its own.
func startWorker(tb testing.TB, s store.Store, url string) {
	tb.Helper()
	conn, err := messages.Connect(url, "worker", zerolog.Nop())
	if err != nil {
		tb.Fatal(err)
	}
	w := worker.New(conn, s, worker.Config{}, zerolog.Nop())
	if err := w.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
		conn.Close()
	})
}

func wantNotClean(tb testing.TB, out string, err error, texts ...string) {
	tb.Helper()
	if !errors.Is(err, verify.ErrDamaged) {
		tb.Fatalf("verify ended with %v and printed\n%s", err, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			tb.Errorf("verify does not say %q:\n%s", text, out)
		}
	}
}

func wantClean(tb testing.TB, out string, err error) {
	tb.Helper()
	if err != nil || !strings.Contains(out, "clean: every promise holds") {
		tb.Fatalf("verify ended with %v and printed\n%s", err, out)
	}
}
