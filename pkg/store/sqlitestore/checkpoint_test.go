package sqlitestore

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// grow makes the log larger by a bit more than 2 MB. It writes other bytes each time, because SQLite
// does not write a page that stays as it is.
func (b *bench) grow(t *testing.T) {
	t.Helper()
	err := b.transact(t.Context(), func(tx *sql.Tx) error {
		var first []byte
		err := tx.QueryRow(`SELECT substr(mark, 1, 1) FROM fence`).Scan(&first)
		if err == nil {
			_, err = tx.Exec(`UPDATE fence SET mark = ?`, bytes.Repeat([]byte{first[0] + 1}, 2<<20))
		}
		return err
	})
	if err != nil {
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

// writeUntil writes until done returns true. It fails the test when the log gets larger than most.
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

// slack is what a test may write before the goroutine that watches has checked the log: a test
// writes faster than any client.
const slack = 1 << 30

func TestALongReadDoesNotKeepTheLogGrowing(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 100)
	b.apply(t, storetest.NewRequests(e.ID, 20))
	rows := 0
	var last error
	for _, err := range b.Roster(t.Context(), e.ID, 0, 1000, 0) {
		if last = err; err != nil {
			break
		}
		if rows++; rows == 2 { // the client does not read on
			b.writeUntil(t, maxLog+slack, func(size int64) bool { return size > maxLog })
			testenv.Eventually(t, 20*checkInterval, "a log that is cut", func() error {
				if size := b.logSize(t); size > sqldb.LogLimit {
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

// TestManyShortReadsDoNotKeepTheLogGrowing checks that the log is truncated while reads are short and
// overlap: at each commit one is running that began before it, so SQLite finds no moment to start
// the log anew.
func TestManyShortReadsDoNotKeepTheLogGrowing(t *testing.T) {
	b := newBench(t)
	commits, over := make(chan struct{}), make(chan struct{})
	begin := func() (*sql.Tx, error) {
		tx, err := b.read.BeginTx(t.Context(), nil)
		if err != nil {
			return nil, err
		}
		return tx, tx.QueryRow(`SELECT count(*) FROM users`).Scan(new(int))
	}
	var reads sync.WaitGroup
	defer reads.Wait()
	defer close(over)
	ready := make(chan struct{})
	reads.Go(func() {
		tx, err := begin()
		close(ready)
		for err == nil {
			var next *sql.Tx
			if next, err = begin(); err != nil {
				break
			}
			select {
			case <-commits:
			case <-time.After(shortRead):
			case <-over:
				err = errors.Join(tx.Rollback(), next.Rollback())
				if err != nil {
					t.Error(err)
				}
				return
			}
			err = tx.Rollback()
			tx = next
		}
		t.Error(err)
	})
	<-ready
	write := func() int64 {
		b.grow(t)
		select {
		case commits <- struct{}{}:
		default: // the next read is just beginning
		}
		return b.logSize(t)
	}
	for write() <= sqldb.LogLimit {
	}
	testenv.Eventually(t, 20*checkInterval, "a log that is cut while all go on", func() error {
		if size := write(); size > sqldb.LogLimit/2 {
			return fmt.Errorf("it has %d MB", size>>20)
		}
		return nil
	})
}

// shortRead is how long a read lasts when nothing is written.
const shortRead = 10 * time.Millisecond

// TestAReadOfAnotherProgramIsTold checks that a long read of another program, which cannot be ended,
// is reported, and that the log is truncated after it.
func TestAReadOfAnotherProgramIsTold(t *testing.T) {
	b := newBench(t)
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
	b.writeUntil(t, maxLog+slack, func(size int64) bool { return size > maxLog })
	testenv.Eventually(t, 20*checkInterval, "a word about the log", func() error {
		select {
		case size := <-b.LongLog():
			if size <= maxLog {
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
		if size := b.logSize(t); size > sqldb.LogLimit {
			return errors.New("it is not")
		}
		return nil
	})
}
