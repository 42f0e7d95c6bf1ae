package record

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// AddRefusals implements store.Refusals.
func (s *Record) AddRefusals(ctx context.Context, counted []store.RefusedMinute) error {
	if len(counted) == 0 {
		return nil
	}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for _, m := range counted {
			_, err := tx.ExecContext(ctx, `INSERT INTO refusals (event_id, minute, refused) VALUES (?, ?, ?)
				ON CONFLICT DO UPDATE SET refused = refused + excluded.refused`, m.EventID[:], sqldb.UnixMillis(m.At), m.Refused)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count refusals: %w", err)
	}
	return nil
}

// RefusedMinutes implements store.Refusals.
func (s *Record) RefusedMinutes(ctx context.Context, eventID store.ID, since time.Time) ([]store.RefusedMinute, error) {
	minutes, err := sqldb.All(ctx, s.read, func(row sqldb.Scanner) (store.RefusedMinute, error) {
		m := store.RefusedMinute{EventID: eventID}
		err := row.Scan(sqldb.Millis{To: &m.At}, &m.Refused)
		return m, err
	}, `SELECT minute, refused FROM refusals WHERE event_id = ? AND minute >= ? ORDER BY minute`, eventID[:], sqldb.UnixMillis(since))
	if err != nil {
		return nil, fmt.Errorf("read refusals: %w", err)
	}
	return minutes, nil
}
