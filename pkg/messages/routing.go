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
	// serviceVersion is that of the contract. sharedVersion is the one before, whose workers
	// take requests on SharedSeats; its requesters look for no other.
	serviceVersion = "2.1.0"
	sharedVersion  = "2.0.0"
	// pingSubject asks all workers on a NATS server whether they are there.
	pingSubject = micro.APIPrefix + ".PING." + ServiceName
)

// Serve hands the seat requests of the link's namespace to receive, as one of the workers
// that share them, and also those that requesters send to this worker alone: see workers.
// receive may be called from two goroutines at once. Serve fails on a namespace that cannot
// be in a subject, and on a connection that is closed.
func Serve(link Link, receive nats.MsgHandler) (*Service, error) {
	if err := link.check(); err != nil {
		return nil, fmt.Errorf("serve seat requests: %w", err)
	}
	s := &Service{conn: link.Conn, receive: receive}
	return s, s.share(link.Namespace.Seats(), serviceVersion, link.Namespace.metadata())
}

// Service is a worker's place on NATS.
type Service struct {
	Subscriptions []*nats.Subscription

	conn    *nats.Conn
	receive nats.MsgHandler
	names   []micro.Service
}

// ServeShared also takes what requesters of the version before send on SharedSeats, whatever
// database they mean. It is called before Leave.
func (s *Service) ServeShared() error {
	return s.share(SharedSeats, sharedVersion, map[string]string{"subject": SharedSeats})
}

// share takes requests from subject, together with other workers and alone, and announces
// that as a service of its own.
func (s *Service) share(subject, version string, metadata map[string]string) error {
	shared, err := s.conn.QueueSubscribe(subject, QueueWorkers, s.receive)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	s.Subscriptions = append(s.Subscriptions, shared)
	name, err := micro.AddService(s.conn, micro.Config{
		Name: ServiceName, Version: version, Metadata: metadata, Description: "Applies seat requests of Event.io to the store.",
	})
	if err != nil {
		return fmt.Errorf("announce the worker: %w", err)
	}
	s.names = append(s.names, name)
	own, err := s.conn.Subscribe(ownSubject(subject, name.Info().ID), s.receive)
	if err != nil {
		return fmt.Errorf("subscribe to the worker's own subject: %w", err)
	}
	s.Subscriptions = append(s.Subscriptions, own)
	return nil
}

// Leave tells requesters no more that this worker is there. The subscriptions go on.
func (s *Service) Leave() error {
	for _, name := range s.names {
		if err := name.Stop(); err != nil {
			return fmt.Errorf("withdraw the worker: %w", err)
		}
	}
	return nil
}

// ownSubject is that of one worker; of nobody, it is that of all.
func ownSubject(shared, worker string) string {
	if worker == "" {
		return shared
	}
	return shared + "." + worker
}

// workers knows which workers of its namespace are there, so that requests for one event go to one of them:
// a queue group picks at random, which would part the event's batches and let its writes
// collide. Only speed depends on it: what it says may be wrong at any time, and then the
// queue group has the request. It is safe for concurrent use.
type workers struct {
	conn      *nats.Conn
	namespace Namespace
	shared    string // the subject of all its workers
	answer    string // where the answers come

	mu    sync.Mutex // guards all below
	known presence
}

// newWorkers begins to receive on the link's connection; that ends with it.
func newWorkers(link Link) (*workers, error) {
	w := &workers{
		conn: link.Conn, namespace: link.Namespace, shared: link.Namespace.Seats(),
		answer: link.Conn.NewInbox(), known: presence{missed: make(map[string]int)},
	}
	if _, err := w.conn.Subscribe(w.answer, w.receive); err != nil {
		return nil, fmt.Errorf("subscribe to the workers' answers: %w", err)
	}
	return w, nil
}

// first is the subject on which a request for an event is best sent.
func (w *workers) first(event ID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.askIfDue()
	return ownSubject(w.shared, w.known.first(event))
}

// second is the subject on which it is sent again when there was no answer on that one.
func (w *workers) second(event ID, silent string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.askIfDue() // nobody has answered this yet
	return ownSubject(w.shared, w.known.second(event, strings.TrimPrefix(silent, w.shared+"."), time.Now()))
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
	if w.conn.PublishRequest(pingSubject, w.answer, nil) == nil {
		w.known.ask(now)
	}
}

// validToken reports whether s can be one token of a subject.
func validToken(s string) bool { return ValidTraceID(s) && !strings.Contains(s, ".") }

// gone forgets the worker behind a subject on which nobody listens.
func (w *workers) gone(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known.forget(strings.TrimPrefix(subject, w.shared+"."))
}

// receive is the callback for a worker's word that it is there.
func (w *workers) receive(msg *nats.Msg) {
	var ping micro.Ping
	// A worker of another version is left to the queue group, if it shares that. Those of
	// other databases answer too: discovery knows the service's name only.
	if json.Unmarshal(msg.Data, &ping) != nil || ping.Version != serviceVersion || !validToken(ping.ID) ||
		namespaceOf(ping.Metadata) != w.namespace {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known.answer(ping.ID)
}
