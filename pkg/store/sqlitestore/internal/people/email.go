package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// ProveEmail implements store.Users.
func (s *People) ProveEmail(ctx context.Context, id store.ID, email string, at time.Time) (u store.User, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		if u, err = scanUser(tx.QueryRowContext(ctx, selectUser+`WHERE id = ?`, id[:])); err != nil {
			return err
		}
		for _, key := range store.EmailKeys(email) {
			switch other, err := scanUser(tx.QueryRowContext(ctx, selectUser+`WHERE email_key = ?`, key)); {
			case errors.Is(err, store.ErrUserNotFound):
			case err != nil:
				return err
			case other.ID != id:
				if _, err := freeEmail(ctx, tx, other, at); err != nil {
					return err
				}
			}
		}
		u.Email, u.EmailProvenAt = email, at.UTC()
		_, err := tx.ExecContext(ctx, `UPDATE users SET email = ?, email_key = ?, email_proven_at = ? WHERE id = ?`,
			u.Email, store.EmailKey(u.Email), sqldb.UnixMillis(u.EmailProvenAt), id[:])
		return err
	})
	if err != nil {
		return store.User{}, fmt.Errorf("prove the address of user %s: %w", id.Hex(), err)
	}
	return u, nil
}

// FreeEmail implements store.Users.
func (s *People) FreeEmail(ctx context.Context, email string, at time.Time) (u store.User, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		holder, err := userByEmail(ctx, tx, email)
		if err == nil {
			u, err = freeEmail(ctx, tx, holder, at)
		}
		return err
	})
	if err != nil {
		return store.User{}, fmt.Errorf("free an address: %w", err)
	}
	return u, nil
}

// freeEmail takes the address from a user who has not proven it.
func freeEmail(ctx context.Context, tx *sql.Tx, u store.User, at time.Time) (store.User, error) {
	if !u.EmailProvenAt.IsZero() {
		return u, store.ErrEmailProven
	}
	u = u.WithoutEmail(at)
	_, err := tx.ExecContext(ctx, `UPDATE users SET email = ?, email_key = ?, password_version = ?, password_changed_at = ? WHERE id = ?`,
		u.Email, store.EmailKey(u.Email), u.PasswordVersion, sqldb.UnixMillis(u.PasswordChangedAt), u.ID[:])
	return u, err
}
