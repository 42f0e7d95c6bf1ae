package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

var _ store.Importer = (*Store)(nil)

// KnownUsers implements store.Importer.
func (s *Store) KnownUsers(ctx context.Context, ids []store.ID) (map[store.ID]bool, error) {
	known := make(map[store.ID]bool, len(ids))
	for page := range slices.Chunk(ids, keysPerStatement) {
		args := make([]any, len(page))
		for i := range page {
			args[i] = page[i][:]
		}
		query := `SELECT id FROM users WHERE id IN (?` + strings.Repeat(`, ?`, len(page)-1) + `)`
		for found, err := range sqldb.Stream(ctx, s.read, sqldb.ScanID, query, args...) {
			if err != nil {
				return nil, fmt.Errorf("look up %d users: %w", len(page), err)
			}
			known[found] = true
		}
	}
	return known, nil
}

// ImportUsers implements store.Importer, by one transaction.
func (s *Store) ImportUsers(ctx context.Context, users []store.User) ([]store.ImportOutcome, error) {
	outcomes := make([]store.ImportOutcome, len(users))
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for i, u := range users {
			var erased bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM erased_users WHERE user_id = ?)`, u.ID[:]).Scan(&erased); err != nil {
				return err
			}
			if erased { // and does not come back
				outcomes[i] = store.AlreadyThere
				continue
			}
			err := insertUser(ctx, tx, u)
			switch code := sqldb.Code(err); {
			case err == nil:
				outcomes[i] = store.Imported
			case code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
				outcomes[i] = store.AlreadyThere
			case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
				outcomes[i] = store.AddressInUse
				var n int
				if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE id = ?`, u.ID[:]).Scan(&n); err != nil {
					return err
				} else if n > 0 {
					outcomes[i] = store.AlreadyThere
				}
			default:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("import %d users: %w", len(users), err)
	}
	return outcomes, nil
}

// progressStep is how many registrations are stored between two reports of progress.
const progressStep = 5000

// ImportEvent implements store.Importer, by one transaction. So an interrupted import leaves nothing.
func (s *Store) ImportEvent(ctx context.Context, e store.Event, roster []store.ID, progress func(int)) (store.ImportOutcome, error) {
	if progress == nil {
		progress = func(int) {}
	}
	var outcome store.ImportOutcome
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		outcome, err = importEvent(ctx, tx, e, roster, progress)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("import event %s: %w", e.ID.Hex(), err)
	}
	return outcome, nil
}

func importEvent(ctx context.Context, tx *sql.Tx, e store.Event, roster []store.ID, progress func(int)) (store.ImportOutcome, error) {
	var there, registrations int
	err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM events WHERE id = ?1),
		(SELECT count(*) FROM registrations WHERE event_id = ?1)`, e.ID[:]).Scan(&there, &registrations)
	switch {
	case err != nil:
		return "", err
	case there > 0:
		return store.AlreadyThere, nil
	case registrations > 0: // only a damaged file has them
		return store.NotFromImport, nil
	}
	if err := insertEvent(ctx, tx, store.ImportedEvent(e, len(roster))); err != nil {
		return "", err
	}
	if err := insertChanges(ctx, tx, []store.ChangeRecord{store.ImportRecord(e, roster, time.Now())}); err != nil {
		return "", err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO registrations (`+registrationColumns+`) VALUES `+onePlaceholder)
	if err != nil {
		return "", err
	}
	defer insert.Close()
	for i, user := range roster {
		if _, err := insert.ExecContext(ctx, registrationValues(store.ImportedRegistration(e, i, user))...); err != nil {
			return "", err
		}
		if (i+1)%progressStep == 0 {
			progress(progressStep)
		}
	}
	progress(len(roster) % progressStep)
	return store.Imported, nil
}
