package sqlitestore

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/storetest/benchtest"
)

func BenchmarkSeats(b *testing.B) { benchtest.Seats(b, target) }

func BenchmarkUserRegistrations(b *testing.B) { benchtest.UserRegistrations(b, target) }

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

// BenchmarkReads measures the reads that clients call most.
func BenchmarkReads(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "eventio.db"))
	event := storetest.NewWaitlistEvent(b, s, 1000)
	requests := storetest.NewRequests(event.ID, 100)
	storetest.MustApply(b, s, requests...)
	b.Run("event", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Event(b.Context(), event.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("registration", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Registration(b.Context(), event.ID, requests[7].UserID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("page of a roster", func(b *testing.B) {
		for b.Loop() {
			for _, err := range s.Roster(b.Context(), event.ID, 0, 1000, 20) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("one seat change", func(b *testing.B) {
		for b.Loop() {
			storetest.MustApply(b, s, storetest.NewRequest(event.ID))
		}
	})
}
