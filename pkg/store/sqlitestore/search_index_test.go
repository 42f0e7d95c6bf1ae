package sqlitestore

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestASlowReadEnds checks that a read ends with its caller's time, also within SQLite, with a
// transient error.
func TestASlowReadEnds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "eventio.db"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := sqldb.All(ctx, s.read, sqldb.ScanValue[string], `WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n`)
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("error is %v", err)
	}
}

// TestWhatIsOldFindsNothingWrong checks that rows in the index of words which are out of date find
// no event.
func TestWhatIsOldFindsNothingWrong(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "eventio.db"))
	event := storetest.NewEvent(t, s, 5)
	for _, starts := range []int64{0, sqldb.UnixMillis(event.StartsAt)} {
		if _, err := s.write.ExecContext(t.Context(), `INSERT INTO event_beginnings VALUES ('READ', ?, ?), ('CONCERT', ?, ?)
			ON CONFLICT DO NOTHING`, starts, event.ID[:], starts, event.ID[:]); err != nil {
			t.Fatal(err)
		}
	}
	for words, want := range map[string]int{"read": 0, "concert": 1, "read concert": 0, "concert live": 1} {
		page, err := s.FindEvents(t.Context(), store.EventQuery{Words: search.Words(words)})
		if err != nil || len(page.Events) != want {
			t.Errorf("%s: %d events, %v; want %d", words, len(page.Events), err, want)
		}
	}
}
