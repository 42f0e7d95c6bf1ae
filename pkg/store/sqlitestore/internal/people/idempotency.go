package people

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// Begin implements store.Idempotency. Leases go by the clock of this machine, which all processes that
// can open the file share.
func (s *People) Begin(ctx context.Context, c store.Claim, lease time.Duration) (store.Claim, bool, error) {
	done := false
	var refused error // an answer, which does not roll back the transaction
	err := s.transact(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		if _, err := tx.ExecContext(ctx, `DELETE FROM idempotency_keys WHERE expires_at <= ?`, now.UnixMilli()); err != nil {
			return err
		}
		var fingerprint []byte
		var leasedUntil time.Time
		held := c
		row := tx.QueryRowContext(ctx, `SELECT fingerprint, resource, created_at, leased_until, done
			FROM idempotency_keys WHERE key = ?`, c.Key[:])
		switch err := row.Scan(&fingerprint, sqldb.ID{To: &held.Resource}, sqldb.Millis{To: &held.CreatedAt}, sqldb.Millis{To: &leasedUntil}, &done); {
		case errors.Is(err, sql.ErrNoRows):
			_, err := tx.ExecContext(ctx, `INSERT INTO idempotency_keys
				(key, fingerprint, resource, owner, created_at, leased_until, done, expires_at) VALUES (?, ?, ?, ?, ?, ?, 0, ?)`,
				c.Key[:], c.Fingerprint[:], c.Resource[:], c.Owner[:], c.CreatedAt.UnixMilli(),
				now.Add(lease).UnixMilli(), c.ExpiresAt().UnixMilli())
			return err
		case err != nil:
			return err
		case !bytes.Equal(fingerprint, c.Fingerprint[:]):
			refused = store.ErrKeyReused
			return nil
		case !done && leasedUntil.After(now):
			refused = store.ErrInProgress
			return nil
		}
		c = held
		c.Inherited = true
		if done {
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE idempotency_keys SET owner = ?, leased_until = ? WHERE key = ?`,
			c.Owner[:], now.Add(lease).UnixMilli(), c.Key[:])
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return store.Claim{}, false, fmt.Errorf("claim an idempotency key: %w", err)
	}
	return c, done, nil
}

// Finish implements store.Idempotency.
func (s *People) Finish(ctx context.Context, c store.Claim) error {
	return s.change(ctx, "finish", `UPDATE idempotency_keys SET done = 1 WHERE key = ? AND resource = ?`, c.Key[:], c.Resource[:])
}

// Release implements store.Idempotency.
func (s *People) Release(ctx context.Context, c store.Claim) error {
	if c.Inherited {
		return s.change(ctx, "release", `UPDATE idempotency_keys SET leased_until = 0 WHERE key = ? AND owner = ? AND done = 0`,
			c.Key[:], c.Owner[:])
	}
	return s.change(ctx, "release", `DELETE FROM idempotency_keys WHERE key = ? AND owner = ? AND done = 0`, c.Key[:], c.Owner[:])
}

// change runs one statement in a transaction.
func (s *People) change(ctx context.Context, what, statement string, args ...any) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s an idempotency key: %w", what, err)
	}
	return nil
}
