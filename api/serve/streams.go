package serve

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/fairqueue"
)

const (
	// flushEvery is how much of a stream is gathered before it is sent, in bytes.
	flushEvery = 32 << 10
	// SendTimeout is how long a reader of a stream may take for flushEvery bytes.
	SendTimeout = 15 * time.Second
)

// ListFormat is how the items of a list become an answer.
type ListFormat struct {
	media               string
	begin, between, end string
	item                func(any) ([]byte, error)
}

// JSONArray is a list as one array.
func JSONArray() ListFormat {
	return ListFormat{"application/json", "[", ",", "]\n", func(item any) ([]byte, error) { return json.Marshal(item) }}
}

// StreamJSON sends the items of a list as one array. See stream.
func (a *Core) StreamJSON(w http.ResponseWriter, r *Request, list func(context.Context) iter.Seq2[any, error]) error {
	return a.Stream(w, r, JSONArray(), list)
}

// Stream sends the items of a list as one answer, in constant memory. The context that list
// gets outlives the deadline of the answer: it ends when the first piece is not there by then, when
// no later one has come for the time of a request, and when the client leaves. An error before
// anything is sent is returned for a problem document; a later one breaks the answer off.
//
// A list that does not fit into the first piece counts among those that wait for their readers, which
// are bounded: the problem RateLimited says that the client has too many, Overloaded that all have.
//
// A list that fits into the first piece is sent as one answer with its ETag; a longer one
// has none, because it would have to be read twice. HEAD reads no further than that piece.
func (a *Core) Stream(w http.ResponseWriter, r *Request, format ListFormat, list func(context.Context) iter.Seq2[any, error]) error {
	ctx, cancel := context.WithTimeout(r.Lasting, a.throttle.longest)
	defer cancel()
	end, _ := ctx.Deadline()
	watchdog := time.AfterFunc(time.Until(r.Deadline), cancel)
	defer watchdog.Stop()
	control := http.NewResponseController(w)
	buf := make([]byte, 0, flushEvery+4<<10)
	buf = append(buf, format.begin...)
	w.Header().Set("Content-Type", format.media)
	begun := time.Now()
	send := func(more bool) error {
		watchdog.Stop()
		worked := time.Since(begun)
		// Not every writer has deadlines (tests); the server's own limit stands then.
		_ = control.SetWriteDeadline(earliest(time.Now().Add(SendTimeout), end))
		_, err := w.Write(buf)
		buf = buf[:0]
		if more && err == nil {
			a.throttle.pause(ctx, worked)
			begun = time.Now()
		}
		watchdog.Reset(a.Config.RequestTimeout)
		return err
	}
	first, sent := true, false
	for item, err := range list(ctx) {
		if err != nil {
			return err
		}
		if !first {
			buf = append(buf, format.between...)
		}
		first = false
		data, err := format.item(item)
		if err != nil {
			return fmt.Errorf("encode an item of a list: %w", err)
		}
		buf = append(buf, data...)
		if len(buf) >= flushEvery {
			if r.Method == http.MethodHead {
				return nil
			}
			if !sent { // from here on it waits for its reader
				leave, err := a.throttle.enter(a.Gate.Client(r.Request))
				if err != nil {
					return err
				}
				defer leave()
			}
			sent = true
			if err := send(true); err != nil {
				return fmt.Errorf("send a list: %w", err)
			}
		}
	}
	buf = append(buf, format.end...)
	if !sent {
		WriteTagged(w, r.Request, format.media, buf)
		return nil
	}
	return send(false)
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Encoded converts the items of a list to the values that StreamJSON encodes.
func Encoded[T any](seq iter.Seq2[T, error], convert func(T) any) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for v, err := range seq {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(convert(v), nil) {
				return
			}
		}
	}
}

const (
	// busySeatRequests is how many seat requests must be under way before streams pause: more than
	// an ordinary day brings, and far fewer than a sale that opens.
	busySeatRequests = 32
	// pauseFactor is how many times as long as it worked a stream pauses.
	pauseFactor = 3
	// maxPause bounds how long a reader waits for the next piece.
	maxPause = 100 * time.Millisecond
	// maxPausing bounds how many streams pause, so that the last of them does not wait for long.
	maxPausing = 4
	// maxReading bounds how many streams read from the store at a time: half of the connections for
	// reads that the embedded one has.
	maxReading = 4
	// maxStreams bounds the streams that wait for their readers: each holds a chunk of its list, of
	// which one of events may take a megabyte. maxStreamsOfAddress bounds those of one client, and
	// maxStreamsOfNetwork those of its network: whoever has one IPv6 /48 has 65,536 addresses.
	maxStreams          = 64
	maxStreamsOfNetwork = maxStreams / 4
	maxStreamsOfAddress = 8
	// longestStream bounds how long a stream takes, however fast its reader is.
	longestStream = 10 * time.Minute
)

// streamThrottle keeps readers of long lists from slowing down everybody else. While many seat
// requests are under way, a stream pauses after each piece, one stream after the other. What streams
// hold of the store and of the memory is bounded. It is safe for concurrent use.
type streamThrottle struct {
	seatRequests atomic.Int64  // under way
	pausing      chan struct{} // holds the streams that pause or wait for their turn
	turn         chan struct{} // holds the one that pauses
	reading      chan struct{} // holds the streams that read from the store
	longest      time.Duration // that a stream takes

	mu        sync.Mutex // guards all below
	running   int        // streams that wait for their readers
	ofAddress map[netip.Addr]int
	ofNetwork map[netip.Prefix]int
}

func newStreamThrottle() *streamThrottle {
	return &streamThrottle{
		pausing: make(chan struct{}, maxPausing), turn: make(chan struct{}, 1), reading: make(chan struct{}, maxReading),
		longest: longestStream, ofAddress: make(map[netip.Addr]int), ofNetwork: make(map[netip.Prefix]int),
	}
}

// busy reports whether more seat requests are under way than on an ordinary day.
func (s *streamThrottle) busy() bool { return s.seatRequests.Load() >= busySeatRequests }

// enter counts a stream to a client's address and network until leave is called.
func (s *streamThrottle) enter(address netip.Addr) (leave func(), err error) {
	network := fairqueue.Network(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ofAddress[address] >= maxStreamsOfAddress:
		return nil, problem.Newf(problem.RateLimited, "%d long lists are being sent to this address; read these first, or read lists in pages, with limit.", maxStreamsOfAddress)
	case s.ofNetwork[network] >= maxStreamsOfNetwork:
		return nil, problem.Newf(problem.RateLimited, "%d long lists are being sent to the network of this address; try again after the time in Retry-After, or read lists in pages, with limit.", maxStreamsOfNetwork)
	case s.running >= maxStreams:
		return nil, problem.Newf(problem.Overloaded, "Too many long lists are being sent; try again after the time in Retry-After, or read lists in pages, with limit.")
	}
	s.running++
	s.ofAddress[address]++
	s.ofNetwork[network]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running--
		if s.ofNetwork[network]--; s.ofNetwork[network] == 0 {
			delete(s.ofNetwork, network)
		}
		if s.ofAddress[address]--; s.ofAddress[address] == 0 {
			delete(s.ofAddress, address)
		}
	}, nil
}

// pause delays a stream that has worked for so long. It returns at once while few seat requests
// are under way, when enough streams pause already, and when ctx ends.
func (s *streamThrottle) pause(ctx context.Context, worked time.Duration) {
	if !s.busy() {
		return
	}
	select {
	case s.pausing <- struct{}{}:
		defer func() { <-s.pausing }()
	default:
		return
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return
	}
	select {
	case <-time.After(min(pauseFactor*worked, maxPause)):
	case <-ctx.Done():
	}
}

// What lists cost, in requests of the rate limit, by what the store does for them. A page without a
// search costs what reading an event does, up to PageOfOne events.
const (
	CostOfSearch    = 5  // several indexes are read and compared
	CostOfWholeList = 20 // the list is read to its end
	PageOfOne       = 100
)

// CostOfPage returns what a page of at most limit items costs; 0: it is the whole list.
func CostOfPage(limit int) int {
	if limit == 0 {
		return CostOfWholeList
	}
	return max(1, limit/PageOfOne)
}

// WriteList sends a page of changes.
func WriteList(w http.ResponseWriter, r *Request, form ListFormat, changes []wire.Change) error {
	buf := []byte(form.begin)
	for i, c := range changes {
		if i > 0 {
			buf = append(buf, form.between...)
		}
		item, err := form.item(c)
		if err != nil {
			return fmt.Errorf("encode a change: %w", err)
		}
		buf = append(buf, item...)
	}
	WriteTagged(w, r.Request, form.media, append(buf, form.end...))
	return nil
}

// DefaultUserPage is the size of a page of a user's registrations when none is asked for.
const DefaultUserPage = 100

// Busy reports whether more seat requests are under way than on an ordinary day.
func (a *Core) Busy() bool { return a.throttle.busy() }

// SeatRequests returns how many seat requests are under way.
func (a *Core) SeatRequests() int64 { return a.throttle.seatRequests.Load() }
