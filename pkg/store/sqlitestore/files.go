package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrLost means that a file of the database was moved, removed or replaced while it was open.
// What is written from then on would go into a file that nobody finds.
var ErrLost = errors.New("a file of the database was moved, removed or replaced while it was open")

// file is one of the database's as it was when it was opened.
type file struct {
	path string
	info os.FileInfo
}

// openedFiles are the files of an open database: itself, the write-ahead log and the log's
// index. All are there once something was committed, and stay until the last connection is
// closed.
func openedFiles(path string) ([]file, error) {
	var files []file
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			return nil, fmt.Errorf("look at what was opened: %w (the file system must allow a write-ahead log)", err)
		}
		os.SameFile(info, info) // Windows reads a file's number when it is first asked for
		files = append(files, file{path + suffix, info})
	}
	return files, nil
}

// look compares the files that the paths name now with those that were opened: device and
// inode, or what the system has for them. Errors: ErrLost, or one that says neither.
func (s *Store) look() error {
	for i, f := range s.files {
		switch info, err := os.Stat(f.path); {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %s is not there", ErrLost, f.path)
		case err != nil:
			return fmt.Errorf("look for the database: %w", err)
		case !os.SameFile(f.info, info):
			return fmt.Errorf("%w: %s is another file", ErrLost, f.path)
		case i == 1:
			s.read.logBytes.Store(info.Size())
		}
	}
	return nil
}

// inPlace is look, and tells Lost.
func (s *Store) inPlace() error {
	err := s.look()
	if errors.Is(err, ErrLost) {
		select {
		case s.lost <- err:
		default: // it has been told
		}
	}
	return err
}

// Lost gets one error, which matches ErrLost, when the database is no longer where it was
// opened. Nothing is written or acknowledged from then on: whoever serves the store ends the
// process, or reads would go on from a file that nobody else sees.
func (s *Store) Lost() <-chan error { return s.lost }

// lookInterval is how long a database may be lost before that is noticed without a write.
const lookInterval = time.Second

// watch looks for the files, their open mark and the size of the log until ctx ends.
func (s *Store) watch(ctx context.Context) {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	var log cutter
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.inPlace() == nil { // Lost tells it
				s.stayMarked(ctx)
				log.cut(ctx, s)
			}
		}
	}
}
