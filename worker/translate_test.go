package worker

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestEveryOutcomeOfTheStoreTravels: each has a row in the table, with the same word, which is
// valid on the wire.
func TestEveryOutcomeOfTheStoreTravels(t *testing.T) {
	words := testenv.Constants(t, "../pkg/store", "Outcome")
	for _, word := range words {
		reply := wireReply(store.SeatResult{Outcome: store.Outcome(word)})
		want := word
		if outcomes[store.Outcome(word)] == messages.OutcomeInvalid { // what no API process asks for
			want = string(messages.OutcomeInvalid)
		}
		if string(reply.Outcome) != want || !reply.Outcome.Valid() {
			t.Errorf("the store's %s becomes %s on the wire", word, reply.Outcome)
		}
	}
	if len(outcomes) != len(words) {
		t.Errorf("%d outcomes are translated, the store has %d", len(outcomes), len(words))
	}
	if reply := wireReply(store.SeatResult{Outcome: "of tomorrow", Position: 3}); reply != (messages.SeatReply{Outcome: messages.OutcomeUnknown}) {
		t.Errorf("an outcome that is not in the table becomes %+v", reply)
	}
}

// TestEveryKindIsTranslated: every kind of request but a probe has a row in the table, and the
// kinds of actors are the same words on both sides.
func TestEveryKindIsTranslated(t *testing.T) {
	ours, theirs := testenv.Constants(t, "../pkg/messages", "Kind"), testenv.Constants(t, "../pkg/store", "Kind")
	for _, word := range ours {
		if got := kinds[messages.Kind(word)]; string(got) != word && word != string(messages.KindProbe) {
			t.Errorf("a request to %s becomes %q", word, got)
		}
	}
	if len(kinds) != len(theirs) {
		t.Errorf("%d kinds are translated, the store has %d", len(kinds), len(theirs))
	}
	ours, theirs = testenv.Constants(t, "../pkg/messages", "ActorKind"), testenv.Constants(t, "../pkg/store", "ActorKind")
	if slices.Sort(ours); !slices.Equal(ours, slices.Sorted(slices.Values(theirs))) {
		t.Errorf("actors are %q on the wire and %q in the store", ours, theirs)
	}
}

// TestNothingIsLostInTranslation: every field of store.SeatRequest is set, and every field of a
// reply that a result has.
func TestNothingIsLostInTranslation(t *testing.T) {
	now, edit := time.Now(), &messages.EventEdit{Version: 4}
	got := storeRequest(messages.SeatRequest{
		Kind: messages.KindCancel, RequestID: "r", EventID: store.ID{1}, UserID: store.ID{2}, Keyed: true, Number: 3,
		Actor: messages.Actor{Kind: "of tomorrow", ID: store.ID{4}}, Edit: edit,
	}, now)
	want := store.SeatRequest{
		Kind: store.Cancel, RequestID: "r", EventID: store.ID{1}, UserID: store.ID{2}, Keyed: true, Number: 3,
		Actor: store.Actor{Kind: "of tomorrow", ID: store.ID{4}}, At: now, Edit: (*store.Edit)(edit),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the request is %+v, want %+v", got, want)
	}
	for i, field := range reflect.ValueOf(got).Fields() {
		if field.IsZero() {
			t.Errorf("%s of the request is not set", i.Name)
		}
	}
	reply := wireReply(store.SeatResult{
		Outcome: store.Waitlisted, Registration: store.Registration{Number: 5, RegisteredAt: now}, Position: 6, OpensAt: now.Add(1),
	})
	if want := (messages.SeatReply{
		Outcome: messages.OutcomeWaitlisted, Number: 5, RegisteredAt: now, Position: 6, OpensAt: now.Add(1),
	}); reply != want {
		t.Errorf("the reply is %+v, want %+v", reply, want)
	}
}
