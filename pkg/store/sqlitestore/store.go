// Package sqlitestore implements store.Store in one SQLite database file, without CGO.
//
// # Guarantees
//
// The write-ahead log is synced at every commit (synchronous=FULL), so a result survives a power
// loss once it is returned. All writes go through one connection, and each batch is one immediate
// transaction, which makes every change serializable. Reads use connections of their own, never
// wait for a write, and see everything that was committed before they began. Several processes may
// open one file; they take turns at writing.
//
// # Files
//
// All files of a database are private to the user who opens it (Protect). While a Store has a file
// open, the file has a mark, which tells a copy without the write-ahead log from a complete file
// (Store.LogMissing). The log is kept short (logTruncater). A VerifyReader and Backup only read, and
// need no other right.
//
// # Changing what is stored
//
// The schema has a version, kept in PRAGMA user_version, and numbered steps that lead from one
// version to the next: see package migrate, in internal/migrate. Open makes the steps that are
// pending, each in one transaction together with its version. A step that was released is never
// changed.
//
// A step leaves the file usable for running processes of the version before: it adds tables, indexes
// and columns that have a default, and removes only what that version no longer uses. Foreign keys
// are enforced; a table that is rebuilt needs PRAGMA defer_foreign_keys.
//
// # Faults
//
// A write that finds no disk space has surely stored nothing. After a commit whose end is unknown,
// because a sync failed, the process answers nothing before it has made another commit: see
// Store.transact. A store whose files are moved or removed while it is open stores nothing more, and
// tells so by Store.Lost.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/people"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/record"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/relay"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/stats"
)

// readers is the number of connections for reads. Each holds a page cache of 2 MB.
const readers = 8

// Store implements store.Store over one file. It is safe for concurrent use.
type Store struct {
	*people.People
	*relay.Relay
	*record.Record

	write *sql.DB // one connection
	read  *sqldb.ReadPool
	stats *stats.Store
	id    string // of the database
	mark  []byte // the open mark

	logMissing bool // see LogMissing

	// afterCommit, when a test sets it, runs between a successful commit and its answer.
	afterCommit func() error

	writeLock  chan struct{} // of capacity 1; whoever has sent to it may write and use uncertain
	uncertain  bool          // it is unknown how a commit ended, and none has succeeded since
	fullErrors atomic.Int64  // counts the writes that found no disk space
	ping       ping
	news       record.News // of commits

	files    []file     // what was opened
	index    *os.File   // of the log; see openIndex
	lost     chan error // of capacity 1
	longLog  chan int64 // of capacity 1
	keep     *sql.Conn  // stays open, because closing the last connection removes the log
	watching sync.WaitGroup
	stop     context.CancelFunc // of watching
}

var _ store.Store = (*Store)(nil)

// Open opens the database in the file at path, creates it when it does not exist, and brings its schema
// up to date. It refuses a file whose schema it does not know with store.ErrSchema. While another
// process migrates the file, it waits as long as ctx allows.
func Open(ctx context.Context, path string) (*Store, error) {
	hadNoLog := sqldb.NoLog(path)
	if _, err := Protect(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write, err := sqldb.OpenWriter(path)
	if err != nil {
		return nil, err
	}
	m, err := migrate.New(path, write)
	if err == nil {
		err = m.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	id, err := makeDatabaseID(ctx, write, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	read, err := sqldb.OpenReader(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	read.SetMaxOpenConns(readers + 1) // one more for Store.keep
	read.SetMaxIdleConns(readers)
	s := &Store{
		write: write, read: &sqldb.ReadPool{DB: read}, id: id, mark: sqldb.NewOpenMark(),
		lost: make(chan error, 1), longLog: make(chan int64, 1),
		writeLock: make(chan struct{}, 1), ping: ping{lock: make(chan struct{}, 1)},
	}
	s.stats = newStats(m.Known(), s.write, s.read)
	s.People, s.Relay, s.Record = people.New(s.read, s.transact), relay.New(s.read, s.transact), record.New(s.read, s.transact, &s.news)
	if err := s.start(ctx, path, hadNoLog); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, nil
}

// start makes the database safe to serve from. A recovery at this opening may have found in the log what
// a failed commit has written, and it may not be synced yet: a commit of our own makes it durable
// before anybody is told of it.
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
	// This commit starts the log anew, so that the first commit of a client need not.
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

// Close closes the file.
func (s *Store) Close() error {
	if s.stop != nil {
		s.stop()
		s.watching.Wait()
	}
	s.endOpenMark()
	var err error
	if s.keep != nil {
		if err = s.keep.Close(); errors.Is(err, sql.ErrConnDone) {
			err = nil // closed before
		}
	}
	return errors.Join(err, s.read.Close(), s.write.Close(), s.closeIndex())
}
