// Package system gives tests an Event.io without its API: a store, a NATS server and workers.
// The API is left out so that the tests of package api can use it from inside.
package system

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/worker"
)

// The kinds of stores.
const (
	SQLite = "sqlite"
	Mongo  = "mongo"
)

// Kinds are all kinds of stores.
var Kinds = [...]string{SQLite, Mongo}

// limit bounds what must come by itself, but not by when.
const limit = 20 * time.Second

// System is a store and a NATS server. All that it opens is closed when the test ends.
type System struct {
	Kind  string
	Store store.Store
	// Path is that of the database's file, or the connection string.
	Path string
	NATS *testenv.NATS
	// Log has what the workers log, and what a test lets other parts log.
	Log *Log

	tb     testing.TB
	config Config
}

// Config says how a System differs from the usual one.
type Config struct {
	// Mongo starts a MongoDB server of its own and returns its connection string; nil: the
	// shared one.
	Mongo func(testing.TB) (uri string)
	// NATS changes the options of the NATS server; nil: nothing.
	NATS func(*server.Options)
	// SoldOutLease is worker.Config.SoldOutLease.
	SoldOutLease time.Duration
}

// New makes a System with an empty store of that kind, and without a worker.
func New(tb testing.TB, kind string, config Config) *System {
	tb.Helper()
	s := &System{Kind: kind, NATS: testenv.StartNATSWith(tb, config.NATS), Log: &Log{}, tb: tb, config: config}
	switch {
	case kind == SQLite:
		s.Path = filepath.Join(tb.TempDir(), "eventio.db")
	case config.Mongo != nil:
		s.Path = config.Mongo(tb)
	default:
		s.Path = testenv.MongoDB(tb)
	}
	s.Store = s.Open()
	return s
}

// Open opens the database once more, as another process would.
func (s *System) Open() store.Store {
	s.tb.Helper()
	var st store.Store
	var err error
	if s.Kind == SQLite {
		st, err = sqlitestore.Open(s.tb.Context(), s.Path)
	} else {
		st, err = mongostore.Open(s.tb.Context(), s.Path, zerolog.Nop())
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			s.tb.Errorf("close the store: %v", err)
		}
	})
	return st
}

// Connect opens a connection to NATS, as the process called name would.
func (s *System) Connect(name string) *nats.Conn {
	s.tb.Helper()
	conn, err := messages.Connect(s.NATS.URL(), name, zerolog.Nop())
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(conn.Close)
	return conn
}

// Link returns the way from a connection to the other processes of the database.
func (s *System) Link(conn *nats.Conn) messages.Link {
	return messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: s.Store.DatabaseID()}}
}

// StartWorker starts a worker that applies requests to seats and takes them when it returns.
// To close its connection is its death, as far as anybody else can tell. stop may come twice.
func (s *System) StartWorker(seats store.Seats) (conn *nats.Conn, stop func()) {
	s.tb.Helper()
	conn = s.Connect("worker")
	w := worker.New(conn, seats, worker.Config{SoldOutLease: s.config.SoldOutLease}, zerolog.New(s.Log))
	if err := w.Start(); err != nil {
		s.tb.Fatal(err)
	}
	if err := conn.FlushTimeout(limit); err != nil {
		s.tb.Fatal(err)
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		_ = w.Stop(ctx) // its connection may be gone
	}
	s.tb.Cleanup(stop)
	return conn, stop
}
