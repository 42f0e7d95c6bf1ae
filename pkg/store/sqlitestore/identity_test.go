package sqlitestore

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// TestAnOlderFileIsBroughtUpToDate: a file from before passwords had versions keeps its
// users, and takes changes.
func TestAnOlderFileIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	db, err := sql.Open("sqlite", dsn(path, "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	ada := store.NewID()
	for _, statement := range []string{
		`CREATE TABLE users (id BLOB PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, email_key TEXT NOT NULL UNIQUE,
			password_hash TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
		`INSERT INTO users VALUES (x'` + ada.Hex() + `', 'Ada', 'ada@example.org', 'ada@example.org', 'old', 0)`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	s := open(t, path) // and a second time
	u, err := s.User(t.Context(), ada)
	if err != nil || u.PasswordVersion != 0 || !u.PasswordChangedAt.IsZero() {
		t.Fatalf("got %+v, %v", u, err)
	}
	after := u
	after.PasswordHash, after.PasswordVersion = "new", 1
	if err := s.SetPassword(t.Context(), u, after); err != nil {
		t.Fatal(err)
	}
}
