package messages

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// maxItems is the most requests in one message.
const maxItems = 256

// usualItem is the size of most requests, in bytes.
const usualItem = 256

// errVoid is the verdict on a request whose time was up before it could be sent.
var errVoid = errors.New("no time was left to send it")

// sender sends requests, and hands each its reply. Requests that are made at the same time
// share a message. It is safe for concurrent use.
type sender struct {
	conn    *nats.Conn
	inbox   string // replies come to inbox.<message>
	started time.Time

	mu      sync.Mutex          // guards all below
	waiting map[string][]*call  // not sent yet, by subject; a subject has an entry while it is drained
	sent    map[string]*message // those with calls that wait, by name
	count   uint64              // of messages
}

// call is a request under way.
type call struct {
	req   SeatRequest
	until time.Time    // when the caller gives it up
	done  chan verdict // has room for one

	// Guarded by the sender's mu.
	abandoned bool
	message   string // "" before it is sent
	item      int
}

// verdict is what came of a call: a reply, or the reason why there is none.
type verdict struct {
	reply SeatReply
	err   error
}

// message is one that was sent. A call is taken out when it is answered or abandoned.
type message struct {
	calls []*call
	open  int
}

// newSender begins to receive on conn; that ends with conn.
func newSender(conn *nats.Conn) (*sender, error) {
	s := &sender{conn: conn, inbox: conn.NewInbox(), started: time.Now(), waiting: make(map[string][]*call), sent: make(map[string]*message)}
	if _, err := conn.Subscribe(s.inbox+".*", s.receive); err != nil {
		return nil, fmt.Errorf("subscribe to the replies: %w", err)
	}
	return s, nil
}

// send has a request sent to subject. The call gets its verdict, unless it is abandoned.
func (s *sender) send(subject string, req SeatRequest, until time.Time) *call {
	c := &call{req: req, until: until, done: make(chan verdict, 1)}
	s.mu.Lock()
	queue, drained := s.waiting[subject]
	s.waiting[subject] = append(queue, c)
	s.mu.Unlock()
	if !drained {
		go s.drain(subject)
	}
	return c
}

// drain sends what waits for a subject, until nothing does.
func (s *sender) drain(subject string) {
	for {
		// There is no timer: whoever is about to ask goes first and shares the message, and
		// in an idle process that is nobody.
		runtime.Gosched()
		name, data := s.next(subject)
		if name == "" {
			return
		}
		if err := s.conn.PublishRequest(subject, s.inbox+"."+name, data); err != nil {
			s.settleAll(name, err)
		}
	}
}

// next makes a message of what waits; name is empty when nothing does.
func (s *sender) next(subject string) (name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	queue := s.waiting[subject]
	m := &message{calls: make([]*call, 0, min(len(queue), maxItems))}
	data = make([]byte, 0, cap(m.calls)*usualItem)
	for len(queue) > 0 && len(m.calls) < maxItems {
		c := queue[0]
		if c.abandoned {
			queue = queue[1:]
			continue
		}
		item, err := c.encode(now, s.started)
		if err != nil {
			c.done <- verdict{err: err}
			c.abandoned = true
			queue = queue[1:]
			continue
		}
		if len(data) > 0 && len(data)+len(item) > MaxMessage {
			break
		}
		queue = queue[1:]
		c.item = len(m.calls)
		m.calls = append(m.calls, c)
		data = append(data, item...)
	}
	if len(m.calls) == 0 {
		delete(s.waiting, subject)
		return "", nil
	}
	s.waiting[subject] = queue
	name = strconv.FormatUint(s.count, 36)
	s.count++
	for _, c := range m.calls {
		c.message = name
	}
	m.open = len(m.calls)
	s.sent[name] = m
	return name, data
}

// encode writes the request as it is sent now, by a sender that has been there since started.
func (c *call) encode(now, started time.Time) ([]byte, error) {
	remaining := c.until.Sub(now) - replyMargin
	if remaining <= 0 {
		return nil, errVoid
	}
	c.req.RemainingMillis = max(1, remaining.Milliseconds())
	c.req.SentMillis = 1 + now.Sub(started).Milliseconds()
	return Encode(c.req)
}

// abandon gives a call up and reports whether it may have reached a worker.
func (s *sender) abandon(c *call) (sent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.abandoned = true
	if c.message == "" {
		return false
	}
	s.take(c.message, c.item)
	return true
}

// take removes a call from its message; nil when it is gone. It is called with mu held.
func (s *sender) take(name string, item int) *call {
	m := s.sent[name]
	if m == nil || item < 0 || item >= len(m.calls) || m.calls[item] == nil {
		return nil
	}
	c := m.calls[item]
	m.calls[item] = nil
	if m.open--; m.open == 0 {
		delete(s.sent, name)
	}
	return c
}

// receive is the subscription's callback.
func (s *sender) receive(msg *nats.Msg) {
	_, name := SplitReplySubject(msg.Subject)
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		s.settleAll(name, nats.ErrNoResponders)
		return
	}
	replies, err := DecodeReplies(msg.Data)
	if err != nil { // a worker of another version; what it did is not known
		s.settleAll(name, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reply := range replies {
		if reply.Message == "" {
			s.settle(name, verdict{reply: reply})
		} else if c := s.take(reply.Message, reply.Item); c != nil {
			c.done <- verdict{reply: reply}
		}
	}
}

// settleAll gives all calls of a message the same error.
func (s *sender) settleAll(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(name, verdict{err: err})
}

// settle gives all calls of a message the same verdict. It is called with mu held.
func (s *sender) settle(name string, v verdict) {
	if m := s.sent[name]; m != nil {
		for item := range m.calls {
			if c := s.take(name, item); c != nil {
				c.done <- v
			}
		}
	}
}

// SplitReplySubject parts the subject of a reply into what names the requester and what
// names the message. Replies to several messages of one requester may travel together,
// on the subject of any of them.
func SplitReplySubject(subject string) (requester, message string) {
	i := strings.LastIndexByte(subject, '.')
	return subject[:max(i, 0)], subject[i+1:]
}
