// Package live has the streams of server-sent events: of an event, and of what happens to a person's
// registrations.
//
// # What is told
//
// Workers publish news on NATS when something is stored, and an API process subscribes to news of what
// somebody listens to. News is a hint to read the store, and nothing in it is told to anybody: so lost
// news delays what is told by 3 s at most, and forged news causes a read, four a second at most for
// each event or person that somebody listens to.
//
// # Who is slow
//
// A stream has no queue of its own. Of an event only the latest state counts, and who is behind gets
// that next. Of a person the latest changes are kept, and who is further behind is sent away, to come
// back and read. A client that takes nothing for sendTimeout is sent away.
package live

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// DefaultStreams is the default of Config.Most, and the most that it may be.
	DefaultStreams = 8192
	// maxOfAddress bounds the streams to one address. Networks of many people have a multiple of it.
	maxOfAddress = 256
	// keptChanges is how many changes of a person are kept for streams that are behind.
	keptChanges = 64
)

// Store is what the streams read.
type Store interface {
	Event(ctx context.Context, id store.ID) (store.Event, error)
	UserRegistrations(ctx context.Context, userID, before store.ID, limit int) seqRegistrations
	store.Changes
}

// News is where hints come from: a messages.Link.
type News interface {
	ListenEvent(event store.ID, take func(messages.EventNews)) (stop func(), err error)
	ListenPeople(take func(messages.PeopleNews)) (stop func(), err error)
}

// Config has the settings of Streams. Store, News and Running are required.
type Config struct {
	Store Store
	News  News
	// Timeout bounds a read.
	Timeout time.Duration
	// Most is how many streams there may be at once, at most DefaultStreams, which is also the default.
	Most int
	// Busy reports whether others need the processor more. nil: nobody does.
	Busy func() bool
	// Running has the goroutines that read. They end when nobody listens.
	Running *sync.WaitGroup
}

// Streams serves the streams of one process. It is safe for concurrent use.
type Streams struct {
	store          Store
	events, people *hub
	most           int

	mu        sync.Mutex // guards all below
	open      int
	ofAddress map[netip.Addr]int
	ofNetwork map[netip.Prefix]int
	listening int    // things of people to which somebody listens
	silence   func() // ends the listening to news of people
	ended     chan struct{}
	over      bool // ended is closed
}

// New makes Streams.
func New(c Config) *Streams {
	s := &Streams{store: c.Store, most: c.Most, ofAddress: make(map[netip.Addr]int), ofNetwork: make(map[netip.Prefix]int), ended: make(chan struct{})}
	if s.most <= 0 || s.most > DefaultStreams {
		s.most = DefaultStreams
	}
	if c.Busy == nil {
		c.Busy = func() bool { return false }
	}
	p := newPacer(c.Busy)
	s.events = &hub{
		open: func(id store.ID) Feed { return newEventFeed(c.Store, id) }, keep: 1,
		timeout: c.Timeout, pace: p.wait, running: c.Running, topics: make(map[store.ID]*topic),
		listen: func(id store.ID) func() {
			stop, err := c.News.ListenEvent(id, func(n messages.EventNews) { s.events.hint(id, n.Revision) })
			if err != nil { // NATS is gone for good; the store is read all the same
				return func() {}
			}
			return stop
		},
	}
	s.people = &hub{
		open: func(id store.ID) Feed { return newPersonFeed(c.Store, id) }, keep: keptChanges,
		timeout: c.Timeout, pace: p.wait, running: c.Running, topics: make(map[store.ID]*topic),
		listen: func(store.ID) func() { return s.listenPeople(c.News) },
	}
	return s
}

// listenPeople listens to news of people, once for all of them.
func (s *Streams) listenPeople(news News) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listening++; s.listening == 1 {
		stop, err := news.ListenPeople(s.hintPeople)
		if err != nil {
			stop = func() {}
		}
		s.silence = stop
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.listening--; s.listening == 0 {
			s.silence()
		}
	}
}

func (s *Streams) hintPeople(n messages.PeopleNews) {
	users, named := n.UserIDs()
	if !named {
		s.people.hintAll()
	}
	for _, id := range users {
		s.people.hint(id, 0)
	}
}

// Enter counts a stream to a client's address and network until leave is called. It fails with the problem
// Overloaded when there are too many, of all, of this address or of its network, which may have half of
// all, and after End. factor says how many times as many as others the address may have; 0: any number, and
// so may its network.
func (s *Streams) Enter(address netip.Addr, factor int) (leave func(), err error) {
	network := fairqueue.Network(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return nil, errEnding()
	case s.open >= s.most:
		return nil, problem.Newf(problem.Overloaded, "There are as many live streams as may be; ask for the event with its ETag meanwhile.")
	case factor > 0 && s.ofAddress[address] >= factor*maxOfAddress:
		return nil, problem.Newf(problem.Overloaded, "There are as many live streams to this address as may be; ask for the event with its ETag meanwhile.")
	case factor > 0 && s.ofNetwork[network] >= max(1, s.most/2):
		return nil, problem.Newf(problem.Overloaded, "There are as many live streams to the network of this address as may be; ask for the event with its ETag meanwhile.")
	}
	s.open++
	s.ofAddress[address]++
	s.ofNetwork[network]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		if s.ofNetwork[network]--; s.ofNetwork[network] == 0 {
			delete(s.ofNetwork, network)
		}
		if s.ofAddress[address]--; s.ofAddress[address] == 0 {
			delete(s.ofAddress, address)
		}
	}, nil
}

func errEnding() error {
	return problem.Newf(problem.Overloaded, "This process is ending; come back after the time in Retry-After.")
}

// Open returns how many streams there are.
func (s *Streams) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// End ends all streams in order, and lets nobody begin one any more.
func (s *Streams) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.over = true
		close(s.ended)
	}
}
