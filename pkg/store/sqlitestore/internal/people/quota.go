package people

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/eventio/eventio/pkg/store"
)

// UseQuota implements store.Quotas.
func (s *People) UseQuota(ctx context.Context, use store.QuotaUse) error {
	day := use.Day().UnixMilli()
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if s.quotaDay < day { // once a day
			if _, err := tx.ExecContext(ctx, `DELETE FROM quotas WHERE day <= ?`, use.Day().Add(-store.QuotaKept).UnixMilli()); err != nil {
				return err
			}
		}
		used := make(map[string]int64)
		for _, a := range use.Amounts {
			var n int64
			err := tx.QueryRowContext(ctx, `SELECT coalesce((SELECT used FROM quotas WHERE subject = ? AND day = ? AND kind = ?), 0)`,
				use.Subject, day, a.Kind).Scan(&n)
			if err != nil {
				return err
			}
			used[a.Kind] = n
		}
		if exceeded := use.Exceeded(used); exceeded != nil {
			return exceeded
		}
		for _, a := range use.Amounts {
			_, err := tx.ExecContext(ctx, `INSERT INTO quotas (subject, day, kind, used) VALUES (?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET used = used + excluded.used`, use.Subject, day, a.Kind, a.Amount)
			if err != nil {
				return err
			}
		}
		s.quotaDay = day
		return nil
	})
	if err != nil {
		return fmt.Errorf("use a quota: %w", err)
	}
	return nil
}
