//go:build unix

package sqldb

import (
	"fmt"
	"os"
	"syscall"
)

// FileIdentity returns what tells the file at path from every other file that exists now.
func FileIdentity(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Appendf(nil, "%d:%d", stat.Dev, stat.Ino), nil
	}
	return nil, nil
}
