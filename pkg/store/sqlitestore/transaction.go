package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// transact runs fn in one immediate transaction and syncs it to disk. An error that matches
// store.ErrNothingStored means that nothing was stored.
//
// After a commit whose end is unknown its pages may still be in the log, where nobody sees
// them and a recovery after a crash finds them. Whoever was told "sold out" in between, or
// "there was nothing to cancel", would have been told wrong. So the next transaction begins
// with a fence: a commit of its own, which takes the place of those pages in the log. Only
// then does fn see the state that its answer rests on. Without doubt a transaction that
// changes nothing writes nothing.
func (s *Store) transact(ctx context.Context, fn func(*sql.Tx) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return classify(ctx.Err())
	}
	err := s.settle(ctx)
	if err == nil {
		err = s.commit(ctx, fn)
	}
	if errors.Is(err, store.ErrStorageFull) {
		s.fulls.Add(1)
	}
	return err
}

// settle commits a fence if an earlier commit is in doubt. Whatever becomes of that, nothing
// of the caller's is stored. The caller has the turn.
func (s *Store) settle(ctx context.Context) error {
	if !s.doubt {
		return nil
	}
	err := s.commit(ctx, fence(fenceBytes))
	if err == nil {
		return nil
	}
	err = failure(fmt.Errorf("an earlier commit is in doubt: %w", err), false)
	if !errors.Is(err, store.ErrStorageFull) && !errors.Is(err, store.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err) // the next request tries again
	}
	return err
}

// commit runs fn in one transaction. The caller has the turn.
func (s *Store) commit(ctx context.Context, fn func(*sql.Tx) error) error {
	if err := errors.Join(ctx.Err(), s.inPlace()); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	// ctx ends the transaction until its commit begins. An interrupted commit would not tell
	// how it ended, and the driver replaces its error with that of the context.
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	hold := context.AfterFunc(ctx, cancel)
	defer hold()
	tx, err := s.write.BeginTx(within, nil)
	if err != nil {
		return failure(err, false)
	}
	if err := fn(tx); err != nil {
		return failure(errors.Join(err, tx.Rollback()), false)
	}
	if !hold() {
		return failure(errors.Join(ctx.Err(), tx.Rollback()), false)
	}
	doubt := s.doubt
	s.doubt = true // until the commit tells, should it panic
	if err := tx.Commit(); err != nil {
		if err = failure(err, true); errors.Is(err, store.ErrStorageFull) {
			if tail := s.uncommitted(); tail != nil {
				//nolint:errorlint // wrapped, it would go on saying that nothing is stored
				err = fmt.Errorf("commit: %v, and %w", err, tail)
			}
		}
		s.doubt = doubt || !errors.Is(err, store.ErrNothingStored)
		return err
	}
	s.doubt = false
	// Moved since the first look: what was written may lie where nobody finds it.
	if err := s.inPlace(); err != nil {
		return fmt.Errorf("after the commit: %w", err)
	}
	if s.afterCommit != nil {
		return s.afterCommit()
	}
	return nil
}

const (
	// fenceBytes makes each fence differ from all before. The checksums of the log go on from
	// page to page, so no page of a transaction in doubt fits behind it.
	fenceBytes = 16
	// roomBytes is what Ping writes after a client's write has found no room: more than most
	// clients do, so that it is not the only one to whom the disk seems to have room.
	roomBytes = 64 << 10
)

// fence writes the one row of its table.
func fence(bytes int) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO fence (slot, mark) VALUES (1, randomblob(?))
			ON CONFLICT (slot) DO UPDATE SET mark = excluded.mark`, bytes)
		return err
	}
}

// pingInterval is how long Ping's answer holds, so that a flood of probes costs no commits.
const pingInterval = time.Second

// Ping writes and commits a row, which is what clients need. Its answer is shared by all who
// ask within a second, unless a write has found no room meanwhile.
func (s *Store) Ping(ctx context.Context) error {
	select {
	case s.ping.turn <- struct{}{}:
		defer func() { <-s.ping.turn }()
	case <-ctx.Done():
		return classify(ctx.Err())
	}
	fulls := s.fulls.Load()
	full := fulls != s.ping.fulls
	if time.Since(s.ping.at) < pingInterval && (s.ping.err != nil || !full) {
		return s.ping.err
	}
	bytes := fenceBytes
	if full {
		bytes = roomBytes
	}
	err := s.transact(ctx, fence(bytes))
	if err != nil && ctx.Err() != nil {
		return err // of this caller's time, which says nothing to others
	}
	if err == nil {
		s.ping.fulls = fulls
	}
	s.ping.at, s.ping.err = time.Now(), err
	return err
}

// ping is the last answer of Ping.
type ping struct {
	turn chan struct{} // of one; who has it may use all below
	at   time.Time
	err  error
	// fulls is Store.fulls before the last write of Ping that had room.
	fulls int64
}
