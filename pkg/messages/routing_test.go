package messages_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// pool is a number of workers that answer every request with store.Registered, and count the
// requests for each event.
type pool struct {
	url string

	mu     sync.Mutex // guards all below
	conns  []*nats.Conn
	served map[messages.ID]map[int]int // requests by event and worker
}

func newPool(t *testing.T, size int) *pool {
	t.Helper()
	p := &pool{url: testenv.StartNATS(t).URL()}
	p.reset()
	for i := range size {
		conn := connect(t, p.url, "worker")
		service, err := messages.Serve(link(conn, "here"), func(m *nats.Msg) { p.serve(t, i, m) })
		if err == nil {
			err = conn.FlushTimeout(5 * time.Second)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = service.Leave() })
		p.conns = append(p.conns, conn)
	}
	return p
}

func (p *pool) serve(t *testing.T, worker int, m *nats.Msg) {
	all, err := messages.DecodeRequests(m.Data)
	if err != nil {
		t.Error(err)
	}
	p.mu.Lock()
	_, name := messages.SplitReplySubject(m.Reply)
	var replies []byte
	for i, req := range all {
		replies = append(replies, encode(t, messages.SeatReply{Message: name, Item: i, Outcome: store.Registered})...)
		if p.served[req.EventID] == nil {
			p.served[req.EventID] = make(map[int]int)
		}
		p.served[req.EventID][worker]++
	}
	p.mu.Unlock()
	_ = m.Respond(replies)
}

func (p *pool) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served = make(map[messages.ID]map[int]int)
}

// worker returns the worker that has served an event. It fails when several have, or none.
func (p *pool) worker(event messages.ID) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for worker := range p.served[event] {
		if len(p.served[event]) == 1 {
			return worker, nil
		}
	}
	return 0, fmt.Errorf("event %s is served by worker: times %v", event.Hex(), p.served[event])
}

func askFor(t *testing.T, r *messages.Requester, event messages.ID) {
	t.Helper()
	req := request()
	req.EventID = event
	if got := r.Request(t.Context(), req, time.Now().Add(10*time.Second)); got.Cause != nil || got.Reply.Outcome != store.Registered {
		t.Fatalf("%+v", got)
	}
}

func TestAnEventHasItsWorker(t *testing.T) {
	p := newPool(t, 3)
	r := requester(t, p.url)
	events := make([]messages.ID, 60)
	for i := range events {
		events[i] = bson.NewObjectID()
	}
	owner := make(map[messages.ID]int)
	shares := make([]int, 3)
	testenv.Eventually(t, 10*time.Second, "serve each event by one worker", func() error {
		p.reset()
		clear(shares)
		for range 3 {
			for _, e := range events {
				askFor(t, r, e)
			}
		}
		for _, e := range events {
			worker, err := p.worker(e)
			if err != nil {
				return err
			}
			owner[e] = worker
			shares[worker]++
		}
		return nil
	})
	for worker, n := range shares {
		if n == 0 {
			t.Errorf("worker %d has no event of %d: %v", worker, len(events), shares)
		}
	}

	// One worker leaves: its events go to others at once, and all other events stay.
	gone := owner[events[0]]
	if err := p.conns[gone].Drain(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "leave", func() error {
		if !p.conns[gone].IsClosed() {
			return context.DeadlineExceeded
		}
		return nil
	})
	p.reset()
	started := time.Now()
	for _, e := range events {
		askFor(t, r, e)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("the requests after a worker has left took %v: somebody waited for it", took)
	}
	for _, e := range events {
		worker, err := p.worker(e)
		if err != nil || owner[e] != gone && worker != owner[e] {
			t.Errorf("event %s moved from worker %d to %d, %v", e.Hex(), owner[e], worker, err)
		}
	}
}

// TestAWorkerThatHangsIsNotAskedTwice: the second attempt goes to a worker that answers pings. The
// queue group would give every other one to the worker that hangs.
func TestAWorkerThatHangsIsNotAskedTwice(t *testing.T) {
	p := newPool(t, 1)
	hung := connect(t, p.url, "hung")
	var unanswered atomic.Int64
	service, err := messages.Serve(link(hung, "here"), func(*nats.Msg) { unanswered.Add(1) })
	if err == nil {
		err = hung.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Leave() })
	r := requester(t, p.url)
	// ask sends requests for many events at once and returns what is wrong with the answers.
	ask := func() error {
		before := unanswered.Load()
		var wrong atomic.Pointer[messages.SeatReply]
		var crowd sync.WaitGroup
		for range 64 {
			crowd.Go(func() {
				req := request()
				req.EventID = bson.NewObjectID()
				reply := r.Request(t.Context(), req, time.Now().Add(2*time.Second)).Reply
				if reply.Outcome != store.Registered {
					wrong.Store(&reply)
				}
			})
		}
		crowd.Wait()
		if reply := wrong.Load(); reply != nil {
			return fmt.Errorf("an answer is %s", reply.Outcome)
		}
		if unanswered.Load() == before {
			return errors.New("no request went to the one that hangs, so nothing is shown")
		}
		return nil
	}
	// At first the requester knows no worker, and the queue group gets all attempts.
	testenv.Eventually(t, 20*time.Second, "be answered by the other one", ask)
	if err := ask(); err != nil {
		t.Error(err)
	}
}

// TestTheFirstRequestSurvivesAFrozenWorker: the first attempt of a requester that knows no worker
// goes to any of them, and the second to one that has answered a ping meanwhile.
func TestTheFirstRequestSurvivesAFrozenWorker(t *testing.T) {
	p := newPool(t, 1)
	frozen := connect(t, p.url, "frozen")
	var unanswered atomic.Int64
	_, err := frozen.QueueSubscribe(names("here").Seats(), messages.QueueWorkers, func(*nats.Msg) { unanswered.Add(1) })
	if err == nil {
		err = frozen.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	var crowd sync.WaitGroup
	for range 32 {
		r := requester(t, p.url)
		crowd.Go(func() {
			reply := r.Request(t.Context(), request(), time.Now().Add(5*time.Second)).Reply
			if reply.Outcome != store.Registered {
				t.Errorf("the answer is %s", reply.Outcome)
			}
		})
	}
	crowd.Wait()
	if unanswered.Load() == 0 {
		t.Error("no request went to the one that is frozen, so nothing is shown")
	}
}

func TestStrangersAreNoWorkers(t *testing.T) {
	p := newPool(t, 1)
	conn := connect(t, p.url, "stranger")
	asked := make(chan struct{}, 10)
	_, err := conn.Subscribe("$SRV.PING."+messages.ServiceName, func(m *nats.Msg) {
		for _, ping := range []string{
			"", "garbage", `{"id":"a b","version":"2.1.0"}`, `{"id":"a.*","version":"2.1.0"}`, `{"id":">","version":"2.1.0"}`,
			`{"id":"","version":"2.1.0"}`, `{"id":"old","version":"1.0.0"}`,
			`{"id":"liar","version":"2.1.0"}`, // nobody subscribes to its subject
		} {
			_ = m.Respond([]byte(strings.Replace(ping, "{", `{"metadata":{"database":"here","prefix":"eventio"},`, 1)))
		}
		asked <- struct{}{}
	})
	if err == nil {
		err = conn.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := requester(t, p.url)
	for range 2 { // the second ping comes a second later
		for waiting := true; waiting; {
			askFor(t, r, bson.NewObjectID())
			select {
			case <-asked:
				waiting = false
			default:
			}
		}
	}
	for range 50 {
		askFor(t, r, bson.NewObjectID())
	}
}

func TestWorkersAreFoundByNATSTools(t *testing.T) {
	p := newPool(t, 2)
	conn := connect(t, p.url, "operator")
	replies, err := conn.SubscribeSync(conn.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	subject, err := micro.ControlSubject(micro.InfoVerb, messages.ServiceName, "")
	if err == nil {
		err = conn.PublishRequest(subject, replies.Subject, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := replies.NextMsg(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
}
