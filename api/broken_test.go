package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// Ids of events that a brokenStore breaks at, each in its own way.
var (
	panics         = store.ID{11: 1}
	failsOddly     = store.ID{11: 2}
	failsAtOnce    = store.ID{11: 3}
	failsInMiddle  = store.ID{11: 4}
	panicsInMiddle = store.ID{11: 5}
	stalls         = store.ID{11: 6}
)

// manySeats is so long a roster that some of it is sent before it ends.
const manySeats = 2500

var errInner = errors.New("panic: mongo sql: select eventio/pkg/store.go:1")

// brokenStore breaks wherever it is asked to.
type brokenStore struct {
	store.Store
	events  atomic.Pointer[store.ID] // how the list of events breaks
	claims  atomic.Bool              // whether a claim of a key fails oddly
	stalled chan struct{}            // gets a value when a read that stalls has ended
	reading atomic.Int64             // how many reads that stall have begun
}

func (s *brokenStore) Event(ctx context.Context, id store.ID) (store.Event, error) {
	switch id {
	case panics:
		panic(errInner)
	case failsOddly:
		return store.Event{}, errInner
	case failsAtOnce, failsInMiddle, panicsInMiddle, stalls:
		return store.Event{ID: id}, nil
	}
	return s.Store.Event(ctx, id)
}

func (s *brokenStore) CreateEvent(ctx context.Context, e store.Event) error {
	switch e.Title {
	case "panics":
		panic(errInner)
	case "fails oddly":
		return errInner
	}
	return s.Store.CreateEvent(ctx, e)
}

func (s *brokenStore) Begin(ctx context.Context, c store.Claim, lease time.Duration) (store.Claim, bool, error) {
	if s.claims.Load() {
		return store.Claim{}, false, errInner
	}
	return s.Store.Begin(ctx, c, lease)
}

func (s *brokenStore) Roster(ctx context.Context, id store.ID, after, through int64, limit int) iter.Seq2[store.Registration, error] {
	if id.Timestamp().Unix() != 0 {
		return s.Store.Roster(ctx, id, after, through, limit)
	}
	one := store.Registration{UserID: store.ID{0: 0xee}, Number: 1}
	if after == 0 && limit > 1000 && id != failsAtOnce { // a whole roster is read piece by piece
		return func(yield func(store.Registration, error) bool) {
			for n := 0; n < manySeats && yield(one, nil); n++ {
			}
		}
	}
	return breaking(s, ctx, id, one)
}

func (s *brokenStore) Attendees(ctx context.Context, q store.AttendeeQuery) iter.Seq2[store.Attendee, error] {
	if q.EventID.Timestamp().Unix() != 0 {
		return s.Store.Attendees(ctx, q)
	}
	one := store.Attendee{UserID: store.ID{0: 0xee}, Number: 1, Name: "Ada"}
	if q.After == 0 && q.Limit > 1000 && q.EventID != failsAtOnce { // a whole list is read piece by piece
		return func(yield func(store.Attendee, error) bool) {
			for n := 0; n < manySeats && yield(one, nil); n++ {
			}
		}
	}
	return breaking(s, ctx, q.EventID, one)
}

// FindEvents breaks after a first page that is as it should be.
func (s *brokenStore) FindEvents(ctx context.Context, q store.EventQuery) (page store.EventPage, err error) {
	id := s.events.Load()
	if id == nil {
		return s.Store.FindEvents(ctx, q)
	}
	if q.After == nil && *id != failsAtOnce {
		page.Events, page.Next = slices.Repeat([]store.Event{{Title: "Concert"}}, manySeats), &store.EventCursor{}
		return page, nil
	}
	for _, failed := range breaking(s, ctx, *id, store.Event{}) {
		err = failed
	}
	return page, err
}

func breaking[T any](s *brokenStore, ctx context.Context, how store.ID, item T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if how == stalls {
			s.reading.Add(1)
			defer func() { s.stalled <- struct{}{} }()
		}
		for n := 0; n < manySeats && how != failsAtOnce; n++ {
			if !yield(item, nil) {
				return
			}
		}
		switch how {
		case panicsInMiddle:
			panic(errInner)
		case stalls:
			<-ctx.Done()
		}
		yield(item, fmt.Errorf("%w: %w", store.ErrUnavailable, errInner))
	}
}

// panicking is a store in which one user's registration makes Apply panic.
type panicking struct{ store.Seats }

var cursed = store.ID{0: 0xcc}

func (p panicking) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	for _, r := range batch {
		if r.UserID == cursed {
			panic(errInner)
		}
	}
	return p.Seats.Apply(ctx, batch)
}

func forEachBrokenStore(t *testing.T, test func(*testing.T, *env, *brokenStore)) {
	t.Helper()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var broken *brokenStore
			e := newEnv(t, kind, setup{
				config: hasty,
				front: func(st store.Store) api.Store {
					broken = &brokenStore{Store: st, stalled: make(chan struct{}, 1)}
					return broken
				},
				seats: func(st store.Seats) store.Seats { return panicking{st} },
			})
			test(t, e, broken)
			e.check(t)
		})
	}
}

func at(id store.ID) string { return events + "/" + id.Hex() }

func TestPanicsAndOddErrors(t *testing.T) {
	forEachBrokenStore(t, func(t *testing.T, e *env, broken *brokenStore) {
		path := e.newEvent(t, 5)
		for range 2 { // the second time shows that nothing was left locked
			e.get(t, at(panics)).problem(t, 500, "internal")
			e.get(t, at(panics)+"/registrations").problem(t, 500, "internal")
			e.get(t, at(failsOddly)).problem(t, 500, "internal")
			e.post(t, events, eventBody("title", `"panics"`)).problem(t, 500, "internal")
			// A write that fails in a way nobody knows may have been stored.
			e.post(t, events, eventBody("title", `"fails oddly"`)).problem(t, 504, "unknown_outcome")
			e.register(t, path, cursed.Hex()).problem(t, 504, "unknown_outcome")
			broken.claims.Store(true)
			e.post(t, events, eventBody(), key, newUser()).problem(t, 504, "unknown_outcome")
			broken.claims.Store(false)
		}
		e.get(t, path).object(t, 200, eventFields)
		e.register(t, path, newUser()).object(t, 201, registrationFields)
		t.Run("the_log_has_what_the_client_is_not_told", func(t *testing.T) {
			for _, sign := range []string{"brokenStore", errInner.Error()} {
				if e.log.find(sign) == "" {
					t.Errorf("no line has %q", sign)
				}
			}
		})
	})
}

func TestBrokenLists(t *testing.T) {
	t.Parallel()
	forEachBrokenStore(t, func(t *testing.T, e *env, broken *brokenStore) {
		t.Run("that_fails_before_it_is_sent_is_a_problem", func(t *testing.T) {
			e.get(t, at(failsAtOnce)+"/registrations").problem(t, 503, "overloaded")
			e.get(t, at(failsAtOnce)+"/registrations?limit=5").problem(t, 503, "overloaded")
			e.get(t, at(failsInMiddle)+"/registrations?limit=1000").wantType(t, 200, jsonType) // needs no more
			for _, query := range []string{"", "?format=csv", "?limit=5", "?limit=5&sort=name", "?limit=5&q=ada"} {
				e.get(t, at(failsAtOnce)+"/attendees"+query).problem(t, 503, "overloaded")
			}
			broken.events.Store(&failsAtOnce)
			defer broken.events.Store(nil)
			e.get(t, events).problem(t, 503, "overloaded")
		})
		for name, how := range map[string]store.ID{"fails": failsInMiddle, "panics": panicsInMiddle, "stalls": stalls} {
			wantBroken := func(t *testing.T, path string) {
				t.Helper()
				a, err := e.send(t.Context(), "GET", path, "")
				if !errors.Is(err, io.ErrUnexpectedEOF) || a.status != 200 || len(a.body) < 1000 || json.Valid(a.body) {
					t.Errorf("the answer is a %d of %d bytes that ends with %v", a.status, len(a.body), err)
				}
				if how == stalls {
					<-broken.stalled
					a.within(t, a.silent) // the limit begins anew with all that is sent
					return
				}
				old := e.http10(t, path) // knows no chunks: only the text can tell
				if _, text, _ := strings.Cut(old, "\r\n\r\n"); len(text) < 1000 || json.Valid([]byte(text)) {
					t.Errorf("HTTP/1.0 gets %d bytes: %.40q...%.40q", len(text), text, text[max(0, len(text)-40):])
				}
			}
			t.Run("a_roster_that_"+name+"_in_the_middle_is_visibly_broken", func(t *testing.T) {
				wantBroken(t, at(how)+"/registrations")
			})
			t.Run("a_guest_list_that_"+name+"_in_the_middle_is_visibly_broken", func(t *testing.T) {
				wantBroken(t, at(how)+"/attendees")
			})
			t.Run("a_list_of_events_that_"+name+"_in_the_middle_is_visibly_broken", func(t *testing.T) {
				broken.events.Store(&how)
				defer broken.events.Store(nil)
				wantBroken(t, events)
			})
		}
		t.Run("a_reader_that_leaves_ends_the_read", func(t *testing.T) {
			conn, before := e.dial(t), broken.reading.Load()
			_, err := fmt.Fprintf(conn, "GET %s/registrations HTTP/1.1\r\nHost: x\r\n\r\n", at(stalls))
			must(t, err)
			// Nearly all of what comes before the read that stalls: it can begin then.
			_, err = io.ReadFull(conn, make([]byte, 60_000))
			must(t, err)
			// A reader that left earlier would end the list in the middle of a write.
			testenv.Eventually(t, awhile, "the read that stalls", func() error {
				if broken.reading.Load() == before {
					return errors.New("it has not begun")
				}
				return nil
			})
			must(t, conn.Close())
			select {
			case <-broken.stalled:
			case <-time.After(awhile):
				t.Error("the read goes on for a reader that is gone")
			}
		})
		e.register(t, e.newEvent(t, 1), newUser()).object(t, 201, registrationFields)
	})
}

// dial opens a connection to the API on which nothing waits for ever.
func (e *env) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", e.server.Listener.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// http10 makes a request as an old client would, and returns all that comes.
func (e *env) http10(t testing.TB, path string) string {
	t.Helper()
	conn := e.dial(t)
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path)
	must(t, err)
	data, _ := io.ReadAll(conn) // a reset is as good as an end
	return string(data)
}

func TestClientThatLeavesInTheMiddleOfItsBody(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		path := e.newEvent(t, 5)
		before := e.counts(t)
		for name, head := range map[string]string{
			"with_length": "Content-Length: 1000\r\n\r\n", "chunked": "Transfer-Encoding: chunked\r\n\r\n3e8\r\n",
		} {
			t.Run(name, func(t *testing.T) {
				for _, to := range []struct{ path, body string }{
					{path + "/registrations", registrationBody(newUser())}, {events, eventBody()}, {users, userBody()},
				} {
					conn := e.dial(t)
					// The text itself is whole, but not all that was announced.
					_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s%s", to.path, head, to.body)
					must(t, err)
					must(t, conn.SetLinger(0)) // gone at once, not politely
					must(t, conn.Close())
				}
			})
		}
		testenv.Eventually(t, awhile, "six log lines", func() error {
			if n := e.log.count(`"outcome":"invalid"`); n != 6 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		if after := e.counts(t); after != before {
			t.Errorf("users, events, registrations: %v, before %v", after, before)
		}
		e.register(t, path, newUser()).object(t, 201, registrationFields)
	})
}
