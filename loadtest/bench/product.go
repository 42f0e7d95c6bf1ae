package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/rig"
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
	// preloadBatch is the most registrations that are put in at once.
	preloadBatch = 1000
)

// product is Event.io, whatever it runs on.
type product struct {
	target
	auth      string
	organizer member
	client    http.Client
}

// newProduct is one that does not run yet.
func (b *bench) newProduct(auth string) (product, error) {
	organizer, err := b.crowd.mint()
	return product{target: target{b: b}, auth: auth, organizer: organizer, client: http.Client{Timeout: callLimit}}, err
}

// env is the environment of its processes: the settings of production, logs included. Rate
// limits are off because the whole crowd comes from one address.
func (p *product) env(more ...string) []string {
	return append(append(os.Environ(),
		"EVENTIO_ADDR=127.0.0.1:0", "EVENTIO_DRAIN_DELAY=0s", "EVENTIO_LOG_LEVEL=info",
		"EVENTIO_AUTH="+p.auth, "EVENTIO_AUTH_KEYS="+p.b.crowd.authKeys, "EVENTIO_RATE_LIMITS=off",
		"GOMEMLIMIT=512MiB", // as in docker-compose.yml
	), more...)
}

// call makes a request as that person, and decodes the answer into to, if that is not nil.
func (p *product) call(ctx context.Context, who member, method, path string, body, to any) (int, error) {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+path, sent)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("If-Match", "*")
	}
	if p.auth == setup.Token {
		req.Header.Set("Authorization", "Bearer "+who.token)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if to != nil && res.StatusCode < 300 {
		return res.StatusCode, json.NewDecoder(res.Body).Decode(to)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// want is call for what must succeed.
func (p *product) want(ctx context.Context, method, path string, body, to any) error {
	status, err := p.call(ctx, p.organizer, method, path, body, to)
	if err == nil && status >= 300 {
		err = fmt.Errorf("answered with %d", status)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// event is what matters here of an event.
type event struct {
	ID          store.ID `json:"id"`
	TicketsSold int64    `json:"tickets_sold"`
	Capacity    int64    `json:"capacity"`
}

// newEvents makes n events.
func (p *product) newEvents(ctx context.Context, n int, capacity int64) ([]store.ID, error) {
	ids := make([]store.ID, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(32)
	starts := time.Now().AddDate(0, 1, 0).UTC().Truncate(time.Second)
	for i := range ids {
		group.Go(func() error {
			var e event
			err := p.want(ctx, http.MethodPost, "/api/events", map[string]any{
				"organizer_id": p.organizer.id, "title": "Concert", "description": "One evening", "capacity": capacity,
				"starts_at": starts, "ends_at": starts.Add(3 * time.Hour),
			}, &e)
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
	var e event
	path := "/api/events/" + a.Event.Hex()
	if err := p.want(ctx, http.MethodGet, path, nil, &e); err != nil {
		return a, err
	}
	a.Sold, a.Capacity = e.TicketsSold, e.Capacity
	return a, p.want(ctx, http.MethodGet, path+"/registrations", nil, &a.Roster)
}

// burst is a load of new users on all of the events in turn, each to be granted.
func (p *product) burst(ctx context.Context, connections int, events ...store.ID) (load.Result, figures, error) {
	next, err := p.b.crowd.prepare(p.b.expected(), events, p.auth)
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
	api   *rig.Process
	store *mongostore.Store
	links []string // the part of the environment that says where NATS and MongoDB are
}

// newSystem starts one, to the scenario's end, when everything it has stored is checked.
func (b *bench) newSystem(ctx context.Context, workers int, auth string) (*system, error) {
	p, err := b.newProduct(auth)
	if err != nil {
		return nil, err
	}
	s := &system{product: p}
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
	s.links = []string{"NATS_URL=" + url, "MONGODB_URI=" + uri}
	s.processes = append(s.processes, nats)
	if err := s.scale(ctx, workers); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(b.dir, "api"))
	cmd.Env = s.env(s.links...)
	if s.api, s.addr, err = b.start(ctx, "api", cmd, "serving HTTP"); err != nil {
		return nil, err
	}
	s.processes = append(s.processes, s.api)
	b.atEnd = append(b.atEnd, s.check)
	return s, awaitReady(ctx, s.addr)
}

// awaitReady waits until the process at addr says that it is ready.
func awaitReady(ctx context.Context, addr string) error {
	return testenv.Poll(ctx, startLimit, func() error { return process.Healthcheck(ctx, addr) })
}

// scale starts or stops workers until there are n.
func (s *system) scale(ctx context.Context, n int) error {
	for len(s.workers) < n {
		cmd := exec.Command(filepath.Join(s.b.dir, "worker"))
		cmd.Env = s.env(s.links...)
		w, _, err := s.b.start(ctx, "worker", cmd, "taking seat requests")
		if err != nil {
			return err
		}
		s.workers = append(s.workers, w)
		s.processes = append(s.processes, w)
	}
	for len(s.workers) > n {
		last := s.workers[len(s.workers)-1]
		if err := last.Stop(); err != nil {
			return err
		}
		s.workers = s.workers[:len(s.workers)-1]
		s.processes = slices.DeleteFunc(s.processes, func(p *rig.Process) bool { return p == last })
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
		batch := wishes(events[0], min(preloadBatch, n-len(users)))
		for _, w := range batch {
			users = append(users, w.UserID)
		}
		if err := s.apply(ctx, batch); err != nil {
			return store.ID{}, nil, err
		}
	}
	return events[0], users, nil
}

// wishes are n new users' requests for a seat, as a worker gives them to the store.
func wishes(event store.ID, n int) []store.SeatRequest {
	batch := make([]store.SeatRequest, n)
	for i := range batch {
		user := store.NewID()
		batch[i] = store.SeatRequest{Kind: store.Register, EventID: event, UserID: user, RequestID: user.Hex(), At: time.Now()}
	}
	return batch
}

// apply has the store grant a batch.
func (s *system) apply(ctx context.Context, batch []store.SeatRequest) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	results, err := s.store.Apply(ctx, batch)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Outcome != store.Registered {
			return fmt.Errorf("the store says %s to a request that it is to grant", r.Outcome)
		}
	}
	return nil
}
