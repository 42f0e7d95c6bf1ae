package record

import (
	"context"
	"database/sql"
	"errors"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// recordedIn says where in the record of changes a registration is.
type recordedIn struct {
	user, event store.ID
	revisions   store.Revisions
}

// ForgetRequests takes the request ids of registrations out of the record (store.changes.Forget).
// which selects the registrations, with its arguments.
func ForgetRequests(ctx context.Context, tx *sql.Tx, which string, args ...any) error {
	rows, err := sqldb.All(ctx, tx, func(row sqldb.Scanner) (r recordedIn, err error) {
		err = row.Scan(sqldb.ID{To: &r.user}, sqldb.ID{To: &r.event}, sqldb.Revisions{To: &r.revisions})
		return r, err
	}, `SELECT user_id, event_id, revisions FROM registrations WHERE revisions <> '' AND `+which, args...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		for _, revision := range r.revisions {
			change, err := Scan(tx.QueryRowContext(ctx, `SELECT `+Columns+` FROM changes WHERE event_id = ? AND revision = ?`, r.event[:], revision))
			if errors.Is(err, sql.ErrNoRows) || errors.Is(err, store.ErrDamaged) {
				continue // it was removed, or cannot be read
			}
			if err != nil {
				return err
			}
			if forgotten, changed := changes.Forget(change.record, r.user); changed {
				if _, err := tx.ExecContext(ctx, `UPDATE changes SET packed = ? WHERE seq = ?`, changes.Pack(forgotten), change.seq); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
