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

// addedColumns are younger than their tables: a file made before them gets them when it is
// opened.
var addedColumns = [...]struct{ table, column, declaration string }{
	{"users", "password_version", "INTEGER NOT NULL DEFAULT 0"},
	{"users", "password_changed_at", "INTEGER"},
}

const indexPasswordChanges = `CREATE INDEX IF NOT EXISTS users_by_password_change
	ON users (password_changed_at) WHERE password_changed_at IS NOT NULL`

// migrate makes what tables, columns and indexes are missing, in one transaction.
func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := prepare(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func prepare(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	for _, c := range addedColumns {
		var has bool
		row := tx.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info(?) WHERE name = ?`, c.table, c.column)
		if err := row.Scan(&has); err != nil {
			return err
		}
		if has {
			continue
		}
		if _, err := tx.ExecContext(ctx, "ALTER TABLE "+c.table+" ADD COLUMN "+c.column+" "+c.declaration); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, indexPasswordChanges)
	return err
}

const selectUser = `SELECT id, name, email, password_hash, password_version, password_changed_at, created_at FROM users `

func scanUser(row *sql.Row) (store.User, error) {
	var u store.User
	err := row.Scan(id{&u.ID}, &u.Name, &u.Email, &u.PasswordHash, &u.PasswordVersion,
		optionalMillis{&u.PasswordChangedAt}, millis{&u.CreatedAt})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return store.User{}, store.ErrUserNotFound
	case err != nil:
		return store.User{}, unavailable(err)
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
			WHERE id = ?`, after.PasswordHash, after.PasswordVersion, nullMillis(after.PasswordChangedAt), before.ID[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("set the password of user %s: %w", before.ID.Hex(), err)
	}
	return nil
}

// Revocations implements store.Identity.
func (s *Store) Revocations(ctx context.Context, since time.Time) iter.Seq2[store.Revocation, error] {
	scan := func(scan func(...any) error) (store.Revocation, error) {
		var r store.Revocation
		err := scan(id{&r.UserID}, &r.PasswordVersion, millis{&r.ChangedAt})
		return r, err
	}
	return stream(ctx, s.read, scan, `SELECT id, password_version, password_changed_at FROM users
		WHERE password_changed_at >= ?`, since.UnixMilli())
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
		return tx.QueryRowContext(ctx, `SELECT id, secret, created_at FROM signing_keys`).
			Scan(&key.ID, &key.Secret, millis{&key.CreatedAt})
	})
	if err != nil {
		return store.SigningKey{}, fmt.Errorf("share a signing key: %w", err)
	}
	return key, nil
}

// nullMillis writes a time that may be missing.
func nullMillis(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// optionalMillis scans a time that may be missing: it stays zero then.
type optionalMillis struct{ to *time.Time }

func (s optionalMillis) Scan(v any) error {
	if v == nil {
		*s.to = time.Time{}
		return nil
	}
	return millis(s).Scan(v)
}
