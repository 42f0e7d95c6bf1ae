package relay

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

var _ outbox.Outbox = (*Relay)(nil)

// AddMails implements outbox.Outbox, in one transaction.
func (s *Relay) AddMails(ctx context.Context, mails []outbox.Mail) error {
	if len(mails) == 0 {
		return nil
	}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for _, m := range mails {
			_, err := tx.ExecContext(ctx, `INSERT INTO mails (key, kind, user_id, address, language, event_id, revision, number,
				created_at, expires_at, due_at, attempt, removed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (key) DO NOTHING`,
				m.Key, string(m.Kind), m.UserID[:], m.Address, m.Language, m.EventID[:], m.Revision, m.Number,
				sqldb.UnixMillis(m.CreatedAt), sqldb.UnixMillis(m.ExpiresAt), sqldb.UnixMillis(m.DueAt))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store mails: %w", err)
	}
	return nil
}

// scanMail reads a row with all columns of outbox.Mail.
func scanMail(row sqldb.Scanner) (m outbox.Mail, err error) {
	err = row.Scan(&m.Key, &m.Kind, sqldb.ID{To: &m.UserID}, &m.Address, &m.Language, sqldb.ID{To: &m.EventID}, &m.Revision, &m.Number,
		sqldb.Millis{To: &m.CreatedAt}, sqldb.Millis{To: &m.ExpiresAt}, sqldb.Millis{To: &m.DueAt}, &m.Attempt)
	return m, err
}

// ClaimMails implements outbox.Outbox. It looks before it writes: most often nothing is due.
func (s *Relay) ClaimMails(ctx context.Context, now, until time.Time, limit int) (mails []outbox.Mail, err error) {
	const due = `due_at > 0 AND due_at <= ? `
	var any int
	err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM mails WHERE `+due+`LIMIT 1)`, now.UnixMilli()).Scan(&any)
	if err != nil {
		return nil, fmt.Errorf("look for mails: %w", sqldb.ReadError(err, nil))
	}
	if any == 0 {
		return nil, nil
	}
	err = s.transact(ctx, func(tx *sql.Tx) (err error) {
		mails, err = sqldb.All(ctx, tx, scanMail, `UPDATE mails SET due_at = ?, attempt = attempt + 1
			WHERE key IN (SELECT key FROM mails WHERE `+due+`ORDER BY due_at LIMIT ?)
			RETURNING key, kind, user_id, address, language, event_id, revision, number, created_at, expires_at, due_at, attempt`,
			until.UnixMilli(), now.UnixMilli(), limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim mails: %w", err)
	}
	return mails, nil
}

// FinishMail implements outbox.Outbox.
func (s *Relay) FinishMail(ctx context.Context, m outbox.Mail, until time.Time) error {
	return s.settleMail(ctx, m, 0, until.UnixMilli())
}

// PutOffMail implements outbox.Outbox.
func (s *Relay) PutOffMail(ctx context.Context, m outbox.Mail) error {
	return s.settleMail(ctx, m, m.DueAt.UnixMilli(), 0)
}

// settleMail ends the claim of a mail. One that is removed meanwhile is settled.
func (s *Relay) settleMail(ctx context.Context, m outbox.Mail, due, removed int64) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		var attempt int64
		err := tx.QueryRowContext(ctx, `SELECT attempt FROM mails WHERE key = ?`, m.Key).Scan(&attempt)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		case attempt != m.Attempt:
			return outbox.ErrClaimLost
		}
		_, err = tx.ExecContext(ctx, `UPDATE mails SET due_at = ?1, removed_at = ?2,
			address = CASE WHEN ?2 > 0 THEN '' ELSE address END WHERE key = ?3`, due, removed, m.Key)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle the mail %s: %w", m.Key, err)
	}
	return nil
}

// ForgetMails implements outbox.Outbox.
func (s *Relay) ForgetMails(ctx context.Context, now time.Time) (n int, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		mails, err := sqldb.Affected(tx.ExecContext(ctx, `DELETE FROM mails WHERE removed_at > 0 AND removed_at <= ?`, now.UnixMilli()))
		if err != nil {
			return err
		}
		tokens, err := sqldb.Affected(tx.ExecContext(ctx, `DELETE FROM mail_tokens WHERE expires_at <= ?`, now.UnixMilli()))
		n = mails + tokens
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forget mails: %w", err)
	}
	return n, nil
}

// AddToken implements outbox.Outbox.
func (s *Relay) AddToken(ctx context.Context, t outbox.Token) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO mail_tokens (hash, kind, user_id, address, password_version, expires_at)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING`,
			t.Hash[:], string(t.Kind), t.UserID[:], t.Address, t.PasswordVersion, sqldb.UnixMillis(t.ExpiresAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("store a token of user %s: %w", t.UserID.Hex(), err)
	}
	return nil
}

// Token implements outbox.Outbox.
func (s *Relay) Token(ctx context.Context, hash [sha256.Size]byte, now time.Time) (outbox.Token, error) {
	t := outbox.Token{Hash: hash}
	err := s.read.QueryRowContext(ctx, `SELECT kind, user_id, address, password_version, expires_at FROM mail_tokens
		WHERE hash = ? AND expires_at > ?`, hash[:], now.UnixMilli()).
		Scan(&t.Kind, sqldb.ID{To: &t.UserID}, &t.Address, &t.PasswordVersion, sqldb.Millis{To: &t.ExpiresAt})
	if err != nil {
		return outbox.Token{}, fmt.Errorf("look up a token: %w", sqldb.ReadError(err, outbox.ErrNoToken))
	}
	return t, nil
}

// DropTokens implements outbox.Outbox.
func (s *Relay) DropTokens(ctx context.Context, userID store.ID, kind outbox.Kind) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM mail_tokens WHERE user_id = ? AND kind = ?`, userID[:], string(kind))
		return err
	})
	if err != nil {
		return fmt.Errorf("remove tokens of user %s: %w", userID.Hex(), err)
	}
	return nil
}

const selectMailSettings = `SELECT user_id, token, language, off_at FROM mail_settings `

func scanMailSettings(row sqldb.Scanner) (v outbox.Settings, err error) {
	err = row.Scan(sqldb.ID{To: &v.UserID}, &v.Token, &v.Language, sqldb.Millis{To: &v.OffAt})
	return v, err
}

// MailSettings implements outbox.Outbox.
func (s *Relay) MailSettings(ctx context.Context, fresh outbox.Settings) (outbox.Settings, error) {
	read := func() (outbox.Settings, error) {
		v, err := scanMailSettings(s.read.QueryRowContext(ctx, selectMailSettings+`WHERE user_id = ?`, fresh.UserID[:]))
		if err != nil {
			return v, fmt.Errorf("read the mail settings of user %s: %w", fresh.UserID.Hex(), sqldb.ReadError(err, outbox.ErrNoToken))
		}
		return v, nil
	}
	v, err := read()
	if fresh.Token == "" || !errors.Is(err, outbox.ErrNoToken) {
		return v, err
	}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO mail_settings (user_id, token, language, off_at) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO NOTHING`,
			fresh.UserID[:], fresh.Token, fresh.Language, sqldb.UnixMillis(fresh.OffAt))
		return err
	})
	if err != nil {
		return outbox.Settings{}, fmt.Errorf("store the mail settings of user %s: %w", fresh.UserID.Hex(), err)
	}
	return read()
}

// MailSettingsOf implements outbox.Outbox.
func (s *Relay) MailSettingsOf(ctx context.Context, token string) (outbox.Settings, error) {
	v, err := scanMailSettings(s.read.QueryRowContext(ctx, selectMailSettings+`WHERE token = ?`, token))
	if err != nil {
		return v, fmt.Errorf("find mail settings: %w", sqldb.ReadError(err, outbox.ErrNoToken))
	}
	return v, nil
}

// SetMailSettings implements outbox.Outbox.
func (s *Relay) SetMailSettings(ctx context.Context, v outbox.Settings) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE mail_settings SET language = ?, off_at = ? WHERE user_id = ?`,
			v.Language, sqldb.UnixMillis(v.OffAt), v.UserID[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("change the mail settings of user %s: %w", v.UserID.Hex(), err)
	}
	return nil
}

// ForgetMailsOf lists the statements that remove what is stored for mails to a user.
func ForgetMailsOf() []string {
	return []string{
		`DELETE FROM mails WHERE user_id = ?`, `DELETE FROM mail_tokens WHERE user_id = ?`, `DELETE FROM mail_settings WHERE user_id = ?`,
	}
}
