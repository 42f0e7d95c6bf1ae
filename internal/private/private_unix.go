//go:build unix

package private

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// keepOwnerRights gives a new file the rights that an unusual umask has taken from its owner.
func keepOwnerRights(f *os.File) error { return f.Chmod(File) }

// wider reports whether mode allows what most does not.
func wider(mode, most fs.FileMode) bool { return mode&^most != 0 }

// foreignOwner names the owner of a file that belongs to another user. To root no file is
// foreign: root serves a folder for the user to whom its files belong.
func foreignOwner(info fs.FileInfo) (name string, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	me := os.Geteuid()
	if !ok || me == 0 || int(stat.Uid) == me {
		return "", false
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username, true
	}
	return "number " + id, true
}
