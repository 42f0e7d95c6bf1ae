//go:build unix

package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// withUmask sets the umask of this process, whose tests run one after the other.
func withUmask(t *testing.T, mask int) {
	before := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(before) })
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestCreate(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077, 0o277} {
		withUmask(t, mask)
		path := filepath.Join(t.TempDir(), "file")
		if was, err := Ensure(path); err != nil || was != 0 || mode(t, path) != File {
			t.Errorf("under %#o: %#o, was %#o, %v", mask, mode(t, path), was, err)
		}
		if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("again: %v", err)
		}
	}
}

func TestNarrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if _, err := Narrow(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, nil, File); err != nil {
		t.Fatal(err)
	}
	for before, want := range map[fs.FileMode]fs.FileMode{
		0o600: 0o600, 0o400: 0o400, 0o644: 0o600, 0o666: 0o600, 0o777: 0o600, 0o440: 0o400, 0o601: 0o600,
	} {
		if err := os.Chmod(path, before); err != nil {
			t.Fatal(err)
		}
		was, err := Ensure(path)
		if got := mode(t, path); got != want || err != nil {
			t.Errorf("%#o becomes %#o, want %#o: %v", before, got, want, err)
		}
		if told := before != want; told != (was == before) || !told && was != 0 {
			t.Errorf("%#o: it says that it was %#o", before, was)
		}
	}
}

func TestNarrowRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	target, link, dangling, pipe := filepath.Join(dir, "target"), filepath.Join(dir, "link"), filepath.Join(dir, "dangling"), filepath.Join(dir, "pipe")
	err := errors.Join(os.WriteFile(target, nil, 0o644), os.Chmod(target, 0o644), os.Symlink(target, link),
		os.Symlink(filepath.Join(dir, "none"), dangling), syscall.Mkfifo(pipe, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, dangling, pipe, dir} {
		if _, err := Ensure(path); !errors.Is(err, ErrNotPrivate) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := mode(t, target); got != 0o644 {
		t.Errorf("what the link leads to is %#o now", got)
	}
}

func TestFolderOpenTo(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0o700: "", 0o500: "", 0o755: "look into", 0o711: "look into", 0o770: "change", 0o777: "change", 0o702: "change",
	} {
		if got := FolderOpenTo(fs.ModeDir | mode); got != want {
			t.Errorf("%#o: %q", mode, got)
		}
	}
}
