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
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// Command has the flags of eventio simulate.
type Command struct {
	setup.Keys
	setup.Database
	URL        string `placeholder:"URL" help:"A running Event.io, like http://127.0.0.1:3000. By default one is started for the occasion. Where it wants tokens they are signed with --auth-keys, or with the key in its database: name that with --data or --mongodb-uri."`
	Attempts   int    `default:"50" help:"Users who want a place, each in a goroutine of its own."`
	Capacity   int64  `default:"1" help:"Places."`
	Duplicates int    `default:"1" help:"How often each user tries, all at once."`
	Cancels    int    `default:"0" help:"Gives the event a waiting list, and lets that many of those who got a place leave again, all at once."`
}

const (
	// maxTries bounds the requests of a simulation: each has a goroutine of its own.
	maxTries = 1_000_000
	// answerLimit bounds the wait for an answer.
	answerLimit = 30 * time.Second
	// connections is how many requests are under way at once.
	connections = 500
	// keysLimit bounds the look for the keys in a database.
	keysLimit = 10 * time.Second
	// tidyLimit bounds the cancelling of the event in the end.
	tidyLimit = 30 * time.Second
	// lateAnswer is how long an interrupted simulation waits for the event that it asked for.
	lateAnswer = 2 * time.Second
)

// Run runs the simulation and prints what came of it. It fails when what people were told and
// what is stored disagree.
func (c Command) Run(ctx context.Context, env process.Env, log zerolog.Logger) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.URL == "" {
		return c.runEmbedded(ctx, env, process.Quiet(log))
	}
	keys, err := c.findKeys(ctx, log)
	if err != nil {
		return err
	}
	return c.runAt(ctx, target{url: strings.TrimRight(c.URL, "/"), keys: keys, stays: true}, env.Stdout, log)
}

// check fails with process.ErrUsage when a flag has a wrong value.
func (c Command) check() error {
	if c.Cancels < 0 {
		return process.Usage("--cancels must be at least 0, and is %d", c.Cancels)
	}
	if c.URL != "" && !isAddress(c.URL) {
		return process.Usage("--url is not an address like http://127.0.0.1:3000, with a port up to 65535 and without a user, a query or a fragment")
	}
	return cmp.Or(process.InRange("--attempts", c.Attempts, 1, maxTries), process.InRange("--capacity", c.Capacity, 1, input.MaxCapacity),
		process.InRange("--duplicates", c.Duplicates, 1, maxTries/max(c.Attempts, 1)))
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
	// Whoever has asked is answered, also when the simulation is interrupted.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- process.Server{Listener: listener, Handler: handler, Log: log}.Serve(serving) }()
	err = c.runAt(ctx, target{url: "http://" + listener.Addr().String()}, env.Stdout, log)
	stop()
	return errors.Join(err, <-served)
}

// runAt runs the simulation. When ctx ends, everybody who has asked by then is still answered, and the
// event is cancelled.
func (c Command) runAt(ctx context.Context, at target, out io.Writer, log zerolog.Logger) (err error) {
	transport := &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	// What is refused or lost counts as it is, so nothing is sent again.
	nobody, err := client.New(at.url, client.Config{
		HTTP: &http.Client{Transport: transport}, Retry: client.Retry{Attempts: 1, Timeout: answerLimit},
	})
	if err != nil {
		return err
	}
	sim := simulation{nobody: nobody, organizer: store.NewID(), keys: at.keys}
	event, err := sim.firstEvent(ctx, c, log)
	if err != nil {
		return err
	}
	if at.stays {
		defer func() {
			if event != (store.ID{}) {
				err = errors.Join(err, sim.tidy(ctx, event))
			}
		}()
	}
	fmt.Fprintf(out, "Event %s at %s: %d places, %d users, %d tries each\n", event.Hex(), at.url, c.Capacity, c.Attempts, c.Duplicates)
	started := time.Now()
	tries := sim.burst(ctx, event, c)
	fmt.Fprintf(out, "Burst took %v\n", time.Since(started).Round(time.Millisecond))
	report(out, tries)
	wrong, err := sim.compare(ctx, event, tries, c)
	if err != nil {
		return err
	}
	if c.Cancels > 0 {
		fmt.Fprintf(out, "Then %d left, and those first in line got their places\n", min(c.Cancels, count(tries, http.StatusCreated)))
	}
	if at.stays {
		err := sim.tidy(ctx, event)
		if event = (store.ID{}); err != nil {
			return err
		}
		fmt.Fprintln(out, "The event is cancelled, so that nobody takes it for a real one")
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

// compare lists what does not agree after the burst, and after some have left.
func (s simulation) compare(ctx context.Context, event store.ID, tries []try, c Command) ([]string, error) {
	wrong, err := s.verify(ctx, event, tries)
	if err != nil || c.Cancels == 0 {
		return wrong, err
	}
	more, err := s.leave(ctx, event, tries, c)
	return append(wrong, more...), err
}

// notSent is the status of a try that was not sent, since the simulation was interrupted.
const notSent = -1

// try is one request for a seat and the status of its answer: 0 when none came, or notSent.
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
		switch status {
		case 0:
			what = "no answer"
		case notSent:
			what, status = "not sent", 0
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
	case errors.Is(err, context.Canceled):
		sentence = "the simulation was interrupted"
	case errors.Is(err, client.CodeUnauthenticated) && s.keys.Empty():
		sentence = fmt.Sprintf("the Event.io at %s wants tokens: name its database with --data or --mongodb-uri, or give its keys with --auth-keys", url)
	case errors.Is(err, client.CodeUnauthenticated):
		sentence = fmt.Sprintf("the Event.io at %s signs its tokens with other keys: name its own database with --data or --mongodb-uri, or give its own keys with --auth-keys", url)
	case errors.As(err, &p):
		sentence = fmt.Sprintf("%s answers %s", url, p)
	default:
		sentence = fmt.Sprintf("Event.io cannot be reached at %s (%s): start it there, or correct --url", url,
			cmp.Or(process.Reason(err), "no answer that can be read"))
	}
	return &process.Failure{Sentence: sentence, Cause: err}
}

// burst sends every try at once, as many at a time as there are connections, and returns how each
// ended. When ctx ends, nothing more is sent, and everybody who has asked is answered.
func (s simulation) burst(ctx context.Context, event store.ID, c Command) []try {
	tries := make([]try, c.Attempts*c.Duplicates)
	open, places := make(chan struct{}), make(chan struct{}, connections)
	lasting := context.WithoutCancel(ctx)
	var wg sync.WaitGroup
	for u := range c.Attempts {
		user := store.NewID()
		for d := range c.Duplicates {
			t := &tries[u*c.Duplicates+d]
			t.user = user
			wg.Go(func() {
				<-open
				select {
				case places <- struct{}{}:
					defer func() { <-places }()
				case <-ctx.Done():
				}
				if ctx.Err() != nil {
					t.status = notSent
					return
				}
				t.status = s.register(lasting, event, user)
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
	if err := ctx.Err(); err != nil { // a burst that is not whole proves nothing
		return nil, s.explain(err)
	}
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
