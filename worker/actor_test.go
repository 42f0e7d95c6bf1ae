package worker_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/worker"
)

// TestTheStoreIsToldWhoActs: over a real connection, each request of a message has its own actor.
// A request without an actor is served like the others, and so is one of a newer version, with
// unknown fields and an unknown kind of actor.
func TestTheStoreIsToldWhoActs(t *testing.T) {
	var mu sync.Mutex
	var applied []store.SeatRequest
	s := newSite(t, worker.Config{}, func(batch []store.SeatRequest) error {
		mu.Lock()
		defer mu.Unlock()
		applied = append(applied, batch...)
		return nil
	})
	user := store.NewID()
	line := func(user store.ID, actor string) string {
		return `{"kind":"register","request_id":"r","event_id":"` + s.event.Hex() + `","user_id":"` + user.Hex() +
			`",` + actor + `"remaining_ms":5000}` + "\n"
	}
	message := line(store.NewID(), ``) +
		line(user, `"actor_kind":"person","actor_id":"`+user.Hex()+`",`) +
		line(store.NewID(), `"actor_kind":"operator",`) +
		line(store.NewID(), `"actor_kind":"agent","actor_id":"`+user.Hex()+`","actor_session":{"a":[1]},`)
	inbox := s.conn.NewInbox()
	replies, err := s.conn.SubscribeSync(inbox + ".*")
	if err == nil {
		err = s.conn.PublishRequest(s.names().Seats(), inbox+".1", []byte(message))
	}
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Actor{{}, {Kind: store.ActorPerson, ID: user}, {Kind: store.ActorOperator}, {Kind: "agent", ID: user}}
	for answered := 0; answered < len(want); {
		msg, err := replies.NextMsg(limit)
		if err != nil {
			t.Fatalf("after %d replies: %v", answered, err)
		}
		all, err := messages.DecodeReplies(msg.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, reply := range all {
			if reply.Outcome != store.Registered {
				t.Errorf("request %d is answered %s", reply.Item, reply.Outcome)
			}
		}
		answered += len(all)
	}
	mu.Lock()
	defer mu.Unlock()
	var got []store.Actor
	for _, r := range applied {
		got = append(got, r.Actor)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the store was told of %+v, want %+v", got, want)
	}
}

// TestARequesterTellsWhoActs: the store gets the actor of the request that a requester sends.
func TestARequesterTellsWhoActs(t *testing.T) {
	applied := make(chan store.SeatRequest, 1)
	s := newSite(t, worker.Config{}, func(batch []store.SeatRequest) error { applied <- batch[0]; return nil })
	by := messages.Actor{Kind: messages.ActorKey, ID: store.NewID()}
	got := s.requester.Request(t.Context(), messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: "r", EventID: s.event, UserID: store.NewID(), Actor: by,
	}, time.Now().Add(limit))
	if got.Cause != nil {
		t.Fatal(got.Cause)
	}
	if got := (<-applied).Actor; got != (store.Actor{Kind: store.ActorKey, ID: by.ID}) {
		t.Errorf("the store was told of %+v", got)
	}
}
