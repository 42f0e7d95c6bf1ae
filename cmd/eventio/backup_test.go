package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
)

// crowd registers made-up users for an event as fast as it can, and knows who was told 201 when.
type crowd struct {
	mu       sync.Mutex // guards all below
	admitted []string
	slowest  time.Duration
}

func (c *crowd) told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.admitted)
}

// register goes on until ctx ends.
func (c *crowd) register(t *testing.T, ctx context.Context, p *program, event string) {
	for ctx.Err() == nil {
		user := newID()
		started := time.Now()
		got := p.ask(t, "POST", "/api/events/"+event+"/registrations", fmt.Sprintf(`{"user_id":%q}`, user))
		if got.status != 201 {
			t.Errorf("a registration beside a backup: %v", got)
			return
		}
		c.mu.Lock()
		c.admitted = append(c.admitted, user)
		c.slowest = max(c.slowest, time.Since(started))
		c.mu.Unlock()
	}
}

// TestBackupAndRestore goes the way that docs/operations.md describes.
func TestBackupAndRestore(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := startProgram(t, data)
	user := p.ask(t, "POST", "/api/users", visitor("ada@example.org")).body["id"].(string)
	made := p.ask(t, "POST", "/api/events", strings.Replace(fmt.Sprintf(visitorEvent, user), `"capacity":50`, `"capacity":1000000`, 1))
	event := made.body["id"].(string)
	token, err := tool(t, "token", "--user", user, "--data", data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var c crowd
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { c.register(t, ctx, p, event) })
	}
	defer all.Wait()
	defer stop()
	testenv.Eventually(t, programLimit, "registrations", func() error {
		if n := len(c.told()); n < 100 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	for range 3 {
		before := c.told()
		restored := t.TempDir()
		file := filepath.Join(t.TempDir(), "backup.db")
		out, err := tool(t, "backup", "--data", data, file)
		if err != nil || !strings.Contains(out, "backup: "+file+" holds the database as of ") {
			t.Fatalf("%v, it printed\n%s", err, out)
		}
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(restored, setup.DatabaseFile), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err = tool(t, "verify", "--data", restored)
		wantClean(t, out, err)

		t.Setenv("EVENTIO_AUTH", "token")
		again := startProgram(t, restored)
		have := func(path string) reply {
			return again.ask(t, "GET", path, "", "Authorization", "Bearer "+strings.TrimSpace(token))
		}
		if got := have("/api/users/" + user + "/registrations"); got.status != 200 {
			t.Errorf("a token from before the backup: %v", got)
		}
		if got := have("/api/events/" + event); got.status != 200 || got.body["tickets_sold"].(float64) < float64(len(before)) {
			t.Errorf("%d were told 201 before, the event is %v", len(before), got)
		}
		for _, user := range before {
			if got := have("/api/events/" + event + "/registrations/" + user); got.status != 200 {
				t.Errorf("user %s was told 201 before the backup began: %v", user, got)
			}
		}
		if strings.Contains(string(again.Output()), `"level":"error"`) {
			t.Errorf("the restored folder: %s", again.Output())
		}
	}
	stop()
	all.Wait()
	t.Logf("the slowest of %d registrations took %v", len(c.admitted), c.slowest)
}

func TestBackupOfAFolderThatNobodyServes(t *testing.T) {
	f := sqliteFixture(t)
	s := f.open(t)
	populate(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	restored := t.TempDir()
	file := filepath.Join(restored, setup.DatabaseFile)
	if out, err := tool(t, "backup", "--data", f.flags[1], file); err != nil {
		t.Fatalf("%v, it printed\n%s", err, out)
	}
	out, err := tool(t, "verify", "--data", restored)
	wantClean(t, out, err)
	if !strings.Contains(out, "verify: 1 events, 4 registrations, 2 users read") {
		t.Errorf("it printed\n%s", out)
	}
	entries, err := os.ReadDir(f.flags[1])
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the original are %v, %v", entries, err)
	}
}

// TestVerifyTellsOfACopyWithoutItsLog, which it used to call clean.
func TestVerifyTellsOfACopyWithoutItsLog(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	v := newVisit(t, startProgram(t, data))
	copied := t.TempDir()
	copyAlone := func() {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(data, setup.DatabaseFile))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, setup.DatabaseFile), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	copyAlone()
	for range 2 {
		out, err := tool(t, "verify", "--data", copied)
		wantNotClean(t, out, err, "its log "+filepath.Join(copied, setup.DatabaseFile)+"-wal is missing", "eventio backup")
	}
	again := startProgram(t, copied)
	if !strings.Contains(string(again.Output()), "copied without its log") {
		t.Errorf("a start with it says nothing:\n%s", again.Output())
	}
	if err := again.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := v.Stop(); err != nil { // now the file is whole
		t.Fatal(err)
	}
	copyAlone()
	out, err := tool(t, "verify", "--data", copied)
	wantClean(t, out, err)
}

func TestBackupRefusesWhatIsUnclear(t *testing.T) {
	f := sqliteFixture(t)
	if err := f.open(t).Close(); err != nil {
		t.Fatal(err)
	}
	data, free := f.flags[1], t.TempDir()
	there := filepath.Join(free, "there.db")
	if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, setup.DatabaseFile), []byte("no database at all, but long enough to be taken for one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no file":                    {[]string{"--data", data}, "<file>"},
		"two files":                  {[]string{"--data", data, filepath.Join(free, "a"), filepath.Join(free, "b")}, "unexpected argument"},
		"a file that exists":         {[]string{"--data", data, there}, there + " exists"},
		"the database itself":        {[]string{"--data", data, filepath.Join(data, setup.DatabaseFile)}, "uses itself"},
		"the log of the database":    {[]string{"--data", data, filepath.Join(data, setup.DatabaseFile+"-wal")}, "uses itself"},
		"a folder that is not there": {[]string{"--data", data, filepath.Join(free, "none", "a")}, "it does not exist"},
		"a folder that is a file":    {[]string{"--data", data, filepath.Join(there, "a")}, "it is a file, not a folder"},
		"no database":                {[]string{"--data", t.TempDir(), filepath.Join(free, "a")}, "there is no database in the folder"},
		"not a database":             {[]string{"--data", foreign, filepath.Join(free, "a")}, "not a database of Event.io"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := tool(t, append([]string{"backup"}, c.args...)...)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v, it printed\n%s", err, out)
			}
		})
	}
	entries, err := os.ReadDir(free)
	if err != nil || !slices.EqualFunc(entries, []string{"there.db"}, func(e fs.DirEntry, name string) bool { return e.Name() == name }) {
		t.Errorf("left are %v, %v", entries, err)
	}
	if out, err := tool(t, "backup", "--help"); err == nil || !strings.Contains(out, "It must not exist") {
		t.Errorf("%v, help is\n%s", err, out)
	}
}
