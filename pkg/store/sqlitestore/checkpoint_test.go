package sqlitestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// newLogBench opens a store whose log is kept at an eighth of the usual limits, which a test reaches
// sooner.
func newLogBench(t *testing.T) *bench {
	t.Helper()
	path, limits := filepath.Join(t.TempDir(), "eventio.db"), defaultLogLimits()
	s, err := openWithLimits(t.Context(), path, logLimits{limits.truncate / 8, limits.endReads / 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{s, path}
}

// grow makes the log larger by a bit more than 256 KB.
func (b *bench) grow(t *testing.T) {
	t.Helper()
	if err := b.transact(t.Context(), fence(256<<10)); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) logSize(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(b.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// writeUntil writes until done says so, and fails when that takes longer than several looks at
// the log or the log gets larger than most.
func (b *bench) writeUntil(t *testing.T, most int64, done func(logSize int64) bool) {
	t.Helper()
	for {
		b.grow(t)
		size := b.logSize(t)
		if size > most {
			t.Fatalf("the log has %d MB, want %d at most", size>>20, most>>20)
		}
		if done(size) {
			return
		}
	}
}

// slack is what a test may write before the goroutine that watches has looked: it writes as fast
// as it can, which is faster than any client.
const slack = 1 << 30

func TestALongReadDoesNotKeepTheLogGrowing(t *testing.T) {
	b := newLogBench(t)
	e := storetest.NewEvent(t, b, 100)
	b.apply(t, storetest.NewRequests(e.ID, 20))
	rows := 0
	var last error
	for _, err := range b.Roster(t.Context(), e.ID, 0, 1000, 0) {
		if last = err; err != nil {
			break
		}
		if rows++; rows == 2 { // the client does not read on
			b.writeUntil(t, b.logLimits.endReads+slack, func(size int64) bool { return size > b.logLimits.endReads })
			testenv.Eventually(t, 20*checkInterval, "a log that is cut", func() error {
				if size := b.logSize(t); size > b.logLimits.truncate {
					return errors.New("it is not")
				}
				return nil
			})
		}
	}
	if !errors.Is(last, store.ErrUnavailable) || !errors.Is(last, sqldb.ErrLongRead) {
		t.Errorf("the read ends with %v after %d rows", last, rows)
	}
	storetest.Check(t, b, e.ID)
}

// Reads that are short and overlap: there never is a moment without one.
func TestManyShortReadsDoNotKeepTheLogGrowing(t *testing.T) {
	b := newLogBench(t)
	e := storetest.NewEvent(t, b, 2000)
	b.apply(t, storetest.NewRequests(e.ID, 2000))
	ctx, stop := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	var reads atomic.Int64
	for range 3 {
		crowd.Go(func() {
			for ctx.Err() == nil {
				for _, err := range b.Roster(ctx, e.ID, 0, 2000, 0) {
					if err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
				}
				reads.Add(1)
			}
		})
	}
	defer crowd.Wait()
	defer stop()
	b.writeUntil(t, b.logLimits.endReads+slack, func(size int64) bool { return size > b.logLimits.truncate })
	testenv.Eventually(t, 20*checkInterval, "a log that is cut while all go on", func() error {
		b.grow(t)
		if size := b.logSize(t); size > b.logLimits.truncate/2 {
			return errors.New("it is not")
		}
		return nil
	})
	if reads.Load() == 0 {
		t.Error("nobody has read")
	}
}

// A read of another program cannot be ended. Somebody is told, and the log is cut after it.
func TestAReadOfAnotherProgramIsTold(t *testing.T) {
	b := newLogBench(t)
	other, err := sqldb.OpenReading(t.Context(), b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.DB.Close()
	tx, err := other.DB.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.QueryRow(`SELECT count(*) FROM users`).Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	b.writeUntil(t, b.logLimits.endReads+slack, func(size int64) bool { return size > b.logLimits.endReads })
	testenv.Eventually(t, 20*checkInterval, "a word about the log", func() error {
		select {
		case size := <-b.LongLog():
			if size <= b.logLimits.endReads {
				t.Errorf("told of %d bytes", size)
			}
			return nil
		default:
			return errors.New("nothing was told")
		}
	})
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 20*checkInterval, "a log that is cut", func() error {
		if size := b.logSize(t); size > b.logLimits.truncate {
			return errors.New("it is not")
		}
		return nil
	})
}
