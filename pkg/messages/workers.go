package messages

import (
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

const (
	// ServiceName is what workers are called in NATS's service discovery: `nats micro ls`.
	ServiceName = "eventio-worker"
	// serviceVersion is that of the contract.
	serviceVersion = "2.0.0"

	// askEvery is how often a requester that is in use asks which workers are there, and
	// forgetAfter how long an answer counts: one may be lost, and who has answered when a
	// request was sent is still known when it is sent again.
	askEvery    = time.Second
	forgetAfter = 4 * time.Second
	// maxWorkers bounds what a hostile sender can make us remember.
	maxWorkers = 1024
)

// Serve hands the messages on SubjectSeats to receive, as one of the workers that share
// them, and also those that requesters send to this worker alone: see workers. receive may
// be called from two goroutines at once.
func Serve(conn *nats.Conn, receive nats.MsgHandler) (*Service, error) {
	shared, err := conn.QueueSubscribe(SubjectSeats, QueueWorkers, receive)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", SubjectSeats, err)
	}
	name, err := micro.AddService(conn, micro.Config{
		Name: ServiceName, Version: serviceVersion, Description: "Applies seat requests of Event.io to the store.",
	})
	if err != nil {
		return nil, fmt.Errorf("announce the worker: %w", err)
	}
	own, err := conn.Subscribe(ownSubject(name.Info().ID), receive)
	if err != nil {
		return nil, fmt.Errorf("subscribe to the worker's own subject: %w", err)
	}
	return &Service{name, []*nats.Subscription{shared, own}}, nil
}

// Service is a worker's place on NATS.
type Service struct {
	name          micro.Service
	Subscriptions []*nats.Subscription
}

// Leave tells requesters no more that this worker is there. The subscriptions go on.
func (s *Service) Leave() error {
	if err := s.name.Stop(); err != nil {
		return fmt.Errorf("withdraw the worker: %w", err)
	}
	return nil
}

// ownSubject is that of one worker; of nobody, it is that of all.
func ownSubject(worker string) string {
	if worker == "" {
		return SubjectSeats
	}
	return SubjectSeats + "." + worker
}

// workers knows which workers are there, so that requests for one event go to one of them:
// a queue group picks at random, which would part the event's batches and let its writes
// collide. Only speed depends on it: what it says may be wrong at any time, and then the
// queue group has the request. It is safe for concurrent use.
type workers struct {
	conn   *nats.Conn
	answer string // where the answers come

	mu    sync.Mutex // guards all below
	seen  map[string]time.Time
	asked time.Time
}

// newWorkers begins to receive on conn; that ends with conn.
func newWorkers(conn *nats.Conn) (*workers, error) {
	w := &workers{conn: conn, answer: conn.NewInbox(), seen: make(map[string]time.Time)}
	if _, err := conn.Subscribe(w.answer, w.receive); err != nil {
		return nil, fmt.Errorf("subscribe to the workers' answers: %w", err)
	}
	return w, nil
}

// subjects are where a request for an event is best sent, and where it is sent again when no
// answer comes: to another worker.
func (w *workers) subjects(event ID) (own, other string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.Sub(w.asked) >= askEvery {
		w.asked = now
		// What cannot be sent now is asked again in a second.
		_ = w.conn.PublishRequest(micro.APIPrefix+"."+micro.PingVerb.String()+"."+ServiceName, w.answer, nil)
	}
	var best, second struct {
		worker string
		weight uint64
	}
	for worker, seen := range w.seen {
		if now.Sub(seen) > forgetAfter {
			delete(w.seen, worker)
			continue
		}
		switch weight := weigh(event, worker); {
		case weight >= best.weight:
			second = best
			best.worker, best.weight = worker, weight
		case weight >= second.weight:
			second.worker, second.weight = worker, weight
		}
	}
	return ownSubject(best.worker), ownSubject(second.worker)
}

// weigh is rendezvous hashing: an event goes to the worker that weighs most for it, so one
// that comes or goes moves only its own share of the events.
func weigh(event ID, worker string) uint64 {
	h := fnv.New64a()
	h.Write(event[:])
	h.Write([]byte(worker))
	return h.Sum64()
}

// validToken reports whether s can be one token of a subject.
func validToken(s string) bool { return ValidTraceID(s) && !strings.Contains(s, ".") }

// gone forgets the worker behind a subject on which nobody listens.
func (w *workers) gone(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for worker := range w.seen {
		if ownSubject(worker) == subject {
			delete(w.seen, worker)
		}
	}
}

// receive is the callback for a worker's word that it is there.
func (w *workers) receive(msg *nats.Msg) {
	var ping micro.Ping
	// A worker of another version is left to the queue group, if it shares that.
	if json.Unmarshal(msg.Data, &ping) != nil || ping.Version != serviceVersion || !validToken(ping.ID) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.seen[ping.ID]; known || len(w.seen) < maxWorkers {
		w.seen[ping.ID] = time.Now()
	}
}
