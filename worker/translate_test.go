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

// TestEveryOutcomeOfTheStoreTravels: each is the same word on the wire, and valid there; only
// NotOrganizer, Overtaken and LeaseOut are others. What is no outcome of the store may have changed something.
func TestEveryOutcomeOfTheStoreTravels(t *testing.T) {
	for _, word := range testenv.Constants(t, "../pkg/store", "Outcome") {
		reply, want := wireReply(store.SeatResult{Outcome: store.Outcome(word)}), store.Outcome(word)
		switch want {
		case store.NotOrganizer: // what no API process asks for
			want = messages.OutcomeInvalid
		case store.Overtaken: // no decision
			want = messages.OutcomeOverloaded
		case store.LeaseOut: // which is put aside, and never gets here
			want = messages.OutcomeUnknown
		}
		if reply.Again != (word == string(store.Overtaken)) {
			t.Errorf("the store's %s is to be sent anew: %t", word, reply.Again)
		}
		if reply.Outcome != want || !messages.ValidOutcome(reply.Outcome) {
			t.Errorf("the store's %s becomes %s on the wire", word, reply.Outcome)
		}
	}
	for _, o := range []store.Outcome{"of tomorrow", "", messages.OutcomeOverloaded, messages.OutcomeFailed, messages.OutcomeProbed} {
		if reply := wireReply(store.SeatResult{Outcome: o, Position: 3}); reply != (messages.SeatReply{Outcome: messages.OutcomeUnknown}) {
			t.Errorf("%q, which the store does not decide, becomes %+v", o, reply)
		}
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
	now, edit := time.Now(), &store.Edit{Version: 4}
	got := storeRequest(messages.SeatRequest{
		Kind: messages.KindCancel, RequestID: "r", EventID: store.ID{1}, UserID: store.ID{2}, Keyed: true, Number: 3,
		Actor: messages.Actor{Kind: "of tomorrow", ID: store.ID{4}, Proof: "of tomorrow"}, Edit: edit,
	}, now)
	want := store.SeatRequest{
		Kind: store.Cancel, RequestID: "r", EventID: store.ID{1}, UserID: store.ID{2}, Keyed: true, Number: 3,
		Actor: store.Actor{Kind: "of tomorrow", ID: store.ID{4}, Proof: "of tomorrow"}, At: now, Edit: edit,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the request is %+v, want %+v", got, want)
	}
	for i, field := range reflect.ValueOf(got).Fields() {
		if field.IsZero() && !slices.Contains([]string{"SentAt", "Refused", "Lease", "LeasesEnded"}, i.Name) { // see applyOnce
			t.Errorf("%s of the request is not set", i.Name)
		}
	}
	reply := wireReply(store.SeatResult{
		Outcome: store.Waitlisted, Registration: store.Registration{Number: 5, RegisteredAt: now}, Position: 6, OpensAt: now.Add(1),
	})
	if want := (messages.SeatReply{
		Outcome: store.Waitlisted, Number: 5, RegisteredAt: now, Position: 6, OpensAt: now.Add(1),
	}); reply != want {
		t.Errorf("the reply is %+v, want %+v", reply, want)
	}
	reply = wireReply(store.SeatResult{Outcome: store.SoldOut, Lease: 250 * time.Millisecond, LastNumber: 7, LeasesGranted: 9})
	if want := (messages.SeatReply{Outcome: store.SoldOut, LeaseMillis: 250, LastNumber: 7}); reply != want {
		t.Errorf("a lease is told as %+v", reply)
	}
}
