package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// root is where the module is.
const root = ".."

// versionBefore returns the commit of the version before this one, which CHANGELOG.md names.
func versionBefore(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("The version before is commit `([0-9a-f]{40})`").FindSubmatch(text)
	if named == nil {
		t.Fatal("CHANGELOG.md does not name the commit of the version before")
	}
	return string(named[1])
}

// buildBefore returns the folder with api and worker of the version before, built from the
// project's own history. The folder is kept: it never changes.
func buildBefore(t *testing.T) string {
	t.Helper()
	commit := versionBefore(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(cache, "eventio", "before-"+commit)
	if _, err := os.Stat(built); err == nil {
		return built
	}
	if err := os.MkdirAll(filepath.Dir(built), 0o700); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(built), "tmp.")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(work) })
	whole, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{
		// A clone that another user owns is refused otherwise; a shallow one has no such commit.
		`git -C "$ROOT" -c safe.directory="$ROOT" archive "$COMMIT" -o "$WORK/source.tar"`,
		`mkdir "$WORK/source" "$WORK/built" && tar -xf "$WORK/source.tar" -C "$WORK/source"`,
		`cd "$WORK/source" && go build -buildvcs=false -o "$WORK/built/" ./cmd/api ./cmd/worker`,
	} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Env = append(os.Environ(), "ROOT="+whole, "WORK="+work, "COMMIT="+commit)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build the version before (this needs the whole history, not a shallow clone): %v\n%s", err, out)
		}
	}
	// Another run may have been faster, and its programs are the same.
	if err := os.Rename(filepath.Join(work, "built"), built); err != nil && !errors.Is(err, os.ErrExist) {
		if _, found := os.Stat(built); found != nil {
			t.Fatal(err)
		}
	}
	return built
}

// startFrom starts a program of a folder and waits until its log says where it listens.
func (c *cluster) startFrom(t *testing.T, folder, program string) *process {
	t.Helper()
	cmd := exec.Command(filepath.Join(folder, program))
	cmd.Env = c.env
	p := testenv.RunProgram(t, cmd)
	return &process{p, p.Addr(t)}
}

// TestNeighbouringVersions: the database is made by the version before; then workers and API are
// replaced, in either order, while people come and go. No request fails, and each pair of versions
// does all that people do.
func TestNeighbouringVersions(t *testing.T) {
	before := buildBefore(t)
	for order, next := range map[string][2]string{
		"workers_first": {"worker", "api"},
		"apis_first":    {"api", "worker"},
	} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			running := map[string]*process{"worker": c.startFrom(t, before, "worker"), "api": c.startFrom(t, before, "api")}
			var people atomic.Pointer[client.Client]
			people.Store(newClient(t, running["api"].addr))
			doesAll(t, people.Load(), "both of the version before")

			stop := keepComing(t, &people)
			for i, program := range next {
				// The newest worker brings the schema to its version while the old ones run.
				p := c.start(t, program)
				if program == "api" {
					people.Store(newClient(t, p.addr))
				}
				succeeds(t, running[program].terminate())
				running[program] = p
				doesAll(t, people.Load(), fmt.Sprintf("%d of 2 replaced", i+1))
			}
			stop()
		})
	}
}

// keepComing lets people register and leave, one after the other, until stop is called. None of
// their requests may fail, also while a process is replaced: those of an API process that stops are
// answered by it.
func keepComing(t *testing.T, people *atomic.Pointer[client.Client]) (stop func()) {
	t.Helper()
	e := createEvent(t, people.Load(), 1000000)
	ctx, cancel := context.WithCancel(t.Context())
	var coming sync.WaitGroup
	var served atomic.Int64
	for range 4 {
		coming.Go(func() {
			for ctx.Err() == nil {
				user := store.NewID()
				_, err := people.Load().Register(t.Context(), e.ID, user)
				if err == nil {
					err = people.Load().CancelRegistration(t.Context(), e.ID, user)
				}
				if err != nil {
					t.Errorf("somebody who came meanwhile: %v", err)
					return
				}
				served.Add(1)
			}
		})
	}
	return sync.OnceFunc(func() {
		cancel()
		coming.Wait()
		if served.Load() < 20 {
			t.Errorf("only %d came and went meanwhile, so nothing is shown", served.Load())
		}
		if users := roster(t, people.Load(), e, ""); len(users) > 0 {
			t.Errorf("%d still hold seats of those who left", len(users))
		}
	})
}

// doesAll has people do everything that workers answer, and wants the right answers.
func doesAll(t *testing.T, c *client.Client, pair string) {
	t.Helper()
	e := newEvent(1)
	e.Waitlist = true
	event, err := c.CreateEvent(t.Context(), e)
	succeeds(t, err)
	first, second, key := store.NewID(), store.NewID(), client.Key("once-"+event.ID.Hex())
	want := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %s: %v, want %v", pair, what, err, want)
		}
	}
	r, err := c.Register(t.Context(), event.ID, first, key)
	want("a registration", err, nil)
	again, err := c.Register(t.Context(), event.ID, first, key)
	want("the same under its key", err, nil)
	if again.Number != r.Number {
		t.Errorf("%s: a repeated key made another registration", pair)
	}
	_, err = c.Register(t.Context(), event.ID, first)
	want("a second registration of one person", err, client.CodeAlreadyRegistered)
	waiting, err := c.Register(t.Context(), event.ID, second)
	want("a place on the waiting list", err, nil)
	if waiting.Status != client.StatusWaitlisted {
		t.Errorf("%s: who comes second is %s", pair, waiting.Status)
	}
	want("leaving", c.CancelRegistration(t.Context(), event.ID, first), nil)
	moved, err := c.Registration(t.Context(), event.ID, second)
	want("reading", err, nil)
	if moved.Status != client.StatusConfirmed {
		t.Errorf("%s: who waited is %s", pair, moved.Status)
	}
	event, err = c.Event(t.Context(), event.ID)
	want("reading the event", err, nil)
	capacity := int64(3)
	event, err = c.EditEvent(t.Context(), event.ID, event.ETag, client.EventEdit{Capacity: &capacity})
	want("an edit", err, nil)
	if event.TicketsSold != 1 || event.Capacity != 3 {
		t.Errorf("%s: %d of %d sold", pair, event.TicketsSold, event.Capacity)
	}
	_, err = c.CancelEvent(t.Context(), event.ID)
	want("cancelling the event", err, nil)
	_, err = c.Register(t.Context(), event.ID, first)
	want("a registration afterwards", err, client.CodeEventCancelled)
	if !strings.HasPrefix(event.Title, "Opening") || event.StartsAt.Before(time.Now()) {
		t.Errorf("%s: the event is %+v", pair, event)
	}
}
