package relay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// CreateConsumer implements store.Consumers.
func (s *Relay) CreateConsumer(ctx context.Context, name string, at store.Position) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO consumers (name, position) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, string(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("create the consumer %s: %w", name, err)
	}
	return nil
}

// ConsumerPosition implements store.Consumers.
func (s *Relay) ConsumerPosition(ctx context.Context, name string) (at store.Position, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT position FROM consumers WHERE name = ?`, name).Scan(&at)
	if err != nil {
		return "", fmt.Errorf("read the position of %s: %w", name, sqldb.ReadError(err, store.ErrConsumerNotFound))
	}
	return at, nil
}

// TakeLease implements store.Consumers. The time is that of this machine, which all processes that can
// open the file share. A lease that is held is seen without a write.
func (s *Relay) TakeLease(ctx context.Context, name, owner string, length time.Duration) (store.Lease, error) {
	l := store.Lease{Consumer: name, Owner: owner}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		var holder string
		var until int64
		now := time.Now().UnixMilli()
		err := tx.QueryRowContext(ctx, `SELECT position, owner, token, lease_until FROM consumers WHERE name = ?`, name).
			Scan(&l.Position, &holder, &l.Token, &until)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrConsumerNotFound
		case err != nil:
			return err
		case holder != owner && until > now:
			return store.ErrLeaseHeld
		}
		l.Token++
		_, err = tx.ExecContext(ctx, `UPDATE consumers SET owner = ?, token = ?, lease_until = ? WHERE name = ?`,
			owner, l.Token, now+length.Milliseconds(), name)
		return err
	})
	if err != nil {
		return store.Lease{}, fmt.Errorf("take the lease of %s: %w", name, err)
	}
	return l, nil
}

// RenewLease implements store.Consumers.
func (s *Relay) RenewLease(ctx context.Context, l store.Lease, length time.Duration) error {
	if err := s.updateHeld(ctx, l, `lease_until = ?`, time.Now().Add(length).UnixMilli()); err != nil {
		return fmt.Errorf("renew the lease of %s: %w", l.Consumer, err)
	}
	return nil
}

// StorePosition implements store.Consumers.
func (s *Relay) StorePosition(ctx context.Context, l store.Lease, to store.Position, length time.Duration) error {
	if err := s.updateHeld(ctx, l, `lease_until = ?, position = ?`, time.Now().Add(length).UnixMilli(), string(to)); err != nil {
		return fmt.Errorf("store the position of %s: %w", l.Consumer, err)
	}
	return nil
}

// EndLease implements store.Consumers.
func (s *Relay) EndLease(ctx context.Context, l store.Lease) error {
	err := s.updateHeld(ctx, l, `lease_until = 0`)
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		return fmt.Errorf("end the lease of %s: %w", l.Consumer, err)
	}
	return nil
}

// updateHeld updates the row of a consumer if the lease is held.
func (s *Relay) updateHeld(ctx context.Context, l store.Lease, set string, args ...any) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		n, err := sqldb.Affected(tx.ExecContext(ctx, `UPDATE consumers SET `+set+` WHERE name = ? AND token = ? AND lease_until > ?`,
			append(args, l.Consumer, l.Token, time.Now().UnixMilli())...))
		if err == nil && n == 0 {
			err = store.ErrLeaseLost
		}
		return err
	})
}

// RemoveConsumer implements store.Consumers.
func (s *Relay) RemoveConsumer(ctx context.Context, name string) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM consumers WHERE name = ?`, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("remove the consumer %s: %w", name, err)
	}
	return nil
}
