//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/eventio/eventio/internal/setup"
)

// nobody is a user without rights. Root may do everything, so what a user may not do is tried as
// nobody; whoever is not root tries it themself.
const nobody = 65534

// outsider is this test binary as another user's program, and a folder that user may write to.
type outsider struct {
	t      *testing.T
	self   string
	folder string
}

func newOutsider(t *testing.T) *outsider {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := &outsider{t: t, self: self, folder: t.TempDir()}
	if os.Geteuid() != 0 {
		return o
	}
	// Neither the folder of go test nor that of the test is open to others.
	if o.folder, err = os.MkdirTemp("", "eventio-private-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(o.folder) })
	err = errors.Join(os.Chmod(o.folder, 0o755), os.Chown(o.folder, nobody, nobody))
	if err != nil {
		t.Fatal(err)
	}
	o.self = filepath.Join(o.folder, "eventio.test")
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(o.self, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

// give makes all that is in a folder the outsider's.
func (o *outsider) give(folder string) {
	o.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// run runs the program as the outsider and returns what it prints.
func (o *outsider) run(args ...string) (string, error) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), programLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.self, args...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// modes are the modes of all that is in a folder, by name.
func modes(folder string) (map[string]fs.FileMode, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	all := make(map[string]fs.FileMode)
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		all[entry.Name()] = info.Mode()
	}
	return all, nil
}

// onlooker looks at a folder without a pause and keeps each mode that a file ever had.
func onlooker(t *testing.T, folder string) (stop func() map[string]fs.FileMode) {
	over := make(chan struct{})
	wide := make(map[string]fs.FileMode)
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			seen, err := modes(folder)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
				return
			}
			for name, mode := range seen {
				wide[name] |= mode.Perm()
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	end := sync.OnceFunc(func() {
		close(over)
		looking.Wait()
	})
	t.Cleanup(end)
	return func() map[string]fs.FileMode {
		end()
		return wide
	}
}

var withoutUmask = []string{"sh", "-c", `umask 0; exec "$@"`, "sh"}

func TestFilesArePrivateWhateverTheUmask(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	stop := onlooker(t, data)
	v := newVisit(t, startProgram(t, data, withoutUmask...))
	for what, r := range v.requests {
		if got := v.send(t, r); got.status >= 500 {
			t.Errorf("%s: %v", what, got)
		}
	}
	info, err := os.Stat(data)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info.Mode(), err)
	}
	if err := v.End(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	seen := stop()
	for name, mode := range seen {
		if mode != 0o600 {
			t.Errorf("%s is %#o, or was", name, mode)
		}
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if _, there := seen[setup.DatabaseFile+suffix]; !there {
			t.Errorf("%s was not looked at: %v", setup.DatabaseFile+suffix, seen)
		}
	}
	if strings.Contains(string(v.Output()), "other users") {
		t.Errorf("it warns:\n%s", v.Output())
	}
}

func TestFilesThatWereOpenToOthersAreNarrowed(t *testing.T) {
	data := t.TempDir()
	killed := startProgram(t, data)
	newVisit(t, killed)
	if err := killed.End(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	before, err := modes(data)
	if err != nil || len(before) != 4 {
		t.Fatalf("a killed process left %v, %v", before, err)
	}
	for name := range before {
		if err := os.Chmod(filepath.Join(data, name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(data, 0o777); err != nil {
		t.Fatal(err)
	}
	v := startProgram(t, data, withoutUmask...)
	now, err := modes(data)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range now {
		if mode.Perm() != 0o600 {
			t.Errorf("%s is %#o", name, mode.Perm())
		}
		if !strings.Contains(string(v.Output()), filepath.Join(data, name)+" was 0666") {
			t.Errorf("it does not say that %s was open to others", name)
		}
	}
	info, err := os.Stat(data)
	if err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("the folder, which the user made, is %v: %v", info.Mode(), err)
	}
	if says := "chmod 700 '" + data + "'"; !strings.Contains(string(v.Output()), says) {
		t.Errorf("it does not say %q:\n%s", says, v.Output())
	}
}

// TestWhatCannotBeKeptPrivateIsRefused, with a sentence that names it.
func TestWhatCannotBeKeptPrivateIsRefused(t *testing.T) {
	o := newOutsider(t)
	foreign := func(name string) func(data string) error {
		return func(data string) error {
			path := filepath.Join(data, name)
			return errors.Join(os.WriteFile(path, nil, 0o666), os.Chmod(path, 0o666))
		}
	}
	for what, c := range map[string]struct {
		make func(data string) error
		says string
	}{
		"the database is a link": {func(data string) error {
			return os.Symlink("/dev/null", filepath.Join(data, setup.DatabaseFile))
		}, "eventio.db is a symbolic link"},
		"the log is a link": {func(data string) error {
			return os.Symlink(filepath.Join(data, "none"), filepath.Join(data, setup.DatabaseFile+"-wal"))
		}, "eventio.db-wal is a symbolic link"},
		"the lock is a link": {func(data string) error {
			return os.Symlink("/etc/passwd", filepath.Join(data, "eventio.lock"))
		}, "eventio.lock is a symbolic link"},
		"the database is a pipe": {func(data string) error {
			return syscall.Mkfifo(filepath.Join(data, setup.DatabaseFile), 0o666)
		}, "eventio.db is not a file"},
		"the database is another user's": {foreign(setup.DatabaseFile), "eventio.db belongs to another user"},
		"the log is another user's":      {foreign(setup.DatabaseFile + "-wal"), "eventio.db-wal belongs to another user"},
		"the lock is another user's":     {foreign("eventio.lock"), "eventio.lock belongs to another user"},
	} {
		t.Run(what, func(t *testing.T) {
			if strings.HasSuffix(what, "user's") && os.Geteuid() != 0 {
				t.Skip("only root can make a file that belongs to another user")
			}
			data, err := os.MkdirTemp(o.folder, "data-")
			if err != nil {
				t.Fatal(err)
			}
			if os.Geteuid() == 0 {
				err = os.Chown(data, nobody, nobody)
			}
			if err = errors.Join(err, c.make(data)); err != nil {
				t.Fatal(err)
			}
			out, err := o.run("--addr", "127.0.0.1:0", "--data", data)
			if err == nil || !strings.Contains(out, "error: ") || !strings.Contains(out, c.says) {
				t.Errorf("%v, want %q, it printed\n%s", err, c.says, out)
			}
		})
	}
}

// databases are the states in which a folder with a database may be found, as functions that
// make one, in which are the event and registrations of populate.
func databases(t *testing.T) map[string]func(data string) {
	copyFrom := func(from, data string, names ...string) {
		t.Helper()
		for _, name := range names {
			content, err := os.ReadFile(filepath.Join(from, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(data, name), content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	const db = setup.DatabaseFile
	served := sqliteFixture(t)
	s := served.open(t)
	closeAtEnd(t, s)
	populate(t, s)
	closed := sqliteFixture(t)
	c := closed.open(t)
	populate(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return map[string]func(data string){
		"closed":                       func(data string) { copyFrom(closed.flags[1], data, db) },
		"left by a killed process":     func(data string) { copyFrom(served.flags[1], data, db, db+"-wal", db+"-shm") },
		"without the index of the log": func(data string) { copyFrom(served.flags[1], data, db, db+"-wal") },
	}
}

// TestReadingNeedsNoOtherRight: verify and backup work in a folder that may only be read, and
// leave it exactly as it was.
func TestReadingNeedsNoOtherRight(t *testing.T) {
	o := newOutsider(t)
	check := func(t *testing.T, data string) {
		t.Helper()
		before := fmt.Sprint(mustModes(t, data))
		out, err := o.run("verify", "--data", data)
		if err != nil || !strings.Contains(out, "verify: 1 events, 4 registrations, 2 users") || !strings.Contains(out, "clean: every promise holds") {
			t.Errorf("verify: %v, it printed\n%s", err, out)
		}
		to, err := os.MkdirTemp(o.folder, "backup-")
		if err != nil {
			t.Fatal(err)
		}
		o.give(to)
		out, err = o.run("backup", "--data", data, filepath.Join(to, setup.DatabaseFile))
		if err != nil {
			t.Errorf("backup: %v, it printed\n%s", err, out)
		}
		out, err = o.run("verify", "--data", to)
		if err != nil || !strings.Contains(out, "verify: 1 events, 4 registrations, 2 users") {
			t.Errorf("verify of the backup: %v, it printed\n%s", err, out)
		}
		if after := fmt.Sprint(mustModes(t, data)); after != before {
			t.Errorf("the folder had %v and has %v", before, after)
		}
	}
	makeReadOnly := func(t *testing.T, data string) {
		t.Helper()
		o.give(data)
		for name := range mustModes(t, data) {
			if err := os.Chmod(filepath.Join(data, name), 0o400); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(data, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(data, 0o700) })
	}
	for what, fill := range databases(t) {
		t.Run(what, func(t *testing.T) {
			data, err := os.MkdirTemp(o.folder, "data-")
			if err != nil {
				t.Fatal(err)
			}
			fill(data)
			makeReadOnly(t, data)
			check(t, data)
		})
	}
	t.Run("being served", func(t *testing.T) {
		data, err := os.MkdirTemp(o.folder, "data-")
		if err != nil {
			t.Fatal(err)
		}
		databases(t)["closed"](data)
		p := startProgram(t, data)
		makeReadOnly(t, data)
		check(t, data)
		select {
		case <-p.Ended():
			t.Error("the process has ended")
		default:
		}
	})
}

func mustModes(t *testing.T, folder string) map[string]fs.FileMode {
	t.Helper()
	all, err := modes(folder)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
