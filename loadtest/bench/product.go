package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
)

const (
	// plenty is a capacity that no load reaches.
	plenty = 1_000_000_000
	// startLimit bounds the wait for a process to be ready.
	startLimit = 30 * time.Second
	// callLimit bounds a call that is not part of a load; a large roster takes long.
	callLimit = 2 * time.Minute
	// setupConnections is how many connections prepare a load.
	setupConnections = 32
	// preloadBatch is the most registrations that are put in at once.
	preloadBatch = 1000
)

// product is Event.io, whatever it runs on.
type product struct {
	target
	auth      string
	organizer crowd.Member
	people    *client.Client // of nobody
}

// newProduct is one that does not run yet.
func (b *bench) newProduct(auth string) (product, error) {
	organizer, err := b.crowd.Mint()
	return product{target: target{b: b}, auth: auth, organizer: organizer}, err
}

// env is the environment of its processes: the settings of production, logs included. Rate
// limits are off because the whole crowd comes from one address.
func (p *product) env(more ...string) []string {
	return append(append(os.Environ(),
		"EVENTIO_ADDR=127.0.0.1:0", "EVENTIO_ADMIN_ADDR=127.0.0.1:0", "EVENTIO_DRAIN_DELAY=0s", "EVENTIO_LOG_LEVEL=info",
		"EVENTIO_AUTH="+p.auth, "EVENTIO_AUTH_KEYS="+p.b.crowd.AuthKeys, "EVENTIO_RATE_LIMITS=off",
		"GOMEMLIMIT=512MiB", // as in docker-compose.yml
	), more...)
}

// meet notes where it listens, and makes the client that prepares loads and proves what came of
// them. It sends each call once: what is refused or lost there is a finding.
func (p *product) meet(addr string) (err error) {
	p.addr = addr
	p.people, err = client.New("http://"+addr, client.Config{
		HTTP:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: setupConnections}},
		Retry: client.Retry{Attempts: 1, Timeout: callLimit},
	})
	return err
}

// as is the client of a person.
func (p *product) as(who crowd.Member) *client.Client {
	if p.auth == setup.Token {
		return p.people.As(who.Token)
	}
	return p.people
}

// newEvents makes n events.
func (p *product) newEvents(ctx context.Context, n int, capacity int64) ([]store.ID, error) {
	ids := make([]store.ID, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(setupConnections)
	starts := time.Now().AddDate(0, 1, 0).UTC().Truncate(time.Second)
	for i := range ids {
		group.Go(func() error {
			e, err := p.as(p.organizer).CreateEvent(ctx, client.NewEvent{
				OrganizerID: p.organizer.ID, Title: "Concert", Description: "One evening", Capacity: capacity,
				StartsAt: starts, EndsAt: starts.Add(3 * time.Hour),
			})
			ids[i] = e.ID
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	p.owe(ids, 0)
	return ids, nil
}

// stored reads over HTTP what is stored of an account's event.
func (p *product) stored(ctx context.Context, a load.Account) (load.Account, error) {
	e, err := p.as(p.organizer).Event(ctx, a.Event)
	if err != nil {
		return a, err
	}
	a.Sold, a.Capacity, a.Roster = e.TicketsSold, e.Capacity, nil
	for user, err := range p.as(p.organizer).Roster(ctx, a.Event, client.StatusConfirmed) {
		if err != nil {
			return a, err
		}
		a.Roster = append(a.Roster, user)
	}
	return a, nil
}

// burst is a load of new users on all of the events in turn, each to be granted.
func (p *product) burst(ctx context.Context, connections int, events ...store.ID) (load.Result, figures, error) {
	next, err := p.b.crowd.Prepare(p.b.expected(), events, p.auth)
	if err != nil {
		return load.Result{}, nil, err
	}
	return p.load(ctx, load.Plan{Connections: connections, Next: next}, http.StatusCreated)
}

// hot is an arm: a burst on a new event with places for all.
func (p *product) hot(name string, connections int) arm {
	return arm{name, func(ctx context.Context) (figures, error) {
		events, err := p.newEvents(ctx, 1, plenty)
		if err != nil {
			return nil, err
		}
		_, got, err := p.burst(ctx, connections, events...)
		return got, err
	}}
}

// system is the product as in production: api and workers, with a NATS server and a
// database of their own.
type system struct {
	product
	programs string // the folder of api and worker
	api      *testenv.Program
	store    *mongostore.Store
	uri      string   // of its database
	links    []string // the part of the environment that says where NATS and MongoDB are
	more     []string // the environment of its workers, beside that
}

// newSystem starts one, to the scenario's end, when everything it has stored is checked.
func (b *bench) newSystem(ctx context.Context, workers int, auth string) (*system, error) {
	return b.newSystemOf(ctx, b.dir, workers, auth)
}

// newSystemOf is newSystem for the api and the worker of another build, in the folder programs.
func (b *bench) newSystemOf(ctx context.Context, programs string, workers int, auth string) (*system, error) {
	p, err := b.newProduct(auth)
	if err != nil {
		return nil, err
	}
	s := &system{product: p, programs: programs}
	s.admins = make(map[*testenv.Program]string)
	s.read = s.stored
	uri := b.database()
	if s.store, err = mongostore.Open(ctx, uri, zerolog.Nop()); err != nil {
		return nil, err
	}
	b.atEnd = append(b.atEnd, func(context.Context) error { return s.store.Close() })
	nats, url, err := b.role(ctx, "nats")
	if err != nil {
		return nil, err
	}
	s.uri = uri
	s.links = []string{"NATS_URL=" + url, "MONGODB_URI=" + uri}
	s.processes = append(s.processes, nats)
	if err := s.scale(ctx, workers); err != nil {
		return nil, err
	}
	addr, err := s.startAPI(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.meet(addr); err != nil {
		return nil, err
	}
	b.atEnd = append(b.atEnd, s.check)
	if workers == 0 { // the caller starts them, and waits
		return s, nil
	}
	return s, awaitReady(ctx, s.addr)
}

// startAPI starts an API process, and returns its address.
func (s *system) startAPI(ctx context.Context) (addr string, err error) {
	cmd := exec.Command(filepath.Join(s.programs, "api"))
	cmd.Env = s.env(slices.Concat(s.links, s.b.env)...)
	if s.api, addr, err = s.b.start(ctx, "api", cmd, "serving HTTP"); err != nil {
		return "", err
	}
	s.processes = append(s.processes, s.api)
	return addr, nil
}

// awaitReady waits until the process at addr says that it is ready.
func awaitReady(ctx context.Context, addr string) error {
	return testenv.Poll(ctx, startLimit, func() error { return process.Healthcheck(ctx, addr) })
}

// scale starts or stops workers until there are n.
func (s *system) scale(ctx context.Context, n int) error {
	for len(s.workers) < n {
		cmd := exec.Command(filepath.Join(s.programs, "worker"))
		cmd.Env = s.env(slices.Concat(s.links, s.b.env, s.more)...)
		w, _, err := s.b.start(ctx, "worker", cmd, "taking seat requests")
		if err != nil {
			return err
		}
		if s.admins[w], err = w.Find(ctx, "serving /metrics"); err != nil {
			return err
		}
		s.workers = append(s.workers, w)
		s.processes = append(s.processes, w)
	}
	for len(s.workers) > n {
		last := s.workers[len(s.workers)-1]
		if err := last.Remove(); err != nil {
			return err
		}
		s.workers = s.workers[:len(s.workers)-1]
		delete(s.admins, last)
		s.processes = slices.DeleteFunc(s.processes, func(p *testenv.Program) bool { return p == last })
	}
	return nil
}

// preload registers n users in an event of its own, straight through the store, and says
// who they are.
func (s *system) preload(ctx context.Context, n int, capacity int64) (store.ID, []store.ID, error) {
	events, err := s.newEvents(ctx, 1, capacity)
	if err != nil {
		return store.ID{}, nil, err
	}
	s.owe(events, n)
	users := make([]store.ID, 0, n)
	for len(users) < n {
		batch := crowd.SeatRequests(events[0], min(preloadBatch, n-len(users)))
		for _, w := range batch {
			users = append(users, w.UserID)
		}
		if err := crowd.Grant(ctx, s.store, batch); err != nil {
			return store.ID{}, nil, err
		}
	}
	return events[0], users, nil
}
