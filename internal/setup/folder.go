package setup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/eventio/eventio/internal/process"
)

// ErrInUse marks the error about a data folder that another process has locked.
var ErrInUse = errors.New("the data folder is in use")

// LockFolder makes a data folder if it is missing and keeps other processes off it until
// unlock is called. It fails with ErrInUse when another process was first, and names that
// process.
func LockFolder(folder string) (unlock func() error, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, unusable(folder, err)
	}
	path := filepath.Join(folder, "eventio.lock")
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
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return nil, errors.Join(unusable(folder, err), l.Unlock())
	}
	return l.Unlock, nil
}

// unusable returns the Failure about a data folder that cannot be made or locked.
func unusable(folder string, err error) error {
	return &process.Failure{Sentence: fmt.Sprintf("the data folder %s cannot be used: %s; choose another folder with --data",
		folder, cmp.Or(process.Reason(err), "the system refuses it")), Cause: err}
}
