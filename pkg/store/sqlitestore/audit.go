package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/eventio/eventio/pkg/store"
)

// Auditor reads a database file for a proof and cannot write to it. Another process may
// serve the file meanwhile.
type Auditor struct {
	db      *sql.DB
	path    string
	reading *reading
}

var _ store.Auditor = (*Auditor)(nil)

// OpenAuditor opens the file at path, which must be there, and needs no right but to read it,
// its folder and the files beside it. It refuses a schema that it does not know with
// store.ErrSchema. Its methods fail with ErrDisturbed when another process has opened a database
// that nobody had open.
func OpenAuditor(ctx context.Context, path string) (*Auditor, error) {
	r, err := openFor(ctx, path)
	if err != nil {
		return nil, err
	}
	r.db.SetMaxOpenConns(readers)
	if err := readable(ctx, path, r.db); err != nil {
		return nil, errors.Join(err, r.db.Close())
	}
	return &Auditor{db: r.db, path: path, reading: r}, nil
}

// openReadOnly makes connections that can change nothing, not even how the file is journaled.
func openReadOnly(path string) (*sql.DB, error) {
	q := url.Values{"mode": {"ro"}, "_txlock": {"deferred"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "query_only(1)",
	}}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
}

// readable refuses a file whose version has other tables than this program reads. Damage to
// a file of the right version is for the proof to find.
func readable(ctx context.Context, path string, db *sql.DB) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	m := migrator{path: path, steps: steps}
	s, err := m.schema(ctx, db)
	if errors.Is(err, store.ErrSchema) {
		return nil // a table is gone
	}
	if err == nil {
		err = s.Fits()
	}
	if err == nil && s.Version < s.Known {
		if _, err = m.compare(ctx, db, s.Known, false); err != nil {
			err = fmt.Errorf("%w (it has version %d and this program reads version %d; eventio migrate brings it there)", err, s.Version, s.Known)
		}
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return nil
}

// Close closes the file.
func (a *Auditor) Close() error { return a.db.Close() }

// Size implements store.Auditor.
func (a *Auditor) Size(ctx context.Context) (store.Size, error) {
	var s store.Size
	err := a.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM events),
		(SELECT count(*) FROM registrations)`).Scan(&s.Users, &s.Events, &s.Registrations)
	if err != nil {
		return store.Size{}, fmt.Errorf("count the records: %w", classify(err))
	}
	return s, nil
}

// Protections implements store.Auditor: the file is whole and sound, and it has all tables and
// indexes. That nobody is twice in an event is the primary key of registrations, which is
// the table itself.
func (a *Auditor) Protections(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		switch missing, err := a.reading.logMissing(ctx); {
		case err != nil:
			yield(classify(err))
			return
		case missing && !yield(damaged("database: it was in use and its log %s-wal is missing: this is a copy made without it, or it was removed after a crash, so what was stored last may be missing too; restore a backup made by eventio backup", a.path)):
			return
		}
		for _, object := range []struct{ kind, name, what string }{
			{"table", "users", "the users are gone"},
			{"table", "events", "the events are gone"},
			{"table", "registrations", "the registrations are gone"},
			{"index", "registrations_by_number", "nothing keeps a number from being given twice"},
		} {
			var n int
			err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = ? AND name = ?`,
				object.kind, object.name).Scan(&n)
			if err != nil {
				yield(classify(err))
				return
			}
			if n == 0 && !yield(damaged("database: there is no %s %s: %s", object.kind, object.name, object.what)) {
				return
			}
		}
		for line, err := range stream(ctx, a.db, scanText, `PRAGMA integrity_check`) {
			if err != nil {
				yield(err)
				return
			}
			// A counter that breaks its CHECK is found, and named, with its event.
			if line == "ok" || strings.HasPrefix(line, "CHECK constraint failed") {
				continue
			}
			if !yield(damaged("database: %s", line)) {
				return
			}
		}
		if err := a.reading.undisturbed(); err != nil {
			yield(err)
		}
	}
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", store.ErrDamaged, fmt.Sprintf(format, args...))
}

func scanText(row scanner) (string, error) {
	var s string
	err := row.Scan(&s)
	return s, err
}

// AuditUsers implements store.Auditor.
func (a *Auditor) AuditUsers(ctx context.Context) iter.Seq2[store.User, error] {
	return audited(ctx, a.db, func(row scanner) (store.User, error) {
		var u store.User
		var raw []byte
		var key string
		if err := row.Scan(&raw, &u.Name, &u.Email, &key, &u.PasswordHash, millis{&u.CreatedAt}); err != nil {
			return u, err
		}
		if err := (id{&u.ID}).Scan(raw); err != nil {
			return u, damaged("user %x: its id has not 12 bytes", raw)
		}
		if key != store.EmailKey(u.Email) {
			return u, damaged("user %s: email_key does not belong to the address", u.ID.Hex())
		}
		return u, nil
	}, `SELECT id, name, email, email_key, password_hash, created_at FROM users ORDER BY email_key`)
}

// audited yields the rows of a query; a row that cannot be read is damaged, and the next
// one follows.
func audited[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			yield(none, classify(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil && !errors.Is(err, store.ErrDamaged) {
				err = damaged("a record cannot be read: %v", err)
			}
			if !yield(v, err) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, classify(err))
		}
	}
}

// querier is what a database and a transaction have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// AuditEvents implements store.Auditor.
func (a *Auditor) AuditEvents(ctx context.Context) iter.Seq2[store.ID, error] {
	return func(yield func(store.ID, error) bool) {
		strange := func(what, query string) bool {
			for raw, err := range stream(ctx, a.db, scanBytes, query) {
				if err == nil {
					err = damaged("%s %x: an id has 12 bytes", what, raw)
				}
				if !yield(store.ID{}, err) || !errors.Is(err, store.ErrDamaged) {
					return false
				}
			}
			return true
		}
		if !strange("event", `SELECT id FROM events WHERE length(id) <> 12`) ||
			!strange("registration of event", `SELECT event_id FROM registrations WHERE length(event_id) <> 12`) {
			return
		}
		// In pages: a query that stays open for the whole proof would keep the log of the
		// process that serves from being cut.
		const page = 1000
		for _, query := range []string{
			`SELECT id FROM events WHERE id > ? AND length(id) = 12 ORDER BY id LIMIT ?`,
			`SELECT DISTINCT event_id FROM registrations WHERE event_id > ? AND length(event_id) = 12
				AND NOT EXISTS (SELECT 1 FROM events WHERE id = event_id) ORDER BY event_id LIMIT ?`,
		} {
			var after store.ID
			for {
				var ids []store.ID
				for next, err := range stream(ctx, a.db, scanID, query, after[:], page) {
					if err != nil {
						yield(store.ID{}, err)
						return
					}
					ids = append(ids, next)
				}
				for _, next := range ids {
					if !yield(next, nil) {
						return
					}
				}
				if len(ids) < page {
					break
				}
				after = ids[page-1]
			}
		}
		if err := a.reading.undisturbed(); err != nil {
			yield(store.ID{}, err)
		}
	}
}

func scanBytes(row scanner) ([]byte, error) {
	var b []byte
	err := row.Scan(&b)
	return b, err
}

func scanID(row scanner) (store.ID, error) {
	var got store.ID
	err := row.Scan(id{&got})
	return got, err
}

// AuditEvent implements store.Auditor: one read transaction an event.
func (a *Auditor) AuditEvent(ctx context.Context, eventID store.ID, look func(store.View) error) (err error) {
	defer func() {
		if disturbed := a.reading.undisturbed(); disturbed != nil {
			err = disturbed // what was found may be wrong
		}
	}()
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	v := store.View{}
	switch v.Event, err = scanEvent(tx.QueryRowContext(ctx, `SELECT `+eventColumns+` FROM events WHERE id = ?`, eventID[:])); {
	case err == nil:
		v.Found = true
	case errors.Is(err, sql.ErrNoRows):
	case strings.Contains(err.Error(), "Scan error"): // what database/sql says of a value
		return damaged("event %s: it cannot be read: %v", eventID.Hex(), err)
	default:
		return classify(err)
	}
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)`, v.Event.OrganizerID[:]).Scan(&v.OrganizerKnown)
	if err != nil {
		return classify(err)
	}
	if v.Found {
		if v.Unfindable, err = unfindable(ctx, tx, v.Event); err != nil {
			return classify(err)
		}
	}
	v.Rows = func(yield func(store.Registration, error) bool) {
		for user, err := range audited(ctx, tx, scanBytes, `SELECT user_id FROM registrations
			WHERE event_id = ? AND (cancelled < 0 OR cancelled > 1)`, eventID[:]) {
			if err == nil {
				err = damaged("the registration of user %x: cancelled is neither 0 nor 1", user)
			}
			if !yield(store.Registration{}, err) {
				return
			}
		}
		// Both parts are in order already; SQLite merges them without sorting.
		const part = `SELECT ` + registrationColumns + ` FROM registrations WHERE event_id = ?1 AND cancelled = `
		for r, err := range audited(ctx, tx, scanRegistration, part+`0 UNION ALL `+part+`1 ORDER BY number`, eventID[:]) {
			if !yield(r, err) {
				return
			}
		}
	}
	return look(v)
}
