package messages

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/pkg/messages/internal/uplink"
)

// typicalRequest is the size of most encoded requests, in bytes.
const typicalRequest = 320

// errExpired is the result of a request whose deadline passed before it could be sent.
var errExpired = errors.New("no time was left to send it")

// batcher sends requests and hands each its reply. Requests that are made at the same time
// share a message. It is safe for concurrent use.
type batcher struct {
	conn    *nats.Conn
	state   *uplink.State
	inbox   string // replies come to inbox.<message>
	started time.Time

	mu       sync.Mutex              // guards all below
	queues   map[string][]*call      // calls not sent yet, by subject; a subject is a key while a goroutine sends its queue
	inFlight map[string]*sentMessage // messages with calls that wait for a reply, by name
}

// call is one attempt to have a request answered.
type call struct {
	req      SeatRequest
	deadline time.Time   // when the caller gives the attempt up
	done     chan result // has room for one

	// Guarded by batcher.mu.
	abandoned bool
	message   string // the name of the message with the request; empty before it is sent
	item      int    // the position of the request in the message
}

// result is the outcome of a call: a reply, or the reason why there is none.
type result struct {
	reply SeatReply
	err   error
}

// sentMessage has the calls of a message. An element is nil when its call was answered or
// abandoned.
type sentMessage struct {
	calls []*call
	open  int // calls that are not nil
}

// newBatcher subscribes to the replies on conn, whose state it asks. The subscription ends with conn.
func newBatcher(conn *nats.Conn, state *uplink.State) (*batcher, error) {
	b := &batcher{
		conn: conn, state: state, inbox: newInbox(conn), started: time.Now(),
		queues: make(map[string][]*call), inFlight: make(map[string]*sentMessage),
	}
	if _, err := conn.Subscribe(b.inbox+".*", b.receive); err != nil {
		return nil, fmt.Errorf("subscribe to the replies: %w", err)
	}
	return b, nil
}

// send queues a request for a subject, or fails it where the connection is away, and returns at once. The call gets its
// result, unless it is abandoned.
func (b *batcher) send(subject string, req SeatRequest, deadline time.Time) *call {
	c := &call{req: req, deadline: deadline, done: make(chan result, 1)}
	if !b.state.Up() {
		c.done <- result{err: nats.ErrConnectionReconnecting}
		return c
	}
	b.mu.Lock()
	queue, sending := b.queues[subject]
	b.queues[subject] = append(queue, c)
	b.mu.Unlock()
	if !sending {
		go b.sendQueue(subject)
	}
	return c
}

// sendQueue sends the queue of a subject, message by message, and returns when it is empty.
func (b *batcher) sendQueue(subject string) {
	for {
		// There is no timer. A goroutine that is about to call send runs first, and its request
		// shares the message; in an idle process there is none.
		runtime.Gosched()
		name, data := b.nextMessage(subject)
		if name == "" {
			return
		}
		if err := b.conn.PublishRequest(subject, b.inbox+"."+name, data); err != nil {
			b.failAll(name, err)
		}
	}
}

// nextMessage makes a message of the first calls in the queue of a subject. name is empty when
// the queue is.
func (b *batcher) nextMessage(subject string) (name string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	queue := b.queues[subject]
	m := &sentMessage{calls: make([]*call, 0, min(len(queue), MaxRequests))}
	data = make([]byte, 0, cap(m.calls)*typicalRequest)
	for len(queue) > 0 && len(m.calls) < MaxRequests {
		c := queue[0]
		if c.abandoned {
			queue = queue[1:]
			continue
		}
		line, err := c.encode(now, b.started)
		if err != nil {
			c.done <- result{err: err}
			c.abandoned = true
			queue = queue[1:]
			continue
		}
		if len(data) > 0 && len(data)+len(line) > MaxMessage {
			break
		}
		queue = queue[1:]
		c.item = len(m.calls)
		m.calls = append(m.calls, c)
		data = append(data, line...)
	}
	if len(m.calls) == 0 {
		delete(b.queues, subject)
		return "", nil
	}
	b.queues[subject] = queue
	name = newMessageName()
	for _, c := range m.calls {
		c.message = name
	}
	m.open = len(m.calls)
	b.inFlight[name] = m
	return name, data
}

// encode writes the request as a batcher that started at a time sends it now. It fails with
// errExpired when no time is left.
func (c *call) encode(now, started time.Time) ([]byte, error) {
	remaining := c.deadline.Sub(now) - replyMargin
	if remaining <= 0 {
		return nil, errExpired
	}
	c.req.RemainingMillis = max(1, remaining.Milliseconds())
	c.req.SentMillis = 1 + now.Sub(started).Milliseconds()
	return Encode(c.req)
}

// abandon gives a call up and reports whether it may have reached a worker.
func (b *batcher) abandon(c *call) (sent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.abandoned = true
	if c.message == "" {
		return false
	}
	b.remove(c.message, c.item)
	return true
}

// remove takes a call out of its message, and returns nil when it is not there. The caller
// holds mu.
func (b *batcher) remove(message string, item int) *call {
	m := b.inFlight[message]
	if m == nil || item < 0 || item >= len(m.calls) || m.calls[item] == nil {
		return nil
	}
	c := m.calls[item]
	m.calls[item] = nil
	if m.open--; m.open == 0 {
		delete(b.inFlight, message)
	}
	return c
}

// receive is the callback for messages with replies.
func (b *batcher) receive(msg *nats.Msg) {
	_, name := SplitReplySubject(msg.Subject)
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		b.failAll(name, nats.ErrNoResponders)
		return
	}
	replies, err := DecodeReplies(msg.Data)
	if err != nil { // a worker of another version; what it did is not known
		b.failAll(name, err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, reply := range replies {
		if reply.Message == "" {
			b.receiveForAll(name, reply)
		} else if c := b.remove(reply.Message, reply.Item); c != nil {
			c.done <- resultOf(reply, c.req.Kind)
		}
	}
}

// receiveForAll takes a reply to all requests of a message. The caller holds mu.
func (b *batcher) receiveForAll(name string, reply SeatReply) {
	m := b.inFlight[name]
	switch {
	case m == nil:
	case len(m.calls) == 1:
		if c := b.remove(name, 0); c != nil {
			c.done <- resultOf(reply, c.req.Kind)
		}
	case slices.Contains(undecided, reply.Outcome):
		b.completeAll(name, result{reply: reply})
	default: // a decision is about one request, which it must name
		b.completeAll(name, result{err: errWrongReply})
	}
}

// errWrongReply is the result of a call whose reply cannot be that of a worker.
var errWrongReply = errors.New("the reply does not answer the request")

// resultOf returns the result of a call with a request of a kind that got a reply.
func resultOf(reply SeatReply, kind Kind) result {
	if !fits(reply.Outcome, kind) {
		return result{err: fmt.Errorf("%w: %s to a %s", errWrongReply, reply.Outcome, kind)}
	}
	return result{reply: reply}
}

// failAll gives all calls of a message the same error.
func (b *batcher) failAll(message string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.completeAll(message, result{err: err})
}

// completeAll gives all calls of a message the same result. The caller holds mu.
func (b *batcher) completeAll(message string, r result) {
	if m := b.inFlight[message]; m != nil {
		for item := range m.calls {
			if c := b.remove(message, item); c != nil {
				c.done <- r
			}
		}
	}
}

// SplitReplySubject splits the subject of a reply into the name of the requester and the name of
// the message. Replies to several messages of one requester may travel together, on the reply
// subject of any of them.
func SplitReplySubject(subject string) (requester, message string) {
	i := strings.LastIndexByte(subject, '.')
	return subject[:max(i, 0)], subject[i+1:]
}
