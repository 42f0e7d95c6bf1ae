package sqlitestore

import (
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eventio/eventio/pkg/store/storetest"
)

// indexInUse is the byte of the log's index that every process which has it open locks.
const indexInUse = 128

// TestLocksOutliveALookAtTheLog checks that reading the log leaves SQLite's locks in place, without
// which the next process empties the index of the log.
func TestLocksOutliveALookAtTheLog(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 10)
	b.apply(t, storetest.NewRequests(e.ID, 1))
	if err := b.checkUncommitted(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(b.path + "-shm")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// A lock of a file descriptor, which those of the process stand in the way of.
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: indexInUse, Len: 1}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		t.Fatal(err)
	}
	if lock.Type == unix.F_UNLCK {
		t.Error("the process has lost its lock on the index of the log")
	}
}
