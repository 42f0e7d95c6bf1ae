package sqlitestore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// recordedIn says where in the record of changes a registration is.
type recordedIn struct {
	user, event store.ID
	revisions   store.Revisions
}

// forgetRequests takes the request ids of registrations out of the record (store.ChangeRecord.Forget).
// which selects the registrations, with its arguments.
func forgetRequests(ctx context.Context, tx *sql.Tx, which string, args ...any) error {
	rows, err := sqldb.All(ctx, tx, func(row sqldb.Scanner) (r recordedIn, err error) {
		err = row.Scan(sqldb.ID{To: &r.user}, sqldb.ID{To: &r.event}, sqldb.Revisions{To: &r.revisions})
		return r, err
	}, `SELECT user_id, event_id, revisions FROM registrations WHERE revisions <> '' AND `+which, args...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		for _, revision := range r.revisions {
			change, err := scanChange(tx.QueryRowContext(ctx, `SELECT `+changeColumns+` FROM changes WHERE event_id = ? AND revision = ?`, r.event[:], revision))
			if errors.Is(err, sql.ErrNoRows) || errors.Is(err, store.ErrDamaged) {
				continue // it was removed, or cannot be read
			}
			if err != nil {
				return err
			}
			if forgotten, changed := change.record.Forget(r.user); changed {
				if _, err := tx.ExecContext(ctx, `UPDATE changes SET packed = ? WHERE seq = ?`, forgotten.Pack(), change.seq); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
