package people

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// CreateAPIKey implements apikeys.Store. The time of the change is that of this machine, which all processes that can open the
// file share.
func (s *People) CreateAPIKey(ctx context.Context, k apikeys.Key) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		var barred bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND locked_at <> 0) OR
			EXISTS (SELECT 1 FROM erased_users WHERE user_id = ?1)`, k.OwnerID[:]).Scan(&barred)
		if err != nil {
			return err
		}
		if barred {
			return apikeys.ErrOwnerBarred
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO api_keys (id, owner_id, hash, name, scopes, created_at, expires_at, last_used_at, ended_at, changed_at, removed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?) ON CONFLICT (id) DO NOTHING`,
			k.ID[:], k.OwnerID[:], k.Hash[:], k.Name, k.Scopes, sqldb.UnixMillis(k.CreatedAt), sqldb.UnixMillis(k.ExpiresAt),
			time.Now().UnixMilli(), sqldb.UnixMillis(k.ExpiresAt.Add(apikeys.Kept)))
		return err
	})
	if err != nil {
		return fmt.Errorf("create a key of user %s: %w", k.OwnerID.Hex(), err)
	}
	return nil
}

const selectAPIKey = `SELECT id, owner_id, hash, name, scopes, created_at, expires_at, last_used_at, ended_at, changed_at FROM api_keys ` //nolint:gosec // the names of columns

// scanAPIKey reads a row of selectAPIKey.
func scanAPIKey(row sqldb.Scanner) (k apikeys.Key, err error) {
	var hash []byte
	err = row.Scan(sqldb.ID{To: &k.ID}, sqldb.ID{To: &k.OwnerID}, &hash, &k.Name, &k.Scopes, sqldb.Millis{To: &k.CreatedAt},
		sqldb.Millis{To: &k.ExpiresAt}, sqldb.Millis{To: &k.LastUsedAt}, sqldb.Millis{To: &k.EndedAt}, sqldb.Millis{To: &k.ChangedAt})
	copy(k.Hash[:], hash)
	return k, err
}

// APIKeysOf implements apikeys.Store.
func (s *People) APIKeysOf(ctx context.Context, owner store.ID, now time.Time) ([]apikeys.Key, error) {
	all, err := sqldb.All(ctx, s.read, scanAPIKey, selectAPIKey+`WHERE owner_id = ? AND ended_at = 0 AND expires_at > ? ORDER BY id DESC`, owner[:], now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("list the keys of user %s: %w", owner.Hex(), err)
	}
	return all, nil
}

// endAPIKeys ends those keys of a condition that were not ended.
func endAPIKeys(ctx context.Context, tx *sql.Tx, condition string, args ...any) error {
	now := time.Now()
	//nolint:gosec // the conditions are ours
	_, err := tx.ExecContext(ctx, `UPDATE api_keys SET ended_at = ?1, changed_at = ?1, removed_at = ?2 WHERE ended_at = 0 AND `+condition,
		append([]any{now.UnixMilli(), now.Add(apikeys.Kept).UnixMilli()}, args...)...)
	return err
}

// EndAPIKey implements apikeys.Store.
func (s *People) EndAPIKey(ctx context.Context, owner, id store.ID) (found bool, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		if err := endAPIKeys(ctx, tx, `id = ?3 AND owner_id = ?4`, id[:], owner[:]); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM api_keys WHERE id = ? AND owner_id = ?)`, id[:], owner[:]).Scan(&found)
	})
	if err != nil {
		return false, fmt.Errorf("end key %s: %w", id.Hex(), err)
	}
	return found, nil
}

// APIKeysSince implements apikeys.Store.
func (s *People) APIKeysSince(ctx context.Context, since time.Time) iter.Seq2[apikeys.Key, error] {
	return sqldb.Stream(ctx, s.read, scanAPIKey, selectAPIKey+`WHERE changed_at >= ?`, sqldb.UnixMillis(since))
}

// UseAPIKeys implements apikeys.Store.
func (s *People) UseAPIKeys(ctx context.Context, used map[store.ID]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for id, at := range used {
			if _, err := tx.ExecContext(ctx, `UPDATE api_keys SET last_used_at = max(last_used_at, ?) WHERE id = ?`, sqldb.UnixMillis(at), id[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note the use of %d keys: %w", len(used), err)
	}
	return nil
}
