//go:build !unix

package private

import (
	"io/fs"
	"os"
)

func keepOwnerRights(*os.File) error { return nil }

func wider(fs.FileMode, fs.FileMode) bool { return false }

func foreignOwner(fs.FileInfo) (string, bool) { return "", false }
