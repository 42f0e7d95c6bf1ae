package live

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/eventio/eventio/pkg/store"
)

const (
	// readGap is the least time between two reads of the same thing: nobody is told more often.
	readGap = 250 * time.Millisecond
	// healEvery is how often a thing is read without news, less up to a tenth: so a lost message is made
	// good within 3 s.
	healEvery = 2500 * time.Millisecond
	// wave is how many listeners are woken at once. Between two waves others get the processor.
	wave = 32
)

// ErrGone is why a Feed ends for good: what it reads is not there any more.
var ErrGone = errors.New("it is gone")

// Frame is one message to those who listen.
type Frame struct {
	ID    string // see the id of server-sent events
	Event string // its name
	Data  []byte // one line
	// Revision is that of the event that the frame tells, for frames of which only the latest counts.
	Revision int64
}

// Feed reads one thing that somebody listens to. Its methods are called by one goroutine at a time.
type Feed interface {
	// Read returns the frames that are new since the last Read. next is when something changes by the
	// clock alone; zero: nothing does. It fails with ErrGone, then with a last frame or none; any other
	// error means that the next Read makes it good. Frames that come with an error count.
	Read(ctx context.Context) (frames []Frame, next time.Time, err error)
}

// hub follows the things of one kind to which somebody listens: it reads each when there is news of it, and
// now and then, and tells all its listeners. It never waits for a listener. It is safe for concurrent
// use.
type hub struct {
	open    func(id store.ID) Feed
	listen  func(id store.ID) (stop func())  // to news; it calls hint
	keep    int                              // frames kept for a listener that is behind
	timeout time.Duration                    // of a read
	pace    func(ctx context.Context, n int) // waits until n more listeners may be told
	running *sync.WaitGroup

	mu     sync.Mutex // guards topics and what is in them
	topics map[store.ID]*topic
}

// topic is a thing to which somebody listens. hub.mu guards it.
type topic struct {
	listeners map[*listener]struct{}
	frames    []Frame // the latest, at most hub.keep
	sent      uint64  // how many frames there were
	ready     bool    // it was read
	gone      bool    // nothing more will come
	hinted    chan struct{}
	seen      int64 // the latest revision that was read
	stop      context.CancelFunc
}

// listener is one stream. hub.mu guards its fields but wake.
type listener struct {
	topic *topic
	next  uint64        // the number of the frame that it gets next
	wake  chan struct{} // of capacity 1
}

// subscribe has a listener told of a thing from now on, until leave is called.
func (h *hub) subscribe(id store.ID) (l *listener, leave func()) {
	h.mu.Lock()
	t := h.topics[id]
	if t == nil {
		ctx, stop := context.WithCancel(context.Background())
		t = &topic{listeners: make(map[*listener]struct{}), hinted: make(chan struct{}, 1), stop: stop}
		h.topics[id] = t
		h.running.Go(func() { h.follow(ctx, id, t) })
	} else {
		t.hint() // news may have been lost: who comes now is told the latest soon
	}
	l = &listener{topic: t, wake: make(chan struct{}, 1), next: t.sent}
	if h.keep == 1 && t.sent > 0 {
		l.next = t.sent - 1 // where only the latest frame counts, it is where everybody begins
	}
	t.listeners[l] = struct{}{}
	h.mu.Unlock()
	l.signal()
	return l, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(t.listeners, l)
		if len(t.listeners) == 0 {
			t.stop()
			if h.topics[id] == t {
				delete(h.topics, id)
			}
		}
	}
}

// signal wakes the listener, if it is not awake already.
func (l *listener) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take returns the frames that a listener has not got yet. gone says that nothing more will come, and
// behind that frames are missing, because the listener was too slow and each of them counts.
func (h *hub) take(l *listener) (frames []Frame, gone, behind bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := l.topic
	first := t.sent - uint64(len(t.frames))
	if l.next < first {
		behind = h.keep > 1
		l.next = first
	}
	frames = append(frames, t.frames[l.next-first:]...)
	l.next = t.sent
	return frames, t.gone, behind
}

// ready reports whether the listener's thing was read, or is gone.
func (h *hub) ready(l *listener) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return l.topic.ready || l.topic.gone
}

// hint has a thing read soon, unless the revision has been read already; 0: whichever that is.
func (h *hub) hint(id store.ID, revision int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[id]; t != nil && (revision == 0 || revision > t.seen) {
		t.hint()
	}
}

// hintAll has everything read soon.
func (h *hub) hintAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.topics {
		t.hint()
	}
}

func (t *topic) hint() {
	select {
	case t.hinted <- struct{}{}:
	default: // it will be read
	}
}

// follow reads a thing until nobody listens to it any more, or it is gone.
func (h *hub) follow(ctx context.Context, id store.ID, t *topic) {
	silence := h.listen(id) // before the first read, so that nothing is missed
	defer silence()
	feed := h.open(id)
	for {
		begun := time.Now()
		frames, next, err := h.read(ctx, feed)
		if ctx.Err() != nil {
			return
		}
		gone := errors.Is(err, ErrGone)
		h.tell(ctx, id, t, reading{frames, err == nil || gone, gone})
		if gone {
			return
		}
		again := begun.Add(healEvery - rand.N(healEvery/10))
		if !next.IsZero() && next.Before(again) {
			again = next
		}
		select {
		case <-t.hinted:
		case <-time.After(time.Until(again)):
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(time.Until(begun.Add(readGap))):
		case <-ctx.Done():
			return
		}
		select { // a hint from meanwhile is made good by the read that follows
		case <-t.hinted:
		default:
		}
	}
}

func (h *hub) read(ctx context.Context, feed Feed) ([]Frame, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	return feed.Read(ctx)
}

// reading is what came of reading a thing.
type reading struct {
	frames []Frame // also of a reading that failed later
	whole  bool    // it did not fail
	gone   bool    // the thing is
}

// tell adds frames and wakes the listeners, one wave after the other.
func (h *hub) tell(ctx context.Context, id store.ID, t *topic, r reading) {
	h.mu.Lock()
	frames, gone := r.frames, r.gone
	news := len(frames) > 0 || r.whole && !t.ready || gone
	t.ready, t.gone = t.ready || r.whole, gone
	t.sent += uint64(len(frames))
	t.frames = append(t.frames, frames...)
	t.frames = t.frames[max(0, len(t.frames)-h.keep):]
	for _, f := range frames {
		t.seen = max(t.seen, f.Revision)
	}
	if gone && h.topics[id] == t {
		delete(h.topics, id) // who comes now begins anew
	}
	var all []*listener
	if news {
		for l := range t.listeners {
			all = append(all, l)
		}
	}
	h.mu.Unlock()
	for len(all) > 0 {
		n := min(wave, len(all))
		h.pace(ctx, n)
		for _, l := range all[:n] {
			l.signal()
		}
		all = all[n:]
	}
}

// pacer bounds how many listeners are told a second, of all things together. It lets others through while
// they are busy.
type pacer struct {
	limiter *rate.Limiter
	busy    func() bool
}

const (
	// calmRate and busyRate are how many listeners are told a second, when nobody is busy and when somebody
	// is. Each costs about 20 µs of a processor, most of it in the system.
	calmRate = 8000
	busyRate = 2000
)

func newPacer(busy func() bool) *pacer {
	return &pacer{rate.NewLimiter(calmRate, wave), busy}
}

func (p *pacer) wait(ctx context.Context, n int) {
	r := rate.Limit(calmRate)
	if p.busy() {
		r = busyRate
	}
	if p.limiter.Limit() != r {
		p.limiter.SetLimit(r)
	}
	_ = p.limiter.WaitN(ctx, n) // an error means that ctx has ended, and with it the need
}
