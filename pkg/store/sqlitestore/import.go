package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
)

var _ store.Importer = (*Store)(nil)

// knownPage is how many ids are looked up in one query.
const knownPage = 500

// KnownUsers implements store.Importer.
func (s *Store) KnownUsers(ctx context.Context, ids []store.ID) (map[store.ID]bool, error) {
	known := make(map[store.ID]bool, len(ids))
	for len(ids) > 0 {
		page := ids[:min(knownPage, len(ids))]
		ids = ids[len(page):]
		args := make([]any, len(page))
		for i := range page {
			args[i] = page[i][:]
		}
		query := `SELECT id FROM users WHERE id IN (?` + strings.Repeat(`, ?`, len(page)-1) + `)`
		for found, err := range stream(ctx, s.read, scanID, query, args...) {
			if err != nil {
				return nil, fmt.Errorf("look up %d users: %w", len(page), err)
			}
			known[found] = true
		}
	}
	return known, nil
}

// ImportUsers implements store.Importer: one transaction for all of them.
func (s *Store) ImportUsers(ctx context.Context, users []store.User) ([]store.ImportOutcome, error) {
	outcomes := make([]store.ImportOutcome, len(users))
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for i, u := range users {
			err := insertUser(ctx, tx, u)
			var se *sqlite.Error
			switch {
			case err == nil:
				outcomes[i] = store.Imported
			case errors.As(err, &se) && se.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
				outcomes[i] = store.AlreadyThere
			case errors.As(err, &se) && se.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
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

// importStep is how many registrations are stored between two reports of progress.
const importStep = 5000

// ImportEvent implements store.Importer: one transaction, so an interrupted import leaves
// nothing.
func (s *Store) ImportEvent(ctx context.Context, e store.Event, roster []store.ID, moved func(int)) (store.ImportOutcome, error) {
	if moved == nil {
		moved = func(int) {}
	}
	var outcome store.ImportOutcome
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		outcome, err = importEvent(ctx, tx, e, roster, moved)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("import event %s: %w", e.ID.Hex(), err)
	}
	return outcome, nil
}

func importEvent(ctx context.Context, tx *sql.Tx, e store.Event, roster []store.ID, moved func(int)) (store.ImportOutcome, error) {
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
	insert, err := tx.PrepareContext(ctx, `INSERT INTO registrations (`+registrationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return "", err
	}
	defer insert.Close()
	for i, user := range roster {
		r := store.ImportedRegistration(e, i, user)
		_, err := insert.ExecContext(ctx, r.UserID[:], r.EventID[:], r.Number, r.RequestID, unixMillis(r.RegisteredAt), r.Cancelled, r.Past)
		if err != nil {
			return "", err
		}
		if (i+1)%importStep == 0 {
			moved(importStep)
		}
	}
	moved(len(roster) % importStep)
	return store.Imported, nil
}
