package worker

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestWhoIsInTheNews checks whose registrations a change is told to be about: those who came, left or moved up,
// and anybody when not all of them are named.
func TestWhoIsInTheNews(t *testing.T) {
	a, b, c := store.ID{1}, store.ID{2}, store.ID{3}
	two := store.Promotion{Through: 2, Count: 2, Users: []store.NumberedUser{{Number: 1, UserID: b}, {Number: 2, UserID: c}}}
	for name, tt := range map[string]struct {
		actions []store.Action
		users   []store.ID
		any     bool
	}{
		"nobody":                 {nil, nil, false},
		"an edit":                {[]store.Action{{Kind: store.EditEvent}}, nil, false},
		"one comes, one goes":    {[]store.Action{{UserID: a}, {UserID: b}}, []store.ID{a, b}, true},
		"an edit moves up":       {[]store.Action{{Kind: store.EditEvent, Promoted: two}}, []store.ID{b, c}, true},
		"one leaves, two follow": {[]store.Action{{UserID: a, Promoted: two}}, []store.ID{a, b, c}, true},
		"many move up":           {[]store.Action{{Kind: store.EditEvent, Promoted: store.Promotion{Count: 20_000, Through: 20_000}}}, nil, true},
		"many move up, and one leaves afterwards": {
			[]store.Action{{Kind: store.EditEvent, Promoted: store.Promotion{Count: 20_000, Through: 20_000}}, {UserID: a}}, nil, true,
		},
	} {
		users, any := peopleOf(store.Change{Actions: tt.actions})
		if !slices.Equal(users, tt.users) || any != tt.any {
			t.Errorf("%s: %v, %v", name, users, any)
		}
	}
}

// TestNewsThatWaits checks that noting news never blocks, that what was noted before the end is published, and that
// what is above the bound is dropped.
func TestNewsThatWaits(t *testing.T) {
	conn := connectTo(t, testenv.StartNATS(t).URL())
	link := messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: "eventio", Database: "a"}}
	event := store.ID{1}
	heard := make(chan int64, 10*maxUntold)
	stop, err := link.ListenEvent(event, func(n messages.EventNews) { heard <- n.Revision })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	a := newAnnouncer(link, func(err error) { t.Error(err) })
	for revision := range int64(2 * maxUntold) {
		a.take([]store.Change{{After: store.Event{ID: event, Revision: revision + 1}}})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a.run(ended)
	if err := conn.FlushTimeout(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	for want := range int64(maxUntold) {
		select {
		case got := <-heard:
			if got != want+1 {
				t.Fatalf("news of revision %d, want %d", got, want+1)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no news of revision %d", want+1)
		}
	}
	if len(heard) > 0 {
		t.Errorf("%d more are published", len(heard))
	}
}

// TestNewsThatCannotBePublished checks which failures are told: not that NATS is away, which its connection tells.
func TestNewsThatCannotBePublished(t *testing.T) {
	server := testenv.StartNATS(t)
	closed := connectTo(t, server.URL())
	closed.Close()
	away := connectTo(t, "nats://127.0.0.1:1") // where nothing listens
	for name, c := range map[string]struct {
		conn *nats.Conn
		told int
	}{"a closed connection": {closed, 1}, "no server": {away, 0}} {
		told := 0
		a := newAnnouncer(messages.Link{Conn: c.conn, Namespace: messages.Namespace{Prefix: "eventio", Database: "a"}}, func(error) { told++ })
		a.announce([]store.Change{{After: store.Event{ID: store.ID{1}, Revision: 1}, Actions: []store.Action{{UserID: store.ID{2}}}}})
		if told != c.told {
			t.Errorf("%s: %d failures are told, want %d", name, told, c.told)
		}
	}
}

func connectTo(t *testing.T, url string) *nats.Conn {
	t.Helper()
	conn, err := messages.Connect(url, "worker", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}
