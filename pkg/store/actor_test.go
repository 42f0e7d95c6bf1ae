package store_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// TestActionsOfABatch checks that each request that changes something is among the Actions of its
// event's change, with who made it, also when many people and roles are in one batch, and that a
// request that changes nothing is not.
func TestActionsOfABatch(t *testing.T) {
	e, other := newEvent(2), newEvent(2)
	e.Waitlist, e.OrganizerID = true, store.NewID()
	crowd := newCrowd(4)
	organizer := store.Actor{Kind: store.ActorOrganizer, ID: e.OrganizerID}
	operator := store.Actor{Kind: store.ActorOperator}
	later := store.Actor{Kind: "of a newer version", ID: store.NewID()}
	person := func(i int) store.Actor { return store.Actor{Kind: store.ActorPerson, ID: crowd[i]} }
	var batch []store.SeatRequest
	add := func(kind store.Kind, event store.Event, user store.ID, by store.Actor) *store.SeatRequest {
		batch = append(batch, store.SeatRequest{
			Kind: kind, EventID: event.ID, UserID: user, RequestID: fmt.Sprint("request ", len(batch)), Actor: by, At: time.Now(),
		})
		return &batch[len(batch)-1]
	}
	add(store.Register, e, crowd[0], person(0))
	add(store.Register, other, crowd[0], person(0))
	add(store.Register, e, crowd[1], later)
	add(store.Register, e, crowd[1], person(1)).Keyed = true // is kept, and changes nothing
	add(store.Register, e, crowd[2], person(2))              // waits
	add(store.Cancel, e, crowd[0], organizer)
	add(store.Cancel, e, crowd[0], person(0))              // has nothing left
	add(store.Cancel, e, crowd[3], person(3)).Keyed = true // never had anything
	add(store.Register, e, crowd[0], store.Actor{})
	add(store.EditEvent, e, store.ID{}, organizer).Edit = &store.Edit{Version: store.AnyVersion, Title: new("new")}
	add(store.EditEvent, e, store.ID{}, later).Edit = &store.Edit{Version: 1}                                                                              // too late
	add(store.EditEvent, e, store.ID{}, store.Actor{Kind: store.ActorOrganizer, ID: crowd[0]}).Edit = &store.Edit{Version: store.AnyVersion, Cancel: true} // is not
	add(store.Recount, e, store.ID{}, operator)
	add(store.Register, store.Event{ID: store.NewID()}, crowd[0], person(0)) // there is no such event

	wrong := e
	wrong.TicketsSold = 1 // though nobody is registered
	_, changes := store.Decide(map[store.ID]store.EventState{
		e.ID: {Event: wrong, Counts: &store.Counts{}}, other.ID: {Event: other},
	}, batch)
	want := [][]store.Action{
		{
			{Kind: store.Register, Actor: person(0), UserID: crowd[0], Number: 1},
			{Kind: store.Register, Actor: later, UserID: crowd[1], Number: 2},
			{Kind: store.Register, Actor: person(2), UserID: crowd[2], Number: 3},
			{Kind: store.Cancel, Actor: organizer, UserID: crowd[0], Number: 1},
			{Kind: store.Register, Actor: store.Actor{}, UserID: crowd[0], Number: 5}, // 4 keeps the key of a cancellation
			{Kind: store.EditEvent, Actor: organizer, UserID: store.ID{}, Number: 0},
			{Kind: store.Recount, Actor: operator, UserID: store.ID{}, Number: 0},
		},
		{{Kind: store.Register, Actor: person(0), UserID: crowd[0], Number: 1}},
	}
	if len(changes) != len(want) {
		t.Fatalf("%d changes", len(changes))
	}
	for i, c := range changes {
		for j := range c.Actions { // the rest is for TestChangeRecords
			a := c.Actions[j]
			c.Actions[j] = store.Action{Kind: a.Kind, Actor: a.Actor, UserID: a.UserID, Number: a.Number}
		}
		if !reflect.DeepEqual(c.Actions, want[i]) {
			t.Errorf("change %d has the actions\n%+v, want\n%+v", i, c.Actions, want[i])
		}
	}

	// A recount that finds nothing wrong changes nothing.
	recount := []store.SeatRequest{{Kind: store.Recount, EventID: e.ID, RequestID: "recount", Actor: operator}}
	if _, changes := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e, Counts: &store.Counts{}}}, recount); len(changes) != 0 {
		t.Errorf("a recount of right counters changes %+v", changes)
	}
}

// TestCheckActor: what an API process sends for each kind of actor is taken, and nothing else. A
// request without an actor, and one of a newer version, is taken as it is.
func TestCheckActor(t *testing.T) {
	user, other := store.NewID(), store.NewID()
	kinds := []store.Kind{store.Register, store.Cancel, store.EditEvent, store.Recount}
	for _, c := range []struct {
		name  string
		actor store.Actor
		may   string // by kind, in the order above
	}{
		{"nobody", store.Actor{}, "yyyy"},
		{"the person", store.Actor{Kind: store.ActorPerson, ID: user}, "yynn"},
		{"another person", store.Actor{Kind: store.ActorPerson, ID: other}, "nnnn"},
		{"a person without an id", store.Actor{Kind: store.ActorPerson}, "nnnn"},
		{"an organizer", store.Actor{Kind: store.ActorOrganizer, ID: other}, "nyyn"},
		{"an organizer without an id", store.Actor{Kind: store.ActorOrganizer}, "nnnn"},
		{"an operator", store.Actor{Kind: store.ActorOperator}, "yyyy"},
		{"a key", store.Actor{Kind: store.ActorKey, ID: other}, "yyyy"},
		{"unproven, as the user", store.Actor{Kind: store.ActorUnproven, ID: user}, "yynn"},
		{"unproven, as another one", store.Actor{Kind: store.ActorUnproven, ID: other}, "nnnn"},
		{"unproven, as nobody", store.Actor{Kind: store.ActorUnproven}, "nnyn"},
		{"of a newer version", store.Actor{Kind: "agent", ID: other}, "yyyy"},
	} {
		var may []byte
		for _, kind := range kinds {
			req := store.SeatRequest{Kind: kind, Actor: c.actor}
			if kind == store.Register || kind == store.Cancel {
				req.UserID = user
			}
			if req.CheckActor() == nil {
				may = append(may, 'y')
			} else {
				may = append(may, 'n')
			}
		}
		if string(may) != c.may {
			t.Errorf("%s may %s, want %s, of %v", c.name, may, c.may, kinds)
		}
	}
}

// TestProofsHaveWords checks the word of each proof, by which records and logs know it.
func TestProofsHaveWords(t *testing.T) {
	for proof, want := range map[store.Proof]string{
		"": "token", store.ProofOIDC: "oidc", store.ProofHeader: "header", store.ByKey(store.ID{1}): "key/010000000000000000000000", "newer": "newer",
	} {
		if got := proof.String(); got != want {
			t.Errorf("%q is %q", string(proof), got)
		}
	}
}
