package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store/imports"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/record"
)

var _ imports.Store = (*Store)(nil)

// progressStep is how many registrations are stored between two reports of progress.
const progressStep = 5000

// ImportEvent implements imports.Store, by one transaction. So an interrupted import leaves nothing.
func (s *Store) ImportEvent(ctx context.Context, e store.Event, roster []store.ID, progress func(int)) (imports.Outcome, error) {
	if progress == nil {
		progress = func(int) {}
	}
	var outcome imports.Outcome
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		outcome, err = importEvent(ctx, tx, e, roster, progress)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("import event %s: %w", e.ID.Hex(), err)
	}
	return outcome, nil
}

func importEvent(ctx context.Context, tx *sql.Tx, e store.Event, roster []store.ID, progress func(int)) (imports.Outcome, error) {
	var there, registrations int
	err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM events WHERE id = ?1),
		(SELECT count(*) FROM registrations WHERE event_id = ?1)`, e.ID[:]).Scan(&there, &registrations)
	switch {
	case err != nil:
		return "", err
	case there > 0:
		return imports.AlreadyThere, nil
	case registrations > 0: // only a damaged file has them
		return imports.NotFromImport, nil
	}
	if err := insertEvent(ctx, tx, store.ImportedEvent(e, len(roster))); err != nil {
		return "", err
	}
	if err := record.Insert(ctx, tx, []store.ChangeRecord{store.ImportRecord(e, roster, time.Now())}); err != nil {
		return "", err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO registrations (`+registrationColumns+`) VALUES `+onePlaceholder)
	if err != nil {
		return "", err
	}
	defer insert.Close()
	for i, user := range roster {
		if _, err := insert.ExecContext(ctx, registrationValues(imports.Registration(e, i, user))...); err != nil {
			return "", err
		}
		if (i+1)%progressStep == 0 {
			progress(progressStep)
		}
	}
	progress(len(roster) % progressStep)
	return imports.Imported, nil
}
