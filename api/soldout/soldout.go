// Package soldout answers from memory that an event is sold out, while a worker has promised that nobody can get a seat.
//
// Such a promise is a lease. A request to register asks for one (messages.SeatRequest.Lease) when this process has told
// many people within a second that the event is sold out, and a worker that refuses it may grant one with its reply: for
// a while, counted from when the request was sent, nobody without a row in the event gets a seat. Who has a row, also a
// cancelled one, may be told something else and is always answered by a worker. So nobody is refused from memory before
// this process knows everybody with a row, which it reads from the store.
//
// The promise is renewed shortly before it ends by a request of somebody, which goes to a worker as all did before;
// meanwhile the others are still answered from memory. docs/decisions.md says why this is exact.
package soldout

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// eventsKept is how many events are remembered of which somebody was told that they are sold out.
	eventsKept = 4096
	// peopleKept is how many people with a row are remembered, of all events. An event with more has no lease.
	peopleKept = 1_000_000
	// pieceRead is how many of them are read at once.
	pieceRead = 20_000
	// fewMore is how many more at most are read in the time of a request.
	fewMore = 1_000
)

// Config says what Leases need.
type Config struct {
	// Entered reads who has a row in an event, as store.Registrations does.
	Entered func(ctx context.Context, event store.ID, after int64, limit int) (store.Event, []store.NumberedUser, error)
	// Go runs a reading, for which no request waits. It must not let a panic end the process.
	Go func(func())
	// Timeout bounds each part of a reading.
	Timeout time.Duration
	// Rush is how many must have been refused within a second before a lease is asked for. Default 20: a quiet event has none,
	// so that nobody who leaves it waits.
	Rush int
	// Ending is closed when the process ends: no reading goes on then.
	Ending <-chan struct{}
	Log    zerolog.Logger
}

// Leases answers requests to register for events that are sold out. It is safe for concurrent use.
type Leases struct {
	config     Config
	now        func() moment
	unanswered unanswered
	stats      *stats
	events     sync.Map // from store.ID to *event: found without a lock by thousands

	mu     sync.Mutex                          // guards all below, and which events there are
	order  *simplelru.LRU[store.ID, *event]    // the same events, by when they were of use
	people int                                 // in all of them
	bounds struct{ events, people, piece int } // constants, but for tests
}

// New makes Leases that know of no event.
func New(config Config) *Leases {
	if config.Rush <= 0 {
		config.Rush = 20
	}
	l := &Leases{config: config, now: clock(), unanswered: unanswered{seed: maphash.MakeSeed()}}
	l.bounds.events, l.bounds.people, l.bounds.piece = eventsKept, peopleKept, pieceRead
	order, err := simplelru.NewLRU[store.ID, *event](eventsKept+1, nil)
	if err != nil { // cannot happen: the size is above 0
		panic(err)
	}
	l.order = order
	l.stats = newStats(l)
	return l
}

// Answer answers a request of a user to register for an event: from memory, when a lease says that nobody gets a seat, and
// otherwise by send, which is told whether to ask for a lease. Call it when all is read that the request brings: it must
// have come before the clock is looked at.
func (l *Leases) Answer(eventID, user store.ID, send func(lease bool) messages.Answer) messages.Answer {
	slot, alone := l.unanswered.begin(eventID, user)
	defer slot.Add(-1)
	e, asking := l.find(eventID), (*renewal)(nil)
	if e != nil && alone { // else an earlier request may still get a seat, and it must not be denied meanwhile
		var refused bool
		if refused, asking = l.look(e, user); refused {
			l.stats.memory.Inc()
			return messages.Answer{Reply: messages.SeatReply{Outcome: store.SoldOut}}
		}
	}
	return l.ask(e, eventID, asking, send)
}

// look looks whether somebody can be refused from memory. If not, their request goes to a worker, and asks for a lease when
// there is a renewal, which is then theirs to end.
func (l *Leases) look(e *event, user store.ID) (refused bool, asking *renewal) {
	for waited := false; ; waited = true {
		now := l.now()
		lease := e.lease.Load()
		if lease != nil && lease.entered.has(user) {
			return false, nil
		}
		if lease.due(now) && e.pace.rush(now) && !e.crowded.Load() {
			if asking = e.begin(); asking != nil {
				return false, asking
			}
		}
		if lease.holds(now) {
			e.pace.count(now, l.config.Rush)
			return true, nil
		}
		under := e.renewal.Load()
		if waited || under == nil || !under.hopeful.Load() {
			return false, nil
		}
		<-under.over
	}
}

// ask has a worker answer a request, and takes the lease that comes with the reply.
func (l *Leases) ask(e *event, eventID store.ID, asking *renewal, send func(lease bool) messages.Answer) (answer messages.Answer) {
	if asking != nil {
		sent := l.now()
		defer func() { l.take(e, asking, sent, answer.Reply) }() // also when send panics: nobody else may ask until then
	}
	answer = send(asking != nil)
	if answer.Reply.Outcome == store.SoldOut {
		l.stats.worker.Inc()
		if e == nil {
			e = l.add(eventID)
		}
		e.pace.count(l.now(), l.config.Rush)
	}
	return answer
}

// take takes the reply to a request that asked for a lease, and ends the renewal: at once, or when everybody is known of
// whom the lease says nothing.
func (l *Leases) take(e *event, asking *renewal, sent moment, reply messages.SeatReply) {
	// Workers grant none that is longer, so none is believed.
	length := time.Duration(min(max(0, reply.LeaseMillis), store.MaxLease.Milliseconds())) * time.Millisecond
	if reply.Outcome != store.SoldOut || length == 0 || reply.LastNumber < max(1, e.known.through) {
		e.end(asking, false)
		return
	}
	l.stats.granted.Inc()
	l.touch(e)
	granted := &lease{from: sent, length: length, entered: e.known}
	if e.known.through == reply.LastNumber {
		e.lease.Store(granted)
		e.end(asking, true)
		return
	}
	if reply.LastNumber-e.known.through <= fewMore {
		asking.hope()
	}
	l.config.Go(func() {
		complete := false
		defer func() { e.end(asking, complete) }()
		if err := l.read(e); err != nil {
			l.config.Log.Warn().Err(err).Str("event_id", e.id.Hex()).Msg("nobody is refused from memory: who has registered cannot be read")
			return
		}
		if complete = e.known.through == reply.LastNumber; complete {
			granted.entered = e.known
			e.lease.Store(granted)
		}
	})
}

// read reads who has a row in an event that is not known yet. What it has read before an error stays known.
func (l *Leases) read(e *event) (err error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		select {
		case <-l.config.Ending:
			stop()
		case <-ctx.Done():
		}
	}()
	through, more := e.known.through, []store.ID(nil)
	for err == nil {
		var state store.Event
		var users []store.NumberedUser
		if state, users, err = l.entered(ctx, e.id, through); err != nil {
			break
		}
		if !l.reserve(e, len(users)) { // it has so many that all begins anew: the little that is known would be of no use
			e.crowded.Store(true)
			e.lease.Store(nil)
			e.known = entered{}
			l.reckon(e)
			return nil
		}
		for _, u := range users {
			more = append(more, u.UserID)
			through = u.Number
		}
		if len(users) < l.bounds.piece {
			through = max(through, state.LastNumber)
			break
		}
	}
	e.known = e.known.with(more, through)
	l.reckon(e)
	return err
}

// entered reads a piece of those who have a row.
func (l *Leases) entered(ctx context.Context, id store.ID, after int64) (store.Event, []store.NumberedUser, error) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	return l.config.Entered(ctx, id, after, l.bounds.piece)
}

// find returns an event, or nil when nobody was told that it is sold out.
func (l *Leases) find(id store.ID) *event {
	if e, ok := l.events.Load(id); ok {
		return e.(*event)
	}
	return nil
}

// add adds an event unless it is there.
func (l *Leases) add(id store.ID) *event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.order.Get(id); ok {
		return e
	}
	e := &event{id: id}
	l.order.Add(id, e)
	l.events.Store(id, e)
	if l.order.Len() > l.bounds.events {
		l.dropOldest()
	}
	return e
}

// touch notes that an event is of use.
func (l *Leases) touch(e *event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order.Get(e.id)
}

// reserve makes room for more people of an event, for which it forgets the events that were of use longest ago. It reports
// false when the event alone has too many, or is forgotten itself.
func (l *Leases) reserve(e *event, more int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept, ok := l.order.Get(e.id); !ok || kept != e || e.people+more > l.bounds.people {
		return false
	}
	for l.people+more > l.bounds.people {
		l.dropOldest() // never e, which was of use just now, and others have people
	}
	e.people += more
	l.people += more
	return true
}

// reckon counts the people of an event anew: some were reserved for twice, who came again.
func (l *Leases) reckon(e *event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept, ok := l.order.Peek(e.id); ok && kept == e {
		l.people += len(e.known.users) - e.people
		e.people = len(e.known.users)
	}
}

// dropOldest forgets the event that was of use longest ago. Who is answering somebody by it goes on. The caller holds mu.
func (l *Leases) dropOldest() {
	id, e, _ := l.order.RemoveOldest()
	l.events.Delete(id)
	l.people -= e.people
}
