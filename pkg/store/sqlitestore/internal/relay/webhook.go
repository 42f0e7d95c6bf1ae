package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

const webhookColumns = `id, owner_id, all_events, active, next_at, version, settings`

func scanWebhook(row sqldb.Scanner) (w store.Webhook, err error) {
	var settings []byte
	err = row.Scan(sqldb.ID{To: &w.ID}, sqldb.ID{To: &w.OwnerID}, &w.AllEvents, &w.Active, sqldb.Millis{To: &w.NextAt}, &w.Version, &settings)
	if err == nil {
		if err = json.Unmarshal(settings, &w); err != nil {
			err = fmt.Errorf("%w: webhook %s: %w", store.ErrDamaged, w.ID.Hex(), err)
		}
	}
	return w, err
}

// CreateWebhook implements store.Webhooks.
func (s *Relay) CreateWebhook(ctx context.Context, w store.Webhook) error {
	settings, err := json.Marshal(w)
	if err == nil {
		err = s.transact(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO webhooks (`+webhookColumns+`) VALUES (?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING`,
				w.ID[:], w.OwnerID[:], w.AllEvents, w.Active, sqldb.UnixMillis(w.NextAt), string(settings))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("create webhook %s: %w", w.ID.Hex(), err)
	}
	return nil
}

// Webhook implements store.Webhooks.
func (s *Relay) Webhook(ctx context.Context, id store.ID) (store.Webhook, error) {
	found, err := sqldb.All(ctx, s.read, scanWebhook, `SELECT `+webhookColumns+` FROM webhooks WHERE id = ?`, id[:])
	if err == nil && len(found) == 0 {
		err = store.ErrWebhookNotFound
	}
	if err != nil {
		return store.Webhook{}, fmt.Errorf("read webhook %s: %w", id.Hex(), err)
	}
	return found[0], nil
}

// WebhooksOf implements store.Webhooks.
func (s *Relay) WebhooksOf(ctx context.Context, owners []store.ID, allEvents bool) ([]store.Webhook, error) {
	var all []store.Webhook
	find := func(where string, args ...any) error {
		found, err := sqldb.All(ctx, s.read, scanWebhook, `SELECT `+webhookColumns+` FROM webhooks WHERE `+where+` ORDER BY id`, args...)
		if err != nil {
			return fmt.Errorf("list webhooks: %w", err)
		}
		all = append(all, found...)
		return nil
	}
	for _, id := range owners {
		if err := find(`owner_id = ?`, id[:]); err != nil {
			return nil, err
		}
	}
	if allEvents {
		if err := find(`all_events = 1`); err != nil {
			return nil, err
		}
	}
	return hooks.OnceByID(all), nil
}

// ReplaceWebhook implements store.Webhooks.
func (s *Relay) ReplaceWebhook(ctx context.Context, w store.Webhook) (replaced bool, err error) {
	settings, err := json.Marshal(w)
	if err == nil {
		err = s.transact(ctx, func(tx *sql.Tx) error {
			n, err := sqldb.Affected(tx.ExecContext(ctx, `UPDATE webhooks SET owner_id = ?, all_events = ?, active = ?, next_at = ?, settings = ?, version = version + 1
				WHERE id = ? AND version = ?`, w.OwnerID[:], w.AllEvents, w.Active, sqldb.UnixMillis(w.NextAt), string(settings), w.ID[:], w.Version))
			replaced = n > 0
			return err
		})
	}
	if err != nil {
		return false, fmt.Errorf("change webhook %s: %w", w.ID.Hex(), err)
	}
	return replaced, nil
}

// DeleteWebhook implements store.Webhooks.
func (s *Relay) DeleteWebhook(ctx context.Context, id store.ID) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		var failed error
		for _, query := range []string{
			`DELETE FROM webhooks WHERE id = ?`, `DELETE FROM webhook_marks WHERE webhook_id = ?`, `DELETE FROM webhook_calls WHERE webhook_id = ?`,
		} {
			_, err := tx.ExecContext(ctx, query, id[:])
			failed = errors.Join(failed, err)
		}
		return failed
	})
	if err != nil {
		return fmt.Errorf("delete webhook %s: %w", id.Hex(), err)
	}
	return nil
}

// MarkWebhooks implements store.Webhooks. A webhook that was deleted gets no marks.
func (s *Relay) MarkWebhooks(ctx context.Context, marks []store.WebhookMark) error {
	return s.setMarks(ctx, marks, insertMark+`UPDATE SET due = max(due, excluded.due)`)
}

// RewindWebhook implements store.Webhooks.
func (s *Relay) RewindWebhook(ctx context.Context, mark store.WebhookMark) error {
	return s.setMarks(ctx, []store.WebhookMark{mark}, insertMark+`UPDATE SET told = min(told, excluded.told), due = max(due, excluded.due)`)
}

// insertMark stores a mark, and ends where it says what to do with one that exists.
const insertMark = `INSERT INTO webhook_marks (webhook_id, event_id, told, due) SELECT ?1, ?2, ?3, ?4
	WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = ?1) ON CONFLICT (webhook_id, event_id) DO `

func (s *Relay) setMarks(ctx context.Context, marks []store.WebhookMark, query string) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for _, m := range marks {
			_, err := tx.ExecContext(ctx, query, m.WebhookID[:], m.EventID[:], m.Told, m.Due)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark webhooks: %w", err)
	}
	return nil
}

// DueWebhooks implements store.Webhooks.
func (s *Relay) DueWebhooks(ctx context.Context, now time.Time, after store.ID, limit int) ([]store.ID, error) {
	ids, err := sqldb.All(ctx, s.read, sqldb.ScanID, `SELECT id FROM webhooks WHERE id > ? AND active = 1 AND next_at <= ?
		AND EXISTS (SELECT 1 FROM webhook_marks WHERE webhook_id = id AND told < due) ORDER BY id LIMIT ?`, after[:], now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("find webhooks to call: %w", err)
	}
	return ids, nil
}

func scanMark(row sqldb.Scanner) (m store.WebhookMark, err error) {
	err = row.Scan(sqldb.ID{To: &m.WebhookID}, sqldb.ID{To: &m.EventID}, &m.Told, &m.Due)
	return m, err
}

// DueMarks implements store.Webhooks.
func (s *Relay) DueMarks(ctx context.Context, webhook, after store.ID, limit int) ([]store.WebhookMark, error) {
	marks, err := sqldb.All(ctx, s.read, scanMark, `SELECT webhook_id, event_id, told, due FROM webhook_marks
		WHERE webhook_id = ? AND event_id > ? AND told < due ORDER BY event_id LIMIT ?`, webhook[:], after[:], limit)
	if err != nil {
		return nil, fmt.Errorf("read what webhook %s is to be told: %w", webhook.Hex(), err)
	}
	return marks, nil
}

// ToldWebhook implements store.Webhooks.
func (s *Relay) ToldWebhook(ctx context.Context, m store.WebhookMark, told int64) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE webhook_marks SET told = ? WHERE webhook_id = ? AND event_id = ? AND told = ?`,
			told, m.WebhookID[:], m.EventID[:], m.Told)
		return err
	})
	if err != nil {
		return fmt.Errorf("store what webhook %s was told: %w", m.WebhookID.Hex(), err)
	}
	return nil
}

// KeepWebhookCall implements store.Webhooks.
func (s *Relay) KeepWebhookCall(ctx context.Context, webhook store.ID, call store.WebhookCall) error {
	packed, err := json.Marshal(call)
	if err == nil {
		err = s.transact(ctx, func(tx *sql.Tx) error {
			var number int64
			err := tx.QueryRowContext(ctx, `SELECT coalesce((SELECT max(number) FROM webhook_calls WHERE webhook_id = ?1), 0) + 1
				FROM webhooks WHERE id = ?1`, webhook[:]).Scan(&number)
			if errors.Is(err, sql.ErrNoRows) {
				return nil // it was deleted
			}
			if err == nil {
				_, err = tx.ExecContext(ctx, `INSERT INTO webhook_calls (webhook_id, number, call) VALUES (?, ?, ?)`, webhook[:], number, string(packed))
			}
			if err == nil {
				_, err = tx.ExecContext(ctx, `DELETE FROM webhook_calls WHERE webhook_id = ? AND number <= ?`, webhook[:], number-store.KeptCalls)
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("remember a call of webhook %s: %w", webhook.Hex(), err)
	}
	return nil
}

// WebhookCalls implements store.Webhooks.
func (s *Relay) WebhookCalls(ctx context.Context, webhook store.ID) ([]store.WebhookCall, error) {
	scan := func(row sqldb.Scanner) (c store.WebhookCall, err error) {
		var packed []byte
		if err = row.Scan(&packed); err == nil {
			if err = json.Unmarshal(packed, &c); err != nil {
				err = fmt.Errorf("%w: a call of webhook %s: %w", store.ErrDamaged, webhook.Hex(), err)
			}
		}
		return c, err
	}
	calls, err := sqldb.All(ctx, s.read, scan, `SELECT call FROM webhook_calls WHERE webhook_id = ? ORDER BY number DESC`, webhook[:])
	if err != nil {
		return nil, fmt.Errorf("read the calls of webhook %s: %w", webhook.Hex(), err)
	}
	return calls, nil
}
