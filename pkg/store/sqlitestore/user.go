package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

const selectUser = `SELECT id, name, email, password_hash, password_version, password_changed_at, created_at FROM users `

func scanUser(row *sql.Row) (store.User, error) {
	var u store.User
	err := row.Scan(id{&u.ID}, &u.Name, &u.Email, &u.PasswordHash, &u.PasswordVersion,
		millis{&u.PasswordChangedAt}, millis{&u.CreatedAt})
	if err != nil {
		return store.User{}, readError(err, store.ErrUserNotFound)
	}
	return u, nil
}

// User implements store.Identity.
func (s *Store) User(ctx context.Context, userID store.ID) (store.User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, selectUser+`WHERE id = ?`, userID[:]))
	if err != nil {
		return store.User{}, fmt.Errorf("read user %s: %w", userID.Hex(), err)
	}
	return u, nil
}

// SetPassword implements store.Identity.
func (s *Store) SetPassword(ctx context.Context, before, after store.User) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		var hash string
		err := tx.QueryRowContext(ctx, `SELECT password_hash FROM users WHERE id = ?`, before.ID[:]).Scan(&hash)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrUserNotFound
		case err != nil:
			return err
		case hash != before.PasswordHash:
			return store.ErrPasswordChanged
		}
		_, err = tx.ExecContext(ctx, `UPDATE users SET password_hash = ?, password_version = ?, password_changed_at = ?
			WHERE id = ?`, after.PasswordHash, after.PasswordVersion, unixMillis(after.PasswordChangedAt), before.ID[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("set the password of user %s: %w", before.ID.Hex(), err)
	}
	return nil
}

// Revocations implements store.Identity.
func (s *Store) Revocations(ctx context.Context, since time.Time) iter.Seq2[store.Revocation, error] {
	scan := func(row scanner) (store.Revocation, error) {
		var r store.Revocation
		err := row.Scan(id{&r.UserID}, &r.PasswordVersion, millis{&r.ChangedAt})
		return r, err
	}
	return stream(ctx, s.read, scan, `SELECT id, password_version, password_changed_at FROM users
		WHERE password_changed_at > 0 AND password_changed_at >= ?`, since.UnixMilli())
}

// SigningKey implements store.Identity.
func (s *Store) SigningKey(ctx context.Context, proposed store.SigningKey) (store.SigningKey, error) {
	var key store.SigningKey
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO signing_keys (slot, id, secret, created_at) VALUES (1, ?, ?, ?)
			ON CONFLICT (slot) DO NOTHING`, proposed.ID, proposed.Secret, proposed.CreatedAt.UnixMilli())
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT id, secret, created_at FROM signing_keys WHERE slot = 1`).
			Scan(&key.ID, &key.Secret, millis{&key.CreatedAt})
	})
	if err != nil {
		return store.SigningKey{}, fmt.Errorf("share a signing key: %w", err)
	}
	return key, nil
}
