package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/record"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/verify"
)

// VerifyReader implements verify.Reader over connections that cannot write. Another process may
// serve the file meanwhile.
type VerifyReader struct {
	db      *sql.DB
	path    string
	reading *sqldb.Reading
}

var _ verify.Reader = (*VerifyReader)(nil)

// OpenVerifyReader opens the file at path, which must exist. It needs no right but to read the file, its
// folder and the files beside it. It refuses a schema that it does not know with store.ErrSchema. Its
// methods fail with ErrDisturbed when another process has opened a database that no process had open.
func OpenVerifyReader(ctx context.Context, path string) (*VerifyReader, error) {
	r, err := sqldb.OpenReading(ctx, path)
	if err != nil {
		return nil, err
	}
	r.DB.SetMaxOpenConns(readers)
	m, err := migrate.New(path, nil)
	if err == nil {
		err = m.CheckReadable(ctx, r.DB)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), r.DB.Close())
	}
	return &VerifyReader{db: r.DB, path: path, reading: r}, nil
}

// Close closes the file.
func (r *VerifyReader) Close() error { return r.db.Close() }

// Size implements verify.Reader.
func (r *VerifyReader) Size(ctx context.Context) (verify.Size, error) {
	var s verify.Size
	err := r.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM events),
		(SELECT count(*) FROM registrations)`).Scan(&s.Users, &s.Events, &s.Registrations)
	if err != nil {
		return verify.Size{}, fmt.Errorf("count the records: %w", sqldb.NothingStored(err))
	}
	return s, nil
}

// CheckConstraints implements verify.Reader: it checks that the file is complete and
// sound, and has all tables and indexes. The primary key of registrations, by which no user has two of them, is the table
// itself.
func (r *VerifyReader) CheckConstraints(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		switch missing, err := r.reading.LogMissing(ctx); {
		case err != nil:
			yield(sqldb.NothingStored(err))
			return
		case missing && !yield(damaged("database: it was in use and its log %s-wal is missing: this is a copy made without it, or it was removed after a crash, so what was stored last may be missing too; restore a backup made by eventio backup", r.path)):
			return
		}
		for _, object := range []struct{ kind, name, what string }{
			{"table", "users", "the users are gone"},
			{"table", "events", "the events are gone"},
			{"table", "registrations", "the registrations are gone"},
			{"index", "registrations_by_number", "nothing keeps a number from being given twice"},
		} {
			var n int
			err := r.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = ? AND name = ?`,
				object.kind, object.name).Scan(&n)
			if err != nil {
				yield(sqldb.NothingStored(err))
				return
			}
			if n == 0 && !yield(damaged("database: there is no %s %s: %s", object.kind, object.name, object.what)) {
				return
			}
		}
		for line, err := range sqldb.Stream(ctx, r.db, sqldb.ScanValue[string], `PRAGMA integrity_check`) {
			if err != nil {
				yield(err)
				return
			}
			// A counter that breaks its CHECK is reported with its event.
			if line == "ok" || strings.HasPrefix(line, "CHECK constraint failed") {
				continue
			}
			if !yield(damaged("database: %s", line)) {
				return
			}
		}
		if err := r.reading.Check(); err != nil {
			yield(err)
		}
	}
}

// damaged returns a store.ErrDamaged.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", store.ErrDamaged, fmt.Sprintf(format, args...))
}

// ReadUsers implements verify.Reader.
func (r *VerifyReader) ReadUsers(ctx context.Context) iter.Seq2[verify.StoredUser, error] {
	return readRows(ctx, r.db, func(row sqldb.Scanner) (verify.StoredUser, error) {
		var u verify.StoredUser
		var raw []byte
		if err := row.Scan(&raw, &u.Name, &u.Email, &u.EmailKey, &u.PasswordHash, sqldb.Millis{To: &u.CreatedAt}, sqldb.Millis{To: &u.LockedAt}); err != nil {
			return u, err
		}
		if err := (sqldb.ID{To: &u.ID}).Scan(raw); err != nil {
			return u, damaged("user %x: its id has not 12 bytes", raw)
		}
		if !slices.Contains(store.EmailKeys(u.Email), u.EmailKey) {
			return u, damaged("user %s: email_key does not belong to the address", u.ID.Hex())
		}
		return u, nil
	}, `SELECT id, name, email, email_key, password_hash, created_at, locked_at FROM users ORDER BY email_key`)
}

// readRows yields the rows of a query. It yields a store.ErrDamaged for a row that cannot be read, and
// goes on with the next one.
func readRows[T any](ctx context.Context, q sqldb.Querier, scan func(sqldb.Scanner) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			yield(none, sqldb.NothingStored(err))
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
			yield(none, sqldb.NothingStored(err))
		}
	}
}

// ReadEventIDs implements verify.Reader.
func (r *VerifyReader) ReadEventIDs(ctx context.Context) iter.Seq2[store.ID, error] {
	return func(yield func(store.ID, error) bool) {
		malformed := func(what, query string) bool {
			for raw, err := range sqldb.Stream(ctx, r.db, sqldb.ScanValue[[]byte], query) {
				if err == nil {
					err = damaged("%s %x: an id has 12 bytes", what, raw)
				}
				if !yield(store.ID{}, err) || !errors.Is(err, store.ErrDamaged) {
					return false
				}
			}
			return true
		}
		if !malformed("event", `SELECT id FROM events WHERE length(id) <> 12`) ||
			!malformed("registration of event", `SELECT event_id FROM registrations WHERE length(event_id) <> 12`) {
			return
		}
		// In pages, because a query that stays open would keep the log of the process that serves the
		// file from starting anew.
		const page = 1000
		for _, query := range []string{
			`SELECT id FROM events WHERE id > ? AND length(id) = 12 ORDER BY id LIMIT ?`,
			`SELECT DISTINCT event_id FROM registrations WHERE event_id > ? AND length(event_id) = 12
				AND NOT EXISTS (SELECT 1 FROM events WHERE id = event_id) ORDER BY event_id LIMIT ?`,
		} {
			var after store.ID
			for {
				var ids []store.ID
				for next, err := range sqldb.Stream(ctx, r.db, sqldb.ScanID, query, after[:], page) {
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
		if err := r.reading.Check(); err != nil {
			yield(store.ID{}, err)
		}
	}
}

// organizerKnown selects whether an id is that of a user, or of one who was erased.
const organizerKnown = `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1) OR EXISTS (SELECT 1 FROM erased_users WHERE user_id = ?1)`

// ReadEvents implements verify.Reader, by one read transaction for each event.
func (r *VerifyReader) ReadEvents(ctx context.Context, ids []store.ID, read func(verify.Snapshot) error) error {
	for _, id := range ids {
		if err := r.readEvent(ctx, id, read); err != nil {
			return err
		}
	}
	return nil
}

// readEvent is ReadEvents of one event.
func (r *VerifyReader) readEvent(ctx context.Context, eventID store.ID, read func(verify.Snapshot) error) (err error) {
	defer func() {
		if disturbed := r.reading.Check(); disturbed != nil {
			err = disturbed // what was found may be wrong
		}
	}()
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return sqldb.NothingStored(err)
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	snapshot := verify.Snapshot{ID: eventID}
	switch snapshot.Event, err = scanEvent(tx.QueryRowContext(ctx, `SELECT `+eventColumns()+` FROM events WHERE id = ?`, eventID[:])); {
	case err == nil:
		snapshot.Found = true
	case errors.Is(err, sql.ErrNoRows):
	case strings.Contains(err.Error(), "Scan error"): // database/sql about a value of the wrong type
		return read(verify.Snapshot{ID: eventID, Damaged: damaged("event %s: it cannot be read: %v", eventID.Hex(), err)})
	default:
		return sqldb.NothingStored(err)
	}
	err = tx.QueryRowContext(ctx, organizerKnown, snapshot.Event.OrganizerID[:]).Scan(&snapshot.OrganizerKnown)
	if err != nil {
		return sqldb.NothingStored(err)
	}
	if snapshot.Found {
		if snapshot.StaleSearch, err = staleSearch(ctx, tx, snapshot.Event); err != nil {
			return sqldb.NothingStored(err)
		}
	}
	snapshot.Registrations = func(yield func(store.Registration, error) bool) {
		for user, err := range readRows(ctx, tx, sqldb.ScanValue[[]byte], `SELECT user_id FROM registrations
			WHERE event_id = ? AND (cancelled < 0 OR cancelled > 1)`, eventID[:]) {
			if err == nil {
				err = damaged("the registration of user %x: cancelled is neither 0 nor 1", user)
			}
			if !yield(store.Registration{}, err) {
				return
			}
		}
		// Each part is in order already, so SQLite merges them without sorting.
		const part = `SELECT ` + registrationColumns + ` FROM registrations WHERE event_id = ?1 AND cancelled = `
		for row, err := range readRows(ctx, tx, scanRegistration, part+`0 UNION ALL `+part+`1 ORDER BY number`, eventID[:]) {
			if !yield(row, err) {
				return
			}
		}
	}
	snapshot.Changes = record.Records(readRows(ctx, tx, record.Scan, `SELECT `+record.Columns+` FROM changes WHERE event_id = ? ORDER BY revision`, eventID[:]))
	return read(snapshot)
}
