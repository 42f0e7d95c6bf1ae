//go:build unix

package process

import "syscall"

// descriptors returns how many files and connections the process may have open; 0: not known.
func descriptors() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // it is an int64 on some systems
}
