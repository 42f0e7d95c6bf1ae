package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/people"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/record"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/relay"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// EraseUser implements store.Accounts, by one transaction.
func (s *Store) EraseUser(ctx context.Context, id store.ID, at time.Time) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if err := record.ForgetRequests(ctx, tx, `user_id = ?`, id[:]); err != nil {
			return err
		}
		if err := people.Erase(ctx, tx, id, at); err != nil {
			return err
		}
		for _, statement := range relay.ForgetMailsOf() {
			if _, err := tx.ExecContext(ctx, statement, id[:]); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM registrations WHERE user_id = ? AND cancelled = 1`, id[:]); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE registrations SET request_id = ?, past = '' WHERE user_id = ?`, store.ErasedRequest, id[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("erase user %s: %w", id.Hex(), err)
	}
	return nil
}

// ForgetErased implements store.Retention: EraseUser does it, always.
func (s *Store) ForgetErased(context.Context, int) (int, error) { return 0, nil }

// ForgetCancelled implements store.Retention.
func (s *Store) ForgetCancelled(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE registrations SET given_up_at = ? WHERE (user_id, event_id) IN
			(SELECT user_id, event_id FROM registrations WHERE cancelled = 1 AND given_up_at = 0 LIMIT ?)`, time.Now().UnixMilli(), limit)
		if err != nil {
			return err
		}
		// Twice the same rows: nothing comes between.
		const old = `(user_id, event_id) IN
			(SELECT user_id, event_id FROM registrations WHERE cancelled = 1 AND given_up_at > 0 AND given_up_at < ? ORDER BY given_up_at LIMIT ?)`
		if err := record.ForgetRequests(ctx, tx, old, before.UnixMilli(), limit); err != nil {
			return err
		}
		n, err = sqldb.Affected(tx.ExecContext(ctx, `DELETE FROM registrations WHERE `+old, before.UnixMilli(), limit))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forget cancelled registrations: %w", err)
	}
	return n, nil
}
