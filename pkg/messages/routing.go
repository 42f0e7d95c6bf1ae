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

// router chooses the subject of each request, so that all requests for one event go to one
// worker. A queue group picks a worker at random, which would split the batches of an event and
// let its writes collide. Only speed depends on a router: it may be wrong at any time, and then
// the queue group gets the request. It is safe for concurrent use.
type router struct {
	conn      *nats.Conn
	namespace Namespace
	shared    string // the subject of all workers
	inbox     string // where answers to pings come

	mu      sync.Mutex // guards all below
	workers liveness
}

// newRouter subscribes to the answers to pings on the link's connection. The subscription ends
// with the connection.
func newRouter(link Link) (*router, error) {
	r := &router{
		conn: link.Conn, namespace: link.Namespace, shared: link.Namespace.Seats(),
		inbox: newInbox(link.Conn), workers: liveness{missed: make(map[string]int)},
	}
	if _, err := r.conn.Subscribe(r.inbox, r.receivePong); err != nil {
		return nil, fmt.Errorf("subscribe to the workers' answers: %w", err)
	}
	return r, nil
}

// route returns the subject for the first attempt of a request for an event.
func (r *router) route(event ID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pingIfDue()
	return workerSubject(r.shared, r.workers.preferred(event))
}

// reroute returns the subject for the second attempt of a request that got no reply on the
// tried subject.
func (r *router) reroute(event ID, tried string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.pingIfDue() // after the choice: nobody has answered this ping yet
	return workerSubject(r.shared, r.workers.alternative(event, strings.TrimPrefix(tried, r.shared+"."), time.Now()))
}

// ping sends a ping to all workers, unless the last one is too recent.
func (r *router) ping() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pingIfDue()
}

// pingIfDue is ping for a caller who holds mu.
func (r *router) pingIfDue() {
	now := time.Now()
	if !r.workers.pingDue(now) {
		return
	}
	// A ping that cannot be sent must not count as unanswered.
	if r.conn.PublishRequest(pingSubject, r.inbox, nil) == nil {
		r.workers.pinged(now)
	}
}

// forget removes the worker behind a subject to which nobody subscribes any more.
func (r *router) forget(subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers.forget(strings.TrimPrefix(subject, r.shared+"."))
}

// receivePong is the callback for answers to pings.
func (r *router) receivePong(msg *nats.Msg) {
	var pong micro.Ping
	// Workers of other databases answer too, because discovery knows only the service's name. A
	// worker of another version gets requests from the queue group alone, if it is in that.
	if json.Unmarshal(msg.Data, &pong) != nil || pong.Version != serviceVersion || !validToken(pong.ID) ||
		namespaceOf(pong.Metadata) != r.namespace {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers.answered(pong.ID)
}

// workerSubject returns the subject of one worker, or with no worker that of all.
func workerSubject(shared, worker string) string {
	if worker == "" {
		return shared
	}
	return shared + "." + worker
}

// validToken reports whether s can be one token of a subject.
func validToken(s string) bool { return ValidTraceID(s) && !strings.Contains(s, ".") }
