package record_test

import (
	"path/filepath"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/record"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestALongRecordIsRemovedInPieces: none of them holds up the one writer for long, and one that is
// interrupted is gone on with.
func TestALongRecordIsRemovedInPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	b, err := sqlitestore.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	write, err := sqldb.OpenWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	e := storetest.NewEvent(t, b, 10)
	storetest.MustApply(t, b, storetest.NewRequest(e.ID))
	row := storetest.Collect(t, b.EventChanges(t.Context(), e.ID, 0, 0))[0]
	const rows = 2*record.PruneChunk + 10
	tx, err := write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(rows - 1) {
		more := row
		more.Revision = 3 + i
		if err := record.Insert(t.Context(), tx, []store.ChangeRecord{more}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE events SET revision = ?1, recorded = ?1 WHERE id = ?2`, rows+1, e.ID[:]); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	left := func() int { return len(storetest.Collect(t, b.EventChanges(t.Context(), e.ID, 0, 0))) }
	// The second piece cannot be removed.
	broken := `CREATE TRIGGER no_more BEFORE DELETE ON changes WHEN OLD.revision = ` + "3000" + ` BEGIN SELECT raise(ABORT, 'broken'); END`
	if _, err := write.ExecContext(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	until := e.EndsAt.AddDate(1, 0, 0)
	if n, err := b.PruneChanges(t.Context(), until, 5); err == nil || n != 0 || left() != rows-record.PruneChunk {
		t.Fatalf("%d, %v, and %d rows are left", n, err, left())
	}
	if got := storetest.ReadEvent(t, b, e.ID).Recorded; got != store.RemovingRecord {
		t.Errorf("recorded is %d", got)
	}
	if _, err := write.ExecContext(t.Context(), `DROP TRIGGER no_more`); err != nil {
		t.Fatal(err)
	}
	// A change that comes between begins the record anew, and the next removal takes all of it.
	storetest.MustApply(t, b, storetest.NewRequest(e.ID))
	for _, want := range []int{1, 0} {
		if n, err := b.PruneChanges(t.Context(), until, 5); err != nil || n != want {
			t.Fatalf("%d, %v, want %d", n, err, want)
		}
	}
	if n := left(); n != 0 || storetest.ReadEvent(t, b, e.ID).Recorded != 0 {
		t.Errorf("%d rows are left", n)
	}
}
