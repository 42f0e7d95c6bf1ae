package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// ErrInUse marks the error about a data folder that another process has locked.
var ErrInUse = errors.New("the data folder is in use")

// LockFolder makes a data folder if it is missing and keeps other processes off it until
// unlock is called. It fails with ErrInUse when another process was first, and names that
// process.
func LockFolder(folder string) (unlock func() error, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	path := filepath.Join(folder, "eventio.lock")
	l := flock.New(path)
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if !ok {
		pid, _ := os.ReadFile(path) // it only names the other process
		return nil, fmt.Errorf("%w by process %s: stop it, or choose another folder with --data",
			ErrInUse, strings.TrimSpace(string(pid)))
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), l.Unlock())
	}
	return l.Unlock, nil
}
