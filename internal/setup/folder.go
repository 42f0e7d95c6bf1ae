package setup

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/private"
	"github.com/eventio/eventio/internal/process"
)

// lockFile is the name of the file in a data folder that keeps a second process out.
const lockFile = "eventio.lock"

// DefaultFolder is the data folder when no flag names one.
const DefaultFolder = "data"

// ErrInUse marks the error about a data folder that another process has locked.
var ErrInUse = errors.New("the data folder is in use")

// LockFolder makes a data folder if it is missing and keeps other processes off it until
// unlock is called. It fails with ErrInUse when another process was first, and names that
// process. It takes other users' rights on the files in the folder and logs that; whether they
// may enter the folder itself is only logged.
func LockFolder(folder string, log zerolog.Logger) (unlock func() error, err error) {
	if folder == "" {
		return nil, process.Usage("--data must name a folder")
	}
	if err := os.MkdirAll(folder, private.Folder); err != nil {
		return nil, unusable(folder, err)
	}
	warnOfFolder(folder, log)
	path := filepath.Join(folder, lockFile)
	was, err := private.Ensure(path)
	if err != nil {
		return nil, unusable(folder, err)
	}
	l := flock.New(path)
	ok, err := l.TryLock()
	if err != nil {
		return nil, unusable(folder, err)
	}
	if !ok {
		pid, _ := os.ReadFile(path) // it only names the other process
		return nil, fmt.Errorf("%w by process %s: stop it, or choose another folder with --data",
			ErrInUse, strings.TrimSpace(string(pid)))
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), private.File); err != nil {
		return nil, errors.Join(unusable(folder, err), l.Unlock())
	}
	if err := protectFiles(folder, was, log); err != nil {
		return nil, errors.Join(unusable(folder, err), l.Unlock())
	}
	return l.Unlock, nil
}

// unusable returns the Failure about a data folder that cannot be made or locked.
func unusable(folder string, err error) error {
	if errors.Is(err, private.ErrNotPrivate) {
		return err // a sentence already
	}
	return &process.Failure{Sentence: fmt.Sprintf("the data folder %s cannot be used: %s; choose another folder with --data",
		folder, cmp.Or(process.Reason(err), "the system refuses it")), Cause: err}
}

// requireWritable fails with a Failure when the file of a database cannot be opened for
// writing. SQLite says the same of it as of a moment in which too many files are open, and
// who opens it would wait for that to pass.
func requireWritable(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		file, err := os.OpenFile(name, os.O_RDWR, 0)
		if err == nil {
			err = file.Close()
		} else if errors.Is(err, fs.ErrNotExist) {
			_, err = os.Stat(filepath.Dir(name)) // it is made, then
		}
		if err != nil {
			return &process.Failure{Sentence: fmt.Sprintf("%s cannot be opened: %s; make it readable and writable for this user, or choose another folder with --data",
				name, cmp.Or(process.Reason(err), "the system refuses it")), Cause: err}
		}
	}
	return nil
}
