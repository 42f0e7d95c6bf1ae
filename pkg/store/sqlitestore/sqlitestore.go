// Package sqlitestore is the embedded store: one SQLite database file, without CGO.
//
// # Guarantees
//
// The write-ahead log is synced at every commit (synchronous=FULL), so a result survives
// power loss once it is returned. All writes go through one connection and each batch is
// one immediate transaction, which makes every change serializable. Reads use connections
// of their own, never wait for a write, and see everything committed before they began.
// Several processes may open one file; they take turns at writing.
//
// # Files
//
// All files of a database are private to the user who opens it (Protect). While a Store has it
// open its file bears a mark, which tells a copy without the write-ahead log from a whole file
// (LogMissing). The log is kept short (see cutter). An Auditor and Backup only read, and need no
// right but that.
//
// # Changing what is stored
//
// The schema has a version, kept in PRAGMA user_version, and steps that lead from one
// version to the next: the files migrations/NNNN_name.sql, numbered without gaps. Open runs
// those that are pending, each in one transaction together with its version. To change the
// schema add the file with the next number; nothing else names it, and a file that has been
// released is never edited. A step that needs Go beside SQL (it runs after the file, in the
// same transaction) is returned by stepCode for its number.
//
// A step leaves the file usable for running processes of the version before: add tables,
// indexes and columns that have a default, and take away only what that version has stopped
// using. Foreign keys are enforced; a table that is rebuilt needs PRAGMA defer_foreign_keys.
//
// # Faults
//
// A write that finds no room has surely stored nothing. After a commit whose end is unknown,
// because a sync failed, the process answers nothing before it has made another one. Both
// are told in transact. A store whose files are moved or removed under it stores nothing
// more and tells Lost.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
)

const (
	// busyTimeout is how long a write waits for another process that is writing.
	busyTimeout = 2 * time.Second
	// readers is the number of connections for reads; each holds a page cache of 2 MB.
	readers = 8
	// logLimit, in bytes, is the size above which the write-ahead log is cut. It starts anew
	// at about 4 MB, so it is seldom cut.
	logLimit = 16 << 20
)

// Store keeps everything in one file. It is safe for concurrent use.
type Store struct {
	write *sql.DB // one connection
	read  *readPool
	id    string // of the database
	mark  []byte // the open mark
	// logMissing is what LogMissing says.
	logMissing bool
	// afterCommit, when a test sets it, stands between a successful commit and its answer.
	afterCommit func() error

	turn  chan struct{} // of one: who has it may write, and use doubt
	doubt bool          // a commit ended unknown and no other was made since
	fulls atomic.Int64  // writes that found no room
	ping  ping

	files    []file     // what was opened
	index    *os.File   // of the log; see openIndex
	lost     chan error // of one
	longLog  chan int64 // of one
	keep     *sql.Conn  // stays open, because the last connection removes the log
	watching sync.WaitGroup
	stop     context.CancelFunc // of watching
}

var _ store.Store = (*Store)(nil)

// Open opens the database in the file at path, creating it when it is missing, and brings
// its schema up to date. It refuses a file whose schema it does not know with
// store.ErrSchema, and waits for a process that migrates the file as long as ctx allows.
func Open(ctx context.Context, path string) (*Store, error) {
	steps, err := migrations()
	if err != nil {
		return nil, err
	}
	hadNoLog := noLog(path)
	if _, err := Protect(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write, err := openWriter(path)
	if err != nil {
		return nil, err
	}
	if err := (&migrator{path, write, steps}).open(ctx); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	id, err := makeDatabaseID(ctx, write, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	read, err := sql.Open("sqlite", dsn(path, "deferred")+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	read.SetMaxOpenConns(readers + 1) // one is kept
	read.SetMaxIdleConns(readers)
	s := &Store{
		write: write, read: &readPool{DB: read}, id: id, mark: newOpenMark(), lost: make(chan error, 1), longLog: make(chan int64, 1),
		turn: make(chan struct{}, 1), ping: ping{turn: make(chan struct{}, 1)},
	}
	if err := s.start(ctx, path, hadNoLog); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, nil
}

// start makes the database safe to serve from. What a recovery has just found in the log may
// have been written by a commit that failed, and may not be synced yet: a commit of our own
// makes it last before anybody is told of it.
func (s *Store) start(ctx context.Context, path string, hadNoLog bool) (err error) {
	if s.keep, err = s.read.Conn(ctx); err != nil {
		return err
	}
	if err := s.keep.QueryRowContext(ctx, `SELECT count(*) FROM fence`).Scan(new(int)); err != nil {
		return err
	}
	if err := s.transact(ctx, s.markOpen(hadNoLog)); err != nil {
		return err
	}
	s.backfill(ctx)
	// It begins the log anew, which costs the first commit of clients nothing then.
	if err := s.transact(ctx, fence(fenceBytes)); err != nil {
		return err
	}
	if s.files, err = openedFiles(path); err != nil {
		return err
	}
	if err := s.openIndex(); err != nil {
		return err
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.watching.Go(func() { s.watch(ctx) })
	return nil
}

// openWriter makes the one connection for writes.
func openWriter(path string) (*sql.DB, error) {
	write, err := sql.Open("sqlite", dsn(path, "immediate"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	return write, nil
}

func dsn(path, txlock string) string {
	q := url.Values{
		"_txlock": {txlock},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
			"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			fmt.Sprintf("journal_size_limit(%d)", logLimit),
		},
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// Close closes the file.
func (s *Store) Close() error {
	if s.stop != nil {
		s.stop()
		s.watching.Wait()
	}
	s.endMark()
	var err error
	if s.keep != nil {
		if err = s.keep.Close(); errors.Is(err, sql.ErrConnDone) {
			err = nil // closed before
		}
	}
	return errors.Join(err, s.read.Close(), s.write.Close(), s.closeIndex())
}

// classify marks an error after which surely nothing is stored, unless it already has a
// meaning of its own: what is known to pass is store.ErrUnavailable, and every other one is
// store.ErrNothingStored.
func classify(err error) error {
	for _, own := range []error{
		store.ErrEmailTaken, store.ErrEventNotFound, store.ErrUserNotFound, store.ErrRegistrationNotFound,
		store.ErrPasswordChanged, store.ErrSchema, store.ErrNothingStored,
	} {
		if errors.Is(err, own) {
			return err
		}
	}
	if passes(err) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", store.ErrNothingStored, err)
}

// closedStore is the text of database/sql's error about a database that is closed, which it does
// not export. A process that stops closes its store; the next one serves again.
const closedStore = "sql: database is closed"

// passes reports errors that end by themselves: another process has the lock, too many files
// are open, the caller waits no longer, or the store is closed.
func passes(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), closedStore) {
		return true
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return false
	}
	switch se.Code() & 0xff { // without what kind of it
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM:
		return true
	}
	return false
}

// CreateUser implements store.Users.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		err := insertUser(ctx, tx, u)
		var se *sqlite.Error
		if errors.As(err, &se) && se.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
			return store.ErrEmailTaken
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("create user %s: %w", u.ID.Hex(), err)
	}
	return nil
}

func insertUser(ctx context.Context, tx *sql.Tx, u store.User) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO users (id, name, email, email_key, password_hash, created_at,
		password_version, password_changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		u.ID[:], u.Name, u.Email, store.EmailKey(u.Email), u.PasswordHash, unixMillis(u.CreatedAt),
		u.PasswordVersion, unixMillis(u.PasswordChangedAt))
	return err
}

// UserByEmail implements store.Users.
func (s *Store) UserByEmail(ctx context.Context, email string) (store.User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, selectUser+`WHERE email_key = ?`, store.EmailKey(email)))
	if err != nil {
		return store.User{}, fmt.Errorf("find user by address: %w", err)
	}
	return u, nil
}

// stream yields the rows of a query one by one.
func stream[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if pool, ok := q.(*readPool); ok {
			var done func()
			ctx, done = pool.begin(ctx)
			defer done()
		}
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			yield(none, readFailure(ctx, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				yield(none, readFailure(ctx, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, readFailure(ctx, err))
		}
	}
}

// id scans a 12-byte blob.
type id struct{ to *store.ID }

func (s id) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(s.to) {
		return fmt.Errorf("id is %T of the wrong size", v)
	}
	copy(s.to[:], b)
	return nil
}

// millis scans a time.
type millis struct{ to *time.Time }

func (s millis) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time is %T, not a whole number", v)
	}
	*s.to = time.Time{}
	if n != 0 {
		*s.to = time.UnixMilli(n).UTC()
	}
	return nil
}

// unixMillis is how a time is stored.
func unixMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
