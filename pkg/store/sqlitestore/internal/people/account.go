package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// updateUser runs one statement about a user, and returns the user as stored then.
func (s *People) updateUser(ctx context.Context, what string, id store.ID, statement string, args ...any) (store.User, error) {
	var u store.User
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		if _, err = tx.ExecContext(ctx, statement, args...); err == nil {
			u, err = scanUser(tx.QueryRowContext(ctx, selectUser+`WHERE id = ?`, id[:]))
		}
		return err
	})
	if err != nil {
		return store.User{}, fmt.Errorf("%s user %s: %w", what, id.Hex(), err)
	}
	return u, nil
}

// EndTokens implements store.Accounts.
func (s *People) EndTokens(ctx context.Context, id store.ID, at time.Time) (store.User, error) {
	return s.updateUser(ctx, "end the tokens of", id,
		`UPDATE users SET password_version = password_version + 1, password_changed_at = ? WHERE id = ?`, sqldb.UnixMillis(at), id[:])
}

// LockUser implements store.Accounts.
func (s *People) LockUser(ctx context.Context, id store.ID, at time.Time) (store.User, error) {
	u, err := s.updateUser(ctx, "lock", id, `UPDATE users SET password_version = password_version + 1, password_changed_at = ?1, locked_at = ?1
		WHERE id = ?2 AND locked_at = 0`, sqldb.UnixMillis(at), id[:])
	if err != nil {
		return store.User{}, err
	}
	// No key is made any more. When this fails, the operator comes again.
	if err := s.transact(ctx, func(tx *sql.Tx) error { return endAPIKeys(ctx, tx, `owner_id = ?3`, id[:]) }); err != nil {
		return store.User{}, fmt.Errorf("end the keys of user %s: %w", id.Hex(), err)
	}
	return u, nil
}

// UnlockUser implements store.Accounts.
func (s *People) UnlockUser(ctx context.Context, id store.ID) (store.User, error) {
	return s.updateUser(ctx, "unlock", id, `UPDATE users SET locked_at = 0 WHERE id = ?`, id[:])
}

// EditUser implements store.Accounts.
func (s *People) EditUser(ctx context.Context, u store.User) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if err := refuseOlderKey(ctx, tx, u); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE users SET name = ?1, email = ?2, email_key = iif(email = ?2, email_key, ?3),
			email_proven_at = iif(email = ?2 OR email_key = ?3, email_proven_at, 0) WHERE id = ?4`,
			u.Name, u.Email, store.EmailKey(u.Email), u.ID[:])
		if sqldb.Code(err) == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
			return store.ErrEmailTaken
		}
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			err = store.ErrUserNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("edit user %s: %w", u.ID.Hex(), err)
	}
	return nil
}

// Erase removes a user and their sessions, ends their keys, and remembers the id as erased, in a transaction.
func Erase(ctx context.Context, tx *sql.Tx, id store.ID, at time.Time) error {
	for _, statement := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO erased_users (user_id, erased_at) VALUES (?, ?) ON CONFLICT (user_id) DO NOTHING`, []any{id[:], at.UnixMilli()}},
		{`DELETE FROM users WHERE id = ?`, []any{id[:]}},
		{`DELETE FROM sessions WHERE user_id = ?`, []any{id[:]}},
	} {
		if _, err := tx.ExecContext(ctx, statement.text, statement.args...); err != nil {
			return err
		}
	}
	// They stay for a day, without their names, so that all processes learn of their end.
	if err := endAPIKeys(ctx, tx, `owner_id = ?3`, id[:]); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE api_keys SET name = '' WHERE owner_id = ?`, id[:])
	return err
}

// ErasedAt implements store.Accounts.
func (s *People) ErasedAt(ctx context.Context, id store.ID) (time.Time, error) {
	var at time.Time
	err := s.read.QueryRowContext(ctx, `SELECT erased_at FROM erased_users WHERE user_id = ?`, id[:]).Scan(sqldb.Millis{To: &at})
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look up whether user %s was erased: %w", id.Hex(), sqldb.ReadError(err, nil))
	}
	return at, nil
}

// ForgetKeys implements store.Retention.
func (s *People) ForgetKeys(ctx context.Context) (n int, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		now := time.Now().UnixMilli()
		keys, err := sqldb.Affected(tx.ExecContext(ctx, `DELETE FROM idempotency_keys WHERE expires_at <= ?`, now))
		if err != nil {
			return err
		}
		sessions, err := sqldb.Affected(tx.ExecContext(ctx, `DELETE FROM sessions WHERE removed_at <= ?`, now))
		if err != nil {
			return err
		}
		programs, err := sqldb.Affected(tx.ExecContext(ctx, `DELETE FROM api_keys WHERE removed_at <= ?`, now))
		if err != nil {
			return err
		}
		refusals, err := sqldb.Affected(tx.ExecContext(ctx, `DELETE FROM refusals WHERE minute <= ?`, now-store.RefusalsKept.Milliseconds()))
		n = keys + sessions + programs + refusals
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forget expired keys and sessions: %w", err)
	}
	return n, nil
}
