package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// printed runs a command and returns what it prints.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out, log bytes.Buffer
	if err := run(t.Context(), process.Env{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, log.String())
	}
	return out.String()
}

// TestEventsAreDeletedWhileTheyAreServed: everybody who asks meanwhile gets an answer that stays
// true, and the database keeps all its promises.
func TestEventsAreDeletedWhileTheyAreServed(t *testing.T) {
	data := t.TempDir()
	p := startProgram(t, data)
	organizer := store.NewID().Hex()
	create := func() string {
		t.Helper()
		r := p.ask(t, "POST", "/api/events", `{"organizer_id":"`+organizer+`","title":"Opening","capacity":100000,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`)
		if r.status != 201 {
			t.Fatal(r)
		}
		return r.body["id"].(string)
	}
	event, kept := create(), create()
	ctx, stop := context.WithCancel(t.Context())
	var people sync.WaitGroup
	defer people.Wait()
	defer stop()
	var mu sync.Mutex
	statuses := make(map[string]int)
	for range 4 {
		people.Go(func() {
			for ctx.Err() == nil {
				r := p.ask(t, "POST", "/api/events/"+event+"/registrations", `{"user_id":"`+store.NewID().Hex()+`"}`)
				mu.Lock()
				statuses[fmt.Sprint(r.status, " ", r.body["code"])]++
				mu.Unlock()
			}
		})
	}
	said := func(what string) {
		t.Helper()
		testenv.Eventually(t, programLimit, "answer "+what, func() error {
			mu.Lock()
			defer mu.Unlock()
			if statuses[what] == 0 {
				return fmt.Errorf("answers are %v", statuses)
			}
			return nil
		})
	}
	said("201 <nil>")
	if out := printed(t, "event", "delete", event, "--data", data); !strings.Contains(out, event) || strings.Contains(out, "deleted_at") {
		t.Errorf("without --yes it says %s", out)
	}
	if r := p.ask(t, "GET", "/api/events/"+event, ""); r.status != 200 || r.body["cancelled_at"] != nil {
		t.Errorf("without --yes the event is %v", r)
	}
	first := printed(t, "event", "delete", event, "--yes", "--data", data)
	if !strings.Contains(first, "deleted_at") || !strings.Contains(first, organizer) {
		t.Errorf("it says %s", first)
	}
	said("404 event_not_found")
	stop()
	people.Wait()
	for answer := range statuses {
		switch answer {
		case "201 <nil>", "409 event_cancelled", "404 event_not_found", "503 overloaded":
		default:
			t.Errorf("answers are %v", statuses)
		}
	}
	if statuses["503 overloaded"] >= statuses["201 <nil>"] { // some on a slow machine
		t.Errorf("most are told to come again: %v", statuses)
	}
	if again := printed(t, "event", "delete", event, "--yes", "--data", data); again != first {
		t.Errorf("repeated it says %s, and said %s", again, first)
	}
	if r := p.ask(t, "GET", "/api/events/"+kept, ""); r.status != 200 {
		t.Errorf("another event is %v", r)
	}
	printed(t, "verify", "--data", data)
	if out := printed(t, "event", "delete", "--of", organizer, "--yes", "--data", data); strings.Count(out, "\n") != 1 || !strings.Contains(out, kept) {
		t.Errorf("of the organizer it says %s", out)
	}
	if r := p.ask(t, "GET", "/api/events/"+kept, ""); r.status != 404 {
		t.Errorf("it is %v", r)
	}
	printed(t, "verify", "--data", data)
}

// TestOperatorsOfAddressesAndEvents: on a MongoDB. An address that somebody squats comes to its owner.
func TestOperatorsOfAddressesAndEvents(t *testing.T) {
	uri := testenv.MongoDB(t)
	s, err := mongostore.Open(t.Context(), uri, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, s)
	squatter, owner := storetest.NewUser("ada@example.org"), storetest.NewUser("ada@example.org")
	if err := s.CreateUser(t.Context(), squatter); err != nil {
		t.Fatal(err)
	}
	on := []string{"--mongodb-uri", uri}
	if out := printed(t, append([]string{"user", "free", "Ada@example.org"}, on...)...); !strings.Contains(out, "@freed.invalid") || !strings.Contains(out, squatter.ID.Hex()) {
		t.Errorf("freeing says %s", out)
	}
	if err := s.CreateUser(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if out := printed(t, append([]string{"user", "prove", "ada@example.org"}, on...)...); !strings.Contains(out, "email_proven_at") || !strings.Contains(out, owner.ID.Hex()) {
		t.Errorf("proving says %s", out)
	}
	var out, log bytes.Buffer
	err = run(t.Context(), process.Env{Args: append([]string{"user", "free", "ada@example.org"}, on...), Stdout: &out, Stderr: &log})
	testenv.WantSentence(t, err, "proven")
	event := storetest.NewEvent(t, s, 5)
	storetest.MustApply(t, s, storetest.NewRequests(event.ID, 3)...)
	if out := printed(t, append([]string{"event", "delete", event.ID.Hex(), "--yes"}, on...)...); !strings.Contains(out, `"registrations":3`) {
		t.Errorf("deleting says %s", out)
	}
	printed(t, append([]string{"verify"}, on...)...)
}

// TestIdleConnectionsKeepNobodyOut: 500 clients connect to a process that may open 400 files, ask once,
// and stay.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("there is no shell that lowers the limit of open files")
	}
	p := startProgram(t, t.TempDir(), "/bin/sh", "-c", `ulimit -n 400 && exec "$@"`, "sh")
	transports := make([]http.Transport, 500)
	for i := range transports {
		client := http.Client{Transport: &transports[i], Timeout: programLimit}
		defer transports[i].CloseIdleConnections()
		res, err := client.Get(p.url + "/livez")
		if err != nil {
			t.Fatalf("client %d: %v", i+1, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	began := time.Now()
	r := p.ask(t, "POST", "/api/events", `{"organizer_id":"`+store.NewID().Hex()+`","title":"Opening","capacity":5,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`)
	if took := time.Since(began); r.status != 201 || took > 5*time.Second {
		t.Errorf("the next client gets %v after %v", r, took)
	}
}

// TestWaitsAndStreamsKeepNobodyOut: 8 organizers wait for changes 30 times each, and 240 clients listen, at a
// process that may open 400 files. All that is at work as long as its client likes leaves room for the next.
func TestWaitsAndStreamsKeepNobodyOut(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("there is no shell that lowers the limit of open files")
	}
	p := startProgram(t, t.TempDir(), "/bin/sh", "-c", `ulimit -n 400 && EVENTIO_RATE_LIMITS=off exec "$@"`, "sh")
	body := func() string {
		return `{"organizer_id":"` + store.NewID().Hex() + `","title":"Opening","capacity":5,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`
	}
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	var held, refused atomic.Int64
	const organizers, each = 8, 30
	var events []string
	for range organizers {
		events = append(events, p.ask(t, "POST", "/api/events", body()).header.Get("Location"))
	}
	http.DefaultClient.CloseIdleConnections() // else that of ask is closed to make room while it asks
	for _, event := range events {
		for range each {
			for _, path := range []string{event + "/changes?after=1&wait=50s", event + "/live"} {
				clients.Go(func() {
					transport := http.Transport{DisableKeepAlives: true}
					defer transport.CloseIdleConnections()
					r, err := http.NewRequestWithContext(ctx, "GET", p.url+path, nil)
					if err != nil {
						t.Error(err)
						return
					}
					res, err := transport.RoundTrip(r)
					if err != nil {
						return
					}
					defer res.Body.Close()
					if res.StatusCode == http.StatusServiceUnavailable {
						refused.Add(1)
						return
					}
					held.Add(1)
					_, _ = io.Copy(io.Discard, res.Body)
				})
			}
		}
	}
	testenv.Eventually(t, programLimit, "be told that they are too many", func() error {
		if n := refused.Load(); n < organizers*each*5/4 { // of twice as many: half of the connections and an eighth are held
			return fmt.Errorf("%d are told so, and %d listen", n, held.Load())
		}
		return nil
	})
	began := time.Now()
	r := p.ask(t, "POST", "/api/events", body())
	if took := time.Since(began); r.status != 201 || took > 5*time.Second {
		t.Errorf("the next client gets %v after %v", r, took)
	}
}

// TestOperatorsWaitForLeases: what operators do to an event by themselves waits until no API process says from memory that it is sold
// out, as every change of it does.
func TestOperatorsWaitForLeases(t *testing.T) {
	for _, action := range []string{"close", "delete"} {
		t.Run(action, func(t *testing.T) {
			data := t.TempDir()
			st, err := sqlitestore.Open(t.Context(), filepath.Join(data, "eventio.db"))
			if err != nil {
				t.Fatal(err)
			}
			event := storetest.NewEvent(t, st, 1).ID
			asks := storetest.NewRequest(event)
			asks.Lease = 300 * time.Millisecond
			storetest.MustApply(t, st, storetest.NewRequest(event))
			if got := storetest.MustApply(t, st, asks)[0]; got.Lease != asks.Lease {
				t.Fatalf("no lease is granted: %+v", got)
			}
			begun := time.Now()
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			args := []string{"event", action, event.Hex(), "--data", data}
			if action == "delete" {
				args = append(args, "--yes")
			}
			if out := printed(t, args...); !strings.Contains(out, event.Hex()) || time.Since(begun) < asks.Lease {
				t.Errorf("after %s it says %s", time.Since(begun), out)
			}
		})
	}
}
