package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// ProveEmail implements store.Users.
func (s *Store) ProveEmail(ctx context.Context, id store.ID, email string, at time.Time) (u store.User, err error) {
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
func (s *Store) FreeEmail(ctx context.Context, email string, at time.Time) (u store.User, err error) {
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

// loadProven reads which users of the batch have proven their addresses, for the events that ask for it.
func loadProven(ctx context.Context, tx *sql.Tx, states map[store.ID]store.EventState, batch []store.SeatRequest) error {
	for some := range slices.Chunk(store.NeedProof(states, batch), keysPerStatement) {
		keys := make([]any, len(some))
		for i := range some {
			keys[i] = some[i][:]
		}
		proven, err := sqldb.All(ctx, tx, func(row sqldb.Scanner) (id store.ID, err error) {
			return id, row.Scan(sqldb.ID{To: &id})
		}, `SELECT id FROM users WHERE email_proven_at > 0 AND id IN (?`+strings.Repeat(`, ?`, len(some)-1)+`)`, keys...)
		if err != nil {
			return err
		}
		store.SetProven(states, proven)
	}
	return nil
}
