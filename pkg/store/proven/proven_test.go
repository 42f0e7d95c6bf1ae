package proven_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/proven"
)

// TestWhoseProofsAreNeeded checks of whom a batch needs to know it: each who registers where proofs are asked for, once.
func TestWhoseProofsAreNeeded(t *testing.T) {
	asks, open, gone := store.ID{1}, store.ID{2}, store.ID{3}
	ada, bea := store.ID{11}, store.ID{12}
	register := func(event, user store.ID) store.SeatRequest {
		return store.SeatRequest{Kind: store.Register, EventID: event, UserID: user}
	}
	edit := func(event store.ID, e store.Edit) store.SeatRequest {
		return store.SeatRequest{Kind: store.EditEvent, EventID: event, Edit: &e}
	}
	for name, c := range map[string]struct {
		batch []store.SeatRequest
		want  []store.ID
	}{
		"nobody":                                {nil, nil},
		"who registers where it is asked":       {[]store.SeatRequest{register(asks, ada), register(asks, bea)}, []store.ID{ada, bea}},
		"who registers where it is not":         {[]store.SeatRequest{register(open, ada)}, nil},
		"who registers for what is not there":   {[]store.SeatRequest{register(gone, ada)}, nil},
		"who asks twice":                        {[]store.SeatRequest{register(asks, ada), register(asks, ada)}, []store.ID{ada}},
		"who is in both":                        {[]store.SeatRequest{register(open, ada), register(asks, ada)}, []store.ID{ada}},
		"who cancels":                           {[]store.SeatRequest{{Kind: store.Cancel, EventID: asks, UserID: ada}}, nil},
		"who edits":                             {[]store.SeatRequest{edit(asks, store.Edit{Title: new("x")})}, nil},
		"an edit that begins to ask":            {[]store.SeatRequest{register(open, ada), edit(open, store.Edit{RequiresProvenEmail: new(true)})}, []store.ID{ada}},
		"an edit that asks no more":             {[]store.SeatRequest{register(asks, ada), edit(asks, store.Edit{RequiresProvenEmail: new(false)})}, []store.ID{ada}},
		"an edit that goes on not to":           {[]store.SeatRequest{register(open, ada), edit(open, store.Edit{RequiresProvenEmail: new(false)})}, nil},
		"an edit of something else":             {[]store.SeatRequest{register(open, ada), edit(open, store.Edit{Title: new("x")})}, nil},
		"an edit of what is not there":          {[]store.SeatRequest{register(gone, ada), edit(gone, store.Edit{RequiresProvenEmail: new(true)})}, nil},
		"an edit that asks, of the other event": {[]store.SeatRequest{register(open, ada), edit(asks, store.Edit{RequiresProvenEmail: new(true)})}, nil},
	} {
		states := map[store.ID]store.EventState{
			asks: {Event: store.Event{ID: asks, RequiresProvenEmail: true}}, open: {Event: store.Event{ID: open}},
		}
		if got := proven.Need(states, c.batch); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestProofsAreNoted checks that every event knows of them, beside those that it knew before.
func TestProofsAreNoted(t *testing.T) {
	ada, bea := store.ID{11}, store.ID{12}
	states := map[store.ID]store.EventState{{1}: {}, {2}: {Proven: map[store.ID]bool{bea: true}}}
	proven.Note(states, []store.ID{ada})
	for event, want := range map[store.ID]map[store.ID]bool{{1}: {ada: true}, {2}: {ada: true, bea: true}} {
		if got := states[event].Proven; !maps.Equal(got, want) {
			t.Errorf("of event %s: %v", event.Hex(), got)
		}
	}
}
