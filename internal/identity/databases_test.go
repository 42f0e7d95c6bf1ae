package identity

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// neverAgain is a pause between two readings that no test lives to see: only hints cause any.
const neverAgain = 24 * time.Hour

// countingStore counts how often its revocations are read.
type countingStore struct {
	*sqlitestore.Store
	reads atomic.Int64
}

func (s *countingStore) Revocations(ctx context.Context, since time.Time) iter.Seq2[store.Revocation, error] {
	s.reads.Add(1)
	return s.Store.Revocations(ctx, since)
}

func newStore(t *testing.T) *countingStore {
	t.Helper()
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "eventio.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &countingStore{Store: st}
}

// openGuard makes a guard of an API process over a store, with a connection of its own.
func openGuard(t *testing.T, url string, st *countingStore, config Config) *Guard {
	t.Helper()
	conn, err := messages.Connect(url, "api", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	link := messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: st.DatabaseID()}}
	config.RefreshEvery = neverAgain
	g, err := Open(t.Context(), st, link, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	if err := conn.FlushTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	return g
}

// changePassword stores a user whose password was changed once.
func changePassword(t *testing.T, st *countingStore) store.Revocation {
	t.Helper()
	before := store.User{ID: store.NewID(), Name: "Ada", Email: store.NewID().Hex() + "@example.org", PasswordHash: "a", CreatedAt: time.Now()}
	after := before
	after.PasswordHash, after.PasswordVersion, after.PasswordChangedAt = "b", 1, time.Now()
	if err := errors.Join(st.CreateUser(t.Context(), before), st.SetPassword(t.Context(), before, after)); err != nil {
		t.Fatal(err)
	}
	return store.Revocation{UserID: after.ID, PasswordVersion: 1, ChangedAt: after.PasswordChangedAt}
}

// ended returns nil when a guard does not believe a token.
func ended(g *Guard, token string) error {
	if _, err := g.Check(token); err == nil {
		return errors.New("the token is believed")
	}
	return nil
}

// TestARevocationEndsTokensOfItsDatabaseOnly: a copy of a database has the same people, and on
// the same NATS server its API processes must not hear of what changes in the original.
func TestARevocationEndsTokensOfItsDatabaseOnly(t *testing.T) {
	url, keys := testenv.StartNATS(t).URL(), Config{Keys: Alone().keys}
	original, copied := newStore(t), newStore(t)
	here, neighbour, there := openGuard(t, url, original, keys), openGuard(t, url, original, keys), openGuard(t, url, copied, keys)
	revocation := changePassword(t, original)
	token, _, err := here.Sign(Person{ID: revocation.UserID})
	if err != nil {
		t.Fatal(err)
	}
	here.Revoke(revocation)
	if err := ended(here, token); err != nil {
		t.Error(err)
	}
	testenv.Eventually(t, 10*time.Second, "tell the others of the database", func() error { return ended(neighbour, token) })
	if err := there.link.Conn.FlushTimeout(5 * time.Second); err != nil { // what was sent to it before is there now
		t.Fatal(err)
	}
	if ended(there, token) == nil || len(there.hinted) > 0 || copied.reads.Load() != 1 {
		t.Errorf("a revocation in the original reaches the copy, which has read %d times", copied.reads.Load())
	}
	there.Revoke(revocation)
	if err := ended(there, token); err != nil {
		t.Error(err)
	}
}
