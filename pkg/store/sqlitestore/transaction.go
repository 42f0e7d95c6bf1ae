package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// transact runs fn in one immediate transaction and syncs it to disk. An error that matches
// store.ErrNothingStored means that nothing was stored.
//
// After a commit whose end is unknown, its pages may still be in the log: nobody sees them there,
// but a recovery after a crash would find them. A caller who was told "sold out" in between, or
// "there was nothing to cancel", would then have been told wrong. So before the next transaction
// there is a fence: a commit of its own, which overwrites those pages in the log. Only after it fn
// sees the state on which its answer rests. Otherwise a transaction that changes nothing writes
// nothing.
func (s *Store) transact(ctx context.Context, fn func(*sql.Tx) error) error {
	select {
	case s.writeLock <- struct{}{}:
		defer func() { <-s.writeLock }()
	case <-ctx.Done():
		return sqldb.NothingStored(ctx.Err())
	}
	err := s.fenceUncertain(ctx)
	if err == nil {
		err = s.commit(ctx, fn)
	}
	if errors.Is(err, store.ErrStorageFull) {
		s.fullErrors.Add(1)
	}
	return err
}

// fenceUncertain commits a fence if it is unknown how an earlier commit ended. Even when it fails,
// nothing of its caller's is stored. The caller has the write lock.
func (s *Store) fenceUncertain(ctx context.Context) error {
	if !s.uncertain {
		return nil
	}
	err := s.commit(ctx, fence(fenceBytes))
	if err == nil {
		return nil
	}
	err = transactionError(fmt.Errorf("an earlier commit is in doubt: %w", err), false)
	if !errors.Is(err, store.ErrStorageFull) && !errors.Is(err, store.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err) // the next request tries again
	}
	return err
}

// commit runs fn in one transaction. The caller has the write lock.
func (s *Store) commit(ctx context.Context, fn func(*sql.Tx) error) (err error) {
	span := tracing.Transaction(ctx, "sqlite")
	defer func() { tracing.End(span, tracing.Cause(err)) }()
	if err := errors.Join(ctx.Err(), s.checkFiles()); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	// ctx ends the transaction only until its commit begins. It would be unknown how an interrupted
	// commit ended, and the driver replaces its error with that of the context.
	uncommitted, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	detach := context.AfterFunc(ctx, cancel)
	defer detach()
	tx, err := s.write.BeginTx(uncommitted, nil)
	if err != nil {
		return transactionError(err, false)
	}
	if err := fn(tx); err != nil {
		return transactionError(errors.Join(err, tx.Rollback()), false)
	}
	if !detach() {
		return transactionError(errors.Join(ctx.Err(), tx.Rollback()), false)
	}
	before := s.uncertain
	s.uncertain = true // in case the commit panics
	if err := tx.Commit(); err != nil {
		if err = transactionError(err, true); errors.Is(err, store.ErrStorageFull) {
			if unknown := s.checkUncommitted(); unknown != nil {
				//nolint:errorlint // wrapped, it would go on saying that nothing is stored
				err = fmt.Errorf("commit: %v, and %w", err, unknown)
			}
		}
		s.uncertain = before || !errors.Is(err, store.ErrNothingStored)
		return err
	}
	s.uncertain = false
	s.news.Tell()
	// If the files were moved since the first check, nobody may find what was written.
	if err := s.checkFiles(); err != nil {
		return fmt.Errorf("after the commit: %w", err)
	}
	if s.afterCommit != nil {
		return s.afterCommit()
	}
	return nil
}

const (
	// fenceBytes is the size of a fence, which is random so that each one differs from all before.
	// The checksums of the log continue from page to page, so no page of an uncertain transaction
	// fits behind a fence.
	fenceBytes = 16
	// probeBytes is what Ping writes after a client's write has found no disk space: more than most
	// writes, so that Ping does not succeed where they would fail.
	probeBytes = 64 << 10
)

// fence returns a function that writes the only row of the table fence.
func fence(bytes int) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO fence (slot, mark) VALUES (1, randomblob(?))
			ON CONFLICT (slot) DO UPDATE SET mark = excluded.mark`, bytes)
		return err
	}
}

// pingInterval is how long the result of a Ping is used again, so that many probes cost few commits.
const pingInterval = time.Second

// Ping implements store.Store: it commits a row, as the writes of clients do. All calls within
// pingInterval share one result, unless a write has found no disk space meanwhile.
func (s *Store) Ping(ctx context.Context) error {
	select {
	case s.ping.lock <- struct{}{}:
		defer func() { <-s.ping.lock }()
	case <-ctx.Done():
		return sqldb.NothingStored(ctx.Err())
	}
	fullErrors := s.fullErrors.Load()
	full := fullErrors != s.ping.fullErrors
	if time.Since(s.ping.at) < pingInterval && (s.ping.err != nil || !full) {
		return s.ping.err
	}
	bytes := fenceBytes
	if full {
		bytes = probeBytes
	}
	err := s.transact(ctx, fence(bytes))
	if err != nil && ctx.Err() != nil {
		return err // because of this caller's time limit, which does not matter to others
	}
	if err == nil {
		s.ping.fullErrors = fullErrors
	}
	s.ping.at, s.ping.err = time.Now(), err
	return err
}

// ping is the last result of Ping.
type ping struct {
	lock chan struct{} // of capacity 1; whoever has sent to it may use all below
	at   time.Time
	err  error
	// fullErrors is that of Store before the last write of Ping that found disk space.
	fullErrors int64
}
