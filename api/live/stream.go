package live

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// MediaType is that of a stream.
	MediaType = "text/event-stream"
	// heartbeat is how often something is sent in any case: below the time after which gateways end a
	// connection without traffic, 60 s in nginx.
	heartbeat = 15 * time.Second
	// recheck is how often it is looked whether the token still counts.
	recheck = 400 * time.Millisecond
	// sendTimeout is how long a client may take to take a message.
	sendTimeout = 5 * time.Second
	// leastRetry and mostRetry are the time after which a client comes back when its stream has ended, at
	// random, so that not all come at once.
	leastRetry = time.Second
	mostRetry  = 6 * time.Second
	// longest is how long a stream lasts, at most: then it ends in order, so that clients spread over
	// processes that came later.
	longest = time.Hour
)

// Stream is one client that listens.
type Stream struct {
	Writer http.ResponseWriter
	// LastEventID is what the client has got last, before it lost its connection. Empty: nothing.
	LastEventID string
	// Check fails when the client may not listen any more. nil: it may for ever.
	Check func() error
}

// ServeEvent sends where an event stands until ctx ends, the event is gone, or the client is too slow. It
// returns the errors of Check and of reads that must come before anything is sent.
func (s *Streams) ServeEvent(ctx context.Context, st Stream, id store.ID) error {
	after, err := strconv.ParseInt(st.LastEventID, 10, 64)
	if err != nil {
		after = 0
	}
	o := &output{Stream: st, after: after}
	return s.serve(ctx, s.events, o, id, func() ([]Frame, error) { return nil, nil })
}

// ServePerson sends what happens to a person's registrations, as ServeEvent does: first what the client
// has missed since LastEventID.
func (s *Streams) ServePerson(ctx context.Context, st Stream, user store.ID) error {
	o := &output{Stream: st}
	return s.serve(ctx, s.people, o, user, func() ([]Frame, error) {
		reading, cancel := context.WithTimeout(ctx, s.people.timeout)
		defer cancel()
		return missed(reading, s.store, user, st.LastEventID)
	})
}

// serve subscribes a stream, and sends what it is told. first returns what comes before that; it is called
// when the stream is subscribed, so that nothing is missed between the two.
func (s *Streams) serve(ctx context.Context, h *hub, o *output, id store.ID, first func() ([]Frame, error)) error {
	l, leave := h.subscribe(id)
	defer leave()
	if err := s.untilReady(ctx, h, l); err != nil {
		return err
	}
	frames, err := first()
	if err != nil {
		return err
	}
	o.begin()
	o.comment("open")
	for _, f := range frames {
		o.add(f)
	}
	began := time.Now()
	end := began.Add(longest - rand.N(longest/10))
	beat := began.Add(heartbeat)
	patience := began.Add(healEvery + time.Second) // then what the client has is not waited for
	checkAt := began.Add(recheck)
	timer := time.NewTimer(recheck)
	defer timer.Stop()
	for {
		frames, gone, behind := h.take(l)
		if behind {
			return o.end() // it comes back with its Last-Event-ID
		}
		for _, f := range frames {
			o.add(f)
		}
		now := time.Now()
		if o.Check != nil && !now.Before(checkAt) {
			if o.Check() != nil {
				return o.end()
			}
			checkAt = now.Add(recheck)
		}
		if gone || !now.Before(end) {
			return o.end()
		}
		if o.after > 0 && !now.Before(patience) {
			o.release()
		}
		if !now.Before(beat) { // a message, because scripts see no comments, and so no connection that is dead
			o.add(Frame{Event: Heartbeat, Data: []byte("{}")})
		}
		if o.pending() {
			if err := o.send(); err != nil {
				return nil // the client is gone, or too slow
			}
			beat = now.Add(heartbeat)
		}
		wait := earliest(beat, end)
		if o.after > 0 {
			wait = earliest(wait, patience)
		}
		if o.Check != nil {
			wait = earliest(wait, checkAt)
		}
		timer.Reset(time.Until(wait))
		select {
		case <-l.wake:
		case <-timer.C:
		case <-s.ended:
			return o.end()
		case <-ctx.Done():
			return nil
		}
	}
}

// untilReady waits until what a listener listens to was read. Nothing is sent before that, not even a
// status: a client that sees the stream open relies on being told everything from then on, and what
// happens before the first read is told to nobody. It fails with the problem Overloaded when the read
// takes longer than it may, and when the process is ending.
func (s *Streams) untilReady(ctx context.Context, h *hub, l *listener) error {
	timer := time.NewTimer(h.timeout)
	defer timer.Stop()
	for !h.ready(l) {
		select {
		case <-l.wake:
		case <-timer.C:
			return problem.Newf(problem.Overloaded, "The store does not answer in time; nothing was sent.")
		case <-s.ended:
			return errEnding()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// output writes server-sent events. See the HTML standard, section 9.2.6.
type output struct {
	Stream
	after int64  // frames of earlier revisions are older than what the client has
	held  *Frame // the latest of those
	buf   bytes.Buffer
}

// begin sets the headers.
func (o *output) begin() {
	h := o.Writer.Header()
	h.Set("Content-Type", MediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep the messages until it has a few KB
	// The server bounds the time of a whole request; a stream bounds each of its messages.
	_ = http.NewResponseController(o.Writer).SetReadDeadline(time.Time{})
	o.retry()
}

// retry says when to come back after the stream has ended, however it ends.
func (o *output) retry() {
	fmt.Fprintf(&o.buf, "retry: %d\n\n", (leastRetry + rand.N(mostRetry-leastRetry)).Milliseconds())
}

// comment adds a line that clients ignore.
func (o *output) comment(text string) { fmt.Fprintf(&o.buf, ": %s\n\n", text) }

// add adds a frame, unless the client has a later one.
func (o *output) add(f Frame) {
	switch {
	case f.Revision > 0 && f.Revision < o.after:
		o.held = &f
		return
	case f.Revision > 0:
		o.after, o.held = 0, nil // the next ones are later
	}
	if f.ID != "" {
		fmt.Fprintf(&o.buf, "id: %s\n", f.ID)
	}
	fmt.Fprintf(&o.buf, "event: %s\ndata: %s\n\n", f.Event, f.Data)
}

// release adds what was held back: what the client has is of no revision that was ever stored here.
func (o *output) release() {
	held := o.held
	o.after = 0
	if held != nil {
		o.add(*held)
	}
}

func (o *output) pending() bool { return o.buf.Len() > 0 }

// send sends what was added. It fails when the client does not take it in time.
func (o *output) send() error {
	control := http.NewResponseController(o.Writer)
	// Not every writer has deadlines (tests); the server's own limit stands then.
	_ = control.SetWriteDeadline(time.Now().Add(sendTimeout))
	_, err := o.Writer.Write(o.buf.Bytes())
	o.buf.Reset()
	if err == nil {
		err = control.Flush()
	}
	return err
}

// end ends the stream in order: with a new time after which to come back.
func (o *output) end() error {
	o.retry()
	_ = o.send() // a client that is gone needs no end
	return nil
}
