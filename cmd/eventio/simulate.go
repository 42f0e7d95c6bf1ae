package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

type simulateConfig struct {
	setup.Keys
	URL        string `placeholder:"URL" help:"A running Event.io, like http://127.0.0.1:3000. By default one is started for the occasion."`
	Attempts   int    `default:"50" help:"Users who want a place, each in a goroutine of its own."`
	Capacity   int64  `default:"1" help:"Places."`
	Duplicates int    `default:"1" help:"How often each user tries, all at once."`
	Cancels    int    `default:"0" help:"Gives the event a waiting list, and lets that many of those who got a place leave again, all at once."`
}

// simulate is the concurrency proof: it lets a crowd loose on one event over HTTP and then
// compares what everybody was told with what is stored.
func simulate(ctx context.Context, c simulateConfig, env process.Env, log zerolog.Logger) (err error) {
	if c.Attempts < 1 || c.Capacity < 1 || c.Duplicates < 1 || c.Cancels < 0 {
		return errors.New("--attempts, --capacity and --duplicates must be at least 1, --cancels at least 0")
	}
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return &process.Failure{Sentence: fmt.Sprintf("--url: %q is not an address like http://127.0.0.1:3000", c.URL), Cause: err}
		}
		err := simulateAt(ctx, strings.TrimRight(c.URL, "/"), c, env.Stdout)
		if reason := process.Reason(err); reason != "" {
			return &process.Failure{Sentence: fmt.Sprintf("Event.io cannot be reached at %s (%s): start it there, or correct --url", c.URL, reason), Cause: err}
		}
		return err
	}
	dir, err := os.MkdirTemp("", "eventio-simulate-")
	if err != nil {
		return fmt.Errorf("make a folder for the simulation: %w", err)
	}
	defer os.RemoveAll(dir)
	embedded, err := setup.OpenEmbedded(ctx, setup.EmbeddedConfig{Data: dir}, log.Level(zerolog.WarnLevel))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, embedded.Close()) }()
	handler, err := embedded.NewAPI(ctx, api.Config{Access: gate.Config{Mode: gate.Trusted}}, setup.Identity{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		served <- process.Server{Listener: listener, Handler: handler, Log: log.Level(zerolog.WarnLevel)}.Serve(serving)
	}()
	c.AuthKeys = "" // its own process trusts it
	err = simulateAt(ctx, "http://"+listener.Addr().String(), c, env.Stdout)
	stop()
	return errors.Join(err, <-served)
}

func simulateAt(ctx context.Context, url string, c simulateConfig, out io.Writer) error {
	transport := &http.Transport{MaxConnsPerHost: 500, MaxIdleConnsPerHost: 500}
	defer transport.CloseIdleConnections()
	// What is refused or lost counts as it is, so nothing is sent again.
	nobody, err := client.New(url, client.Config{
		HTTP: &http.Client{Transport: transport}, Retry: client.Retry{Attempts: 1, Timeout: 30 * time.Second},
	})
	if err != nil {
		return err
	}
	sim := simulation{nobody: nobody, organizer: store.NewID()}
	if sim.keys, err = c.Parse(); err != nil {
		return err
	}
	event, err := sim.createEvent(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Event %s at %s: %d places, %d users, %d tries each\n", event.Hex(), url, c.Capacity, c.Attempts, c.Duplicates)
	started := time.Now()
	tries := sim.burst(ctx, event, c)
	fmt.Fprintf(out, "Burst took %v\n", time.Since(started).Round(time.Millisecond))
	report(out, tries)
	wrong, err := sim.verify(ctx, event, tries)
	if err != nil {
		return err
	}
	if c.Cancels > 0 {
		more, err := sim.leave(ctx, event, tries, c)
		if err != nil {
			return err
		}
		wrong = append(wrong, more...)
		fmt.Fprintf(out, "Then %d left, and those first in line got their places\n", min(c.Cancels, count(tries, http.StatusCreated)))
	}
	if len(wrong) == 0 {
		fmt.Fprintln(out, "What everybody was told, the roster and tickets_sold agree")
	}
	for _, w := range wrong {
		fmt.Fprintln(out, "WRONG:", w)
	}
	fmt.Fprintf(out, "Total Attempts: %d\n", len(tries))
	fmt.Fprintf(out, "Successful Registrations: %d\n", count(tries, http.StatusCreated))
	if len(wrong) > 0 {
		return fmt.Errorf("the simulation found %d disagreements", len(wrong))
	}
	return nil
}

// try is one request for a seat and the status of its answer, 0 when none came.
type try struct {
	user   store.ID
	status int
}

func count(tries []try, status int) int {
	n := 0
	for _, t := range tries {
		if t.status == status {
			n++
		}
	}
	return n
}

func report(out io.Writer, tries []try) {
	statuses := make(map[int]int)
	for _, t := range tries {
		statuses[t.status]++
	}
	for _, row := range []struct {
		status int
		what   string
	}{
		{http.StatusCreated, "registered"},
		{http.StatusAccepted, "waiting"},
		{http.StatusBadRequest, "already registered"},
		{http.StatusConflict, "sold out"},
	} {
		fmt.Fprintf(out, "  %3d %-20s %d\n", row.status, row.what, statuses[row.status])
		delete(statuses, row.status)
	}
	for status, n := range statuses {
		what := http.StatusText(status)
		if status == 0 {
			what = "no answer"
		}
		fmt.Fprintf(out, "  %3d %-20s %d\n", status, what, n)
	}
}

// simulation speaks to one Event.io.
type simulation struct {
	nobody    *client.Client
	organizer store.ID
	keys      identity.Keys // empty: ids in bodies are believed there
}

// as is the client of a user.
func (s simulation) as(user store.ID) *client.Client {
	if s.keys.Empty() {
		return s.nobody
	}
	return s.nobody.WithToken(func(context.Context) (string, error) {
		token, _, err := s.keys.Mint(identity.Person{ID: user}, time.Now(), identity.DefaultLifetime)
		return token, err
	})
}

func (s simulation) createEvent(ctx context.Context, c simulateConfig) (store.ID, error) {
	start := time.Now().UTC().Add(24 * time.Hour).Truncate(time.Second)
	e, err := s.as(s.organizer).CreateEvent(ctx, client.NewEvent{
		OrganizerID: s.organizer, Title: "Simulation", Description: "Made by eventio simulate",
		Capacity: c.Capacity, Waitlist: c.Cancels > 0, StartsAt: start, EndsAt: start.Add(2 * time.Hour),
	})
	return e.ID, explained(err)
}

// explained says what is probably wrong when a request of the organizer fails.
func explained(err error) error {
	var p *client.Problem
	switch {
	case errors.Is(err, client.CodeUnauthenticated):
		return fmt.Errorf("it wants tokens; give its keys in EVENTIO_AUTH_KEYS: %w", err)
	case err != nil && !errors.As(err, &p):
		return fmt.Errorf("is Event.io running there? %w", err)
	}
	return err
}

// burst sends every try at once and returns how each ended.
func (s simulation) burst(ctx context.Context, event store.ID, c simulateConfig) []try {
	tries := make([]try, c.Attempts*c.Duplicates)
	open := make(chan struct{})
	var wg sync.WaitGroup
	for u := range c.Attempts {
		user := store.NewID()
		for d := range c.Duplicates {
			t := &tries[u*c.Duplicates+d]
			t.user = user
			wg.Go(func() {
				<-open
				t.status = s.register(ctx, event, user)
			})
		}
	}
	close(open)
	wg.Wait()
	return tries
}

func (s simulation) register(ctx context.Context, event, user store.ID) int {
	r, err := s.as(user).Register(ctx, event, user)
	if err == nil && r.Status == client.StatusWaitlisted {
		return http.StatusAccepted
	}
	return statusOf(err, http.StatusCreated)
}

// statusOf is the status of an answer: success without an error, 0 when none came.
func statusOf(err error, success int) int {
	var p *client.Problem
	switch {
	case err == nil:
		return success
	case errors.As(err, &p):
		return p.Status
	}
	return 0
}

// users reads who is registered, or waits.
func (s simulation) users(ctx context.Context, event store.ID, status client.Status) (users []store.ID, err error) {
	for user, err := range s.as(s.organizer).Roster(ctx, event, status) {
		if err != nil {
			return nil, explained(err)
		}
		users = append(users, user)
	}
	return users, nil
}

// verify lists what does not agree.
func (s simulation) verify(ctx context.Context, event store.ID, tries []try) ([]string, error) {
	e, err := s.as(s.organizer).Event(ctx, event)
	if err != nil {
		return nil, explained(err)
	}
	roster, err := s.users(ctx, event, client.StatusConfirmed)
	if err != nil {
		return nil, err
	}
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	told, doubt, users := make(map[store.ID]int), make(map[store.ID]bool), make(map[store.ID]bool)
	refused := 0
	for _, t := range tries {
		users[t.user] = true
		switch t.status {
		case http.StatusCreated:
			told[t.user]++
		case 0, http.StatusGatewayTimeout:
			doubt[t.user] = true
		case http.StatusBadRequest, http.StatusConflict, http.StatusAccepted:
		default:
			refused++
		}
	}
	seen := make(map[store.ID]bool)
	for _, user := range roster {
		if seen[user] {
			add("user %s is on the roster twice", user.Hex())
		}
		seen[user] = true
		if told[user] == 0 && !doubt[user] {
			add("user %s is on the roster and was never told 201", user.Hex())
		}
	}
	for user, n := range told {
		if n > 1 {
			add("user %s was told 201 %d times", user.Hex(), n)
		}
		if !seen[user] {
			add("user %s was told 201 and is not on the roster", user.Hex())
		}
	}
	if e.TicketsSold != int64(len(roster)) {
		add("tickets_sold is %d and the roster has %d", e.TicketsSold, len(roster))
	}
	if e.TicketsSold > e.Capacity {
		add("tickets_sold is %d, above the capacity of %d", e.TicketsSold, e.Capacity)
	}
	if want := min(e.Capacity, int64(len(users))); refused == 0 && len(doubt) == 0 && int64(len(told)) != want {
		add("%d users were told 201, want %d", len(told), want)
	}
	return wrong, nil
}
