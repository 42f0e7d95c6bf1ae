package people

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// SigningKey implements store.Keys.
func (s *People) SigningKey(ctx context.Context, proposed store.SigningKey) (store.SigningKey, error) {
	var key store.SigningKey
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO signing_keys (slot, id, secret, created_at) VALUES (1, ?, ?, ?)
			ON CONFLICT (slot) DO NOTHING`, proposed.ID, proposed.Secret, proposed.CreatedAt.UnixMilli())
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT id, secret, created_at FROM signing_keys WHERE slot = 1`).
			Scan(&key.ID, &key.Secret, sqldb.Millis{To: &key.CreatedAt})
	})
	if err != nil {
		return store.SigningKey{}, fmt.Errorf("share a signing key: %w", err)
	}
	return key, nil
}
