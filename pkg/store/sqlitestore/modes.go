package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/eventio/eventio/internal/private"
)

// Files are what the names of a database's files end with, after the path of the database: the
// file itself, the write-ahead log, the log's index, and the rollback journal that SQLite uses
// before there is a write-ahead log.
func Files() []string { return []string{"", "-wal", "-shm", "-journal"} }

// Protect keeps the files of the database at path from other users: it creates the database's
// file, empty, when that is missing, and takes other users' rights on files that are there. It
// returns a text like "eventio.db was 0644" for each file that it has changed.
//
// SQLite gives each file that it makes the mode of the database's file, whatever the umask. So
// none of them is ever open to others, if Protect comes before SQLite opens the database. Errors
// match private.ErrNotPrivate when a file is a link or another user's.
func Protect(path string) (changed []string, err error) {
	if f, err := private.Create(path); err == nil {
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("make the database's file: %w", err)
		}
	} // else it is there, or SQLite tells why it cannot be made
	for _, suffix := range Files() {
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
