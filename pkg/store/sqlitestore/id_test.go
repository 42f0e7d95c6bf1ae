package sqlitestore

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

func TestACopiedFileIsAnotherDatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "eventio.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	id := s.DatabaseID()
	backup := filepath.Join(dir, "backup.db") // SQLite's own way, while it is open
	if _, err := s.write.ExecContext(t.Context(), `VACUUM INTO ?`, backup); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "copy.db")
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(copied, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, copied).DatabaseID(); got == id {
		t.Error("a copied file has the id of the original")
	}
	if got := open(t, backup).DatabaseID(); got == id {
		t.Error("a backup has the id of the original")
	}
	if got := open(t, filepath.Join(dir, "new.db")).DatabaseID(); got == id {
		t.Error("a new file has the id of another")
	}
	moved := filepath.Join(dir, "moved.db")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if got := open(t, moved).DatabaseID(); got != id {
		t.Errorf("a moved file has the id %s, before it was %s", got, id)
	}
}

func TestProcessesThatStartAtOnceAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	ids := make([]string, 8)
	var crowd sync.WaitGroup
	for i := range ids {
		crowd.Go(func() {
			s, err := Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = s.DatabaseID()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Fatalf("the ids are %q", ids)
		}
	}
}

// TestAFileOfTheVersionBeforeHasNoID checks that a tool which only reads does not make a database
// id.
func TestAFileOfTheVersionBeforeHasNoID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, damage := range []string{`DELETE FROM meta`, `DROP TABLE meta`} {
		if _, err := db.ExecContext(t.Context(), damage); err != nil {
			t.Fatal(err)
		}
		a, err := OpenVerifyReader(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := a.DatabaseID(t.Context()); !errors.Is(err, store.ErrNoDatabaseID) {
			t.Errorf("after %s the id is %q, %v", damage, id, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}
