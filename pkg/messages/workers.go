package messages

import (
	"fmt"
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
	known presence
}

// newWorkers begins to receive on conn; that ends with conn.
func newWorkers(conn *nats.Conn) (*workers, error) {
	w := &workers{conn: conn, answer: conn.NewInbox(), known: presence{missed: make(map[string]int)}}
	if _, err := conn.Subscribe(w.answer, w.receive); err != nil {
		return nil, fmt.Errorf("subscribe to the workers' answers: %w", err)
	}
	return w, nil
}

// first is the subject on which a request for an event is best sent.
func (w *workers) first(event ID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.askIfDue()
	return ownSubject(w.known.first(event))
}

// second is the subject on which it is sent again when there was no answer on that one.
func (w *workers) second(event ID, silent string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.askIfDue() // nobody has answered this yet
	return ownSubject(w.known.second(event, strings.TrimPrefix(silent, ownSubject("")+"."), time.Now()))
}

// ask asks which workers are there, unless that was done a moment ago.
func (w *workers) ask() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.askIfDue()
}

// askIfDue is called with mu held.
func (w *workers) askIfDue() {
	now := time.Now()
	if !w.known.due(now) {
		return
	}
	// Whom this process cannot ask is not to blame for the silence.
	if w.conn.PublishRequest(micro.APIPrefix+"."+micro.PingVerb.String()+"."+ServiceName, w.answer, nil) == nil {
		w.known.ask(now)
	}
}

// validToken reports whether s can be one token of a subject.
func validToken(s string) bool { return ValidTraceID(s) && !strings.Contains(s, ".") }

// gone forgets the worker behind a subject on which nobody listens.
func (w *workers) gone(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known.forget(strings.TrimPrefix(subject, ownSubject("")+"."))
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
	w.known.answer(ping.ID)
}
