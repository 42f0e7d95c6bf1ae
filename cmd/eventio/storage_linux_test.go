package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// request is one of a client; change says that it writes.
type request struct {
	method, path, body string
	headers            []string
	change             bool
}

// visit is a service with something in it, and what clients ask of it.
type visit struct {
	*program
	requests map[string]request
}

const (
	visitorPassword = "correct horse battery"
	visitorEvent    = `{"organizer_id":%q,"title":"Concert","description":"","capacity":50,"starts_at":"2030-01-01T10:00:00Z","ends_at":"2030-01-01T12:00:00Z"}`
)

func newID() string { return store.NewID().Hex() }

func visitor(email string) string {
	return fmt.Sprintf(`{"name":"Ada","email":%q,"password":%q}`, email, visitorPassword)
}

func newVisit(t *testing.T, p *program) *visit {
	t.Helper()
	created := func(path, body string) (id, tag string) {
		t.Helper()
		r := p.ask(t, "POST", path, body)
		if r.status != 201 {
			t.Fatalf("POST %s: %v", path, r)
		}
		id, _ = r.body["id"].(string)
		return id, r.header.Get("ETag")
	}
	user, _ := created("/api/users", visitor("ada@example.org"))
	event, tag := created("/api/events", fmt.Sprintf(visitorEvent, user))
	cancelled, _ := created("/api/events", fmt.Sprintf(visitorEvent, user))
	path, holder := "/api/events/"+event, newID()
	created(path+"/registrations", fmt.Sprintf(`{"user_id":%q}`, holder))
	return &visit{p, map[string]request{
		"sign up":                  {"POST", "/api/users", visitor("bob@example.org"), nil, true},
		"sign up under a key":      {"POST", "/api/users", visitor("eve@example.org"), []string{"Idempotency-Key", "u1"}, true},
		"create":                   {"POST", "/api/events", fmt.Sprintf(visitorEvent, user), nil, true},
		"create under a key":       {"POST", "/api/events", fmt.Sprintf(visitorEvent, user), []string{"Idempotency-Key", "e1"}, true},
		"register":                 {"POST", path + "/registrations", fmt.Sprintf(`{"user_id":%q}`, newID()), nil, true},
		"register under a key":     {"POST", path + "/registrations", fmt.Sprintf(`{"user_id":%q}`, newID()), []string{"Idempotency-Key", "r1"}, true},
		"register by PUT":          {"PUT", path + "/registrations/" + newID(), "", nil, true},
		"give back":                {"DELETE", path + "/registrations/" + holder, "", nil, true},
		"edit":                     {"PATCH", path, `{"title":"Recital"}`, []string{"If-Match", tag}, true},
		"cancel":                   {"POST", "/api/events/" + cancelled + "/cancel", "", nil, true},
		"a new password":           {"POST", "/api/users/" + user + "/password", fmt.Sprintf(`{"old_password":%q,"new_password":"another horse battery"}`, visitorPassword), nil, true},
		"ready":                    {"GET", "/readyz", "", nil, true},
		"live":                     {"GET", "/livez", "", nil, false},
		"log in":                   {"POST", "/api/login", fmt.Sprintf(`{"email":"ada@example.org","password":%q}`, visitorPassword), nil, false},
		"events":                   {"GET", "/api/events", "", nil, false},
		"an event":                 {"GET", path, "", nil, false},
		"a roster":                 {"GET", path + "/registrations", "", nil, false},
		"a registration":           {"GET", path + "/registrations/" + holder, "", nil, false},
		"what somebody registered": {"GET", "/api/users/" + holder + "/registrations", "", nil, false},
	}}
}

func (v *visit) send(t *testing.T, r request) reply {
	t.Helper()
	return v.ask(t, r.method, r.path, r.body, r.headers...)
}

// noRoom has every request made while nothing can be stored, and changes again when room was made.
func (v *visit) noRoom(t *testing.T, makeRoom func()) {
	t.Helper()
	// The log has room for what the start of the process has written, and begins anew: most of that is used up
	// here, and the rest by the probe, a page at a time, so that not even the smallest change finds room.
	for range 8 {
		if r := v.send(t, v.requests["create"]); r.status != 201 {
			t.Fatalf("while there is room: %v", r)
		}
	}
	// What a probe has found counts for about a second.
	testenv.Eventually(t, programLimit, "be unready", func() error {
		if r := v.send(t, v.requests["ready"]); r.status != 503 {
			return fmt.Errorf("ready: %v", r)
		}
		return nil
	})
	for range 2 {
		for what, r := range v.requests {
			got := v.send(t, r)
			switch {
			case r.change && (got.status != 503 || got.body["code"] != "storage_full" || got.header.Get("Retry-After") == ""):
				t.Errorf("%s: %v %v, want 503 storage_full", what, got, got.header)
			case !r.change && got.status != 200:
				t.Errorf("%s: %v, want 200", what, got)
			}
		}
	}
	makeRoom()
	testenv.Eventually(t, programLimit, "recovery", func() error {
		if r := v.send(t, v.requests["ready"]); r.status != 200 {
			return fmt.Errorf("not ready: %v", r)
		}
		return nil
	})
	for what, r := range v.requests {
		if !r.change {
			continue
		}
		var got reply
		testenv.Eventually(t, programLimit, what, func() error {
			if got = v.send(t, r); got.status == 409 && got.body["code"] == "request_in_progress" {
				return errors.New("the lease of its key has not ended")
			}
			return nil
		})
		if got.status < 200 || got.status > 299 {
			t.Errorf("%s, when there is room again: %v", what, got)
		}
	}
	if r := v.send(t, v.requests["an event"]); r.body["tickets_sold"] != 3.0 {
		t.Errorf("tickets_sold is %v, want the three who were told 201: nobody else's request was stored", r.body["tickets_sold"])
	}
	select {
	case <-v.Ended():
		t.Error("the process has ended")
	default:
	}
}

// limitFiles sets the largest size of a file that a process may write, in bytes.
func limitFiles(t *testing.T, pid int, bytes uint64) {
	t.Helper()
	limit := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}

func TestAFileSizeLimit(t *testing.T) {
	data := t.TempDir()
	v := newVisit(t, startProgram(t, data))
	log, err := os.Stat(filepath.Join(data, setup.DatabaseFile+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	limitFiles(t, v.Pid, uint64(log.Size()))
	v.noRoom(t, func() { limitFiles(t, v.Pid, unix.RLIM_INFINITY) })
}

// TestAFullDisk: a file system of 8 MB, which only the program and its children see, is full;
// the log of the program is on it too.
func TestAFullDisk(t *testing.T) {
	data := t.TempDir()
	inside := []string{"unshare", "--map-root-user", "--mount"}
	mount := `mount -t tmpfs -o size=8m tmpfs "$0"`
	if out, err := exec.Command(inside[0], append(inside[1:], "sh", "-c", mount, data)...).CombinedOutput(); err != nil {
		t.Skipf("this machine lets nobody mount a file system: %v %s", err, out) // TestAFileSizeLimit goes the same way
	}
	p := startProgram(t, data, append(inside, "sh", "-c", mount+` && exec "$@" 2>>"$0/log"`, data)...)
	v := newVisit(t, p)
	fill := filepath.Join("/proc", fmt.Sprint(p.Pid), "root", data, "fill")
	file, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; _, err = file.Write(make([]byte, size)) {
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	v.noRoom(t, func() {
		if err := os.Remove(fill); err != nil {
			t.Fatal(err)
		}
		_ = file.Truncate(0)
	})
}

func TestALostDatabaseEndsTheProcess(t *testing.T) {
	for what, lose := range map[string]func(data string) error{
		"the folder is moved": func(data string) error { return os.Rename(data, data+"-moved") },
		"the log is removed":  func(data string) error { return os.Remove(filepath.Join(data, setup.DatabaseFile+"-wal")) },
	} {
		t.Run(what, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			v := newVisit(t, startProgram(t, data))
			if err := lose(data); err != nil {
				t.Fatal(err)
			}
			// It may have ended by now, so that nobody answers.
			r := v.requests["register"]
			req, err := http.NewRequest(r.method, v.url+r.path, strings.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if res, err := http.DefaultClient.Do(req); err == nil {
				res.Body.Close()
				if res.StatusCode != 503 {
					t.Errorf("a registration is answered %s", res.Status)
				}
			}
			testenv.Eventually(t, programLimit, "the end of the process", func() error {
				select {
				case <-v.Ended():
					return nil
				default:
					return errors.New("it runs")
				}
			})
			if code := v.ExitCode(); code != 1 {
				t.Errorf("exit %d, want 1", code)
			}
			if !v.Says("error: a file of the database was moved, removed or replaced") {
				t.Errorf("it does not say why it ended:\n%s", v.Output())
			}
		})
	}
}
