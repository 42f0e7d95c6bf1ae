package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventio/eventio/api/wire"
)

// LiveEvent is where an event stands.
type LiveEvent = wire.LiveEvent

const (
	// silence is how long nothing may come before a stream counts as broken: three heartbeats.
	silence = 45 * time.Second
	// defaultReturn is after what time a client comes back when the stream did not say.
	defaultReturn = 2 * time.Second
	// maxLine bounds a line of a stream, in bytes.
	maxLine = 1 << 20
	// rememberedChanges is how many changes LiveUser remembers, of which none is given twice.
	rememberedChanges = 256
)

// LiveEvent gives where an event stands, at once and whenever that changes, at most a few times a second:
// the latest state, so that one that was overtaken may be left out. A stream that breaks is opened again
// where it was. It goes on until ctx ends, the caller stops, or an error ends it: with
// CodeEventNotFound when the event was deleted.
func (c *Client) LiveEvent(ctx context.Context, event ID) iter.Seq2[LiveEvent, error] {
	return func(yield func(LiveEvent, error) bool) {
		l := &listening{client: c, call: call{name: "LiveEvent", method: http.MethodGet, path: eventPath(event) + "/live"}}
		err := l.follow(ctx, func(m message) (bool, error) {
			var state LiveEvent
			if m.event != "state" {
				return true, nil
			}
			if err := json.Unmarshal(m.data, &state); err != nil {
				return false, err
			}
			return yield(state, nil), nil
		})
		if err != nil {
			yield(LiveEvent{}, err)
		}
	}
}

// LiveUser gives what happens to a user's registrations, as it happens; the user acts. Nothing that
// happens after opened was called is missed, also when the stream breaks and is opened again, and
// nothing is given twice. opened is called each time that the stream has opened, for the caller to
// read what there is; nil: nobody wants to know. It goes on until ctx ends, the caller stops, or an
// error ends it: with CodeUnauthenticated when the token has ended.
func (c *Client) LiveUser(ctx context.Context, user ID, opened func()) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		l := &listening{client: c, call: call{name: "LiveUser", method: http.MethodGet, path: userPath(user) + "/live"}, opened: opened}
		var given []string
		err := l.follow(ctx, func(m message) (bool, error) {
			var change Change
			if m.event != "change" {
				return true, nil
			}
			if err := json.Unmarshal(m.data, &change); err != nil {
				return false, err
			}
			if slices.Contains(given, change.ID) {
				return true, nil
			}
			given = append(given, change.ID)
			given = given[max(0, len(given)-rememberedChanges):]
			return yield(change, nil), nil
		})
		if err != nil {
			yield(Change{}, err)
		}
	}
}

// listening is a stream that is opened again when it breaks.
type listening struct {
	client *Client
	call   call
	opened func()
	last   string // the id of the last message
	pause  time.Duration
}

// message is a server-sent event.
type message struct {
	event string
	data  []byte
}

// errStopped ends the reading because the caller has stopped.
var errStopped = finalError{fmt.Errorf("the caller has stopped")}

// follow calls take with each message until take returns false, or an error that is returned.
func (l *listening) follow(ctx context.Context, take func(message) (bool, error)) error {
	for {
		stopped := false
		l.pause = defaultReturn
		l.call.lastEventID = l.last
		err := l.client.do(ctx, l.call, func(res *http.Response) error {
			if l.opened != nil {
				l.opened()
			}
			return l.read(res.Body, func(m message) error {
				more, err := take(m)
				if err != nil {
					return finalError{fmt.Errorf("a message is not understood; does Event.io run there? %w", err)}
				}
				if stopped = !more; stopped {
					return errStopped
				}
				return nil
			})
		})
		if stopped {
			return nil
		}
		if err != nil {
			return err
		}
		if slept, err := sleep(ctx, l.pause/2+rand.N(l.pause)); !slept {
			failed := &Error{Call: l.call.name, Attempts: 1, cause: err}
			if err == nil {
				failed.cause = context.DeadlineExceeded // ctx has not that long
			}
			return failed
		}
	}
}

// read reads a stream to its end, by the HTML standard, section 9.2.6. That it breaks is no error: it
// is opened again.
func (l *listening) read(body io.Reader, take func(message) error) error {
	alive := func() {}
	if timed, ok := body.(*timedBody); ok {
		alive = func() { timed.timer.Reset(silence) }
	}
	alive()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	var m message
	for lines.Scan() {
		alive()
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			m.event = value
		case "data":
			m.data = append(append(m.data, value...), '\n')
		case "id":
			l.last = value
		case "retry":
			if n, err := strconv.ParseUint(value, 10, 31); err == nil {
				l.pause = time.Duration(n) * time.Millisecond
			}
		case "":
			if value != "" || lines.Text() != "" { // a comment
				continue
			}
			if len(m.data) > 0 {
				if err := take(m); err != nil {
					return err
				}
			}
			m = message{}
		}
	}
	return nil
}
