package identity

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// TestARevocationEndsTokensOfItsDatabaseOnly: a copy of a database has the same people, and on
// the same NATS server its API processes must not hear of what changes in the original.
func TestARevocationEndsTokensOfItsDatabaseOnly(t *testing.T) {
	nats := testenv.StartNATS(t)
	keys := Alone().keys
	stores := make(map[string]*sqlitestore.Store)
	for _, name := range []string{"original", "copy"} {
		st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		stores[name] = st
	}
	open := func(name string) *Guard {
		t.Helper()
		conn, err := messages.Connect(nats.URL(), "api", zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		link := messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: stores[name].DatabaseID()}}
		// Only NATS tells them something: the next reading of the store is far away.
		g, err := Open(t.Context(), stores[name], link, Config{Keys: keys, RefreshEvery: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Close)
		if err := conn.FlushTimeout(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		return g
	}
	original, neighbour, copied := open("original"), open("original"), open("copy")
	ada := store.NewID()
	token, _, err := original.Sign(Person{ID: ada})
	if err != nil {
		t.Fatal(err)
	}
	ended := func(g *Guard) func() error {
		return func() error {
			if _, err := g.Check(token); err == nil {
				return errors.New("the token is believed")
			}
			return nil
		}
	}
	original.Revoke(store.Revocation{UserID: ada, PasswordVersion: 1, ChangedAt: time.Now()})
	testenv.Eventually(t, 10*time.Second, "tell the others of the database", ended(neighbour))
	if err := copied.link.Conn.FlushTimeout(5 * time.Second); err != nil { // what was sent to it before is there now
		t.Fatal(err)
	}
	if ended(copied)() == nil {
		t.Error("a copy's token is ended by a revocation in the original")
	}
	copied.Revoke(store.Revocation{UserID: ada, PasswordVersion: 1, ChangedAt: time.Now()})
	if err := ended(copied)(); err != nil {
		t.Error(err)
	}
}
