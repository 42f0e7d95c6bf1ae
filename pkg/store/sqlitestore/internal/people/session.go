package people

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// CreateSession implements store.Sessions.
func (s *People) CreateSession(ctx context.Context, session store.Session) error {
	err := s.transact(ctx, func(tx *sql.Tx) error { return insertSession(ctx, tx, session) })
	if err != nil {
		return fmt.Errorf("create a session of user %s: %w", session.UserID.Hex(), err)
	}
	return nil
}

// insertSession stores a session that is not there yet.
func insertSession(ctx context.Context, tx *sql.Tx, s store.Session) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, user_id, password_version, client, created_at, expires_at, ended_at, removed_at)
		VALUES (?, ?, ?, ?, ?, ?, 0, ?) ON CONFLICT (id) DO NOTHING`,
		s.ID[:], s.UserID[:], s.PasswordVersion, s.Client, sqldb.UnixMillis(s.CreatedAt), sqldb.UnixMillis(s.ExpiresAt),
		removedAt(s))
	return err
}

// removedAt returns when a session is removed, in milliseconds; 0 for one without an ExpiresAt.
func removedAt(s store.Session) int64 {
	if s.ExpiresAt.IsZero() {
		return 0
	}
	return sqldb.UnixMillis(s.ExpiresAt.Add(store.SessionKept))
}

const selectSession = `SELECT id, user_id, password_version, client, created_at, expires_at, ended_at FROM sessions `

// scanSession reads a row of selectSession.
func scanSession(row sqldb.Scanner) (v store.Session, err error) {
	err = row.Scan(sqldb.ID{To: &v.ID}, sqldb.ID{To: &v.UserID}, &v.PasswordVersion, &v.Client,
		sqldb.Millis{To: &v.CreatedAt}, sqldb.Millis{To: &v.ExpiresAt}, sqldb.Millis{To: &v.EndedAt})
	return v, err
}

// SessionHistory implements store.Sessions.
func (s *People) SessionHistory(ctx context.Context, userID store.ID) iter.Seq2[store.Session, error] {
	return sqldb.Stream(ctx, s.read, scanSession, selectSession+`WHERE user_id = ? ORDER BY id DESC`, userID[:])
}

// UserSessions implements store.Sessions.
func (s *People) UserSessions(ctx context.Context, userID store.ID, now time.Time) ([]store.Session, error) {
	all, err := sqldb.All(ctx, s.read, scanSession, selectSession+`WHERE user_id = ? AND ended_at = 0 AND expires_at > ? ORDER BY id DESC LIMIT ?`, userID[:], now.UnixMilli(), store.MaxSessions)
	if err != nil {
		return nil, fmt.Errorf("list the sessions of user %s: %w", userID.Hex(), err)
	}
	return all, nil
}

// ExtendSession implements store.Sessions.
func (s *People) ExtendSession(ctx context.Context, session store.Session) (alive bool, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		if err := insertSession(ctx, tx, session); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE sessions SET expires_at = max(expires_at, ?), removed_at = max(removed_at, ?)
			WHERE id = ? AND user_id = ? AND ended_at = 0`,
			sqldb.UnixMillis(session.ExpiresAt), removedAt(session), session.ID[:], session.UserID[:])
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		alive = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("extend session %s: %w", session.ID.Hex(), err)
	}
	return alive, nil
}

// EndSession implements store.Sessions. The time is that of this machine, which all processes that can
// open the file share.
func (s *People) EndSession(ctx context.Context, session store.Session) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if !session.ExpiresAt.IsZero() {
			if err := insertSession(ctx, tx, session); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE sessions SET ended_at = ?, expires_at = max(expires_at, ?), removed_at = max(removed_at, ?)
			WHERE id = ? AND user_id = ? AND ended_at = 0`,
			time.Now().UnixMilli(), sqldb.UnixMillis(session.ExpiresAt), removedAt(session), session.ID[:], session.UserID[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("end session %s: %w", session.ID.Hex(), err)
	}
	return nil
}

// EndedSessions implements store.Sessions.
func (s *People) EndedSessions(ctx context.Context, since time.Time) iter.Seq2[store.EndedSession, error] {
	scan := func(row sqldb.Scanner) (e store.EndedSession, err error) {
		err = row.Scan(sqldb.ID{To: &e.ID}, sqldb.Millis{To: &e.EndedAt}, sqldb.Millis{To: &e.ExpiresAt})
		return e, err
	}
	return sqldb.Stream(ctx, s.read, scan, `SELECT id, ended_at, expires_at FROM sessions WHERE ended_at > 0 AND ended_at >= ?`, since.UnixMilli())
}
