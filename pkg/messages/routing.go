package messages

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/eventio/eventio/pkg/messages/internal/liveness"
	"github.com/eventio/eventio/pkg/messages/internal/rendezvous"
	"github.com/eventio/eventio/pkg/messages/internal/uplink"
)

// router chooses the subject of each request, so that all requests for one event go to one
// worker. A queue group picks a worker at random, which would split the batches of an event and
// let its writes collide. Only speed depends on a router: it may be wrong at any time, and then
// the queue group gets the request. It is safe for concurrent use.
type router struct {
	conn      *nats.Conn
	state     *uplink.State
	namespace Namespace
	shared    string // the subject of all workers
	inbox     string // where answers to pings come
	name      string // by which this process knows its own rolls

	// current is what requests read without a lock, nil when it has to be made anew.
	current atomic.Pointer[choices]

	mu      sync.Mutex // guards all below; current is written under it
	workers liveness.Workers
	shares  bool   // tells others who has answered
	asked   *round // the last ping whose answers this process will put on a roll, or nil
}

// choices are the workers among which a router chooses, as they were at one moment. Nobody changes
// them: what is known later is in other choices.
type choices struct {
	candidates []rendezvous.Candidate
	due        time.Time // when the next ping is, as far as was known then
}

// newRouter subscribes to the answers to pings on the link's connection, whose state it asks. The subscription ends
// with the connection.
func newRouter(link Link, state *uplink.State) (*router, error) {
	r := &router{
		conn: link.Conn, state: state, namespace: link.Namespace, shared: link.Namespace.Seats(),
		inbox: newInbox(link.Conn), name: newMessageName(), workers: liveness.New(),
	}
	if _, err := r.conn.Subscribe(r.inbox, r.receivePong); err != nil {
		return nil, fmt.Errorf("subscribe to the workers' answers: %w", err)
	}
	return r, nil
}

// route returns the subject for the first attempt of a request for an event. It takes no lock, unless a
// ping is due or the workers have changed.
func (r *router) route(event ID) string {
	known := r.current.Load()
	if known == nil || liveness.PingDue(known.due, time.Now()) {
		known = r.renew()
	}
	return r.choose(known.candidates, event)
}

// renew sends a ping if one is due, and makes the current choices, if there are none.
func (r *router) renew() *choices {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); liveness.PingDue(r.workers.Due, now) {
		r.pingNow(now)
	}
	known := r.current.Load()
	if known == nil {
		known = &choices{r.candidates(r.workers.Preferred()), r.workers.Due}
		r.current.Store(known)
	}
	return known
}

// reroute returns the subject for the second attempt of a request that got no reply on the
// tried subject.
func (r *router) reroute(event ID, tried string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.pingIfDue() // after the choice: nobody has answered this ping yet
	return r.choose(r.candidates(r.workers.Alternatives(strings.TrimPrefix(tried, r.shared+"."), time.Now())), event)
}

// candidates makes candidates of workers.
func (r *router) candidates(workers []string) []rendezvous.Candidate {
	all := make([]rendezvous.Candidate, len(workers))
	for i, worker := range workers {
		all[i] = rendezvous.Candidate{Hash: rendezvous.Hash(worker), Subject: workerSubject(r.shared, worker)}
	}
	return all
}

// choose returns the subject of the worker that gets the requests for an event, or with no candidate
// that of all workers.
func (r *router) choose(candidates []rendezvous.Candidate, event ID) string {
	if best, ok := rendezvous.Choose(candidates, event); ok {
		return best.Subject
	}
	return r.shared
}

// ping sends a ping to all workers, unless the last one is too recent.
func (r *router) ping() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pingIfDue()
}

// pingIfDue is ping for a caller who holds mu.
func (r *router) pingIfDue() {
	if now := time.Now(); liveness.PingDue(r.workers.PingedAt.Add(liveness.PingInterval), now) {
		r.pingNow(now)
	}
}

// pingNow sends a ping, and has the answers put on a roll if this process shares them. The caller holds mu.
func (r *router) pingNow(now time.Time) {
	// A ping that cannot be sent must not count as unanswered.
	if !r.state.Up() || r.conn.PublishRequest(pingSubject, r.inbox, nil) != nil {
		return
	}
	r.workers.Pinged(now)
	r.current.Store(nil)
	if !r.shares {
		return
	}
	asked := new(round)
	r.asked = asked
	time.AfterFunc(liveness.PongTimeout, func() { r.sendRoll(asked) })
}

// forget removes the worker behind a subject to which nobody subscribes any more.
func (r *router) forget(subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers.Forget(strings.TrimPrefix(subject, r.shared+"."))
	r.current.Store(nil)
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
	if r.asked != nil {
		r.asked.answered = append(r.asked.answered, pong.ID)
	}
	if r.workers.Answered(pong.ID) {
		r.current.Store(nil)
	}
}

// workerSubject returns the subject of one worker.
func workerSubject(shared, worker string) string { return shared + "." + worker }

// validToken reports whether s can be one token of a subject.
func validToken(s string) bool { return ValidTraceID(s) && !strings.Contains(s, ".") }
