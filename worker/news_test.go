package worker_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/worker"
)

// TestNewsFollowsTheCommit: of what is stored, and of nothing else: who left, who moved up, and what was
// edited.
func TestNewsFollowsTheCommit(t *testing.T) {
	broken := false
	s := newSite(t, worker.Config{}, func([]store.SeatRequest) error {
		if broken {
			return errors.New("broken")
		}
		return nil
	})
	link := messages.Link{Conn: s.connect("listener"), Namespace: s.names()}
	events, people := make(chan messages.EventNews, 100), make(chan messages.PeopleNews, 100)
	for _, listen := range []func() (func(), error){
		func() (func(), error) {
			return link.ListenEvent(s.event, func(n messages.EventNews) {
				if e, err := s.store.Event(t.Context(), s.event); err != nil || e.Revision < n.Revision {
					t.Errorf("news of revision %d before it is stored: %d, %v", n.Revision, e.Revision, err)
				}
				events <- n
			})
		},
		func() (func(), error) { return link.ListenPeople(func(n messages.PeopleNews) { people <- n }) },
	} {
		stop, err := listen()
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	if err := link.Conn.FlushTimeout(limit); err != nil {
		t.Fatal(err)
	}
	ada, bob := store.NewID(), store.NewID()
	ask := func(kind messages.Kind, user store.ID, edit *store.Edit, want store.Outcome) {
		t.Helper()
		got := s.requester.Request(t.Context(), messages.SeatRequest{
			Kind: kind, RequestID: store.NewID().Hex(), EventID: s.event, UserID: user, Edit: edit,
		}, time.Now().Add(limit))
		if got.Reply.Outcome != want {
			t.Fatalf("%s: %+v, want %s", kind, got, want)
		}
	}
	next := func(revision int64, users ...store.ID) {
		t.Helper()
		select {
		case n := <-events:
			if n.Revision != revision {
				t.Fatalf("news of revision %d, want %d", n.Revision, revision)
			}
		case <-time.After(limit):
			t.Fatalf("no news of revision %d", revision)
		}
		if len(users) == 0 {
			return
		}
		select {
		case n := <-people:
			if got, _ := n.UserIDs(); n.EventID != s.event || !slices.Equal(got, users) {
				t.Fatalf("news of %v, want %v", got, users)
			}
		case <-time.After(limit):
			t.Fatalf("no news of %v", users)
		}
	}
	one, yes := int64(1), true
	ask(messages.KindEditEvent, store.ID{}, &store.Edit{Version: store.AnyVersion, Capacity: &one, Waitlist: &yes}, store.Edited)
	next(2)
	ask(messages.KindRegister, ada, nil, store.Registered)
	next(3, ada)
	ask(messages.KindRegister, ada, nil, store.AlreadyRegistered) // no change, no news
	broken = true
	ask(messages.KindRegister, bob, nil, messages.OutcomeUnknown) // nothing stored, no news
	broken = false
	ask(messages.KindRegister, bob, nil, store.Waitlisted)
	next(4, bob)
	ask(messages.KindCancel, ada, nil, store.Cancelled)
	next(5, ada, bob) // who left and who moved up
	if len(events)+len(people) > 0 {
		t.Errorf("%d and %d more", len(events), len(people))
	}
}
