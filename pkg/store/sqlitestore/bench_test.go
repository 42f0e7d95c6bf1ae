package sqlitestore

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/storetest/benchtest"
)

func BenchmarkSeats(b *testing.B) { benchtest.Seats(b, target) }

func BenchmarkLists(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "eventio.db"))
	benchtest.Search(b, s, func(tb testing.TB, events []store.Event) {
		err := s.transact(tb.Context(), func(tx *sql.Tx) error {
			for _, e := range events {
				if err := insertEvent(tb.Context(), tx, e); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(tb.Context(), `DELETE FROM event_beginnings`)
			return err
		})
		if err != nil {
			tb.Fatal(err)
		}
	}, func(tb testing.TB) {
		size := func() (n int64) {
			if err := s.read.QueryRowContext(tb.Context(), `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`).Scan(&n); err != nil {
				tb.Fatal(err)
			}
			return n
		}
		before, begun := size(), time.Now()
		err := s.transact(tb.Context(), func(tx *sql.Tx) error { return migrate.FillSearch(tb.Context(), tx, func(int64, int64) {}) })
		if err != nil {
			tb.Fatal(err)
		}
		tb.Logf("step %d took %v; the file grew from %d to %d bytes", migrate.SearchStep, time.Since(begun).Round(time.Millisecond), before, size())
	})
}

func BenchmarkVerify(b *testing.B) {
	path := filepath.Join(b.TempDir(), "eventio.db")
	s := open(b, path)
	reader, err := OpenVerifyReader(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer reader.Close()
	benchtest.Verify(b, s, reader)
}
