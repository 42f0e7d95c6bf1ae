package main

import (
	"bytes"
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

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
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
	handler, err := embedded.NewAPI(ctx, api.Config{Access: api.Access{Mode: api.Trusted}}, setup.Identity{})
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
	sim := simulation{url: url, organizer: store.NewID(), client: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxConnsPerHost: 500, MaxIdleConnsPerHost: 500},
	}}
	defer sim.client.CloseIdleConnections()
	var err error
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
	url       string
	client    *http.Client
	organizer store.ID
	keys      identity.Keys // empty: ids in bodies are believed there
}

func (s simulation) createEvent(ctx context.Context, c simulateConfig) (store.ID, error) {
	var created struct {
		ID store.ID `json:"id"`
	}
	start := time.Now().UTC().Add(24 * time.Hour).Truncate(time.Second)
	err := s.call(ctx, http.MethodPost, "/api/events", map[string]any{
		"organizer_id": s.organizer, "title": "Simulation", "description": "Made by eventio simulate",
		"capacity": c.Capacity, "waitlist": c.Cancels > 0, "starts_at": start, "ends_at": start.Add(2 * time.Hour),
	}, &created)
	return created.ID, err
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
	req, err := s.request(ctx, http.MethodPost, "/api/events/"+event.Hex()+"/registrations", map[string]any{"user_id": user})
	if err == nil {
		err = s.sign(req, user)
	}
	if err != nil {
		return 0
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return res.StatusCode
}

// verify lists what does not agree.
func (s simulation) verify(ctx context.Context, event store.ID, tries []try) ([]string, error) {
	var e struct {
		Capacity    int64 `json:"capacity"`
		TicketsSold int64 `json:"tickets_sold"`
	}
	var roster []store.ID
	path := "/api/events/" + event.Hex()
	if err := s.call(ctx, http.MethodGet, path, nil, &e); err != nil {
		return nil, err
	}
	if err := s.call(ctx, http.MethodGet, path+"/registrations", nil, &roster); err != nil {
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

// call makes a request of the organizer that must succeed, and reads its answer into the
// value at to.
func (s simulation) call(ctx context.Context, method, path string, body, to any) error {
	req, err := s.request(ctx, method, path, body)
	if err == nil {
		err = s.sign(req, s.organizer)
	}
	if err != nil {
		return err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("is Event.io running there? %w", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("%s %s: %s: it wants tokens; give its keys in EVENTIO_AUTH_KEYS", method, path, res.Status)
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, data)
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func (s simulation) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, s.url+path, nil)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// sign lets a request speak for a user, if there are keys.
func (s simulation) sign(req *http.Request, user store.ID) error {
	if s.keys.Empty() {
		return nil
	}
	token, _, err := s.keys.Mint(identity.Person{ID: user}, time.Now(), identity.DefaultLifetime)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}
