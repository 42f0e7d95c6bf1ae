package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
)

// silentServer takes connections and never says anything. taken gets a value for each.
func silentServer(t *testing.T) (addr string, taken <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 1000)
	var conns sync.Map
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, nil)
			came <- struct{}{}
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		conns.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true })
	})
	return listener.Addr().String(), came
}

// soon returns what comes from c. It fails the test when the program does not do what it should in time.
func soon[T any](t *testing.T, does string, c <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-c:
	case <-time.After(programLimit):
		t.Fatalf("it does not %s within %v", does, programLimit)
	}
	return got
}

// TestInterruptedWhileAsking: who stops a command that waits for a server is not told that the server
// is to blame, and learns before that what it waits for.
func TestInterruptedWhileAsking(t *testing.T) {
	stored := sqliteFixture(t)
	closeAtEnd(t, stored.open(t))
	for name, command := range map[string]func(addr string) []string{
		"simulate": func(a string) []string { return []string{"simulate", "--url", "http://" + a} },
		"verify":   func(a string) []string { return []string{"verify", "--mongodb-uri", slowly(a)} },
		"migrate":  func(a string) []string { return []string{"migrate", "--mongodb-uri", slowly(a)} },
		"status":   func(a string) []string { return []string{"migrate", "--status", "--mongodb-uri", slowly(a)} },
		"token":    func(a string) []string { return []string{"token", "--count", "1", "--mongodb-uri", slowly(a)} },
		"import":   func(a string) []string { return []string{"import", "--from", slowly(a), "--data", t.TempDir()} },
		"repair": func(a string) []string {
			return append([]string{"verify", "--repair", "--nats-url", "nats://" + a}, stored.flags...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, taken := silentServer(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var log system.Log
			ended := make(chan error, 1)
			go func() {
				ended <- run(ctx, process.Env{Args: command(addr), Stdout: io.Discard, Stderr: &log})
			}()
			soon(t, "connect", taken)
			testenv.Eventually(t, programLimit, "it says what it waits for", func() error {
				if text := log.String(); !strings.Contains(text, "waiting for") {
					return fmt.Errorf("the log is %q", text)
				}
				return nil
			})
			stop()
			err := soon(t, "end", ended)
			testenv.WantSentence(t, err, "interrupted")
			if text := err.Error(); strings.Contains(text, addr) || strings.Contains(text, "start it") || strings.Contains(text, "--") {
				t.Errorf("the server is blamed: %v", err)
			}
		})
	}
}

// slowly is the connection string of a server that is given time to answer.
func slowly(addr string) string {
	return "mongodb://" + addr + "/x?directConnection=true&serverSelectionTimeoutMS=20000&connectTimeoutMS=20000"
}

// events reads all events of a server.
func (p *program) events(t *testing.T) (all []struct {
	Title       string
	CancelledAt *time.Time `json:"cancelled_at"`
	TicketsSold int        `json:"tickets_sold"`
}) {
	t.Helper()
	res, err := http.Get(p.url + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSimulationsEnd: the event of a simulation takes nobody any more when it is over, also when it was
// interrupted in the middle of its burst; and then everybody who had asked was answered.
func TestSimulationsEnd(t *testing.T) {
	p := startProgram(t, t.TempDir())
	if out, err := tool(t, "simulate", "--url", p.url); err != nil || !strings.HasSuffix(out, "Total Attempts: 50\nSuccessful Registrations: 1\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, process.Env{Args: []string{"simulate", "--url", p.url, "--attempts", "20000", "--capacity", "20000"}, Stdout: &out, Stderr: io.Discard})
	}()
	testenv.Eventually(t, programLimit, "the burst is under way", func() error {
		if all := p.events(t); len(all) < 2 || all[0].TicketsSold+all[1].TicketsSold < 100 {
			return fmt.Errorf("%v", all)
		}
		return nil
	})
	stop()
	err := soon(t, "end", ended)
	testenv.WantSentence(t, err, "the simulation was interrupted")
	if text := out.String(); strings.Contains(text, "no answer") || !strings.Contains(text, "not sent") || strings.Contains(text, "WRONG") {
		t.Errorf("%s", text)
	}
	for _, e := range p.events(t) {
		if e.CancelledAt == nil {
			t.Errorf("%s goes on taking people", e.Title)
		}
	}
}

// TestStoppedInABurst: a server that is stopped while a crowd asks leaves nobody without an answer who
// has got a connection.
func TestStoppedInABurst(t *testing.T) {
	p := startProgram(t, t.TempDir())
	event := p.ask(t, http.MethodPost, "/api/events", `{"organizer_id":"6b056f1db8a8b20890367b25","title":"Opening","description":"","capacity":100000,
		"starts_at":"2099-05-01T18:00:00Z","ends_at":"2099-05-01T20:00:00Z"}`)
	path := fmt.Sprintf("%s/api/events/%s/registrations", p.url, event.body["id"])
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: programLimit}
	const people = 300
	var crowd sync.WaitGroup
	results := make(chan error, people)
	places := make(chan struct{}, 64)
	for i := range people {
		places <- struct{}{}
		if i == people/3 {
			if err := p.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
		crowd.Go(func() {
			defer func() { <-places }()
			res, err := client.Post(path, "application/json", strings.NewReader(fmt.Sprintf(`{"user_id":"%024x"}`, i+1)))
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if err == nil && res.StatusCode != http.StatusCreated {
					err = fmt.Errorf("status %d", res.StatusCode)
				}
			}
			results <- err
		})
	}
	crowd.Wait()
	close(results)
	for err := range results {
		if err != nil {
			t.Errorf("somebody in the crowd is told: %v", err)
		}
	}
	soon(t, "end", p.Ended())
	if code := p.ExitCode(); code != 0 {
		t.Errorf("exit %d", code)
	}
}
