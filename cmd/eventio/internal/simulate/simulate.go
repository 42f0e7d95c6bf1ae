// Package simulate is the command eventio simulate, the concurrency proof: it lets a crowd
// loose on one event over HTTP and then compares what everybody was told with what is stored.
package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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

// Command has the flags of eventio simulate.
type Command struct {
	setup.Keys
	URL        string `placeholder:"URL" help:"A running Event.io, like http://127.0.0.1:3000. By default one is started for the occasion."`
	Attempts   int    `default:"50" help:"Users who want a place, each in a goroutine of its own."`
	Capacity   int64  `default:"1" help:"Places."`
	Duplicates int    `default:"1" help:"How often each user tries, all at once."`
	Cancels    int    `default:"0" help:"Gives the event a waiting list, and lets that many of those who got a place leave again, all at once."`
}

// Run runs the simulation and prints what came of it. It fails when what people were told and
// what is stored disagree.
func (c Command) Run(ctx context.Context, env process.Env, log zerolog.Logger) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.URL == "" {
		return c.runEmbedded(ctx, env, log.Level(zerolog.WarnLevel))
	}
	return c.runAt(ctx, strings.TrimRight(c.URL, "/"), env.Stdout)
}

// check fails with process.ErrUsage when a flag has a wrong value.
func (c Command) check() error {
	if c.Cancels < 0 {
		return process.Usage("--cancels must be at least 0, and is %d", c.Cancels)
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return process.Usage("--url: %s is not an address like http://127.0.0.1:3000", process.Quote(c.URL))
	}
	return cmp.Or(process.Positive("--attempts", c.Attempts), process.Positive("--capacity", c.Capacity),
		process.Positive("--duplicates", c.Duplicates))
}

// runEmbedded starts an Event.io with a data folder of its own, and runs the simulation there.
func (c Command) runEmbedded(ctx context.Context, env process.Env, log zerolog.Logger) (err error) {
	dir, err := os.MkdirTemp("", "eventio-simulate-")
	if err != nil {
		return &process.Failure{Sentence: fmt.Sprintf("no folder can be made in %s (%s): set TMPDIR to a folder for temporary files",
			os.TempDir(), cmp.Or(process.Reason(err), "the system refuses it")), Cause: err}
	}
	defer os.RemoveAll(dir)
	embedded, err := setup.OpenEmbedded(ctx, setup.EmbeddedConfig{Data: dir}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, embedded.Close()) }()
	handler, err := embedded.NewAPI(ctx, api.Config{Access: gate.Config{Mode: gate.Trusted}}, setup.Identity{})
	if err != nil {
		return err
	}
	listener, err := process.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- process.Server{Listener: listener, Handler: handler, Log: log}.Serve(serving) }()
	c.AuthKeys = "" // its own process trusts it
	err = c.runAt(ctx, "http://"+listener.Addr().String(), env.Stdout)
	stop()
	return errors.Join(err, <-served)
}

// runAt runs the simulation at the Event.io with that URL.
func (c Command) runAt(ctx context.Context, url string, out io.Writer) error {
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

func (s simulation) createEvent(ctx context.Context, c Command) (store.ID, error) {
	start := time.Now().UTC().Add(24 * time.Hour).Truncate(time.Second)
	e, err := s.as(s.organizer).CreateEvent(ctx, client.NewEvent{
		OrganizerID: s.organizer, Title: "Simulation", Description: "Made by eventio simulate",
		Capacity: c.Capacity, Waitlist: c.Cancels > 0, StartsAt: start, EndsAt: start.Add(2 * time.Hour),
	})
	return e.ID, s.explain(err)
}

// explain returns the error of a request of the organizer as a Failure that says what to do.
func (s simulation) explain(err error) error {
	if err == nil {
		return nil
	}
	var p *client.Problem
	var sentence string
	switch url := s.nobody.URL(); {
	case errors.Is(err, client.CodeUnauthenticated):
		sentence = fmt.Sprintf("the Event.io at %s wants tokens: give its keys with --auth-keys, or in EVENTIO_AUTH_KEYS", url)
	case errors.As(err, &p):
		sentence = fmt.Sprintf("%s answers %s", url, p)
	default:
		sentence = fmt.Sprintf("Event.io cannot be reached at %s (%s): start it there, or correct --url", url,
			cmp.Or(process.Reason(err), "no answer that can be read"))
	}
	return &process.Failure{Sentence: sentence, Cause: err}
}

// burst sends every try at once and returns how each ended.
func (s simulation) burst(ctx context.Context, event store.ID, c Command) []try {
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
			return nil, s.explain(err)
		}
		users = append(users, user)
	}
	return users, nil
}

// verify lists what does not agree.
func (s simulation) verify(ctx context.Context, event store.ID, tries []try) ([]string, error) {
	e, err := s.as(s.organizer).Event(ctx, event)
	if err != nil {
		return nil, s.explain(err)
	}
	roster, err := s.users(ctx, event, client.StatusConfirmed)
	if err != nil {
		return nil, err
	}
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	told, unknown, users := make(map[store.ID]int), make(map[store.ID]bool), make(map[store.ID]bool)
	refused := 0
	for _, t := range tries {
		users[t.user] = true
		switch t.status {
		case http.StatusCreated:
			told[t.user]++
		case 0, http.StatusGatewayTimeout:
			unknown[t.user] = true
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
		if told[user] == 0 && !unknown[user] {
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
	if want := min(e.Capacity, int64(len(users))); refused == 0 && len(unknown) == 0 && int64(len(told)) != want {
		add("%d users were told 201, want %d", len(told), want)
	}
	return wrong, nil
}
