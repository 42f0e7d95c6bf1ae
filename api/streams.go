package api

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// flushEvery is how much of a stream is gathered before it is sent, in bytes.
	flushEvery = 32 << 10
	// sendTimeout is how long a reader of a stream may take for flushEvery bytes.
	sendTimeout = 15 * time.Second
)

// listFormat is how the items of a list become an answer.
type listFormat struct {
	media               string
	begin, between, end string
	item                func(any) ([]byte, error)
}

// jsonArray is a list as one array.
func jsonArray() listFormat {
	return listFormat{"application/json", "[", ",", "]\n", func(item any) ([]byte, error) { return json.Marshal(item) }}
}

// streamJSON sends the items of a list as one array. See stream.
func (a *API) streamJSON(w http.ResponseWriter, r *request, list func(context.Context) iter.Seq2[any, error]) error {
	return a.stream(w, r, jsonArray(), list)
}

// stream sends the items of a list as one answer, in constant memory. The context that list
// gets outlives the deadline of the answer: it ends when the first piece is not there by then, when
// no later one has come for the time of a request, and when the client leaves. An error before
// anything is sent is returned for a problem document; a later one breaks the answer off.
//
// A list that fits into the first piece is sent as one answer with its ETag; a longer one
// has none, because it would have to be read twice. HEAD reads no further than that piece.
func (a *API) stream(w http.ResponseWriter, r *request, format listFormat, list func(context.Context) iter.Seq2[any, error]) error {
	ctx, cancel := context.WithCancel(r.lasting)
	defer cancel()
	watchdog := time.AfterFunc(time.Until(r.deadline), cancel)
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
		_ = control.SetWriteDeadline(time.Now().Add(sendTimeout))
		_, err := w.Write(buf)
		buf = buf[:0]
		if more && err == nil {
			a.throttle.pause(ctx, worked)
			begun = time.Now()
		}
		watchdog.Reset(a.config.RequestTimeout)
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
			sent = true
			if err := send(true); err != nil {
				return fmt.Errorf("send a list: %w", err)
			}
		}
	}
	buf = append(buf, format.end...)
	if !sent {
		writeTagged(w, r.Request, format.media, buf)
		return nil
	}
	return send(false)
}

// encoded converts the items of a list to the values that streamJSON encodes.
func encoded[T any](seq iter.Seq2[T, error], convert func(T) any) iter.Seq2[any, error] {
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
	// maxPausing bounds how many streams pause, because each of them holds a connection of the
	// store meanwhile: the embedded one has eight.
	maxPausing = 4
)

// streamThrottle keeps readers of long lists from slowing down registrations. While many seat
// requests are under way, a stream pauses after each piece, one stream after the other. It is safe
// for concurrent use.
type streamThrottle struct {
	seatRequests atomic.Int64  // under way
	pausing      chan struct{} // holds the streams that pause or wait for their turn
	turn         chan struct{} // holds the one that pauses
}

func newStreamThrottle() *streamThrottle {
	return &streamThrottle{pausing: make(chan struct{}, maxPausing), turn: make(chan struct{}, 1)}
}

// pause delays a stream that has worked for so long. It returns at once while few seat requests
// are under way, when enough streams pause already, and when ctx ends.
func (s *streamThrottle) pause(ctx context.Context, worked time.Duration) {
	if s.seatRequests.Load() < busySeatRequests {
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
