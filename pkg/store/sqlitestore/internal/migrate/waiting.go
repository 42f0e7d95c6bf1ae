package migrate

import (
	"context"
	"database/sql"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/waitlist"
)

// WaitingStep is the number of the step that makes the table waiting_gaps.
const WaitingStep = 11

// CountGaps is the code of WaitingStep: it counts the gaps of the waiting lists that there are.
func CountGaps(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error {
	scan := func(row sqldb.Scanner) (e store.Event, err error) {
		err = row.Scan(sqldb.ID{To: &e.ID}, &e.LastNumber, &e.ConfirmedThrough, &e.Waiting)
		return e, err
	}
	events, err := sqldb.All(ctx, tx, scan, `SELECT id, last_number, confirmed_through, waiting FROM events
		WHERE waiting > 0 AND last_number - confirmed_through <> waiting`)
	for i, e := range events {
		if err := waitlist.Recount(ctx, tx, e); err != nil {
			return err
		}
		done(int64(i)+1, int64(len(events)))
	}
	return err
}
