package people

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/eventio/eventio/pkg/store/imports"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// KnownUsers implements imports.Store.
func (s *People) KnownUsers(ctx context.Context, ids []store.ID) (map[store.ID]bool, error) {
	known := make(map[store.ID]bool, len(ids))
	for page := range slices.Chunk(ids, sqldb.KeysPerStatement) {
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

// ImportUsers implements imports.Store, by one transaction.
func (s *People) ImportUsers(ctx context.Context, users []store.User) ([]imports.Outcome, error) {
	outcomes := make([]imports.Outcome, len(users))
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for i, u := range users {
			var erased bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM erased_users WHERE user_id = ?)`, u.ID[:]).Scan(&erased); err != nil {
				return err
			}
			if erased { // and does not come back
				outcomes[i] = imports.AlreadyThere
				continue
			}
			err := insertUser(ctx, tx, u)
			switch code := sqldb.Code(err); {
			case err == nil:
				outcomes[i] = imports.Imported
			case code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
				outcomes[i] = imports.AlreadyThere
			case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
				outcomes[i] = imports.AddressInUse
				var n int
				if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE id = ?`, u.ID[:]).Scan(&n); err != nil {
					return err
				} else if n > 0 {
					outcomes[i] = imports.AlreadyThere
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
