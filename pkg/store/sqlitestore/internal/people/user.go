package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

const selectUser = `SELECT id, name, email, password_hash, password_version, password_changed_at, email_proven_at, created_at, locked_at FROM users `

func scanUser(row sqldb.Scanner) (store.User, error) {
	var u store.User
	err := row.Scan(sqldb.ID{To: &u.ID}, &u.Name, &u.Email, &u.PasswordHash, &u.PasswordVersion,
		sqldb.Millis{To: &u.PasswordChangedAt}, sqldb.Millis{To: &u.EmailProvenAt}, sqldb.Millis{To: &u.CreatedAt}, sqldb.Millis{To: &u.LockedAt})
	if err != nil {
		return store.User{}, sqldb.ReadError(err, store.ErrUserNotFound)
	}
	return u, nil
}

// CreateUser implements store.Users.
func (s *People) CreateUser(ctx context.Context, u store.User) error {
	err := s.transact(ctx, func(tx *sql.Tx) error { return createUser(ctx, tx, u) })
	if err != nil {
		return fmt.Errorf("create user %s: %w", u.ID.Hex(), err)
	}
	return nil
}

// createUser stores a user. It returns store.ErrEmailTaken when another one has the address, in whatever form.
func createUser(ctx context.Context, tx *sql.Tx, u store.User) error {
	if err := refuseOlderKey(ctx, tx, u); err != nil {
		return err
	}
	err := insertUser(ctx, tx, u)
	if sqldb.Code(err) == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return store.ErrEmailTaken
	}
	return err
}

// refuseOlderKey returns store.ErrEmailTaken when another user has the older key of the address, which the
// index of keys does not see.
func refuseOlderKey(ctx context.Context, tx *sql.Tx, u store.User) error {
	for _, key := range store.OlderEmailKeys(u.Email) {
		switch other, err := scanUser(tx.QueryRowContext(ctx, selectUser+`WHERE email_key = ?`, key)); {
		case errors.Is(err, store.ErrUserNotFound):
		case err != nil:
			return err
		case other.ID != u.ID:
			return store.ErrEmailTaken
		}
	}
	return nil
}

func insertUser(ctx context.Context, tx *sql.Tx, u store.User) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO users (id, name, email, email_key, password_hash, created_at,
		password_version, password_changed_at, locked_at, email_proven_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.ID[:], u.Name, u.Email, store.EmailKey(u.Email), u.PasswordHash, sqldb.UnixMillis(u.CreatedAt),
		u.PasswordVersion, sqldb.UnixMillis(u.PasswordChangedAt), sqldb.UnixMillis(u.LockedAt), sqldb.UnixMillis(u.EmailProvenAt))
	return err
}

// User implements store.Users.
func (s *People) User(ctx context.Context, userID store.ID) (store.User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, selectUser+`WHERE id = ?`, userID[:]))
	if err != nil {
		return store.User{}, fmt.Errorf("read user %s: %w", userID.Hex(), err)
	}
	return u, nil
}

// UserByEmail implements store.Users.
func (s *People) UserByEmail(ctx context.Context, email string) (store.User, error) {
	u, err := userByEmail(ctx, s.read, email)
	if err != nil {
		return store.User{}, fmt.Errorf("find user by address: %w", err)
	}
	return u, nil
}

// userByEmail finds the user with the first of the keys of an address that one has.
func userByEmail(ctx context.Context, q sqldb.Querier, email string) (u store.User, err error) {
	for _, key := range store.EmailKeys(email) {
		u, err = scanUser(q.QueryRowContext(ctx, selectUser+`WHERE email_key = ?`, key))
		if !errors.Is(err, store.ErrUserNotFound) {
			break
		}
	}
	return u, err
}

// SetPassword implements store.Users.
func (s *People) SetPassword(ctx context.Context, before, after store.User) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		var hash string
		var version int64
		err := tx.QueryRowContext(ctx, `SELECT password_hash, password_version FROM users WHERE id = ?`, before.ID[:]).Scan(&hash, &version)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrUserNotFound
		case err != nil:
			return err
		case hash != before.PasswordHash || version != before.PasswordVersion:
			return store.ErrPasswordChanged
		}
		_, err = tx.ExecContext(ctx, `UPDATE users SET password_hash = ?, password_version = ?, password_changed_at = ?
			WHERE id = ?`, after.PasswordHash, after.PasswordVersion, sqldb.UnixMillis(after.PasswordChangedAt), before.ID[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("set the password of user %s: %w", before.ID.Hex(), err)
	}
	return nil
}

// Revocations implements store.Users.
func (s *People) Revocations(ctx context.Context, since time.Time) iter.Seq2[store.Revocation, error] {
	scan := func(row sqldb.Scanner) (store.Revocation, error) {
		var r store.Revocation
		err := row.Scan(sqldb.ID{To: &r.UserID}, &r.PasswordVersion, sqldb.Millis{To: &r.ChangedAt})
		return r, err
	}
	return sqldb.Stream(ctx, s.read, scan, `SELECT id, password_version, password_changed_at FROM users
		WHERE password_changed_at > 0 AND password_changed_at >= ?1
		UNION ALL SELECT user_id, ?2, erased_at FROM erased_users WHERE erased_at >= ?1`, since.UnixMilli(), int64(store.ErasedVersion))
}
