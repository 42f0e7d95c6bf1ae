package changes

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func sampleChange() store.ChangeRecord {
	user, other, at := store.NewID(), store.NewID(), time.UnixMilli(1_790_000_000_123).UTC()
	return store.ChangeRecord{
		EventID: store.NewID(), Revision: 7, At: at,
		Before: store.Counters{Capacity: 3, TicketsSold: 3, Waiting: 2, LastNumber: 5, ConfirmedThrough: 3},
		After:  store.Counters{Capacity: 4, TicketsSold: 4, Waiting: 1, LastNumber: 6, ConfirmedThrough: 5},
		Actions: []store.Action{
			{Kind: store.Register, Actor: store.Actor{Kind: store.ActorPerson, ID: user}, UserID: user, Number: 6, Waiting: true, RequestID: store.NewID().Hex(), At: at},
			{Kind: store.Cancel, Actor: store.Actor{Kind: "of a newer version", ID: other}, UserID: other, Number: 2, RequestID: "ABCDEF0123456789ABCDEF01", At: at.Add(-time.Second),
				Promoted: store.Promotion{After: 3, Through: 4, Count: 1, Users: []store.NumberedUser{{Number: 4, UserID: user}}}},
			{Kind: store.EditEvent, RequestID: "x", At: at, Edited: []string{"capacity", "title"}, CancelsEvent: true},
			{Kind: store.Register, Actor: store.Actor{Kind: store.ActorPerson}, RequestID: "nobody", At: at},
			{Kind: "of a newer version", Actor: store.Actor{Kind: store.ActorOperator}, RequestID: "y", At: at, Number: -3,
				Promoted: store.Promotion{After: 4, Through: 99_999, Count: 50_000}},
		},
		Roster: []store.NumberedUser{{Number: 1, UserID: user}, {Number: 3, UserID: other}},
	}
}

func TestPackedChanges(t *testing.T) {
	for name, want := range map[string]store.ChangeRecord{
		"everything": sampleChange(),
		"a start":    {EventID: store.NewID(), Revision: 1, At: time.UnixMilli(5).UTC(), Start: store.StartTakeover},
	} {
		packed := Pack(want)
		got, err := Unpack(want.EventID, want.Revision, want.At, packed)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
		}
		for n := range packed {
			if _, err := Unpack(want.EventID, want.Revision, want.At, packed[:n]); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s, cut off at %d: %v", name, n, err)
			}
		}
		if _, err := Unpack(want.EventID, want.Revision, want.At, append(packed, 0)); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s, with a byte more: %v", name, err)
		}
	}
}

func FuzzUnpackChange(f *testing.F) {
	f.Add(Pack(sampleChange()))
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, packed []byte) {
		r, err := Unpack(store.ID{1}, 2, time.UnixMilli(3), packed)
		if err != nil {
			return
		}
		again, err := Unpack(r.EventID, r.Revision, r.At, Pack(r))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v, packed again, is %+v, %v", r, again, err)
		}
	})
}
