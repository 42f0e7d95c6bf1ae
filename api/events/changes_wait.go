package events

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// waitPoll is how often the revision of an event is read while somebody waits for it and no news
	// comes from the processes that make the changes, because NATS is away; waitHeal is how often it is
	// read beside the news, which may be lost.
	waitPoll = 250 * time.Millisecond
	waitHeal = 2 * time.Second
	// waitGap is the least time between two reads: a busy event changes hundreds of times a second.
	waitGap = 50 * time.Millisecond
	// maxWaits bounds how many clients wait at once, where there are connections for so many, and
	// maxOrganizerWaits how many of them for events of one organizer, who has a quarter of them at most.
	// All that wait for one event share its reads.
	maxWaits          = 256
	maxOrganizerWaits = 32
)

// changeStore is what changeWaits asks of a store.
type changeStore interface {
	Event(ctx context.Context, id store.ID) (store.Event, error)
	NextChange() <-chan struct{}
}

// eventNews tells of changes that workers have made: a messages.Link.
type eventNews interface {
	ListenEvent(event store.ID, take func(messages.EventNews)) (stop func(), err error)
	Connected() bool
}

// changeWaits holds the clients that wait for changes of events. A wait holds a connection, and nothing
// closes that to make room for others. It is safe for concurrent use.
type changeWaits struct {
	most       int // how many may wait
	store      changeStore
	timeout    time.Duration   // of a read
	background *sync.WaitGroup // has what reads
	news       eventNews

	mu         sync.Mutex // guards all below
	events     map[store.ID]*watchedEvent
	organizers map[store.ID]int // how many wait
	networks   map[netip.Prefix]int
	waiting    int
	ended      chan struct{} // closed when nobody may wait any more
	over       bool          // it is closed
}

// watchedEvent is an event for which somebody waits. changeWaits.mu guards it.
type watchedEvent struct {
	waiting  int
	recorded int64
	changed  chan struct{} // closed when recorded changes
	stop     context.CancelFunc
}

// newChangeWaits makes changeWaits for at most so many clients; 0, or more than maxWaits: maxWaits.
func newChangeWaits(st changeStore, most int, timeout time.Duration, background *sync.WaitGroup, news eventNews) *changeWaits {
	if most <= 0 || most > maxWaits {
		most = maxWaits
	}
	return &changeWaits{
		store: st, most: most, timeout: timeout, background: background, news: news,
		events: make(map[store.ID]*watchedEvent), organizers: make(map[store.ID]int), networks: make(map[netip.Prefix]int), ended: make(chan struct{}),
	}
}

// end lets everybody go on who waits, and nobody wait any more.
func (c *changeWaits) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over = true
		close(c.ended)
	}
}

// count returns how many clients wait.
func (c *changeWaits) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// await waits until the record of an event has a row after a revision, ctx ends, or end is called. It
// returns false at once when it may not wait. from is the client's network; the zero one is not bounded.
func (c *changeWaits) await(ctx context.Context, e store.Event, after int64, from netip.Prefix) bool {
	watched := c.enter(e, from)
	if watched == nil {
		return false
	}
	defer c.leave(e, from, watched)
	for {
		c.mu.Lock()
		recorded, changed := watched.recorded, watched.changed
		c.mu.Unlock()
		if recorded > after {
			return true
		}
		select {
		case <-changed:
		case <-c.ended:
			return true
		case <-ctx.Done():
			return true
		}
	}
}

// enter counts a client that waits for an event; nil: they are too many, of all, of the organizer's, or of a
// network, which has half of them at most.
func (c *changeWaits) enter(e store.Event, from netip.Prefix) *watchedEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over, c.waiting >= c.most, c.organizers[e.OrganizerID] >= min(maxOrganizerWaits, max(1, c.most/4)),
		from.IsValid() && c.networks[from] >= max(1, c.most/2):
		return nil
	}
	c.waiting++
	c.organizers[e.OrganizerID]++
	c.networks[from]++
	watched := c.events[e.ID]
	if watched == nil {
		ctx, stop := context.WithCancel(context.Background())
		watched = &watchedEvent{recorded: e.Recorded, changed: make(chan struct{}), stop: stop}
		c.events[e.ID] = watched
		c.background.Go(func() { c.watch(ctx, e.ID, watched) })
	}
	watched.waiting++
	return watched
}

func (c *changeWaits) leave(e store.Event, from netip.Prefix, watched *watchedEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting--
	if c.organizers[e.OrganizerID]--; c.organizers[e.OrganizerID] == 0 {
		delete(c.organizers, e.OrganizerID)
	}
	if c.networks[from]--; c.networks[from] == 0 {
		delete(c.networks, from)
	}
	if watched.waiting--; watched.waiting == 0 {
		watched.stop()
		delete(c.events, e.ID)
	}
}

// watch reads an event whenever this process has changed something or there is news of the event, and
// now and then, until nobody waits for it any more. A read that fails is repeated.
func (c *changeWaits) watch(ctx context.Context, id store.ID, watched *watchedEvent) {
	hinted := make(chan struct{}, 1)
	stop, err := c.news.ListenEvent(id, func(messages.EventNews) {
		select {
		case hinted <- struct{}{}:
		default: // it will be read
		}
	})
	if err == nil {
		defer stop()
	}
	for {
		next, begun := c.store.NextChange(), time.Now() // taken before the read, so that nothing is missed
		if e, err := c.read(ctx, id); err == nil {
			c.tell(watched, e.Recorded)
		}
		poll := waitPoll
		if err == nil && c.news.Connected() {
			poll = waitHeal
		}
		select {
		case <-next:
		case <-hinted:
		case <-time.After(poll):
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(waitGap - time.Since(begun)):
		case <-ctx.Done():
			return
		}
	}
}

func (c *changeWaits) read(ctx context.Context, id store.ID) (store.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.store.Event(ctx, id)
}

// tell wakes who waits when the record has grown.
func (c *changeWaits) tell(watched *watchedEvent, recorded int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if recorded != watched.recorded {
		watched.recorded = recorded
		close(watched.changed)
		watched.changed = make(chan struct{})
	}
}
