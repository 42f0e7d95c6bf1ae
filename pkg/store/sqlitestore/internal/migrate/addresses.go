package migrate

import (
	"context"
	"database/sql"
	"errors"
	"iter"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// AddressStep is the number of the step that gives addresses the keys of store.EmailKey.
const AddressStep = 8

// userKey is the address of a user and the key that is stored of it.
type userKey struct {
	id         store.ID
	email, key string
}

// userKeys reads the keys of all users, the oldest user first.
func userKeys(ctx context.Context, q sqldb.Querier) ([]userKey, error) {
	scan := func(row sqldb.Scanner) (u userKey, err error) {
		err = row.Scan(sqldb.ID{To: &u.id}, &u.email, &u.key)
		return u, err
	}
	// Those whose key stays are the most by far, and are not kept in memory.
	var changing []userKey
	for u, err := range sqldb.Stream(ctx, q, scan, `SELECT id, email, email_key FROM users ORDER BY created_at, id`) {
		if err != nil {
			return nil, err
		}
		if _, ok := store.RenewedEmailKey(u.email, u.key); ok {
			changing = append(changing, u)
		}
	}
	return changing, nil
}

// renewKeys is the code of AddressStep. Where two users would have one key the one who has it already, or
// else the older one, gets it, and the other keeps the older key: both can log in as they did.
func renewKeys(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error {
	changing, err := userKeys(ctx, tx)
	if err != nil {
		return err
	}
	for i, u := range changing {
		if _, err := renewKey(ctx, tx, u); err != nil {
			return err
		}
		done(int64(i+1), int64(len(changing)))
	}
	return nil
}

// renewKey gives a user the new key of the address unless another user has it. kept reports whether one has.
func renewKey(ctx context.Context, tx *sql.Tx, u userKey) (kept bool, err error) {
	renewed, _ := store.RenewedEmailKey(u.email, u.key)
	res, err := tx.ExecContext(ctx, `UPDATE OR IGNORE users SET email_key = ? WHERE id = ? AND email_key = ?`, renewed, u.id[:], u.key)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 0, err
}

// SettleKeys implements store.Migrator.
func (m *Migrator) SettleKeys(ctx context.Context) iter.Seq2[store.KeptKey, error] {
	return func(yield func(store.KeptKey, error) bool) {
		changing, err := userKeys(ctx, m.write)
		if err != nil {
			yield(store.KeptKey{}, err)
			return
		}
		for _, u := range changing {
			k, kept, err := m.settleKey(ctx, u)
			if (kept || err != nil) && !yield(k, err) || err != nil {
				return
			}
		}
	}
}

// settleKey renews the key of a user. kept reports whether it stays because another one has the new key.
func (m *Migrator) settleKey(ctx context.Context, u userKey) (k store.KeptKey, kept bool, err error) {
	k = store.KeptKey{User: u.id, Email: u.email}
	err = sqldb.Within(ctx, m.write, func(tx *sql.Tx) error {
		stays, err := renewKey(ctx, tx, u)
		if err != nil || !stays {
			return err
		}
		renewed, _ := store.RenewedEmailKey(u.email, u.key)
		err = tx.QueryRowContext(ctx, `SELECT id FROM users WHERE email_key = ?`, renewed).Scan(sqldb.ID{To: &k.Other})
		if errors.Is(err, sql.ErrNoRows) { // erased since it was read, or it has another address
			return nil
		}
		kept = k.Other != u.id // else another process has renewed it
		return err
	})
	return k, kept, err
}
