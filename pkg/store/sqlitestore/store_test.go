package sqlitestore

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func open(tb testing.TB, path string) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func target(tb testing.TB) storetest.Target {
	path := filepath.Join(tb.TempDir(), "eventio ?#%.db") // a path is a path, whatever it contains
	return targetOver(tb, path, open(tb, path))
}

// targetOver returns the target of a store over the file at path.
func targetOver(tb testing.TB, path string, s *Store) storetest.Target {
	return storetest.Target{
		Store: s,
		Again: func(tb testing.TB) store.Store { return open(tb, path) },
		Fail: func(tb testing.TB, _ storetest.Operation, ending storetest.Ending) func() {
			if ending == storetest.FailedButStored {
				set := func(after func() error) { // the store writes by itself, too
					s.writeLock <- struct{}{}
					s.afterCommit = after
					<-s.writeLock
				}
				set(func() error { return errors.New("the answer is lost") })
				return func() { set(nil) }
			}
			// Another process is writing and does not end.
			tx, err := open(tb, path).write.BeginTx(tb.Context(), nil)
			if err != nil {
				tb.Fatal(err)
			}
			return func() {
				if err := tx.Rollback(); err != nil {
					tb.Error(err)
				}
			}
		},
	}
}
