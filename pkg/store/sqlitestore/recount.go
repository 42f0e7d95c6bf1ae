package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/eventio/eventio/pkg/store"
)

// counts counts the registrations of an event. It reads their index only.
func counts(ctx context.Context, tx *sql.Tx, e store.Event) (*store.Counts, error) {
	var c store.Counts
	err := tx.QueryRowContext(ctx, `SELECT
			(SELECT count(*) FROM registrations WHERE event_id = ?1 AND cancelled = 0 AND number <= ?2),
			(SELECT count(*) FROM registrations WHERE event_id = ?1 AND cancelled = 0 AND number > ?2),
			max((SELECT coalesce(max(number), 0) FROM registrations WHERE event_id = ?1 AND cancelled = 0),
			    (SELECT coalesce(max(number), 0) FROM registrations WHERE event_id = ?1 AND cancelled = 1), 0)`,
		e.ID[:], e.ConfirmedThrough).Scan(&c.Confirmed, &c.Waiting, &c.LastNumber)
	if err != nil {
		return nil, fmt.Errorf("count the registrations of event %s: %w", e.ID.Hex(), err)
	}
	return &c, nil
}
