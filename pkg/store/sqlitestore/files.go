package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/eventio/eventio/internal/private"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// ErrLost means that a file of the database was moved, removed or replaced while it was open. Whatever
// is written after that would go into a file that nobody finds.
var ErrLost = errors.New("a file of the database was moved, removed or replaced while it was open")

// file is a file of the database as it was when it was opened.
type file struct {
	path string
	info os.FileInfo
}

// openedFiles returns the files of an open database: the file itself, the write-ahead log and the log's
// index. All exist once something was committed, until the last connection is closed.
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

// compareFiles compares the files that the paths name now with those that were opened: by device and
// inode, or what the system has instead. It notes the size of the log. Errors: ErrLost, or one after
// which it is not known.
func (s *Store) compareFiles() error {
	for i, f := range s.files {
		switch info, err := os.Stat(f.path); {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %s is not there", ErrLost, f.path)
		case err != nil:
			return fmt.Errorf("look for the database: %w", err)
		case !os.SameFile(f.info, info):
			return fmt.Errorf("%w: %s is another file", ErrLost, f.path)
		case i == 1:
			s.read.SetLogSize(info.Size())
		}
	}
	return nil
}

// checkFiles is compareFiles, and sends an ErrLost to Lost.
func (s *Store) checkFiles() error {
	err := s.compareFiles()
	if errors.Is(err, ErrLost) {
		select {
		case s.lost <- err:
		default: // it has been sent
		}
	}
	return err
}

// Lost returns a channel that gets one error, which matches ErrLost, when the database is no longer
// where it was opened. Nothing is written or acknowledged after that. The process must end, because
// its reads would go on from a file that nobody else sees.
func (s *Store) Lost() <-chan error { return s.lost }

// checkInterval is how long a database can be lost before that is noticed without a write.
const checkInterval = time.Second

// watch checks the files, their open mark and the size of the log until ctx ends.
func (s *Store) watch(ctx context.Context) {
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	var log logTruncater
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.checkFiles() == nil { // which sends the error to Lost
				s.keepOpenMark(ctx)
				log.truncate(ctx, s)
			}
		}
	}
}

// Protect makes the files of the database at path private: it creates the database's file, empty, when
// it does not exist, and removes other users' rights from files that exist. It returns a text like
// "eventio.db was 0644" for each file that it has changed.
//
// SQLite gives each file that it makes the mode of the database's file, whatever the umask. So no file
// is ever open to others when Protect comes before SQLite opens the database. Errors match
// private.ErrNotPrivate when a file is a link or another user's.
func Protect(path string) (changed []string, err error) {
	if f, err := private.Create(path); err == nil {
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("make the database's file: %w", err)
		}
	} // otherwise it exists, or SQLite says why it cannot be made
	for _, suffix := range sqldb.Files() {
		was, err := private.Narrow(path + suffix)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return changed, fmt.Errorf("the database cannot be kept from other users: %w", err)
		case was != 0:
			changed = append(changed, fmt.Sprintf("%s was %#o", path+suffix, was))
		}
	}
	return changed, nil
}
