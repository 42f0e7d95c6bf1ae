package sqlitestore

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest/seats"
	"github.com/eventio/eventio/pkg/store/waiting"
)

// TestUncountedGaps checks that nobody has a wrong position by gaps that were not counted, and that the step of
// the schema counts them.
func TestUncountedGaps(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "eventio.db"))
	write := func(fn func(tx *sql.Tx) error) {
		if err := s.transact(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	seats.UncountedGaps(t, s, func(event store.ID) []waiting.Gaps {
		gaps, err := sqldb.All(t.Context(), s.read, func(row sqldb.Scanner) (g waiting.Gaps, err error) {
			return g, row.Scan(&g.Block, &g.Count)
		}, `SELECT block, count FROM waiting_gaps WHERE event_id = ? ORDER BY block`, event[:])
		if err != nil {
			t.Fatal(err)
		}
		return gaps
	}, func(event store.ID) {
		write(func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `DELETE FROM waiting_gaps WHERE event_id = ?`, event[:])
			return err
		})
	}, func() {
		write(func(tx *sql.Tx) error { return migrate.CountGaps(t.Context(), tx, func(int64, int64) {}) })
	})
}
