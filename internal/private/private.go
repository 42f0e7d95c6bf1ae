// Package private keeps files from the other users of a machine. What lies in a data folder
// holds the key that signs tokens: whoever reads it can act as anybody.
//
// Modes mean nothing on Windows, where rights are inherited from the folder. There files are
// created and looked at, and never changed.
package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const (
	// File is the mode of a private file.
	File fs.FileMode = 0o600
	// Folder is the mode of a private folder.
	Folder fs.FileMode = 0o700
)

// ErrNotPrivate marks the error about a file that cannot be kept from other users. Its text is
// a sentence that names the file and says what to do.
var ErrNotPrivate = errors.New("not private")

// refusal is an ErrNotPrivate with a text of its own.
type refusal string

func (r refusal) Error() string        { return string(r) }
func (r refusal) Is(target error) bool { return target == ErrNotPrivate }

// Create creates an empty file that has the mode File from its first moment, whatever the
// umask. It fails with fs.ErrExist when anything is at path, be it a link to nothing.
func Create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, File)
	if err != nil {
		return nil, err
	}
	if err := keepOwnerRights(f); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return f, nil
}

// Ensure creates the file at path if it is missing, as Create does, and else narrows it.
func Ensure(path string) (was fs.FileMode, err error) {
	f, err := Create(path)
	if errors.Is(err, fs.ErrExist) {
		return Narrow(path)
	}
	if err != nil {
		return 0, err
	}
	return 0, f.Close()
}

// Narrow takes all rights on the file at path from other users. It returns the mode that the
// file had when it changed it, and 0 when there was nothing to change. It fails with
// ErrNotPrivate when the path is no regular file, such as a symbolic link, when the file belongs
// to another user, or when the system refuses the change, and with fs.ErrNotExist when nothing is there. It never opens the
// file.
func Narrow(path string) (was fs.FileMode, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return 0, refusal(fmt.Sprintf("%s is a symbolic link: put the file itself there, or choose the folder in which the file is with --data", path))
	case !mode.IsRegular():
		return 0, refusal(path + " is not a file: remove it, or choose another folder with --data")
	}
	if owner, foreign := foreignOwner(info); foreign {
		return 0, refusal(fmt.Sprintf("%s belongs to another user (%s), who can read and change it: give it to the user who runs Event.io with chown, or choose another folder with --data", path, owner))
	}
	mode := info.Mode().Perm()
	if !wider(mode, File) {
		return 0, nil
	}
	if err := os.Chmod(path, mode&File); err != nil {
		return 0, refusal(fmt.Sprintf("other users can use %s and this one may not change that (%v): type chmod 600 '%s' as its owner", path, errors.Unwrap(err), path))
	}
	return mode, nil
}

// FolderOpenTo says which rights others than its owner have in a folder that has this mode:
// "look into" or "change", or "" when they have none.
func FolderOpenTo(mode fs.FileMode) string {
	switch {
	case !wider(mode.Perm(), Folder):
		return ""
	case mode&0o022 != 0:
		return "change"
	}
	return "look into"
}

// OpenToOthers reports whether others than the owner and the group of a file that has this mode may read or
// change it. A group is how an orchestrator gives a process a file of somebody else.
func OpenToOthers(mode fs.FileMode) bool { return wider(mode.Perm()&0o006, 0) }
