package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/worker"
)

// pair makes an event in a database and copies the whole database, as for a staging system with
// the data of production.
type pair func(t *testing.T) (production, staging store.Store, event store.ID)

func pairs() map[string]pair {
	return map[string]pair{
		"sqlite/a copied file": func(t *testing.T) (store.Store, store.Store, store.ID) {
			dir := t.TempDir()
			path, copied := filepath.Join(dir, "eventio.db"), filepath.Join(dir, "copy.db")
			first := openFile(t, path)
			event := storetest.NewEvent(t, first, 1000).ID
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(copied, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			production, staging := openFile(t, path), openFile(t, copied)
			closeAtEnd(t, production, staging)
			return production, staging, event
		},
		"mongodb/a restored dump": func(t *testing.T) (store.Store, store.Store, store.ID) {
			return mongoPair(t, testenv.MongoDB(t), testenv.MongoDB(t))
		},
		"mongodb/the same name on another server": func(t *testing.T) (store.Store, store.Store, store.ID) {
			return mongoPair(t, testenv.StartMongo(t).URI(), testenv.StartMongo(t).URI())
		},
	}
}

func openFile(t *testing.T, path string) *sqlitestore.Store {
	t.Helper()
	st, err := sqlitestore.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func closeAtEnd(t *testing.T, stores ...store.Store) {
	t.Cleanup(func() {
		for _, st := range stores {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// mongoPair copies the event as a restored dump does: documents only, and nothing that a server
// creates for a collection.
func mongoPair(t *testing.T, from, to string) (production, staging store.Store, event store.ID) {
	t.Helper()
	open := func(uri string) store.Store {
		st, err := mongostore.Open(t.Context(), uri, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		closeAtEnd(t, st)
		return st
	}
	production = open(from)
	event = storetest.NewEvent(t, production, 1000).ID
	staging = open(to)
	document := events(t, from).FindOne(t.Context(), bson.D{{Key: "_id", Value: event}})
	var copied bson.D
	err := document.Decode(&copied)
	if err == nil {
		_, err = events(t, to).InsertOne(t.Context(), copied)
	}
	if err != nil {
		t.Fatal(err)
	}
	return production, staging, event
}

func events(t *testing.T, uri string) *mongo.Collection {
	t.Helper()
	parsed, err := connstring.ParseAndValidate(uri)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database(parsed.Database).Collection("events")
}

// TestEachDatabaseGetsItsOwnRequests: two databases, one a copy of the other, have a worker each
// on one NATS server. Every registration is answered by the worker of its own database and stored
// there.
func TestEachDatabaseGetsItsOwnRequests(t *testing.T) {
	for name, open := range pairs() {
		t.Run(name, func(t *testing.T) {
			production, staging, event := open(t)
			nats := testenv.StartNATS(t)
			for _, st := range []store.Store{production, staging} {
				startWorker(t, nats, st)
			}
			told := register(t, nats, production, event, 160)
			toldStaging := register(t, nats, staging, event, 160)
			for _, c := range []struct {
				st   store.Store
				told map[store.ID]bool
				name string
			}{{production, told, "production"}, {staging, toldStaging, "staging"}} {
				roster := storetest.Check(t, c.st, event)
				if len(roster) != len(c.told) {
					t.Errorf("%s has %d people, %d of its own were told that they are registered", c.name, len(roster), len(c.told))
				}
				for _, r := range roster {
					if !c.told[r.UserID] {
						t.Errorf("%s has somebody who asked elsewhere", c.name)
						break
					}
				}
			}
		})
	}
}

func startWorker(t *testing.T, nats *testenv.NATS, st store.Store) {
	t.Helper()
	conn, err := messages.Connect(nats.URL(), "worker", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	w := worker.New(conn, st, worker.Config{}, zerolog.Nop())
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := conn.FlushTimeout(limit); err != nil {
		t.Fatal(err)
	}
}

// register registers n users through several API processes of a database, some before the
// processes know any worker and some after. It returns who was told that they are registered.
func register(t *testing.T, nats *testenv.NATS, st store.Store, event store.ID, n int) map[store.ID]bool {
	t.Helper()
	const processes = 4
	told := make(map[store.ID]bool)
	var mu sync.Mutex // guards told
	var crowd sync.WaitGroup
	for process := range processes {
		conn, err := messages.Connect(nats.URL(), fmt.Sprint("api", process), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		requester, err := messages.NewRequester(messages.Link{
			Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: st.DatabaseID()},
		})
		if err != nil {
			t.Fatal(err)
		}
		crowd.Go(func() {
			for range n / processes {
				wanted := storetest.NewRequest(event)
				got := requester.Request(t.Context(), messages.SeatRequest{
					Kind: messages.KindRegister, RequestID: wanted.RequestID, EventID: event, UserID: wanted.UserID,
				}, time.Now().Add(limit))
				if got.Reply.Outcome != store.Registered {
					t.Errorf("the outcome is %s, %v", got.Reply.Outcome, got.Cause)
					return
				}
				mu.Lock()
				told[wanted.UserID] = true
				mu.Unlock()
			}
		})
	}
	crowd.Wait()
	return told
}

// TestASharedSubjectIsTakenOnlyWhenTold: a worker takes requests of an API process of the version
// before only with Config.SharedSubject.
func TestASharedSubjectIsTakenOnlyWhenTold(t *testing.T) {
	for _, told := range []bool{false, true} {
		s := newSite(t, worker.Config{SharedSubject: told}, pass)
		wanted := storetest.NewRequest(s.event)
		data, err := messages.Encode(messages.SeatRequest{
			Kind: messages.KindRegister, RequestID: wanted.RequestID, EventID: s.event, UserID: wanted.UserID, RemainingMillis: 5000,
		})
		if err != nil {
			t.Fatal(err)
		}
		msg, err := s.conn.Request("eventio.v2.seats", data, limit)
		if served := err == nil; served != told {
			t.Errorf("told to: %t; the answer is %+v, %v", told, msg, err)
		}
		roster := storetest.Check(t, s.store, s.event)
		if registered := len(roster) == 1; registered != told {
			t.Errorf("told to: %t; the roster has %d people", told, len(roster))
		}
	}
}

// TestAReplacedDatabaseMakesUnready: the log says what to do, and the HTTP response does not.
func TestAReplacedDatabaseMakesUnready(t *testing.T) {
	uri := testenv.MongoDB(t)
	st, err := mongostore.Open(t.Context(), uri, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, st)
	nats := testenv.StartNATS(t)
	conn, err := messages.Connect(nats.URL(), "worker", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	var log bytes.Buffer
	w := worker.New(conn, st, worker.Config{}, zerolog.New(&log))
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	health := worker.Health(w.Readiness(st.Ping, measure.Dependencies{}))
	ready := func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		health.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return answer
	}
	testenv.Eventually(t, limit, "be ready", func() error {
		if answer := ready(); answer.Code != http.StatusOK {
			return fmt.Errorf("status %d", answer.Code)
		}
		return nil
	})
	if err := events(t, uri).Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, limit, "be unready", func() error {
		answer := ready()
		if answer.Code != http.StatusServiceUnavailable {
			return fmt.Errorf("status %d", answer.Code)
		}
		if strings.Contains(answer.Body.String(), "replaced") {
			t.Errorf("strangers are told %s", answer.Body)
		}
		return nil
	})
	if !strings.Contains(log.String(), "restart this process") {
		t.Errorf("the log does not say what to do: %s", log.String())
	}
}
